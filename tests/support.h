/* support.h -- fixtures and helpers that every suite uses. */
#ifndef SL_TESTS_SUPPORT_H
#define SL_TESTS_SUPPORT_H

#include <check.h>
#include <stdarg.h>

#include "ops/op.h"
#include "ops/tape.h"

/* Tensors on the CPU from values: t_f32(v, rank, sizes...). */
sl_tensor *t_f32(const float *v, int rank, ...);
sl_tensor *t_i32(const int32_t *v, int rank, ...);
sl_tensor *t_u8(const uint8_t *v, int rank, ...);
/* n values from a fixed stream, uniform in [lo, hi). */
sl_tensor *t_random(unsigned seed, float lo, float hi, int rank, ...);
sl_tensor *t_zeros(sl_dtype d, int rank, ...);

/* Runs an op of one result, or fails the test with its message. */
sl_tensor *t_run(sl_op_id id, const void *opts, int n_in, ...);
sl_tensor *t_run_in(sl_op_id id, const void *opts, sl_tensor *const *in,
                    int n_in);

/* The op must fail with a message that contains `want`. */
void t_fails(const char *want, sl_op_id id, const void *opts, int n_in, ...);

/* Element by element; rank and shape are not compared. */
void t_close(sl_tensor *t, const float *want, int64_t n, double tol);
void t_equal_tensors(sl_tensor *a, sl_tensor *b, double tol);

/* Compares the gradient of sum(w * op(in)) for input i, with fixed random
 * weights w, with central differences of step h. */
void t_gradcheck(sl_op_id id, sl_tensor *const *in, int n_in, const void *opts,
                 int i, double h, double tol);

/* Run a chunk of Lua with `sota` (the core module) loaded; fail the test if it
 * raises. `fails(want, f, ...)` is defined there. */
void t_lua(const char *chunk);

/* Checked fixture: every tensor that a test made must be gone at its end. */
void t_no_leaks(void);

/* Runs the suite; without forking when CK_FORK=no. */
int t_main(Suite *s);

/* suite of one case with the leak fixture: add tests to *tc. */
Suite *t_suite(const char *name, TCase **tc);

#endif
