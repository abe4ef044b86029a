/* random.c -- see random.h: the state, and the descriptions. Kernels:
 * <backend>/random.c. */
#include "ops/random.h"

#include <math.h>
#include <pthread.h>

static struct {
  pthread_mutex_t lock;
  sl_random_state state;
} global = {PTHREAD_MUTEX_INITIALIZER, {0, 0}};

sl_random_state sl_random_save(void) {
  pthread_mutex_lock(&global.lock);
  const sl_random_state s = global.state;
  pthread_mutex_unlock(&global.lock);
  return s;
}

void sl_random_restore(sl_random_state s) {
  pthread_mutex_lock(&global.lock);
  global.state = s;
  pthread_mutex_unlock(&global.lock);
}

sl_random_state sl_random_next(void) {
  pthread_mutex_lock(&global.lock);
  const sl_random_state s = global.state;
  global.state.call++;
  pthread_mutex_unlock(&global.lock);
  return s;
}

void sl_seed(uint64_t seed) {
  sl_random_restore((sl_random_state){seed, 0});
}

uint64_t sl_seed_get(void) {
  return sl_random_save().seed;
}

/* --- descriptions --------------------------------------------------------- */

typedef sl_random_opts opts_t;

#define MOST 2147483647.0 /* of i32 */

static sl_status infer_shape(opts_t *o, sl_dtype dtype, sl_shapes *s) {
  s->out[0].dtype = dtype;
  s->out[0].rank = o->shape.n;
  for (int d = 0; d < o->shape.n; d++)
    s->out[0].shape[d] = o->shape.v[d];
  o->at = sl_random_next();
  return SL_OK;
}

static sl_status infer_uniform(const sl_call *c, void *opts, sl_shapes *s) {
  (void)c;
  opts_t *o = opts;
  SL_REQUIRE(o->low <= o->high, SL_EINVAL, "low is %g, above high, %g", o->low,
             o->high);
  return infer_shape(o, SL_F32, s);
}

static sl_status infer_plain(const sl_call *c, void *opts, sl_shapes *s) {
  (void)c;
  return infer_shape(opts, SL_F32, s);
}

static sl_status infer_randint(const sl_call *c, void *opts, sl_shapes *s) {
  (void)c;
  opts_t *o = opts;
  SL_REQUIRE(o->from <= o->to, SL_EINVAL, "from is %lld, above to, %lld",
             (long long)o->from, (long long)o->to);
  return infer_shape(o, SL_I32, s);
}

static sl_status infer_permutation(const sl_call *c, void *opts, sl_shapes *s) {
  (void)c;
  opts_t *o = opts;
  o->shape = (sl_ints){1, {o->n}};
  return infer_shape(o, SL_I32, s);
}

/* clang-format off */
#define SHAPE SL_OPT_NEED_INTS(opts_t, shape, 0, 0x1p40, "shape of the result")
/* clang-format on */

static const sl_option uniform_options[] = {
    SHAPE,
    SL_OPT_FLOAT(opts_t, low, 0, -HUGE_VAL, HUGE_VAL, "least number"),
    SL_OPT_FLOAT(opts_t, high, 1, -HUGE_VAL, HUGE_VAL, "all lie below it"),
    SL_OPT_END,
};

const sl_op sl_op_uniform = {
    .name = "uniform",
    .args = "",
    .help = "random numbers, evenly distributed over [low, high)",
    .example = "return sota.uniform{2, 3, low = -1}",
    .opts_size = sizeof(opts_t),
    .options = uniform_options,
    .infer = infer_uniform,
};

static const sl_option normal_options[] = {
    SHAPE,
    SL_OPT_FLOAT(opts_t, mean, 0, -HUGE_VAL, HUGE_VAL, "their mean"),
    SL_OPT_FLOAT(opts_t, std, 1, 0, HUGE_VAL, "their standard deviation"),
    SL_OPT_END,
};

const sl_op sl_op_normal = {
    .name = "normal",
    .args = "",
    .help = "random numbers from a normal distribution",
    .example = "return sota.normal{2, 3, std = 0.1}",
    .opts_size = sizeof(opts_t),
    .options = normal_options,
    .infer = infer_plain,
};

static const sl_option bernoulli_options[] = {
    SHAPE,
    SL_OPT_FLOAT(opts_t, p, 0.5, 0, 1, "probability of a 1"),
    SL_OPT_END,
};

const sl_op sl_op_bernoulli = {
    .name = "bernoulli",
    .args = "",
    .help = "1 with probability p, else 0 (f32)",
    .example = "return sota.bernoulli{8, p = 0.25}",
    .opts_size = sizeof(opts_t),
    .options = bernoulli_options,
    .infer = infer_plain,
};

static const sl_option beta_options[] = {
    SHAPE,
    SL_OPT_FLOAT(opts_t, a, 1, 1e-6, 1e6, "first shape parameter"),
    SL_OPT_FLOAT(opts_t, b, 1, 1e-6, 1e6, "second shape parameter"),
    SL_OPT_END,
};

const sl_op sl_op_beta = {
    .name = "beta",
    .args = "",
    .help = "random numbers from the Beta(a, b) distribution, in [0, 1]",
    .example = "return sota.beta{16, a = 0.4, b = 0.4}",
    .opts_size = sizeof(opts_t),
    .options = beta_options,
    .infer = infer_plain,
};

static const sl_option randint_options[] = {
    SHAPE,
    SL_OPT_INT(opts_t, from, 1, -2147483648.0, MOST, "least number"),
    SL_OPT_INT(opts_t, to, 1, -2147483648.0, MOST, "largest number"),
    SL_OPT_END,
};

const sl_op sl_op_randint = {
    .name = "randint",
    .args = "",
    .help = "random whole numbers (i32), both ends included as in math.random",
    .example = "return sota.randint{4, from = 1, to = 6}",
    .opts_size = sizeof(opts_t),
    .options = randint_options,
    .infer = infer_randint,
};

static const sl_option permutation_options[] = {
    SL_OPT_NEED_INT(opts_t, n, 0, MOST, "how many numbers"),
    SL_OPT_END,
};

const sl_op sl_op_permutation = {
    .name = "permutation",
    .args = "",
    .help = "the whole numbers 1 to n in random order (i32)",
    .example = "return sota.permutation(5)",
    .opts_size = sizeof(opts_t),
    .options = permutation_options,
    .infer = infer_permutation,
};
