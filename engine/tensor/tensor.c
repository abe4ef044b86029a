/* tensor.c -- see tensor.h. */
#include "tensor/tensor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"

static _Atomic int64_t live;

/* --- storage -------------------------------------------------------------- */

static sl_status storage_new(sl_storage **out, const sl_backend *backend,
                             size_t bytes) {
  sl_storage *s = sl_alloc(1, sizeof *s);
  SL_REQUIRE(s, SL_ENOMEM, "no memory for a tensor");
  s->data = backend->alloc(bytes);
  if (!s->data) {
    sl_free(s);
    return sl_fail(SL_ENOMEM,
                   "no memory on %s for a tensor of %.1f MiB; %.1f MiB are in "
                   "use, %.1f MiB are free",
                   backend->name, (double)bytes / (1 << 20),
                   (double)backend->used() / (1 << 20),
                   (double)backend->room() / (1 << 20));
  }
  atomic_init(&s->refs, 1);
  s->backend = backend;
  s->bytes = bytes;
  *out = s;
  return SL_OK;
}

static void storage_release(sl_storage *s) {
  if (!s || atomic_fetch_sub(&s->refs, 1) > 1) return;
  s->backend->free(s->data, s->bytes);
  sl_free(s);
}

/* --- making --------------------------------------------------------------- */

void sl_dense_strides(int rank, const int64_t *shape, int64_t *stride) {
  int64_t step = 1;
  for (int i = rank - 1; i >= 0; i--) {
    stride[i] = step;
    step *= shape[i] > 0 ? shape[i] : 1;
  }
}

/* Sizes come from users: they must not wrap around. */
static sl_status check_shape(int rank, const int64_t *shape, sl_dtype dtype) {
  SL_REQUIRE(rank >= 0 && rank <= SL_MAX_RANK, SL_ESHAPE,
             "a tensor has at most %d dimensions, not %d", SL_MAX_RANK, rank);
  int64_t bytes = (int64_t)sl_dtype_size(dtype);
  for (int i = 0; i < rank; i++) {
    SL_REQUIRE(shape[i] >= 0, SL_ESHAPE, "dimension %d has size %" PRId64,
               i + 1, shape[i]);
    SL_REQUIRE(!__builtin_mul_overflow(bytes, shape[i] ? shape[i] : 1, &bytes),
               SL_ENOMEM, "a tensor of that shape has more bytes than fit");
  }
  return SL_OK;
}

/* A tensor without storage. */
static sl_status shell_new(sl_tensor **out, const sl_backend *backend,
                           sl_dtype dtype, int rank, const int64_t *shape) {
  SL_TRY(check_shape(rank, shape, dtype));
  sl_tensor *t = sl_alloc(1, sizeof *t);
  SL_REQUIRE(t, SL_ENOMEM, "no memory for a tensor");
  atomic_init(&t->refs, 1);
  t->backend = backend;
  t->dtype = dtype;
  t->rank = rank;
  if (rank > 0) memcpy(t->shape, shape, (size_t)rank * sizeof *shape);
  sl_dense_strides(rank, shape, t->stride);
  atomic_fetch_add(&live, 1);
  *out = t;
  return SL_OK;
}

sl_status sl_tensor_new(sl_tensor **out, const sl_backend *backend,
                        sl_dtype dtype, int rank, const int64_t *shape) {
  sl_tensor *t = NULL;
  SL_TRY(shell_new(&t, backend, dtype, rank, shape));
  const sl_status status =
      storage_new(&t->storage, backend, sl_tensor_bytes(t));
  if (status == SL_OK)
    *out = t;
  else
    sl_tensor_release(t);
  return status;
}

/* Hands t over, or lets go of it when what was done to it failed. */
static sl_status hand_over(sl_tensor **out, sl_tensor *t, sl_status status) {
  if (status == SL_OK)
    *out = t;
  else
    sl_tensor_release(t);
  return status;
}

sl_status sl_tensor_zeros(sl_tensor **out, const sl_backend *backend,
                          sl_dtype dtype, int rank, const int64_t *shape) {
  sl_tensor *t = NULL;
  SL_TRY(sl_tensor_new(&t, backend, dtype, rank, shape));
  return hand_over(out, t, backend->zero(t->storage->data, t->storage->bytes));
}

sl_status sl_tensor_from(sl_tensor **out, const sl_backend *backend,
                         sl_dtype dtype, int rank, const int64_t *shape,
                         const void *host) {
  sl_tensor *t = NULL;
  SL_TRY(sl_tensor_new(&t, backend, dtype, rank, shape));
  return hand_over(out, t,
                   backend->upload(t->storage->data, host, t->storage->bytes));
}

sl_status sl_tensor_lazy(sl_tensor **out, sl_tensor *y, sl_tensor *scale,
                         sl_tensor *shift, sl_act act) {
  sl_lazy *lazy = sl_alloc(1, sizeof *lazy);
  SL_REQUIRE(lazy, SL_ENOMEM, "no memory for a tensor");
  sl_tensor *t = NULL;
  const sl_status status =
      shell_new(&t, y->backend, y->dtype, y->rank, y->shape);
  if (status != SL_OK) {
    sl_free(lazy);
    return status;
  }
  *lazy = (sl_lazy){sl_tensor_retain(y), sl_tensor_retain(scale),
                    sl_tensor_retain(shift), act};
  t->lazy = lazy;
  *out = t;
  return SL_OK;
}

static void lazy_free(sl_lazy *lazy) {
  if (!lazy) return;
  sl_tensor_release(lazy->y);
  sl_tensor_release(lazy->scale);
  sl_tensor_release(lazy->shift);
  sl_free(lazy);
}

sl_status sl_tensor_materialise(sl_tensor *t) {
  if (!t->lazy) return SL_OK;
  sl_tensor *z = NULL;
  SL_TRY(sl_tensor_new(&z, t->backend, t->dtype, t->rank, t->shape));
  const sl_status status = t->backend->materialise(z, t->lazy);
  if (status == SL_OK) {
    t->storage = z->storage;
    z->storage = NULL;
    lazy_free(t->lazy);
    t->lazy = NULL;
  }
  sl_tensor_release(z);
  return status;
}

sl_status sl_tensor_view(sl_tensor **out, sl_tensor *base, int rank,
                         const int64_t *shape, const int64_t *stride,
                         int64_t offset) {
  SL_TRY(sl_tensor_materialise(base));
  sl_tensor *t = NULL;
  SL_TRY(shell_new(&t, base->backend, base->dtype, rank, shape));
  if (rank > 0) memcpy(t->stride, stride, (size_t)rank * sizeof *stride);
  t->offset = offset;
  t->storage = base->storage;
  atomic_fetch_add(&t->storage->refs, 1);
  *out = t;
  return SL_OK;
}

sl_status sl_tensor_detach(sl_tensor **out, sl_tensor *t) {
  if (t->lazy)
    return sl_tensor_lazy(out, t->lazy->y, t->lazy->scale, t->lazy->shift,
                          t->lazy->act);
  return sl_tensor_view(out, t, t->rank, t->shape, t->stride, t->offset);
}

sl_status sl_tensor_copy(sl_tensor **out, sl_tensor *t,
                         const sl_backend *backend, sl_dtype dtype) {
  SL_TRY(sl_tensor_materialise(t));
  sl_tensor *dense = NULL, *moved = NULL;
  SL_TRY(sl_tensor_new(&dense, t->backend, dtype, t->rank, t->shape));
  sl_status status = t->backend->copy(dense, t, 0);
  if (status != SL_OK || backend == t->backend)
    return hand_over(out, dense, status);
  status = sl_tensor_new(&moved, backend, dtype, t->rank, t->shape);
  if (status == SL_OK) { /* by way of the host: devices do not know others */
    const size_t bytes = dense->storage->bytes;
    void *host = sl_alloc_data(bytes);
    status = host ? t->backend->download(host, dense->storage->data, bytes)
                  : sl_fail(SL_ENOMEM, "no memory to copy between devices");
    if (status == SL_OK)
      status = backend->upload(moved->storage->data, host, bytes);
    sl_free_data(host);
    status = hand_over(out, moved, status);
  }
  sl_tensor_release(dense);
  return status;
}

sl_status sl_tensor_read(sl_tensor *t, sl_dtype as, void *host, int64_t n) {
  assert(n == sl_tensor_count(t));
  sl_tensor *dense = NULL;
  SL_TRY(sl_tensor_copy(&dense, t, t->backend, as));
  const sl_status status = t->backend->download(host, dense->storage->data,
                                                (size_t)n * sl_dtype_size(as));
  sl_tensor_release(dense);
  return status;
}

sl_status sl_tensor_assign(sl_tensor *dst, sl_tensor *src) {
  SL_REQUIRE(sl_tensor_same_shape(dst, src), SL_ESHAPE,
             "cannot copy %s into %s", sl_shape_text(src), sl_shape_text(dst));
  SL_TRY(sl_tensor_materialise(src));
  SL_TRY(sl_tensor_materialise(dst));
  dst->storage->version++;
  if (dst->backend == src->backend) return dst->backend->copy(dst, src, 0);
  sl_tensor *moved = NULL;
  SL_TRY(sl_tensor_copy(&moved, src, dst->backend, dst->dtype));
  const sl_status status = dst->backend->copy(dst, moved, 0);
  sl_tensor_release(moved);
  return status;
}

/* --- letting go ----------------------------------------------------------- */

sl_tensor *sl_tensor_retain(sl_tensor *t) {
  atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
  return t;
}

void sl_tensor_release(sl_tensor *t) {
  if (!t || atomic_fetch_sub(&t->refs, 1) > 1) return;
  storage_release(t->storage);
  lazy_free(t->lazy);
  sl_tensor_release(t->grad);
  if (t->node && atomic_fetch_sub(&t->node->refs, 1) == 1)
    t->node->free(t->node);
  sl_free(t);
  atomic_fetch_sub(&live, 1);
}

int64_t sl_tensor_live(void) {
  return atomic_load(&live);
}

/* --- asking --------------------------------------------------------------- */

int64_t sl_tensor_count(const sl_tensor *t) {
  int64_t n = 1;
  for (int i = 0; i < t->rank; i++)
    n *= t->shape[i];
  return n;
}

size_t sl_tensor_bytes(const sl_tensor *t) {
  return (size_t)sl_tensor_count(t) * sl_dtype_size(t->dtype);
}

int sl_tensor_is_contiguous(const sl_tensor *t) {
  int64_t step = 1;
  for (int i = t->rank - 1; i >= 0; i--) {
    if (t->shape[i] == 0) return 1;
    if (t->shape[i] != 1 && t->stride[i] != step) return 0;
    step *= t->shape[i];
  }
  return 1;
}

int sl_tensor_same_shape(const sl_tensor *a, const sl_tensor *b) {
  return a->rank == b->rank &&
         memcmp(a->shape, b->shape, (size_t)a->rank * sizeof *a->shape) == 0;
}

void *sl_data(const sl_tensor *t) {
  assert(t->storage);
  return (char *)t->storage->data + (size_t)t->offset * sl_dtype_size(t->dtype);
}

float *sl_f32(const sl_tensor *t) {
  assert(t->dtype == SL_F32);
  return sl_data(t);
}

sl_bf16 *sl_b16(const sl_tensor *t) {
  assert(t->dtype == SL_BF16);
  return sl_data(t);
}

uint8_t *sl_u8(const sl_tensor *t) {
  assert(t->dtype == SL_U8);
  return sl_data(t);
}

int32_t *sl_i32(const sl_tensor *t) {
  assert(t->dtype == SL_I32);
  return sl_data(t);
}

const char *sl_shape_text(const sl_tensor *t) {
  static _Thread_local char buffers[4][96];
  static _Thread_local int next;
  char *s = buffers[next++ % 4];
  size_t n = (size_t)snprintf(s, 96, "%s (", sl_dtype_name(t->dtype));
  for (int i = 0; i < t->rank && n < 80; i++)
    n += (size_t)snprintf(s + n, 96 - n, "%s%" PRId64, i ? ", " : "",
                          t->shape[i]);
  snprintf(s + (n < 95 ? n : 95), 96 - (n < 95 ? n : 95), ")");
  return s;
}
