/* plugin.c -- see plugin.h. */
#define _GNU_SOURCE /* dladdr */
#include "backend/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What became of the module, once it was tried. There is one. */
static struct {
  int tried;
  sl_plugin_open_function *open;
  const sl_backend *device;
  int number; /* of the device */
  char why[512];
} module;

/* --- where ---------------------------------------------------------------- */

/* The folder of the program or the library that this code is part of. */
static int own_folder(char folder[PATH_MAX]) {
  Dl_info info;
  char path[PATH_MAX];
  if (!dladdr((void *)(uintptr_t)own_folder, &info) || !info.dli_fname)
    return 0;
  /* Of the program dladdr has only the name that it was called by. */
  if (!strchr(info.dli_fname, '/') || !realpath(info.dli_fname, path)) {
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n <= 0) return 0;
    path[n] = 0;
  }
  char *slash = strrchr(path, '/');
  if (!slash) return 0;
  *slash = 0;
  memcpy(folder, path, sizeof path);
  return 1;
}

/* Beside the program, in lib/ beside its folder, or, from the stock
 * interpreter's lib/lua/5.4/sota, in lib/. */
static int find(const sl_plugin *p, char path[PATH_MAX]) {
  static const char *const places[] = {"", "../lib/sota-lua/",
                                       "../../../sota-lua/"};
  const char *given = getenv(p->variable);
  if (given && *given) return snprintf(path, PATH_MAX, "%s", given) < PATH_MAX;
  char folder[PATH_MAX];
  if (!own_folder(folder)) return 0;
  for (size_t i = 0; i < sizeof places / sizeof *places; i++)
    if (snprintf(path, PATH_MAX, "%s/%s%s", folder, places[i], p->file) <
            PATH_MAX &&
        access(path, R_OK) == 0)
      return 1;
  return 0;
}

int sl_plugin_installed(const sl_plugin *p) {
  char path[PATH_MAX];
  return find(p, path);
}

static int may_be_here(const sl_plugin *p) {
  const char *given = getenv(p->variable);
  if (given && *given) return 1;
  for (const char *const *sign = p->signs; *sign; sign++)
    if (access(*sign, F_OK) == 0) return 1;
  return 0;
}

/* --- loading -------------------------------------------------------------- */

/* "libx.so.9: cannot open shared object file: No such file or directory" */
static sl_status cannot_load(const char *path) {
  const char *why = dlerror();
  const char *tail = ": cannot open shared object file";
  const char *end = why ? strstr(why, tail) : NULL;
  if (end && strncmp(why, path, strlen(path)) != 0)
    return sl_fail(SL_EIO, "%.*s is not installed; %s needs it",
                   (int)(end - why), why, path);
  return sl_fail(SL_EIO, "cannot load it: %s", why ? why : path);
}

static sl_status load(const sl_plugin *p) {
  char path[PATH_MAX];
  SL_REQUIRE(find(p, path), SL_EIO, "%s is not installed", p->file);
  SL_REQUIRE(may_be_here(p), SL_EIO,
             "this machine has no driver for it (no %s)", p->signs[0]);
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (!library) return cannot_load(path);
  void *symbol = dlsym(library, "sl_plugin_open");
  SL_REQUIRE(symbol, SL_EIO, "%s is not a module of sota-lua", path);
  memcpy(&module.open, &symbol, sizeof symbol);
  return SL_OK;
}

static sl_status open_device(const sl_plugin *p, int number) {
  SL_TRY(load(p));
  sl_fail(SL_EIO, "%s was built for another version of sota-lua", p->file);
  module.device = module.open(SL_PLUGIN_ABI, &sl_engine_table, number);
  module.number = number;
  return module.device ? SL_OK : SL_EIO;
}

const sl_backend *sl_plugin_device(const sl_plugin *p, int number) {
  if (!module.tried) {
    module.tried = 1;
    if (open_device(p, number) != SL_OK)
      snprintf(module.why, sizeof module.why, "%s", sl_error());
  }
  if (!module.device) {
    sl_fail(SL_EIO, "%s cannot be used: %s", p->kind, module.why);
    return NULL;
  }
  if (module.number == number) return module.device;
  sl_fail(SL_EINVAL,
          "this process uses %s already; for %s:%d start another one",
          module.device->name, p->kind, number);
  return NULL;
}
