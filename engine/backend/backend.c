/* backend.c -- the list of backends. */
#include "backend/backend.h"

#include <string.h>

static const sl_backend *const backends[] = {&sl_cpu};
enum { N_BACKENDS = sizeof backends / sizeof *backends };

static const sl_backend *chosen = &sl_cpu;

const sl_backend *sl_backend_find(const char *name) {
  if (strcmp(name, "auto") == 0) return backends[N_BACKENDS - 1];
  for (int i = 0; i < N_BACKENDS; i++)
    if (strcmp(name, backends[i]->name) == 0) return backends[i];
  sl_fail(SL_EINVAL, "there is no device '%s'; this build has: cpu", name);
  return NULL;
}

const sl_backend *sl_backend_at(int i) {
  return i >= 0 && i < N_BACKENDS ? backends[i] : NULL;
}

const sl_backend *sl_backend_default(void) {
  return chosen;
}

void sl_backend_set_default(const sl_backend *b) {
  chosen = b;
}
