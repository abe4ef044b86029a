/* split.c -- see split.h. */
#include "data/split.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"

/* Which side a row is on. */
enum { NEITHER, TRAIN, VALID };

static sl_status split_new(int64_t n_train, int64_t n_valid, sl_split *out) {
  SL_REQUIRE(n_train > 0, SL_EINVAL,
             "the split leaves no items to train with (%lld to validate)",
             (long long)n_valid);
  *out = (sl_split){.n_train = n_train, .n_valid = n_valid};
  out->train = sl_alloc((size_t)n_train, sizeof *out->train);
  out->valid = sl_alloc((size_t)n_valid, sizeof *out->valid);
  if (out->train && out->valid) return SL_OK;
  sl_split_close(out);
  return sl_fail(SL_ENOMEM, "no memory to split %lld items",
                 (long long)n_train + n_valid);
}

void sl_split_close(sl_split *s) {
  sl_free(s->train);
  sl_free(s->valid);
  *s = (sl_split){0};
}

sl_status sl_split_random(int64_t n, double valid_pct, uint64_t seed,
                          sl_split *out) {
  SL_REQUIRE(valid_pct >= 0 && valid_pct < 1, SL_EINVAL,
             "valid_pct is the share of items to validate with, in [0, 1), not "
             "%g",
             valid_pct);
  const int64_t cut = (int64_t)(valid_pct * (double)n);
  SL_TRY(split_new(n - cut, cut, out));
  int64_t *perm = sl_alloc((size_t)n, sizeof *perm);
  if (!perm) {
    sl_split_close(out);
    return sl_fail(SL_ENOMEM, "no memory to split %lld items", (long long)n);
  }
  sl_torch_randperm((uint32_t)seed, n, perm);
  memcpy(out->valid, perm, (size_t)cut * sizeof *perm);
  memcpy(out->train, perm + cut, (size_t)(n - cut) * sizeof *perm);
  sl_free(perm);
  return SL_OK;
}

/* Rows in ascending order, by the side that each is on. */
static sl_status split_sides(int64_t n, const uint8_t *side, sl_split *out) {
  int64_t count[3] = {0};
  for (int64_t i = 0; i < n; i++)
    count[side[i]]++;
  SL_TRY(split_new(count[TRAIN], count[VALID], out));
  int64_t *next[] = {NULL, out->train, out->valid};
  for (int64_t i = 0; i < n; i++)
    if (side[i] != NEITHER) *next[side[i]]++ = i;
  return SL_OK;
}

static uint8_t *new_sides(int64_t n) {
  uint8_t *side = sl_alloc((size_t)n, 1);
  if (!side)
    (void)sl_fail(SL_ENOMEM, "no memory to split %lld items", (long long)n);
  return side;
}

sl_status sl_split_mask(int64_t n, const uint8_t *is_valid, sl_split *out) {
  uint8_t *side = new_sides(n);
  if (!side) return SL_ENOMEM;
  for (int64_t i = 0; i < n; i++)
    side[i] = is_valid[i] ? VALID : TRAIN;
  const sl_status status = split_sides(n, side, out);
  sl_free(side);
  return status;
}

static sl_status mark_valid(uint8_t *side, int64_t n, const int64_t *valid,
                            int64_t n_valid) {
  memset(side, TRAIN, (size_t)n);
  for (int64_t i = 0; i < n_valid; i++) {
    SL_REQUIRE(valid[i] >= 0 && valid[i] < n, SL_EINVAL,
               "row %lld is not in a list of %lld files",
               (long long)valid[i] + 1, (long long)n);
    SL_REQUIRE(side[valid[i]] != VALID, SL_EINVAL,
               "row %lld is in the validation rows twice",
               (long long)valid[i] + 1);
    side[valid[i]] = VALID;
  }
  return SL_OK;
}

sl_status sl_split_rows(int64_t n, const int64_t *valid, int64_t n_valid,
                        sl_split *out) {
  uint8_t *side = new_sides(n);
  if (!side) return SL_ENOMEM;
  sl_status status = mark_valid(side, n, valid, n_valid);
  if (status == SL_OK) status = split_sides(n, side, out);
  if (status == SL_OK && n_valid > 0) /* keep the order that was given */
    memcpy(out->valid, valid, (size_t)n_valid * sizeof *valid);
  sl_free(side);
  return status;
}

/* --- by folder ------------------------------------------------------------ */

static sl_status not_there(const sl_folder_names *names, const char *wanted) {
  char list[256] = "";
  size_t n = 0;
  for (int32_t i = 0; i < sl_folder_names_count(names) && n < sizeof list; i++)
    n += (size_t)snprintf(list + n, sizeof list - n, "%s'%s'", i ? ", " : "",
                          sl_folder_names_get(names, i));
  return sl_fail(SL_EINVAL,
                 "no file lies two levels below a folder named '%s'; the "
                 "folders there are %s%s",
                 wanted, list, n < sizeof list ? "" : "...");
}

static int32_t find(const sl_folder_names *names, const char *wanted) {
  for (int32_t i = 0; i < sl_folder_names_count(names); i++)
    if (strcmp(sl_folder_names_get(names, i), wanted) == 0) return i;
  return -1;
}

static sl_status split_folders(const sl_files *f, const sl_folder_names *names,
                               const char *train_name, const char *valid_name,
                               sl_split *out) {
  const int32_t train = find(names, train_name),
                valid = find(names, valid_name);
  if (train < 0) return not_there(names, train_name);
  if (valid < 0) return not_there(names, valid_name);
  const int64_t n = sl_files_count(f);
  uint8_t *side = new_sides(n);
  if (!side) return SL_ENOMEM;
  for (int64_t i = 0; i < n; i++) {
    const int32_t of = sl_folder_names_of(names, f, i);
    side[i] = of == train ? TRAIN : of == valid ? VALID : NEITHER;
  }
  const sl_status status = split_sides(n, side, out);
  sl_free(side);
  return status;
}

sl_status sl_split_grandparent(const sl_files *f, const char *train_name,
                               const char *valid_name, sl_split *out) {
  SL_REQUIRE(strcmp(train_name, valid_name) != 0, SL_EINVAL,
             "the training and the validation folder are both '%s'",
             train_name);
  sl_folder_names *names = NULL;
  SL_TRY(sl_folder_names_new(f, 2, &names));
  const sl_status status = split_folders(f, names, train_name, valid_name, out);
  sl_folder_names_free(names);
  return status;
}
