/* bad_items.c -- see bad_items.h. */
#include "data/bad_items.h"

#include <assert.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

enum { FEW = 10, SHARE = 10 };

typedef struct bad {
  int64_t row;
  char *reason;
} bad;

struct sl_bad_items {
  uint8_t *known; /* one bit a file */
  bad *list;
  int64_t n, room;
};

sl_status sl_bad_items_new(int64_t n_files, sl_bad_items **out) {
  sl_bad_items *b = sl_alloc(1, sizeof *b);
  SL_REQUIRE(b, SL_ENOMEM, "no memory for a loader");
  b->known = sl_alloc((size_t)n_files / 8 + 1, 1);
  if (!b->known) {
    sl_free(b);
    return sl_fail(SL_ENOMEM, "no memory for a loader");
  }
  *out = b;
  return SL_OK;
}

void sl_bad_items_free(sl_bad_items *b) {
  if (!b) return;
  for (int64_t i = 0; i < b->n; i++)
    sl_free(b->list[i].reason);
  sl_free(b->list);
  sl_free(b->known);
  sl_free(b);
}

static sl_status make_room(sl_bad_items *b) {
  if (b->n < b->room) return SL_OK;
  const int64_t room = b->room ? 2 * b->room : 16;
  bad *list = sl_realloc(b->list, (size_t)room * sizeof *list);
  SL_REQUIRE(list, SL_ENOMEM, "no memory to list bad images");
  b->list = list;
  b->room = room;
  return SL_OK;
}

sl_status sl_bad_items_add(sl_bad_items *b, int64_t row, const char *reason,
                           int loud) {
  uint8_t *byte = &b->known[row / 8];
  const uint8_t bit = (uint8_t)(1u << (row % 8));
  if (*byte & bit) return SL_OK;
  SL_TRY(make_room(b));
  char *copy = sl_strdup(reason ? reason : "no reason known");
  SL_REQUIRE(copy, SL_ENOMEM, "no memory to list bad images");
  if (loud) sl_log(SL_LOG_WARN, "left out: %s", copy);
  b->list[b->n++] = (bad){row, copy};
  *byte |= bit;
  return SL_OK;
}

int64_t sl_bad_items_count(const sl_bad_items *b) {
  return b->n;
}

void sl_bad_items_get(const sl_bad_items *b, int64_t i, int64_t *row,
                      const char **reason) {
  assert(i >= 0 && i < b->n);
  *row = b->list[i].row;
  *reason = b->list[i].reason;
}

int sl_bad_items_too_many(int64_t bad_ones, int64_t seen) {
  return bad_ones > FEW && bad_ones * SHARE > seen;
}
