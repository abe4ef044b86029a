/* decode.c -- see decode.h.
 *
 * Plain JPEGs go straight to libjpeg (jpeg.h), everything else to libvips. Two
 * things make it fast for the small files of a training set: the header is
 * opened for sequential access, and the pixels are pulled in strips through
 * one VipsRegion in the caller's thread. vips_thumbnail or
 * vips_image_write_to_memory would set up a pipeline with threads and queues
 * for every file, which costs more than decoding it. */
#include "data/decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <vips/vips.h>

#include "data/jpeg.h"
#include "data/pixels.h"

enum { STRIP_ROWS = 16 };

/* --- formats -------------------------------------------------------------- */

typedef int load_file(const char *path, VipsImage **out, ...);

static int free_bytes(void *bytes, void *area) {
  (void)area;
  g_free(bytes);
  return 0;
}

/* The file's bytes, read now: libvips would map it, and a mapped file that
 * becomes shorter while it is decoded kills the process. */
static VipsBlob *read_bytes(const char *path) {
  gchar *bytes = NULL;
  gsize n = 0;
  if (g_file_get_contents(path, &bytes, &n, NULL))
    return vips_blob_new(free_bytes, bytes, n);
  vips_error("read", "cannot be read");
  return NULL;
}

static int load_bytes(const char *path, const char *operation,
                      VipsImage **out) {
  VipsBlob *blob = read_bytes(path);
  if (!blob) return -1;
  const int failed =
      vips_call(operation, blob, out, "access", VIPS_ACCESS_SEQUENTIAL,
                "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
  vips_area_unref(VIPS_AREA(blob)); /* the operation keeps it */
  return failed;
}

/* It has no operation for bytes. */
static int load_pnm(const char *path, VipsImage **out, ...) {
  VipsBlob *blob = read_bytes(path);
  VipsSource *source = blob ? vips_source_new_from_blob(blob) : NULL;
  const int failed =
      !source ||
      vips_ppmload_source(source, out, "access", VIPS_ACCESS_SEQUENTIAL,
                          "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
  if (source) g_object_unref(source);
  if (blob) vips_area_unref(VIPS_AREA(blob));
  return failed;
}

/* ImageMagick reads meaning into file names ("x[0]", "png:x"), bytes have none.
 */
static int load_bmp(const char *path, VipsImage **out, ...) {
  return load_bytes(path, "magickload_buffer", out);
}
static int load_webp(const char *path, VipsImage **out, ...) {
  return load_bytes(path, "webpload_buffer", out);
}
static int load_gif(const char *path, VipsImage **out, ...) {
  return load_bytes(path, "gifload_buffer", out);
}

static const struct format {
  const char *magic;
  int length, offset; /* bytes of magic, and where in the file they stand */
  load_file *load;
  const char *name, *loader; /* of the kind; libvips's of its operation */
} formats[] = {
    {"\xff\xd8\xff", 3, 0, vips_jpegload, "JPEG", "jpegload"},
    {"\x89PNG\r\n\x1a\n", 8, 0, vips_pngload, "PNG", "pngload"},
    {"WEBP", 4, 8, load_webp, "WebP", "webpload"},
    {"GIF8", 4, 0, load_gif, "GIF", "gifload"},
    {"II*\0", 4, 0, vips_tiffload, "TIFF", "tiffload"},
    {"MM\0*", 4, 0, vips_tiffload, "TIFF", "tiffload"},
    {"II+\0", 4, 0, vips_tiffload, "TIFF", "tiffload"},
    {"MM\0+", 4, 0, vips_tiffload, "TIFF", "tiffload"},
    {"BM", 2, 0, load_bmp, "BMP", "magickload_buffer"},
    {"P1", 2, 0, load_pnm, "PNM", "ppmload"},
    {"P2", 2, 0, load_pnm, "PNM", "ppmload"},
    {"P3", 2, 0, load_pnm, "PNM", "ppmload"},
    {"P4", 2, 0, load_pnm, "PNM", "ppmload"},
    {"P5", 2, 0, load_pnm, "PNM", "ppmload"},
    {"P6", 2, 0, load_pnm, "PNM", "ppmload"},
    {"ftypheic", 8, 4, vips_heifload, "HEIF/AVIF", "heifload"},
    {"ftypheix", 8, 4, vips_heifload, "HEIF/AVIF", "heifload"},
    {"ftypmif1", 8, 4, vips_heifload, "HEIF/AVIF", "heifload"},
    {"ftypavif", 8, 4, vips_heifload, "HEIF/AVIF", "heifload"},
    {"\0\0\0\x0cjP  ", 8, 0, vips_jp2kload, "JPEG 2000", "jp2kload"},
};

static sl_status read_start(const char *path, char *start, size_t size,
                            ssize_t *n) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  SL_REQUIRE(fd >= 0, SL_EIO, "%s: cannot open: %s", path, strerror(errno));
  *n = read(fd, start, size);
  const int why = errno;
  close(fd);
  SL_REQUIRE(*n >= 0, SL_EIO, "%s: cannot read: %s", path, strerror(why));
  return SL_OK;
}

static const struct format *find_format(const char *start, ssize_t n) {
  for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
    const struct format *f = &formats[i];
    if (n >= f->offset + f->length &&
        memcmp(start + f->offset, f->magic, (size_t)f->length) == 0)
      return f;
  }
  return NULL;
}

/* --- open ----------------------------------------------------------------- */

static sl_status load(const char *path, const struct format *f,
                      VipsImage **out) {
  const int failed = f->load(path, out, "access", VIPS_ACCESS_SEQUENTIAL,
                             "fail_on", VIPS_FAIL_ON_TRUNCATED, NULL);
  return failed ? sl_vips_fail(path) : SL_OK;
}

/* A JPEG again, smaller: libjpeg must know before it decodes. */
static sl_status load_shrunk(const char *path, int shrink, VipsImage **out) {
  const int failed =
      vips_jpegload(path, out, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on",
                    VIPS_FAIL_ON_TRUNCATED, "shrink", shrink, NULL);
  return failed ? sl_vips_fail(path) : SL_OK;
}

static sl_status check_size(const sl_decoder *d, int64_t max_pixels) {
  const int64_t limit = max_pixels > 0 ? max_pixels : SL_DECODE_MAX_PIXELS;
  SL_REQUIRE((int64_t)d->h * d->w <= limit, SL_EDATA,
             "%s: %d x %d pixels are more than the limit of %lld", d->path,
             d->w, d->h, (long long)limit);
  return SL_OK;
}

static sl_status read_header(sl_decoder *d, const struct format *f,
                             int64_t max_pixels) {
  SL_TRY(load(d->path, f, &d->image));
  d->orientation = vips_image_get_orientation(d->image);
  const int turned = d->orientation >= 5;
  d->h = turned ? d->image->Xsize : d->image->Ysize;
  d->w = turned ? d->image->Ysize : d->image->Xsize;
  d->can_shrink = f->load == vips_jpegload;
  return check_size(d, max_pixels);
}

sl_status sl_decode_open(const char *path, int64_t max_pixels, sl_decoder *d) {
  *d = (sl_decoder){.path = path, .orientation = 1};
  char start[16];
  ssize_t n = 0;
  SL_TRY(sl_vips_start());
  SL_TRY(read_start(path, start, sizeof start, &n));
  SL_REQUIRE(n > 0, SL_EDATA, "%s: the file is empty", path);
  const struct format *f = find_format(start, n);
  SL_REQUIRE(f, SL_EDATA, "%s: not an image (or of a kind we cannot read)",
             path);
  SL_REQUIRE(!sl_decode_is_blocked(f->loader), SL_EDATA,
             "%s: a %s file needs --allow-untrusted-images: libvips does not "
             "vouch for its decoder of such files",
             path, f->name);
  if (f->load == vips_jpegload) SL_TRY(sl_jpeg_open(path, &d->jpeg));
  if (!d->jpeg) return read_header(d, f, max_pixels);
  sl_jpeg_size(d->jpeg, &d->h, &d->w);
  d->can_shrink = 1;
  return check_size(d, max_pixels);
}

void sl_decode_close(sl_decoder *d) {
  if (d->image) g_object_unref(d->image);
  sl_jpeg_close(d->jpeg);
  d->image = NULL;
  d->jpeg = NULL;
}

/* --- read ----------------------------------------------------------------- */

/* What libvips must convert before our row functions understand it. */
static int is_plain(const VipsImage *m) {
  const int bits = m->BandFmt == VIPS_FORMAT_UCHAR    ? 8
                   : m->BandFmt == VIPS_FORMAT_USHORT ? 16
                                                      : 0;
  const VipsInterpretation kind = m->Type;
  if (kind == VIPS_INTERPRETATION_CMYK) return bits == 8 && m->Bands >= 4;
  return bits && m->Coding == VIPS_CODING_NONE &&
         (kind == VIPS_INTERPRETATION_MULTIBAND ||
          kind == VIPS_INTERPRETATION_B_W || kind == VIPS_INTERPRETATION_sRGB ||
          kind == VIPS_INTERPRETATION_RGB ||
          kind == VIPS_INTERPRETATION_GREY16 ||
          kind == VIPS_INTERPRETATION_RGB16);
}

/* Floats, LAB and the like, by libvips: sRGB of 8 bits. */
static sl_status make_plain(const char *path, VipsImage **m) {
  VipsImage *srgb = NULL, *bytes = NULL;
  int failed = vips_colourspace(*m, &srgb, VIPS_INTERPRETATION_sRGB, NULL);
  if (!failed) failed = vips_cast(srgb, &bytes, VIPS_FORMAT_UCHAR, NULL);
  if (srgb) g_object_unref(srgb);
  if (failed) return sl_vips_fail(path);
  g_object_unref(*m);
  *m = bytes;
  return SL_OK;
}

static sl_to_rgb *row_function(const VipsImage *m) {
  if (m->Type == VIPS_INTERPRETATION_CMYK) return sl_rgb_from_cmyk;
  const int wide = m->BandFmt == VIPS_FORMAT_USHORT;
  if (m->Bands < 3) return wide ? sl_rgb_from_grey16 : sl_rgb_from_grey8;
  return wide ? sl_rgb_from_rgb16 : sl_rgb_from_rgb8;
}

static sl_status pull(VipsImage *m, const char *path, sl_image *out) {
  SL_TRY(sl_image_resize(out, m->Ysize, m->Xsize));
  sl_to_rgb *to_rgb = row_function(m);
  VipsRegion *region = vips_region_new(m);
  int failed = !region;
  for (int y = 0; y < m->Ysize && !failed; y += STRIP_ROWS) {
    const VipsRect strip = {0, y, m->Xsize, VIPS_MIN(STRIP_ROWS, m->Ysize - y)};
    failed = vips_region_prepare(region, &strip);
    for (int i = y; i < y + strip.height && !failed; i++)
      to_rgb(VIPS_REGION_ADDR(region, 0, i), m->Xsize, m->Bands,
             out->px + (size_t)i * (size_t)m->Xsize * 3);
  }
  if (region) g_object_unref(region);
  return failed ? sl_vips_fail(path) : SL_OK;
}

static sl_status read_vips(sl_decoder *d, int shrink, sl_image *out) {
  if (shrink > 1 || !d->image) {
    sl_decode_close(d);
    SL_TRY(load_shrunk(d->path, shrink, &d->image));
  }
  if (!is_plain(d->image)) SL_TRY(make_plain(d->path, &d->image));
  if (d->orientation == 1) return pull(d->image, d->path, out);
  sl_image lying = {0};
  sl_status status = pull(d->image, d->path, &lying);
  if (status == SL_OK) status = sl_image_orient(&lying, d->orientation, out);
  sl_image_clear(&lying);
  return status;
}

sl_status sl_decode_read(sl_decoder *d, int shrink, sl_image *out) {
  SL_REQUIRE(d->image || d->jpeg, SL_EINVAL, "%s: the file is not open",
             d->path);
  SL_REQUIRE(shrink == 1 ||
                 (d->can_shrink && (shrink == 2 || shrink == 4 || shrink == 8)),
             SL_EINVAL, "%s: shrink-on-load by %d is not possible", d->path,
             shrink);
  int done = 0;
  if (d->jpeg) SL_TRY(sl_jpeg_read(d->jpeg, shrink, out, &done));
  return done ? SL_OK : read_vips(d, shrink, out);
}

sl_status sl_decode(const char *path, sl_image *out) {
  sl_decoder d;
  sl_status status = sl_decode_open(path, 0, &d);
  if (status == SL_OK) status = sl_decode_read(&d, 1, out);
  sl_decode_close(&d);
  return status;
}

sl_status sl_decode_size(const char *path, int *h, int *w) {
  sl_decoder d;
  const sl_status status = sl_decode_open(path, 0, &d);
  *h = d.h;
  *w = d.w;
  sl_decode_close(&d);
  return status;
}
