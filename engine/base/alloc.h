/* alloc.h -- the only way to host memory, so that tests can make it fail. */
#ifndef SL_BASE_ALLOC_H
#define SL_BASE_ALLOC_H

#include <stddef.h>
#include <stdint.h>

void *sl_alloc(size_t count, size_t size); /* zeroed; NULL when out of memory */
void *sl_realloc(void *p, size_t bytes);   /* new bytes are not zeroed */
char *sl_strdup(const char *s);
void sl_free(void *p); /* NULL is allowed; for the three above */

/* 64-byte aligned, not zeroed: the data of tensors and batches. */
void *sl_alloc_data(size_t bytes);
void sl_free_data(void *p);

/* Tests: the n-th allocation from now fails, once; 0 switches it off. Returns
 * how many were still to come before the last call's would have failed: 0 if
 * it did fail. */
int sl_alloc_fail_at(int n);

/* Allocations not yet freed, in the whole process: tests end where they
 * began. */
int64_t sl_alloc_live(void);

#endif
