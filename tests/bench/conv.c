/* conv.c -- what conv_bn_act costs, layer by layer, against the bare
 * convolutions it contains.
 *
 *   bench_conv [BATCH [SIZE [STEPS]]]      (64 64 20: xresnet18 at 64 px)
 *
 * Per layer: milliseconds of forward + backward of conv_bn_act in training
 * (lazy input, every gradient), the time of the three convolutions alone as
 * single-threaded oneDNN primitives that have the worker's whole share of the
 * batch, one after the other, and the ratio. Medians; other load on the
 * machine shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "cpu/dnnl.h"
#include "ops/conv_bn_act.h"
#include "ops/tape.h"

typedef struct layer {
  const char *name;
  int times;                   /* that many in the network */
  int shrink, c, o, k, stride; /* input size: SIZE / shrink */
  int residual;
} layer;

static const layer layers[] = {
    {"stem 1", 1, 1, 3, 32, 3, 2, 0},
    {"stem 2", 1, 2, 32, 32, 3, 1, 0},
    {"stem 3", 1, 2, 32, 64, 3, 1, 0},
    {"64 -> 64", 2, 4, 64, 64, 3, 1, 0},
    {"64 -> 64 +", 2, 4, 64, 64, 3, 1, 1},
    {"64 -> 128 /2", 1, 4, 64, 128, 3, 2, 0},
    {"128 -> 128", 1, 8, 128, 128, 3, 1, 0},
    {"128 -> 128 +", 2, 8, 128, 128, 3, 1, 1},
    {"64 -> 128 id", 1, 8, 64, 128, 1, 1, 0},
    {"128 -> 256 /2", 1, 8, 128, 256, 3, 2, 0},
    {"256 -> 256", 1, 16, 256, 256, 3, 1, 0},
    {"256 -> 256 +", 2, 16, 256, 256, 3, 1, 1},
    {"128 -> 256 id", 1, 16, 128, 256, 1, 1, 0},
    {"256 -> 512 /2", 1, 16, 256, 512, 3, 2, 0},
    {"512 -> 512", 1, 32, 512, 512, 3, 1, 0},
    {"512 -> 512 +", 2, 32, 512, 512, 3, 1, 1},
    {"256 -> 512 id", 1, 32, 256, 512, 1, 1, 0},
};
enum { LAYERS = sizeof layers / sizeof *layers };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static void must(sl_status status) {
  if (status == SL_OK) return;
  fprintf(stderr, "bench: %s\n", sl_error());
  exit(1);
}

static int by_value(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static double median(double *v, int n) {
  qsort(v, (size_t)n, sizeof *v, by_value);
  return v[n / 2];
}

static sl_tensor *tensor(int rank, const int64_t *shape, float lo, float hi) {
  sl_tensor *t = NULL;
  must(sl_tensor_new(&t, &sl_cpu, SL_F32, rank, shape));
  sl_rng r = sl_rng_at(1, 2, 3, SL_RNG_USER);
  for (int64_t i = 0; i < sl_tensor_count(t); i++)
    sl_f32(t)[i] = lo + (hi - lo) * sl_rng_uniform(&r);
  return t;
}

/* --- the op --------------------------------------------------------------- */

static double op_step(sl_tensor *const *in, const sl_conv_bn_act_opts *o,
                      sl_tensor *seed) {
  sl_tensor *z = NULL;
  const double start = now();
  must(sl_op_run(SL_OP_conv_bn_act, in, SL_CBA_RESIDUAL + 1, o, &z));
  must(sl_backward(z, seed));
  sl_tensor_release(z);
  const double spent = now() - start;
  for (int i = 0; i <= SL_CBA_RESIDUAL; i++)
    if (in[i] && in[i]->requires_grad) sl_grad_clear(in[i]);
  return spent;
}

static double time_op(const layer *l, const sl_conv_geometry *g, int steps) {
  const sl_conv_bn_act_opts o = {
      {1, {l->stride}}, {1, {l->k / 2}}, 1, 1e-5, 0.1, 1, SL_ACT_RELU};
  const int64_t xs[] = {g->n, g->h, g->w, g->c}, c = g->c, k = g->o;
  const int64_t ws[] = {g->o, g->kh, g->kw, g->c},
                ys[] = {g->n, g->oh, g->ow, g->o};
  sl_tensor *y = tensor(4, xs, -1, 1), *scale = tensor(1, &c, 1, 2);
  sl_tensor *shift = tensor(1, &c, -1, 1), *seed = tensor(4, ys, -1, 1);
  sl_tensor *in[SL_CBA_RESIDUAL + 1] = {NULL,
                                        tensor(4, ws, -1, 1),
                                        tensor(1, &k, 1, 2),
                                        tensor(1, &k, -1, 1),
                                        tensor(1, &k, 0, 1),
                                        tensor(1, &k, 1, 2),
                                        l->residual ? tensor(4, ys, -1, 1)
                                                    : NULL};
  if (l->c == 3)
    in[0] = sl_tensor_retain(y); /* pictures are not lazy */
  else
    must(sl_tensor_lazy(&in[0], y, scale, shift, SL_ACT_RELU));
  for (int i = l->c == 3; i <= SL_CBA_RESIDUAL; i++)
    if (in[i] && i != SL_CBA_MEAN && i != SL_CBA_VAR)
      must(sl_require_grad(in[i], 1));
  double *v = sl_alloc((size_t)steps, sizeof *v);
  for (int i = -2; i < steps; i++) {
    const double spent = op_step(in, &o, seed);
    if (i >= 0) v[i] = spent;
  }
  const double m = median(v, steps);
  sl_free(v);
  for (int i = 0; i <= SL_CBA_RESIDUAL; i++)
    sl_tensor_release(in[i]);
  sl_tensor *all[] = {y, scale, shift, seed};
  for (int i = 0; i < 4; i++)
    sl_tensor_release(all[i]);
  return m;
}

/* --- the convolutions alone ----------------------------------------------- */

typedef struct alone {
  sl_dnnl_conv *p[3];
  size_t x, y, w, scratch;
  int steps;
  double *ms;
} alone;

static void *filled(size_t bytes) {
  float *p = sl_alloc_data(bytes);
  for (size_t i = 0; i < bytes / sizeof *p; i++)
    p[i] = (float)(i % 7) - 3;
  return p;
}

static void run_alone(void *context, int worker, int n) {
  const alone *a = context;
  (void)n;
  void *x = filled(a->x), *y = filled(a->y), *w = filled(a->w);
  void *scratch = filled(a->scratch);
  const int was = sl_dnnl_enter();
  for (int i = -1; i < a->steps; i++) {
    sl_pool_barrier();
    const double start = now();
    must(sl_dnnl_run(a->p[0], worker, x, w, NULL, y, scratch));
    if (a->p[1]) must(sl_dnnl_run(a->p[1], worker, y, w, NULL, x, scratch));
    must(sl_dnnl_run(a->p[2], worker, x, y, NULL, w, scratch));
    if (i >= 0 && worker == 0) a->ms[i] = now() - start;
  }
  sl_dnnl_leave(was);
  void *all[] = {x, y, w, scratch};
  for (int i = 0; i < 4; i++)
    sl_free_data(all[i]);
}

static double time_alone(const layer *l, const sl_conv_geometry *g, int steps) {
  sl_conv_geometry share = *g;
  share.n = (g->n + sl_pool_size() - 1) / sl_pool_size();
  alone a = {.steps = steps, .ms = sl_alloc((size_t)steps, sizeof(double))};
  a.x = (size_t)(share.n * g->h * g->w * g->c) * sizeof(float);
  a.y = (size_t)(share.n * g->oh * g->ow * g->o) * sizeof(float);
  for (int i = 0; i < 3; i++) {
    if (i == SL_DNNL_DGRAD && l->c == 3) continue;
    must(sl_dnnl_get(&a.p[i], (sl_dnnl_kind)i, SL_DNNL_PLAIN, SL_F32, &share));
    const size_t w = sl_dnnl_weight_bytes(a.p[i]);
    const size_t s = sl_dnnl_scratch_bytes(a.p[i]);
    a.w = w > a.w ? w : a.w;
    a.scratch = s > a.scratch ? s : a.scratch;
  }
  sl_parallel(run_alone, &a);
  const double m = median(a.ms, steps);
  for (int i = 0; i < 3; i++)
    sl_dnnl_release(a.p[i]);
  sl_free(a.ms);
  return m;
}

int main(int argc, char **argv) {
  const int batch = argc > 1 ? atoi(argv[1]) : 64;
  const int size = argc > 2 ? atoi(argv[2]) : 64;
  const int steps = argc > 3 ? atoi(argv[3]) : 20;
  double all = 0, bare = 0;
  printf("batch %d, %d px, %d workers, f32\n", batch, size, sl_pool_size());
  for (int i = 0; i < LAYERS; i++) {
    const layer *l = &layers[i];
    const int64_t h = size / l->shrink, oh = (h + l->stride - 1) / l->stride;
    const sl_conv_geometry g = {batch,
                                h,
                                h,
                                l->c,
                                l->o,
                                l->k,
                                l->k,
                                oh,
                                oh,
                                {l->stride, l->stride},
                                {l->k / 2, l->k / 2},
                                {1, 1},
                                1};
    const double a = time_op(l, &g, steps), b = time_alone(l, &g, steps);
    const double flops = 2.0 * (double)(batch * oh * oh * l->o) *
                         (double)(l->k * l->k * l->c) * (l->c == 3 ? 2 : 3);
    printf("%-15s %d x %7.2f ms  convolutions %7.2f ms (%4.0f GFLOP/s)  "
           "ratio %.2f\n",
           l->name, l->times, a, b, flops / b / 1e6, a / b);
    all += l->times * a;
    bare += l->times * b;
  }
  printf("all layers      %11.2f ms  convolutions %7.2f ms  ratio %.2f\n", all,
         bare, all / bare);
  sl_pool_stop();
  return 0;
}
