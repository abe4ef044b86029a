/* libraries.c -- see libraries.h. */
#include "data/libraries.h"

#include <stdio.h>
#include <vips/vips.h>

#include "data/decode.h"

#ifdef SL_HAVE_CURL
#include <curl/curl.h>
#endif
#ifdef SL_HAVE_ARCHIVE
#include <archive.h>
#endif

void sl_libraries(sl_library out[SL_N_LIBRARIES]) {
  out[0] = (sl_library){"libvips", "", "libvips-dev", "nothing is read"};
  snprintf(out[0].version, sizeof out[0].version, "%d.%d.%d", vips_version(0),
           vips_version(1), vips_version(2));
  out[1] = (sl_library){"libcurl", "", "libcurl4-openssl-dev",
                        "untar_data cannot download"};
  out[2] = (sl_library){"libarchive", "", "libarchive-dev",
                        "untar_data cannot unpack"};
#ifdef SL_HAVE_CURL
  snprintf(out[1].version, sizeof out[1].version, "%s",
           curl_version_info(CURLVERSION_NOW)->version);
#endif
#ifdef SL_HAVE_ARCHIVE
  const int v = archive_version_number();
  snprintf(out[2].version, sizeof out[2].version, "%d.%d.%d", v / 1000000,
           v / 1000 % 1000, v % 1000);
#endif
}

/* The loaders that decode.c calls. */
static const struct {
  const char *format, *loader;
} loaders[SL_N_FORMATS] = {
    {"JPEG", "jpegload"},         {"PNG", "pngload"},
    {"WebP", "webpload"},         {"TIFF", "tiffload"},
    {"GIF", "gifload"},           {"PNM", "ppmload"},
    {"BMP", "magickload_buffer"}, {"HEIF/AVIF", "heifload"},
    {"JPEG 2000", "jp2kload"},
};

sl_status sl_formats(sl_format out[SL_N_FORMATS]) {
  SL_TRY(sl_vips_start());
  for (int i = 0; i < SL_N_FORMATS; i++)
    out[i] = (sl_format){
        loaders[i].format,
        vips_type_find("VipsOperation", loaders[i].loader) != 0,
        sl_decode_is_blocked(loaders[i].loader),
    };
  return SL_OK;
}
