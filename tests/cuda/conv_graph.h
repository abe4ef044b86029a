/* conv_graph.h -- a convolution as cuDNN's operation graph, and its first plan.
 * Links with the real library and with the fake one. */
#ifndef CUDA_CONV_GRAPH_H
#define CUDA_CONV_GRAPH_H

#include <cudnn_graph.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum conv_kind { CONV_FORWARD, CONV_DGRAD, CONV_WGRAD } conv_kind;

/* x (n, h, w, c), weight (o, kh, kw, c / groups), y (n, oh, ow, o): NHWC. */
typedef struct conv_sizes {
  int64_t n, h, w, c, o, kh, kw, stride, padding, groups;
} conv_sizes;

int64_t conv_out(int64_t size, int64_t window, int64_t stride, int64_t padding);

enum { CONV_X = 1, CONV_W, CONV_Y }; /* unique ids */

typedef struct conv_plan {
  cudnnBackendDescriptor_t made[16]; /* in the order of their making */
  int n_made;
  cudnnBackendDescriptor_t plan;
  int64_t workspace;
  int n_configs, tensor_core, nondeterministic;
  cudnnStatus_t status; /* of the call that failed */
  char error[512];      /* which, and why; "" when all went well */
} conv_plan;

/* Fills p with the first plan that can be made on this device; on failure
 * p->error says what went wrong. To be freed in either case. device: NULL for
 * cuDNN's own default. */
void conv_plan_make(conv_plan *p, conv_kind kind, const conv_sizes *s,
                    cudnnDataType_t type, cudnnBackendDescriptor_t device);
void conv_plan_free(conv_plan *p);

#ifdef __cplusplus
}
#endif

#endif
