/* augment_images.c -- the fused augmentation pass, one image at a time.
 *
 * A worker takes whole images. What an image needs is known before its first
 * pixel: either rows are unpacked straight from the stored image, or they are
 * sampled from a `source` in the worker's scratch, made by unpacking,
 * averaging and, when two samplings follow each other, the first of them. A
 * row is then finished (light, normalise, noise) while it is in cache. */
#include "ops/augment_images.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "base/rng.h"
#include "base/threads.h"
#include "cpu/colour.h"
#include "cpu/cpu.h"
#include "cpu/pixels.h"

typedef struct job {
  const sl_augment_images_opts *o;
  const sl_tensor *x, *params, *stats, *boxes, *items;
  sl_tensor *out;
  int64_t h, w;                 /* stored */
  int64_t sampled_h, sampled_w; /* step 2 gives */
  int64_t top, left, crop_h, crop_w;
  int64_t out_h, out_w;
  size_t scratch; /* bytes for each worker */
  char *memory;
} job;

/* One worker's memory. */
typedef struct desk {
  sl_pixels a, b;       /* images on their way */
  sl_pixel *pixels;     /* one row */
  float *row;           /* the same, packed RGB */
  float *scale, *shift; /* normalisation, repeated along a row */
  char *taps;
} desk;

static int64_t larger(int64_t a, int64_t b) {
  return a > b ? a : b;
}

/* --- scratch -------------------------------------------------------------- */

static size_t rounded(size_t bytes) {
  return (bytes + 63) / 64 * 64;
}

/* Averaging never makes an image larger. */
static int64_t image_pixels(const job *k) {
  return larger(k->h * k->w, k->crop_h * k->crop_w);
}

static size_t scratch_bytes(const job *k) {
  const int64_t width = larger(k->crop_w, k->out_w);
  return 2 * rounded((size_t)image_pixels(k) * sizeof(sl_pixel)) +
         rounded((size_t)width * sizeof(sl_pixel)) +
         3 * rounded((size_t)width * 3 * sizeof(float)) +
         rounded(sl_sampler_scratch(width));
}

static void *take(char **at, size_t bytes) {
  void *p = *at;
  *at += rounded(bytes);
  return p;
}

static void fill_normaliser(const job *k, desk *d) {
  const float *mean = k->stats ? sl_f32(k->stats) : NULL;
  for (int64_t j = 0; j < k->out_w * 3; j++) {
    d->scale[j] = mean ? 1 / mean[3 + j % 3] : 1;
    d->shift[j] = mean ? -mean[j % 3] / mean[3 + j % 3] : 0;
  }
}

static desk desk_of(const job *k, int worker) {
  char *at = k->memory + k->scratch * (size_t)worker;
  const int64_t width = larger(k->crop_w, k->out_w);
  const size_t image = (size_t)image_pixels(k) * sizeof(sl_pixel);
  const size_t row = (size_t)width * 3 * sizeof(float);
  desk d = {.a.at = take(&at, image), .b.at = take(&at, image)};
  d.pixels = take(&at, (size_t)width * sizeof(sl_pixel));
  d.row = take(&at, row);
  d.scale = take(&at, row);
  d.shift = take(&at, row);
  d.taps = take(&at, sl_sampler_scratch(width));
  fill_normaliser(k, &d);
  return d;
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

static void pack(const sl_pixel *restrict in, int64_t n, float *restrict out) {
  for (int64_t j = 0; j < n; j++)
    for (int c = 0; c < 3; c++)
      out[3 * j + c] = in[j][c];
}

static void unpack(const job *k, int64_t image, int64_t y,
                   float *restrict out) {
  const int64_t n = k->out_w * 3;
  const int64_t from = ((image * k->h + k->top + y) * k->w + k->left) * 3;
  if (k->x->dtype == SL_F32) {
    memcpy(out, sl_f32(k->x) + from, (size_t)n * sizeof *out);
    return;
  }
  const uint8_t *restrict in = sl_u8(k->x) + from;
  for (int64_t j = 0; j < n; j++)
    out[j] = (float)in[j] / 255;
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

static void normalise(const job *k, const desk *d, float *restrict row) {
  const float *restrict scale = d->scale, *restrict shift = d->shift;
  for (int64_t j = 0; j < k->out_w * 3; j++)
    row[j] = row[j] * scale[j] + shift[j];
}

static void finish(const job *k, const desk *d, int64_t image, int64_t y,
                   float *row) {
  colour(k, sl_f32(k->params) + image * SL_AUGMENT_PARAMS, row);
  if (k->stats) normalise(k, d, row);
  if (k->boxes) erase(k, image, y, row);
  if (k->out->dtype == SL_F32) return;
  sl_bf16 *to = sl_b16(k->out) + (image * k->out_h + y) * k->out_w * 3;
  for (int64_t j = 0; j < k->out_w * 3; j++)
    to[j] = sl_bf16_from_f32(row[j]);
}

/* Where a row is made: in the result itself if that has floats. */
static float *row_of(const job *k, const desk *d, int64_t image, int64_t y) {
  if (k->out->dtype != SL_F32) return d->row;
  return sl_f32(k->out) + (image * k->out_h + y) * k->out_w * 3;
}

/* --- one image ------------------------------------------------------------ */

static void swap(desk *d) {
  const sl_pixels keep = d->a;
  d->a = d->b;
  d->b = keep;
}

static void average(desk *d, int64_t h, int64_t w) {
  if (h == d->a.h && w == d->a.w) return;
  sl_pixels_average(&d->a, &d->b, h, w);
  swap(d);
}

static void load(const job *k, desk *d, int64_t image, int64_t top,
                 int64_t left, int64_t h, int64_t w) {
  const size_t bytes = (size_t)(k->h * k->w * 3) * sl_dtype_size(k->x->dtype);
  const char *rgb = (const char *)sl_data(k->x) + (size_t)image * bytes;
  sl_pixels_unpack(&d->a, rgb, k->x->dtype, k->w, top, left, h, w);
}

/* Step 2 as a sampler of the crop's window, its input in d->a. */
static sl_sampler view_sampler(const job *k, desk *d, int64_t image,
                               const sl_homography *view) {
  int64_t ph = k->h, pw = k->w;
  load(k, d, image, 0, 0, k->h, k->w);
  if (k->o->prefilter) sl_prefilter_size(k->h, k->w, k->sampled_w, &ph, &pw);
  average(d, ph, pw);
  sl_sampler s = {.in = d->a,
                  .mode = (sl_sample)k->o->mode,
                  .pad = (sl_pad_mode)k->o->pad_mode,
                  .align_corners = k->o->align_corners};
  sl_sampler_place(&s, k->crop_w, d->taps);
  sl_sampler_aim(&s, view, k->sampled_h, k->sampled_w, k->top, k->left);
  return s;
}

/* Step 3's resizing, its input in d->a. */
static sl_sampler crop_sampler(const job *k, desk *d) {
  static const sl_homography straight = {{1, 0, 0, 0, 1, 0, 0, 0, 1}};
  int64_t ph = k->crop_h, pw = k->crop_w;
  if (k->o->crop_mode == SL_SAMPLE_BILINEAR)
    sl_prefilter_size(k->crop_h, k->crop_w, k->out_w, &ph, &pw);
  average(d, ph, pw);
  sl_sampler s = {.in = d->a,
                  .mode = (sl_sample)k->o->crop_mode,
                  .pad = SL_PAD_BORDER,
                  .align_corners = 1};
  sl_sampler_place(&s, k->out_w, d->taps);
  sl_sampler_aim(&s, &straight, k->out_h, k->out_w, 0, 0);
  return s;
}

static void sample_window(const job *k, desk *d, const sl_sampler *s) {
  for (int64_t i = 0; i < k->crop_h; i++)
    sl_sampler_row(s, i, d->b.at + i * k->crop_w);
  d->b.h = k->crop_h;
  d->b.w = k->crop_w;
  swap(d);
}

/* The sampler of the image's last step, its input ready; 0 if there is none:
 * rows are copied as they are. */
static int prepare(const job *k, desk *d, int64_t image, sl_sampler *s) {
  const float *p = sl_f32(k->params) + image * SL_AUGMENT_PARAMS;
  sl_homography view;
  for (int i = 0; i < 9; i++)
    view.m[i] = (double)p[SL_AUGMENT_HOMOGRAPHY + i];
  const int moves = !sl_homography_is_identity(&view) || k->sampled_h != k->h ||
                    k->sampled_w != k->w;
  const int resizes = k->crop_h != k->out_h || k->crop_w != k->out_w;
  if (moves) *s = view_sampler(k, d, image, &view);
  if (!resizes) return moves;
  if (moves)
    sample_window(k, d, s);
  else
    load(k, d, image, k->top, k->left, k->crop_h, k->crop_w);
  *s = crop_sampler(k, d);
  return 1;
}

static void one_image(const job *k, desk *d, int64_t image) {
  sl_sampler s;
  const int sampled = prepare(k, d, image, &s);
  for (int64_t y = 0; y < k->out_h; y++) {
    float *row = row_of(k, d, image, y);
    if (sampled) {
      sl_sampler_row(&s, y, d->pixels);
      pack(d->pixels, k->out_w, row);
    } else {
      unpack(k, image, y, row);
    }
    finish(k, d, image, y, row);
  }
}

static void work(void *context, int worker, int n_workers) {
  const job *k = context;
  int64_t begin, end;
  sl_share(k->x->shape[0], 1, worker, n_workers, &begin, &end);
  if (begin == end) return;
  desk d = desk_of(k, worker);
  for (int64_t i = begin; i < end; i++)
    one_image(k, &d, i);
}

sl_status sl_cpu_augment_images(const sl_call *c) {
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
           .crop_h = o->crop.v[2],
           .crop_w = o->crop.v[3],
           .out_h = o->crop_size.v[0],
           .out_w = o->crop_size.v[1]};
  k.scratch = scratch_bytes(&k);
  k.memory = sl_alloc_data(k.scratch * (size_t)sl_pool_size());
  SL_REQUIRE(k.memory, SL_ENOMEM, "no memory to augment images of %s",
             sl_shape_text(k.x));
  sl_parallel(work, &k);
  sl_free_data(k.memory);
  return SL_OK;
}
