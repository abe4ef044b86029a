/* portable.h -- functions that C and CUDA compile from the same text: headers
 * of formulas that every back end shares. */
#ifndef SL_BASE_PORTABLE_H
#define SL_BASE_PORTABLE_H

#ifdef __CUDACC__
#define SL_PORTABLE static inline __host__ __device__
#else /* always: also into versions of a function for other processors */
#define SL_PORTABLE static inline __attribute__((always_inline, unused))
#endif

#endif
