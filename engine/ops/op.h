/* op.h -- what an operation is: its description, and one call of it.
 *
 * An operation is a description (this file's sl_op: inputs, options, help,
 * shape rule) in ops/<name>.c plus a kernel pair per backend in
 * <backend>/<name>.c. The Lua function, its checks, help() and the editor stub
 * come from the description. The names are listed in ops.def. */
#ifndef SL_OPS_OP_H
#define SL_OPS_OP_H

#include <stddef.h>

#include "tensor/tensor.h"

enum {
  SL_OP_MAX_IN = 64, /* cat and stack; others have up to 8 */
  SL_OP_MAX_OUT = 2,
  SL_OP_MAX_SAVED = 4,
  SL_OP_MAX_OPTS = 256, /* bytes of the largest options struct */
};

/* --- options -------------------------------------------------------------- */

/* A list of whole numbers: shapes, strides, dimensions. */
typedef struct sl_ints {
  int n;
  int64_t v[SL_MAX_RANK];
} sl_ints;

/* A list of numbers: one per channel, a range. */
typedef struct sl_numbers {
  int n;
  double v[SL_MAX_RANK];
} sl_numbers;

/* How an option's field is declared: double, int64_t, int, int, sl_ints... */
typedef enum sl_option_type {
  SL_OPTION_FLOAT,   /* double in [min, max] */
  SL_OPTION_INT,     /* int64_t in [min, max] */
  SL_OPTION_BOOL,    /* int: 0 or 1 */
  SL_OPTION_ENUM,    /* int: position in names */
  SL_OPTION_INTS,    /* sl_ints; Lua: {2, 3}, or a single number */
  SL_OPTION_DIM,     /* int64_t; Lua counts from 1, C from 0, both -1 = last */
  SL_OPTION_DIMS,    /* sl_ints of the above; n = 0: not given */
  SL_OPTION_DTYPE,   /* int: sl_dtype; def -1: not given */
  SL_OPTION_NUMBERS, /* sl_numbers; otherwise as INTS */
} sl_option_type;

typedef struct sl_option {
  const char *name, *help; /* name NULL ends a table */
  size_t offset;           /* of the field in the options struct */
  sl_option_type type;
  double def, min, max;     /* INTS: def fills v[0], n = 1; NAN: n = 0 */
  const char *const *names; /* of an ENUM; ends with NULL */
  int required;
} sl_option;

/* clang-format off */
#define SL_OPT_FLOAT(T, f, def, min, max, help) {#f, help, offsetof(T, f), SL_OPTION_FLOAT, def, min, max, NULL, 0}
#define SL_OPT_INT(T, f, def, min, max, help)   {#f, help, offsetof(T, f), SL_OPTION_INT, def, min, max, NULL, 0}
#define SL_OPT_BOOL(T, f, def, help)            {#f, help, offsetof(T, f), SL_OPTION_BOOL, def, 0, 1, NULL, 0}
#define SL_OPT_ENUM(T, f, def, names, help)     {#f, help, offsetof(T, f), SL_OPTION_ENUM, def, 0, 0, names, 0}
#define SL_OPT_INTS(T, f, def, min, max, help)  {#f, help, offsetof(T, f), SL_OPTION_INTS, def, min, max, NULL, 0}
#define SL_OPT_NUMBERS(T, f, def, min, max, help) {#f, help, offsetof(T, f), SL_OPTION_NUMBERS, def, min, max, NULL, 0}
#define SL_OPT_DIM(T, f, def, help)             {#f, help, offsetof(T, f), SL_OPTION_DIM, def, 0, 0, NULL, 0}
#define SL_OPT_DIMS(T, f, help)                 {#f, help, offsetof(T, f), SL_OPTION_DIMS, 0, 0, 0, NULL, 0}
#define SL_OPT_DTYPE(T, f, help)                {#f, help, offsetof(T, f), SL_OPTION_DTYPE, -1, 0, 0, NULL, 0}
/* A required one has no default: put it first, it may be given by place. */
#define SL_OPT_NEED_INTS(T, f, min, max, help)  {#f, help, offsetof(T, f), SL_OPTION_INTS, 0, min, max, NULL, 1}
#define SL_OPT_NEED_FLOAT(T, f, min, max, help) {#f, help, offsetof(T, f), SL_OPTION_FLOAT, 0, min, max, NULL, 1}
#define SL_OPT_NEED_INT(T, f, min, max, help)   {#f, help, offsetof(T, f), SL_OPTION_INT, 0, min, max, NULL, 1}
#define SL_OPT_NEED_DIMS(T, f, help)            {#f, help, offsetof(T, f), SL_OPTION_DIMS, 0, 0, 0, NULL, 1}
#define SL_OPT_END                              {NULL, NULL, 0, SL_OPTION_INT, 0, 0, 0, NULL, 0}
/* clang-format on */

extern const char *const sl_act_names[]; /* for ENUM options of type sl_act */

/* --- one call ------------------------------------------------------------- */

/* Everything a kernel may read or write. Nothing here is owned by the call.
 * An optional input that was not given is NULL. Inputs are contiguous unless
 * the op says otherwise, and never lazy unless lazy_in has their bit. */
typedef struct sl_call {
  sl_tensor *const *in;
  int n_in;
  const void *opts; /* the op's options struct, normalised by infer */
  sl_tensor *out[SL_OP_MAX_OUT];     /* forward: to be written. backward: as
                                        written, if the op asked (needs_out) */
  sl_tensor *saved[SL_OP_MAX_SAVED]; /* forward writes, backward reads; in
                                        forward NULL when no gradient will be
                                        asked for */
  sl_tensor *dout[SL_OP_MAX_OUT];    /* backward: contiguous; NULL: zero */
  sl_tensor **din;                   /* backward; NULL entry: not wanted */
  const char *add; /* per input: 1 add to din, 0 overwrite (it is not zero) */
} sl_call;

typedef sl_status sl_kernel(const sl_call *c);

typedef struct sl_kernels {
  sl_kernel *forward, *backward; /* NULL: not differentiable, or a view */
} sl_kernels;

/* --- descriptions --------------------------------------------------------- */

typedef struct sl_spec {
  sl_dtype dtype;
  int rank;
  int64_t shape[SL_MAX_RANK];
} sl_spec;

/* As rank of an output: this call does not make it (max without dim has no
 * positions). The call's out is NULL then, and Lua gets one result less. Only
 * the last output may be missing. */
enum { SL_NOT_MADE = -1 };

/* What infer is asked to fill. */
typedef struct sl_shapes {
  sl_spec out[SL_OP_MAX_OUT];
  sl_spec saved[SL_OP_MAX_SAVED];
  int n_saved; /* 0 unless set */
  int lazy;    /* out[0] will be made lazy by the kernel (conv_bn_act): it is
                  allocated without storage, see sl_call_make_lazy */
} sl_shapes;

typedef struct sl_op {
  const char *name;
  const char *args;    /* "x, weight [, bias]": the inputs, for help */
  const char *help;    /* one sentence, then details if need be */
  const char *example; /* Lua that runs, x a tensor of the docs' own making */
  int n_in;            /* required inputs */
  int n_optional;      /* may be nil or left out, after the required */
  int variadic;        /* inputs come as one Lua list of tensors */
  int n_out;           /* 0 means 1 */
  unsigned grad_in;    /* bit i: input i has a gradient */
  unsigned lazy_in;    /* bit i: the kernels read a lazy input i */
  unsigned strided_in; /* bit i: the kernels read any strides of input i */
  unsigned written_in; /* bit i: input i is changed in place (running stats) */
  int needs_out;       /* backward reads out */
  size_t opts_size;
  const sl_option *options; /* NULL: none */

  /* Checks inputs and options, normalises options in place (negative
   * dimensions, a random stream...), and says what comes out. Reads no data.
   */
  sl_status (*infer)(const sl_call *c, void *opts, sl_shapes *s);

  /* Views only: strides (s->out[0] has the shape) and offset of the result
   * over the input's storage. */
  void (*view)(const sl_call *c, const sl_spec *out, int64_t *stride,
               int64_t *offset);
} sl_op;

#define SL_OP(name)        SL_OP_##name,
#define SL_OP_NOGRAD(name) SL_OP_##name,
#define SL_OP_VIEW(name)   SL_OP_##name,
typedef enum sl_op_id {
#include "ops/ops.def"
  SL_OP_COUNT
} sl_op_id;

#define SL_OP(name)        extern const sl_op sl_op_##name;
#define SL_OP_NOGRAD(name) extern const sl_op sl_op_##name;
#define SL_OP_VIEW(name)   extern const sl_op sl_op_##name;
#include "ops/ops.def"

const sl_op *sl_op_get(sl_op_id id);
int sl_op_find(const char *name); /* -1: no such op */

/* Puts defaults into an options struct of op->opts_size bytes. */
void sl_op_defaults(const sl_op *op, void *opts);

/* Check, allocate, run, and record on the tape if an input requires a
 * gradient. opts may be NULL (defaults). out gets n_out owned tensors. */
SL_MUST_USE sl_status sl_op_run(sl_op_id id, sl_tensor *const *in, int n_in,
                                const void *opts, sl_tensor **out);

/* --- helpers for infer and kernels ---------------------------------------- */

/* 0-based dimension from one that may count from the end. */
SL_MUST_USE sl_status sl_dim(int64_t d, int rank, int *out);

/* An option of one or two numbers as (height, width). */
SL_MUST_USE sl_status sl_pair(const sl_ints *v, const char *name, int64_t *h,
                              int64_t *w);

/* The shape that a and b broadcast to, by NumPy's rule. */
SL_MUST_USE sl_status sl_broadcast(const sl_tensor *a, const sl_tensor *b,
                                   sl_spec *out);

void sl_spec_like(sl_spec *s, const sl_tensor *t);

/* For kernels of lazy ops: makes c->out[0] lazy over y. */
SL_MUST_USE sl_status sl_call_make_lazy(const sl_call *c, sl_tensor *y,
                                        sl_tensor *scale, sl_tensor *shift,
                                        sl_act act);

/* Which layer is running: put in front of messages. NULL: none. Borrowed. */
void sl_layer_set(const char *name);
const char *sl_layer_get(void);

#endif
