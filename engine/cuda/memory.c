/* memory.c -- the device's caching allocator.
 *
 * A training step asks for the same sizes again and again, and cudaMalloc waits
 * for the device. So blocks are kept in lists by size class (powers of two in
 * eight steps: at most an eighth is wasted) and handed out again: in stream
 * order, without waiting. When the device has none left, the lists are given
 * back and it is asked once more.
 *
 * The lists' links are in host memory: a link is made with each block, and is
 * spare while the block is in use. */
#include <pthread.h>

#include "base/alloc.h"
#include "cuda/cuda.h"

enum { STEPS = 8, CLASSES = 64 * STEPS, SMALLEST = 512 };

typedef struct link {
  struct link *next;
  void *block;
} link;

static struct {
  pthread_mutex_t lock;
  link *free[CLASSES], *spare;
  int64_t used, peak;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Index and size of the class that holds that many bytes. */
static int class_of(size_t bytes, size_t *whole) {
  if (bytes < SMALLEST) bytes = SMALLEST;
  const int top = 63 - __builtin_clzll((unsigned long long)(bytes - 1));
  const size_t unit = (size_t)1 << (top - 3);
  const size_t units = (bytes + unit - 1) / unit; /* 9..16 of them */
  *whole = units * unit;
  return top * STEPS + (int)(units - STEPS - 1);
}

static link *pop(link **list) {
  link *l = *list;
  if (l) *list = l->next;
  return l;
}

static void push(link **list, link *l) {
  l->next = *list;
  *list = l;
}

static void give_back(void) {
  cudaStreamSynchronize(sl_cuda.stream);
  for (int i = 0; i < CLASSES; i++)
    for (link *l = pop(&heap.free[i]); l; l = pop(&heap.free[i])) {
      cudaFree(l->block);
      sl_free(l);
    }
}

static void *ask(size_t bytes) {
  void *p = NULL;
  if (cudaMalloc(&p, bytes) == cudaSuccess) return p;
  (void)cudaGetLastError(); /* or the next launch would report it */
  return NULL;
}

static void *new_block(size_t bytes) {
  link *l = sl_alloc(1, sizeof *l);
  if (!l) return NULL;
  void *p = ask(bytes);
  if (!p) {
    give_back();
    p = ask(bytes);
  }
  if (p)
    push(&heap.spare, l);
  else
    sl_free(l);
  return p;
}

void *sl_cuda_alloc(size_t bytes) {
  size_t whole;
  if (bytes > SIZE_MAX / 4) return NULL;
  const int c = class_of(bytes, &whole);
  void *p;
  pthread_mutex_lock(&heap.lock);
  link *l = pop(&heap.free[c]);
  if (l) {
    p = l->block;
    push(&heap.spare, l);
  } else {
    p = new_block(whole);
  }
  if (p) heap.used += (int64_t)bytes;
  if (heap.used > heap.peak) heap.peak = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return p;
}

void sl_cuda_free(void *p, size_t bytes) {
  if (!p) return;
  size_t whole;
  const int c = class_of(bytes, &whole);
  pthread_mutex_lock(&heap.lock);
  link *l = pop(&heap.spare); /* there is one for each block in use */
  l->block = p;
  push(&heap.free[c], l);
  heap.used -= (int64_t)bytes;
  pthread_mutex_unlock(&heap.lock);
}

void sl_cuda_trim(void) {
  pthread_mutex_lock(&heap.lock);
  give_back();
  pthread_mutex_unlock(&heap.lock);
}

int64_t sl_cuda_used(void) {
  pthread_mutex_lock(&heap.lock);
  const int64_t n = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return n;
}

int64_t sl_cuda_peak(int reset) {
  pthread_mutex_lock(&heap.lock);
  const int64_t n = heap.peak;
  if (reset) heap.peak = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return n;
}

int64_t sl_cuda_room(void) {
  size_t room = 0, all = 0;
  return cudaMemGetInfo(&room, &all) == cudaSuccess ? (int64_t)room : 0;
}

/* --- scratch -------------------------------------------------------------- */

sl_status sl_cuda_scratch_get(sl_cuda_scratch *s, size_t bytes) {
  *s = (sl_cuda_scratch){sl_cuda_alloc(bytes), bytes};
  SL_REQUIRE(s->p, SL_ENOMEM, "no memory on the GPU for %.1f MiB of scratch",
             (double)bytes / (1 << 20));
  return SL_OK;
}

void sl_cuda_scratch_drop(sl_cuda_scratch *s) {
  sl_cuda_free(s->p, s->bytes);
  s->p = NULL;
}
