/* device_run.h -- cases of the registry on another device, compared with the
 * CPU: what test_device.c and device_faults.c share. */
#ifndef SL_TESTS_DEVICE_RUN_H
#define SL_TESTS_DEVICE_RUN_H

#include "registry_cases.h"
#include "support.h"

enum { T_MAX_IN = 8, T_SHIFTED = 1 << 30 };

extern const sl_backend *t_device; /* set by main */

typedef struct t_results {
  sl_tensor *out[SL_OP_MAX_OUT], *grad[T_MAX_IN];
} t_results;
void t_results_free(t_results *r);

/* Copies of the inputs on b; of those in `cast` bf16 values, as autocast makes
 * them: from parameters that are f32. T_SHIFTED: as views. */
typedef struct t_device_inputs {
  sl_tensor *leaf[T_MAX_IN], *in[T_MAX_IN];
} t_device_inputs;
void t_device_inputs_make(t_device_inputs *v, const t_inputs *c,
                          const sl_backend *b, unsigned cast);
void t_device_inputs_free(t_device_inputs *v);

/* A gradient for out that differs from element to element. */
sl_tensor *t_seed_of(const sl_tensor *out, const sl_backend *b);
void t_collect(t_results *r, const t_device_inputs *v, sl_tensor *const *out);

/* `times` backward passes: from the second on gradients are added. Inputs that
 * are written in place (running statistics) count as results. */
sl_status t_run_on(const sl_backend *b, const t_inputs *c, unsigned cast,
                   int times, t_results *r);

/* To a share of the largest element. */
void t_compare(const char *name, const char *what, int k, sl_tensor *want,
               sl_tensor *got, double tol);
void t_compare_all(const char *name, const t_results *want,
                   const t_results *got, double tol);

/* Cases of the registry, then those of device_cases.c. */
const t_case *t_case_at(int i);
int t_count_cases(void);

/* A case gives the same on the device and on the CPU. With inputs of another
 * kind (cast) the CPU may refuse it. */
void t_same(const t_case *from, unsigned cast, int times, double tol);

/* Memory that runs out, and calls that fail: device_faults.c. */
TCase *t_device_failures(int n);
void t_device_given_back(void); /* nothing is left */

#endif
