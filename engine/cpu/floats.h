/* floats.h -- elements as floats, whatever float type a tensor has.
 *
 * Kernels compute in f32. These helpers let them read and write f32 tensors in
 * place and bf16 tensors through a buffer, by the same lines of code. */
#ifndef SL_CPU_FLOATS_H
#define SL_CPU_FLOATS_H

#include "base/threads.h"
#include "tensor/tensor.h"

/* --- runs of elements of a contiguous tensor ------------------------------ */

/* The n elements from position i on: the tensor's own memory, or buffer. */
const float *sl_row_get(const sl_tensor *t, int64_t i, int64_t n,
                        float *buffer);

/* Where to compute what sl_row_put will store at position i: the tensor's own
 * memory when that is possible and wanted, else buffer. */
float *sl_row_place(const sl_tensor *t, int64_t i, int add, float *buffer);

/* Elements i.. = v, or += v. v may be what sl_row_place gave. */
void sl_row_put(const sl_tensor *t, int64_t i, int64_t n, const float *v,
                int add);

/* The same for elements that lie `stride` apart. */
void sl_row_gather(const sl_tensor *t, int64_t i, int64_t stride, int64_t n,
                   float *v);
void sl_row_scatter(const sl_tensor *t, int64_t i, int64_t stride, int64_t n,
                    const float *v, int add);

/* --- whole tensors -------------------------------------------------------- */

typedef struct sl_floats {
  float *p;
  int owned;  /* p is a copy */
  float beta; /* of an output: what p holds is multiplied by it: 0 or 1 */
} sl_floats;

/* Opens a contiguous tensor to be read as floats; copies bf16. NULL: p NULL. */
SL_MUST_USE sl_status sl_floats_read(sl_floats *f, const sl_tensor *t);

/* Opens one to be written, or added to when add; sl_floats_commit stores. */
SL_MUST_USE sl_status sl_floats_write(sl_floats *f, const sl_tensor *t,
                                      int add);
void sl_floats_commit(const sl_floats *f, const sl_tensor *t, int add);
void sl_floats_close(sl_floats *f); /* twice is allowed, so is {0} */

/* --- work ----------------------------------------------------------------- */

/* n floats for each worker of the pool; NULL, with a message, when there is no
 * memory. Worker i's part begins at i * n. Freed by sl_free_data. */
float *sl_scratch(int64_t n);

/* sl_parallel, but in place when there are so few elements to work on that
 * waking the pool would cost more. */
void sl_parallel_if(int64_t elements, sl_work *f, void *context);

#endif
