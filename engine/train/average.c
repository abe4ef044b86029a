/* average.c -- see average.h. */
#include "train/average.h"

#include "backend/update.h"
#include "base/alloc.h"

static sl_status check(const sl_tensor *t, const sl_backend *backend, int i) {
  SL_REQUIRE(t->dtype == SL_F32 && !t->lazy && sl_tensor_is_contiguous(t),
             SL_ESHAPE, "tensor %d is %s: contiguous f32 is wanted", i + 1,
             sl_shape_text(t));
  SL_REQUIRE(t->backend == backend, SL_EINVAL,
             "tensor %d is on %s, others are on %s", i + 1, t->backend->name,
             backend->name);
  return SL_OK;
}

static sl_status check_pair(const sl_tensor *a, const sl_tensor *b,
                            const sl_backend *backend, int i) {
  SL_TRY(check(a, backend, i));
  SL_TRY(check(b, backend, i));
  SL_REQUIRE(sl_tensor_same_shape(a, b), SL_ESHAPE,
             "the average of tensor %d is %s, the tensor is %s", i + 1,
             sl_shape_text(a), sl_shape_text(b));
  SL_REQUIRE(a->storage != b->storage, SL_EINVAL,
             "tensor %d and its average are the same memory", i + 1);
  return SL_OK;
}

sl_status sl_average_tensors(sl_tensor *const *a, sl_tensor *const *b, int n,
                             double keep) {
  SL_REQUIRE(keep >= 0 && keep <= 1, SL_EINVAL,
             "an average keeps a share from 0 to 1 of itself, not %g", keep);
  if (n == 0) return SL_OK;
  const sl_backend *backend = a[0]->backend;
  SL_REQUIRE(backend->average, SL_EINVAL, "%s cannot average", backend->name);
  for (int i = 0; i < n; i++)
    SL_TRY(check_pair(a[i], b[i], backend, i));
  sl_average_item *items = sl_alloc((size_t)n, sizeof *items);
  SL_REQUIRE(items, SL_ENOMEM, "out of memory for an average");
  for (int i = 0; i < n; i++) {
    items[i] =
        (sl_average_item){sl_tensor_count(a[i]), sl_f32(a[i]), sl_f32(b[i])};
    a[i]->storage->version++;
  }
  const sl_average w = {keep, items, n};
  const sl_status status = backend->average(&w);
  sl_free(items);
  return status;
}
