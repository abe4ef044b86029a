/* alloc.c -- see alloc.h. */
#include "base/alloc.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/room.h"

static atomic_int fail_at;
static _Atomic int64_t live;

static int must_fail(void) {
  return atomic_load_explicit(&fail_at, memory_order_relaxed) > 0 &&
         atomic_fetch_sub(&fail_at, 1) == 1;
}

static void *counted(void *p) {
  if (p) atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
  return p;
}

void *sl_alloc(size_t count, size_t size) {
  size_t bytes;
  if (must_fail() || __builtin_mul_overflow(count, size, &bytes) ||
      !sl_memory_fits(bytes))
    return NULL;
  return counted(calloc(count ? count : 1, size ? size : 1));
}

void *sl_realloc(void *p, size_t bytes) {
  if (must_fail() || !sl_memory_fits(bytes)) return NULL;
  void *grown = realloc(p, bytes ? bytes : 1);
  return p ? grown : counted(grown);
}

char *sl_strdup(const char *s) {
  const size_t n = strlen(s) + 1;
  char *copy = sl_alloc(n, 1);
  return copy ? memcpy(copy, s, n) : NULL;
}

void sl_free(void *p) {
  if (!p) return;
  atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
  free(p);
}

void *sl_alloc_data(size_t bytes) {
  if (must_fail() || !sl_memory_fits(bytes)) return NULL;
  const size_t whole = (bytes + 63) & ~(size_t)63;
  return counted(aligned_alloc(64, whole ? whole : 64));
}

void sl_free_data(void *p) {
  sl_free(p);
}

int sl_alloc_fail_at(int n) {
  return atomic_exchange(&fail_at, n);
}

int64_t sl_alloc_live(void) {
  return atomic_load(&live);
}
