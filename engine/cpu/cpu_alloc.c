/* cpu_alloc.c -- the CPU's caching allocator.
 *
 * A training step asks for the same sizes again and again, and fresh pages
 * cost more than the arithmetic on them. So freed blocks are kept in lists by
 * size class (powers of two in eight steps: at most an eighth is wasted) and
 * handed out again. When the system has none left, the lists are given back
 * and it is asked once more. */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/alloc.h"
#include "cpu/cpu.h"

enum { STEPS = 8, CLASSES = 64 * STEPS, SMALLEST = 256 };

typedef struct block {
  struct block *next;
} block;

static struct {
  pthread_mutex_t lock;
  block *free[CLASSES];
  int64_t used, peak;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Index and size of the class that holds that many bytes. */
static int class_of(size_t bytes, size_t *whole) {
  if (bytes < SMALLEST) bytes = SMALLEST;
  const int top = 63 - __builtin_clzll((unsigned long long)(bytes - 1));
  const size_t unit = (size_t)1 << (top >= 3 ? top - 3 : 0);
  const size_t units = (bytes + unit - 1) / unit; /* 9..16 of them */
  *whole = units * unit;
  return top * STEPS + (int)(units - STEPS - 1);
}

static void give_back(void) {
  for (int i = 0; i < CLASSES; i++) {
    while (heap.free[i]) {
      block *b = heap.free[i];
      heap.free[i] = b->next;
      sl_free_data(b);
    }
  }
}

void *sl_cpu_alloc(size_t bytes) {
  size_t whole;
  if (bytes > SIZE_MAX / 4) return NULL;
  const int c = class_of(bytes, &whole);
  pthread_mutex_lock(&heap.lock);
  block *b = heap.free[c];
  if (b) {
    heap.free[c] = b->next;
  } else {
    b = sl_alloc_data(whole);
    if (!b) {
      give_back();
      b = sl_alloc_data(whole);
    }
  }
  if (b) heap.used += (int64_t)bytes;
  if (heap.used > heap.peak) heap.peak = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return b;
}

void sl_cpu_free(void *p, size_t bytes) {
  if (!p) return;
  size_t whole;
  const int c = class_of(bytes, &whole);
  block *b = p;
  pthread_mutex_lock(&heap.lock);
  b->next = heap.free[c];
  heap.free[c] = b;
  heap.used -= (int64_t)bytes;
  pthread_mutex_unlock(&heap.lock);
}

void sl_cpu_trim(void) {
  pthread_mutex_lock(&heap.lock);
  give_back();
  pthread_mutex_unlock(&heap.lock);
}

int64_t sl_cpu_used(void) {
  pthread_mutex_lock(&heap.lock);
  const int64_t n = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return n;
}

int64_t sl_cpu_peak(int reset) {
  pthread_mutex_lock(&heap.lock);
  const int64_t n = heap.peak;
  if (reset) heap.peak = heap.used;
  pthread_mutex_unlock(&heap.lock);
  return n;
}
