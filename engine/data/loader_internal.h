/* loader_internal.h -- what loader.c and loader_new.c share. */
#ifndef SL_DATA_LOADER_INTERNAL_H
#define SL_DATA_LOADER_INTERNAL_H

#include <pthread.h>

#include "data/bad_items.h"
#include "data/loader.h"
#include "data/sampler.h"

typedef struct sl_slot {
  int n;       /* items of the batch */
  int missing; /* of them not yet loaded */
  uint8_t *pixels;
  int64_t *rows;
  int32_t *labels;
  float *targets;
  sl_status *status;
  char **why; /* of bad items: owned; else NULL */
} sl_slot;

struct sl_loader {
  sl_loader_config c; /* name, rows, vocab are not valid here */
  char *name;
  int64_t *rows, *order;
  sl_targets targets;
  sl_sampler sampler;
  int64_t count, n_batches; /* items and batches of an epoch */
  int h, w;
  size_t item_bytes;
  int n_slots, n_workers;
  sl_slot *slots;
  sl_item_scratch *scratch; /* of the caller's thread; workers have own ones */
  sl_bad_items *bad;
  double waited;

  int running; /* between start and stop */
  uint32_t epoch;
  int64_t next;     /* batch that the consumer gets next */
  int64_t borrowed; /* batch that the consumer holds, or -1 */
  int64_t seen, seen_bad;
  pthread_t *threads;
  int n_threads; /* running */

  pthread_mutex_t lock;
  pthread_cond_t room, ready;
  int64_t taken, opened; /* places, batches */
  int quit;
};

/* How many items the first batches of an epoch have. */
int64_t sl_loader_places(const sl_loader *l, int64_t batches);

#endif
