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

/* 16 rows of 16 words become columns. Four rounds: pairs of 4, 8, 16 and 32
 * bytes change places. */
SL_AMX static inline void sl_amx_transpose(__m512i *r) {
  __m512i a[16], b[16];
  for (int i = 0; i < 16; i += 2) {
    a[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    a[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; j++) {
      b[i + 2 * j] = _mm512_unpacklo_epi64(a[i + j], a[i + 2 + j]);
      b[i + 2 * j + 1] = _mm512_unpackhi_epi64(a[i + j], a[i + 2 + j]);
    }
  for (int i = 0; i < 4; i++) {
    const __m512i even0 = _mm512_shuffle_i32x4(b[i], b[i + 4], 0x88);
    const __m512i odd0 = _mm512_shuffle_i32x4(b[i], b[i + 4], 0xdd);
    const __m512i even1 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0x88);
    const __m512i odd1 = _mm512_shuffle_i32x4(b[i + 8], b[i + 12], 0xdd);
    r[i] = _mm512_shuffle_i32x4(even0, even1, 0x88);
    r[i + 4] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
    r[i + 12] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
  }
}
#endif

/* Whether this process may use them for bf16; asks at the first call. The user
 * may forbid it: ONEDNN_MAX_CPU_ISA or DNNL_MAX_CPU_ISA, as oneDNN has them. */
int sl_amx_usable(void);

/* Whether sl_amx_usable may say yes: for tests and benchmarks. */
void sl_amx_allow(int allowed);

/* On a thread: all tiles become whole ones, until sl_amx_end. */
void sl_amx_begin(void);
void sl_amx_end(void);

#endif
