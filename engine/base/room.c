/* room.c -- see room.h. */
#include "base/room.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SMALL = 4 << 20 };

static _Atomic int64_t limit;

/* The number behind `key` in a small file of the system's; -1: not there. key
 * "": the file is the number. */
static int64_t number_in(const char *path, const char *key) {
  char text[4096];
  FILE *f = fopen(path, "re");
  if (!f) return -1;
  const size_t n = fread(text, 1, sizeof text - 1, f);
  fclose(f);
  text[n] = 0;
  const char *at = strstr(text, key);
  long long v;
  return at && sscanf(at + strlen(key), "%lld", &v) == 1 ? v : -1;
}

static int64_t least(int64_t a, int64_t b) {
  return a < b ? a : b;
}

/* What a control group allows more. Pages of files that it counts can be given
 * back. */
static int64_t group_room(void) {
  const char *const dir = "/sys/fs/cgroup/memory.";
  char path[64];
  int64_t v[2];
  static const char *const names[] = {"max", "current"};
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s%s", dir, names[i]);
    v[i] = number_in(path, "");
    if (v[i] < 0) return INT64_MAX; /* "max", or there is no such group */
  }
  const int64_t files =
      number_in("/sys/fs/cgroup/memory.stat", "\ninactive_file ");
  return v[0] - v[1] + (files > 0 ? files : 0);
}

static int64_t resident(void) {
  long long pages[2] = {0};
  FILE *f = fopen("/proc/self/statm", "re");
  if (!f) return 0;
  const int n = fscanf(f, "%lld %lld", &pages[0], &pages[1]);
  fclose(f);
  return n == 2 ? pages[1] * sysconf(_SC_PAGESIZE) : 0;
}

int64_t sl_memory_room(void) {
  const int64_t kib = number_in("/proc/meminfo", "MemAvailable:");
  int64_t room = least(kib < 0 ? INT64_MAX : kib << 10, group_room());
  const int64_t most = atomic_load(&limit);
  if (most) room = least(room, most - resident());
  return room > 0 ? room : 0;
}

void sl_memory_limit_set(int64_t bytes) {
  atomic_store(&limit, bytes);
}

int64_t sl_memory_limit(void) {
  return atomic_load(&limit);
}

int sl_memory_fits(size_t bytes) {
  return bytes < SMALL ||
         (bytes <= INT64_MAX && (int64_t)bytes <= sl_memory_room());
}
