/* profile_internal.h -- what profile.c records and profile_report.c shows. */
#ifndef SL_OPS_PROFILE_INTERNAL_H
#define SL_OPS_PROFILE_INTERNAL_H

#include "ops/profile.h"

/* Calls of one kind: an operation in a layer, forward or backward. */
typedef struct profile_sum {
  int64_t calls;
  double seconds;
  sl_cost cost;
} profile_sum;

typedef struct profile_row {
  int what;           /* sl_op_id or SL_PROFILE_* */
  char *layer;        /* owned; "": none */
  sl_dtype dtype;     /* of the arithmetic: that of the first input */
  profile_sum way[2]; /* forward, backward */
} profile_row;

typedef struct profile_phase {
  int64_t calls;
  double seconds, in_ops; /* in_ops: of seconds, inside of operations */
} profile_phase;

/* One stretch of time, for the trace. Seconds since the start. */
typedef struct profile_event {
  double at, seconds;
  int32_t row; /* -1: a phase */
  uint8_t way; /* of a call: 1 backward; of a phase: 1 validating */
  uint8_t phase;
  float gflops, mb; /* what the call had to do */
} profile_event;

typedef struct profile {
  double began, seconds; /* clock; how long it took, once finished */
  profile_row *rows;
  int n_rows, rows_room;
  int32_t *slots; /* hash table of rows: number + 1; 0: free */
  int n_slots;    /* a power of 2 */
  profile_phase phases[2][SL_PHASE_COUNT]; /* training, validating */
  sl_phase phase;
  int validating;
  double phase_began;
  FILE *trace;
  profile_event *events;
  int64_t n_events, events_room;
  int64_t events_lost; /* there was no room, or no memory */
} profile;

extern profile sl_profile_record;

const char *sl_profile_name(int what); /* of an operation */
extern const char *const sl_phase_names[SL_PHASE_COUNT];

/* Writes the trace as JSON for chrome://tracing and Perfetto. */
void sl_profile_write_trace(FILE *out);

#endif
