/* dnn_internal.h -- what the files that know cuDNN share: descriptors, keys and
 * plans. */
#ifndef SL_CUDA_DNN_INTERNAL_H
#define SL_CUDA_DNN_INTERNAL_H

#include <cudnn_graph.h>

#include "cuda/cuda.h"
#include "cuda/dnn.h"

typedef cudnnBackendDescriptor_t sl_dnn_descriptor;

enum { SL_DNN_ID_X = 1, SL_DNN_ID_WEIGHT, SL_DNN_ID_Y, SL_DNN_MADE = 16 };

typedef struct sl_dnn_library {
  cudnnHandle_t handle;
  sl_dnn_descriptor device; /* NULL: cuDNN's own idea of the current device */
  char version[32];
  int tunes; /* SOTA_CUDA_TUNE: engines are timed, the choice kept on disk */
} sl_dnn_library;

extern sl_dnn_library sl_dnn;

/* What a plan is for. No padding bytes: keys are compared and written as they
 * are. */
typedef struct sl_dnn_key {
  sl_conv_geometry g;
  int64_t kind, type;            /* sl_dnn_kind, sl_dtype */
  int64_t strict, deterministic; /* no tensor cores for f32; the same bits */
} sl_dnn_key;

typedef struct sl_dnn_plan {
  struct sl_dnn_plan *next;
  sl_dnn_key key;
  sl_dnn_descriptor plan;
  int64_t workspace;
} sl_dnn_plan;

typedef struct sl_dnn_data {
  void *x, *weight, *y;
} sl_dnn_data;

sl_status sl_dnn_fail(cudnnStatus_t s, const char *what);
#define DNN_TRY(expr, what)                                                    \
  do {                                                                         \
    const cudnnStatus_t s_ = (expr);                                           \
    if (s_ != CUDNN_STATUS_SUCCESS) return sl_dnn_fail(s_, what);              \
  } while (0)

/* --- descriptors: dnn_graph.c --------------------------------------------- */

/* Descriptors made together; destroyed together. */
typedef struct sl_dnn_maker {
  sl_dnn_descriptor made[SL_DNN_MADE];
  int n;
  sl_status status; /* the first failure; later steps do nothing */
} sl_dnn_maker;

void sl_dnn_check(sl_dnn_maker *m, cudnnStatus_t s, const char *what);
sl_dnn_descriptor sl_dnn_make(sl_dnn_maker *m,
                              cudnnBackendDescriptorType_t type);
void sl_dnn_set(sl_dnn_maker *m, sl_dnn_descriptor d,
                cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v);
void sl_dnn_set_child(sl_dnn_maker *m, sl_dnn_descriptor d,
                      cudnnBackendAttributeName_t name,
                      sl_dnn_descriptor child);
void sl_dnn_finish(sl_dnn_maker *m, sl_dnn_descriptor d, const char *what);
void sl_dnn_drop(sl_dnn_maker *m);

/* The convolution as an operation graph of one node. */
sl_dnn_descriptor sl_dnn_graph(sl_dnn_maker *m, const sl_dnn_key *k);

/* --- plans: dnn_plan.c ---------------------------------------------------- */

/* Fills plan and workspace of p, whose key is there. data: what engines are
 * timed on; y is overwritten. */
SL_MUST_USE sl_status sl_dnn_choose(sl_dnn_plan *p, const sl_dnn_data *data);

/* Makes p's plan with this attribute, which decides what it is; 0: cuDNN does
 * not. */
int sl_dnn_plan_from(sl_dnn_plan *p, cudnnBackendAttributeName_t name,
                     cudnnBackendAttributeType_t type, int64_t count,
                     const void *v);

/* Queues it (dnn.c). */
SL_MUST_USE sl_status sl_dnn_execute(const sl_dnn_plan *p,
                                     const sl_dnn_data *data);

/* --- on disk: dnn_disk.c -------------------------------------------------- */

/* Finds and makes the folder: SOTA_CUDA_PLANS, else sota-lua/plans in the
 * user's cache. Only the first of them not to be had is an error. */
SL_MUST_USE sl_status sl_dnn_disk_open(void);

/* The plan that was kept for p's key, this GPU and this cuDNN; 0: none. */
int sl_dnn_disk_load(sl_dnn_plan *p);
/* Keeps it; what cannot be written is chosen again next time. */
void sl_dnn_disk_save(const sl_dnn_plan *p);

#endif
