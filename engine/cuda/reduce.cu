/* reduce.cu -- reductions of (outer, n, inner) over n, in two stages: tasks of
 * a fixed size leave partial states, which are joined in order. No atomics: the
 * same bits every run.
 *
 * Rows (inner 1): a warp for each chunk of a row. Columns: a block of 32
 * columns and 8 threads down each. Sums are kept in double. */
#include "cuda/device.h"

enum { ROW_CHUNK = 4096, COLUMN_CHUNK = 512, DOWN = 8 };

/* --- states --------------------------------------------------------------- */

/* A sum of a function of the elements: F has map(x). */
template <class F> struct sum_state {
  double s;
  __device__ void clear() {
    s = 0;
  }
  __device__ void take(double x, int64_t) {
    s += F::map(x);
  }
  __device__ void join(const sum_state &o) {
    s += o.s;
  }
  __device__ void cross(int lanes) {
    s += __shfl_xor_sync(CU_ALL, s, lanes);
  }
};

/* The greatest element, the first of equal ones; a NaN is the greatest. */
struct best_state {
  double v;
  long long at; /* -1: none yet */
  __device__ void clear() {
    v = 0;
    at = -1;
  }
  __device__ void join(const best_state &o) {
    if (o.at < 0) return;
    const int nan = v != v, other = o.v != o.v;
    const int better =
        at < 0 || (nan ? other && o.at < at
                       : other || o.v > v || (o.v == v && o.at < at));
    if (better) *this = o;
  }
  __device__ void take(double x, int64_t i) {
    best_state o;
    o.v = x;
    o.at = i;
    join(o);
  }
  __device__ void cross(int lanes) {
    best_state o;
    o.v = __shfl_xor_sync(CU_ALL, v, lanes);
    o.at = __shfl_xor_sync(CU_ALL, at, lanes);
    join(o);
  }
};

/* What is done to an element before it is taken. */
struct as_it_is {
  __device__ double operator()(double x, int64_t) const {
    return x;
  }
};
struct signed_by {
  double sign;
  __device__ double operator()(double x, int64_t) const {
    return sign * x;
  }
};
struct around {
  const double *mean;
  __device__ double operator()(double x, int64_t result) const {
    return x - mean[result];
  }
};

/* --- stage one ------------------------------------------------------------ */

template <class S, class V>
CU_KERNEL(CU_THREADS)
reduce_rows(cu_reduction r, V view, S *part) {
  const int lane = (int)(threadIdx.x % CU_WARP);
  const int64_t warps = (int64_t)gridDim.x * (CU_THREADS / CU_WARP);
  for (int64_t t = (blockIdx.x * (int64_t)CU_THREADS + threadIdx.x) / CU_WARP;
       t < r.outer * r.chunks; t += warps) {
    const int64_t row = t % r.outer, chunk = t / r.outer;
    const int64_t begin = chunk * r.chunk;
    const int64_t end = begin + r.chunk < r.n ? begin + r.chunk : r.n;
    S s;
    s.clear();
    for (int64_t i = begin + lane; i < end; i += CU_WARP)
      s.take(view(cu_load_f64(r.x, r.dtype, row * r.n + i), row), i);
    for (int o = CU_WARP / 2; o; o >>= 1)
      s.cross(o);
    if (lane == 0) part[t] = s;
  }
}

/* Blocks: x: 32 columns of one outer index; y: chunks. */
template <class S, class V>
CU_KERNEL(CU_THREADS)
reduce_columns(cu_reduction r, V view, S *part) {
  CU_DYN_SMEM(S, shared);
  const int across = (int)(threadIdx.x % CU_WARP);
  const int down = (int)(threadIdx.x / CU_WARP);
  const int64_t tiles = (r.inner + CU_WARP - 1) / CU_WARP;
  const int64_t tasks = r.outer * tiles * r.chunks;
  for (int64_t t = blockIdx.x; t < tasks; t += gridDim.x) {
    const int64_t chunk = t / (r.outer * tiles), o = t / tiles % r.outer;
    const int64_t column = t % tiles * CU_WARP + across;
    const int64_t result = o * r.inner + column, begin = chunk * r.chunk;
    const int64_t end = begin + r.chunk < r.n ? begin + r.chunk : r.n;
    S s;
    s.clear();
    if (column < r.inner)
      for (int64_t i = begin + down; i < end; i += DOWN)
        s.take(view(cu_load_f64(r.x, r.dtype, (o * r.n + i) * r.inner + column),
                    result),
               i);
    shared[threadIdx.x] = s;
    __syncthreads();
    if (down == 0 && column < r.inner) {
      for (int k = 1; k < DOWN; k++)
        s.join(shared[k * CU_WARP + across]);
      part[chunk * r.outer * r.inner + result] = s;
    }
    __syncthreads();
  }
}

template <class S, class V>
static int stage_one(const cu_reduction *r, V view, S *part, cudaStream_t s) {
  if (r->outer * r->inner == 0) return cudaSuccess;
  if (r->inner == 1)
    return CU_LAUNCH((reduce_rows<S, V>),
                     cu_blocks(r->outer * r->chunks, CU_THREADS / CU_WARP),
                     CU_THREADS, 0, s, *r, view, part);
  return CU_LAUNCH(
      (reduce_columns<S, V>),
      cu_blocks(r->outer * cu_div(r->inner, CU_WARP) * r->chunks, 1),
      CU_THREADS, CU_THREADS * sizeof(S), s, *r, view, part);
}

/* --- stage two ------------------------------------------------------------ */

/* finish(result number, joined state), a thread each. */
template <class S, class F>
CU_KERNEL(CU_THREADS)
reduce_join(int64_t results, int64_t chunks, const S *part, F finish) {
  CU_EACH(i, results) {
    S s = part[i];
    for (int64_t k = 1; k < chunks; k++)
      s.join(part[k * results + i]);
    finish(i, s);
  }
}

template <class S, class V, class F>
static int reduce(const cu_reduction *r, V view, F finish, void *scratch,
                  cudaStream_t s) {
  const int64_t results = r->outer * r->inner;
  if (results == 0) return cudaSuccess;
  S *part = (S *)scratch;
  const int e = stage_one<S>(r, view, part, s);
  if (e) return e;
  return CU_LAUNCH((reduce_join<S, F>), cu_blocks(results), CU_THREADS, 0, s,
                   results, r->chunks, (const S *)part, finish);
}

extern "C" size_t cu_reduction_cut(cu_reduction *r) {
  const int64_t chunk = r->inner == 1 ? ROW_CHUNK : COLUMN_CHUNK;
  r->chunk = chunk;
  r->chunks = r->n > chunk ? cu_div(r->n, chunk) : 1;
  return (size_t)(r->outer * r->inner * r->chunks) * sizeof(best_state);
}

/* --- sums ----------------------------------------------------------------- */

CU_DEVICE void put_result(const cu_result &to, int64_t i, double v) {
  if (to.add) v += cu_load_f64(to.out, to.dtype, i);
  cu_store_f64(to.out, to.dtype, i, v);
}

#define SUM(name, mapping, finish)                                             \
  struct name##_map {                                                          \
    static __device__ double map(double x) {                                   \
      return mapping;                                                          \
    }                                                                          \
  };                                                                           \
  struct name##_finish {                                                       \
    cu_result to;                                                              \
    cu_fault *fault;                                                           \
    __device__ void operator()(int64_t i,                                      \
                               const sum_state<name##_map> &state) const {     \
      const double s = state.s, n CU_MAYBE = to.n;                             \
      const double v = finish;                                                 \
      if (fault && !(fabs(v) <= INT32_MAX)) {                                  \
        cu_report(fault, i, 0, (int64_t)v);                                    \
        return;                                                                \
      }                                                                        \
      put_result(to, i, v);                                                    \
    }                                                                          \
  };                                                                           \
  extern "C" int cu_##name(const cu_reduction *r, const cu_result *to,         \
                           void *scratch, cudaStream_t s) {                    \
    return reduce<sum_state<name##_map>>(                                      \
        r, as_it_is{},                                                         \
        name##_finish{*to, to->dtype == SL_I32 ? to->fault : NULL}, scratch,   \
        s);                                                                    \
  }
#define SL_REDUCE(name, map, finish, slope, dtype, help) SUM(name, map, finish)
#define SL_REDUCE_FLAG(name, map, finish, help)          SUM(name, map, finish)
#include "ops/reduce.def"

/* --- var, std ------------------------------------------------------------- */

struct keep_mean {
  cu_result to;
  __device__ void operator()(int64_t i, const sum_state<sum_map> &state) const {
    const double mean = state.s / to.n;
    ((double *)to.out)[i] = mean;
    if (to.mean) to.mean[i] = (float)mean;
  }
};

extern "C" int cu_plain_mean(const cu_reduction *r, const cu_result *to,
                             void *scratch, cudaStream_t s) {
  return reduce<sum_state<sum_map>>(r, as_it_is{}, keep_mean{*to}, scratch, s);
}

struct spread_finish {
  cu_result to;
  int root;
  __device__ void operator()(int64_t i,
                             const sum_state<norm_map> &state) const {
    const double v = state.s / to.n;
    put_result(to, i, root ? sqrt(v) : v);
  }
};

extern "C" int cu_spread(const cu_reduction *r, const cu_result *to,
                         const double *means, int root, void *scratch,
                         cudaStream_t s) {
  return reduce<sum_state<norm_map>>(r, around{means}, spread_finish{*to, root},
                                     scratch, s);
}

/* --- extrema -------------------------------------------------------------- */

struct best_finish {
  int sign, dtype;
  void *value;
  int32_t *place, *also;
  __device__ void operator()(int64_t i, const best_state &s) const {
    if (value) cu_store_f64(value, dtype, i, sign * s.v);
    if (place) place[i] = (int32_t)s.at + 1;
    if (also) also[i] = (int32_t)s.at + 1;
  }
};

extern "C" int cu_extremum(const cu_reduction *r, int sign, void *value,
                           int32_t *place, int32_t *also, void *scratch,
                           cudaStream_t s) {
  return reduce<best_state>(r, signed_by{(double)sign},
                            best_finish{sign, r->dtype, value, place, also},
                            scratch, s);
}

/* Results have elements of their own: no two write the same one. */
CU_KERNEL(CU_THREADS)
extremum_grad(void *dx, int dtype, const void *dy, const int32_t *place,
              cu_walk kept, cu_walk reduced) {
  CU_EACH(i, kept.n) {
    int64_t at[CU_VIEWS], in[CU_VIEWS];
    cu_locate(kept, i, at);
    cu_locate(reduced, place[i] - 1, in);
    cu_store(dx, dtype, at[0] + in[0], cu_load(dy, dtype, i), 1);
  }
}

extern "C" int cu_extremum_grad(void *dx, int dtype, const void *dy,
                                const int32_t *place, const cu_walk *kept,
                                const cu_walk *reduced, cudaStream_t s) {
  if (kept->n == 0) return cudaSuccess;
  return CU_LAUNCH(extremum_grad, cu_blocks(kept->n), CU_THREADS, 0, s, dx,
                   dtype, dy, place, *kept, *reduced);
}
