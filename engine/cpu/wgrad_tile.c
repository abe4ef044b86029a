/* wgrad_tile.c -- see wgrad_tile.h.
 *
 * A tile is some output channels (broadcast) by 16, 32 or 64 input channels,
 * all of whose sums stay in registers while it walks over the pixels. The
 * sixteen rows of a panel are done as 6 + 5 + 5 for 64 channels, 8 + 8 for 32
 * and 16 for 16: at most 24 of the 32 registers. */
#include "cpu/wgrad_tile.h"

#include "cpu/simd.h"

#ifdef __x86_64__
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define AVX512_BF16                                                            \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16")))

#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif

int sl_wgrad_supported(sl_dtype type) {
  if (!__builtin_cpu_supports("avx512f") ||
      !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512dq"))
    return 0;
  return type == SL_F32 || __builtin_cpu_supports("avx512bf16");
}

/* One step of a tile: a pixel (f32), or a pair of them (bf16). */
#define MULTIPLY_F32(c, x, d) _mm512_fmadd_ps(x, _mm512_set1_ps(d), c)
#define MULTIPLY_BF16(c, x, d)                                                 \
  _mm512_dpbf16_ps(c, (__m512bh)(x), (__m512bh)_mm512_set1_ps(d))

/* The same lines for both types; every size is a constant. */
#define TILE(name, TARGET, MULTIPLY, V, O)                                     \
  TARGET static void name(const sl_wgrad_tile *t, int first) {                 \
    enum { X_STEP = 64 * (V), Y_STEP = 64 };                                   \
    __m512 c[(V) * (O)];                                                       \
    float *dw = t->dw + first * t->row;                                        \
    const char *x = t->x, *y = t->dy;                                          \
    UNROLL for (int i = 0; i < (O) * (V); i++) c[i] =                          \
        t->add ? _mm512_loadu_ps(dw + i / (V)*t->row + i % (V)*16)             \
               : _mm512_setzero_ps();                                          \
    for (int64_t k = 0; k < t->len; k++) {                                     \
      __m512 v[V];                                                             \
      if (t->table) {                                                          \
        x = t->x + t->table[2 * k];                                            \
        y = t->dy + t->table[2 * k + 1];                                       \
      }                                                                        \
      UNROLL for (int i = 0; i < (V); i++) v[i] = _mm512_loadu_ps(x + i * 64); \
      UNROLL for (int o = 0; o < (O); o++) {                                   \
        float d;                                                               \
        memcpy(&d, y + (first + o) * 4, sizeof d);                             \
        UNROLL for (int i = 0; i < (V); i++) c[o * (V) + i] =                  \
            MULTIPLY(c[o * (V) + i], v[i], d);                                 \
      }                                                                        \
      x += X_STEP;                                                             \
      y += Y_STEP;                                                             \
    }                                                                          \
    UNROLL for (int i = 0; i < (O) * (V); i++)                                 \
        _mm512_storeu_ps(dw + i / (V)*t->row + i % (V)*16, c[i]);              \
  }

#define TILES(type, TARGET, MULTIPLY)                                          \
  TILE(type##_4x6, TARGET, MULTIPLY, 4, 6)                                     \
  TILE(type##_4x5, TARGET, MULTIPLY, 4, 5)                                     \
  TILE(type##_2x8, TARGET, MULTIPLY, 2, 8)                                     \
  TILE(type##_1x16, TARGET, MULTIPLY, 1, 16)                                   \
  static void type##_panel(const sl_wgrad_tile *t) {                           \
    if (t->width == 64) {                                                      \
      type##_4x6(t, 0);                                                        \
      type##_4x5(t, 6);                                                        \
      type##_4x5(t, 11);                                                       \
    } else if (t->width == 32) {                                               \
      type##_2x8(t, 0);                                                        \
      type##_2x8(t, 8);                                                        \
    } else {                                                                   \
      type##_1x16(t, 0);                                                       \
    }                                                                          \
  }

TILES(f32, AVX512, MULTIPLY_F32)
TILES(bf16, AVX512_BF16, MULTIPLY_BF16)

void sl_wgrad_panel(const sl_wgrad_tile *t) {
  if (t->type == SL_F32)
    f32_panel(t);
  else
    bf16_panel(t);
}

#else

int sl_wgrad_supported(sl_dtype type) {
  (void)type;
  return 0;
}

void sl_wgrad_panel(const sl_wgrad_tile *t) {
  (void)t; /* never called: not supported */
}

#endif
