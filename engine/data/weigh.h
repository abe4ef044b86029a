/* weigh.h -- the one inner loop of resampling: weighted sums of byte rows. */
#ifndef SL_DATA_WEIGH_H
#define SL_DATA_WEIGH_H

#include <stddef.h>
#include <stdint.h>

enum { SL_WEIGHT_BITS = 22 };

/* out[i] = (2^21 + sum over t < taps of k[t] * in[t * stride + i]) >> 22 for
 * i < n. Weights are not negative and sum to 2^22, so nothing needs clipping.
 * Best with n a multiple of 16. */
typedef void sl_weigh(const uint8_t *in, ptrdiff_t stride, const int32_t *k,
                      int taps, uint8_t *out, int n);

sl_weigh *sl_weigh_best(void); /* for this processor */

#endif
