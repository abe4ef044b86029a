/* cumsum.c -- CPU kernels of cumsum: see ops/cumsum.c. dx[i] is the sum of dy
 * from i to the end: the same walk, backwards. */
#include "ops/along.h"

#include "cpu/cpu.h"
#include "cpu/elements.h"
#include "cpu/lines.h"

typedef struct job {
  const sl_tensor *from;
  sl_tensor *to;
  sl_lines lines;
  int backwards, add;
} job;

static void walk(void *context, int64_t begin, int64_t end) {
  const job *j = context;
  const int64_t n = j->lines.n;
  for (int64_t line = begin; line < end; line++) {
    const int64_t first = sl_line_at(&j->lines, line, n);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
      const int64_t k = j->backwards ? n - 1 - i : i;
      const int64_t at = first + k * j->lines.step;
      sum += sl_element(j->from, at);
      sl_set_element(j->to, at, j->add ? sl_element(j->to, at) + sum : sum);
    }
  }
}

static sl_status run(job *j, int64_t dim) {
  j->lines = sl_lines_of(j->from, dim);
  sl_cpu_ranges(j->lines.outer * j->lines.step, walk, j);
  return SL_OK;
}

sl_status sl_cpu_cumsum(const sl_call *c) {
  const sl_along_opts *o = c->opts;
  job j = {.from = c->in[0], .to = c->out[0]};
  return run(&j, o->dim);
}

sl_status sl_cpu_cumsum_grad(const sl_call *c) {
  const sl_along_opts *o = c->opts;
  job j = {
      .from = c->dout[0], .to = c->din[0], .backwards = 1, .add = c->add[0]};
  return run(&j, o->dim);
}
