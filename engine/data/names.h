/* names.h -- strings kept once each, numbered from 0 in the order they came.
 *
 * Folder names and class names repeat a million times in a file list; here
 * they cost one copy and a 32-bit number. Lookup is by hash. */
#ifndef SL_DATA_NAMES_H
#define SL_DATA_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Strings one after the other, each with its zero; at most 4 GiB. */
typedef struct sl_text {
  char *bytes;
  size_t used, room;
} sl_text;

/* Appends len bytes of s and a zero; *at: where they begin. */
SL_MUST_USE sl_status sl_text_add(sl_text *t, const char *s, size_t len,
                                  uint32_t *at);
void sl_text_close(sl_text *t);

/* {0} is an empty table. */
typedef struct sl_names {
  sl_text text;
  uint32_t *at; /* where name i begins in text */
  int32_t n, room;
  int32_t *slots; /* hash table of name numbers + 1; 0: free */
  uint32_t n_slots;
} sl_names;

/* Adds s (len bytes, no zero needed) if it is new; *id: its number. */
SL_MUST_USE sl_status sl_names_add(sl_names *t, const char *s, size_t len,
                                   int32_t *id);

/* The number of s, -1 if it is not there. */
int32_t sl_names_find(const sl_names *t, const char *s, size_t len);

/* Name id, valid until the next add. */
const char *sl_names_get(const sl_names *t, int32_t id);

void sl_names_close(sl_names *t);

#endif
