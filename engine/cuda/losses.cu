/* losses.cu -- cross-entropy and binary cross-entropy: the formulas are in
 * ops/cross_entropy.h and ops/bce_with_logits.h. A warp takes a sample; sums
 * over samples are made by one block, in a fixed order. */
#include "cuda/device.h"

extern "C" {
#include "ops/loss.h"
}

/* --- sums in a fixed order ------------------------------------------------ */

/* f(i) summed over i < n by the whole block; every thread gets it. */
template <class F> CU_DEVICE double block_sum(int64_t n, double *shared, F f) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += CU_THREADS)
    sum += f(i);
  sum = cu_warp_sum(sum);
  if (threadIdx.x % CU_WARP == 0) shared[threadIdx.x / CU_WARP] = sum;
  __syncthreads();
  sum = 0;
  for (int w = 0; w < CU_THREADS / CU_WARP; w++)
    sum += shared[w];
  __syncthreads();
  return sum;
}

/* --- cross-entropy ---------------------------------------------------------
 */

CU_DEVICE float weight_of(const cu_cross_entropy &x, int64_t k) {
  return x.weight ? x.weight[k] : 1.0f;
}

/* The label, 0-based; one out of range is read as the first class: it has been
 * reported. */
CU_DEVICE int64_t label_of(const cu_cross_entropy &x, int64_t i) {
  const int32_t v = x.label[i];
  return v >= 1 && v <= x.k ? v - 1 : 0;
}

/* log of the sum of exp of a row = top + log(sum), by a warp. */
CU_DEVICE void normaliser(const cu_cross_entropy &x, int64_t i, int lane,
                          float *top, double *sum) {
  float most = cu_load(x.logits, x.dtype, i * x.k);
  for (int64_t k = lane; k < x.k; k += CU_WARP) {
    const float z = cu_load(x.logits, x.dtype, i * x.k + k);
    most = z > most ? z : most;
  }
  *top = cu_warp_max(most);
  double s = 0;
  for (int64_t k = lane; k < x.k; k += CU_WARP)
    s += (double)expf(cu_load(x.logits, x.dtype, i * x.k + k) - *top);
  *sum = cu_warp_sum(s);
}

/* A class of probability 0 does not count, be its logit -infinity; without
 * smoothing its term is not touched. */
CU_KERNEL(CU_THREADS, 2) cross_entropy_terms(cu_cross_entropy x) {
  const int lane = (int)(threadIdx.x % CU_WARP);
  const int64_t warps = (int64_t)gridDim.x * (CU_THREADS / CU_WARP);
  for (int64_t i = (blockIdx.x * (int64_t)CU_THREADS + threadIdx.x) / CU_WARP;
       i < x.n; i += warps) {
    float top;
    double sum, nll = 0, smooth = 0;
    normaliser(x, i, lane, &top, &sum);
    const double lse = (double)top + log(sum);
    for (int64_t k = lane; k < x.k; k += CU_WARP) {
      const float z = cu_load(x.logits, x.dtype, i * x.k + k);
      const float q = x.soft ? x.soft[i * x.k + k] : 0;
      if (q != 0) nll += (double)(weight_of(x, k) * q) * (lse - (double)z);
      if (x.e > 0) smooth += lse - (double)z;
    }
    nll = cu_warp_sum(nll);
    smooth = cu_warp_sum(smooth);
    if (lane != 0) continue;
    if (x.label) {
      const int64_t t = label_of(x, i);
      if (x.label[i] != t + 1) cu_report(x.fault, i, x.label[i], x.k);
      nll = (double)weight_of(x, t) *
            (lse - (double)cu_load(x.logits, x.dtype, i * x.k + t));
    }
    x.terms[i] = nll;
    x.terms[x.n + i] = smooth / (double)x.k;
  }
}

/* W: what the sum of nll is divided by for a mean; by one block, into the last
 * term. */
CU_KERNEL(CU_THREADS) cross_entropy_weight(cu_cross_entropy x) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  double w = (double)x.n;
  if (x.label && x.weight)
    w = block_sum(x.n, shared,
                  [&](int64_t i) { return (double)x.weight[label_of(x, i)]; });
  if (threadIdx.x == 0) x.terms[2 * x.n] = w;
}

/* What one item's nll and smooth are multiplied by in the loss. */
CU_DEVICE void factors(const cu_cross_entropy &x, double *of_nll,
                       double *of_smooth) {
  const int mean = x.reduction == SL_REDUCTION_MEAN;
  *of_nll = (1 - x.e) / (mean ? x.terms[2 * x.n] : 1);
  *of_smooth = x.e / (mean ? (double)x.n : 1);
}

CU_DEVICE double item(const cu_cross_entropy &x, int64_t i) {
  double of_nll, of_smooth;
  factors(x, &of_nll, &of_smooth);
  return of_nll * x.terms[i] + of_smooth * x.terms[x.n + i];
}

CU_KERNEL(CU_THREADS) cross_entropy_each(cu_cross_entropy x, float *out) {
  CU_EACH(i, x.n) {
    out[i] = (float)item(x, i);
  }
}

CU_KERNEL(CU_THREADS) cross_entropy_sum(cu_cross_entropy x, float *out) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  const double sum =
      block_sum(x.n, shared, [&](int64_t i) { return item(x, i); });
  if (threadIdx.x == 0) *out = (float)sum;
}

static unsigned warps_for(const cu_cross_entropy *x) {
  return cu_blocks(x->n, CU_THREADS / CU_WARP);
}

extern "C" int cu_cross_entropy_run(const cu_cross_entropy *x, float *out,
                                    cudaStream_t s) {
  int e = CU_LAUNCH(cross_entropy_weight, 1, CU_THREADS, 0, s, *x);
  if (!e && x->n > 0 && x->k > 0)
    e = CU_LAUNCH(cross_entropy_terms, warps_for(x), CU_THREADS, 0, s, *x);
  if (e) return e;
  if (x->reduction != SL_REDUCTION_NONE)
    return CU_LAUNCH(cross_entropy_sum, 1, CU_THREADS, 0, s, *x, out);
  if (x->n == 0) return cudaSuccess;
  return CU_LAUNCH(cross_entropy_each, cu_blocks(x->n), CU_THREADS, 0, s, *x,
                   out);
}

/* dz = softmax(z) * sum of a - a, a[k] = nll w[k] q[k] + smooth / K. */
CU_KERNEL(CU_THREADS, 2)
cross_entropy_grad(cu_cross_entropy x, const float *dout, void *dx, int add) {
  double of_nll, of_smooth;
  factors(x, &of_nll, &of_smooth);
  const int lane = (int)(threadIdx.x % CU_WARP);
  const int64_t warps = (int64_t)gridDim.x * (CU_THREADS / CU_WARP);
  for (int64_t i = (blockIdx.x * (int64_t)CU_THREADS + threadIdx.x) / CU_WARP;
       i < x.n; i += warps) {
    double sum = 0, all;
    float top;
    const double g = (double)dout[x.reduction == SL_REDUCTION_NONE ? i : 0];
    const double nll = of_nll * g, smooth = of_smooth * g;
    normaliser(x, i, lane, &top, &all);
    const int64_t t = x.label ? label_of(x, i) : 0;
    if (x.soft) {
      for (int64_t k = lane; k < x.k; k += CU_WARP)
        sum += nll * (double)(weight_of(x, k) * x.soft[i * x.k + k]);
      sum = cu_warp_sum(sum);
    } else {
      sum = nll * (double)weight_of(x, t);
    }
    const float scale = (float)((sum + smooth) / all);
    const float share = (float)(smooth / (double)x.k);
    for (int64_t k = lane; k < x.k; k += CU_WARP) {
      const float z = cu_load(x.logits, x.dtype, i * x.k + k);
      const float q = x.soft ? x.soft[i * x.k + k] : k == t ? 1.0f : 0.0f;
      const float d = scale * expf(z - top) - share;
      cu_store(dx, x.dtype, i * x.k + k, d - (float)nll * weight_of(x, k) * q,
               add);
    }
  }
}

extern "C" int cu_cross_entropy_grad(const cu_cross_entropy *x,
                                     const float *dout, void *dx, int add,
                                     cudaStream_t s) {
  if (x->n * x->k == 0) return cudaSuccess;
  const int e = CU_LAUNCH(cross_entropy_weight, 1, CU_THREADS, 0, s, *x);
  if (e) return e;
  return CU_LAUNCH(cross_entropy_grad, warps_for(x), CU_THREADS, 0, s, *x, dout,
                   dx, add);
}

/* --- binary cross-entropy --------------------------------------------------
 */

static const int64_t BCE_BLOCK = 1024;

/* 1 + (p - 1) y: how often the element's positive part counts. */
CU_DEVICE float times(const cu_bce &b, int64_t i) {
  return b.weight ? 1 + (b.weight[i % b.k] - 1) * b.y[i] : 1.0f;
}

/* log(1 + exp(-z)) */
CU_DEVICE float softplus_of_minus(float z) {
  return (z < 0 ? -z : 0.0f) + log1pf(expf(-fabsf(z)));
}

CU_DEVICE float sigmoid_of_minus(float z) {
  const float e = expf(-fabsf(z)); /* never overflows */
  return (z < 0 ? 1.0f : e) / (1 + e);
}

CU_DEVICE float bce_at(const cu_bce &b, int64_t i) {
  const float z = cu_load(b.logits, b.dtype, i);
  return (1 - b.y[i]) * z + times(b, i) * softplus_of_minus(z);
}

CU_KERNEL(CU_THREADS) bce_each(cu_bce b, float *out) {
  CU_EACH(i, b.count) {
    out[i] = bce_at(b, i);
  }
}

/* A block of threads for each BCE_BLOCK elements. */
CU_KERNEL(CU_THREADS) bce_blocks(cu_bce b) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  for (int64_t k = blockIdx.x; k * BCE_BLOCK < b.count; k += gridDim.x) {
    const int64_t first = k * BCE_BLOCK, left = b.count - first;
    const double sum =
        block_sum(left < BCE_BLOCK ? left : BCE_BLOCK, shared,
                  [&](int64_t i) { return (double)bce_at(b, first + i); });
    if (threadIdx.x == 0) b.sums[k] = sum;
  }
}

CU_KERNEL(CU_THREADS) bce_sum(cu_bce b, float *out) {
  __shared__ double shared[CU_THREADS / CU_WARP];
  const int64_t blocks = (b.count + BCE_BLOCK - 1) / BCE_BLOCK;
  const double sum =
      block_sum(blocks, shared, [&](int64_t i) { return b.sums[i]; });
  const int mean = b.reduction == SL_REDUCTION_MEAN;
  if (threadIdx.x == 0) *out = (float)(mean ? sum / (double)b.count : sum);
}

extern "C" int cu_bce_run(const cu_bce *b, float *out, cudaStream_t s) {
  const int each = b->reduction == SL_REDUCTION_NONE;
  if (each && b->count == 0) return cudaSuccess;
  if (each)
    return CU_LAUNCH(bce_each, cu_blocks(b->count), CU_THREADS, 0, s, *b, out);
  if (b->count > 0) {
    const int e = CU_LAUNCH(bce_blocks, cu_blocks(b->count, BCE_BLOCK),
                            CU_THREADS, 0, s, *b);
    if (e) return e;
  }
  return CU_LAUNCH(bce_sum, 1, CU_THREADS, 0, s, *b, out);
}

CU_KERNEL(CU_THREADS)
bce_grad(cu_bce b, const float *dout, void *dx, int add) {
  const int each = b.reduction == SL_REDUCTION_NONE;
  const float scale =
      b.reduction == SL_REDUCTION_MEAN ? 1 / (float)b.count : 1.0f;
  CU_EACH(i, b.count) {
    const float z = cu_load(b.logits, b.dtype, i);
    const float d = (1 - b.y[i]) - times(b, i) * sigmoid_of_minus(z);
    cu_store(dx, b.dtype, i, scale * dout[each ? i : 0] * d, add);
  }
}

extern "C" int cu_bce_grad(const cu_bce *b, const float *dout, void *dx,
                           int add, cudaStream_t s) {
  if (b->count == 0) return cudaSuccess;
  return CU_LAUNCH(bce_grad, cu_blocks(b->count), CU_THREADS, 0, s, *b, dout,
                   dx, add);
}
