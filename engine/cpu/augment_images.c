/* augment_images.c -- the fused augmentation pass, one image at a time.
 *
 * A worker takes whole images and makes them row by row: taken as stored,
 * sampled, or a resized crop of either (crop_rows.h). The stored image is read
 * where it lies, in bytes. A row is then finished (light, normalise, noise) and
 * written to the result while it is in cache. */
#include "ops/augment_images.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "cpu/colour.h"
#include "cpu/cpu.h"
#include "cpu/crop_rows.h"
#include "cpu/pixels.h"
#include "cpu/simd.h"

typedef struct job {
  const sl_augment_images_opts *o;
  const sl_tensor *x, *params, *stats, *boxes, *items;
  sl_tensor *out;
  int64_t h, w;                 /* stored */
  int64_t mean_h, mean_w;       /* what step 2 samples, if it averages first */
  int64_t sampled_h, sampled_w; /* step 2 gives */
  int64_t top, left;            /* of the crop */
  int resizes;                  /* step 3 does more than cut out */
  sl_crop_plan crop;
  int64_t out_h, out_w;
  size_t scratch; /* bytes for each worker */
  char *memory;   /* the crop's taps, then the workers' */
} job;

/* One worker's memory. */
typedef struct desk {
  char *copy;           /* of a stored image */
  float *means;         /* the averaged image */
  sl_sampler view;      /* step 2 */
  sl_crop_rows crop;    /* step 3 */
  float *sum, *row;     /* one row each */
  float *scale, *shift; /* normalisation, repeated along a row */
} desk;

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* --- scratch -------------------------------------------------------------- */

static size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

static size_t rgb_bytes(int64_t pixels) {
  return rounded(3 * (size_t)pixels * sizeof(float) + SL_PIXELS_SLACK);
}

static size_t stored_bytes(const job *k) {
  return (size_t)(k->h * k->w * 3) * sl_dtype_size(k->x->dtype);
}

static int averages(const job *k) {
  return k->mean_h != k->h || k->mean_w != k->w;
}

/* Of a row before the crop is resized, or after. */
static int64_t widest(const job *k) {
  return larger(k->crop.w, k->out_w);
}

static size_t scratch_bytes(const job *k) {
  return rounded(stored_bytes(k) + SL_PIXELS_SLACK) +
         (averages(k) ? rgb_bytes(k->mean_h * k->mean_w) + rgb_bytes(k->w)
                      : 0) +
         rounded(sl_sampler_scratch(k->crop.w)) +
         rounded(sl_crop_rows_scratch(&k->crop)) + 3 * rgb_bytes(widest(k));
}

static void *take(char **at, size_t bytes) {
  void *p = *at;
  *at += rounded(bytes);
  return p;
}

/* u8 becomes [0, 1] before the light, so the statistics are of that. */
static void fill_normaliser(const job *k, desk *d) {
  const float *mean = k->stats ? sl_f32(k->stats) : NULL;
  for (int64_t j = 0; j < k->out_w * 3; j++) {
    d->scale[j] = mean ? 1 / mean[3 + j % 3] : 1;
    d->shift[j] = mean ? -mean[j % 3] / mean[3 + j % 3] : 0;
  }
}

static void desk_make(const job *k, int worker, desk *d) {
  char *at = k->memory + rounded(sl_crop_plan_scratch(k->out_h, k->out_w)) +
             k->scratch * (size_t)worker;
  *d = (desk){.copy = take(&at, stored_bytes(k) + SL_PIXELS_SLACK)};
  if (averages(k)) {
    d->means = take(&at, rgb_bytes(k->mean_h * k->mean_w));
    d->sum = take(&at, rgb_bytes(k->w));
  }
  d->view = (sl_sampler){.mode = (sl_sample)k->o->mode,
                         .pad = (sl_pad_mode)k->o->pad_mode,
                         .align_corners = k->o->align_corners};
  sl_sampler_place(&d->view, k->crop.w,
                   take(&at, sl_sampler_scratch(k->crop.w)));
  sl_crop_rows_place(&d->crop, &k->crop,
                     take(&at, sl_crop_rows_scratch(&k->crop)));
  d->crop.top = k->top;
  d->crop.left = k->left;
  d->row = take(&at, rgb_bytes(widest(k)));
  d->scale = take(&at, rgb_bytes(widest(k)));
  d->shift = take(&at, rgb_bytes(widest(k)));
  fill_normaliser(k, d);
}

/* --- noise ---------------------------------------------------------------- */

/* Element e of an image's noise is lane e % 4 of the stream's block e / 4, so
 * that every element has a value of its own, whoever asks for it. */
static void normals(const sl_rng *stream, uint32_t block, float *four) {
  uint32_t counter[4], bits[4];
  memcpy(counter, stream->counter, sizeof counter);
  counter[0] = block;
  sl_philox(stream->key, counter, bits);
  for (int i = 0; i < 4; i += 2) {
    const float u = (float)((bits[i] >> 8) + 1) * 0x1p-24f;
    const float angle = (float)(bits[i + 1] >> 8) * 0x1p-24f * 6.28318531f;
    const float radius = sqrtf(-2 * logf(u));
    four[i] = radius * cosf(angle);
    four[i + 1] = radius * sinf(angle);
  }
}

static void fill_noise(const sl_rng *stream, int64_t first, int64_t n,
                       float *out) {
  float four[4];
  for (int64_t e = first; e < first + n; e++) {
    if (e == first || e % 4 == 0) normals(stream, (uint32_t)(e / 4), four);
    out[e - first] = four[e % 4];
  }
}

/* boxes: top, left, height, width; parts outside the image are ignored. */
static void erase(const job *k, int64_t image, int64_t y, float *row) {
  const sl_augment_images_opts *o = k->o;
  const sl_rng stream =
      sl_rng_at((uint64_t)o->seed, (uint32_t)o->epoch,
                (uint32_t)sl_i32(k->items)[image], (uint32_t)o->use);
  for (int64_t i = 0; i < k->boxes->shape[0]; i++) {
    const int32_t *b = sl_i32(k->boxes) + 4 * i;
    if (y < b[0] || y >= (int64_t)b[0] + b[2]) continue;
    const int64_t x0 = b[1] > 0 ? b[1] : 0, x1 = (int64_t)b[1] + b[3];
    const int64_t end = x1 < k->out_w ? x1 : k->out_w;
    if (x0 < end)
      fill_noise(&stream, (y * k->out_w + x0) * 3, (end - x0) * 3,
                 row + x0 * 3);
  }
}

/* --- finishing a row ------------------------------------------------------ */

static SL_SIMD void augment_to_unit(float *restrict row, int64_t n) {
  for (int64_t j = 0; j < n; j++)
    row[j] /= 255;
}

static void colour(const job *k, const float *p, float *row) {
  const float mul = p[SL_AUGMENT_MUL], add = p[SL_AUGMENT_ADD];
  const float saturation = p[SL_AUGMENT_SATURATION], hue = p[SL_AUGMENT_HUE];
  if (saturation != 1)
    sl_colour_saturate(row, k->out_w, mul, add, saturation);
  else if (mul != 1 || add != 0)
    sl_colour_light(row, k->out_w * 3, mul, add);
  if (hue != 0) sl_colour_turn(row, k->out_w, hue);
}

static SL_SIMD void augment_normalise(const float *restrict scale,
                                      const float *restrict shift, int64_t n,
                                      float *restrict row) {
  for (int64_t j = 0; j < n; j++)
    row[j] = row[j] * scale[j] + shift[j];
}

static SL_SIMD void augment_to_bf16(const float *restrict row, int64_t n,
                                    sl_bf16 *restrict out) {
  for (int64_t j = 0; j < n; j++)
    out[j] = sl_bf16_from_f32(row[j]);
}

static void finish(const job *k, const desk *d, int64_t image, int64_t y) {
  const int64_t n = k->out_w * 3, to = (image * k->out_h + y) * n;
  if (k->x->dtype == SL_U8) augment_to_unit(d->row, n);
  colour(k, sl_f32(k->params) + image * SL_AUGMENT_PARAMS, d->row);
  if (k->stats) augment_normalise(d->scale, d->shift, n, d->row);
  if (k->boxes) erase(k, image, y, d->row);
  if (k->out->dtype == SL_F32)
    memcpy(sl_f32(k->out) + to, d->row, (size_t)n * sizeof *d->row);
  else
    augment_to_bf16(d->row, n, sl_b16(k->out) + to);
}

/* --- one image ------------------------------------------------------------ */

/* Where the last images end, so does the tensor: copied, they have slack. */
static sl_pixels stored(const job *k, const desk *d, int64_t image) {
  const size_t bytes = stored_bytes(k);
  const size_t behind = (size_t)(k->x->shape[0] - 1 - image) * bytes;
  const char *at = (const char *)sl_data(k->x) + (size_t)image * bytes;
  if (behind < SL_PIXELS_SLACK) {
    memcpy(d->copy, at, bytes);
    memset(d->copy + bytes, 0, SL_PIXELS_SLACK);
    at = d->copy;
  }
  return (sl_pixels){at, k->x->dtype, k->h, k->w};
}

/* Aims step 2's sampler at the crop's window; 0 if there is no step 2: the
 * window is part of the stored image. */
static int aim(const job *k, desk *d, int64_t image) {
  const float *p = sl_f32(k->params) + image * SL_AUGMENT_PARAMS;
  sl_homography view;
  for (int i = 0; i < 9; i++)
    view.m[i] = (double)p[SL_AUGMENT_HOMOGRAPHY + i];
  if (sl_homography_same(&view) && k->sampled_h == k->h && k->sampled_w == k->w)
    return 0;
  d->view.in = d->crop.image;
  if (averages(k)) {
    sl_pixels_average(&d->crop.image, k->mean_h, k->mean_w, d->sum, d->means);
    d->view.in = (sl_pixels){d->means, SL_F32, k->mean_h, k->mean_w};
  }
  sl_sampler_aim(&d->view, &view, k->sampled_h, k->sampled_w, k->top, k->left);
  return 1;
}

static void one_image(const job *k, desk *d, int64_t image) {
  d->crop.image = stored(k, d, image);
  d->crop.view = aim(k, d, image) ? &d->view : NULL;
  sl_crop_rows_begin(&d->crop);
  for (int64_t y = 0; y < k->out_h; y++) {
    if (k->resizes)
      sl_crop_row(&d->crop, y, d->row);
    else if (d->crop.view)
      sl_sampler_row(&d->view, y, d->row);
    else
      sl_pixels_row(&d->crop.image, k->top + y, k->left, k->out_w, d->row);
    finish(k, d, image, y);
  }
}

static void work(void *context, int worker, int n_workers) {
  const job *k = context;
  int64_t begin, end;
  sl_share(k->x->shape[0], 1, worker, n_workers, &begin, &end);
  if (begin == end) return;
  desk d;
  desk_make(k, worker, &d);
  for (int64_t i = begin; i < end; i++)
    one_image(k, &d, i);
}

/* Sizes, from the options. */
static job job_of(const sl_call *c) {
  const sl_augment_images_opts *o = c->opts;
  job k = {.o = o,
           .x = c->in[0],
           .params = c->in[1],
           .stats = c->in[2],
           .boxes = c->in[3],
           .items = c->in[4],
           .out = c->out[0],
           .h = c->in[0]->shape[1],
           .w = c->in[0]->shape[2],
           .sampled_h = o->size.v[0],
           .sampled_w = o->size.v[1],
           .top = o->crop.v[0],
           .left = o->crop.v[1],
           .out_h = o->crop_size.v[0],
           .out_w = o->crop_size.v[1]};
  k.crop = (sl_crop_plan){
      .h = o->crop.v[2], .w = o->crop.v[3], .out_h = k.out_h, .out_w = k.out_w};
  k.resizes = k.crop.h != k.out_h || k.crop.w != k.out_w;
  k.mean_h = k.h;
  k.mean_w = k.w;
  if (o->prefilter)
    sl_prefilter_size(k.h, k.w, k.sampled_w, &k.mean_h, &k.mean_w);
  return k;
}

sl_status sl_cpu_augment_images(const sl_call *c) {
  job k = job_of(c);
  const size_t taps = rounded(sl_crop_plan_scratch(k.out_h, k.out_w));
  /* The plan's sizes say how much memory its rows want; never more than the
   * window's. */
  k.crop.mean_h = k.crop.h;
  k.crop.mean_w = k.crop.w;
  k.scratch = scratch_bytes(&k);
  k.memory = sl_alloc_data(taps + k.scratch * (size_t)sl_pool_size());
  SL_REQUIRE(k.memory, SL_ENOMEM, "no memory to augment images of %s",
             sl_shape_text(k.x));
  sl_crop_plan_make(&k.crop, (sl_sample)k.o->crop_mode, k.memory);
  sl_parallel(work, &k);
  sl_free_data(k.memory);
  return SL_OK;
}
