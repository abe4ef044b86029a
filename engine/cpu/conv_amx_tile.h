/* conv_amx_tile.h -- the inner loops of conv_amx.h: a block of 32 places by 32
 * channels, and what goes in and out of it. */
#ifndef SL_CPU_CONV_AMX_TILE_H
#define SL_CPU_CONV_AMX_TILE_H

#include "tensor/dtype.h"

/* Places and channels of a block; bytes of a weight of 32 by 32 channels. */
enum { SL_AMX_BLOCK = 32, SL_AMX_WEIGHT_BYTES = 2048 };

/* Sums over taps and panels of 32 channels of the input. */
typedef struct sl_amx_block {
  const char *a;        /* the first place, without a tap's shift */
  int64_t place, panel; /* bytes from one to the next */
  const int64_t *tap;   /* bytes that a tap is away */
  int64_t taps, panels;
  const char *weight; /* by panels and taps */
  int64_t skip;       /* bytes of other taps behind those of a panel */
} sl_amx_block;

/* A block's way out: row table[i] is place i's (-1: none); without a table row
 * i, for n places. */
typedef struct sl_amx_out {
  sl_bf16 *rows;
  int64_t row; /* elements */
  const int32_t *table;
  int n, channels, relu, add;
  const float *bias;
} sl_amx_out;
void sl_amx_store(const sl_amx_out *o, const float *sums);

/* sums = 32 x 32; between sl_amx_begin and sl_amx_end. Meanwhile another
 * block's sums are stored (n may be 0). */
void sl_amx_multiply(const sl_amx_block *b, float *sums,
                     const sl_amx_out *before, const float *before_sums);

/* n pixels of c channels to places one after the other of panels of 32
 * channels, the last one filled up with zeros; with a scale normalised. */
typedef struct sl_amx_line {
  const sl_bf16 *from;
  int64_t n, pixel, c; /* pixel: elements from one to the next */
  const float *scale, *shift;
  int relu;
} sl_amx_line;
void sl_amx_pack_line(const sl_amx_line *l, char *to, int64_t panel);

/* One point of a weight: o rows of c floats, to two tiles of 32 input by 16
 * output channels; filled up with zeros. pairs_of_o: the rows are the input's
 * channels (for the gradient), else the columns are. */
typedef struct sl_amx_weight {
  const float *from;
  int64_t row;
  int o, c, pairs_of_o;
} sl_amx_weight;
void sl_amx_pack_weight(const sl_amx_weight *w, char *to);

#endif
