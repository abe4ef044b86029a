/* threads.c -- see threads.h.
 *
 * The workers sleep on a condition variable between jobs after a short spin:
 * a training step starts hundreds of jobs, microseconds apart. `job` counts
 * jobs; a worker has seen job k when its own counter says k. */
#define _GNU_SOURCE
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SPINS = 2000 };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t wake, done;
  pthread_t threads[SL_MAX_THREADS];
  int size;    /* wanted workers, the caller included; 0: not yet asked */
  int started; /* threads running, the caller not included */
  int quit;
  atomic_uint job;
  atomic_int pending; /* workers still in the current job */
  sl_work *f;
  void *context;
  int n; /* workers of the current job */
  atomic_int arrived;
  atomic_uint phase; /* barrier generation */
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .done = PTHREAD_COND_INITIALIZER};

static _Thread_local int inside; /* this thread is running a job */

int sl_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
  const long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? (int)n : 1;
}

static void pause_cpu(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#endif
}

static unsigned next_job(unsigned seen) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&pool.job, memory_order_acquire) != seen)
      return seen + 1;
    pause_cpu();
  }
  pthread_mutex_lock(&pool.lock);
  while (atomic_load(&pool.job) == seen && !pool.quit)
    pthread_cond_wait(&pool.wake, &pool.lock);
  pthread_mutex_unlock(&pool.lock);
  return seen + 1;
}

static void finish(void) {
  if (atomic_fetch_sub(&pool.pending, 1) > 1) return;
  pthread_mutex_lock(&pool.lock);
  pthread_cond_signal(&pool.done);
  pthread_mutex_unlock(&pool.lock);
}

typedef struct start {
  int index;
  unsigned seen;
} start;

static start starts[SL_MAX_THREADS];

static void *worker_main(void *p) {
  const start s = *(const start *)p;
  inside = 1;
  for (unsigned seen = s.seen;;) {
    seen = next_job(seen);
    if (pool.quit) return NULL;
    pool.f(pool.context, s.index, pool.n);
    finish();
  }
}

static int start_workers(void) {
  if (pool.size == 0) pool.size = sl_cores();
  while (pool.started < pool.size - 1) {
    start *s = &starts[pool.started + 1];
    *s = (start){pool.started + 1, atomic_load(&pool.job)};
    if (pthread_create(&pool.threads[pool.started], NULL, worker_main, s) != 0)
      break;
    pool.started++;
  }
  return pool.started + 1;
}

void sl_pool_stop(void) {
  pthread_mutex_lock(&pool.lock);
  pool.quit = 1;
  atomic_fetch_add(&pool.job, 1);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
  for (int i = 0; i < pool.started; i++)
    pthread_join(pool.threads[i], NULL);
  pool.started = 0;
  pool.quit = 0;
}

sl_status sl_pool_resize(int n_threads) {
  SL_REQUIRE(n_threads >= 0 && n_threads <= SL_MAX_THREADS, SL_EINVAL,
             "threads must be 0 (automatic) to %d, not %d", SL_MAX_THREADS,
             n_threads);
  sl_pool_stop();
  pool.size = n_threads ? n_threads : sl_cores();
  return SL_OK;
}

int sl_pool_size(void) {
  if (pool.size == 0) pool.size = sl_cores();
  return pool.size;
}

static void wait_for_workers(void) {
  for (int i = 0; i < SPINS; i++) {
    if (atomic_load_explicit(&pool.pending, memory_order_acquire) == 0) return;
    pause_cpu();
  }
  pthread_mutex_lock(&pool.lock);
  while (atomic_load(&pool.pending) > 0)
    pthread_cond_wait(&pool.done, &pool.lock);
  pthread_mutex_unlock(&pool.lock);
}

void sl_parallel(sl_work *f, void *context) {
  const int n = inside ? 1 : start_workers();
  if (n == 1) {
    const int was_inside = inside, was_n = pool.n;
    if (!was_inside) pool.n = 1;
    inside++;
    f(context, 0, 1);
    inside--;
    if (!was_inside) pool.n = was_n;
    return;
  }
  pthread_mutex_lock(&pool.lock);
  pool.f = f;
  pool.context = context;
  pool.n = n;
  atomic_store(&pool.pending, n - 1);
  atomic_fetch_add_explicit(&pool.job, 1, memory_order_release);
  pthread_cond_broadcast(&pool.wake);
  pthread_mutex_unlock(&pool.lock);
  inside = 1;
  f(context, 0, n);
  inside = 0;
  wait_for_workers();
}

/* Sense-reversing: the last to arrive opens the next phase. */
void sl_pool_barrier(void) {
  const int n = pool.n;
  if (n <= 1 || inside > 1) return;
  const unsigned phase = atomic_load(&pool.phase);
  if (atomic_fetch_add(&pool.arrived, 1) == n - 1) {
    atomic_store(&pool.arrived, 0);
    atomic_fetch_add_explicit(&pool.phase, 1, memory_order_release);
    return;
  }
  for (int i = 0;
       atomic_load_explicit(&pool.phase, memory_order_acquire) == phase; i++) {
    if (i < SPINS)
      pause_cpu();
    else
      sched_yield();
  }
}

void sl_share(int64_t n, int64_t grain, int i, int n_workers, int64_t *begin,
              int64_t *end) {
  const int64_t units = (n + grain - 1) / grain;
  const int64_t each = units / n_workers, extra = units % n_workers;
  const int64_t first = each * i + (i < extra ? i : extra);
  const int64_t last = first + each + (i < extra);
  *begin = first * grain < n ? first * grain : n;
  *end = last * grain < n ? last * grain : n;
}
