/* cost.c -- see cost.h. */
#include "ops/cost.h"

static double count(const sl_tensor *t) {
  return t ? (double)sl_tensor_count(t) : 0;
}

static double bytes(const sl_tensor *t) {
  return t ? (double)sl_tensor_bytes(t) : 0;
}

/* --- arithmetic ----------------------------------------------------------- */

/* What one element of the result costs: as many products as a row of the
 * second input has weights, or of the first has elements. */
static double products(sl_op_id id, const sl_call *c) {
  if (id == SL_OP_matmul) return (double)c->in[0]->shape[c->in[0]->rank - 1];
  if (id != SL_OP_conv2d && id != SL_OP_conv_bn_act && id != SL_OP_linear)
    return 0;
  const sl_tensor *weight = c->in[1];
  return count(weight) / (double)weight->shape[0];
}

static double flops(sl_op_id id, const sl_call *c, int backward) {
  const sl_tensor *y = backward ? c->dout[0] : c->out[0];
  const double one = 2 * count(y) * products(id, c);
  if (!backward || one <= 0) return one; /* others may have one input only */
  return one * ((c->din[0] != NULL) + (c->din[1] != NULL));
}

/* --- memory --------------------------------------------------------------- */

/* Backward looks at the gradient of the result, and not at the inputs. */
static int ignores_inputs(sl_op_id id) {
  static const char known[SL_OP_COUNT] = {
      [SL_OP_contiguous] = 1,
      [SL_OP_cast] = 1,
      [SL_OP_neg] = 1,
      [SL_OP_add] = 1,
      [SL_OP_sub] = 1,
      [SL_OP_sum] = 1,
      [SL_OP_mean] = 1,
      [SL_OP_sort] = 1,
      [SL_OP_topk] = 1,
      [SL_OP_cumsum] = 1,
      [SL_OP_cat] = 1,
      [SL_OP_stack] = 1,
      [SL_OP_flip] = 1,
      [SL_OP_max_pool2d] = 1,
      [SL_OP_avg_pool2d] = 1,
      [SL_OP_adaptive_avg_pool2d] = 1,
      [SL_OP_global_avg_pool] = 1,
      [SL_OP_global_max_pool] = 1,
      [SL_OP_softmax] = 1,
      [SL_OP_log_softmax] = 1,
      [SL_OP_dropout] = 1,
  };
  return known[id];
}

static double moved_forward(const sl_call *c) {
  double sum = 0;
  for (int i = 0; i < c->n_in; i++)
    sum += bytes(c->in[i]);
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sum += bytes(c->out[i]);
  for (int i = 0; i < SL_OP_MAX_SAVED; i++)
    sum += bytes(c->saved[i]);
  return sum;
}

static double moved_backward(const sl_call *c, int reads_inputs) {
  double sum = 0;
  for (int i = 0; i < c->n_in; i++) {
    if (reads_inputs) sum += bytes(c->in[i]);
    sum += bytes(c->din[i]) * (c->add[i] ? 2 : 1);
  }
  for (int i = 0; i < SL_OP_MAX_OUT; i++)
    sum += bytes(c->dout[i]) + bytes(c->out[i]);
  for (int i = 0; i < SL_OP_MAX_SAVED; i++)
    sum += bytes(c->saved[i]);
  return sum;
}

/* Only the rows that are chosen are read, or added to. */
static double moved_by_choice(const sl_call *c, int backward) {
  const sl_tensor *chosen = backward ? c->dout[0] : c->out[0];
  return bytes(chosen) * (backward ? 3 : 2) + bytes(c->in[1]);
}

static double moved(sl_op_id id, const sl_call *c, int backward) {
  const int is_view = sl_op_get(id)->view != NULL;
  if (id == SL_OP_gather || id == SL_OP_index_select)
    return moved_by_choice(c, backward);
  if (!backward) return is_view ? 0 : moved_forward(c);
  return moved_backward(c, !is_view && !ignores_inputs(id));
}

sl_cost sl_op_cost(sl_op_id id, const sl_call *c, int backward) {
  return (sl_cost){flops(id, c, backward), moved(id, c, backward)};
}
