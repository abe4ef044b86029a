/* amx.c -- see amx.h. */
#include "cpu/amx.h"

#include <stdatomic.h>
#include <stdint.h>

static atomic_int forbidden;

void sl_amx_allow(int allowed) {
  atomic_store(&forbidden, !allowed);
}

#if defined(__x86_64__) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

static int processor_has_it(void) {
  enum { LEAF = 7, BF16 = 1 << 22, TILE = 1 << 24 };
  unsigned a, b, c, d;
  if (!__get_cpuid_count(LEAF, 0, &a, &b, &c, &d)) return 0;
  return d & BF16 && d & TILE && __builtin_cpu_supports("avx512bf16") &&
         __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512dq");
}

/* The kernel saves 8 KiB more for threads of a process that has asked. */
static int system_grants_it(void) {
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

int sl_amx_usable(void) {
  enum { UNKNOWN, NO, YES };
  static atomic_int known;
  int k = atomic_load(&known);
  if (k == UNKNOWN) {
    k = processor_has_it() && system_grants_it() ? YES : NO;
    atomic_store(&known, k);
  }
  return k == YES && !atomic_load(&forbidden);
}

#define EIGHT(n) n, n, n, n, n, n, n, n

/* Static: gcc does not see that loading reads more of it than its first
 * word. */
static const struct {
  uint8_t palette, start_row, reserved[14];
  uint16_t row_bytes[16];
  uint8_t rows[16];
} whole_tiles = {.palette = 1, .row_bytes = {EIGHT(64)}, .rows = {EIGHT(16)}};

SL_AMX
void sl_amx_begin(void) {
  _tile_loadconfig(&whole_tiles);
}

SL_AMX
void sl_amx_end(void) {
  _tile_release();
}

#else

int sl_amx_usable(void) {
  return 0;
}

void sl_amx_begin(void) {}
void sl_amx_end(void) {}

#endif
