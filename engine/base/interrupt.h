/* interrupt.h -- "the user pressed Ctrl-C", as a flag that anyone may read.
 *
 * A signal handler requests; long waits and loops look at it between two
 * steps and return SL_EINTERRUPT; whoever handles that (the training loop, the
 * prompt) clears. The flag is one lock-free atomic: safe in a signal handler
 * and from any thread. */
#ifndef SL_BASE_INTERRUPT_H
#define SL_BASE_INTERRUPT_H

void sl_interrupt_request(void);
void sl_interrupt_clear(void);
int sl_interrupt_pending(void); /* how many requests since the last clear */

/* While deferred (the count is above 0) the first request only sets the flag:
 * who deferred promises to look at it soon, and ends its batch first. */
void sl_interrupt_defer(int on); /* 1 or 0, nests */
int sl_interrupt_deferred(void);

#endif
