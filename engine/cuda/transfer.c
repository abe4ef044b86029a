/* transfer.c -- bytes between host and device, and waiting for it.
 *
 * An upload copies its bytes into pinned memory and returns; the copy to the
 * device is queued. Pinned memory comes in slots, used in turn, each with an
 * event that says when its last copy is done: many small ones, for labels and
 * parameters, and a few large ones, for images.
 *
 * Large uploads cross the bus on a stream of their own, beside the work that is
 * queued: into a landing place on the device, one for each slot, since where
 * they are to go may still be in use by that work. In its turn the work's
 * stream takes them from there, a copy within the device. */
#include <inttypes.h>
#include <string.h>

#include "cuda/cuda.h"

enum { SMALL = 64 << 10, LARGE = 4 << 20, N_SMALL = 64, N_LARGE = 8 };

typedef struct slots {
  size_t size;
  int n, next;
  char *memory;
  cudaEvent_t done[N_SMALL];
} slots;

static slots small = {.size = SMALL, .n = N_SMALL};
static slots large = {.size = LARGE, .n = N_LARGE};

/* Where large uploads land; memory is NULL until the first. */
static struct {
  cudaStream_t stream;
  char *memory;
  cudaEvent_t taken[N_LARGE]; /* by the work's stream */
} landing;

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

static sl_status landing_open(void) {
  CU_TRY(cudaStreamCreateWithFlags(&landing.stream, cudaStreamNonBlocking));
  for (int i = 0; i < N_LARGE; i++)
    CU_TRY(cudaEventCreateWithFlags(&landing.taken[i], cudaEventDisableTiming));
  return SL_OK;
}

sl_status sl_cuda_transfer_open(void) {
  const size_t bytes = CU_FAULTS * sizeof(cu_fault);
  SL_TRY(slots_open(&small));
  SL_TRY(slots_open(&large));
  SL_TRY(landing_open());
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

/* After a failure nobody knows how far the copies of a slot have come: all are
 * waited for before it is used again. */
static sl_status settled(sl_status status) {
  if (status == SL_OK) return status;
  (void)cudaStreamSynchronize(landing.stream);
  (void)cudaStreamSynchronize(sl_cuda.stream);
  (void)cudaGetLastError();
  return status;
}

/* The next slot's number and memory, once its last copy is done. */
static sl_status take_slot(slots *s, int *i, char **pinned) {
  *i = s->next;
  *pinned = s->memory + s->size * (size_t)*i;
  s->next = (*i + 1) % s->n;
  CU_TRY(cudaEventSynchronize(s->done[*i])); /* at once if it was never used */
  return SL_OK;
}

/* In the work's own stream. */
static sl_status upload_piece(slots *s, char *to, const char *from, size_t n) {
  char *pinned;
  int i;
  SL_TRY(take_slot(s, &i, &pinned));
  memcpy(pinned, from, n);
  CU_TRY(
      cudaMemcpyAsync(to, pinned, n, cudaMemcpyHostToDevice, sl_cuda.stream));
  CU_TRY(cudaEventRecord(s->done[i], sl_cuda.stream));
  return SL_OK;
}

/* Beside it. */
static sl_status upload_beside(char *to, const char *from, size_t n) {
  char *pinned;
  int i;
  SL_TRY(take_slot(&large, &i, &pinned));
  char *place = landing.memory + LARGE * (size_t)i;
  memcpy(pinned, from, n);
  CU_TRY(cudaStreamWaitEvent(landing.stream, landing.taken[i], 0));
  CU_TRY(cudaMemcpyAsync(place, pinned, n, cudaMemcpyHostToDevice,
                         landing.stream));
  CU_TRY(cudaEventRecord(large.done[i], landing.stream));
  CU_TRY(cudaStreamWaitEvent(sl_cuda.stream, large.done[i], 0));
  CU_TRY(
      cudaMemcpyAsync(to, place, n, cudaMemcpyDeviceToDevice, sl_cuda.stream));
  CU_TRY(cudaEventRecord(landing.taken[i], sl_cuda.stream));
  return SL_OK;
}

/* Where there is no memory for it, uploads go without, and ask again. */
static int can_land(void) {
  void *p = NULL;
  if (landing.memory) return 1;
  if (cudaMalloc(&p, (size_t)LARGE * N_LARGE) == cudaSuccess)
    landing.memory = p;
  else
    (void)cudaGetLastError();
  return landing.memory != NULL;
}

sl_status sl_cuda_upload(void *device, const void *host, size_t bytes) {
  const int is_small = bytes <= SMALL;
  slots *s = is_small ? &small : &large;
  for (size_t at = 0; at < bytes; at += s->size) {
    const size_t n = bytes - at < s->size ? bytes - at : s->size;
    char *to = (char *)device + at;
    const char *from = (const char *)host + at;
    SL_TRY(settled(is_small || !can_land() ? upload_piece(s, to, from, n)
                                           : upload_beside(to, from, n)));
  }
  return SL_OK;
}

/* Through the next large slot. */
static sl_status download_piece(char *to, const char *from, size_t n) {
  char *pinned;
  int i;
  SL_TRY(take_slot(&large, &i, &pinned));
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
    SL_TRY(settled(
        download_piece((char *)host + at, (const char *)device + at, n)));
  }
  return report_faults();
}

sl_status sl_cuda_synchronise(void) {
  SL_TRY(queue_faults());
  CU_TRY(cudaStreamSynchronize(sl_cuda.stream));
  return report_faults();
}
