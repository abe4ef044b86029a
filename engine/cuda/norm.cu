/* norm.cu -- batch normalisation of rows of c channels: the formulas of
 * cpu/norm.h. A thread works on V adjacent channels, 16 bytes where they divide
 * so and begin at such an address; sums are made in two stages, in f32 over RUN
 * rows and then in f64. */
#include <float.h>

#include "cuda/act.h"

enum { RUN = 32 };

/* --- V channels at once --------------------------------------------------- */

template <class T, int V> struct alignas(sizeof(T) * V) pack { T at[V]; };

CU_DEVICE float to_float(float v) {
  return v;
}
CU_DEVICE float to_float(sl_bf16 v) {
  return cu_bf16_to_f32(v);
}
CU_DEVICE void from_float(float *to, float v) {
  *to = v;
}
CU_DEVICE void from_float(sl_bf16 *to, float v) {
  *to = cu_bf16_from_f32(v);
}

template <class T, int V> CU_DEVICE void get(const T *p, int64_t i, float *v) {
  const pack<T, V> all = *(const pack<T, V> *)(const void *)(p + i);
  for (int k = 0; k < V; k++)
    v[k] = to_float(all.at[k]);
}

template <class T, int V>
CU_DEVICE void put(T *p, int64_t i, const float *v, int add) {
  pack<T, V> all;
  float was[V] = {0};
  if (add) get<T, V>(p, i, was);
  for (int k = 0; k < V; k++)
    from_float(&all.at[k], add ? was[k] + v[k] : v[k]);
  *(pack<T, V> *)(void *)(p + i) = all;
}

/* Whether 16 bytes may be read there at once: views begin anywhere. */
static int is_aligned(const void *p) {
  return (uintptr_t)p % 16 == 0;
}

/* Calls CALL(type, V) for what m's rows are made of. */
#define EACH_TYPE(m, aligned, CALL)                                            \
  if ((m)->dtype == SL_BF16) {                                                 \
    if ((m)->c % 8 == 0 && (aligned)) CALL(sl_bf16, 8);                        \
    CALL(sl_bf16, 1);                                                          \
  }                                                                            \
  if ((m)->c % 4 == 0 && (aligned)) CALL(float, 4);                            \
  CALL(float, 1)

/* --- sums over rows ------------------------------------------------------- */

/* How a block of threads covers rows: `across` groups of V channels, `down`
 * rows at a time. */
typedef struct shape {
  int across, down;
  int64_t tiles;  /* blocks along the channels */
  int64_t chunks; /* along the rows */
} shape;

static shape shape_of(const cu_batch *m, int v) {
  shape s;
  const int64_t groups = cu_div(m->c, v);
  s.across = 1;
  while (s.across < CU_WARP && s.across < groups)
    s.across *= 2;
  s.down = CU_THREADS / s.across;
  s.tiles = cu_div(groups, s.across);
  s.chunks = cu_div(m->rows, (int64_t)s.down * RUN);
  return s;
}

/* At most V = 1's chunks. */
extern "C" size_t cu_batch_scratch(const cu_batch *m) {
  int64_t chunks = 0;
  for (int v = 1; v <= 8; v *= 2) {
    const shape s = shape_of(m, v);
    if (s.chunks > chunks) chunks = s.chunks;
  }
  return (size_t)(2 * chunks * m->c) * sizeof(double);
}

/* Two sums for each channel of a chunk: part[2 * chunk][c], [2 * chunk + 1][c].
 * F adds row r of V channels from `at` on to its two sums. */
template <int V, class F>
CU_KERNEL(CU_THREADS)
sum_rows(int64_t rows, int64_t c, shape s, F f, double *part) {
  CU_DYN_SMEM(double, shared);
  const int x = (int)threadIdx.x % s.across, y = (int)threadIdx.x / s.across;
  const int64_t tile = blockIdx.x % s.tiles, chunk = blockIdx.x / s.tiles;
  const int64_t at = (tile * s.across + x) * V;
  const int64_t begin = chunk * s.down * RUN + y;
  float a[V] = {0}, b[V] = {0};
  if (at < c)
    for (int i = 0; i < RUN; i++) {
      const int64_t r = begin + (int64_t)i * s.down;
      if (r < rows) f(r, at, a, b);
    }
  for (int k = 0; k < V; k++) {
    shared[(threadIdx.x * V + k) * 2] = (double)a[k];
    shared[(threadIdx.x * V + k) * 2 + 1] = (double)b[k];
  }
  __syncthreads();
  const int sums = s.across * V * 2;
  for (int i = (int)threadIdx.x; i < sums; i += CU_THREADS) {
    const int64_t channel = tile * s.across * V + i / 2;
    double sum = 0;
    for (int d = 0; d < s.down; d++)
      sum += shared[d * sums + i];
    if (channel < c) part[(2 * chunk + i % 2) * c + channel] = sum;
  }
}

template <int V, class F>
static int run_sums(const cu_batch *m, F f, double *part, cudaStream_t st) {
  const shape s = shape_of(m, V);
  return CU_LAUNCH((sum_rows<V, F>), (unsigned)(s.tiles * s.chunks), CU_THREADS,
                   CU_THREADS * V * 2 * sizeof(double), st, m->rows, m->c, s, f,
                   part);
}

/* Joins the chunks of a channel: 8 channels a block, 32 threads each. F gets
 * the channel and its two sums. */
enum { JOIN = 8 };
template <class F>
CU_KERNEL(CU_THREADS)
join_sums(int64_t c, int64_t chunks, const double *part, F f) {
  __shared__ double a[CU_THREADS], b[CU_THREADS];
  const int x = (int)threadIdx.x % JOIN, y = (int)threadIdx.x / JOIN;
  const int64_t channel = blockIdx.x * (int64_t)JOIN + x;
  double sa = 0, sb = 0;
  if (channel < c)
    for (int64_t k = y; k < chunks; k += CU_THREADS / JOIN) {
      sa += part[2 * k * c + channel];
      sb += part[(2 * k + 1) * c + channel];
    }
  a[threadIdx.x] = sa;
  b[threadIdx.x] = sb;
  __syncthreads();
  if (y > 0 || channel >= c) return;
  for (int k = 1; k < CU_THREADS / JOIN; k++) {
    sa += a[k * JOIN + x];
    sb += b[k * JOIN + x];
  }
  f(channel, sa, sb);
}

/* --- statistics ----------------------------------------------------------- */

/* Sums of x - pivot and of its square; the pivot, the first row, keeps both
 * small. */
template <class T, int V> struct stats_row {
  const T *x;
  int64_t c;
  __device__ void operator()(int64_t r, int64_t at, float *a, float *b) const {
    float v[V], pivot[V];
    get<T, V>(x, r * c + at, v);
    get<T, V>(x, at, pivot);
    for (int k = 0; k < V; k++) {
      const float d = v[k] - pivot[k];
      a[k] += d;
      b[k] += d * d;
    }
  }
};

CU_DEVICE void affine(const cu_batch &m, int64_t i, float mean, float rstd) {
  m.scale[i] = m.gamma[i] * rstd;
  m.shift[i] = (float)((double)m.beta[i] - (double)mean * (double)m.scale[i]);
}

CU_DEVICE void learn(const cu_batch &m, int64_t i, double mean, double var) {
  m.mean[i] = (float)mean;
  m.rstd[i] = (float)(1 / sqrt(var + m.eps));
  affine(m, i, m.mean[i], m.rstd[i]);
}

struct stats_done {
  cu_batch m;
  const void *x;
  __device__ void operator()(int64_t i, double a, double b) const {
    const double n = (double)m.rows, off = a / n, m2 = b - off * a;
    const double mean = (double)cu_load(x, m.dtype, i) + off;
    const double var = (m2 > 0 ? m2 : 0) / n, k = m.momentum;
    const float to_mean =
        (float)((1 - k) * (double)m.running_mean[i] + k * mean);
    const float to_var =
        (float)((1 - k) * (double)m.running_var[i] + k * var * n / (n - 1));
    if (fabsf(to_mean) <= FLT_MAX && fabsf(to_var) <= FLT_MAX) {
      m.running_mean[i] = to_mean;
      m.running_var[i] = to_var;
    }
    learn(m, i, mean, var);
  }
};

template <class F>
static int join(const cu_batch *m, int v, const double *part, F f,
                cudaStream_t s) {
  return CU_LAUNCH((join_sums<F>), (unsigned)cu_div(m->c, JOIN), CU_THREADS, 0,
                   s, m->c, shape_of(m, v).chunks, part, f);
}

CU_KERNEL(CU_THREADS) learn_running(cu_batch m) {
  CU_EACH(i, m.c)
  learn(m, i, (double)m.running_mean[i], (double)m.running_var[i]);
}

template <class T, int V>
static int learn_batch(const cu_batch *m, const void *x, double *part,
                       cudaStream_t s) {
  const int e = run_sums<V>(m, stats_row<T, V>{(const T *)x, m->c}, part, s);
  return e ? e : join(m, V, part, stats_done{*m, x}, s);
}

extern "C" int cu_batch_learn(const cu_batch *m, const void *x, void *scratch,
                              cudaStream_t s) {
  if (!m->training)
    return CU_LAUNCH(learn_running, cu_blocks(m->c), CU_THREADS, 0, s, *m);
#define CALL(T, V) return learn_batch<T, V>(m, x, (double *)scratch, s)
  EACH_TYPE(m, is_aligned(x), CALL);
#undef CALL
}

/* --- forward -------------------------------------------------------------- */

/* pre = x * scale + shift (+ residual) of V channels. */
template <class T, int V>
CU_DEVICE void before_act(const cu_batch &m, const float *x, const T *residual,
                          int64_t i, int64_t at, float *pre) {
  float r[V];
  if (residual) get<T, V>(residual, i, r);
  for (int k = 0; k < V; k++) {
    pre[k] = x[k] * m.scale[at + k] + m.shift[at + k];
    if (residual) pre[k] += r[k];
  }
}

template <class T, int V>
CU_KERNEL(CU_THREADS)
apply(cu_batch m, const T *x, const T *residual, T *y) {
  CU_EACH(t, m.rows * m.c / V) {
    const int64_t i = t * V, at = i % m.c;
    float v[V], pre[V];
    get<T, V>(x, i, v);
    before_act<T, V>(m, v, residual, i, at, pre);
    for (int k = 0; k < V; k++)
      pre[k] = cu_act_value(m.act, pre[k]);
    put<T, V>(y, i, pre, 0);
  }
}

extern "C" int cu_batch_apply(const cu_batch *m, const void *x,
                              const void *residual, void *y, cudaStream_t s) {
  if (m->rows * m->c == 0) return cudaSuccess;
#define CALL(T, V)                                                             \
  return CU_LAUNCH((apply<T, V>), cu_blocks(m->rows * m->c / (V)), CU_THREADS, \
                   0, s, *m, (const T *)x, (const T *)residual, (T *)y)
  EACH_TYPE(m, is_aligned(x) && is_aligned(residual) && is_aligned(y), CALL);
#undef CALL
}

/* --- backward ------------------------------------------------------------- */

/* g = dy act'(pre) of V channels. */
template <class T, int V>
CU_DEVICE void slope(const cu_batch &m, const float *x, const T *residual,
                     const T *dy, int64_t i, int64_t at, float *g) {
  float pre[V];
  get<T, V>(dy, i, g);
  if (m.act == CU_NO_ACT) return;
  before_act<T, V>(m, x, residual, i, at, pre);
  for (int k = 0; k < V; k++)
    g[k] *= cu_act_slope(m.act, pre[k]);
}

template <class T, int V> struct grad_row {
  cu_batch m;
  const T *x, *residual, *dy;
  __device__ void operator()(int64_t r, int64_t at, float *a, float *b) const {
    float v[V], g[V];
    get<T, V>(x, r * m.c + at, v);
    slope<T, V>(m, v, residual, dy, r * m.c + at, at, g);
    for (int k = 0; k < V; k++) {
      a[k] += g[k];
      b[k] += g[k] * (v[k] - m.mean[at + k]);
    }
  }
};

CU_DEVICE void give(float *to, int64_t i, double v, int add) {
  if (to) to[i] = add ? (float)((double)to[i] + v) : (float)v;
}

struct grad_done {
  cu_batch m;
  cu_batch_params p;
  __device__ void operator()(int64_t i, double sum, double dot) const {
    const double n = (double)m.rows, rstd = (double)m.rstd[i];
    const double scale = (double)m.scale[i];
    m.k0[i] = m.training ? (float)(-scale * sum / n) : 0;
    m.k1[i] = m.training ? (float)(-scale * rstd * rstd * dot / n) : 0;
    give(p.dgamma, i, dot * rstd, p.add_gamma);
    give(p.dbeta, i, sum, p.add_beta);
  }
};

/* scale and shift again, from what forward kept. */
CU_KERNEL(CU_THREADS) recall(cu_batch m) {
  CU_EACH(i, m.c)
  affine(m, i, m.mean[i], m.rstd[i]);
}

template <class T, int V>
static int reduce_grad(const cu_batch *m, const void *x, const void *residual,
                       const void *dy, const cu_batch_params *p, double *part,
                       cudaStream_t s) {
  const grad_row<T, V> row = {*m, (const T *)x, (const T *)residual,
                              (const T *)dy};
  const int e = run_sums<V>(m, row, part, s);
  return e ? e : join(m, V, part, grad_done{*m, *p}, s);
}

extern "C" int cu_batch_reduce(const cu_batch *m, const void *x,
                               const void *residual, const void *dy,
                               const cu_batch_params *p, void *scratch,
                               cudaStream_t s) {
  const int e = CU_LAUNCH(recall, cu_blocks(m->c), CU_THREADS, 0, s, *m);
  if (e) return e;
#define CALL(T, V)                                                             \
  return reduce_grad<T, V>(m, x, residual, dy, p, (double *)scratch, s)
  EACH_TYPE(m, is_aligned(x) && is_aligned(residual) && is_aligned(dy), CALL);
#undef CALL
}

template <class T, int V>
CU_KERNEL(CU_THREADS)
norm_grad(cu_batch m, const T *x, const T *residual, const T *dy, T *dx,
          int add_dx, T *dresidual, int add_dresidual) {
  CU_EACH(t, m.rows * m.c / V) {
    const int64_t i = t * V, at = i % m.c;
    float v[V], g[V], d[V];
    get<T, V>(x, i, v);
    slope<T, V>(m, v, residual, dy, i, at, g);
    for (int k = 0; k < V; k++)
      d[k] = g[k] * m.scale[at + k] +
             ((v[k] - m.mean[at + k]) * m.k1[at + k] + m.k0[at + k]);
    if (dx) put<T, V>(dx, i, d, add_dx);
    if (dresidual) put<T, V>(dresidual, i, g, add_dresidual);
  }
}

extern "C" int cu_batch_grad(const cu_batch *m, const void *x,
                             const void *residual, const void *dy, void *dx,
                             int add_dx, void *dresidual, int add_dresidual,
                             cudaStream_t s) {
  if (m->rows * m->c == 0 || (!dx && !dresidual)) return cudaSuccess;
#define CALL(T, V)                                                             \
  return CU_LAUNCH((norm_grad<T, V>), cu_blocks(m->rows * m->c / (V)),         \
                   CU_THREADS, 0, s, *m, (const T *)x, (const T *)residual,    \
                   (const T *)dy, (T *)dx, add_dx, (T *)dresidual,             \
                   add_dresidual)
  EACH_TYPE(m,
            is_aligned(x) && is_aligned(residual) && is_aligned(dy) &&
                is_aligned(dx) && is_aligned(dresidual),
            CALL);
#undef CALL
}

/* --- bias ----------------------------------------------------------------- */

CU_KERNEL(CU_THREADS)
add_bias(void *y, int dtype, const void *bias, int bias_dtype, int64_t n,
         int64_t c) {
  CU_EACH(i, n)
  cu_store(y, dtype, i, cu_load(bias, bias_dtype, i % c), 1);
}

extern "C" int cu_add_bias(void *y, int dtype, const void *bias, int bias_dtype,
                           int64_t rows, int64_t c, cudaStream_t s) {
  if (rows * c == 0) return cudaSuccess;
  return CU_LAUNCH(add_bias, cu_blocks(rows * c), CU_THREADS, 0, s, y, dtype,
                   bias, bias_dtype, rows * c, c);
}
