/* reduction.c -- see reduction.h. */
#include "cpu/reduction.h"

#include <math.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "cpu/cpu.h"
#include "cpu/rows.h"

enum { TASK = 1 << 15 }; /* elements of one task */

/* --- (outer, n, inner) -----------------------------------------------------
 */

/* Dimensions in the order kept, then reduced, copied together. */
static sl_status gather_dims(sl_reduction *r, sl_tensor *x, const int *reduced,
                             int64_t kept) {
  int64_t shape[SL_MAX_RANK], stride[SL_MAX_RANK];
  int n = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int d = 0; d < x->rank; d++) {
      if (reduced[d] != pass) continue;
      shape[n] = x->shape[d];
      stride[n++] = x->stride[d];
    }
  sl_tensor *view = NULL;
  SL_TRY(sl_tensor_view(&view, x, n, shape, stride, x->offset));
  const sl_status status = sl_tensor_copy(&r->x, view, x->backend, x->dtype);
  sl_tensor_release(view);
  const int64_t all = sl_tensor_count(x);
  r->outer = kept;
  r->n = kept ? all / kept : 0;
  r->inner = 1;
  return status;
}

sl_status sl_reduction_open(sl_reduction *r, sl_tensor *x,
                            const sl_ints *dims) {
  int reduced[SL_MAX_RANK] = {0}, changes = 0;
  int64_t kept = 1;
  *r = (sl_reduction){.outer = 1, .n = 1, .inner = 1};
  for (int i = 0; i < dims->n; i++)
    reduced[dims->v[i]] = 1;
  for (int d = 0, last = 0; d < x->rank; d++) {
    if (!reduced[d]) kept *= x->shape[d];
    if (x->shape[d] == 1) continue;
    changes += reduced[d] != last;
    last = reduced[d];
    *(changes == 0   ? &r->outer
      : changes == 1 ? &r->n
                     : &r->inner) *= x->shape[d];
  }
  if (changes > 2 && sl_tensor_count(x) > 0)
    return gather_dims(r, x, reduced, kept);
  if (changes > 2) { /* empty: any split with the right number of results */
    r->outer = kept;
    r->n = 0;
    r->inner = 1;
  }
  r->x = sl_tensor_retain(x);
  return SL_OK;
}

void sl_reduction_close(sl_reduction *r) {
  sl_tensor_release(r->x);
  r->x = NULL;
}

/* --- tasks -----------------------------------------------------------------
 */

/* Task t is a tile of columns of one outer index, and a chunk of n. */
typedef struct job {
  const sl_reduction *r;
  const sl_summand *f;
  const double *centre;
  double sign;
  double *value; /* [chunks][outer * inner] */
  int32_t *place;
  int64_t tiles, chunks, chunk;
} job;

typedef struct task {
  int64_t first, result; /* of x; of the results */
  int64_t begin, end;    /* of n */
  int width;             /* columns */
} task;

static task task_at(const job *j, int64_t t) {
  const sl_reduction *r = j->r;
  const int64_t chunk = t % j->chunks, tile = t / j->chunks % j->tiles;
  const int64_t outer = t / j->chunks / j->tiles, left = tile * SL_BLOCK;
  const int64_t width = r->inner - left;
  task k = {.begin = chunk * j->chunk,
            .width = width < SL_BLOCK ? (int)width : SL_BLOCK};
  k.end = k.begin + j->chunk < r->n ? k.begin + j->chunk : r->n;
  k.first = (outer * r->n + k.begin) * r->inner + left;
  k.result = outer * r->inner + left + chunk * r->outer * r->inner;
  return k;
}

static void centre(double *to, const double *x, const double *c, int step,
                   int n) {
  for (int i = 0; i < n; i++)
    to[i] = x[i] - c[i * step];
}

/* A row: its results lie in SL_PARTIAL lanes, joined at the end. */
static void sum_row(const job *j, const task *t) {
  double buf[SL_BLOCK], lanes[SL_PARTIAL] = {0};
  const double *c = j->centre ? j->centre + t->result % j->r->outer : NULL;
  const int64_t n = t->end - t->begin;
  for (int64_t i = 0; i < n; i += SL_BLOCK) {
    const int m = n - i < SL_BLOCK ? (int)(n - i) : SL_BLOCK;
    const double *x = sl_load_f64(j->r->x, t->first + i, 1, m, buf);
    if (c) centre(buf, x, c, 0, m);
    j->f->rows(x, m, lanes);
  }
  for (int width = SL_PARTIAL / 2; width > 0; width /= 2)
    for (int k = 0; k < width; k++)
      lanes[k] += lanes[k + width];
  j->value[t->result] = lanes[0];
}

static void sum_columns(const job *j, const task *t) {
  const int64_t inner = j->r->inner;
  double buf[SL_BLOCK], *sums = j->value + t->result;
  const double *c =
      j->centre ? j->centre + t->result % (j->r->outer * inner) : NULL;
  for (int k = 0; k < t->width; k++)
    sums[k] = 0;
  int64_t at = t->first;
  for (int64_t i = t->begin; i < t->end; i++, at += inner) {
    const double *x = sl_load_f64(j->r->x, at, 1, t->width, buf);
    if (c) centre(buf, x, c, 1, t->width);
    j->f->columns(x, t->width, sums);
  }
}

static int better(double a, double than) {
  return a > than || (isnan(a) && !isnan(than));
}

static void best_row(const job *j, const task *t) {
  double buf[SL_BLOCK], best = 0;
  int64_t where = -1;
  const int64_t n = t->end - t->begin;
  for (int64_t i = 0; i < n; i += SL_BLOCK) {
    const int m = n - i < SL_BLOCK ? (int)(n - i) : SL_BLOCK;
    const double *x = sl_load_f64(j->r->x, t->first + i, 1, m, buf);
    for (int k = 0; k < m; k++)
      if (where < 0 || better(j->sign * x[k], best)) {
        best = j->sign * x[k];
        where = i + k;
      }
  }
  j->value[t->result] = best;
  j->place[t->result] = (int32_t)(t->begin + where);
}

static void best_columns(const job *j, const task *t) {
  double buf[SL_BLOCK], *value = j->value + t->result;
  int32_t *place = j->place + t->result;
  int64_t at = t->first;
  for (int64_t i = t->begin; i < t->end; i++, at += j->r->inner) {
    const double *x = sl_load_f64(j->r->x, at, 1, t->width, buf);
    for (int k = 0; k < t->width; k++)
      if (i == t->begin || better(j->sign * x[k], value[k])) {
        value[k] = j->sign * x[k];
        place[k] = (int32_t)i;
      }
  }
}

static void share(void *context, int worker, int n_workers) {
  const job *j = context;
  int64_t begin, end;
  const int64_t n = j->r->outer * j->tiles * j->chunks;
  sl_share(n, 1, worker, n_workers, &begin, &end);
  for (int64_t i = begin; i < end; i++) {
    const task t = task_at(j, i);
    if (j->place)
      (j->r->inner == 1 ? best_row : best_columns)(j, &t);
    else
      (j->r->inner == 1 ? sum_row : sum_columns)(j, &t);
  }
}

static void run(job *j) {
  const sl_reduction *r = j->r;
  if (r->outer * r->inner == 0) return;
  j->tiles = (r->inner + SL_BLOCK - 1) / SL_BLOCK;
  if (r->outer * r->n * r->inner > SL_PARALLEL_MIN)
    sl_parallel(share, j);
  else
    share(j, 0, 1);
}

/* Cuts n into chunks of about TASK elements. */
static void cut(job *j) {
  const sl_reduction *r = j->r;
  const int64_t width = r->inner < SL_BLOCK ? r->inner : SL_BLOCK;
  j->chunk = TASK / (width > 0 ? width : 1);
  j->chunks = r->n > j->chunk ? (r->n + j->chunk - 1) / j->chunk : 1;
}

static sl_status no_memory(void) {
  return sl_fail(SL_ENOMEM, "no memory for partial results");
}

sl_status sl_reduce_sums(const sl_reduction *r, const sl_summand *f,
                         const double *around, double *sums) {
  const int64_t results = r->outer * r->inner;
  job j = {.r = r, .f = f, .centre = around, .value = sums};
  cut(&j);
  if (j.chunks == 1) {
    run(&j);
    return SL_OK;
  }
  j.value = sl_alloc_data((size_t)(j.chunks * results) * sizeof *j.value);
  if (!j.value) return no_memory();
  run(&j);
  for (int64_t i = 0; i < results; i++) {
    sums[i] = j.value[i];
    for (int64_t k = 1; k < j.chunks; k++)
      sums[i] += j.value[k * results + i];
  }
  sl_free_data(j.value);
  return SL_OK;
}

static void join_best(const job *j, int64_t results, double *value,
                      int32_t *place) {
  for (int64_t i = 0; i < results; i++) {
    int64_t best = i;
    for (int64_t k = 1; k < j->chunks; k++)
      if (better(j->value[k * results + i], j->value[best]))
        best = k * results + i;
    value[i] = j->value[best];
    place[i] = j->place[best];
  }
}

sl_status sl_reduce_best(const sl_reduction *r, double sign, double *value,
                         int32_t *place) {
  const int64_t results = r->outer * r->inner;
  job j = {.r = r, .sign = sign, .value = value, .place = place};
  cut(&j);
  if (j.chunks == 1) {
    run(&j);
    return SL_OK;
  }
  const size_t n = (size_t)(j.chunks * results);
  j.value = sl_alloc_data(n * sizeof *j.value);
  j.place = sl_alloc_data(n * sizeof *j.place);
  const int ok = j.value && j.place;
  if (ok) run(&j);
  if (ok) join_best(&j, results, value, place);
  sl_free_data(j.value);
  sl_free_data(j.place);
  return ok ? SL_OK : no_memory();
}

/* --- gradients of broadcast inputs ------------------------------------------
 */

SL_SUMMAND(plain, x)

sl_status sl_reduce_to(sl_tensor *din, sl_tensor *g, int add) {
  sl_ints dims = {0};
  const int lead = g->rank - din->rank;
  for (int d = 0; d < g->rank; d++)
    if (d < lead || (din->shape[d - lead] == 1 && g->shape[d] != 1))
      dims.v[dims.n++] = d;
  const int64_t n = sl_tensor_count(din);
  double *sums = sl_alloc_data((size_t)(n + 1) * sizeof *sums);
  if (!sums) return no_memory();
  sl_reduction r;
  sl_status status = sl_reduction_open(&r, g, &dims);
  if (status == SL_OK) status = sl_reduce_sums(&r, &plain, NULL, sums);
  sl_reduction_close(&r);
  for (int64_t i = 0; i < n && status == SL_OK; i++) {
    if (add)
      sl_add_element(din, i, sums[i]);
    else
      sl_set_element(din, i, sums[i]);
  }
  sl_free_data(sums);
  return status;
}

sl_status sl_grad_begin(const sl_call *c, int i, sl_tensor **target, int *add) {
  const sl_tensor *dout = c->dout[0];
  if (sl_tensor_same_shape(c->din[i], dout)) {
    *target = sl_tensor_retain(c->din[i]);
    *add = c->add[i];
    return SL_OK;
  }
  *add = 0;
  return sl_tensor_new(target, dout->backend, SL_F32, dout->rank, dout->shape);
}

sl_status sl_grad_finish(const sl_call *c, int i, sl_tensor *target) {
  sl_status status = SL_OK;
  if (target != c->din[i]) status = sl_reduce_to(c->din[i], target, c->add[i]);
  sl_tensor_release(target);
  return status;
}
