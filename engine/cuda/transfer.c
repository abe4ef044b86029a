/* transfer.c -- bytes between host and device, and waiting for it.
 *
 * An upload copies its bytes into pinned memory and returns; the copy to the
 * device is queued. Pinned memory comes in slots, used in turn, each with an
 * event that says when its last copy is done: many small ones, for labels and
 * parameters, and a few large ones, for images. */
#include <inttypes.h>
#include <string.h>

#include "cuda/cuda.h"

enum { SMALL = 64 << 10, LARGE = 4 << 20, N_SMALL = 64, N_LARGE = 4 };

typedef struct slots {
  size_t size;
  int n, next;
  char *memory;
  cudaEvent_t done[N_SMALL];
} slots;

static slots small = {.size = SMALL, .n = N_SMALL};
static slots large = {.size = LARGE, .n = N_LARGE};

static struct {
  cu_fault *device; /* [CU_FAULTS] */
  cu_fault *host;   /* pinned */
} faults;

static sl_status slots_open(slots *s) {
  CU_TRY(cudaMallocHost((void **)&s->memory, s->size * (size_t)s->n));
  for (int i = 0; i < s->n; i++)
    CU_TRY(cudaEventCreateWithFlags(&s->done[i], cudaEventDisableTiming));
  return SL_OK;
}

sl_status sl_cuda_transfer_open(void) {
  const size_t bytes = CU_FAULTS * sizeof(cu_fault);
  SL_TRY(slots_open(&small));
  SL_TRY(slots_open(&large));
  CU_TRY(cudaMallocHost((void **)&faults.host, bytes));
  CU_TRY(cudaMalloc((void **)&faults.device, bytes));
  CU_TRY(cudaMemsetAsync(faults.device, 0xff, bytes, sl_cuda.stream));
  return SL_OK;
}

/* --- faults in data --------------------------------------------------------
 */

cu_fault *sl_cuda_fault(cu_fault_kind k) {
  return faults.device + k;
}

static sl_status fault_message(cu_fault_kind k, const cu_fault *f) {
  const int64_t at = (int64_t)(f->where >> 32) + 1;
  const int value = (int)(int32_t)(uint32_t)f->where;
  switch (k) {
  case CU_FAULT_LABEL:
    return sl_fail(SL_EINVAL,
                   "label %d of sample %" PRId64
                   " is not a class number: 1..%" PRId64,
                   value, at, f->limit);
  case CU_FAULT_INDEX:
  case CU_FAULT_ONE_HOT:
    return sl_fail(
        SL_EINVAL,
        "number %d at position %" PRId64 " of index is not in 1..%" PRId64 "%s",
        value, at, f->limit, k == CU_FAULT_INDEX ? "" : ", the classes");
  case CU_FAULT_SUM:
    return sl_fail(SL_EINVAL,
                   "the sum %" PRId64
                   " does not fit into i32; cast() to f32 first",
                   f->limit);
  case CU_FAULTS:
    break;
  }
  return SL_EINTERNAL;
}

static sl_status queue_faults(void) {
  CU_TRY(cudaMemcpyAsync(faults.host, faults.device,
                         CU_FAULTS * sizeof(cu_fault), cudaMemcpyDeviceToHost,
                         sl_cuda.stream));
  return SL_OK;
}

/* After the device was waited for: the first fault, once. */
static sl_status report_faults(void) {
  for (int k = 0; k < CU_FAULTS; k++) {
    if (faults.host[k].where == UINT64_MAX) continue;
    const cu_fault found = faults.host[k];
    CU_TRY(cudaMemsetAsync(faults.device, 0xff, CU_FAULTS * sizeof(cu_fault),
                           sl_cuda.stream));
    return fault_message((cu_fault_kind)k, &found);
  }
  return SL_OK;
}

/* --- moving ----------------------------------------------------------------
 */

sl_status sl_cuda_zero(void *p, size_t bytes) {
  if (bytes == 0) return SL_OK;
  CU_TRY(cudaMemsetAsync(p, 0, bytes, sl_cuda.stream));
  return SL_OK;
}

static sl_status upload_piece(slots *s, char *to, const char *from, size_t n) {
  const int i = s->next;
  char *pinned = s->memory + s->size * (size_t)i;
  s->next = (i + 1) % s->n;
  CU_TRY(cudaEventSynchronize(s->done[i])); /* at once if it was never used */
  memcpy(pinned, from, n);
  CU_TRY(
      cudaMemcpyAsync(to, pinned, n, cudaMemcpyHostToDevice, sl_cuda.stream));
  CU_TRY(cudaEventRecord(s->done[i], sl_cuda.stream));
  return SL_OK;
}

sl_status sl_cuda_upload(void *device, const void *host, size_t bytes) {
  slots *s = bytes <= SMALL ? &small : &large;
  for (size_t at = 0; at < bytes; at += s->size) {
    const size_t n = bytes - at < s->size ? bytes - at : s->size;
    SL_TRY(upload_piece(s, (char *)device + at, (const char *)host + at, n));
  }
  return SL_OK;
}

/* Through the next large slot. */
static sl_status download_piece(char *to, const char *from, size_t n) {
  const int i = large.next;
  char *pinned = large.memory + large.size * (size_t)i;
  large.next = (i + 1) % large.n;
  CU_TRY(cudaEventSynchronize(large.done[i]));
  CU_TRY(
      cudaMemcpyAsync(pinned, from, n, cudaMemcpyDeviceToHost, sl_cuda.stream));
  SL_TRY(queue_faults());
  CU_TRY(cudaStreamSynchronize(sl_cuda.stream));
  memcpy(to, pinned, n);
  return SL_OK;
}

sl_status sl_cuda_download(void *host, const void *device, size_t bytes) {
  if (bytes == 0) return sl_cuda_synchronise();
  for (size_t at = 0; at < bytes; at += LARGE) {
    const size_t n = bytes - at < LARGE ? bytes - at : LARGE;
    SL_TRY(download_piece((char *)host + at, (const char *)device + at, n));
  }
  return report_faults();
}

sl_status sl_cuda_synchronise(void) {
  SL_TRY(queue_faults());
  CU_TRY(cudaStreamSynchronize(sl_cuda.stream));
  return report_faults();
}
