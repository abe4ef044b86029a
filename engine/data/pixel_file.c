/* pixel_file.c -- see pixel_file.h; pixel_folder.c keeps their folder small.
 *
 * Known of each row is only where its newest record stands: an atomic number,
 * so readers need no lock. A writer claims its place at the end with one atomic
 * addition, writes, and then says where. */
#define _GNU_SOURCE
#include "data/pixel_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
#include <xxhash.h>

#include "base/alloc.h"
#include "base/log.h"
#include "data/cache_dir.h"
#include "data/decode.h"
#include "data/pixel_folder.h"

/* Numbers as this machine writes them: the file never leaves it. */
typedef struct head {
  char magic[8];
  uint64_t set; /* hash of the list of images */
  int64_t n;
  uint64_t check; /* hash of the above */
} head;

typedef struct record {
  uint32_t magic;
  int32_t row;
  sl_file_id id;
  int32_t h, w, can_shrink, shrink, image_h, image_w;
  uint64_t pixels; /* hash of them */
  uint64_t check;  /* hash of the above */
} record;

_Static_assert(sizeof(head) == 32 && sizeof(record) == 72, "no gaps to hash");

static const char magic[8] = "sotapix1";
enum { RECORD = 0x52584950, MAX_SIDE = 1 << 20 };

struct sl_pixel_file {
  int fd;
  int64_t n, limit;
  atomic_int writable;
  _Atomic int64_t end;
  _Atomic int64_t *at; /* of each row's record; 0: none */
};

sl_status sl_file_id_of(const char *path, sl_file_id *id) {
  struct stat st;
  SL_REQUIRE(stat(path, &st) == 0, SL_EIO, "%s: cannot open: %s", path,
             strerror(errno));
  *id = (sl_file_id){.bytes = st.st_size,
                     .mtime = st.st_mtim.tv_sec * INT64_C(1000000000) +
                              st.st_mtim.tv_nsec,
                     .inode = st.st_ino};
  return SL_OK;
}

int sl_file_id_equal(const sl_file_id *a, const sl_file_id *b) {
  return a->bytes == b->bytes && a->mtime == b->mtime && a->inode == b->inode;
}

/* --- checks --------------------------------------------------------------- */

static uint64_t head_check(const head *h) {
  return XXH3_64bits(h, offsetof(head, check));
}

static uint64_t record_check(const record *r) {
  return XXH3_64bits(r, offsetof(record, check));
}

static size_t pixel_bytes(const record *r) {
  return (size_t)r->image_h * (size_t)r->image_w * 3;
}

static int64_t record_bytes(const record *r) {
  return (int64_t)(sizeof *r + pixel_bytes(r));
}

static int is_side(int32_t n) {
  return n > 0 && n <= MAX_SIDE;
}

static int read_record(const sl_pixel_file *f, int64_t at, record *r) {
  return pread(f->fd, r, sizeof *r, at) == sizeof *r && r->magic == RECORD &&
         r->check == record_check(r) && r->row >= 0 && r->row < f->n &&
         is_side(r->image_h) && is_side(r->image_w);
}

/* --- opening -------------------------------------------------------------- */

/* The list's name: paths in their order, and what decodes them. */
static sl_status hash_of(const sl_files *files, uint64_t *out) {
  char path[SL_PATH_MAX];
  uint64_t hash = sl_decode_version();
  if (!getcwd(path, sizeof path)) path[0] = 0;
  hash = XXH64(path, strlen(path), hash);
  for (int64_t i = 0; i < sl_files_count(files); i++) {
    const size_t n = sl_files_path(files, i, path, sizeof path);
    SL_REQUIRE(n < sizeof path, SL_EIO, "%.200s...: the path is too long",
               path);
    hash = XXH64(path, n + 1, hash);
  }
  *out = hash;
  return SL_OK;
}

/* Finds the records; *dead: bytes of those that a newer one replaced. */
static void scan(sl_pixel_file *f, int64_t size, int64_t *dead) {
  int64_t at = sizeof(head);
  record r;
  *dead = 0;
  while (read_record(f, at, &r) && at + record_bytes(&r) <= size) {
    if (atomic_load(&f->at[r.row])) *dead += record_bytes(&r);
    atomic_store(&f->at[r.row], at);
    at += record_bytes(&r);
  }
  atomic_store(&f->end, at);
}

/* Whether it holds records of this list and is worth going on with. */
static int adopt(sl_pixel_file *f, const head *want) {
  head have;
  struct stat st;
  int64_t dead;
  if (pread(f->fd, &have, sizeof have, 0) != sizeof have ||
      memcmp(&have, want, sizeof have) != 0 || fstat(f->fd, &st) != 0)
    return 0;
  scan(f, st.st_size, &dead);
  return dead <= st.st_size / 2 || !atomic_load(&f->writable);
}

static int lock(int fd) {
  return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int begin(sl_pixel_file *f, const head *h) {
  atomic_store(&f->end, (int64_t)sizeof *h);
  return pwrite(f->fd, h, sizeof *h, 0) == sizeof *h;
}

/* In place of a file that is damaged or stale. */
static sl_status replace(sl_pixel_file *f, const char *path, const head *h) {
  char fresh[SL_PATH_MAX];
  SL_REQUIRE(snprintf(fresh, sizeof fresh, "%s.%ld", path, (long)getpid()) <
                 (int)sizeof fresh,
             SL_EIO, "the path is too long: %s", path);
  close(f->fd);
  memset(f->at, 0, (size_t)f->n * sizeof *f->at);
  f->fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (f->fd >= 0 && lock(f->fd) && begin(f, h) && rename(fresh, path) == 0)
    return SL_OK;
  sl_fail(SL_EIO, "%s: cannot write: %s", path, strerror(errno));
  unlink(fresh);
  return SL_EIO;
}

static sl_status open_at(sl_pixel_file *f, const char *path, const head *h) {
  f->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  SL_REQUIRE(f->fd >= 0, SL_EIO, "%s: cannot open: %s", path, strerror(errno));
  atomic_init(&f->writable, lock(f->fd));
  if (adopt(f, h)) return futimens(f->fd, NULL), SL_OK;
  if (atomic_load(&f->writable)) return replace(f, path, h);
  memset(f->at, 0, (size_t)f->n * sizeof *f->at); /* its writer sees to it */
  return SL_OK;
}

static int64_t free_bytes(const char *folder) {
  struct statvfs s;
  if (statvfs(folder, &s) != 0) return 0;
  return (int64_t)(s.f_bavail * s.f_frsize);
}

static sl_status open_set(sl_pixel_file *f, const char *folder,
                          const sl_files *files, int64_t budget) {
  char name[32], path[SL_PATH_MAX];
  head h = {.n = f->n};
  memcpy(h.magic, magic, sizeof magic);
  SL_TRY(hash_of(files, &h.set));
  h.check = head_check(&h);
  snprintf(name, sizeof name, "%016llx" SL_PIXEL_FILE_END,
           (unsigned long long)h.set);
  SL_TRY(sl_make_dirs(folder));
  SL_TRY(sl_path_join(path, folder, name));
  if (budget == 0) budget = free_bytes(folder) / 10;
  f->limit = budget - sl_pixel_folder_shrink(folder, name, budget / 2);
  return open_at(f, path, &h);
}

sl_status sl_pixel_file_open(const char *folder, const sl_files *files,
                             int64_t budget, sl_pixel_file **out) {
  *out = NULL;
  sl_pixel_file *f = sl_alloc(1, sizeof *f);
  SL_REQUIRE(f, SL_ENOMEM, "no memory for a file of decoded images");
  f->fd = -1;
  f->n = sl_files_count(files);
  f->at = sl_alloc((size_t)f->n + 1, sizeof *f->at);
  const sl_status status =
      f->at ? open_set(f, folder, files, budget)
            : sl_fail(SL_ENOMEM, "no memory for a file of decoded images");
  if (status == SL_OK)
    *out = f;
  else
    sl_pixel_file_close(f);
  return status;
}

void sl_pixel_file_close(sl_pixel_file *f) {
  if (!f) return;
  if (f->fd >= 0) close(f->fd); /* and unlocks */
  sl_free(f->at);
  sl_free(f);
}

int64_t sl_pixel_file_bytes(const sl_pixel_file *f) {
  return atomic_load(&f->end);
}

/* --- reading -------------------------------------------------------------- */

int sl_pixel_file_get(sl_pixel_file *f, int64_t row, const sl_file_id *id,
                      sl_kept *out) {
  record r;
  if (row < 0 || row >= f->n) return 0;
  const int64_t at = atomic_load(&f->at[row]);
  if (!at || !read_record(f, at, &r) || r.row != row ||
      !sl_file_id_equal(&r.id, id) ||
      sl_image_resize(&out->image, r.image_h, r.image_w) != SL_OK)
    return 0;
  const size_t n = pixel_bytes(&r);
  if (pread(f->fd, out->image.px, n, at + (int64_t)sizeof r) != (ssize_t)n ||
      XXH3_64bits(out->image.px, n) != r.pixels)
    return 0;
  out->id = r.id;
  out->h = r.h;
  out->w = r.w;
  out->can_shrink = r.can_shrink;
  out->shrink = r.shrink;
  return 1;
}

/* --- writing -------------------------------------------------------------- */

static void give_up(sl_pixel_file *f, const char *why) {
  if (atomic_exchange(&f->writable, 0))
    sl_log(SL_LOG_INFO, "no more decoded images are kept on disk: %s", why);
}

void sl_pixel_file_put(sl_pixel_file *f, int64_t row, const sl_kept *what) {
  if (row < 0 || row >= f->n || !atomic_load(&f->writable)) return;
  record r = {.magic = RECORD,
              .row = (int32_t)row,
              .id = what->id,
              .h = what->h,
              .w = what->w,
              .can_shrink = what->can_shrink,
              .shrink = what->shrink,
              .image_h = what->image.h,
              .image_w = what->image.w};
  const size_t n = pixel_bytes(&r);
  r.pixels = XXH3_64bits(what->image.px, n);
  r.check = record_check(&r);
  const int64_t size = record_bytes(&r);
  const int64_t at = atomic_fetch_add(&f->end, size);
  if (at + size > f->limit) {
    atomic_fetch_sub(&f->end, size);
    give_up(f, "the budget is spent");
    return;
  }
  struct iovec parts[] = {{&r, sizeof r}, {what->image.px, n}};
  if (pwritev(f->fd, parts, 2, at) == size)
    atomic_store(&f->at[row], at);
  else
    give_up(f, strerror(errno));
}
