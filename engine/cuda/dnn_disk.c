/* dnn_disk.c -- plans that were timed, kept on disk: a file for each, of a line
 * that says what it is for and cuDNN's own form of it (JSON, which for an
 * engine compiled at run time has the kernel in it). A plan of another cuDNN is
 * refused by it and made again. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cuda/dnn_internal.h"

enum { LINE = 1024, MOST = 64 << 20 };

static char folder[PATH_MAX - 64]; /* "": none */
static char gpu[320];

/* --- where ---------------------------------------------------------------- */

/* With all folders above it; 0: not to be had. */
static int make_folder(void) {
  for (char *p = strchr(folder + 1, '/'); p; p = strchr(p + 1, '/')) {
    *p = 0;
    mkdir(folder, 0777);
    *p = '/';
  }
  mkdir(folder, 0777);
  return access(folder, W_OK | X_OK) == 0;
}

static int is_given(const char *s) {
  return s && *s;
}

static int fits(int n) {
  return n > 0 && n < (int)sizeof folder;
}

/* The user's cache, as the XDG specification has it. */
static int default_folder(void) {
  const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (is_given(cache))
    return fits(snprintf(folder, sizeof folder, "%s/sota-lua/plans", cache));
  return is_given(home) && fits(snprintf(folder, sizeof folder,
                                         "%s/.cache/sota-lua/plans", home));
}

static sl_status name_gpu(void) {
  struct cudaDeviceProp p;
  CU_TRY(cudaGetDeviceProperties(&p, sl_cuda.number));
  snprintf(gpu, sizeof gpu, "%s, %d multiprocessors", p.name,
           p.multiProcessorCount);
  return SL_OK;
}

sl_status sl_dnn_disk_open(void) {
  const char *given = getenv("SOTA_CUDA_PLANS");
  SL_TRY(name_gpu());
  if (is_given(given)) {
    SL_REQUIRE(fits(snprintf(folder, sizeof folder, "%s", given)), SL_EIO,
               "SOTA_CUDA_PLANS: the path is too long");
    SL_REQUIRE(make_folder(), SL_EIO,
               "SOTA_CUDA_PLANS: cannot write into the folder %s: %s", given,
               strerror(errno));
  } else if (!default_folder() || !make_folder()) {
    folder[0] = 0;
  }
  return SL_OK;
}

/* --- what a plan is for ----------------------------------------------------
 */

/* Everything that decides whether a plan may be used again. */
static void describe(char line[LINE], const sl_dnn_key *k) {
  int64_t v[sizeof *k / sizeof(int64_t)];
  int n =
      snprintf(line, LINE, "sota-lua plan 1, cuDNN %s, %s, %d:", sl_dnn.version,
               gpu, sl_cuda.capability);
  memcpy(v, k, sizeof v);
  for (size_t i = 0; i < sizeof v / sizeof *v && n < LINE; i++)
    n += snprintf(line + n, (size_t)(LINE - n), " %" PRId64, v[i]);
}

/* FNV-1a: the line itself is compared, so that a clash does no harm. */
static void path_of(char path[PATH_MAX], const char *line) {
  uint64_t h = 14695981039346656037u;
  for (const char *c = line; *c; c++)
    h = (h ^ (unsigned char)*c) * 1099511628211u;
  snprintf(path, PATH_MAX, "%s/%016" PRIx64, folder, h);
}

/* --- reading ---------------------------------------------------------------
 */

/* What follows the line, if the file begins with it; to be freed. */
static char *read_after(const char *path, const char *line, int64_t *n) {
  FILE *f = fopen(path, "rb");
  if (!f) return NULL;
  char *text = NULL, head[LINE + 2] = "";
  struct stat st;
  const size_t first = strlen(line);
  if (fstat(fileno(f), &st) == 0 && st.st_size > (off_t)first + 1 &&
      st.st_size < MOST && fgets(head, sizeof head, f) &&
      strncmp(head, line, first) == 0 && head[first] == '\n') {
    *n = (int64_t)st.st_size - (int64_t)first - 1;
    text = sl_alloc((size_t)*n, 1);
    if (text && fread(text, 1, (size_t)*n, f) != (size_t)*n) {
      sl_free(text);
      text = NULL;
    }
  }
  fclose(f);
  return text;
}

int sl_dnn_disk_load(sl_dnn_plan *p) {
  char line[LINE], path[PATH_MAX];
  int64_t n = 0;
  if (!folder[0]) return 0;
  describe(line, &p->key);
  path_of(path, line);
  char *text = read_after(path, line, &n);
  const int found =
      text && sl_dnn_plan_from(p, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION,
                               CUDNN_TYPE_CHAR, n, text);
  sl_free(text);
  return found;
}

/* --- writing ---------------------------------------------------------------
 */

/* To be freed; NULL: cuDNN does not tell. */
static char *text_of(const sl_dnn_plan *p, int64_t *n) {
  const cudnnBackendAttributeName_t json =
      CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION;
  *n = 0;
  if (cudnnBackendGetAttribute(p->plan, json, CUDNN_TYPE_CHAR, 0, n, NULL) !=
          CUDNN_STATUS_SUCCESS ||
      *n < 1)
    return NULL;
  char *text = sl_alloc((size_t)*n, 1);
  if (text && cudnnBackendGetAttribute(p->plan, json, CUDNN_TYPE_CHAR, *n, n,
                                       text) == CUDNN_STATUS_SUCCESS)
    return text;
  sl_free(text);
  return NULL;
}

/* Whole or not at all: other processes may be reading. */
static void write_whole(const char *path, const char *line, const char *text,
                        int64_t n) {
  char part[PATH_MAX + 32];
  snprintf(part, sizeof part, "%s.%ld", path, (long)getpid());
  FILE *f = fopen(part, "wb");
  if (!f) return;
  const int ok = fprintf(f, "%s\n", line) > 0 &&
                 fwrite(text, 1, (size_t)n, f) == (size_t)n;
  if (fclose(f) != 0 || !ok || rename(part, path) != 0) remove(part);
}

void sl_dnn_disk_save(const sl_dnn_plan *p) {
  char line[LINE], path[PATH_MAX];
  int64_t n = 0;
  char *text = folder[0] ? text_of(p, &n) : NULL;
  if (!text) return;
  describe(line, &p->key);
  path_of(path, line);
  write_whole(path, line, text, n);
  sl_free(text);
}
