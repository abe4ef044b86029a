/* compare.c -- CPU kernels of the family in ops/compare.def. Two whole inputs
 * are compared as such, any other pair as floats. */
#include "cpu/cpu.h"
#include "cpu/rows.h"

typedef void float_block(const float *a, const float *b, uint8_t *out, int n);
typedef void whole_block(const int32_t *a, const int32_t *b, uint8_t *out,
                         int n);

typedef struct job {
  const sl_tensor *a, *b;
  uint8_t *out; /* dense: the op's own result */
  float_block *f;
  whole_block *whole;
} job;

static void floats(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  float left[SL_BLOCK], right[SL_BLOCK];
  j->f(sl_load_f32(j->a, at[1], step[1], n, left),
       sl_load_f32(j->b, at[2], step[2], n, right), j->out + at[0], n);
}

static void wholes(void *context, const int64_t *at, const int64_t *step,
                   int n) {
  const job *j = context;
  int32_t left[SL_BLOCK], right[SL_BLOCK];
  j->whole(sl_load_i32(j->a, at[1], step[1], n, left),
           sl_load_i32(j->b, at[2], step[2], n, right), j->out + at[0], n);
}

static sl_status compare(const sl_call *c, float_block *f, whole_block *whole) {
  job j = {c->in[0], c->in[1], sl_u8(c->out[0]), f, whole};
  const int whole_pair =
      !sl_dtype_is_float(j.a->dtype) && !sl_dtype_is_float(j.b->dtype);
  sl_rows r;
  sl_rows_begin(&r, c->out[0]->rank, c->out[0]->shape);
  sl_rows_add(&r, c->out[0]);
  sl_rows_add(&r, j.a);
  sl_rows_add(&r, j.b);
  sl_rows_run(&r, whole_pair ? wholes : floats, &j);
  return SL_OK;
}

#define BLOCK(name, type, value)                                               \
  static void name(const type *restrict left, const type *restrict right,      \
                   uint8_t *restrict out, int n) {                             \
    for (int i = 0; i < n; i++) {                                              \
      const type a = left[i], b = right[i];                                    \
      out[i] = value;                                                          \
    }                                                                          \
  }
#define SL_COMPARE(name, value, help)                                          \
  BLOCK(name##_floats, float, value)                                           \
  BLOCK(name##_wholes, int32_t, value)                                         \
  sl_status sl_cpu_##name(const sl_call *c) {                                  \
    return compare(c, name##_floats, name##_wholes);                           \
  }
#include "ops/compare.def"
