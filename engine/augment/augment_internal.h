/* augment_internal.h -- what the files of this folder share. */
#ifndef SL_AUGMENT_AUGMENT_INTERNAL_H
#define SL_AUGMENT_AUGMENT_INTERNAL_H

#include <stdalign.h>

#include "augment/augment.h"

enum { SL_AUGMENT_MAX = 64 };

typedef struct sl_augment_entry {
  sl_batch_transform_id id;
  alignas(max_align_t) char opts[SL_OP_MAX_OPTS];
} sl_augment_entry;

struct sl_augment {
  int n;
  sl_augment_entry entries[SL_AUGMENT_MAX];
  int has_sampling;
  sl_sampling sampling; /* what the affine transforms agreed on */
  /* Of these there is one at most: index of its entry, or -1. */
  int crop, normalize, erasing;
  int has_stats;
  float stats[2][3]; /* mean, std */
};

/* Size of step 2 of the kernel, before the crop. */
void sl_augment_sampled_size(const sl_augment *a, int64_t h, int64_t w,
                             int64_t *oh, int64_t *ow);

/* sl_augment_apply without Normalize and RandomErasing unless `whole`. */
SL_MUST_USE sl_status sl_augment_run(const sl_augment *a, sl_tensor *x,
                                     const sl_augment_batch *batch,
                                     sl_dtype dtype, int whole,
                                     sl_tensor **out);

#endif
