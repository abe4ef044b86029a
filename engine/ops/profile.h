/* profile.h -- where the time goes: by operation, by layer, by phase.
 *
 * sl_op_run, the tape, the optimiser and the training loop call in here while
 * a profile is being taken; otherwise each of their calls costs one look at
 * sl_profile_on. Only what the thread that started it does is recorded, and
 * starting and stopping is that thread's business.
 *
 * An operation's time is that of its kernel and of the memory for its result,
 * without the operations inside. Each moment belongs to one phase, so that the
 * phases add up to the whole. */
#ifndef SL_OPS_PROFILE_H
#define SL_OPS_PROFILE_H

#include <stdio.h>

#include "ops/cost.h"
#include "ops/peak.h"

/* What the program is busy with. An operation that runs while the loop waits
 * for a batch is work on the batch: SL_PHASE_AUGMENT. */
typedef enum sl_phase {
  SL_PHASE_OTHER,
  SL_PHASE_WAIT,
  SL_PHASE_AUGMENT,
  SL_PHASE_FORWARD,
  SL_PHASE_LOSS,
  SL_PHASE_BACKWARD,
  SL_PHASE_STEP,
  SL_PHASE_COUNT
} sl_phase;

/* What is no operation but is recorded as one. */
enum {
  SL_PROFILE_MATERIALISE = SL_OP_COUNT, /* of a lazy tensor that was read */
  SL_PROFILE_UPDATE,                    /* the optimiser's pass */
};

extern int sl_profile_on;

/* trace: a file, open for writing, that sl_profile_finish fills and closes
 * (NULL: none). Every call is kept in memory then, up to a million. Whatever
 * was recorded before is forgotten. Fails when a profile is being taken. */
SL_MUST_USE sl_status sl_profile_start(FILE *trace);

/* Ends the recording and writes the trace. What was recorded stays until the
 * next start. Does nothing when no profile is being taken. */
SL_MUST_USE sl_status sl_profile_finish(void);

/* Three tables of text: phases, operations, layers; at most `rows` of each.
 * After sl_profile_finish. */
void sl_profile_report(FILE *out, const sl_peak *peak, int rows);

/* Does the recording have arithmetic in that type? (So that only peaks that
 * are of interest need measuring.) */
int sl_profile_uses(sl_dtype dtype);

/* Calls of one operation in one layer, added up. */
typedef struct sl_profile_calls {
  const char *op, *layer; /* borrowed from the recording; layer "": none */
  sl_dtype dtype;         /* of the first input */
  int64_t calls;
  double seconds;
  sl_cost cost;
} sl_profile_calls;

/* The i-th of them (from 0) of the finished recording, forward or backward;
 * 0: there are no more. calls may be 0. */
int sl_profile_get(int i, int backward, sl_profile_calls *out);

/* Forgets the recording and gives its memory back. */
void sl_profile_forget(void);

/* --- for those who are recorded ------------------------------------------- */

/* Around a call; they nest. c NULL: it failed. */
void sl_profile_begin(void);
void sl_profile_end_op(sl_op_id id, const sl_call *c, int backward);
void sl_profile_end(int what, sl_cost cost);

/* Slow halves of the two below. */
sl_phase sl_profile_switch(sl_phase p);
int sl_profile_switch_pass(int validating);

/* From now on the time is p's. Returns the phase before. */
static inline sl_phase sl_profile_phase(sl_phase p) {
  return sl_profile_on ? sl_profile_switch(p) : p;
}

/* Whether what follows is for the validation set. Returns what was before. */
static inline int sl_profile_validating(int yes) {
  return sl_profile_on ? sl_profile_switch_pass(yes) : 0;
}

#endif
