/* conv_graph.c -- see conv_graph.h. */
#include "conv_graph.h"

#include <stdio.h>
#include <string.h>

typedef cudnnBackendDescriptor_t descriptor;
enum { MAX_CONFIGS = 32 };

static void fail(conv_plan *p, cudnnStatus_t status, const char *what) {
  char why[400] = "";
  if (p->error[0]) return;
  p->status = status;
  cudnnGetLastErrorString(why, sizeof why);
  snprintf(p->error, sizeof p->error, "%s: %s: %s", what,
           cudnnGetErrorString(status), why);
}

static void check(conv_plan *p, cudnnStatus_t status, const char *what) {
  if (status != CUDNN_STATUS_SUCCESS) fail(p, status, what);
}

static descriptor make(conv_plan *p, cudnnBackendDescriptorType_t type) {
  descriptor d = NULL;
  if (p->error[0]) return NULL;
  check(p, cudnnBackendCreateDescriptor(type, &d), "create a descriptor");
  if (d) p->made[p->n_made++] = d;
  return d;
}

static void set(conv_plan *p, descriptor d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v) {
  if (p->error[0]) return;
  check(p, cudnnBackendSetAttribute(d, name, type, n, v), "set an attribute");
}

static void set_child(conv_plan *p, descriptor d,
                      cudnnBackendAttributeName_t name, descriptor child) {
  set(p, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &child);
}

static void finish(conv_plan *p, descriptor d, const char *what) {
  if (p->error[0]) return;
  check(p, cudnnBackendFinalize(d), what);
}

int64_t conv_out(int64_t size, int64_t window, int64_t stride,
                 int64_t padding) {
  return (size + 2 * padding - window) / stride + 1;
}

/* Sizes in cuDNN's order N, C, H, W; memory in ours. */
static descriptor tensor(conv_plan *p, int64_t id, cudnnDataType_t type,
                         int64_t n, int64_t h, int64_t w, int64_t c) {
  const int64_t size[4] = {n, c, h, w};
#ifdef FAULT_WRONG_STRIDE
  const int64_t stride[4] = {h * w * c, h * w, w, 1};
#else
  const int64_t stride[4] = {h * w * c, 1, w * c, c};
#endif
  const int64_t alignment = 16;
  descriptor d = make(p, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(p, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set(p, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
  set(p, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
  set(p, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
  set(p, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  finish(p, d, "tensor");
  return d;
}

static descriptor settings(conv_plan *p, const conv_sizes *s) {
  const cudnnDataType_t sum = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t two = 2, padding[2] = {s->padding, s->padding};
  const int64_t stride[2] = {s->stride, s->stride}, dilation[2] = {1, 1};
  descriptor d = make(p, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  set(p, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
  set(p, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sum);
  set(p, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
      &mode);
  set(p, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  set(p, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2, padding);
  set(p, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2, stride);
  set(p, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, dilation);
  finish(p, d, "convolution");
  return d;
}

/* The attributes of the three operations, which mean the same. */
static const struct {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, settings, x, w, y;
} kinds[] = {
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
    {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
     CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
};

static descriptor operation(conv_plan *p, conv_kind k, const conv_sizes *s,
                            cudnnDataType_t type) {
  const int64_t oh = conv_out(s->h, s->kh, s->stride, s->padding);
  const int64_t ow = conv_out(s->w, s->kw, s->stride, s->padding);
  const float one = 1, zero = 0;
#ifdef FAULT_SWAPPED_IDS
  enum { ID_X = CONV_Y, ID_Y = CONV_X };
#else
  enum { ID_X = CONV_X, ID_Y = CONV_Y };
#endif
  descriptor x = tensor(p, ID_X, type, s->n, s->h, s->w, s->c);
  descriptor w = tensor(p, CONV_W, type, s->o, s->kh, s->kw, s->c / s->groups);
  descriptor y = tensor(p, ID_Y, type, s->n, oh, ow, s->o);
  descriptor c = settings(p, s);
  descriptor d = make(p, kinds[k].type);
  set(p, d, kinds[k].alpha, CUDNN_TYPE_FLOAT, 1, &one);
  set(p, d, kinds[k].beta, CUDNN_TYPE_FLOAT, 1, &zero);
  set_child(p, d, kinds[k].settings, c);
  set_child(p, d, kinds[k].x, x);
  set_child(p, d, kinds[k].w, w);
  set_child(p, d, kinds[k].y, y);
  finish(p, d, "operation");
  return d;
}

static descriptor heuristics(conv_plan *p, descriptor op, descriptor device,
                             cudnnBackendHeurMode_t mode) {
  descriptor graph = make(p, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set_child(p, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, op);
  finish(p, graph, "operation graph");
  descriptor h = make(p, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  set_child(p, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(p, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (device) set_child(p, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, device);
  finish(p, h, "heuristics");
  return h;
}

static void read_notes(conv_plan *p, descriptor config) {
  cudnnBackendNumericalNote_t notes[16];
  descriptor engine = NULL;
  int64_t n = 0;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine))
    return;
  cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine);
  n = 0;
  cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                           CUDNN_TYPE_NUMERICAL_NOTE, 16, &n, notes);
  for (int64_t i = 0; i < n; i++) {
    p->tensor_core |= notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
    p->nondeterministic |= notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC;
  }
  cudnnBackendDestroyDescriptor(engine);
}

/* A plan from one config; 0: it cannot be made. */
static int try_plan(conv_plan *p, descriptor config, descriptor device) {
  descriptor d = NULL;
  int64_t n = 0;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &d))
    return 0;
  cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
  if (device)
    cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                             CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &device);
  if (cudnnBackendFinalize(d) != CUDNN_STATUS_SUCCESS) {
    cudnnBackendDestroyDescriptor(d);
    return 0;
  }
  p->plan = d;
  cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                           CUDNN_TYPE_INT64, 1, &n, &p->workspace);
  read_notes(p, config);
  return 1;
}

static void first_plan(conv_plan *p, descriptor h, descriptor device) {
  descriptor configs[MAX_CONFIGS];
  int64_t got = 0;
  int made = 0;
  while (made < MAX_CONFIGS &&
         !cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                       &configs[made]))
    made++;
  check(p,
        cudnnBackendGetAttribute(h, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &got,
                                 configs),
        "engine configs");
  if (got > made) got = made;
  p->n_configs = (int)got;
  for (int i = 0; i < got && !p->plan; i++)
    try_plan(p, configs[i], device);
  for (int i = 0; i < made; i++)
    cudnnBackendDestroyDescriptor(configs[i]);
  if (!p->plan) fail(p, CUDNN_STATUS_NOT_SUPPORTED, "no engine config works");
}

void conv_plan_make(conv_plan *p, conv_kind kind, const conv_sizes *s,
                    cudnnDataType_t type, cudnnBackendDescriptor_t device) {
  memset(p, 0, sizeof *p);
  descriptor op = operation(p, kind, s, type);
  descriptor h = heuristics(p, op, device, CUDNN_HEUR_MODE_A);
  if (!p->error[0]) first_plan(p, h, device);
}

void conv_plan_free(conv_plan *p) {
  if (p->plan) cudnnBackendDestroyDescriptor(p->plan);
  while (p->n_made > 0)
    cudnnBackendDestroyDescriptor(p->made[--p->n_made]);
}
