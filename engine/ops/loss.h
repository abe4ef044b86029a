/* loss.h -- what the losses have in common. */
#ifndef SL_OPS_LOSS_H
#define SL_OPS_LOSS_H

/* How the losses of the items become the result. */
typedef enum sl_reduction {
  SL_REDUCTION_MEAN,
  SL_REDUCTION_SUM,
  SL_REDUCTION_NONE, /* they stay apart */
} sl_reduction;

extern const char *const sl_reduction_names[]; /* for ENUM options */

#endif
