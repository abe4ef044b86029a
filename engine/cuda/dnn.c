/* dnn.c -- see dnn.h.
 *
 * A convolution is an operation graph of one node (cuDNN's "backend" API; the
 * older calls are deprecated). cuDNN's heuristics list engines for it, best
 * first; the first that can be made a plan of, and that does what was asked for
 * (deterministic, strict f32), is kept with its geometry. */
#include "cuda/dnn.h"

#include <cudnn_graph.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/cuda.h"

typedef cudnnBackendDescriptor_t descriptor;

enum { ID_X = 1, ID_WEIGHT, ID_Y, MAX_MADE = 16, MAX_CONFIGS = 32 };

typedef struct key {
  sl_conv_geometry g;
  int64_t kind, type, deterministic;
} key;

typedef struct plan {
  struct plan *next;
  key key;
  descriptor plan;
  int64_t workspace;
} plan;

static struct {
  cudnnHandle_t handle;
  descriptor device; /* NULL: cuDNN's own idea of the current device */
  plan *plans;
  char version[32];
} dnn;

/* --- errors --------------------------------------------------------------- */

static sl_status fail(cudnnStatus_t s, const char *what) {
  char why[256] = "";
  cudnnGetLastErrorString(why, sizeof why);
  const int memory =
      s == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
      s == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  return sl_fail(memory ? SL_ENOMEM : SL_EINTERNAL,
                 "cuDNN failed in %s: %s%s%s", what, cudnnGetErrorString(s),
                 *why ? ": " : "", why);
}

#define DNN_TRY(expr, what)                                                    \
  do {                                                                         \
    const cudnnStatus_t s_ = (expr);                                           \
    if (s_ != CUDNN_STATUS_SUCCESS) return fail(s_, what);                     \
  } while (0)

/* --- opening -------------------------------------------------------------- */

/* Heuristics ask for the device's properties; without them they take those of
 * the current device. */
static void find_device(void) {
  const int32_t number = sl_cuda.number;
  descriptor d = NULL;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d) !=
      CUDNN_STATUS_SUCCESS)
    return;
  if (cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID,
                               CUDNN_TYPE_INT32, 1,
                               &number) == CUDNN_STATUS_SUCCESS &&
      cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS)
    dnn.device = d;
  else
    cudnnBackendDestroyDescriptor(d);
}

sl_status sl_dnn_open(void) {
  const size_t v = cudnnGetVersion();
  snprintf(dnn.version, sizeof dnn.version, "%zu.%zu.%zu", v / 10000,
           v / 100 % 100, v % 100);
  DNN_TRY(cudnnCreate(&dnn.handle), "opening");
  DNN_TRY(cudnnSetStream(dnn.handle, sl_cuda.stream), "opening");
  find_device();
  return SL_OK;
}

const char *sl_dnn_version(void) {
  return dnn.version;
}

/* --- descriptors ---------------------------------------------------------- */

/* Descriptors made on the way to a plan; destroyed together. */
typedef struct maker {
  descriptor made[MAX_MADE];
  int n;
  sl_status status; /* the first failure; later steps do nothing */
} maker;

static void check(maker *m, cudnnStatus_t s, const char *what) {
  if (s != CUDNN_STATUS_SUCCESS && m->status == SL_OK)
    m->status = fail(s, what);
}

static descriptor make(maker *m, cudnnBackendDescriptorType_t type) {
  descriptor d = NULL;
  if (m->status != SL_OK) return NULL;
  check(m, cudnnBackendCreateDescriptor(type, &d), "making a descriptor");
  if (d) m->made[m->n++] = d;
  return d;
}

static void set(maker *m, descriptor d, cudnnBackendAttributeName_t name,
                cudnnBackendAttributeType_t type, int64_t n, const void *v) {
  if (m->status != SL_OK) return;
  check(m, cudnnBackendSetAttribute(d, name, type, n, v),
        "setting an attribute");
}

static void set_child(maker *m, descriptor d, cudnnBackendAttributeName_t name,
                      descriptor child) {
  set(m, d, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &child);
}

static void finish(maker *m, descriptor d, const char *what) {
  if (m->status == SL_OK) check(m, cudnnBackendFinalize(d), what);
}

static void drop(maker *m) {
  while (m->n > 0)
    cudnnBackendDestroyDescriptor(m->made[--m->n]);
}

/* Sizes in cuDNN's order N, C, H, W; memory in ours. */
static descriptor tensor(maker *m, int64_t id, cudnnDataType_t type, int64_t n,
                         int64_t h, int64_t w, int64_t c) {
  const int64_t size[4] = {n, c, h, w}, alignment = 16;
  const int64_t stride[4] = {h * w * c, 1, w * c, c};
  descriptor d = make(m, CUDNN_BACKEND_TENSOR_DESCRIPTOR);
  set(m, d, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &type);
  set(m, d, CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, 4, size);
  set(m, d, CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, 4, stride);
  set(m, d, CUDNN_ATTR_TENSOR_UNIQUE_ID, CUDNN_TYPE_INT64, 1, &id);
  set(m, d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, CUDNN_TYPE_INT64, 1, &alignment);
  finish(m, d, "a tensor");
  return d;
}

static descriptor settings(maker *m, const sl_conv_geometry *g) {
  const cudnnDataType_t sum = CUDNN_DATA_FLOAT;
  const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
  const int64_t two = 2;
  descriptor d = make(m, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
  set(m, d, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, CUDNN_TYPE_INT64, 1, &two);
  set(m, d, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1, &sum);
  set(m, d, CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE, 1,
      &mode);
  set(m, d, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, 2,
      g->padding);
  set(m, d, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, 2,
      g->padding);
  set(m, d, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, 2,
      g->stride);
  set(m, d, CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, 2, g->dilation);
  finish(m, d, "a convolution's settings");
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

static descriptor operation(maker *m, const key *k) {
  const sl_conv_geometry *g = &k->g;
  const cudnnDataType_t type =
      k->type == SL_BF16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_FLOAT;
  const float one = 1, zero = 0;
  descriptor x = tensor(m, ID_X, type, g->n, g->h, g->w, g->c);
  descriptor w =
      tensor(m, ID_WEIGHT, type, g->o, g->kh, g->kw, g->c / g->groups);
  descriptor y = tensor(m, ID_Y, type, g->n, g->oh, g->ow, g->o);
  descriptor s = settings(m, g);
  descriptor d = make(m, kinds[k->kind].type);
  set(m, d, kinds[k->kind].alpha, CUDNN_TYPE_FLOAT, 1, &one);
  set(m, d, kinds[k->kind].beta, CUDNN_TYPE_FLOAT, 1, &zero);
  set_child(m, d, kinds[k->kind].settings, s);
  set_child(m, d, kinds[k->kind].x, x);
  set_child(m, d, kinds[k->kind].weight, w);
  set_child(m, d, kinds[k->kind].y, y);
  finish(m, d, "a convolution");
  descriptor graph = make(m, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
  set_child(m, graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, d);
  finish(m, graph, "an operation graph");
  return graph;
}

/* --- plans ---------------------------------------------------------------- */

/* Whether the engine of this config does what was asked for. */
static int is_welcome(descriptor config, const key *k) {
  cudnnBackendNumericalNote_t notes[16];
  descriptor engine = NULL;
  int64_t n = 0;
  int welcome = 1;
  if (!k->deterministic && (sl_cuda.tf32 || k->type == SL_BF16)) return 1;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine) !=
      CUDNN_STATUS_SUCCESS)
    return 0;
  cudnnBackendGetAttribute(config, CUDNN_ATTR_ENGINECFG_ENGINE,
                           CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &n, &engine);
  n = 0;
  cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                           CUDNN_TYPE_NUMERICAL_NOTE, 16, &n, notes);
  for (int64_t i = 0; i < n && i < 16; i++) {
    if (k->deterministic && notes[i] == CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
      welcome = 0;
    if (!sl_cuda.tf32 && k->type == SL_F32 &&
        notes[i] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE)
      welcome = 0;
  }
  cudnnBackendDestroyDescriptor(engine);
  return welcome;
}

/* A plan from one config; 0: it cannot be made. */
static int try_config(plan *p, descriptor config) {
  descriptor d = NULL;
  int64_t n = 0;
  if (!is_welcome(config, &p->key) ||
      cudnnBackendCreateDescriptor(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR,
                                   &d) != CUDNN_STATUS_SUCCESS)
    return 0;
  cudnnStatus_t s =
      cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG,
                               CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &config);
  if (s == CUDNN_STATUS_SUCCESS && dnn.device)
    s = cudnnBackendSetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP,
                                 CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &dnn.device);
  if (s == CUDNN_STATUS_SUCCESS) s = cudnnBackendFinalize(d);
  if (s == CUDNN_STATUS_SUCCESS)
    s = cudnnBackendGetAttribute(d, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                 CUDNN_TYPE_INT64, 1, &n, &p->workspace);
  if (s == CUDNN_STATUS_SUCCESS)
    p->plan = d;
  else
    cudnnBackendDestroyDescriptor(d);
  return p->plan != NULL;
}

/* Heuristics fill descriptors that are there already. */
static void try_configs(maker *m, plan *p, descriptor heuristics) {
  descriptor configs[MAX_CONFIGS];
  int64_t got = 0;
  int made = 0;
  while (made < MAX_CONFIGS &&
         cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR,
                                      &configs[made]) == CUDNN_STATUS_SUCCESS)
    made++;
  if (m->status == SL_OK)
    check(m,
          cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, made, &got,
                                   configs),
          "listing engines");
  for (int i = 0; i < got && i < made && !p->plan; i++)
    try_config(p, configs[i]);
  for (int i = 0; i < made; i++)
    cudnnBackendDestroyDescriptor(configs[i]);
}

static void try_mode(maker *m, plan *p, descriptor graph,
                     cudnnBackendHeurMode_t mode) {
  descriptor h = make(m, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  set_child(m, h, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph);
  set(m, h, CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE, 1, &mode);
  if (dnn.device) set_child(m, h, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, dnn.device);
  finish(m, h, "asking for engines");
  if (m->status == SL_OK) try_configs(m, p, h);
}

static sl_status fill_plan(plan *p) {
  const sl_conv_geometry *g = &p->key.g;
  maker m = {.status = SL_OK};
  descriptor graph = operation(&m, &p->key);
  try_mode(&m, p, graph, CUDNN_HEUR_MODE_A);
  if (!p->plan) try_mode(&m, p, graph, CUDNN_HEUR_MODE_FALLBACK);
  drop(&m);
  if (p->plan || m.status != SL_OK) return m.status;
  return sl_fail(SL_EINTERNAL,
                 "cuDNN has no engine for a convolution of %lld images "
                 "%lldx%lldx%lld by %lld kernels %lldx%lld",
                 (long long)g->n, (long long)g->h, (long long)g->w,
                 (long long)g->c, (long long)g->o, (long long)g->kh,
                 (long long)g->kw);
}

static sl_status plan_for(const key *k, plan **out) {
  for (plan *p = dnn.plans; p; p = p->next)
    if (memcmp(&p->key, k, sizeof *k) == 0) {
      *out = p;
      return SL_OK;
    }
  plan *p = sl_alloc(1, sizeof *p);
  SL_REQUIRE(p, SL_ENOMEM, "no memory for a convolution's plan");
  p->key = *k;
  const sl_status status = fill_plan(p);
  if (status != SL_OK) {
    sl_free(p);
    return status;
  }
  p->next = dnn.plans;
  dnn.plans = *out = p;
  return SL_OK;
}

/* --- running -------------------------------------------------------------- */

static sl_status execute(const plan *p, void *x, void *weight, void *y,
                         void *workspace) {
  const int64_t ids[] = {ID_X, ID_WEIGHT, ID_Y};
  void *const data[] = {x, weight, y};
  maker m = {.status = SL_OK};
  descriptor pack = make(&m, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  set(&m, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3, ids);
  set(&m, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, 3,
      data);
  set(&m, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, 1,
      &workspace);
  finish(&m, pack, "placing tensors");
  if (m.status == SL_OK)
    check(&m, cudnnBackendExecute(dnn.handle, p->plan, pack), "a convolution");
  drop(&m);
  return m.status;
}

sl_status sl_dnn_conv(sl_dnn_kind kind, const sl_conv_geometry *g,
                      sl_dtype type, void *x, void *weight, void *y) {
  const key k = {*g, kind, type, sl_cuda.deterministic};
  plan *p = NULL;
  sl_cuda_scratch workspace = {0};
  SL_TRY(plan_for(&k, &p));
  if (p->workspace > 0)
    SL_TRY(sl_cuda_scratch_get(&workspace, (size_t)p->workspace));
  const sl_status status = execute(p, x, weight, y, workspace.p);
  sl_cuda_scratch_drop(&workspace);
  return status == SL_OK ? sl_cuda_launched(cudaSuccess, "a convolution")
                         : status;
}
