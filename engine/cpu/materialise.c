/* materialise.c -- z = act(y * scale + shift), for readers that are not
 * convolutions. */
#include "cpu/cpu.h"

#include "base/threads.h"
#include "cpu/norm.h"

typedef struct job {
  float *z;
  const sl_lazy *lazy;
  int64_t rows, c;
} job;

static void work(void *context, int worker, int n) {
  const job *j = context;
  int64_t begin, end;
  sl_share(j->rows, 1, worker, n, &begin, &end);
  sl_norm_apply(j->z + begin * j->c, sl_f32(j->lazy->y) + begin * j->c, NULL,
                end - begin, j->c, sl_f32(j->lazy->scale),
                sl_f32(j->lazy->shift), j->lazy->act);
}

sl_status sl_cpu_materialise(sl_tensor *out, const sl_lazy *lazy) {
  SL_REQUIRE(out->dtype == SL_F32 && lazy->y->dtype == SL_F32, SL_EINTERNAL,
             "a normalised tensor must be f32, not %s",
             sl_dtype_name(lazy->y->dtype));
  const int64_t c = lazy->y->shape[lazy->y->rank - 1];
  job j = {sl_f32(out), lazy, c ? sl_tensor_count(out) / c : 0, c};
  sl_parallel(work, &j);
  return SL_OK;
}
