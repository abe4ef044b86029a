/* materialise.c -- z = act(y * scale + shift), for readers that are not
 * convolutions. */
#include "cpu/cpu.h"

#include "base/threads.h"
#include "cpu/norm.h"
#include "cpu/typed.h"

typedef struct job {
  sl_dtype type;
  void *z;
  const sl_lazy *lazy;
  int64_t rows, c;
} job;

static void work(void *context, int worker, int n) {
  const job *j = context;
  int64_t begin, end;
  sl_share(j->rows, 1, worker, n, &begin, &end);
  sl_norm_apply(j->type, sl_ahead_to(j->type, j->z, begin * j->c),
                sl_ahead(j->type, sl_data(j->lazy->y), begin * j->c), NULL,
                end - begin, j->c, sl_f32(j->lazy->scale),
                sl_f32(j->lazy->shift), j->lazy->act);
}

sl_status sl_cpu_materialise(sl_tensor *out, const sl_lazy *lazy) {
  const int64_t c = lazy->y->shape[lazy->y->rank - 1];
  job j = {out->dtype, sl_data(out), lazy, c ? sl_tensor_count(out) / c : 0, c};
  sl_parallel(work, &j);
  return SL_OK;
}
