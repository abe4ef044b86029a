/* item.c -- see item.h.
 *
 * The order of work for one item: read the header; let every transform, from
 * the image's size alone, decide its view; decode; carry the views out. A
 * mirror without a crop moves no pixel, it is handed to the next view; and the
 * last view writes into the batch. */
#include "data/item.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "data/decode.h"

enum { MAX_TRANSFORMS = 16 };

struct sl_item_pipeline {
  atomic_int references;
  sl_item_pipeline_opts opts;
  int n;
  sl_item_transform transforms[MAX_TRANSFORMS];
  sl_hw size; /* of what comes out */
};

struct sl_item_scratch {
  sl_resampler *resampler;
  sl_image image, other; /* decoded; and what views give, by turns */
  sl_image padded;
  sl_kept room; /* for what the cache reads from its file */
  sl_item_view views[MAX_TRANSFORMS + 1];
  sl_decoded *decoded; /* borrowed; or NULL */
};

/* --- the pipeline --------------------------------------------------------- */

/* Stable: only strictly larger ones move up. */
static void insert(sl_item_pipeline *p, const sl_item_transform *t) {
  int i = p->n++;
  for (; i > 0 && p->transforms[i - 1].info->order > t->info->order; i--)
    p->transforms[i] = p->transforms[i - 1];
  p->transforms[i] = *t;
}

/* What comes out of the last transform that fixes the size. */
static sl_status find_size(sl_item_pipeline *p) {
  sl_item_view v = {0};
  for (int i = 0; i < p->n; i++) {
    const sl_item_transform *t = &p->transforms[i];
    sl_rng unused = {0};
    if (t->info->fixes_size) t->info->view(&t->opts, 1, 1, 0, &unused, &v);
  }
  SL_REQUIRE(v.out_h, SL_EINVAL,
             "the item transforms do not fix the size of the images, but all "
             "images of a batch must have one size: add Resize(size) or "
             "RandomResizedCrop(size)");
  p->size = (sl_hw){v.out_h, v.out_w};
  return SL_OK;
}

static sl_status fill(sl_item_pipeline *p, const sl_item_transform *transforms,
                      int n) {
  for (int i = 0; i < n; i++) {
    SL_TRY(sl_item_transform_check(&transforms[i]));
    insert(p, &transforms[i]);
  }
  return find_size(p);
}

sl_status sl_item_pipeline_new(sl_item_pipeline **out,
                               const sl_item_transform *transforms, int n,
                               const sl_item_pipeline_opts *opts) {
  *out = NULL;
  SL_REQUIRE(n <= MAX_TRANSFORMS, SL_EINVAL,
             "%d item transforms are more than %d", n, MAX_TRANSFORMS);
  sl_item_pipeline *p = sl_alloc(1, sizeof *p);
  SL_REQUIRE(p, SL_ENOMEM, "no memory for the item transforms");
  atomic_init(&p->references, 1);
  if (opts) p->opts = *opts;
  const sl_status status = fill(p, transforms, n);
  if (status != SL_OK)
    sl_item_pipeline_release(p);
  else
    *out = p;
  return status;
}

sl_item_pipeline *sl_item_pipeline_retain(sl_item_pipeline *p) {
  atomic_fetch_add(&p->references, 1);
  return p;
}

void sl_item_pipeline_release(sl_item_pipeline *p) {
  if (p && atomic_fetch_sub(&p->references, 1) == 1) sl_free(p);
}

const sl_item_transform *sl_item_pipeline_transforms(const sl_item_pipeline *p,
                                                     int *n) {
  *n = p->n;
  return p->transforms;
}

void sl_item_size(const sl_item_pipeline *p, int train, int *h, int *w) {
  (void)train; /* all transforms so far give the same in both forms */
  *h = p->size.h;
  *w = p->size.w;
}

/* --- scratch -------------------------------------------------------------- */

sl_status sl_item_scratch_new(sl_item_scratch **out) {
  *out = NULL;
  sl_item_scratch *s = sl_alloc(1, sizeof *s);
  SL_REQUIRE(s, SL_ENOMEM, "no memory for a loader thread");
  const sl_status status = sl_resampler_new(&s->resampler);
  if (status != SL_OK)
    sl_free(s);
  else
    *out = s;
  return status;
}

void sl_item_scratch_keep(sl_item_scratch *s, sl_decoded *d) {
  s->decoded = d;
}

void sl_item_scratch_free(sl_item_scratch *s) {
  if (!s) return;
  sl_resampler_free(s->resampler);
  sl_image_clear(&s->image);
  sl_image_clear(&s->other);
  sl_image_clear(&s->room.image);
  sl_image_clear(&s->padded);
  sl_free(s);
  sl_decode_thread_end();
}

/* --- one item ------------------------------------------------------------- */

/* All views, from the size alone; a mirror joins the view after it. A box
 * counts in the image after mirroring, so two mirrors simply cancel. */
static int plan(const sl_item_pipeline *p, sl_item_id id, int h, int w,
                sl_item_view *views) {
  int n = 0, mirror = 0;
  for (int i = 0; i < p->n; i++) {
    const sl_item_transform *t = &p->transforms[i];
    sl_rng rng =
        sl_rng_at(id.seed, id.epoch, id.index, SL_RNG_ITEM + (uint32_t)i);
    sl_item_view v;
    t->info->view(&t->opts, h, w, id.train, &rng, &v);
    mirror = v.mirror ^= mirror;
    if (sl_item_view_is_whole(&v, h, w)) continue;
    views[n++] = v;
    mirror = 0;
    h = v.out_h;
    w = v.out_w;
  }
  if (mirror || n == 0) views[n++] = sl_item_view_whole(h, w, mirror);
  return n;
}

/* Carries out one view of `have`, which is an h x w image, perhaps shrunk on
 * load. */
static sl_status carry_out(sl_item_scratch *s, const sl_item_view *v,
                           const sl_image *have, int h, int w, int shrink,
                           uint8_t *out) {
  const ptrdiff_t stride = 3 * (ptrdiff_t)v->out_w;
  sl_resize r = sl_item_view_resize(v, h, w, shrink, have);
  if (shrink > 1 || sl_item_view_is_inside(v, have->h, have->w))
    return sl_resample(s->resampler, have, &r, out, stride);
  SL_TRY(sl_item_view_pad(v, have, &s->padded));
  r.mirror = 0; /* done by padding */
  r.x = r.y = 0;
  return sl_resample(s->resampler, &s->padded, &r, out, stride);
}

/* All n views of the decoded image; it is not changed before it was read. */
static sl_status run(sl_item_scratch *s, int n, const sl_image *have, int h,
                     int w, int shrink, uint8_t *out) {
  for (int i = 0; i < n - 1; i++) {
    const sl_item_view *v = &s->views[i];
    sl_image *to = have == &s->other ? &s->image : &s->other;
    SL_TRY(sl_image_resize(to, v->out_h, v->out_w));
    SL_TRY(carry_out(s, v, have, h, w, shrink, to->px));
    have = to;
    h = to->h;
    w = to->w;
    shrink = 1;
  }
  return carry_out(s, &s->views[n - 1], have, h, w, shrink, out);
}

/* How much of a file of that size the first view lets the decoder leave out. */
static int shrink_of(const sl_item_pipeline *p, const sl_item_scratch *s, int h,
                     int w, int can_shrink) {
  const int may = can_shrink && !p->opts.exact;
  return may ? sl_item_view_shrink(&s->views[0], h, w) : 1;
}

/* file: keep what is decoded, as of that state of the file; NULL: do not. */
static sl_status load(const sl_item_pipeline *p, sl_decoder *d, sl_item_id id,
                      const sl_file_id *file, sl_item_scratch *s,
                      uint8_t *out) {
  const int n = plan(p, id, d->h, d->w, s->views);
  const int shrink = shrink_of(p, s, d->h, d->w, d->can_shrink);
  SL_TRY(sl_decode_read(d, shrink, &s->image));
  if (file)
    sl_decoded_put(s->decoded, id.index,
                   &(sl_kept){.id = *file,
                              .h = d->h,
                              .w = d->w,
                              .can_shrink = d->can_shrink,
                              .shrink = shrink,
                              .image = s->image});
  const sl_status status = run(s, n, &s->image, d->h, d->w, shrink, out);
  return status == SL_OK ? SL_OK : sl_fail_in(status, "%s: ", d->path);
}

/* The same from a kept image. *done is 0 when the views want another shrink
 * than it has. */
static sl_status load_kept(const sl_item_pipeline *p, const sl_kept *k,
                           sl_item_id id, sl_item_scratch *s, uint8_t *out,
                           int *done) {
  const int n = plan(p, id, k->h, k->w, s->views);
  *done = shrink_of(p, s, k->h, k->w, k->can_shrink) == k->shrink;
  return *done ? run(s, n, &k->image, k->h, k->w, k->shrink, out) : SL_OK;
}

/* What the file is now is asked before it is read: if it changes meanwhile, the
 * pixels are kept as those of the older state, which is never met again. */
sl_status sl_item_load(const sl_item_pipeline *p, const char *path,
                       sl_item_id id, sl_item_scratch *s, uint8_t *out) {
  sl_file_id file = {0};
  const sl_kept *kept = NULL;
  int done = 0;
  if (s->decoded) kept = sl_decoded_own(s->decoded, id.index);
  if (s->decoded && !kept) {
    SL_TRY(sl_file_id_of(path, &file));
    kept = sl_decoded_get(s->decoded, id.index, &file, &s->room);
  }
  if (kept) SL_TRY(load_kept(p, kept, id, s, out, &done));
  if (done) return SL_OK;
  sl_decoder d;
  sl_status status = sl_decode_open(path, p->opts.max_pixels, &d);
  const int keep = s->decoded && !kept; /* one shrink an image is enough */
  if (status == SL_OK) status = load(p, &d, id, keep ? &file : NULL, s, out);
  sl_decode_close(&d);
  return status;
}
