/* threads.h -- the compute pool: one worker per core, SPMD.
 *
 * sl_parallel runs one function on every worker at once (the caller is worker
 * 0). Work is split statically by sl_share, so that the same number of threads
 * always gives the same bits. A function that needs all workers to have
 * finished a phase calls sl_pool_barrier. Loader threads are not of this
 * pool. */
#ifndef SL_BASE_THREADS_H
#define SL_BASE_THREADS_H

#include <stdint.h>

#include "base/status.h"

enum { SL_MAX_THREADS = 256 };

typedef void sl_work(void *context, int worker, int n_workers);

/* Sets the size of the pool: 0 means one per core this process may use. Call
 * while no work is running. Workers start on the first sl_parallel. */
SL_MUST_USE sl_status sl_pool_resize(int n_threads);
int sl_pool_size(void);
int sl_cores(void); /* cores this process may run on */

/* Runs f(context, i, n) for i in 0..n-1, one on each worker, and waits.
 * Called from inside a worker, or when threads cannot be started, it runs
 * f(context, 0, 1) in place. */
void sl_parallel(sl_work *f, void *context);

/* All workers of the current sl_parallel must call it the same number of
 * times. No-op with one worker. */
void sl_pool_barrier(void);

/* Ends the workers; for leak checkers and before fork. */
void sl_pool_stop(void);

/* [*begin, *end) is worker i's part of 0..n-1, in units of grain. */
void sl_share(int64_t n, int64_t grain, int i, int n_workers, int64_t *begin,
              int64_t *end);

#endif
