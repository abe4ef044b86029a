/* safetensors_read.c -- one tensor's bytes become a tensor. */
#include <stdio.h>
#include <string.h>

#include <xxhash.h>

#include "base/alloc.h"
#include "train/safetensors_internal.h"

/* --- conversions -----------------------------------------------------------
 */

static float half_to_f32(uint16_t h) {
  const uint32_t sign = (uint32_t)(h & 0x8000) << 16, mantissa = h & 0x3ff;
  const uint32_t exponent = h >> 10 & 31;
  uint32_t bits;
  float f;
  if (exponent == 0) { /* zero and subnormal: mantissa * 2^-24 */
    f = (float)mantissa * 0x1p-24f;
    memcpy(&bits, &f, sizeof f);
  } else if (exponent == 31) {
    bits = 0x7f800000 | mantissa << 13;
  } else {
    bits = (exponent + 112) << 23 | mantissa << 13;
  }
  bits |= sign;
  memcpy(&f, &bits, sizeof f);
  return f;
}

static sl_status narrow_ints(const sl_st_file *f, const sl_st_entry *e,
                             const int64_t *from, int32_t *to, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    SL_REQUIRE(from[i] >= INT32_MIN && from[i] <= INT32_MAX, SL_EDATA,
               "%s: tensor %s has the number %lld, which 32 bits cannot hold",
               f->path, e->name, (long long)from[i]);
    to[i] = (int32_t)from[i];
  }
  return SL_OK;
}

static int is_converted(sl_st_dtype d) {
  return d == SL_ST_F16 || d == SL_ST_F64 || d == SL_ST_I64;
}

/* from: the file's n elements; to: room for n of four bytes. */
static sl_status convert(const sl_st_file *f, const sl_st_entry *e,
                         const void *from, void *to, int64_t n) {
  if (e->dtype == SL_ST_I64) return narrow_ints(f, e, from, to, n);
  float *out = to;
  for (int64_t i = 0; i < n; i++)
    out[i] = e->dtype == SL_ST_F16 ? half_to_f32(((const uint16_t *)from)[i])
                                   : (float)((const double *)from)[i];
  return SL_OK;
}

static sl_dtype dtype_of(sl_st_dtype d) {
  switch (d) {
  case SL_ST_BF16:
    return SL_BF16;
  case SL_ST_U8:
    return SL_U8;
  case SL_ST_I32:
  case SL_ST_I64:
    return SL_I32;
  case SL_ST_F32:
  case SL_ST_F16:
  case SL_ST_F64:
    return SL_F32;
  }
  return SL_F32;
}

/* --- reading ---------------------------------------------------------------
 */

/* (O, I, H, W) in memory becomes a dense (O, H, W, I). */
static sl_status to_ohwi(sl_tensor **t) {
  sl_tensor *x = *t, *view = NULL, *dense = NULL;
  const int64_t *n = x->shape, *s = x->stride;
  const int64_t shape[] = {n[0], n[2], n[3], n[1]};
  const int64_t stride[] = {s[0], s[2], s[3], s[1]};
  SL_TRY(sl_tensor_view(&view, x, 4, shape, stride, x->offset));
  const sl_status status = sl_tensor_copy(&dense, view, x->backend, x->dtype);
  sl_tensor_release(view);
  SL_TRY(status);
  sl_tensor_release(x);
  *t = dense;
  return SL_OK;
}

/* data: room for the file's bytes; converted: for what they become. */
static sl_status read_into(const sl_st_file *f, const sl_st_entry *e,
                           void *data, void *converted, int64_t n,
                           const sl_backend *backend, sl_tensor **out) {
  SL_REQUIRE(data && converted, SL_ENOMEM, "%s: out of memory for tensor %s",
             f->path, e->name);
  SL_TRY(
      sl_st_read_at(f, data, (size_t)(e->end - e->begin), f->data + e->begin));
  if (converted != data) SL_TRY(convert(f, e, data, converted, n));
  return sl_tensor_from(out, backend, dtype_of(e->dtype), e->rank, e->shape,
                        converted);
}

sl_status sl_st_read(const sl_st_file *f, int i, int flags,
                     const sl_backend *backend, sl_tensor **out) {
  const sl_st_entry *e = &f->entry[i];
  const uint64_t bytes = e->end - e->begin;
  const int64_t n = (int64_t)(bytes / sl_st_dtype_size(e->dtype));
  void *data = sl_alloc_data((size_t)bytes + 1), *converted = data;
  if (is_converted(e->dtype))
    converted = sl_alloc_data((size_t)n * sizeof(float) + 1);
  sl_tensor *t = NULL;
  sl_status status = read_into(f, e, data, converted, n, backend, &t);
  if (converted != data) sl_free_data(converted);
  sl_free_data(data);
  if (status == SL_OK && (flags & SL_ST_OIHW) && e->rank == 4)
    status = to_ohwi(&t);
  if (status == SL_OK) {
    *out = t;
  } else {
    sl_tensor_release(t);
  }
  return status;
}

/* --- checksum --------------------------------------------------------------
 */

/* In pieces: a file may be larger than memory. */
static sl_status hash_file(const sl_st_file *f, uint64_t bytes, char *buffer,
                           size_t room, XXH3_state_t *hash) {
  for (uint64_t at = 0; at < bytes; at += room) {
    const size_t n = bytes - at < room ? (size_t)(bytes - at) : room;
    SL_TRY(sl_st_read_at(f, buffer, n, f->data + at));
    XXH3_64bits_update(hash, buffer, n);
  }
  return SL_OK;
}

static sl_status compare(const sl_st_file *f, const char *want,
                         XXH3_state_t *hash) {
  char have[SL_ST_CHECKSUM_ROOM];
  snprintf(have, sizeof have, "%016llx",
           (unsigned long long)XXH3_64bits_digest(hash));
  SL_REQUIRE(!strcmp(have, want), SL_EDATA,
             "%s is damaged: the checksum of its tensors is %s, not %s",
             f->path, have, want);
  return SL_OK;
}

sl_status sl_st_verify(const sl_st_file *f) {
  enum { ROOM = 1 << 20 };
  const char *want = sl_st_meta(f, SL_ST_CHECKSUM_KEY);
  if (!want) return SL_OK;
  char *buffer = sl_alloc(ROOM, 1);
  XXH3_state_t *hash = XXH3_createState();
  sl_status status = SL_OK;
  if (!buffer || !hash) {
    status = sl_fail(SL_ENOMEM, "out of memory for reading %s", f->path);
  } else {
    XXH3_64bits_reset(hash);
    status =
        hash_file(f, f->n ? f->entry[f->n - 1].end : 0, buffer, ROOM, hash);
    if (status == SL_OK) status = compare(f, want, hash);
  }
  XXH3_freeState(hash);
  sl_free(buffer);
  return status;
}
