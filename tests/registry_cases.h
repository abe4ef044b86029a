/* registry_cases.h -- for each operation, inputs and options it works on.
 *
 * test_registry.c runs every case: gradients by central differences, and
 * forward and backward with each allocation failing in turn. An operation with
 * a gradient must have a case: add a line to the table in registry_cases.c. */
#ifndef SL_TESTS_REGISTRY_CASES_H
#define SL_TESTS_REGISTRY_CASES_H

#include <stdalign.h>

#include "ops/op.h"

typedef struct t_inputs {
  sl_op_id id;
  sl_tensor *in[8]; /* owned; small: gradients take two runs an element */
  int n_in;
  alignas(max_align_t) char opts[SL_OP_MAX_OPTS]; /* defaults at first */
  double h, tol; /* step and tolerance; 1e-2 and 5e-3 at first */
} t_inputs;

typedef struct t_case {
  sl_op_id id;
  void (*make)(t_inputs *c);
} t_case;

/* Ends with make == NULL. An operation may have several cases. */
extern const t_case t_cases[];

/* Makes the inputs of a case; gives them back. */
void t_inputs_make(t_inputs *c, const t_case *from);
void t_inputs_free(t_inputs *c);

/* Sets an option by its name. */
void t_set_number(t_inputs *c, const char *option, double v);
void t_set_list(t_inputs *c, const char *option, int n, const int64_t *v);

#endif
