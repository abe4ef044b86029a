/* decoded.c -- see decoded.h. */
#include "data/decoded.h"

#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"

typedef _Atomic(sl_kept *) kept_ref;

struct sl_decoded {
  atomic_int references;
  int64_t n, budget;
  _Atomic int64_t bytes; /* kept, or about to be */
  kept_ref *rows;        /* each set once */
  sl_pixel_file *file;   /* or NULL */
};

sl_status sl_decoded_new(int64_t n, int64_t budget, sl_decoded **out) {
  *out = NULL;
  SL_REQUIRE(n >= 0 && budget >= 0, SL_EINVAL,
             "the memory for decoded images must be 0 bytes or more, not %lld",
             (long long)budget);
  sl_decoded *d = sl_alloc(1, sizeof *d);
  SL_REQUIRE(d, SL_ENOMEM, "no memory to keep decoded images");
  d->rows = sl_alloc((size_t)n + 1, sizeof *d->rows);
  if (!d->rows) {
    sl_free(d);
    return sl_fail(SL_ENOMEM, "no memory to keep %lld decoded images",
                   (long long)n);
  }
  atomic_init(&d->references, 1);
  d->n = n;
  d->budget = budget;
  *out = d;
  return SL_OK;
}

sl_decoded *sl_decoded_retain(sl_decoded *d) {
  if (d) atomic_fetch_add(&d->references, 1);
  return d;
}

static void kept_free(sl_kept *k) {
  if (!k) return;
  sl_image_clear(&k->image);
  sl_free(k);
}

void sl_decoded_release(sl_decoded *d) {
  if (!d || atomic_fetch_sub(&d->references, 1) != 1) return;
  for (int64_t i = 0; i < d->n; i++)
    kept_free(atomic_load(&d->rows[i]));
  sl_pixel_file_close(d->file);
  sl_free(d->rows);
  sl_free(d);
}

void sl_decoded_set_file(sl_decoded *d, sl_pixel_file *f) {
  d->file = f;
}

const sl_kept *sl_decoded_get(const sl_decoded *d, int64_t row,
                              const sl_file_id *id, sl_kept *room) {
  if (row < 0 || row >= d->n) return NULL;
  const sl_kept *k = atomic_load(&d->rows[row]);
  if (k && sl_file_id_equal(&k->id, id)) return k;
  return d->file && sl_pixel_file_get(d->file, row, id, room) ? room : NULL;
}

const sl_kept *sl_decoded_own(const sl_decoded *d, int64_t row) {
  const sl_file_id none = {0};
  const sl_kept *k = row >= 0 && row < d->n ? atomic_load(&d->rows[row]) : NULL;
  return k && sl_file_id_equal(&k->id, &none) ? k : NULL;
}

static sl_kept *copy_of(const sl_kept *what) {
  const sl_image *from = &what->image;
  sl_kept *k = sl_alloc(1, sizeof *k);
  if (!k) return NULL;
  *k = *what;
  k->image = (sl_image){0};
  if (sl_image_resize(&k->image, from->h, from->w) != SL_OK) {
    sl_free(k);
    return NULL;
  }
  memcpy(k->image.px, from->px, (size_t)from->h * (size_t)from->w * 3);
  return k;
}

/* Room is claimed before the copy is made, so the budget holds at any time. */
static int put_in_memory(sl_decoded *d, int64_t row, const sl_kept *what) {
  if (atomic_load(&d->rows[row])) return 0;
  const int64_t size = (int64_t)what->image.h * what->image.w * 3;
  sl_kept *k = NULL, *none = NULL;
  if (atomic_fetch_add(&d->bytes, size) + size <= d->budget) k = copy_of(what);
  if (k && atomic_compare_exchange_strong(&d->rows[row], &none, k)) return 1;
  kept_free(k); /* no room, no memory, or another thread was faster */
  atomic_fetch_sub(&d->bytes, size);
  return none != NULL;
}

void sl_decoded_put(sl_decoded *d, int64_t row, const sl_kept *what) {
  if (row < 0 || row >= d->n || put_in_memory(d, row, what)) return;
  if (d->file) sl_pixel_file_put(d->file, row, what);
}

int64_t sl_decoded_bytes(const sl_decoded *d) {
  return atomic_load(&d->bytes);
}

int64_t sl_decoded_file_bytes(const sl_decoded *d) {
  return d->file ? sl_pixel_file_bytes(d->file) : 0;
}
