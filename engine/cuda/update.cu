/* update.cu -- the optimiser's step over all parameters in one launch (two for
 * rules with a trust ratio), running averages, and the gradients' norm. All
 * tensors together are cut into blocks of CU_UPDATE_BLOCK elements; each has
 * sums of its own, which are added in order. The rules are the CPU's. */
#include "cuda/device.h"

extern "C" {
#include "backend/update_rules.h"
}

/* Which item block b belongs to: the last with first[i] <= b. */
CU_DEVICE int item_of(const int64_t *first, int n_items, int64_t b) {
  int low = 0, high = n_items;
  while (high - low > 1) {
    const int middle = (low + high) / 2;
    if (first[middle] <= b)
      low = middle;
    else
      high = middle;
  }
  return low;
}

CU_DEVICE void averages(const sl_update_coef &c, int keeps, float *p, float *g,
                        float *m, float *s) {
  *p *= c.decay;
  *g = *g * c.grad_scale + c.l2 * *p;
  if (keeps & SL_KEEPS_AVG) *m = c.mom * *m + c.damp * *g;
  if (keeps & SL_KEEPS_SQR) *s = c.sqr_mom * *s + c.sqr_damp * *g * *g;
}

/* --- the step --------------------------------------------------------------
 */

/* A rule: rule(c, q, p, g, m, s), as constants of its kernel. */
#define X(name, kept, ratio)                                                   \
  struct name##_rule {                                                         \
    enum { keeps = kept, trust = ratio, rule = SL_RULE_##name };               \
    static __device__ __forceinline__ float run(const sl_update_coef *c,       \
                                                float q, float p, float g,     \
                                                float m, float s) {            \
      return sl_rule_##name(c, q, p, g, m, s);                                 \
    }                                                                          \
  };
SL_UPDATE_RULES(X)
#undef X

template <class R> CU_KERNEL(CU_THREADS) step(cu_update u) {
  for (int64_t b = blockIdx.x; b < u.blocks; b += gridDim.x) {
    const int item = item_of(u.first, u.n_items, b);
    const sl_update_item &t = u.items[item];
    const sl_update_coef c = t.c;
    const int64_t first = (b - u.first[item]) * CU_UPDATE_BLOCK;
    const int64_t last = first + CU_UPDATE_BLOCK;
    const float q = R::trust ? u.ratio[item] : 1;
    for (int64_t i = first + threadIdx.x; i < t.n && i < last;
         i += CU_THREADS) {
      float p = t.p[i], g = t.g[i];
      float m = R::keeps & SL_KEEPS_AVG ? t.m[i] : 0;
      float s = R::keeps & SL_KEEPS_SQR ? t.s[i] : 0;
      if (!R::trust) averages(c, R::keeps, &p, &g, &m, &s);
      p = R::run(&c, q, p, g, m, s);
      if (!R::trust && R::keeps & SL_KEEPS_AVG) t.m[i] = m;
      if (!R::trust && R::keeps & SL_KEEPS_SQR) t.s[i] = s;
      if (t.slow) {
        t.slow[i] += u.alpha * (p - t.slow[i]);
        p = t.slow[i];
      }
      t.p[i] = p;
    }
  }
}

/* --- sums ------------------------------------------------------------------
 */

/* The sum of v over the block's threads, in thread 0. */
CU_DEVICE double block_sum(double v, double *shared) {
  v = cu_warp_sum(v);
  __syncthreads();
  if (threadIdx.x % CU_WARP == 0) shared[threadIdx.x / CU_WARP] = v;
  __syncthreads();
  v = 0;
  for (int w = 0; w < CU_THREADS / CU_WARP; w++)
    v += shared[w];
  return v;
}

/* First pass of a rule with a trust ratio: decay and averages, and for each
 * block the sums of squares that the ratio is made of. */
template <class R> CU_KERNEL(CU_THREADS) measure(cu_update u) {
  CU_DYN_SMEM(double, shared);
  for (int64_t b = blockIdx.x; b < u.blocks; b += gridDim.x) {
    const int item = item_of(u.first, u.n_items, b);
    const sl_update_item &t = u.items[item];
    const sl_update_coef c = t.c;
    const int64_t first = (b - u.first[item]) * CU_UPDATE_BLOCK;
    const int64_t last = first + CU_UPDATE_BLOCK;
    double p2 = 0, x2 = 0;
    for (int64_t i = first + threadIdx.x; i < t.n && i < last;
         i += CU_THREADS) {
      float p = t.p[i], g = t.g[i], m = t.m[i];
      float s = R::keeps & SL_KEEPS_SQR ? t.s[i] : 0;
      averages(c, R::keeps, &p, &g, &m, &s);
      t.p[i] = p;
      t.m[i] = m;
      if (R::keeps & SL_KEEPS_SQR) t.s[i] = s;
      const double x = (double)sl_trust_measure((sl_rule)R::rule, &c, g, m, s);
      p2 += (double)p * (double)p;
      x2 += x * x;
    }
    p2 = block_sum(p2, shared);
    x2 = block_sum(x2, shared);
    if (threadIdx.x == 0) {
      u.sums[2 * b] = p2;
      u.sums[2 * b + 1] = x2;
    }
  }
}

/* A block for each item. */
CU_KERNEL(CU_THREADS) ratios(cu_update u) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  for (int item = (int)blockIdx.x; item < u.n_items; item += (int)gridDim.x) {
    double p2 = 0, x2 = 0;
    for (int64_t b = u.first[item] + threadIdx.x; b < u.first[item + 1];
         b += CU_THREADS) {
      p2 += u.sums[2 * b];
      x2 += u.sums[2 * b + 1];
    }
    p2 = block_sum(p2, shared);
    x2 = block_sum(x2, shared);
    const sl_update_item &t = u.items[item];
    if (threadIdx.x == 0)
      u.ratio[item] = sl_trust_ratio(u.rule, &t.c, p2, x2, t.n);
  }
}

template <class R> static int run_rule(const cu_update *u, cudaStream_t s) {
  const unsigned blocks = cu_blocks(u->blocks, 1);
  int e = cudaSuccess;
  if (R::trust) {
    e = CU_LAUNCH((measure<R>), blocks, CU_THREADS,
                  CU_THREADS / CU_WARP * sizeof(double), s, *u);
    if (!e)
      e = CU_LAUNCH(ratios, cu_blocks(u->n_items, 1), CU_THREADS, 0, s, *u);
  }
  return e ? e : CU_LAUNCH((step<R>), blocks, CU_THREADS, 0, s, *u);
}

extern "C" int cu_update_run(const cu_update *u, cudaStream_t s) {
  if (u->blocks == 0) return cudaSuccess;
  switch (u->rule) {
#define X(name, keeps, trust)                                                  \
  case SL_RULE_##name:                                                         \
    return run_rule<name##_rule>(u, s);
    SL_UPDATE_RULES(X)
#undef X
  default:
    return cudaErrorInvalidValue;
  }
}

/* --- norm of the gradients --------------------------------------------------
 */

CU_KERNEL(CU_THREADS) squares(cu_update u) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  for (int64_t b = blockIdx.x; b < u.blocks; b += gridDim.x) {
    const int item = item_of(u.first, u.n_items, b);
    const sl_update_item &t = u.items[item];
    const int64_t first = (b - u.first[item]) * CU_UPDATE_BLOCK;
    const int64_t last = first + CU_UPDATE_BLOCK;
    double sum = 0;
    for (int64_t i = first + threadIdx.x; i < t.n && i < last; i += CU_THREADS)
      sum += (double)t.g[i] * (double)t.g[i];
    sum = block_sum(sum, shared);
    if (threadIdx.x == 0) u.sums[b] = sum;
  }
}

CU_KERNEL(CU_THREADS) sum_all(const double *v, int64_t n, double *to) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += CU_THREADS)
    sum += v[i];
  sum = block_sum(sum, shared);
  if (threadIdx.x == 0) *to = sum;
}

extern "C" int cu_grad_squares(const cu_update *u, double *sum,
                               cudaStream_t s) {
  int e = cudaSuccess;
  if (u->blocks > 0)
    e = CU_LAUNCH(squares, cu_blocks(u->blocks, 1), CU_THREADS, 0, s, *u);
  if (e) return e;
  return CU_LAUNCH(sum_all, 1, CU_THREADS, 0, s, (const double *)u->sums,
                   u->blocks, sum);
}

/* --- running averages -------------------------------------------------------
 */

CU_KERNEL(CU_THREADS) average(cu_average w) {
  const float k = (float)w.keep, d = (float)(1 - w.keep);
  for (int64_t b = blockIdx.x; b < w.blocks; b += gridDim.x) {
    const int item = item_of(w.first, w.n_items, b);
    const sl_average_item &t = w.items[item];
    const int64_t first = (b - w.first[item]) * CU_UPDATE_BLOCK;
    const int64_t last = first + CU_UPDATE_BLOCK;
    for (int64_t i = first + threadIdx.x; i < t.n && i < last; i += CU_THREADS)
      t.a[i] = w.keep == 0 ? t.b[i] : k * t.a[i] + d * t.b[i];
  }
}

extern "C" int cu_average_run(const cu_average *w, cudaStream_t s) {
  if (w->blocks == 0) return cudaSuccess;
  return CU_LAUNCH(average, cu_blocks(w->blocks, 1), CU_THREADS, 0, s, *w);
}
