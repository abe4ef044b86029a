/* peak.h -- what this machine can do, measured: the limits beside which the
 * times of operations are read. */
#ifndef SL_OPS_PEAK_H
#define SL_OPS_PEAK_H

#include "backend/backend.h"
#include "tensor/dtype.h"

enum {
  SL_PEAK_SIDE = 1024,      /* rows and columns of the matrices */
  SL_PEAK_COPY = 128 << 20, /* bytes that are copied: more than caches hold */
};

/* 0: not measured. */
typedef struct sl_peak {
  double gemm[2]; /* FLOP/s of a product of two square matrices: f32, bf16 */
  double copy;    /* bytes/s of our copy, those read and those written */
} sl_peak;

/* The best of some tries on the device, a quarter of a second for each. A
 * product is one by matmul, or a convolution of one pixel: whichever is
 * faster. bf16 only where it is asked for and there is such arithmetic. Fails
 * when there is no memory. */
SL_MUST_USE sl_status sl_peak_measure(sl_peak *p, const sl_backend *b,
                                      int with_bf16);

/* The least seconds for so much arithmetic and traffic: the longer of the two,
 * for they can overlap. 0 where the peak that decides is not known. */
double sl_peak_limit(const sl_peak *p, sl_dtype dtype, double flops,
                     double bytes);

#endif
