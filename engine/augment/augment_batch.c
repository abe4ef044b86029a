/* augment_batch.c -- from a list of transforms and the name of a batch to the
 * inputs and options of one call of augment_images. */
#include <math.h>

#include "augment/augment.h"
#include "augment/augment_internal.h"
#include "augment/draw.h"
#include "base/alloc.h"
#include "base/rng.h"

/* --- one image's draws ---------------------------------------------------- */

typedef struct drawn {
  sl_mat3 matrix, warp;
  double mul, add, saturation, hue;
} drawn;

static const drawn neutral = {
    {{1, 0, 0, 0, 1, 0, 0, 0, 1}}, {{1, 0, 0, 0, 1, 0, 0, 0, 1}}, 1, 0, 1, 0};

static int applies(sl_rng *r, double p) {
  return sl_rng_uniform64(r) < p;
}

static void turn_matrix(drawn *d, sl_mat3 m) {
  d->matrix = sl_mat3_mul(&d->matrix, &m);
}

static void draw_flip(const void *opts, sl_rng *r, drawn *d) {
  const sl_sampling *s = opts;
  if (applies(r, s->p)) turn_matrix(d, sl_mat3_dihedral(1));
}

static void draw_dihedral(const void *opts, sl_rng *r, drawn *d) {
  const sl_sampling *s = opts;
  const int k = (int)sl_rng_below(r, 8);
  if (applies(r, s->p)) turn_matrix(d, sl_mat3_dihedral(k));
}

static void draw_warp(const void *opts, sl_rng *r, drawn *d) {
  const sl_warp_opts *o = opts;
  double m[2];
  for (int i = 0; i < 2; i++) {
    m[i] = sl_rng_range(r, -o->magnitude, o->magnitude);
    if (!applies(r, o->s.p)) m[i] = 0;
  }
  const sl_mat3 w = sl_mat3_warp(m[0], m[1]);
  d->warp = sl_mat3_mul(&w, &d->warp);
}

static void draw_rotate(const void *opts, sl_rng *r, drawn *d) {
  const sl_rotate_opts *o = opts;
  const double degrees = sl_rng_range(r, -o->max_deg, o->max_deg);
  if (applies(r, o->s.p)) turn_matrix(d, sl_mat3_rotate(degrees));
}

static void draw_zoom(const void *opts, sl_rng *r, drawn *d) {
  const sl_zoom_opts *o = opts;
  const double zoom = sl_rng_range(r, o->min_zoom, o->max_zoom);
  const double col = sl_rng_uniform64(r), row = sl_rng_uniform64(r);
  if (applies(r, o->s.p)) turn_matrix(d, sl_mat3_zoom(zoom, col, row));
}

static void draw_brightness(const void *opts, sl_rng *r, drawn *d) {
  const sl_light_opts *o = opts;
  const double b =
      sl_rng_range(r, 0.5 * (1 - o->amount), 0.5 * (1 + o->amount));
  if (applies(r, o->p)) d->add += sl_brightness_term(b);
}

/* A factor for the amount, or 1. */
static double light_factor(const void *opts, sl_rng *r) {
  const sl_light_opts *o = opts;
  const double factor = sl_light_factor(o->amount, sl_rng_uniform64(r));
  return applies(r, o->p) ? factor : 1;
}

static void draw_contrast(const void *opts, sl_rng *r, drawn *d) {
  const double c = light_factor(opts, r);
  d->mul *= c;
  d->add *= c;
}

static void draw_saturation(const void *opts, sl_rng *r, drawn *d) {
  d->saturation *= light_factor(opts, r);
}

/* fastai turns by the factor itself: around 1, a full turn, which is none. */
static void draw_hue(const void *opts, sl_rng *r, drawn *d) {
  d->hue += light_factor(opts, r) - 1;
}

typedef void draw_function(const void *opts, sl_rng *r, drawn *d);

static draw_function *const draw[SL_BATCH_TRANSFORM_COUNT] = {
    [SL_BATCH_TRANSFORM_FLIP] = draw_flip,
    [SL_BATCH_TRANSFORM_DIHEDRAL] = draw_dihedral,
    [SL_BATCH_TRANSFORM_WARP] = draw_warp,
    [SL_BATCH_TRANSFORM_ROTATE] = draw_rotate,
    [SL_BATCH_TRANSFORM_ZOOM] = draw_zoom,
    [SL_BATCH_TRANSFORM_BRIGHTNESS] = draw_brightness,
    [SL_BATCH_TRANSFORM_CONTRAST] = draw_contrast,
    [SL_BATCH_TRANSFORM_SATURATION] = draw_saturation,
    [SL_BATCH_TRANSFORM_HUE] = draw_hue,
};

static int per_batch(const sl_augment_entry *e) {
  if (sl_batch_transform_is_affine(e->id))
    return ((const sl_sampling *)e->opts)->batch;
  return ((const sl_light_opts *)e->opts)->batch;
}

/* Streams of different transforms and passes have different uses; of a use,
 * NOISE more is for the noise of RandomErasing. */
enum { NOISE = 0x80, PASS = 0x1000 };

static uint32_t use_of(const sl_augment_batch *b, int index) {
  return SL_RNG_BATCH + (uint32_t)index + PASS * b->pass;
}

static sl_rng stream(const sl_augment_batch *b, int index, int64_t image) {
  return sl_rng_at(b->seed, b->epoch, b->items[image], use_of(b, index));
}

static drawn draw_image(const sl_augment *a, const sl_augment_batch *b,
                        int64_t image) {
  drawn d = neutral;
  for (int i = 0; b->train && i < a->n; i++) {
    const sl_augment_entry *e = &a->entries[i];
    if (!draw[e->id]) continue;
    sl_rng r = stream(b, i, per_batch(e) ? 0 : image);
    draw[e->id](e->opts, &r, &d);
  }
  return d;
}

/* --- a batch -------------------------------------------------------------- */

static void put_params(const drawn *d, const sl_mat3 *view, float *p) {
  for (int i = 0; i < 9; i++)
    p[SL_AUGMENT_HOMOGRAPHY + i] = (float)view->m[i];
  p[SL_AUGMENT_MUL] = (float)d->mul;
  p[SL_AUGMENT_ADD] = (float)d->add;
  p[SL_AUGMENT_SATURATION] = (float)d->saturation;
  p[SL_AUGMENT_HUE] = (float)d->hue;
}

/* Draws for all images: their rows of params, and whether sampling to size
 * averages first: fastai's rule looks at the whole batch's coordinates. */
static void draw_images(const sl_augment *a, const sl_tensor *x,
                        const sl_augment_batch *b, float *params,
                        sl_augment_images_opts *o) {
  const int64_t h = x->shape[1], w = x->shape[2];
  double lo = HUGE_VAL, hi = -HUGE_VAL;
  int64_t oh, ow, ph, pw;
  sl_augment_sampled_size(a, h, w, &oh, &ow);
  for (int64_t i = 0; i < x->shape[0]; i++) {
    const drawn d = draw_image(a, b, i);
    const sl_mat3 matrix = sl_mat3_prepare(&d.matrix, h, w);
    const sl_mat3 view = sl_mat3_mul(&d.warp, &matrix);
    sl_mat3_extent(&view, oh, ow, o->align_corners, &lo, &hi);
    put_params(&d, &view, params + i * SL_AUGMENT_PARAMS);
  }
  const double d = sl_prefilter_size(h, w, ow, &ph, &pw);
  o->prefilter = o->mode == SL_SAMPLE_BILINEAR && d > 1 && d > 2 / (hi - lo);
}

static void draw_crop(const sl_augment *a, const sl_tensor *x,
                      const sl_augment_batch *b, sl_augment_images_opts *o) {
  if (a->crop < 0) return;
  const sl_crop_opts *crop = (const void *)a->entries[a->crop].opts;
  int64_t h, w;
  sl_augment_sampled_size(a, x->shape[1], x->shape[2], &h, &w);
  sl_rng r = stream(b, a->crop, 0);
  const sl_box box =
      b->train ? sl_crop_draw(crop, h, w, &r) : sl_crop_valid(crop, h, w);
  o->crop = (sl_ints){4, {box.top, box.left, box.h, box.w}};
  o->crop_size = crop->size;
  o->crop_mode = crop->mode;
}

/* Boxes into four numbers each, for images h x w; returns how many. */
static int64_t draw_boxes(const sl_augment *a, const sl_augment_batch *b,
                          int64_t h, int64_t w, int32_t *boxes) {
  const sl_erasing_opts *o = (const void *)a->entries[a->erasing].opts;
  sl_rng r = stream(b, a->erasing, 0);
  if (!applies(&r, o->p)) return 0;
  const int64_t count = 1 + sl_rng_below(&r, o->max_count);
  for (int64_t i = 0; i < count; i++) {
    double u[4];
    for (int j = 0; j < 4; j++)
      u[j] = sl_rng_uniform64(&r);
    const sl_box box = sl_erasing_box(o, h, w, count, u[0], u[1], u[2], u[3]);
    boxes[4 * i] = (int32_t)box.top;
    boxes[4 * i + 1] = (int32_t)box.left;
    boxes[4 * i + 2] = (int32_t)box.h;
    boxes[4 * i + 3] = (int32_t)box.w;
  }
  return count;
}

enum { IN_X, IN_PARAMS, IN_STATS, IN_BOXES, IN_ITEMS, INPUTS };
enum { MAX_BOXES = 64 };

static sl_status make_params(const sl_augment *a, const sl_augment_batch *b,
                             sl_augment_images_opts *o, sl_tensor **in) {
  sl_tensor *x = in[IN_X];
  const int64_t shape[] = {x->shape[0], SL_AUGMENT_PARAMS};
  float *params = sl_alloc((size_t)(shape[0] * shape[1]), sizeof *params);
  SL_REQUIRE(params, SL_ENOMEM, "no memory to draw for %lld images",
             (long long)shape[0]);
  draw_images(a, x, b, params, o);
  const sl_status status =
      sl_tensor_from(&in[IN_PARAMS], x->backend, SL_F32, 2, shape, params);
  sl_free(params);
  return status;
}

static sl_status make_boxes(const sl_augment *a, const sl_augment_batch *b,
                            sl_augment_images_opts *o, sl_tensor **in) {
  const sl_tensor *x = in[IN_X];
  int64_t h, w;
  int32_t boxes[MAX_BOXES * 4];
  sl_augment_size(a, x->shape[1], x->shape[2], &h, &w);
  const int64_t n = draw_boxes(a, b, h, w, boxes), shape[] = {n, 4};
  if (n == 0) return SL_OK;
  o->seed = (int64_t)b->seed;
  o->epoch = b->epoch;
  o->use = use_of(b, a->erasing) + NOISE;
  SL_TRY(sl_tensor_from(&in[IN_BOXES], x->backend, SL_I32, 2, shape, boxes));
  return sl_tensor_from(&in[IN_ITEMS], x->backend, SL_I32, 1, x->shape,
                        b->items);
}

static sl_status make_inputs(const sl_augment *a, const sl_augment_batch *b,
                             int whole, sl_augment_images_opts *o,
                             sl_tensor **in) {
  static const int64_t stats_shape[] = {2, 3};
  SL_TRY(make_params(a, b, o, in));
  draw_crop(a, in[IN_X], b, o);
  if (whole && a->normalize >= 0)
    SL_TRY(sl_tensor_from(&in[IN_STATS], in[IN_X]->backend, SL_F32, 2,
                          stats_shape, a->stats));
  if (whole && a->erasing >= 0 && b->train) SL_TRY(make_boxes(a, b, o, in));
  return SL_OK;
}

sl_status sl_augment_run(const sl_augment *a, sl_tensor *x,
                         const sl_augment_batch *batch, sl_dtype dtype,
                         int whole, sl_tensor **out) {
  SL_REQUIRE(x->rank == 4 && sl_tensor_count(x) > 0, SL_ESHAPE,
             "images must be u8 or f32 (N, H, W, 3), not %s", sl_shape_text(x));
  SL_REQUIRE(batch->pass < 0xfffff, SL_EINVAL, "pass %u is too large",
             batch->pass);
  sl_augment_images_opts o;
  sl_op_defaults(sl_op_get(SL_OP_augment_images), &o);
  o.dtype = (int)dtype;
  if (a->has_sampling) {
    o.size = a->sampling.size;
    o.mode = a->sampling.mode;
    o.pad_mode = a->sampling.pad_mode;
    o.align_corners = a->sampling.align_corners;
  }
  sl_tensor *in[INPUTS] = {[IN_X] = x};
  sl_status status = make_inputs(a, batch, whole, &o, in);
  if (status == SL_OK)
    status = sl_op_run(SL_OP_augment_images, in, INPUTS, &o, out);
  for (int i = IN_PARAMS; i < INPUTS; i++)
    sl_tensor_release(in[i]);
  return status;
}

sl_status sl_augment_apply(const sl_augment *a, sl_tensor *x,
                           const sl_augment_batch *batch, sl_dtype dtype,
                           sl_tensor **out) {
  SL_REQUIRE(!sl_augment_needs_statistics(a), SL_EINVAL,
             "Normalize has no mean and std yet: give them, or measure a "
             "training batch first");
  return sl_augment_run(a, x, batch, dtype, 1, out);
}
