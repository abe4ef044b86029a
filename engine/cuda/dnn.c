/* dnn.c -- see dnn.h: opening cuDNN, the plans of this process, running them.
 * Only the dnn files know cuDNN. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cuda/dnn_internal.h"

sl_dnn_library sl_dnn;

static sl_dnn_plan *plans;

sl_status sl_dnn_fail(cudnnStatus_t s, const char *what) {
  char why[256] = "";
  cudnnGetLastErrorString(why, sizeof why);
  const int memory =
      s == CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED ||
      s == CUDNN_STATUS_INTERNAL_ERROR_HOST_ALLOCATION_FAILED;
  return sl_fail(memory ? SL_ENOMEM : SL_EINTERNAL,
                 "cuDNN failed in %s: %s%s%s", what, cudnnGetErrorString(s),
                 *why ? ": " : "", why);
}

/* --- opening -------------------------------------------------------------- */

/* Heuristics ask for the device's properties; without them they take those of
 * the current device. */
static void find_device(void) {
  const int32_t number = sl_cuda.number;
  sl_dnn_descriptor d = NULL;
  if (cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &d) !=
      CUDNN_STATUS_SUCCESS)
    return;
  if (cudnnBackendSetAttribute(d, CUDNN_ATTR_DEVICEPROP_DEVICE_ID,
                               CUDNN_TYPE_INT32, 1,
                               &number) == CUDNN_STATUS_SUCCESS &&
      cudnnBackendFinalize(d) == CUDNN_STATUS_SUCCESS)
    sl_dnn.device = d;
  else
    cudnnBackendDestroyDescriptor(d);
}

sl_status sl_dnn_open(void) {
  const size_t v = cudnnGetVersion();
  const char *tune = getenv("SOTA_CUDA_TUNE");
  snprintf(sl_dnn.version, sizeof sl_dnn.version, "%zu.%zu.%zu", v / 10000,
           v / 100 % 100, v % 100);
  DNN_TRY(cudnnCreate(&sl_dnn.handle), "opening");
  DNN_TRY(cudnnSetStream(sl_dnn.handle, sl_cuda.stream), "opening");
  find_device();
  sl_dnn.tunes = tune && *tune && strcmp(tune, "0") != 0;
  return sl_dnn.tunes ? sl_dnn_disk_open() : SL_OK;
}

const char *sl_dnn_version(void) {
  return sl_dnn.version;
}

/* --- running -------------------------------------------------------------- */

static sl_status queue(const sl_dnn_plan *p, const sl_dnn_data *d,
                       void *workspace) {
  const int64_t ids[] = {SL_DNN_ID_X, SL_DNN_ID_WEIGHT, SL_DNN_ID_Y};
  void *const data[] = {d->x, d->weight, d->y};
  sl_dnn_maker m = {.status = SL_OK};
  sl_dnn_descriptor pack =
      sl_dnn_make(&m, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  sl_dnn_set(&m, pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, 3,
             ids);
  sl_dnn_set(&m, pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
             CUDNN_TYPE_VOID_PTR, 3, data);
  sl_dnn_set(&m, pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR,
             1, &workspace);
  sl_dnn_finish(&m, pack, "placing tensors");
  if (m.status == SL_OK)
    sl_dnn_check(&m, cudnnBackendExecute(sl_dnn.handle, p->plan, pack),
                 "a convolution");
  sl_dnn_drop(&m);
  return m.status;
}

sl_status sl_dnn_execute(const sl_dnn_plan *p, const sl_dnn_data *d) {
  sl_cuda_scratch workspace = {0};
  if (p->workspace > 0)
    SL_TRY(sl_cuda_scratch_get(&workspace, (size_t)p->workspace));
  const sl_status status = queue(p, d, workspace.p);
  sl_cuda_scratch_drop(&workspace);
  return status == SL_OK ? sl_cuda_launched(cudaSuccess, "a convolution")
                         : status;
}

static sl_status plan_for(const sl_dnn_key *k, const sl_dnn_data *d,
                          const sl_dnn_plan **out) {
  for (const sl_dnn_plan *p = plans; p; p = p->next)
    if (memcmp(&p->key, k, sizeof *k) == 0) {
      *out = p;
      return SL_OK;
    }
  sl_dnn_plan *p = sl_alloc(1, sizeof *p);
  SL_REQUIRE(p, SL_ENOMEM, "no memory for a convolution's plan");
  *p = (sl_dnn_plan){.key = *k};
  const sl_status status = sl_dnn_choose(p, d);
  if (status != SL_OK) {
    sl_free(p);
    return status;
  }
  p->next = plans;
  *out = plans = p;
  return SL_OK;
}

sl_status sl_dnn_conv(sl_dnn_kind kind, const sl_conv_geometry *g,
                      sl_dtype type, void *x, void *weight, void *y) {
  const sl_dnn_key k = {*g, kind, type, !sl_cuda.tf32, sl_cuda.deterministic};
  const sl_dnn_data d = {x, weight, y};
  const sl_dnn_plan *p = NULL;
  SL_TRY(plan_for(&k, &d, &p));
  return sl_dnn_execute(p, &d);
}
