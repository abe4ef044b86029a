/* linear.c -- the kernels of ops/linear.h: three matrix products. */
#include "ops/linear.h"

#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"
#include "cpu/floats.h"
#include "cpu/gemm.h"

typedef struct sizes {
  int64_t rows, in, out;
} sizes;

static sizes sizes_of(const sl_call *c) {
  const sl_tensor *x = c->in[0], *w = c->in[1];
  sizes s = {1, w->shape[1], w->shape[0]};
  for (int d = 0; d < x->rank - 1; d++)
    s.rows *= x->shape[d];
  return s;
}

/* Every row of y starts as the bias, and the product is added. */
static void fill(const sizes *s, const float *bias, float *y) {
  for (int64_t r = 0; r < s->rows; r++)
    memcpy(y + r * s->out, bias, (size_t)s->out * sizeof *y);
}

sl_status sl_cpu_linear(const sl_call *c) {
  const sizes s = sizes_of(c);
  sl_floats x = {0}, w = {0}, b = {0}, y = {0};
  sl_status status = sl_floats_read(&x, c->in[0]);
  if (status == SL_OK) status = sl_floats_read(&w, c->in[1]);
  if (status == SL_OK) status = sl_floats_read(&b, c->in[2]);
  if (status == SL_OK) status = sl_floats_write(&y, c->out[0], 0);
  if (status == SL_OK) {
    if (b.p) fill(&s, b.p, y.p);
    status = sl_cpu_gemm(0, 1, s.rows, s.out, s.in, x.p, s.in, w.p, s.in,
                         b.p ? 1 : 0, y.p, s.out);
  }
  if (status == SL_OK) sl_floats_commit(&y, c->out[0], 0);
  sl_floats_close(&x);
  sl_floats_close(&w);
  sl_floats_close(&b);
  sl_floats_close(&y);
  return status;
}

static sl_status grad_of_x(const sl_call *c, const sizes *s, const float *dy) {
  sl_floats w = {0}, dx = {0};
  sl_status status = sl_floats_read(&w, c->in[1]);
  if (status == SL_OK) status = sl_floats_write(&dx, c->din[0], c->add[0]);
  if (status == SL_OK)
    status = sl_cpu_gemm(0, 0, s->rows, s->in, s->out, dy, s->out, w.p, s->in,
                         dx.beta, dx.p, s->in);
  if (status == SL_OK) sl_floats_commit(&dx, c->din[0], c->add[0]);
  sl_floats_close(&w);
  sl_floats_close(&dx);
  return status;
}

static sl_status grad_of_weight(const sl_call *c, const sizes *s,
                                const float *dy) {
  sl_floats x = {0}, dw = {0};
  sl_status status = sl_floats_read(&x, c->in[0]);
  if (status == SL_OK) status = sl_floats_write(&dw, c->din[1], c->add[1]);
  if (status == SL_OK)
    status = sl_cpu_gemm(1, 0, s->out, s->in, s->rows, dy, s->out, x.p, s->in,
                         dw.beta, dw.p, s->in);
  if (status == SL_OK) sl_floats_commit(&dw, c->din[1], c->add[1]);
  sl_floats_close(&x);
  sl_floats_close(&dw);
  return status;
}

static sl_status grad_of_bias(const sl_call *c, const sizes *s,
                              const float *dy) {
  float *db = sl_alloc((size_t)s->out + 1, sizeof *db);
  SL_REQUIRE(db, SL_ENOMEM, "no memory for the gradient of a bias");
  for (int64_t r = 0; r < s->rows; r++)
    for (int64_t o = 0; o < s->out; o++)
      db[o] += dy[r * s->out + o];
  sl_row_put(c->din[2], 0, s->out, db, c->add[2]);
  sl_free(db);
  return SL_OK;
}

sl_status sl_cpu_linear_grad(const sl_call *c) {
  const sizes s = sizes_of(c);
  sl_floats dy = {0};
  sl_status status = sl_floats_read(&dy, c->dout[0]);
  if (status == SL_OK && c->din[0]) status = grad_of_x(c, &s, dy.p);
  if (status == SL_OK && c->din[1]) status = grad_of_weight(c, &s, dy.p);
  if (status == SL_OK && c->din[2]) status = grad_of_bias(c, &s, dy.p);
  sl_floats_close(&dy);
  return status;
}
