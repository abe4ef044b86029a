/* augment.c -- see augment.h. A list of transforms becomes, for each batch,
 * the inputs and options of one call of augment_images. */
#include "augment/augment.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "augment/augment_internal.h"
#include "augment/draw.h"
#include "base/alloc.h"
#include "base/rng.h"

/* --- a list of transforms ------------------------------------------------- */

sl_status sl_augment_new(sl_augment **out) {
  sl_augment *a = sl_alloc(1, sizeof *a);
  SL_REQUIRE(a, SL_ENOMEM, "no memory for batch transforms");
  a->crop = a->normalize = a->erasing = -1;
  *out = a;
  return SL_OK;
}

void sl_augment_free(sl_augment *a) {
  sl_free(a);
}

static int is_affine(sl_transform_id id) {
  return id >= SL_TRANSFORM_FLIP && id <= SL_TRANSFORM_ZOOM;
}

/* Affine transforms sample once: sizes may be left out, the rest must agree. */
static sl_status agree(sl_augment *a, const char *name, const sl_sampling *s) {
  int64_t h, w, sh, sw;
  if (s->size.n > 0) SL_TRY(sl_pair(&s->size, "size", &h, &w));
  if (!a->has_sampling) {
    a->sampling = *s;
    a->has_sampling = 1;
    return SL_OK;
  }
  sl_sampling *all = &a->sampling;
  SL_REQUIRE(s->mode == all->mode && s->pad_mode == all->pad_mode &&
                 s->align_corners == all->align_corners,
             SL_EINVAL,
             "%s: mode, pad_mode and align_corners must be those of the "
             "affine transforms before it: they are sampled together",
             name);
  if (s->size.n == 0) return SL_OK;
  if (all->size.n > 0) {
    SL_TRY(sl_pair(&all->size, "size", &sh, &sw));
    SL_REQUIRE(h == sh && w == sw, SL_EINVAL,
               "%s: size is %lld x %lld, but %lld x %lld in an affine "
               "transform before it",
               name, (long long)h, (long long)w, (long long)sh, (long long)sw);
  }
  all->size = s->size;
  return SL_OK;
}

static sl_status only_one(int *slot, int index, const char *name) {
  SL_REQUIRE(*slot < 0, SL_EINVAL, "%s is there twice", name);
  *slot = index;
  return SL_OK;
}

static sl_status in_order(double lo, double hi, const char *name,
                          const char *lo_name, const char *hi_name) {
  SL_REQUIRE(lo <= hi, SL_EINVAL, "%s: %s is %g, above %s, %g", name, lo_name,
             lo, hi_name, hi);
  return SL_OK;
}

static sl_status check_crop(const sl_crop_opts *o) {
  int64_t h, w;
  SL_TRY(sl_pair(&o->size, "size", &h, &w));
  SL_TRY(in_order(o->min_scale, o->max_scale, "RandomResizedCropGPU",
                  "min_scale", "max_scale"));
  SL_REQUIRE(o->ratio.n <= 2, SL_EINVAL,
             "RandomResizedCropGPU: ratio is {narrowest, widest}, not %d "
             "numbers",
             o->ratio.n);
  if (o->ratio.n < 2) return SL_OK;
  return in_order(o->ratio.v[0], o->ratio.v[1], "RandomResizedCropGPU",
                  "ratio[1]", "ratio[2]");
}

static sl_status take_statistics(sl_augment *a, const sl_normalize_opts *o) {
  SL_REQUIRE(o->mean.n == o->std.n, SL_EINVAL,
             "Normalize: %d numbers in mean but %d in std", o->mean.n,
             o->std.n);
  if (o->mean.n == 0) return SL_OK;
  SL_REQUIRE(o->mean.n == 1 || o->mean.n == 3, SL_EINVAL,
             "Normalize: mean and std have 1 or 3 numbers, not %d", o->mean.n);
  for (int c = 0; c < 3; c++) {
    const int i = o->mean.n == 3 ? c : 0;
    a->stats[0][c] = (float)o->mean.v[i];
    a->stats[1][c] = (float)o->std.v[i];
  }
  a->has_stats = 1;
  return SL_OK;
}

static sl_status check(sl_augment *a, sl_transform_id id, const void *opts) {
  const char *name = sl_transforms[id].name;
  const sl_zoom_opts *zoom = opts;
  const sl_erasing_opts *box = opts;
  if (is_affine(id)) SL_TRY(agree(a, name, opts));
  if (id == SL_TRANSFORM_ZOOM)
    return in_order(zoom->min_zoom, zoom->max_zoom, name, "min_zoom",
                    "max_zoom");
  if (id == SL_TRANSFORM_CROP) {
    SL_TRY(check_crop(opts));
    return only_one(&a->crop, a->n, name);
  }
  if (id == SL_TRANSFORM_NORMALIZE) {
    SL_TRY(only_one(&a->normalize, a->n, name));
    return take_statistics(a, opts);
  }
  if (id == SL_TRANSFORM_ERASING) {
    SL_TRY(in_order(box->sl, box->sh, name, "sl", "sh"));
    return only_one(&a->erasing, a->n, name);
  }
  return SL_OK;
}

/* --- aug_transforms ------------------------------------------------------- */

static sl_status add_affine(sl_augment *a, const sl_aug_opts *o,
                            sl_sampling s) {
  const sl_warp_opts warp = {s, o->max_warp * o->mult};
  const sl_rotate_opts rotate = {s, o->max_rotate * o->mult};
  const sl_zoom_opts zoom = {s, o->min_zoom, o->max_zoom};
  s.p = 0.5;
  if (o->do_flip)
    SL_TRY(sl_augment_add(
        a, o->flip_vert ? SL_TRANSFORM_DIHEDRAL : SL_TRANSFORM_FLIP, &s));
  if (warp.magnitude > 0) SL_TRY(sl_augment_add(a, SL_TRANSFORM_WARP, &warp));
  if (rotate.max_deg > 0)
    SL_TRY(sl_augment_add(a, SL_TRANSFORM_ROTATE, &rotate));
  if (o->min_zoom < 1 || o->max_zoom > 1)
    SL_TRY(sl_augment_add(a, SL_TRANSFORM_ZOOM, &zoom));
  /* Sizes hold without any of these, too. */
  return s.size.n > 0 ? agree(a, "aug_transforms", &s) : SL_OK;
}

static sl_status add_all(sl_augment *a, const sl_aug_opts *o) {
  sl_sampling s = {.p = o->p_affine,
                   .mode = o->mode,
                   .pad_mode = o->pad_mode,
                   .align_corners = o->align_corners,
                   .batch = o->batch};
  const sl_light_opts light = {o->p_lighting, o->max_lighting * o->mult,
                               o->batch};
  SL_REQUIRE(light.amount < 1, SL_EINVAL,
             "aug_transforms: max_lighting * mult is %g, and must be below 1",
             light.amount);
  SL_REQUIRE(o->max_warp * o->mult < 0.5, SL_EINVAL,
             "aug_transforms: max_warp * mult is %g, and must be below 0.5",
             o->max_warp * o->mult);
  SL_REQUIRE(o->min_scale == 1 || o->size.n > 0, SL_EINVAL,
             "aug_transforms: min_scale needs a size");
  if (o->min_scale == 1) s.size = o->size;
  SL_TRY(add_affine(a, o, s));
  if (light.amount > 0) {
    SL_TRY(sl_augment_add(a, SL_TRANSFORM_BRIGHTNESS, &light));
    SL_TRY(sl_augment_add(a, SL_TRANSFORM_CONTRAST, &light));
  }
  if (o->min_scale == 1) return SL_OK;
  const sl_crop_opts crop = {.size = o->size,
                             .min_scale = o->min_scale,
                             .max_scale = 1,
                             .valid_scale = 1,
                             .ratio = {1, {1}}};
  return sl_augment_add(a, SL_TRANSFORM_CROP, &crop);
}

sl_status sl_augment_add(sl_augment *a, sl_transform_id id, const void *opts) {
  if (id == SL_TRANSFORM_AUG_TRANSFORMS) return add_all(a, opts);
  SL_REQUIRE(a->n < SL_AUGMENT_MAX, SL_EINVAL, "more than %d batch transforms",
             SL_AUGMENT_MAX);
  SL_TRY(check(a, id, opts));
  sl_augment_entry *e = &a->entries[a->n++];
  e->id = id;
  memcpy(e->opts, opts, sl_transforms[id].opts_size);
  return SL_OK;
}

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

static draw_function *const draw[SL_TRANSFORM_COUNT] = {
    [SL_TRANSFORM_FLIP] = draw_flip,
    [SL_TRANSFORM_DIHEDRAL] = draw_dihedral,
    [SL_TRANSFORM_WARP] = draw_warp,
    [SL_TRANSFORM_ROTATE] = draw_rotate,
    [SL_TRANSFORM_ZOOM] = draw_zoom,
    [SL_TRANSFORM_BRIGHTNESS] = draw_brightness,
    [SL_TRANSFORM_CONTRAST] = draw_contrast,
    [SL_TRANSFORM_SATURATION] = draw_saturation,
    [SL_TRANSFORM_HUE] = draw_hue,
};

static int per_batch(const sl_augment_entry *e) {
  if (is_affine(e->id)) return ((const sl_sampling *)e->opts)->batch;
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

static void sampled_size(const sl_augment *a, int64_t h, int64_t w, int64_t *oh,
                         int64_t *ow) {
  const sl_ints *size = &a->sampling.size;
  const int given = a->has_sampling && size->n > 0;
  *oh = given ? size->v[0] : h;
  *ow = given ? size->v[size->n - 1] : w;
}

void sl_augment_size(const sl_augment *a, int64_t h, int64_t w, int64_t *oh,
                     int64_t *ow) {
  sampled_size(a, h, w, oh, ow);
  if (a->crop < 0) return;
  const sl_crop_opts *crop = (const void *)a->entries[a->crop].opts;
  *oh = crop->size.v[0];
  *ow = crop->size.v[crop->size.n - 1];
}

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
  double lo = INFINITY, hi = -INFINITY;
  int64_t oh, ow, ph, pw;
  sampled_size(a, h, w, &oh, &ow);
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
  sampled_size(a, x->shape[1], x->shape[2], &h, &w);
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

/* --- text ----------------------------------------------------------------- */

enum { LINE = 200 };

static void append(char *text, size_t size, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void append(char *text, size_t size, const char *fmt, ...) {
  const size_t used = strlen(text);
  va_list args;
  va_start(args, fmt);
  vsnprintf(text + used, size - used, fmt, args);
  va_end(args);
}

/* " name=value" for one number, or the numbers of a list. */
static void append_option(char *text, size_t size, const sl_option *o,
                          const char *field) {
  const sl_ints *ints = (const void *)field;
  const sl_floats *floats = (const void *)field;
  if (o->type == SL_OPTION_FLOAT)
    append(text, size, " %s=%g", o->name, *(const double *)(const void *)field);
  else if (o->type == SL_OPTION_INT)
    append(text, size, " %s=%lld", o->name,
           (long long)*(const int64_t *)(const void *)field);
  for (int i = 0; o->type == SL_OPTION_INTS && i < ints->n; i++)
    append(text, size, "%s%s%lld", i ? "," : " ",
           i ? "" : "size=", (long long)ints->v[i]);
  for (int i = 0; o->type == SL_OPTION_FLOATS && i < floats->n; i++)
    append(text, size, "%s%s%s%g", i ? "," : " ", i ? "" : o->name,
           i ? "" : "=", floats->v[i]);
}

char *sl_augment_text(const sl_augment *a) {
  const size_t size = (size_t)(a->n + 1) * LINE;
  char *text = sl_alloc(size, 1);
  for (int i = 0; text && i < a->n; i++) {
    const sl_augment_entry *e = &a->entries[i];
    append(text, size, "%s%s", i ? "\n" : "", sl_transforms[e->id].name);
    for (const sl_option *o = sl_transforms[e->id].options; o->name; o++)
      append_option(text, size, o, e->opts + o->offset);
  }
  return text;
}
