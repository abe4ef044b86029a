/* interrupt.c -- see interrupt.h. */
#include "base/interrupt.h"

#include <stdatomic.h>

static atomic_int requests, deferrals;

void sl_interrupt_request(void) {
  atomic_fetch_add(&requests, 1);
}

void sl_interrupt_clear(void) {
  atomic_store(&requests, 0);
}

int sl_interrupt_pending(void) {
  return atomic_load(&requests);
}

void sl_interrupt_defer(int on) {
  atomic_fetch_add(&deferrals, on ? 1 : -1);
}

int sl_interrupt_deferred(void) {
  return atomic_load(&deferrals) > 0;
}
