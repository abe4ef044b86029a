/* jpeg.c -- see jpeg.h. */
#include "data/jpeg.h"

#ifndef SL_HAVE_JPEG

sl_status sl_jpeg_open(const char *path, sl_jpeg **out) {
  (void)path;
  *out = NULL;
  return SL_OK;
}

void sl_jpeg_close(sl_jpeg *j) {
  (void)j;
}

void sl_jpeg_size(const sl_jpeg *j, int *h, int *w) {
  (void)j;
  *h = *w = 0;
}

sl_status sl_jpeg_read(sl_jpeg *j, int shrink, sl_image *out, int *ok) {
  (void)j, (void)shrink, (void)out;
  *ok = 0;
  return SL_OK;
}

#else

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jpeglib.h>

#include "base/alloc.h"

struct sl_jpeg {
  struct jpeg_decompress_struct j;
  struct jpeg_error_mgr errors;
  jmp_buf back; /* libjpeg has no other way to fail; it never leaves here */
  uint8_t *file;
  size_t bytes;
};

/* --- libjpeg's complaints ------------------------------------------------- */

static void fail(j_common_ptr c) {
  sl_jpeg *self = c->client_data;
  longjmp(self->back, 1);
}

static void emit(j_common_ptr c, int level) {
  if (level < 0) fail(c); /* a warning; the rest is chatter */
}

static void say_nothing(j_common_ptr c) {
  (void)c;
}

/* --- the file ------------------------------------------------------------- */

static sl_status read_all(int fd, const char *path, sl_jpeg *j) {
  struct stat st;
  SL_REQUIRE(fstat(fd, &st) == 0, SL_EIO, "%s: cannot read: %s", path,
             strerror(errno));
  const size_t size = (size_t)st.st_size;
  j->file = sl_alloc_data(size + 1);
  SL_REQUIRE(j->file, SL_ENOMEM, "%s: no memory for its %zu bytes", path, size);
  while (j->bytes < size) {
    const ssize_t n = read(fd, j->file + j->bytes, size - j->bytes);
    SL_REQUIRE(n >= 0, SL_EIO, "%s: cannot read: %s", path, strerror(errno));
    if (n == 0) break;
    j->bytes += (size_t)n;
  }
  return SL_OK;
}

static sl_status read_file(const char *path, sl_jpeg *j) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  SL_REQUIRE(fd >= 0, SL_EIO, "%s: cannot open: %s", path, strerror(errno));
  const sl_status status = read_all(fd, path, j);
  close(fd);
  return status;
}

/* --- decoding ------------------------------------------------------------- */

static int has_exif(const struct jpeg_decompress_struct *j) {
  for (jpeg_saved_marker_ptr m = j->marker_list; m; m = m->next)
    if (m->marker == JPEG_APP0 + 1) return 1;
  return 0;
}

static int is_plain(const struct jpeg_decompress_struct *j) {
  return j->data_precision == 8 && !has_exif(j) &&
         (j->jpeg_color_space == JCS_GRAYSCALE ||
          j->jpeg_color_space == JCS_YCbCr || j->jpeg_color_space == JCS_RGB);
}

/* Returns whether it is plain. */
static int read_header(sl_jpeg *self) {
  struct jpeg_decompress_struct *j = &self->j;
  j->err = jpeg_std_error(&self->errors);
  self->errors.error_exit = fail;
  self->errors.emit_message = emit;
  self->errors.output_message = say_nothing;
  j->client_data = self;
  if (setjmp(self->back)) return 0;
  jpeg_create_decompress(j);
  jpeg_mem_src(j, self->file, self->bytes);
  jpeg_save_markers(j, JPEG_APP0 + 1, 16);
  jpeg_read_header(j, TRUE);
  return is_plain(j);
}

sl_status sl_jpeg_open(const char *path, sl_jpeg **out) {
  *out = NULL;
  sl_jpeg *j = sl_alloc(1, sizeof *j);
  SL_REQUIRE(j, SL_ENOMEM, "%s: no memory to decode it", path);
  const sl_status status = read_file(path, j);
  if (status == SL_OK && read_header(j))
    *out = j;
  else
    sl_jpeg_close(j);
  return status;
}

void sl_jpeg_close(sl_jpeg *j) {
  if (!j) return;
  jpeg_destroy_decompress(&j->j);
  sl_free_data(j->file);
  sl_free(j);
}

void sl_jpeg_size(const sl_jpeg *j, int *h, int *w) {
  *h = (int)j->j.image_height;
  *w = (int)j->j.image_width;
}

static int divided(JDIMENSION side, int shrink) {
  const int n = (int)side / shrink;
  return n > 0 ? n : 1;
}

/* libjpeg rounds shrunk sides up; what it has more is left out. */
static void read_rows(struct jpeg_decompress_struct *j, const sl_image *out) {
  const size_t stride = (size_t)out->w * 3;
  JSAMPARRAY more = j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE,
                                         j->output_width * 3, 1);
  for (int y = 0; j->output_scanline < j->output_height; y++) {
    JSAMPROW to = out->px + (size_t)y * stride;
    const int fits = y < out->h && j->output_width == (JDIMENSION)out->w;
    jpeg_read_scanlines(j, fits ? &to : more, 1);
    if (!fits && y < out->h) memcpy(to, more[0], stride);
  }
}

sl_status sl_jpeg_read(sl_jpeg *self, int shrink, sl_image *out, int *ok) {
  struct jpeg_decompress_struct *j = &self->j;
  *ok = 0;
  SL_TRY(sl_image_resize(out, divided(j->image_height, shrink),
                         divided(j->image_width, shrink)));
  j->out_color_space = JCS_RGB;
  j->scale_num = 1;
  j->scale_denom = (unsigned)shrink;
  if (setjmp(self->back)) return SL_OK; /* it is only good to be closed now */
  jpeg_start_decompress(j);
  read_rows(j, out);
  jpeg_finish_decompress(j);
  *ok = 1;
  return SL_OK;
}

#endif
