/* simd.h -- sixteen floats at a time, on any machine.
 *
 * Kernels are written once, over vectors of 16 floats that the compiler cuts
 * into what the processor has. SL_SIMD in front of a function compiles it for
 * AVX-512, for AVX2 and for the baseline, and picks one as the program
 * starts. Only for static functions, of names that no other file has: clang 14
 * cannot export such ones, and yet exports what chooses among them. */
#ifndef SL_CPU_SIMD_H
#define SL_CPU_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SL_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SL_SANITIZED 1
#endif

/* The choice runs before a sanitizer is ready, so not together with one. */
#if defined(__x86_64__) && !defined(SL_SANITIZED) && !defined(__AVX512F__)
#define SL_SIMD                                                                \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define SL_SIMD
#endif

/* Inlined into each of the versions, with its constant arguments. */
#define SL_INLINE static inline __attribute__((always_inline))

enum { SL_LANES = 16 };
typedef float sl_v16 __attribute__((vector_size(64)));
typedef int32_t sl_v16i __attribute__((vector_size(64)));

/* n of the 16 lanes; the others are 0. n is a constant 16 but at the end of a
 * row. Through a pointer: vectors as results have no portable ABI. */
SL_INLINE void sl_load(sl_v16 *v, const float *p, int n) {
  if (n < SL_LANES) *v = (sl_v16){0};
  memcpy(v, p, (size_t)n * sizeof *p);
}

SL_INLINE void sl_store(float *p, const sl_v16 *v, int n) {
  memcpy(p, v, (size_t)n * sizeof *p);
}

#endif
