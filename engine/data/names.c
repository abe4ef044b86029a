/* names.c -- see names.h. Open addressing, at most half full. */
#include "data/names.h"

#include <string.h>
#include <xxhash.h>

#include "base/alloc.h"

sl_status sl_text_add(sl_text *t, const char *s, size_t len, uint32_t *at) {
  const size_t need = t->used + len + 1;
  SL_REQUIRE(need <= UINT32_MAX, SL_EINVAL,
             "the names of a file list take more than 4 GiB");
  if (need > t->room) {
    const size_t room = need > 2 * t->room ? need + 64 : 2 * t->room;
    char *bytes = sl_realloc(t->bytes, room);
    SL_REQUIRE(bytes, SL_ENOMEM, "no memory for %zu bytes of names", room);
    t->bytes = bytes;
    t->room = room;
  }
  memcpy(t->bytes + t->used, s, len);
  t->bytes[t->used + len] = 0;
  *at = (uint32_t)t->used;
  t->used = need;
  return SL_OK;
}

void sl_text_close(sl_text *t) {
  sl_free(t->bytes);
  *t = (sl_text){0};
}

const char *sl_names_get(const sl_names *t, int32_t id) {
  return t->text.bytes + t->at[id];
}

static int same(const sl_names *t, int32_t id, const char *s, size_t len) {
  const char *name = sl_names_get(t, id);
  return strncmp(name, s, len) == 0 && name[len] == 0;
}

/* The slot that holds s, or the free one where it belongs. */
static uint32_t slot_of(const sl_names *t, const char *s, size_t len) {
  const uint32_t mask = t->n_slots - 1;
  uint32_t i = (uint32_t)XXH3_64bits(s, len) & mask;
  while (t->slots[i] && !same(t, t->slots[i] - 1, s, len))
    i = (i + 1) & mask;
  return i;
}

int32_t sl_names_find(const sl_names *t, const char *s, size_t len) {
  return t->n_slots ? t->slots[slot_of(t, s, len)] - 1 : -1;
}

static sl_status grow(sl_names *t) {
  const int32_t room = t->room ? 2 * t->room : 32;
  uint32_t *at = sl_realloc(t->at, (size_t)room * sizeof *at);
  SL_REQUIRE(at, SL_ENOMEM, "no memory for %d names", (int)room);
  t->at = at;
  sl_names wide = *t;
  wide.n_slots = 2 * (uint32_t)room;
  wide.slots = sl_alloc(wide.n_slots, sizeof *wide.slots);
  SL_REQUIRE(wide.slots, SL_ENOMEM, "no memory for %d names", (int)room);
  for (int32_t id = 0; id < t->n; id++) {
    const char *name = sl_names_get(t, id);
    wide.slots[slot_of(&wide, name, strlen(name))] = id + 1;
  }
  sl_free(t->slots);
  *t = wide;
  t->room = room;
  return SL_OK;
}

sl_status sl_names_add(sl_names *t, const char *s, size_t len, int32_t *id) {
  *id = sl_names_find(t, s, len);
  if (*id >= 0) return SL_OK;
  if (t->n == t->room) SL_TRY(grow(t));
  SL_TRY(sl_text_add(&t->text, s, len, &t->at[t->n]));
  *id = t->n++;
  t->slots[slot_of(t, s, len)] = *id + 1;
  return SL_OK;
}

void sl_names_close(sl_names *t) {
  sl_text_close(&t->text);
  sl_free(t->at);
  sl_free(t->slots);
  *t = (sl_names){0};
}
