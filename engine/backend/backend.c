/* backend.c -- the list of backends: the CPU, and modules (plugin.h). */
#include "backend/backend.h"

#include <stdlib.h>
#include <string.h>

#include "backend/plugin.h"
#include "base/log.h"

static const char *const nvidia[] = {"/dev/nvidiactl", "/dev/dxg", NULL};
static const sl_plugin plugins[] = {
    {"cuda", "sota_cuda.so", "SOTA_CUDA_PLUGIN", nvidia},
};
enum { N_PLUGINS = sizeof plugins / sizeof *plugins };

static const sl_backend *chosen; /* NULL: the best there is, when asked for */
static int same_bits;

/* "cuda" and "cuda:1" are devices of the kind "cuda"; -1: others. */
static int number_of(const char *name, const char *kind) {
  const size_t n = strlen(kind);
  if (strncmp(name, kind, n) != 0) return -1;
  if (!name[n]) return 0;
  char *end;
  const long number = name[n] == ':' ? strtol(name + n + 1, &end, 10) : -1;
  return number >= 0 && number < 1024 && end > name + n + 1 && !*end
             ? (int)number
             : -1;
}

/* The first module's device that can be used; else the CPU, with a word on why
 * if a module is there. */
static const sl_backend *best(sl_log_level level) {
  for (int i = 0; i < N_PLUGINS; i++) {
    const sl_plugin *p = &plugins[i];
    if (!sl_plugin_installed(p)) continue;
    const sl_backend *b = sl_plugin_device(p, 0);
    if (b) return b;
    sl_log(level, "using the CPU: %s", sl_error());
  }
  return &sl_cpu;
}

const sl_backend *sl_backend_find(const char *name) {
  if (strcmp(name, "auto") == 0) return best(SL_LOG_WARN);
  if (strcmp(name, sl_cpu.name) == 0) return &sl_cpu;
  for (int i = 0; i < N_PLUGINS; i++) {
    const int number = number_of(name, plugins[i].kind);
    if (number >= 0) return sl_plugin_device(&plugins[i], number);
  }
  sl_fail(SL_EINVAL, "there is no device '%s'; there are cpu, cuda and cuda:N",
          name);
  return NULL;
}

const sl_backend *sl_backend_at(int i, const char **why_not) {
  *why_not = NULL;
  if (i == 0) return &sl_cpu;
  if (i < 0 || i > N_PLUGINS) return NULL;
  const sl_backend *b = sl_plugin_device(&plugins[i - 1], 0);
  if (!b) *why_not = sl_error();
  return b;
}

static void choose(const sl_backend *b) {
  chosen = b;
  if (b && b->deterministic) b->deterministic(same_bits);
}

const sl_backend *sl_backend_default(void) {
  if (!chosen) choose(best(SL_LOG_DEBUG));
  return chosen;
}

void sl_backend_set_default(const sl_backend *b) {
  choose(b);
}

void sl_backend_deterministic(int on) {
  same_bits = on;
  choose(chosen);
}
