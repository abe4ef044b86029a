/* loader.h -- batches, made ahead of time by threads.
 *
 *   sl_loader_new -> { sl_loader_start(epoch) -> sl_loader_next until n == 0 }
 *   -> sl_loader_free
 *
 * A ring of slots, each with the memory of one batch. Workers take items in
 * the order of the epoch and write them into their places; the consumer gets
 * the batches in order. What is in a batch depends on (seed, epoch) alone,
 * never on the number of workers or on who was faster.
 *
 * Bad images (SL_EDATA, SL_EIO). By default the batch that holds one is an
 * error that names the file. With SL_BAD_SKIP the item is left out and the
 * batch is smaller by it; a batch of nothing else is passed over; each file is
 * remembered with its reason. Past 10 % of the items seen (and 10 of them) a
 * data set is not a little damaged but missing: that is an error again.
 *
 * All functions are for one thread, the consumer's. Workers run at a lower
 * priority than compute, take no signals, and end with sl_loader_stop. */
#ifndef SL_DATA_LOADER_H
#define SL_DATA_LOADER_H

#include <stdint.h>

#include "base/status.h"
#include "data/files.h"
#include "data/item.h"
#include "data/labels.h"

typedef struct sl_loader sl_loader;

/* LIST: as SKIP, however many there are, and without a word for each: for who
 * wants the list. */
typedef enum sl_bad_image {
  SL_BAD_ERROR,
  SL_BAD_SKIP,
  SL_BAD_LIST
} sl_bad_image;

enum { SL_MAX_WORKERS = 256 };

typedef struct sl_loader_config {
  const char *name;           /* of the set, in messages: "training" */
  sl_files *files;            /* retained, and frozen */
  const int64_t *rows;        /* of files, copied; NULL: all of them */
  int64_t n;                  /* how many rows; with rows NULL it is not read */
  const sl_vocab *vocab;      /* NULL: no labels; read by _new only */
  int multi;                  /* several classes an item */
  sl_item_pipeline *pipeline; /* retained */
  sl_decoded *decoded;        /* of the same files, retained; or NULL */
  int train;                  /* form of the item transforms */
  int batch_size;
  int shuffle;   /* new order each epoch */
  int drop_last; /* leave an incomplete last batch out */
  uint64_t seed;
  int workers;  /* threads; 0: the caller's own; -1: one per core */
  int prefetch; /* batches ready beyond the one in use; 0: the default, 2 */
  sl_bad_image on_bad;
  int rank, world; /* of several processes: sampler.h; 0, 0: one */
} sl_loader_config;

/* Memory of the loader; valid until the next call of sl_loader_next, _release,
 * _start, _stop or _free. */
typedef struct sl_batch {
  int64_t number; /* within the epoch, from 0 */
  int n;          /* items; 0: the epoch is over */
  int h, w;
  const uint8_t *pixels; /* (n, h, w, 3) */
  const int32_t *labels; /* (n), 1..K; NULL without classes or when multi */
  const float *targets;  /* (n, K), 0 or 1; when multi, else NULL */
  const int64_t *rows;   /* (n) rows of the file list, from 0 */
  int n_bad;             /* items left out */
} sl_batch;

/* Looks every label up first, so a wrong one is an error here. With drop_last,
 * a batch size larger than the set is lowered to it, with a warning. SL_EINVAL
 * when there would be no batch at all. */
SL_MUST_USE sl_status sl_loader_new(const sl_loader_config *c, sl_loader **out);
void sl_loader_free(sl_loader *l); /* stops it first; NULL is allowed */

int64_t sl_loader_length(const sl_loader *l); /* batches in an epoch */
int64_t sl_loader_items(const sl_loader *l);  /* items in an epoch */
int sl_loader_batch_size(const sl_loader *l); /* as it was lowered */
int sl_loader_workers(const sl_loader *l);
void sl_loader_size(const sl_loader *l, int *h, int *w); /* of its images */
const sl_targets *sl_loader_targets(const sl_loader *l); /* NULL: unlabelled */

/* Begins an epoch at batch first (from 0; resuming); ends a running one. */
SL_MUST_USE sl_status sl_loader_start(sl_loader *l, uint32_t epoch,
                                      int64_t first);

/* The next batch; out->n == 0 at the end of the epoch. SL_EINTERRUPT when the
 * user asked and no batch was ready: calling again goes on. Any other failure
 * ends the epoch. */
SL_MUST_USE sl_status sl_loader_next(sl_loader *l, sl_batch *out);

/* Gives the memory of the last batch back early, for the workers to fill. */
void sl_loader_release(sl_loader *l);

/* Ends the epoch at any point: returns when no worker runs any more. */
void sl_loader_stop(sl_loader *l);

/* Seconds that sl_loader_next has spent waiting (without workers: loading),
 * since the loader was made. */
double sl_loader_waited(const sl_loader *l);

/* Files that could not be read, each once, in the order they were met. */
int64_t sl_loader_bad_count(const sl_loader *l);
void sl_loader_bad(const sl_loader *l, int64_t i, int64_t *row,
                   const char **reason);

#endif
