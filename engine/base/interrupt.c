/* interrupt.c -- see interrupt.h. */
#include "base/interrupt.h"

#include <stdatomic.h>

_Static_assert(ATOMIC_INT_LOCK_FREE == 2, "used in signal handlers");

static atomic_int requests;

void sl_interrupt_request(void) {
  atomic_fetch_add_explicit(&requests, 1, memory_order_relaxed);
}

void sl_interrupt_clear(void) {
  atomic_store_explicit(&requests, 0, memory_order_relaxed);
}

int sl_interrupt_pending(void) {
  return atomic_load_explicit(&requests, memory_order_relaxed);
}
