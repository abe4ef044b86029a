/* dnn_graph.c -- a convolution as cuDNN sees it: an operation graph of one node
 * (its "backend" API; the older calls are deprecated). */
#include "cuda/dnn_internal.h"

void sl_dnn_check(sl_dnn_maker *m, cudnnStatus_t s, const char *what) {
  if (s != CUDNN_STATUS_SUCCESS && m->status == SL_OK)
    m->status = sl_dnn_fail(s, what);
}

sl_dnn_descriptor sl_dnn_make(sl_dnn_maker *m,
                              cudnnBackendDescriptorType_t type) {
  sl_dnn_descriptor d = NULL;
  if (m->status != SL_OK) return NULL;
  sl_dnn_check(m, cudnnBackendCreateDescriptor(type, &d),
               "making a descriptor");
  if (d) m->made[m->n++] = d;
  return d;
}

void sl_dnn_set(sl_dnn_maker *m, sl_dnn_descriptor d,
                cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v) {
  if (m->status != SL_OK) return;
  sl_dnn_check(m, cudnnBackendSetAttribute(d, name, type, n, v),
               "setting an attribute");
}

void sl_dnn_set_child(sl_dnn_maker *m, sl_dnn_descriptor d,
                      cudnnBackendAttributeName_t name,
                      sl_dnn_descriptor child) {
  sl_dnn_set(m, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &child);
}

void sl_dnn_finish(sl_dnn_maker *m, sl_dnn_descriptor d, const char *what) {
  if (m->status == SL_OK) sl_dnn_check(m, cudnnBackendFinalize(d), what);
}

void sl_dnn_drop(sl_dnn_maker *m) {
  while (m->n > 0)
    cudnnBackendDestroyDescriptor(m->made[--m->n]);
}

/* Sizes in cuDNN's order N, C, H, W; memory in ours. */
static sl_dnn_descriptor tensor(sl_dnn_maker *m, int64_t id,
                                cudnnDataType_t type, int64_t n, int64_t h,
                                int64_t w, int64_t c) {
  const int64_t size[4] = {n, c, h, w}, alignment = 16;
  const int64_t stride[4] = {h * w * c, 1, w * c, c};
  sl_dnn_descriptor d = sl_dnn_make(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  sl_dnn_set(m, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  sl_dnn_set(m, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
  sl_dnn_set(m, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
  sl_dnn_set(m, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
  sl_dnn_set(m, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1,
             &alignment);
  sl_dnn_finish(m, d, "a tensor");
  return d;
}

static sl_dnn_descriptor settings(sl_dnn_maker *m, const sl_conv_geometry *g) {
  const cudnnDataType_t sum = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t two = 2;
  sl_dnn_descriptor d = sl_dnn_make(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1,
             &two);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
             &sum);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE,
             CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2,
             g->padding);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2,
             g->padding);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2,
             g->stride);
  sl_dnn_set(m, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2,
             g->dilation);
  sl_dnn_finish(m, d, "a convolution's settings");
  return d;
}

/* The attributes of the three operations, which mean the same. */
static const struct {
  cudnnBackendDescriptorType_t type;
  cudnnBackendAttributeName_t alpha, beta, settings, x, weight, y;
} kinds[] = {
    [SL_DNN_FORWARD] = {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                        CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y},
    [SL_DNN_DGRAD] =
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY},
    [SL_DNN_WGRAD] =
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY},
};

sl_dnn_descriptor sl_dnn_graph(sl_dnn_maker *m, const sl_dnn_key *k) {
  const sl_conv_geometry *g = &k->g;
  const cudnnDataType_t type =
      k->type == SL_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const float one = 1, zero = 0;
  sl_dnn_descriptor x = tensor(m, SL_DNN_ID_X, type, g->n, g->h, g->w, g->c);
  sl_dnn_descriptor w =
      tensor(m, SL_DNN_ID_WEIGHT, type, g->o, g->kh, g->kw, g->c / g->groups);
  sl_dnn_descriptor y = tensor(m, SL_DNN_ID_Y, type, g->n, g->oh, g->ow, g->o);
  sl_dnn_descriptor s = settings(m, g);
  sl_dnn_descriptor d = sl_dnn_make(m, kinds[k->kind].type);
  sl_dnn_set(m, d, kinds[k->kind].alpha, CUDNN_TYPE_FLOAT, 1, &one);
  sl_dnn_set(m, d, kinds[k->kind].beta, CUDNN_TYPE_FLOAT, 1, &zero);
  sl_dnn_set_child(m, d, kinds[k->kind].settings, s);
  sl_dnn_set_child(m, d, kinds[k->kind].x, x);
  sl_dnn_set_child(m, d, kinds[k->kind].weight, w);
  sl_dnn_set_child(m, d, kinds[k->kind].y, y);
  sl_dnn_finish(m, d, "a convolution");
  sl_dnn_descriptor graph =
      sl_dnn_make(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  sl_dnn_set_child(m, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, d);
  sl_dnn_finish(m, graph, "an operation graph");
  return graph;
}
