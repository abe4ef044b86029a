/* index.c -- CPU kernels of gather, index_select, one_hot: ops/index.h. */
#include "ops/index.h"

#include <inttypes.h>
#include <string.h>

#include "cpu/cpu.h"
#include "cpu/elements.h"
#include "cpu/lines.h"

/* All of index must lie in 1..n; `of` says what of. */
static sl_status check(const sl_tensor *index, int64_t n, const char *of) {
  const int32_t *v = sl_i32(index);
  for (int64_t i = 0; i < sl_tensor_count(index); i++)
    SL_REQUIRE(v[i] >= 1 && v[i] <= n, SL_EINVAL,
               "number %d at position %" PRId64
               " of index is not in 1..%" PRId64 "%s",
               (int)v[i], i + 1, n, of);
  return SL_OK;
}

/* --- index_select: whole slices --------------------------------------------
 */

typedef struct slices {
  sl_lines from; /* x as (outer, n, step) */
  const int32_t *index;
  int64_t picked; /* how many */
} slices;

static slices slices_of(const sl_tensor *x, const sl_tensor *index,
                        int64_t dim) {
  return (slices){sl_lines_of(x, dim), sl_i32(index), index->shape[0]};
}

sl_status sl_cpu_index_select(const sl_call *c) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  SL_TRY(check(c->in[1], c->in[0]->shape[dim], ""));
  const slices s = slices_of(c->in[0], c->in[1], dim);
  const size_t bytes = (size_t)s.from.step * sl_dtype_size(c->in[0]->dtype);
  const char *x = sl_data(c->in[0]);
  char *y = sl_data(c->out[0]);
  for (int64_t o = 0; o < s.from.outer && bytes > 0; o++)
    for (int64_t i = 0; i < s.picked; i++, y += bytes)
      memcpy(y, x + (size_t)(o * s.from.n + s.index[i] - 1) * bytes, bytes);
  return SL_OK;
}

static void add_run(sl_tensor *to, int64_t at, const sl_tensor *from,
                    int64_t first, int64_t n) {
  float buf[SL_BLOCK];
  for (int64_t i = 0; i < n; i += SL_BLOCK) {
    const int m = n - i < SL_BLOCK ? (int)(n - i) : SL_BLOCK;
    sl_store_f32(to, at + i, 1, m, sl_load_f32(from, first + i, 1, m, buf), 1);
  }
}

sl_status sl_cpu_index_select_grad(const sl_call *c) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  sl_tensor *dx = c->din[0];
  const slices s = slices_of(dx, c->in[1], dim);
  const int64_t step = s.from.step;
  if (!c->add[0]) SL_TRY(sl_cpu.zero(sl_data(dx), sl_tensor_bytes(dx)));
  int64_t first = 0;
  for (int64_t o = 0; o < s.from.outer; o++)
    for (int64_t i = 0; i < s.picked; i++, first += step)
      add_run(dx, (o * s.from.n + s.index[i] - 1) * step, c->dout[0], first,
              step);
  return SL_OK;
}

/* --- gather: single elements ------------------------------------------------
 */

/* Along each line: result[i] = x[index[i]], or the other way round. */
typedef struct picks {
  sl_lines x;
  int64_t n; /* of the result along the line */
  const int32_t *index;
  const sl_tensor *from;
  sl_tensor *to;
  int scatter; /* to[x] += from[result], else to[result] = from[x] */
} picks;

static void pick(void *context, int64_t begin, int64_t end) {
  const picks *p = context;
  for (int64_t line = begin; line < end; line++) {
    const int64_t in_x = sl_line_at(&p->x, line, p->x.n);
    const int64_t in_y = sl_line_at(&p->x, line, p->n);
    for (int64_t i = 0; i < p->n; i++) {
      const int64_t y = in_y + i * p->x.step;
      const int64_t x = in_x + (p->index[y] - 1) * p->x.step;
      if (p->scatter)
        sl_add_element(p->to, x, sl_element(p->from, y));
      else
        sl_set_element(p->to, y, sl_element(p->from, x));
    }
  }
}

/* Lines do not touch each other, so they can be shared out. */
static void pick_all(picks *p, const sl_tensor *x, const sl_tensor *index,
                     int64_t dim) {
  p->x = sl_lines_of(x, dim);
  p->n = index->shape[dim];
  p->index = sl_i32(index);
  sl_cpu_ranges(p->x.outer * p->x.step, pick, p);
}

sl_status sl_cpu_gather(const sl_call *c) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  SL_TRY(check(c->in[1], c->in[0]->shape[dim], ""));
  picks p = {.from = c->in[0], .to = c->out[0]};
  pick_all(&p, c->in[0], c->in[1], dim);
  return SL_OK;
}

sl_status sl_cpu_gather_grad(const sl_call *c) {
  const int64_t dim = ((const sl_along_opts *)c->opts)->dim;
  sl_tensor *dx = c->din[0];
  if (!c->add[0]) SL_TRY(sl_cpu.zero(sl_data(dx), sl_tensor_bytes(dx)));
  picks p = {.from = c->dout[0], .to = dx, .scatter = 1};
  pick_all(&p, dx, c->in[1], dim);
  return SL_OK;
}

/* --- one_hot -----------------------------------------------------------------
 */

sl_status sl_cpu_one_hot(const sl_call *c) {
  const int64_t classes = ((const sl_one_hot_opts *)c->opts)->classes;
  const int32_t *index = sl_i32(c->in[0]);
  float *y = sl_f32(c->out[0]);
  SL_TRY(check(c->in[0], classes, ", the classes"));
  memset(y, 0, sl_tensor_bytes(c->out[0]));
  for (int64_t i = 0; i < sl_tensor_count(c->in[0]); i++)
    y[i * classes + index[i] - 1] = 1;
  return SL_OK;
}
