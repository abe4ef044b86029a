/* wgrad_pack.h -- rows of channels into panels, for wgrad.h.
 *
 * A panel holds `width` channels of all rows. Its places are rows, or pairs of
 * them with the two values of a channel side by side. */
#ifndef SL_CPU_WGRAD_PACK_H
#define SL_CPU_WGRAD_PACK_H

#include "tensor/dtype.h"

typedef struct sl_packing {
  char *to;
  int64_t stride;      /* elements between two panels */
  int64_t c, c_padded; /* channels; of all panels */
  int64_t width;       /* channels of a panel: a multiple of 16 */
  const float *scale;  /* of pairs that are lazy (lazy_rows.h), else NULL */
  const float *shift;
  int relu;
} sl_packing;

/* n dense rows to places `first` and on. */
void sl_pack_singles(const sl_packing *p, int64_t first, const float *from,
                     int64_t n);

/* n pairs of rows: a's and b's, both `step` elements apart. b NULL: zeros. */
void sl_pack_pairs(const sl_packing *p, int64_t first, const sl_bf16 *a,
                   const sl_bf16 *b, int64_t step, int64_t n);

/* n dense rows, each with the next one, to the places of rows `first` (even)
 * and on; a single last one with zeros. */
void sl_pack_adjacent(const sl_packing *p, int64_t first, int64_t n,
                      const sl_bf16 *from);

/* n places of pairs become zeros. */
void sl_pack_zeros(const sl_packing *p, int64_t first, int64_t n);

#endif
