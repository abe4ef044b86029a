/* safetensors_write.c -- a whole file, or none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/whole_file.h"
#include "train/safetensors_internal.h"

/* --- the header ------------------------------------------------------------
 */

static sl_st_dtype file_dtype(const sl_tensor *t, int flags) {
  switch (t->dtype) {
  case SL_F32:
    return SL_ST_F32;
  case SL_BF16:
    return SL_ST_BF16;
  case SL_U8:
    return SL_ST_U8;
  case SL_I32:
    return flags & SL_ST_INT64 ? SL_ST_I64 : SL_ST_I32;
  }
  return SL_ST_F32;
}

static int is_permuted(const sl_tensor *t, int flags) {
  return (flags & SL_ST_OIHW) && t->rank == 4;
}

static uint64_t file_bytes(const sl_tensor *t, int flags) {
  return (uint64_t)sl_tensor_count(t) * sl_st_dtype_size(file_dtype(t, flags));
}

static json_t *describe(const sl_tensor *t, int flags, uint64_t begin) {
  static const int same[] = {0, 1, 2, 3, 4, 5}, oihw[] = {0, 3, 1, 2};
  const int *from = is_permuted(t, flags) ? oihw : same;
  json_t *shape = json_array();
  for (int i = 0; i < t->rank; i++)
    json_array_append_new(shape, json_integer(t->shape[from[i]]));
  const uint64_t end = begin + file_bytes(t, flags);
  return json_pack("{s:s, s:o, s:[I,I]}", "dtype",
                   sl_st_dtype_name(file_dtype(t, flags)), "shape", shape,
                   "data_offsets", (json_int_t)begin, (json_int_t)end);
}

/* jansson refuses what is not UTF-8, and then gives NULL. */
static sl_status add_meta(json_t *header, const sl_st_pair *meta, int n) {
  json_t *pairs = json_object();
  json_object_set_new(header, "__metadata__", pairs);
  for (int i = 0; i < n; i++)
    SL_REQUIRE(
        !json_object_set_new(pairs, meta[i].key, json_string(meta[i].value)),
        SL_EINVAL, "metadata %s cannot be written: it must be UTF-8",
        meta[i].key);
  return SL_OK;
}

static sl_status add_items(json_t *header, const sl_st_item *items, int n,
                           int flags) {
  uint64_t at = 0;
  for (int i = 0; i < n; i++) {
    const sl_st_item *item = &items[i];
    SL_REQUIRE(!json_object_get(header, item->name) &&
                   strcmp(item->name, "__metadata__") != 0,
               SL_EINVAL, "two tensors of the name %s", item->name);
    SL_REQUIRE(!json_object_set_new(header, item->name,
                                    describe(item->tensor, flags, at)),
               SL_EINVAL, "a tensor cannot be named %s: it must be UTF-8",
               item->name);
    at += file_bytes(item->tensor, flags);
  }
  return SL_OK;
}

/* --- bytes -----------------------------------------------------------------
 */

typedef struct output {
  const sl_whole_file *file;
  XXH3_state_t *hash; /* instead of the file: only sums up */
  const char *path;   /* as messages name it */
} output;

static sl_status put(const output *o, const void *data, size_t n) {
  if (o->hash) {
    XXH3_64bits_update(o->hash, data, n);
    return SL_OK;
  }
  return sl_whole_put(o->file, data, n);
}

/* Padded with spaces, so that the tensors begin at a multiple of 8. */
static sl_status put_header(const output *o, const char *text) {
  const size_t n = strlen(text), padded = (n + 7) / 8 * 8;
  unsigned char le[8];
  for (int i = 0; i < 8; i++)
    le[i] = (unsigned char)((uint64_t)padded >> 8 * i);
  SL_TRY(put(o, le, sizeof le));
  SL_TRY(put(o, text, n));
  return put(o, "        ", padded - n);
}

static sl_status put_wide(const output *o, const int32_t *v, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    const int64_t wide = v[i];
    SL_TRY(put(o, &wide, sizeof wide));
  }
  return SL_OK;
}

/* The tensor as it goes out, seen through a view where it is permuted. */
static sl_status outside(sl_tensor *t, int flags, sl_tensor **out) {
  SL_TRY(sl_tensor_materialise(t));
  if (!is_permuted(t, flags)) {
    *out = sl_tensor_retain(t);
    return SL_OK;
  }
  const int64_t *n = t->shape, *s = t->stride;
  const int64_t shape[] = {n[0], n[3], n[1], n[2]};
  const int64_t stride[] = {s[0], s[3], s[1], s[2]};
  return sl_tensor_view(out, t, 4, shape, stride, t->offset);
}

static sl_status put_tensor(const output *o, sl_tensor *t, int flags) {
  const int64_t n = sl_tensor_count(t);
  void *host = sl_alloc_data(sl_tensor_bytes(t) + 1);
  SL_REQUIRE(host, SL_ENOMEM, "out of memory while writing %s", o->path);
  sl_tensor *view = NULL;
  sl_status status = outside(t, flags, &view);
  if (status == SL_OK) status = sl_tensor_read(view, t->dtype, host, n);
  if (status == SL_OK)
    status = file_dtype(t, flags) == SL_ST_I64
                 ? put_wide(o, host, n)
                 : put(o, host, sl_tensor_bytes(t));
  sl_tensor_release(view);
  sl_free_data(host);
  return status;
}

static sl_status put_all(const output *o, const char *header,
                         const sl_st_item *items, int n, int flags) {
  SL_TRY(put_header(o, header));
  for (int i = 0; i < n; i++)
    SL_TRY(put_tensor(o, items[i].tensor, flags));
  return SL_OK;
}

static sl_status checksum(const char *path, const sl_st_item *items, int n,
                          int flags, char text[SL_ST_CHECKSUM_ROOM]) {
  const output o = {NULL, XXH3_createState(), path};
  SL_REQUIRE(o.hash, SL_ENOMEM, "out of memory for writing %s", path);
  XXH3_64bits_reset(o.hash);
  sl_status status = SL_OK;
  for (int i = 0; i < n && status == SL_OK; i++)
    status = put_tensor(&o, items[i].tensor, flags);
  snprintf(text, SL_ST_CHECKSUM_ROOM, "%016llx",
           (unsigned long long)XXH3_64bits_digest(o.hash));
  XXH3_freeState(o.hash);
  return status;
}

static sl_status add_checksum(json_t *header, const char *path,
                              const sl_st_item *items, int n, int flags) {
  char text[SL_ST_CHECKSUM_ROOM];
  SL_TRY(checksum(path, items, n, flags, text));
  json_t *pairs = json_object_get(header, "__metadata__");
  if (!pairs) {
    pairs = json_object();
    json_object_set_new(header, "__metadata__", pairs);
  }
  json_object_set_new(pairs, SL_ST_CHECKSUM_KEY, json_string(text));
  return SL_OK;
}

static sl_status write_file(const char *path, const char *header,
                            const sl_st_item *items, int n, int flags) {
  sl_whole_file file;
  SL_TRY(sl_whole_open(&file, path));
  const output o = {&file, NULL, path};
  return sl_whole_close(&file, put_all(&o, header, items, n, flags));
}

sl_status sl_st_write(const char *path, const sl_st_item *items, int n,
                      const sl_st_pair *meta, int n_meta, int flags) {
  json_t *header = json_object();
  char *text = NULL;
  sl_status status = n_meta ? add_meta(header, meta, n_meta) : SL_OK;
  if (status == SL_OK && flags & SL_ST_CHECKSUM)
    status = add_checksum(header, path, items, n, flags);
  if (status == SL_OK) status = add_items(header, items, n, flags);
  if (status == SL_OK) {
    text = json_dumps(header, JSON_COMPACT | JSON_PRESERVE_ORDER);
    status = text ? write_file(path, text, items, n, flags)
                  : sl_fail(SL_ENOMEM, "out of memory for writing %s", path);
  }
  free(text);
  json_decref(header);
  return status;
}
