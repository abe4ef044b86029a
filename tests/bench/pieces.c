/* pieces.c -- what each piece of a convolution's training step costs, layer by
 * layer of xresnet50: the roofline of its convolutions.
 *
 *   bench_pieces [BATCH [SIZE [bf16|f32 [SWEEPS]]]]     (64 128 bf16 20)
 *
 * One thread. Each layer's step is done chunk by chunk as conv_bn_act does it;
 * of every piece of every chunk the shortest time of all sweeps counts, so that
 * other load on the machine hardly shows. A sweep goes over the whole layer, so
 * data come from where they are in training. Milliseconds of a whole batch for
 * one core, times how often the layer occurs; GFLOP/s of the products. */
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/alloc.h"
#include "base/threads.h"
#include "cpu/bf16.h"
#include "cpu/conv.h"
#include "cpu/norm.h"
#include "cpu/typed.h"

typedef struct layer {
  int times;
  int shrink, c, o, k, stride; /* input size: SIZE / shrink */
} layer;

static const layer layers[] = {
    {1, 1, 3, 32, 3, 2},       {1, 2, 32, 32, 3, 1},
    {1, 2, 32, 64, 3, 1},      {1, 4, 64, 64, 1, 1},
    {3, 4, 64, 64, 3, 1},      {4, 4, 64, 256, 1, 1},
    {2, 4, 256, 64, 1, 1},     {1, 4, 256, 128, 1, 1},
    {1, 4, 128, 128, 3, 2},    {4, 8, 128, 512, 1, 1},
    {1, 8, 256, 512, 1, 1},    {3, 8, 512, 128, 1, 1},
    {3, 8, 128, 128, 3, 1},    {1, 8, 512, 256, 1, 1},
    {1, 8, 256, 256, 3, 2},    {6, 16, 256, 1024, 1, 1},
    {1, 16, 512, 1024, 1, 1},  {5, 16, 1024, 256, 1, 1},
    {5, 16, 256, 256, 3, 1},   {1, 16, 1024, 512, 1, 1},
    {1, 16, 512, 512, 3, 2},   {3, 32, 512, 2048, 1, 1},
    {1, 32, 1024, 2048, 1, 1}, {2, 32, 2048, 512, 1, 1},
    {2, 32, 512, 512, 3, 1},
};
enum { LAYERS = sizeof layers / sizeof *layers };

enum { FORWARD, STATS, REDUCE, GRAD, WGRAD, DGRAD, PIECES };
static const char *const names[PIECES] = {"forward", "stats", "reduce",
                                          "grad",    "wgrad", "dgrad"};

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

typedef struct bench {
  sl_conv_geometry g;
  sl_dtype type;
  int sweeps;
  sl_conv forward, backward;
  sl_source x;
  void *y, *dy, *dx;
  float *weight;
  sl_norm_coefs k;
  sl_norm_sums sums;
  double *best[PIECES]; /* by chunk */
  double ms[PIECES];
} bench;

static void *filled(sl_dtype type, int64_t n) {
  const size_t size = sl_dtype_size(type);
  void *p = sl_alloc_data((size_t)n * size);
  for (int64_t i = 0; i < n; i++) {
    const float v = (float)(i * 7919 % 1013) / 506.5f - 1;
    if (type == SL_F32)
      ((float *)p)[i] = v;
    else
      ((sl_bf16 *)p)[i] = sl_bf16_from_f32(v);
  }
  return p;
}

static void lap(double *best, double *at) {
  const double t = now();
  if (t - *at < *best) *best = t - *at;
  *at = now();
}

static void forward_sweep(bench *b, sl_conv_worker *w) {
  const int64_t o = b->g.o;
  for (int64_t i = w->begin; i < w->end; i++) {
    const sl_chunk k = sl_conv_chunk(w->v, i);
    void *y = sl_ahead_to(b->type, b->y, k.out_row * o);
    double t = now();
    sl_conv_forward(w, &k, &b->x, y);
    lap(&b->best[FORWARD][i], &t);
    sl_norm_stats(&b->sums, b->type, y, k.out_rows, o);
    lap(&b->best[STATS][i], &t);
  }
}

static void reduce_sweep(bench *b, const sl_conv_worker *w) {
  const int64_t o = b->g.o;
  for (int64_t i = w->begin; i < w->end; i++) {
    const sl_chunk k = sl_conv_chunk(w->v, i);
    const sl_norm_rows in = {b->type,
                             sl_ahead(b->type, b->dy, k.out_row * o),
                             sl_ahead(b->type, b->y, k.out_row * o),
                             NULL,
                             k.out_rows,
                             o};
    double t = now();
    sl_norm_reduce(&b->sums, &in, &b->k, SL_ACT_RELU);
    lap(&b->best[REDUCE][i], &t);
  }
}

static void backward_sweep(bench *b, sl_conv_worker *w) {
  const int64_t o = b->g.o;
  for (int64_t i = w->end - 1; i >= w->begin; i--) {
    const sl_chunk k = sl_conv_chunk(w->v, i);
    const sl_norm_rows in = {b->type,
                             sl_ahead(b->type, b->dy, k.out_row * o),
                             sl_ahead(b->type, b->y, k.out_row * o),
                             NULL,
                             k.out_rows,
                             o};
    void *dy = sl_conv_dy_buffer(w, &k);
    const sl_norm_dout d = {.dy = dy};
    double t = now();
    sl_norm_grad(&d, &in, &b->k, SL_ACT_RELU);
    lap(&b->best[GRAD][i], &t);
    sl_conv_wgrad(w, &k, &b->x, dy);
    lap(&b->best[WGRAD][i], &t);
    if (b->g.c == 3) continue;
    sl_conv_dgrad(w, &k, dy, sl_ahead_to(b->type, b->dx, k.in_row * b->g.c), 0);
    lap(&b->best[DGRAD][i], &t);
  }
}

static void sweep(void *context, int worker, int n) {
  bench *b = context;
  sl_conv_worker f, w;
  sl_conv_begin(&f, &b->forward, worker, n);
  sl_conv_pack(&f, b->weight);
  for (int s = 0; s < b->sweeps; s++)
    forward_sweep(b, &f);
  sl_conv_end(&f);
  sl_conv_begin(&w, &b->backward, worker, n);
  sl_conv_pack(&w, b->weight);
  for (int s = 0; s < b->sweeps; s++) {
    reduce_sweep(b, &w);
    backward_sweep(b, &w);
  }
  sl_conv_end(&w);
}

static void coefs(bench *b, const float **scale, const float **shift) {
  const int64_t most = b->g.o > b->g.c ? b->g.o : b->g.c;
  float *f = filled(SL_F32, most);
  *scale = *shift = f;
  b->k = (sl_norm_coefs){f, f, f, f, f, f};
  b->sums.a = sl_alloc((size_t)most, sizeof(double));
  b->sums.b = sl_alloc((size_t)most, sizeof(double));
  b->sums.pivot = sl_alloc((size_t)most, sizeof(float));
}

static void run_layer(bench *b) {
  const sl_conv_geometry *g = &b->g;
  const float *scale, *shift;
  coefs(b, &scale, &shift);
  b->x = (sl_source){b->type,
                     filled(b->type, g->n * g->h * g->w * g->c),
                     g->c == 3 ? NULL : scale,
                     shift,
                     SL_ACT_RELU,
                     g->c};
  b->dx = filled(b->type, g->n * g->h * g->w * g->c);
  b->y = filled(b->type, g->n * g->oh * g->ow * g->o);
  b->dy = filled(b->type, g->n * g->oh * g->ow * g->o);
  b->weight = filled(SL_F32, g->o * g->kh * g->kw * g->c);
  const unsigned kinds =
      1u << SL_DNNL_WGRAD | (g->c == 3 ? 0 : 1u << SL_DNNL_DGRAD);
  must(sl_conv_plan(&b->forward, b->type, g, 1u << SL_DNNL_FORWARD,
                    SL_DNNL_PLAIN, SL_CONV_X, 0, 0));
  must(sl_conv_plan(&b->backward, b->type, g, kinds, SL_DNNL_PLAIN,
                    SL_CONV_X | SL_CONV_Y, 0, 0));
  for (int i = 0; i < PIECES; i++) {
    b->best[i] = sl_alloc(1024, sizeof(double));
    for (int j = 0; j < 1024; j++)
      b->best[i][j] = DBL_MAX;
  }
  sl_parallel(sweep, b);
  for (int i = 0; i < PIECES; i++) {
    b->ms[i] = 0;
    for (int j = 0; j < 1024; j++)
      if (b->best[i][j] < DBL_MAX) b->ms[i] += b->best[i][j];
    sl_free(b->best[i]);
  }
  printf("%4d/%-4d", (int)b->forward.n_chunks, (int)b->backward.n_chunks);
  must(sl_conv_done(&b->forward));
  must(sl_conv_done(&b->backward));
  sl_free_data((void *)(uintptr_t)b->x.data);
  sl_free_data(b->dx), sl_free_data(b->y), sl_free_data(b->dy);
  sl_free_data(b->weight), sl_free_data(b->k.scale);
  sl_free(b->sums.a), sl_free(b->sums.b), sl_free(b->sums.pivot);
}

int main(int argc, char **argv) {
  const int batch = argc > 1 ? atoi(argv[1]) : 64;
  const int size = argc > 2 ? atoi(argv[2]) : 128;
  const sl_dtype type = argc > 3 && !strcmp(argv[3], "f32") ? SL_F32 : SL_BF16;
  double all[PIECES] = {0}, flops = 0;
  must(sl_pool_resize(1));
  printf("%-26s chunks  ", "layer");
  for (int i = 0; i < PIECES; i++)
    printf("%9s", names[i]);
  printf("   GFLOP/s: forward wgrad dgrad\n");
  for (int i = 0; i < LAYERS; i++) {
    const layer *l = &layers[i];
    const int64_t h = size / l->shrink, oh = (h + l->stride - 1) / l->stride;
    bench b = {.g = {batch,
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
                     1},
               .type = type,
               .sweeps = argc > 4 ? atoi(argv[4]) : 20};
    printf("%d x %d->%d k%d/%d at %-8d", l->times, l->c, l->o, l->k, l->stride,
           (int)h);
    run_layer(&b);
    const double f =
        2e-6 * (double)(batch * oh * oh * l->o) * (double)(l->k * l->k * l->c);
    flops += f * l->times;
    for (int p = 0; p < PIECES; p++) {
      printf("%9.2f", b.ms[p] * l->times);
      all[p] += b.ms[p] * l->times;
    }
    printf("   %8.0f %8.0f %8.0f\n", f / b.ms[FORWARD], f / b.ms[WGRAD],
           b.ms[DGRAD] > 0 ? f / b.ms[DGRAD] : 0);
    fflush(stdout);
  }
  double sum = 0;
  printf("%-34s", "all");
  for (int p = 0; p < PIECES; p++) {
    printf("%9.2f", all[p]);
    sum += all[p];
  }
  printf("   %8.0f %8.0f %8.0f\n%.0f ms in all\n", flops / all[FORWARD],
         flops / all[WGRAD], flops / all[DGRAD], sum);
  sl_pool_stop();
  return 0;
}
