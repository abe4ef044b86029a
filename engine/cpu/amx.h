/* amx.h -- the tile registers of AMX: eight of 16 rows by 64 bytes.
 *
 * A product of two tiles is 16 x 16 sums over 32 bf16 values, and takes 16
 * cycles: sixteen times what the vector units do. An Intel processor from
 * Sapphire Rapids on has them; Linux hands them to a process that asks. */
#ifndef SL_CPU_AMX_H
#define SL_CPU_AMX_H

#ifdef __x86_64__
#include <immintrin.h>
#define SL_AMX                                                                 \
  __attribute__((target(                                                       \
      "amx-tile,amx-bf16,avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))
#endif

/* Whether this process may use them for bf16; asks at the first call. */
int sl_amx_usable(void);

/* Whether sl_amx_usable may say yes: for tests and benchmarks. */
void sl_amx_allow(int allowed);

/* On a thread: all tiles become whole ones, until sl_amx_end. */
void sl_amx_begin(void);
void sl_amx_end(void);

#endif
