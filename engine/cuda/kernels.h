/* kernels.h -- what the C files of this folder call in its .cu files.
 *
 * A launcher queues one or a few kernels on the stream and returns a
 * cudaError_t as an int. Pointers are to device memory. Nothing here knows
 * tensors: C++ could not read their header. */
#ifndef SL_CUDA_KERNELS_H
#define SL_CUDA_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#include "backend/update.h"
#include "ops/axis.h"

/* --- elements of several tensors, in step ----------------------------------
 */

enum { CU_RANK = 6, CU_VIEWS = 4 };

/* Where a tensor's elements lie; stride 0 where it is broadcast. */
typedef struct cu_view {
  void *p;
  int dtype; /* sl_dtype */
  int64_t stride[CU_RANK];
} cu_view;

/* n elements of a shape, and the same of each view. Dimensions that lie dense
 * after each other in all views are merged: equal dense shapes have rank 1. */
typedef struct cu_walk {
  int64_t n;
  int rank, n_views;
  int64_t shape[CU_RANK];
  cu_view v[CU_VIEWS];
} cu_walk;

/* Views: out, x; backward dx, x, dy. add: to what is there. */
typedef int cu_each(const cu_walk *w, int add, cudaStream_t s);
#define SL_UNARY(name, value, slope, help) cu_each cu_##name, cu_##name##_grad;
#include "ops/unary.def"
/* Views: out, a, b; backward da or db, a, b, dy. */
#define SL_BINARY(name, value, slope_a, slope_b, help)                         \
  cu_each cu_##name, cu_##name##_grad_a, cu_##name##_grad_b;
#include "ops/binary.def"
#define SL_COMPARE(name, value, help) cu_each cu_##name;
#include "ops/compare.def"

cu_each cu_copy;                          /* dst, src: any dtypes */
cu_each cu_where;                         /* out, condition, a, b */
cu_each cu_where_grad_a, cu_where_grad_b; /* da, condition, dy */

typedef struct cu_clamp {
  float min, max;
  int32_t first, last; /* the whole numbers between them */
} cu_clamp;
int cu_clamp_run(const cu_walk *w, cu_clamp c, int back, int add,
                 cudaStream_t s);

/* Views: dx, x, y and dy by their place in the result; mean, or y again. */
typedef int cu_slope(const cu_walk *w, const float *mean, float n, int add,
                     cudaStream_t s);
#define SL_REDUCE(name, map, finish, slope, dtype, help)                       \
  cu_slope cu_##name##_grad;
#define SL_REDUCE_FLAG(name, map, finish, help)
#include "ops/reduce.def"
cu_slope cu_var_grad, cu_std_grad;

/* Faults that kernels find in data; the host hears of them when it next waits
 * for the device: transfer.c. */
typedef enum cu_fault_kind {
  CU_FAULT_LABEL,
  CU_FAULT_INDEX,
  CU_FAULT_ONE_HOT,
  CU_FAULT_SUM,
  CU_FAULTS
} cu_fault_kind;
typedef struct cu_fault {
  unsigned long long where; /* position << 32 | value; all ones: none */
  int64_t limit;
} cu_fault;

/* --- reductions ------------------------------------------------------------
 */

/* Dense x seen as (outer, n, inner), of which n is reduced. */
typedef struct cu_reduction {
  const void *x;
  int dtype;
  int64_t outer, n, inner;
  int64_t chunk, chunks; /* n is cut into; set by cu_reduction_cut */
} cu_reduction;

/* What becomes of a sum: result number i of outer * inner. */
typedef struct cu_result {
  void *out;
  int dtype, add;
  double n;        /* how many elements went in; var and std: the divisor */
  float *mean;     /* var, std: kept for backward, or NULL */
  cu_fault *fault; /* where a sum that i32 cannot hold is reported */
} cu_result;

/* Chooses chunks; bytes of scratch that a reduction needs. */
size_t cu_reduction_cut(cu_reduction *r);

typedef int cu_reduce(const cu_reduction *r, const cu_result *to, void *scratch,
                      cudaStream_t s);
#define SL_REDUCE(name, map, finish, slope, dtype, help) cu_reduce cu_##name;
#define SL_REDUCE_FLAG(name, map, finish, help)          cu_reduce cu_##name;
#include "ops/reduce.def"
/* Around the mean: means of outer * inner doubles, computed first. */
cu_reduce cu_plain_mean; /* to->out: double */
int cu_spread(const cu_reduction *r, const cu_result *to, const double *means,
              int root, void *scratch, cudaStream_t s);

/* The first greatest element of sign * x, NaN above all, and its place, from
 * 1. value (of x's dtype) and both places may be NULL. */
int cu_extremum(const cu_reduction *r, int sign, void *value, int32_t *place,
                int32_t *also, void *scratch, cudaStream_t s);
/* dx += dy at each place; dx is cleared or holds what is added to. Strides of
 * a result over (kept dimensions), then of the reduced ones, in x. */
int cu_extremum_grad(void *dx, int dtype, const void *dy, const int32_t *place,
                     const cu_walk *kept, const cu_walk *reduced,
                     cudaStream_t s);

/* --- lines along one dimension: (outer, n, step) ---------------------------
 */

typedef struct cu_lines {
  int64_t outer, n, step;
} cu_lines;

typedef enum cu_row_kind { CU_SOFTMAX, CU_LOG_SOFTMAX } cu_row_kind;
int cu_softmax(cu_row_kind k, cu_lines l, int dtype, const void *x, void *y,
               cudaStream_t s);
int cu_softmax_grad(cu_row_kind k, cu_lines l, int dtype, const void *y,
                    const void *dy, void *dx, int add, cudaStream_t s);
int cu_cumsum(cu_lines l, int from_dtype, const void *from, int to_dtype,
              void *to, int backwards, int add, cudaStream_t s);

/* Sorted keys of each line, as ops/sort.h says; keys: `padded` (a power of two)
 * for each line. Then the first k of each line go to values (x's dtype) and
 * places; any of the three may be NULL. */
int cu_sort(cu_lines l, int dtype, const void *x, int descending, int64_t k,
            uint64_t *keys, int64_t padded, void *values, int32_t *places,
            int32_t *also, cudaStream_t s);
/* dx[place] += dy along each line of k results. */
int cu_sort_grad(cu_lines l, int64_t k, int dtype, void *dx, const void *dy,
                 const int32_t *place, cudaStream_t s);

/* --- picking by number -----------------------------------------------------
 */

int cu_check_index(const int32_t *index, int64_t count, int64_t limit,
                   cu_fault *fault, cudaStream_t s);
/* `size` bytes an element, as they are. */
int cu_index_select(cu_lines x, int size, const void *from,
                    const int32_t *index, int64_t picked, void *to,
                    cudaStream_t s);
int cu_index_select_grad(cu_lines x, int dtype, void *dx, const int32_t *index,
                         int64_t picked, const void *dy, int add,
                         cudaStream_t s);
int cu_gather(cu_lines x, int size, const void *from, const int32_t *index,
              int64_t n, void *to, cudaStream_t s);
int cu_gather_grad(cu_lines x, int dtype, void *dx, const int32_t *index,
                   int64_t n, const void *dy, int add, cudaStream_t s);
int cu_one_hot(const int32_t *index, int64_t count, int64_t classes, float *y,
               cudaStream_t s);

/* --- random numbers --------------------------------------------------------
 */

typedef struct cu_random {
  uint64_t seed;
  uint32_t call;
  double a, b;      /* low, high; mean, std; p; beta's a, b */
  int64_t from, to; /* randint */
} cu_random;
typedef int cu_fill(const cu_random *r, void *out, int64_t n, cudaStream_t s);
cu_fill cu_uniform, cu_normal, cu_bernoulli, cu_randint, cu_beta;
/* order: scratch of n. */
int cu_permutation(const cu_random *r, void *out, int64_t *order, int64_t n,
                   cudaStream_t s);

typedef struct cu_dropout {
  uint64_t seed;
  uint32_t call, threshold; /* 24-bit numbers below it are dropped */
  float scale;
} cu_dropout;
int cu_dropout_run(const cu_dropout *d, int64_t n, int from_dtype,
                   const void *from, int to_dtype, void *to, int add,
                   cudaStream_t s);

/* --- layers ----------------------------------------------------------------
 */

/* Images (n, h, w, c). place: of the maximum in its window; may be NULL. */
typedef struct cu_pool {
  int64_t n, c;
  sl_axis h, w;
  int dtype;
} cu_pool;
int cu_max_pool(const cu_pool *p, const void *x, void *y, uint8_t *place,
                cudaStream_t s);
int cu_max_pool_grad(const cu_pool *p, const void *dy, const uint8_t *place,
                     void *dx, int add, cudaStream_t s);
int cu_avg_pool(const cu_pool *p, const void *x, void *y, cudaStream_t s);
int cu_avg_pool_grad(const cu_pool *p, const void *dy, void *dx, int add,
                     cudaStream_t s);
int cu_global_max(int64_t n, int64_t pixels, int64_t c, int dtype,
                  const void *x, void *y, int32_t *place, cudaStream_t s);
int cu_global_max_grad(int64_t n, int64_t pixels, int64_t c, int dtype,
                       const void *dy, const int32_t *place, void *dx, int add,
                       cudaStream_t s);

/* Activations: sl_act, in its order. */
enum { CU_NO_ACT, CU_RELU, CU_GELU, CU_SILU, CU_MISH };

/* Batch norm over rows of c channels: the formulas are in cpu/norm.h. */
typedef struct cu_batch {
  int64_t rows, c;
  int dtype, act; /* of x, the residual, y and their gradients */
  int training;
  double eps, momentum;
  const float *gamma, *beta;
  float *running_mean, *running_var;
  float *mean, *rstd;             /* of this batch, (c) */
  float *scale, *shift, *k0, *k1; /* scratch, (c) each */
} cu_batch;
size_t cu_batch_scratch(const cu_batch *m); /* bytes, for sums */
/* mean, rstd, scale and shift; the running statistics in training. */
int cu_batch_learn(const cu_batch *m, const void *x, void *scratch,
                   cudaStream_t s);
int cu_batch_apply(const cu_batch *m, const void *x, const void *residual,
                   void *y, cudaStream_t s);
/* From mean and rstd: sums, the parameters' gradients (may be NULL), k0, k1. */
typedef struct cu_batch_params {
  float *dgamma, *dbeta;
  int add_gamma, add_beta;
} cu_batch_params;
int cu_batch_reduce(const cu_batch *m, const void *x, const void *residual,
                    const void *dy, const cu_batch_params *p, void *scratch,
                    cudaStream_t s);
/* dx and dresidual; either may be NULL. */
int cu_batch_grad(const cu_batch *m, const void *x, const void *residual,
                  const void *dy, void *dx, int add_dx, void *dresidual,
                  int add_dresidual, cudaStream_t s);

/* y (rows, c) += bias (c). */
int cu_add_bias(void *y, int dtype, const void *bias, int bias_dtype,
                int64_t rows, int64_t c, cudaStream_t s);

/* --- losses ----------------------------------------------------------------
 */

typedef struct cu_cross_entropy {
  int64_t n, k;
  int dtype; /* of the logits and their gradient */
  const void *logits;
  const int32_t *label; /* (n), 1..k; NULL: soft */
  const float *soft;    /* (n, k) */
  const float *weight;  /* (k), or NULL */
  double e;             /* smoothing */
  int reduction;        /* sl_reduction */
  double *terms;        /* scratch: 2 n + 1, the last is total weight */
  cu_fault *fault;
} cu_cross_entropy;
int cu_cross_entropy_run(const cu_cross_entropy *x, float *out, cudaStream_t s);
int cu_cross_entropy_grad(const cu_cross_entropy *x, const float *dout,
                          void *dx, int add, cudaStream_t s);

typedef struct cu_bce {
  int64_t count, k;
  int dtype;
  const void *logits;
  const float *y, *weight; /* weight (k) or NULL */
  int reduction;
  double *sums; /* scratch: one for each 1024 elements */
} cu_bce;
int cu_bce_run(const cu_bce *b, float *out, cudaStream_t s);
int cu_bce_grad(const cu_bce *b, const float *dout, void *dx, int add,
                cudaStream_t s);

/* --- optimisers ------------------------------------------------------------
 */

enum { CU_UPDATE_BLOCK = 4096 }; /* elements */

/* On the device: items, first[i] the first block of item i (n_items + 1), and
 * scratch of two doubles a block and a float an item. */
typedef struct cu_update {
  sl_rule rule;
  float alpha;
  int n_items;
  int64_t blocks;
  const sl_update_item *items;
  const int64_t *first;
  double *sums;
  float *ratio;
} cu_update;
int cu_update_run(const cu_update *u, cudaStream_t s);
int cu_grad_squares(const cu_update *u, double *sum, cudaStream_t s);

typedef struct cu_average {
  double keep;
  int n_items;
  int64_t blocks;
  const sl_average_item *items;
  const int64_t *first;
} cu_average;
int cu_average_run(const cu_average *a, cudaStream_t s);

/* --- augmentation ----------------------------------------------------------
 */

typedef struct cu_augment {
  int64_t n, h, w; /* stored */
  const void *x;
  int x_dtype;          /* u8 or f32 */
  const float *params;  /* (n, SL_AUGMENT_PARAMS) */
  const float *stats;   /* (2, 3) or NULL */
  const int32_t *boxes; /* (n_boxes, 4) or NULL */
  const int32_t *items; /* (n) with boxes */
  int64_t n_boxes;
  float *means; /* (n, mean_h, mean_w, 3), or NULL: not averaged */
  int64_t mean_h, mean_w;
  int64_t sampled_h, sampled_w;
  int64_t top, left, crop_h, crop_w; /* the window */
  int64_t crop_mean_h, crop_mean_w;  /* after averaging it */
  int64_t out_h, out_w;
  int mode, crop_mode, pad_mode, align_corners;
  uint64_t seed;
  uint32_t epoch, use;
  void *out;
  int out_dtype;
} cu_augment;
int cu_augment_run(const cu_augment *a, cudaStream_t s);

/* Does nothing: whether this module has code for the device. */
int cu_nothing(cudaStream_t s);

#ifdef __cplusplus
}
#endif

#endif
