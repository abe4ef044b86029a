/* augment_images.c -- description of the fused augmentation pass. */
#include "ops/augment_images.h"

#include <math.h>

const char *const sl_sample_names[] = {"bilinear", "nearest", NULL};
const char *const sl_pad_names[] = {"reflection", "border", "zeros", NULL};

/* clang-format off */
#define T sl_augment_images_opts
static const sl_option options[] = {
    SL_OPT_INTS(T, size, (double)NAN, 1, 1 << 20, "height and width of the sampled image; x's own if not given"),
    SL_OPT_INTS(T, crop, (double)NAN, 0, 1 << 20, "window to keep of it: top, left (from 0), height, width"),
    SL_OPT_INTS(T, crop_size, (double)NAN, 1, 1 << 20, "height and width that the window is resized to"),
    SL_OPT_INT(T, seed, 0, -0x1p63, 0x1p62, "of the noise in boxes"),
    SL_OPT_INT(T, epoch, 0, 0, UINT32_MAX, "of the noise in boxes"),
    SL_OPT_INT(T, use, 0, 0, UINT32_MAX, "of the noise in boxes: names its random stream"),
    SL_OPT_ENUM(T, mode, SL_SAMPLE_BILINEAR, sl_sample_names, "how pixels are sampled"),
    SL_OPT_ENUM(T, crop_mode, SL_SAMPLE_BILINEAR, sl_sample_names, "how the window is resized"),
    SL_OPT_ENUM(T, pad_mode, SL_PAD_REFLECTION, sl_pad_names, "what lies outside the image"),
    SL_OPT_BOOL(T, align_corners, 1, "-1 and 1 are centres of the outer pixels, not their edges"),
    SL_OPT_BOOL(T, prefilter, 0, "average areas before sampling down by more than two"),
    SL_OPT_DTYPE(T, dtype, "of the result: f32 or bf16"),
    SL_OPT_END,
};
#undef T
/* clang-format on */

double sl_prefilter_size(int64_t h, int64_t w, int64_t ow, int64_t *ph,
                         int64_t *pw) {
  const double d = fmin((double)h / (double)ow, (double)w / 2) / 2;
  *ph = d > 1 ? (int64_t)((double)h * (1 / d)) : h;
  *pw = d > 1 ? (int64_t)((double)w * (1 / d)) : w;
  return d;
}

static sl_status check_images(const sl_tensor *x) {
  SL_REQUIRE((x->dtype == SL_U8 || x->dtype == SL_F32) && x->rank == 4 &&
                 x->shape[3] == 3,
             SL_ESHAPE, "images must be u8 or f32 (N, H, W, 3), not %s",
             sl_shape_text(x));
  SL_REQUIRE(sl_tensor_count(x) > 0, SL_ESHAPE, "images are empty: %s",
             sl_shape_text(x));
  SL_REQUIRE(x->shape[1] * x->shape[2] < 1 << 28, SL_ESHAPE,
             "images are too large: %s", sl_shape_text(x));
  return SL_OK;
}

static sl_status check_params(const sl_call *c) {
  const sl_tensor *p = c->in[1], *stats = c->in[2], *boxes = c->in[3];
  const sl_tensor *items = c->in[4];
  const int64_t n = c->in[0]->shape[0];
  SL_REQUIRE(p->dtype == SL_F32 && p->rank == 2 && p->shape[0] == n &&
                 p->shape[1] == SL_AUGMENT_PARAMS,
             SL_ESHAPE, "params must be f32 (%lld, %d), not %s", (long long)n,
             SL_AUGMENT_PARAMS, sl_shape_text(p));
  SL_REQUIRE(!stats || (stats->dtype == SL_F32 && stats->rank == 2 &&
                        stats->shape[0] == 2 && stats->shape[1] == 3),
             SL_ESHAPE, "stats must be f32 (2, 3), not %s",
             sl_shape_text(stats));
  SL_REQUIRE(!boxes || (boxes->dtype == SL_I32 && boxes->rank == 2 &&
                        boxes->shape[1] == 4),
             SL_ESHAPE, "boxes must be i32 (K, 4), not %s",
             sl_shape_text(boxes));
  SL_REQUIRE(!boxes || items, SL_EINVAL, "boxes need items");
  SL_REQUIRE(!items || (items->dtype == SL_I32 && items->rank == 1 &&
                        items->shape[0] == n),
             SL_ESHAPE, "items must be i32 (%lld), not %s", (long long)n,
             sl_shape_text(items));
  return SL_OK;
}

/* A missing size becomes h, w; a single number a square. */
static sl_status fill_size(sl_ints *v, const char *name, int64_t h, int64_t w) {
  if (v->n > 0) SL_TRY(sl_pair(v, name, &h, &w));
  *v = (sl_ints){.n = 2, .v = {h, w}};
  return SL_OK;
}

static sl_status fill_sizes(sl_augment_images_opts *o, const sl_tensor *x) {
  SL_TRY(fill_size(&o->size, "size", x->shape[1], x->shape[2]));
  const int64_t h = o->size.v[0], w = o->size.v[1];
  if (o->crop.n == 0) o->crop = (sl_ints){.n = 4, .v = {0, 0, h, w}};
  SL_REQUIRE(o->crop.n == 4, SL_EINVAL,
             "crop must be {top, left, height, width}, not %d numbers",
             o->crop.n);
  const int64_t *c = o->crop.v;
  SL_REQUIRE(c[0] >= 0 && c[1] >= 0 && c[2] > 0 && c[3] > 0 &&
                 c[0] + c[2] <= h && c[1] + c[3] <= w,
             SL_EINVAL,
             "crop of %lld x %lld at %lld, %lld is not inside %lld x %lld",
             (long long)c[2], (long long)c[3], (long long)c[0], (long long)c[1],
             (long long)h, (long long)w);
  return fill_size(&o->crop_size, "crop_size", c[2], c[3]);
}

static sl_status infer(const sl_call *c, void *opts, sl_shapes *s) {
  sl_augment_images_opts *o = opts;
  const sl_tensor *x = c->in[0];
  SL_TRY(check_images(x));
  SL_TRY(check_params(c));
  SL_TRY(fill_sizes(o, x));
  if (o->dtype < 0) o->dtype = SL_F32;
  SL_REQUIRE(o->dtype == SL_F32 || o->dtype == SL_BF16, SL_EINVAL,
             "dtype must be f32 or bf16, not %s",
             sl_dtype_name((sl_dtype)o->dtype));
  s->out[0] = (sl_spec){
      .dtype = (sl_dtype)o->dtype,
      .rank = 4,
      .shape = {x->shape[0], o->crop_size.v[0], o->crop_size.v[1], 3}};
  return SL_OK;
}

const sl_op sl_op_augment_images = {
    .name = "augment_images",
    .args = "x, params [, stats, boxes, items]",
    .help = "Warps, crops, relights, normalises and erases a batch of images "
            "in one pass; params has one row per image: 9 numbers of a "
            "homography, logit factor, logit term, saturation, hue.",
    .example = "local straight = sota.tensor{1,0,0, 0,1,0, 0,0,1, 1,0,1,0}\n"
               "return sota.augment_images(sota.zeros({2, 16, 16, 3}, "
               "{dtype = 'u8'}),\n  straight:expand(2, 13), {size = 8})",
    .n_in = 2,
    .n_optional = 3,
    .opts_size = sizeof(sl_augment_images_opts),
    .options = options,
    .infer = infer,
};
