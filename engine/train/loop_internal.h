/* loop_internal.h -- between loop.c and loop_defaults.c. */
#ifndef SL_TRAIN_LOOP_INTERNAL_H
#define SL_TRAIN_LOOP_INTERNAL_H

#include "train/loop.h"

/* What the loop itself does at an event, before all callbacks... */
sl_flow sl_loop_first(sl_loop *l, sl_event e);
/* ... and between the early and the late ones. */
sl_flow sl_loop_middle(sl_loop *l, sl_event e);

#endif
