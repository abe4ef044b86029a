/* augment.c -- see augment.h: making a list of batch transforms. */
#include "augment/augment.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "augment/augment_internal.h"
#include "base/alloc.h"

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

/* Affine transforms sample once: sizes may be left out, the rest must agree. */
static sl_status agree(sl_augment *a, const char *name, const sl_sampling *s) {
  int64_t h = 0, w = 0, sh = 0, sw = 0;
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

static sl_status check(sl_augment *a, sl_batch_transform_id id,
                       const void *opts) {
  const char *name = sl_batch_transforms[id].name;
  const sl_zoom_opts *zoom = opts;
  const sl_erasing_opts *box = opts;
  if (sl_batch_transform_is_affine(id)) SL_TRY(agree(a, name, opts));
  if (id == SL_BATCH_TRANSFORM_ZOOM)
    return in_order(zoom->min_zoom, zoom->max_zoom, name, "min_zoom",
                    "max_zoom");
  if (id == SL_BATCH_TRANSFORM_CROP) {
    SL_TRY(check_crop(opts));
    return only_one(&a->crop, a->n, name);
  }
  if (id == SL_BATCH_TRANSFORM_NORMALIZE) {
    SL_TRY(only_one(&a->normalize, a->n, name));
    return take_statistics(a, opts);
  }
  if (id == SL_BATCH_TRANSFORM_ERASING) {
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
        a, o->flip_vert ? SL_BATCH_TRANSFORM_DIHEDRAL : SL_BATCH_TRANSFORM_FLIP,
        &s));
  if (warp.magnitude > 0)
    SL_TRY(sl_augment_add(a, SL_BATCH_TRANSFORM_WARP, &warp));
  if (rotate.max_deg > 0)
    SL_TRY(sl_augment_add(a, SL_BATCH_TRANSFORM_ROTATE, &rotate));
  if (o->min_zoom < 1 || o->max_zoom > 1)
    SL_TRY(sl_augment_add(a, SL_BATCH_TRANSFORM_ZOOM, &zoom));
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
    SL_TRY(sl_augment_add(a, SL_BATCH_TRANSFORM_BRIGHTNESS, &light));
    SL_TRY(sl_augment_add(a, SL_BATCH_TRANSFORM_CONTRAST, &light));
  }
  if (o->min_scale == 1) return SL_OK;
  const sl_crop_opts crop = {.size = o->size,
                             .min_scale = o->min_scale,
                             .max_scale = 1,
                             .valid_scale = 1,
                             .ratio = {1, {1}}};
  return sl_augment_add(a, SL_BATCH_TRANSFORM_CROP, &crop);
}

sl_status sl_augment_add(sl_augment *a, sl_batch_transform_id id,
                         const void *opts) {
  if (id == SL_BATCH_TRANSFORM_AUG_TRANSFORMS) return add_all(a, opts);
  SL_REQUIRE(a->n < SL_AUGMENT_MAX, SL_EINVAL, "more than %d batch transforms",
             SL_AUGMENT_MAX);
  SL_TRY(check(a, id, opts));
  sl_augment_entry *e = &a->entries[a->n++];
  e->id = id;
  memcpy(e->opts, opts, sl_batch_transforms[id].opts_size);
  return SL_OK;
}

/* --- sizes ---------------------------------------------------------------- */

void sl_augment_sampled_size(const sl_augment *a, int64_t h, int64_t w,
                             int64_t *oh, int64_t *ow) {
  const sl_ints *size = &a->sampling.size;
  const int given = a->has_sampling && size->n > 0;
  *oh = given ? size->v[0] : h;
  *ow = given ? size->v[size->n - 1] : w;
}

void sl_augment_size(const sl_augment *a, int64_t h, int64_t w, int64_t *oh,
                     int64_t *ow) {
  sl_augment_sampled_size(a, h, w, oh, ow);
  if (a->crop < 0) return;
  const sl_crop_opts *crop = (const void *)a->entries[a->crop].opts;
  *oh = crop->size.v[0];
  *ow = crop->size.v[crop->size.n - 1];
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
  const sl_numbers *floats = (const void *)field;
  if (o->type == SL_OPTION_FLOAT)
    append(text, size, " %s=%g", o->name, *(const double *)(const void *)field);
  else if (o->type == SL_OPTION_INT)
    append(text, size, " %s=%lld", o->name,
           (long long)*(const int64_t *)(const void *)field);
  for (int i = 0; o->type == SL_OPTION_INTS && i < ints->n; i++)
    append(text, size, "%s%s%lld", i ? "," : " ",
           i ? "" : "size=", (long long)ints->v[i]);
  for (int i = 0; o->type == SL_OPTION_NUMBERS && i < floats->n; i++)
    append(text, size, "%s%s%s%g", i ? "," : " ", i ? "" : o->name,
           i ? "" : "=", floats->v[i]);
}

char *sl_augment_text(const sl_augment *a) {
  const size_t size = (size_t)(a->n + 1) * LINE;
  char *text = sl_alloc(size, 1);
  for (int i = 0; text && i < a->n; i++) {
    const sl_augment_entry *e = &a->entries[i];
    append(text, size, "%s%s", i ? "\n" : "", sl_batch_transforms[e->id].name);
    for (const sl_option *o = sl_batch_transforms[e->id].options; o->name; o++)
      append_option(text, size, o, e->opts + o->offset);
  }
  return text;
}
