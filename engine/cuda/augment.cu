/* augment.cu -- the fused augmentation pass: a thread for each pixel of the
 * result, which works out where it looks, relights, normalises and writes it.
 * Where pixels look and what light does to them are the CPU's formulas. */
#include "cuda/device.h"

extern "C" {
#include "base/rng_formulas.h"
#include "ops/colour_formulas.h"
#include "ops/sampling_formulas.h"
}

/* --- what is sampled -------------------------------------------------------
 */

/* An image of packed RGB. */
typedef struct picture {
  const void *at;
  int dtype;
  int64_t h, w;
} picture;

CU_DEVICE void pixel(const picture &p, int64_t y, int64_t x, float *rgb) {
  const int64_t i = 3 * (y * p.w + x);
  for (int c = 0; c < 3; c++)
    rgb[c] = cu_load(p.at, p.dtype, i + c);
}

/* Part i of n cut into `parts`, as torch's adaptive average cuts. */
CU_DEVICE void share(int64_t i, int64_t n, int64_t parts, int64_t *begin,
                     int64_t *end) {
  *begin = i * n / parts;
  *end = ((i + 1) * n + parts - 1) / parts;
}

/* The image before step 2 averages. */
CU_DEVICE picture stored(const cu_augment &a, int64_t image) {
  const int64_t first = image * a.h * a.w * 3;
  picture p = {NULL, a.x_dtype, a.h, a.w};
  p.at = a.x_dtype == SL_U8 ? (const void *)((const uint8_t *)a.x + first)
                            : (const void *)((const float *)a.x + first);
  return p;
}

/* What step 2 samples. */
CU_DEVICE picture sampled(const cu_augment &a, int64_t image) {
  if (!a.means) return stored(a, image);
  const picture p = {a.means + image * a.mean_h * a.mean_w * 3, SL_F32,
                     a.mean_h, a.mean_w};
  return p;
}

/* Averages of areas, down each column first. */
CU_KERNEL(CU_THREADS) augment_means(cu_augment a) {
  CU_EACH(t, a.n * a.mean_h * a.mean_w) {
    const int64_t image = t / a.mean_w / a.mean_h;
    const picture p = stored(a, image);
    int64_t top, bottom, left, right;
    share(t / a.mean_w % a.mean_h, a.h, a.mean_h, &top, &bottom);
    share(t % a.mean_w, a.w, a.mean_w, &left, &right);
    float all[3] = {0, 0, 0}, rgb[3];
    for (int64_t x = left; x < right; x++) {
      float column[3] = {0, 0, 0};
      for (int64_t y = top; y < bottom; y++) {
        pixel(p, y, x, rgb);
        for (int c = 0; c < 3; c++)
          column[c] += rgb[c];
      }
      for (int c = 0; c < 3; c++)
        all[c] += column[c];
    }
    for (int c = 0; c < 3; c++)
      a.means[3 * t + c] = all[c] / (float)((bottom - top) * (right - left));
  }
}

/* --- sampling ---------------------------------------------------------------
 */

/* Two neighbours along an axis, with their weights. */
typedef struct pair {
  int64_t i, next;
  float w0, w1;
} pair;

CU_DEVICE pair pair_at(float p, int64_t size, int mode, int pad, int align) {
  const sl_fold_kind kind = sl_fold_kind_of((sl_pad_mode)pad, align);
  const sl_fold_range r = sl_fold_range_of((sl_pad_mode)pad, kind, size);
  pair q;
  if (kind != SL_CLIP) p = sl_reflected(p, &r);
  p = sl_clipped(p, &r);
  if (mode == SL_SAMPLE_NEAREST) p = sl_whole(p);
  q.i = sl_tap(p, size, &q.w0, &q.w1);
  q.next = size > 1 ? q.i + 1 : q.i;
  return q;
}

/* Between rows first, then along. */
CU_DEVICE void sample(const cu_augment &a, const picture &p,
                      const sl_homography &map, int64_t row, int64_t column,
                      float *rgb) {
  const double *m = map.m, y = (double)row;
  const float t = (float)column;
  float px = (float)m[0] * t + (float)(m[1] * y + m[2]);
  float py = (float)m[3] * t + (float)(m[4] * y + m[5]);
  const float d0 = (float)(m[7] * y + m[8]), d1 = (float)m[6];
  if (d0 != 1 || d1 != 0) {
    const float d = d1 * t + d0;
    px /= d;
    py /= d;
  }
  const pair u = pair_at(px, p.w, a.mode, a.pad_mode, a.align_corners);
  const pair v = pair_at(py, p.h, a.mode, a.pad_mode, a.align_corners);
  float k[4][3];
  pixel(p, v.i, u.i, k[0]);
  pixel(p, v.next, u.i, k[1]);
  pixel(p, v.i, u.next, k[2]);
  pixel(p, v.next, u.next, k[3]);
  for (int c = 0; c < 3; c++)
    rgb[c] = (k[0][c] * v.w0 + k[1][c] * v.w1) * u.w0 +
             (k[2][c] * v.w0 + k[3][c] * v.w1) * u.w1;
}

/* How this image is seen; straight: as stored. */
typedef struct view {
  picture from;
  sl_homography map;
  int straight;
} view;

CU_DEVICE view view_of(const cu_augment &a, int64_t image) {
  view v;
  sl_homography h;
  for (int i = 0; i < 9; i++)
    h.m[i] =
        (double)a.params[image * SL_AUGMENT_PARAMS + SL_AUGMENT_HOMOGRAPHY + i];
  v.straight =
      sl_homography_same(&h) && a.sampled_h == a.h && a.sampled_w == a.w;
  v.from = v.straight ? stored(a, image) : sampled(a, image);
  v.map = sl_sample_map(&h, a.align_corners, v.from.h, v.from.w, a.sampled_h,
                        a.sampled_w, a.top, a.left);
  return v;
}

/* A pixel of the window that step 3 keeps. */
CU_DEVICE void window_pixel(const cu_augment &a, const view &v, int64_t y,
                            int64_t x, float *rgb) {
  if (v.straight)
    pixel(v.from, a.top + y, a.left + x, rgb);
  else
    sample(a, v.from, v.map, y, x, rgb);
}

/* The same, after areas of it are averaged. */
CU_DEVICE void mean_pixel(const cu_augment &a, const view &v, int64_t i,
                          int64_t j, float *rgb) {
  int64_t top, bottom, left, right;
  if (a.crop_mean_h == a.crop_h && a.crop_mean_w == a.crop_w) {
    window_pixel(a, v, i, j, rgb);
    return;
  }
  share(i, a.crop_h, a.crop_mean_h, &top, &bottom);
  share(j, a.crop_w, a.crop_mean_w, &left, &right);
  rgb[0] = rgb[1] = rgb[2] = 0;
  for (int64_t x = left; x < right; x++) {
    float column[3] = {0, 0, 0}, one[3];
    for (int64_t y = top; y < bottom; y++) {
      window_pixel(a, v, y, x, one);
      for (int c = 0; c < 3; c++)
        column[c] += one[c];
    }
    for (int c = 0; c < 3; c++)
      rgb[c] += column[c];
  }
  for (int c = 0; c < 3; c++)
    rgb[c] /= (float)((bottom - top) * (right - left));
}

/* Where output k of n looks along an axis of `size`. */
CU_DEVICE pair along(const cu_augment &a, int64_t k, int64_t n, int64_t size) {
  double scale, shift;
  sl_normalised(n, 0, 1, &scale, &shift);
  const double half = ((double)size - 1) / 2;
  const float p =
      (float)(half * scale) * (float)k + (float)(half * shift + half);
  return pair_at(p, size, a.crop_mode, SL_PAD_BORDER, 1);
}

CU_DEVICE void crop_pixel(const cu_augment &a, const view &v, int64_t y,
                          int64_t x, float *rgb) {
  if (a.crop_h == a.out_h && a.crop_w == a.out_w) {
    window_pixel(a, v, y, x, rgb);
    return;
  }
  const pair p = along(a, y, a.out_h, a.crop_mean_h);
  const pair q = along(a, x, a.out_w, a.crop_mean_w);
  float k[4][3];
  mean_pixel(a, v, p.i, q.i, k[0]);
  mean_pixel(a, v, p.i, q.next, k[1]);
  mean_pixel(a, v, p.next, q.i, k[2]);
  mean_pixel(a, v, p.next, q.next, k[3]);
  for (int c = 0; c < 3; c++)
    rgb[c] = (k[0][c] * q.w0 + k[1][c] * q.w1) * p.w0 +
             (k[2][c] * q.w0 + k[3][c] * q.w1) * p.w1;
}

/* --- finishing ---------------------------------------------------------------
 */

CU_DEVICE void relight(const cu_augment &a, int64_t image, float *rgb) {
  const float *p = a.params + image * SL_AUGMENT_PARAMS;
  const float mul = p[SL_AUGMENT_MUL], add = p[SL_AUGMENT_ADD];
  const float saturation = p[SL_AUGMENT_SATURATION], hue = p[SL_AUGMENT_HUE];
  if (saturation != 1 || mul != 1) {
    for (int c = 0; c < 3; c++)
      rgb[c] = mul * sl_colour_logit(rgb[c]) + add;
    if (saturation != 1) sl_colour_saturated(rgb, saturation);
    for (int c = 0; c < 3; c++)
      rgb[c] = sl_colour_sigmoid(rgb[c]);
  } else if (add != 0) {
    for (int c = 0; c < 3; c++)
      rgb[c] = sl_colour_brighter(rgb[c], expf(-add));
  }
  if (hue != 0) sl_hue_turned(rgb, hue);
}

/* Element e of an image's noise is lane e % 4 of the stream's block e / 4. */
CU_DEVICE float noise(const cu_augment &a, int64_t image, int64_t e) {
  const uint32_t key[2] = {(uint32_t)a.seed, (uint32_t)(a.seed >> 32)};
  const uint32_t counter[4] = {(uint32_t)(e / 4), a.use,
                               (uint32_t)a.items[image], a.epoch};
  uint32_t bits[4];
  sl_draw_philox(key, counter, bits);
  const int lane = (int)(e % 4), first = lane & 2;
  const float u = (float)((bits[first] >> 8) + 1) * 0x1p-24f;
  const float angle = (float)(bits[first + 1] >> 8) * 0x1p-24f * 6.28318531f;
  const float radius = sqrtf(-2 * logf(u));
  return radius * (lane & 1 ? sinf(angle) : cosf(angle));
}

CU_DEVICE int is_erased(const cu_augment &a, int64_t y, int64_t x) {
  for (int64_t i = 0; i < a.n_boxes; i++) {
    const int32_t *b = a.boxes + 4 * i;
    if (y >= b[0] && y < (int64_t)b[0] + b[2] && x >= b[1] &&
        x < (int64_t)b[1] + b[3])
      return 1;
  }
  return 0;
}

/* Blocks of one image: blockIdx.y. The view is worked out once a block. */
CU_KERNEL(CU_THREADS) augment(cu_augment a) {
  __shared__ view v;
  for (int64_t image = blockIdx.y; image < a.n; image += gridDim.y) {
    __syncthreads();
    if (threadIdx.x == 0) v = view_of(a, image);
    __syncthreads();
    CU_EACH(t, a.out_h * a.out_w) {
      const int64_t y = t / a.out_w, x = t % a.out_w;
      const int64_t to = 3 * (image * a.out_h * a.out_w + t);
      float rgb[3];
      crop_pixel(a, v, y, x, rgb);
      if (a.x_dtype == SL_U8)
        for (int c = 0; c < 3; c++)
          rgb[c] /= 255;
      relight(a, image, rgb);
      if (a.stats)
        for (int c = 0; c < 3; c++)
          rgb[c] = rgb[c] * (1 / a.stats[3 + c]) + -a.stats[c] / a.stats[3 + c];
      if (a.boxes && is_erased(a, y, x))
        for (int c = 0; c < 3; c++)
          rgb[c] = noise(a, image, 3 * t + c);
      for (int c = 0; c < 3; c++)
        cu_store(a.out, a.out_dtype, to + c, rgb[c]);
    }
  }
}

extern "C" int cu_augment_run(const cu_augment *a, cudaStream_t s) {
  if (a->n == 0) return cudaSuccess;
  if (a->means) {
    const int e =
        CU_LAUNCH(augment_means, cu_blocks(a->n * a->mean_h * a->mean_w),
                  CU_THREADS, 0, s, *a);
    if (e) return e;
  }
  const unsigned images = (unsigned)(a->n < 65535 ? a->n : 65535);
  return CU_LAUNCH(augment, dim3(cu_blocks(a->out_h * a->out_w), images),
                   CU_THREADS, 0, s, *a);
}
