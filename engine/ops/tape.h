/* tape.h -- recording calls, and running them backwards.
 *
 * While recording is on, a call with an input that requires a gradient leaves
 * a node behind: its inputs, options and saved tensors. The result owns its
 * node, the node owns its inputs, so a graph lives exactly as long as
 * something that can be differentiated does. Nodes are numbered as they are
 * made; backward visits those that the loss depends on from the newest to the
 * oldest and lets go of each as soon as it is done.
 *
 * Gradients of leaves (requires_grad, no node) end in leaf->grad, f32, and add
 * up over calls of backward until sl_grad_clear. */
#ifndef SL_OPS_TAPE_H
#define SL_OPS_TAPE_H

#include "ops/op.h"

/* Recording is per thread, and on at first. Returns the old setting. */
int sl_tape_enable(int on);
int sl_tape_enabled(void);

/* Makes a leaf. Only float tensors without a node can be one. */
SL_MUST_USE sl_status sl_require_grad(sl_tensor *t, int on);

/* d(loss)/d(leaf) is added to every leaf's grad. seed: gradient of the loss,
 * its shape; NULL: 1, for a loss of one element. The graph is consumed. */
SL_MUST_USE sl_status sl_backward(sl_tensor *loss, sl_tensor *seed);

/* Forgets a leaf's gradient without touching its memory: the next backward
 * overwrites. NULL grad and cleared grad are the same to readers. */
void sl_grad_clear(sl_tensor *leaf);

/* The leaf's gradient, borrowed; NULL when none has been computed since the
 * last clear. */
sl_tensor *sl_grad(const sl_tensor *leaf);

/* Gives the leaf a place for its gradient (f32, same shape, contiguous, often
 * a view into one arena); retained. */
SL_MUST_USE sl_status sl_grad_place(sl_tensor *leaf, sl_tensor *place);

/* A part of the graph that backward computes again instead of keeping it. */
typedef struct sl_replay {
  /* *y = the part's result for x, called with recording on: its graph is
   * differentiated at once. Gives a reference. */
  sl_status (*run)(void *context, sl_tensor *x, sl_tensor **y);
  void (*free)(void *context);
  void *context;
} sl_replay;

/* y, which was computed from x while nothing was recorded, gets a node that
 * keeps only x: backward runs r and differentiates what that computes. r is
 * the tape's from here on, also after a failure. */
SL_MUST_USE sl_status sl_tape_replay(sl_tensor *y, sl_tensor *x, sl_replay r);

/* For op.c: records the call c of op id; c->out[i] become its results. */
SL_MUST_USE sl_status sl_tape_record(sl_op_id id, const sl_call *c,
                                     int n_saved);

#endif
