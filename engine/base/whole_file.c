/* whole_file.c -- see whole_file.h. */
#include "base/whole_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

static sl_status cannot(const char *path, int why) {
  return sl_fail(SL_EIO, "cannot write %s: %s", path, strerror(why));
}

/* --- folders ---------------------------------------------------------------
 */

static int is_no_matter(int why) {
  return why == EACCES || why == EINVAL || why == ENOTSUP || why == ENOSYS;
}

/* 0, or errno. */
static int sync_folder(const char *folder) {
  const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return is_no_matter(errno) ? 0 : errno;
  const int why = fsync(fd) == 0 || is_no_matter(errno) ? 0 : errno;
  close(fd);
  return why;
}

sl_status sl_sync_folder_of(const char *path) {
  char *copy = sl_strdup(path);
  SL_REQUIRE(copy, SL_ENOMEM, "out of memory for writing %s", path);
  const int why = sync_folder(dirname(copy));
  sl_free(copy);
  return why ? cannot(path, why) : SL_OK;
}

/* --- the file --------------------------------------------------------------
 */

static void forget(sl_whole_file *w) {
  sl_free(w->path);
  sl_free(w->beside);
  *w = (sl_whole_file){NULL, NULL, NULL};
}

static int open_beside(const sl_whole_file *w, size_t size) {
  int fd = -1;
  for (int i = 0; i < 100 && fd < 0; i++) {
    snprintf(w->beside, size, "%s.%ld-%d.tmp", w->path, (long)getpid(), i);
    fd = open(w->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }
  return fd;
}

static sl_status open_file(sl_whole_file *w, size_t size) {
  struct stat old;
  const int fd = open_beside(w, size);
  if (fd < 0) return cannot(w->path, errno);
  if (stat(w->path, &old) == 0) (void)!fchmod(fd, old.st_mode & 0777);
  w->file = fdopen(fd, "wb");
  if (w->file) return SL_OK;
  close(fd);
  unlink(w->beside);
  return sl_fail(SL_ENOMEM, "out of memory for writing %s", w->path);
}

sl_status sl_whole_open(sl_whole_file *w, const char *path) {
  const size_t size = strlen(path) + 64;
  *w = (sl_whole_file){NULL, sl_strdup(path), sl_alloc(size, 1)};
  const sl_status status =
      w->path && w->beside
          ? open_file(w, size)
          : sl_fail(SL_ENOMEM, "out of memory for writing %s", path);
  if (status != SL_OK) forget(w);
  return status;
}

sl_status sl_whole_put(const sl_whole_file *w, const void *data, size_t n) {
  if (n == 0 || fwrite(data, 1, n, w->file) == n) return SL_OK;
  return cannot(w->path, errno);
}

static sl_status sync_and_close(const sl_whole_file *w, sl_status status) {
  if (status == SL_OK && (fflush(w->file) || fsync(fileno(w->file))))
    status = cannot(w->path, errno);
  if (fclose(w->file) && status == SL_OK) status = cannot(w->path, errno);
  return status;
}

sl_status sl_whole_close(sl_whole_file *w, sl_status so_far) {
  sl_status status = sync_and_close(w, so_far);
  if (status == SL_OK && rename(w->beside, w->path))
    status = cannot(w->path, errno);
  if (status == SL_OK) {
    status = sl_sync_folder_of(w->path);
  } else {
    unlink(w->beside);
  }
  forget(w);
  return status;
}

sl_status sl_whole_write(const char *path, const void *data, size_t n) {
  sl_whole_file w;
  SL_TRY(sl_whole_open(&w, path));
  return sl_whole_close(&w, sl_whole_put(&w, data, n));
}
