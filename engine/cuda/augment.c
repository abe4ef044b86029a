/* augment.c -- the fused augmentation pass. */
#include "ops/augment_images.h"

#include "cuda/cuda.h"

static cu_augment augment_of(const sl_call *c) {
  const sl_augment_images_opts *o = c->opts;
  const sl_tensor *x = c->in[0], *stats = c->in[2], *boxes = c->in[3];
  const sl_tensor *items = c->in[4];
  return (cu_augment){.n = x->shape[0],
                      .h = x->shape[1],
                      .w = x->shape[2],
                      .x = sl_data(x),
                      .x_dtype = (int)x->dtype,
                      .params = sl_f32(c->in[1]),
                      .stats = stats ? sl_f32(stats) : NULL,
                      .boxes = boxes ? sl_i32(boxes) : NULL,
                      .n_boxes = boxes ? boxes->shape[0] : 0,
                      .items = items ? sl_i32(items) : NULL,
                      .sampled_h = o->size.v[0],
                      .sampled_w = o->size.v[1],
                      .top = o->crop.v[0],
                      .left = o->crop.v[1],
                      .crop_h = o->crop.v[2],
                      .crop_w = o->crop.v[3],
                      .out_h = o->crop_size.v[0],
                      .out_w = o->crop_size.v[1],
                      .mode = o->mode,
                      .crop_mode = o->crop_mode,
                      .pad_mode = o->pad_mode,
                      .align_corners = o->align_corners,
                      .seed = (uint64_t)o->seed,
                      .epoch = (uint32_t)o->epoch,
                      .use = (uint32_t)o->use,
                      .out = sl_data(c->out[0]),
                      .out_dtype = (int)c->out[0]->dtype};
}

/* Sizes after averaging, for both samplings. */
static void prefilter(cu_augment *a, const sl_augment_images_opts *o) {
  a->mean_h = a->h;
  a->mean_w = a->w;
  if (o->prefilter)
    sl_prefilter_size(a->h, a->w, a->sampled_w, &a->mean_h, &a->mean_w);
  a->crop_mean_h = a->crop_h;
  a->crop_mean_w = a->crop_w;
  const int resizes = a->crop_h != a->out_h || a->crop_w != a->out_w;
  if (resizes && a->crop_mode == SL_SAMPLE_BILINEAR)
    sl_prefilter_size(a->crop_h, a->crop_w, a->out_w, &a->crop_mean_h,
                      &a->crop_mean_w);
}

sl_status sl_cuda_augment_images(const sl_call *c) {
  cu_augment a = augment_of(c);
  sl_cuda_scratch means = {0};
  prefilter(&a, c->opts);
  if (a.mean_h != a.h || a.mean_w != a.w) {
    SL_TRY(sl_cuda_scratch_get(&means, (size_t)(3 * a.n * a.mean_h * a.mean_w) *
                                           sizeof(float)));
    a.means = means.p;
  }
  const int e = cu_augment_run(&a, sl_cuda.stream);
  sl_cuda_scratch_drop(&means);
  return sl_cuda_launched(e, "cu_augment_run");
}
