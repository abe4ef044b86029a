/* grow_file.c -- see grow_file.h. */
#include "base/grow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/whole_file.h"

static sl_status cannot(const sl_grow_file *g, int why) {
  return sl_fail(SL_EIO, "cannot write %s: %s", g->path, strerror(why));
}

/* --- opening ---------------------------------------------------------------
 */

/* What is no file with an end, such as a pipe, has 0 bytes. */
static sl_status find_end(sl_grow_file *g) {
  char last = '\n';
  const off_t end = lseek(g->fd, 0, SEEK_END);
  g->written = end < 0 ? 0 : end;
  if (end > 0 && pread(g->fd, &last, 1, end - 1) != 1) return cannot(g, errno);
  return last == '\n' ? SL_OK : sl_grow_add(g, "\n", 1);
}

/* A file that is there has a name that lasts; a new one's is synced. */
static sl_status open_file(sl_grow_file *g, int keep) {
  const int made = access(g->path, F_OK) != 0;
  g->fd =
      open(g->path, O_RDWR | O_CREAT | O_CLOEXEC | (keep ? 0 : O_TRUNC), 0666);
  if (g->fd < 0 && errno == EINVAL) /* a pipe: only to be written */
    g->fd = open(g->path, O_WRONLY | O_CLOEXEC);
  if (g->fd < 0) return cannot(g, errno);
  if (made) SL_TRY(sl_sync_folder_of(g->path));
  return find_end(g);
}

sl_status sl_grow_open(sl_grow_file *g, const char *path, int keep) {
  *g = (sl_grow_file){.fd = -1, .path = sl_strdup(path)};
  SL_REQUIRE(g->path, SL_ENOMEM, "out of memory for the name of %s", path);
  const sl_status status = open_file(g, keep);
  if (status != SL_OK) sl_grow_close(g);
  return status;
}

void sl_grow_close(sl_grow_file *g) {
  if (g->path && g->fd >= 0) close(g->fd);
  sl_free(g->path);
  sl_free(g->waiting);
  *g = (sl_grow_file){.fd = -1};
}

/* --- growing ---------------------------------------------------------------
 */

sl_status sl_grow_add(sl_grow_file *g, const void *data, size_t n) {
  if (g->n + n > g->room) {
    const size_t room = 2 * (g->n + n);
    char *more = sl_realloc(g->waiting, room);
    SL_REQUIRE(more, SL_ENOMEM, "out of memory for rows of %s", g->path);
    g->waiting = more;
    g->room = room;
  }
  if (n) memcpy(g->waiting + g->n, data, n);
  g->n += n;
  return SL_OK;
}

/* At its place, or at the end of what has no places. */
static ssize_t put(const sl_grow_file *g, size_t done) {
  const char *from = g->waiting + done;
  const ssize_t k =
      pwrite(g->fd, from, g->n - done, g->written + (int64_t)done);
  return k < 0 && errno == ESPIPE ? write(g->fd, from, g->n - done) : k;
}

/* 0, or errno. */
static int put_all(const sl_grow_file *g) {
  size_t done = 0;
  while (done < g->n) {
    const ssize_t k = put(g, done);
    if (k < 0 && errno == EINTR) continue;
    if (k <= 0) return k < 0 ? errno : ENOSPC;
    done += (size_t)k;
  }
  /* what is no file on a disk cannot be synced */
  return fdatasync(g->fd) && errno != EINVAL && errno != EROFS ? errno : 0;
}

sl_status sl_grow_write(sl_grow_file *g) {
  if (g->n == 0) return SL_OK;
  const int why = put_all(g);
  if (why) { /* no half row, if that can be helped */
    (void)!ftruncate(g->fd, g->written);
    return cannot(g, why);
  }
  g->written += (int64_t)g->n;
  g->n = 0;
  return SL_OK;
}

size_t sl_grow_size(const sl_grow_file *g) {
  return (size_t)g->written + g->n;
}

sl_status sl_grow_read(const sl_grow_file *g, char *out) {
  for (int64_t done = 0; done < g->written;) {
    const ssize_t k =
        pread(g->fd, out + done, (size_t)(g->written - done), done);
    SL_REQUIRE(k > 0, SL_EIO, "cannot read %s: %s", g->path,
               k < 0 ? strerror(errno) : "it has become shorter");
    done += k;
  }
  if (g->n) memcpy(out + g->written, g->waiting, g->n);
  return SL_OK;
}
