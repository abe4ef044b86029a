/* vips.c -- libvips in this process: start, errors, warnings (decode.h). */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <vips/vips.h>

#include "base/log.h"
#include "data/decode.h"

static atomic_int allow_untrusted;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int failed;

static void to_our_log(const gchar *domain, GLogLevelFlags level,
                       const gchar *message, gpointer user) {
  (void)level, (void)user;
  sl_log(SL_LOG_DEBUG, "%s: %s", domain, message);
}

static void start(void) {
  g_log_set_handler("VIPS", (GLogLevelFlags)(G_LOG_LEVEL_MASK), to_our_log,
                    NULL);
  failed = VIPS_INIT("sota-lua");
  if (failed) return;
  vips_concurrency_set(1); /* one thread of ours is one thread of work */
  vips_cache_set_max(0);   /* no file is decoded twice in a row */
  vips_block_untrusted_set(!atomic_load(&allow_untrusted));
}

void sl_decode_allow_untrusted(int allow) {
  atomic_store(&allow_untrusted, allow);
  if (sl_vips_start() == SL_OK) vips_block_untrusted_set(!allow);
}

int sl_decode_allows_untrusted(void) {
  return atomic_load(&allow_untrusted);
}

static int flags_of(const char *loader) {
  const GType type = vips_type_find("VipsOperation", loader);
  if (!type) return 0;
  VipsOperationClass *class = g_type_class_ref(type);
  const int flags = (int)class->flags;
  g_type_class_unref(class);
  return flags;
}

int sl_decode_is_blocked(const char *loader) {
  return (flags_of(loader) & VIPS_OPERATION_BLOCKED) != 0;
}

uint64_t sl_decode_version(void) {
  uint64_t version = 0;
  for (int i = 0; i < 3; i++)
    version = version << 16 | (uint64_t)vips_version(i);
  return version;
}

sl_status sl_vips_start(void) {
  pthread_once(&once, start);
  SL_REQUIRE(!failed, SL_EINTERNAL, "libvips does not start");
  return SL_OK;
}

void sl_decode_thread_end(void) {
  if (sl_vips_start() == SL_OK) vips_thread_shutdown();
}

/* All threads share one error buffer: take it and empty it at once. When two
 * files fail in the same moment the second may find it empty. */
sl_status sl_vips_fail(const char *path) {
  char *text = vips_error_buffer_copy();
  g_strchomp(text);
  char *newline = strchr(text, '\n'); /* the first sentence is the cause */
  if (newline) *newline = 0;
  sl_fail(SL_EDATA, "%s: %s", path, *text ? text : "the file is damaged");
  g_free(text);
  return SL_EDATA;
}
