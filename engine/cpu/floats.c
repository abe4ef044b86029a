/* floats.c -- see floats.h. */
#include "cpu/floats.h"

#include <string.h>

#include "base/alloc.h"
#include "cpu/bf16.h"
#include "cpu/cpu.h"

/* --- runs ----------------------------------------------------------------- */

const float *sl_row_get(const sl_tensor *t, int64_t i, int64_t n,
                        float *buffer) {
  if (t->dtype == SL_F32) return sl_f32(t) + i;
  sl_bf16_widen(buffer, sl_b16(t) + i, n);
  return buffer;
}

float *sl_row_place(const sl_tensor *t, int64_t i, int add, float *buffer) {
  return t->dtype == SL_F32 && !add ? sl_f32(t) + i : buffer;
}

static void put_bf16(sl_bf16 *p, int64_t n, const float *v, int add) {
  if (add)
    sl_bf16_add(p, v, n);
  else
    sl_bf16_round(p, v, n);
}

void sl_row_put(const sl_tensor *t, int64_t i, int64_t n, const float *v,
                int add) {
  if (t->dtype != SL_F32) {
    put_bf16(sl_b16(t) + i, n, v, add);
    return;
  }
  float *p = sl_f32(t) + i;
  if (add)
    for (int64_t j = 0; j < n; j++)
      p[j] += v[j];
  else if (p != v)
    memcpy(p, v, (size_t)n * sizeof *p);
}

void sl_row_gather(const sl_tensor *t, int64_t i, int64_t stride, int64_t n,
                   float *v) {
  if (t->dtype == SL_F32) {
    const float *p = sl_f32(t) + i;
    for (int64_t j = 0; j < n; j++)
      v[j] = p[j * stride];
  } else {
    const sl_bf16 *p = sl_b16(t) + i;
    for (int64_t j = 0; j < n; j++)
      v[j] = sl_bf16_to_f32(p[j * stride]);
  }
}

void sl_row_scatter(const sl_tensor *t, int64_t i, int64_t stride, int64_t n,
                    const float *v, int add) {
  for (int64_t j = 0; j < n; j++)
    sl_row_put(t, i + j * stride, 1, v + j, add);
}

/* --- whole tensors -------------------------------------------------------- */

static sl_status copy_of(sl_floats *f, const sl_tensor *t) {
  const size_t bytes = (size_t)sl_tensor_count(t) * sizeof *f->p;
  f->p = sl_alloc_data(bytes ? bytes : 1);
  SL_REQUIRE(f->p, SL_ENOMEM, "no memory for an f32 copy of %s",
             sl_shape_text(t));
  f->owned = 1;
  return SL_OK;
}

sl_status sl_floats_read(sl_floats *f, const sl_tensor *t) {
  *f = (sl_floats){0};
  if (!t) return SL_OK;
  if (t->dtype == SL_F32) {
    f->p = sl_f32(t);
    return SL_OK;
  }
  SL_TRY(copy_of(f, t));
  (void)sl_row_get(t, 0, sl_tensor_count(t), f->p);
  return SL_OK;
}

sl_status sl_floats_write(sl_floats *f, const sl_tensor *t, int add) {
  *f = (sl_floats){0};
  if (t->dtype != SL_F32) return copy_of(f, t);
  f->p = sl_f32(t);
  f->beta = add ? 1.0f : 0.0f;
  return SL_OK;
}

void sl_floats_commit(const sl_floats *f, const sl_tensor *t, int add) {
  if (f->owned) sl_row_put(t, 0, sl_tensor_count(t), f->p, add);
}

void sl_floats_close(sl_floats *f) {
  if (f->owned) sl_free_data(f->p);
  *f = (sl_floats){0};
}

/* --- work ----------------------------------------------------------------- */

float *sl_scratch(int64_t n) {
  const size_t bytes = (size_t)(n ? n : 1) * sizeof(float);
  float *p = sl_alloc_data((size_t)sl_pool_size() * bytes);
  if (!p)
    (void)sl_fail(SL_ENOMEM, "no memory for %d x %zu bytes of scratch",
                  sl_pool_size(), bytes);
  return p;
}

void sl_parallel_if(int64_t elements, sl_work *f, void *context) {
  if (elements < 2 * SL_CPU_GRAIN)
    f(context, 0, 1);
  else
    sl_parallel(f, context);
}
