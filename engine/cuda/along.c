/* along.c -- operations along one dimension: softmax, running sums, sorting,
 * picking by number. */
#include "ops/along.h"

#include "cuda/cuda.h"
#include "ops/index.h"
#include "ops/softmax.h"
#include "ops/sort.h"

/* --- softmax ---------------------------------------------------------------
 */

static sl_status softmax(const sl_call *c, cu_row_kind kind) {
  const sl_softmax_opts *o = c->opts;
  const sl_tensor *x = c->in[0];
  CU_LAUNCHED(cu_softmax(kind, sl_cuda_lines(x, o->dim), (int)x->dtype,
                         sl_data(x), sl_data(c->out[0]), sl_cuda.stream));
  return SL_OK;
}

static sl_status softmax_grad(const sl_call *c, cu_row_kind kind) {
  const sl_softmax_opts *o = c->opts;
  const sl_tensor *y = c->out[0];
  CU_LAUNCHED(cu_softmax_grad(kind, sl_cuda_lines(y, o->dim), (int)y->dtype,
                              sl_data(y), sl_data(c->dout[0]),
                              sl_data(c->din[0]), c->add[0], sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_softmax(const sl_call *c) {
  return softmax(c, CU_SOFTMAX);
}

sl_status sl_cuda_softmax_grad(const sl_call *c) {
  return softmax_grad(c, CU_SOFTMAX);
}

sl_status sl_cuda_log_softmax(const sl_call *c) {
  return softmax(c, CU_LOG_SOFTMAX);
}

sl_status sl_cuda_log_softmax_grad(const sl_call *c) {
  return softmax_grad(c, CU_LOG_SOFTMAX);
}

/* --- cumsum ----------------------------------------------------------------
 */

static sl_status cumsum(const sl_call *c, const sl_tensor *from, sl_tensor *to,
                        int backwards, int add) {
  const sl_along_opts *o = c->opts;
  CU_LAUNCHED(cu_cumsum(sl_cuda_lines(from, o->dim), (int)from->dtype,
                        sl_data(from), (int)to->dtype, sl_data(to), backwards,
                        add, sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_cumsum(const sl_call *c) {
  return cumsum(c, c->in[0], c->out[0], 0, 0);
}

sl_status sl_cuda_cumsum_grad(const sl_call *c) {
  return cumsum(c, c->dout[0], c->din[0], 1, c->add[0]);
}

/* --- sort, argsort, topk ----------------------------------------------------
 */

static sl_status sort(const sl_call *c, sl_tensor *values, sl_tensor *places) {
  const sl_sort_opts *o = c->opts;
  const sl_tensor *x = c->in[0];
  const cu_lines l = sl_cuda_lines(x, o->dim);
  int64_t padded = 2;
  while (padded < l.n)
    padded *= 2;
  sl_cuda_scratch keys;
  SL_TRY(sl_cuda_scratch_get(&keys, (size_t)(l.outer * l.step * padded) *
                                        sizeof(uint64_t)));
  const int e =
      cu_sort(l, (int)x->dtype, sl_data(x), o->descending,
              c->out[0]->shape[o->dim], keys.p, padded,
              values ? sl_data(values) : NULL, places ? sl_i32(places) : NULL,
              c->saved[0] ? sl_i32(c->saved[0]) : NULL, sl_cuda.stream);
  sl_cuda_scratch_drop(&keys);
  return sl_cuda_launched(e, "cu_sort");
}

sl_status sl_cuda_sort(const sl_call *c) {
  return sort(c, c->out[0], c->out[1]);
}

sl_status sl_cuda_argsort(const sl_call *c) {
  return sort(c, NULL, c->out[0]);
}

sl_status sl_cuda_topk(const sl_call *c) {
  return sort(c, c->out[0], c->out[1]);
}

static sl_status clear_unless(int add, sl_tensor *t) {
  return add ? SL_OK : sl_cuda_zero(sl_data(t), sl_tensor_bytes(t));
}

static sl_status sort_grad(const sl_call *c) {
  const sl_sort_opts *o = c->opts;
  sl_tensor *dx = c->din[0];
  SL_TRY(clear_unless(c->add[0], dx));
  CU_LAUNCHED(cu_sort_grad(sl_cuda_lines(dx, o->dim), c->dout[0]->shape[o->dim],
                           (int)dx->dtype, sl_data(dx), sl_data(c->dout[0]),
                           sl_i32(c->saved[0]), sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_sort_grad(const sl_call *c) {
  return sort_grad(c);
}

sl_status sl_cuda_topk_grad(const sl_call *c) {
  return sort_grad(c);
}

/* --- picking by number ------------------------------------------------------
 */

static sl_status check(const sl_tensor *index, int64_t limit,
                       cu_fault_kind kind) {
  CU_LAUNCHED(cu_check_index(sl_i32(index), sl_tensor_count(index), limit,
                             sl_cuda_fault(kind), sl_cuda.stream));
  return SL_OK;
}

static int64_t dim_of(const sl_call *c) {
  return ((const sl_along_opts *)c->opts)->dim;
}

sl_status sl_cuda_index_select(const sl_call *c) {
  const sl_tensor *x = c->in[0], *index = c->in[1];
  SL_TRY(check(index, x->shape[dim_of(c)], CU_FAULT_INDEX));
  CU_LAUNCHED(cu_index_select(
      sl_cuda_lines(x, dim_of(c)), (int)sl_dtype_size(x->dtype), sl_data(x),
      sl_i32(index), index->shape[0], sl_data(c->out[0]), sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_index_select_grad(const sl_call *c) {
  sl_tensor *dx = c->din[0];
  const sl_tensor *index = c->in[1];
  CU_LAUNCHED(cu_index_select_grad(
      sl_cuda_lines(dx, dim_of(c)), (int)dx->dtype, sl_data(dx), sl_i32(index),
      index->shape[0], sl_data(c->dout[0]), c->add[0], sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_gather(const sl_call *c) {
  const sl_tensor *x = c->in[0], *index = c->in[1];
  SL_TRY(check(index, x->shape[dim_of(c)], CU_FAULT_INDEX));
  CU_LAUNCHED(cu_gather(sl_cuda_lines(x, dim_of(c)),
                        (int)sl_dtype_size(x->dtype), sl_data(x), sl_i32(index),
                        index->shape[dim_of(c)], sl_data(c->out[0]),
                        sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_gather_grad(const sl_call *c) {
  sl_tensor *dx = c->din[0];
  const sl_tensor *index = c->in[1];
  CU_LAUNCHED(cu_gather_grad(
      sl_cuda_lines(dx, dim_of(c)), (int)dx->dtype, sl_data(dx), sl_i32(index),
      index->shape[dim_of(c)], sl_data(c->dout[0]), c->add[0], sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_one_hot(const sl_call *c) {
  const int64_t classes = ((const sl_one_hot_opts *)c->opts)->classes;
  SL_TRY(check(c->in[0], classes, CU_FAULT_ONE_HOT));
  CU_LAUNCHED(cu_one_hot(sl_i32(c->in[0]), sl_tensor_count(c->in[0]), classes,
                         sl_f32(c->out[0]), sl_cuda.stream));
  return SL_OK;
}
