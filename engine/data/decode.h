/* decode.h -- an image file on disk to 8-bit RGB pixels (libvips, libjpeg).
 *
 * JPEG, PNG, WebP, TIFF, GIF (first frame), PNM, HEIF/AVIF, JPEG 2000 and BMP,
 * as far as libvips was built with them; the format is told by the file's
 * first bytes, never by its name. The pixels are what Pillow's
 * convert("RGB") gives: grey is repeated, alpha dropped, a palette looked up,
 * CMYK multiplied out, colour profiles left alone; 16 bits keep their upper 8.
 * One thing differs from Pillow's open(): EXIF orientation is applied.
 *
 * Any thread may decode; libvips works in the caller's thread only. */
#ifndef SL_DATA_DECODE_H
#define SL_DATA_DECODE_H

#include "data/image.h"

/* Pillow refuses files beyond this too (twice its MAX_IMAGE_PIXELS). */
enum { SL_DECODE_MAX_PIXELS = 178956970 };

/* libvips's decoders of some kinds (here PNM, BMP, JPEG 2000) are not tested
 * against hostile files as the others are; such files are refused unless this
 * was called. Best before any decoding. */
void sl_decode_allow_untrusted(int allow);
int sl_decode_allows_untrusted(void);
int sl_decode_is_blocked(const char *loader); /* libvips's name: "ppmload" */

/* A file whose header has been read. */
typedef struct sl_decoder {
  int h, w;                 /* as the picture is shown: orientation applied */
  int orientation;          /* EXIF: 1..8, 1 is upright */
  int can_shrink;           /* shrink-on-load works: a JPEG */
  const char *path;         /* borrowed */
  struct _VipsImage *image; /* nothing of its pixels is read yet */
  struct sl_jpeg *jpeg;     /* or, of a plain JPEG, this */
} sl_decoder;

/* Reads the header. max_pixels: files with more are refused before anything
 * is decoded; 0 is SL_DECODE_MAX_PIXELS. path must outlive the decoder.
 * SL_EIO: cannot be opened or read; SL_EDATA: empty, not an image, too large.
 * Every message starts with the path. */
SL_MUST_USE sl_status sl_decode_open(const char *path, int64_t max_pixels,
                                     sl_decoder *d);

/* Decodes all pixels into out, once per decoder. shrink 2, 4 or 8 scales a
 * JPEG down in the DCT domain (sides are divided, rounded down, at least 1) for
 * a fraction of the time; 1 for everything else. SL_EDATA when the file is
 * damaged: truncation is noticed, harmless oddities go to the log (debug
 * level). */
SL_MUST_USE sl_status sl_decode_read(sl_decoder *d, int shrink, sl_image *out);

void sl_decode_close(sl_decoder *d); /* also after a failed sl_decode_open */

/* Open, read, close: the whole file at full size. */
SL_MUST_USE sl_status sl_decode(const char *path, sl_image *out);

/* Height and width as shown, from the header alone. */
SL_MUST_USE sl_status sl_decode_size(const char *path, int *h, int *w);

/* Changes with what decides the pixels: the versions of the decoders. */
uint64_t sl_decode_version(void);

/* Frees what libvips keeps for this thread: call before a thread ends. */
void sl_decode_thread_end(void);

/* Starts libvips once, from whichever thread comes first: single-threaded, no
 * operation cache, its warnings to our log. Everything above calls it. */
SL_MUST_USE sl_status sl_vips_start(void);

/* SL_EDATA with "path: what libvips said", on one line. */
sl_status sl_vips_fail(const char *path);

#endif
