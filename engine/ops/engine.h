/* engine.h -- the engine as a table of functions, for back ends in modules of
 * their own: see engine.def. */
#ifndef SL_OPS_ENGINE_H
#define SL_OPS_ENGINE_H

#include <stdarg.h>

#include "base/alloc.h"
#include "ops/augment_images.h"
#include "ops/conv_bn_act.h"
#include "ops/matmul.h"
#include "ops/op.h"
#include "ops/pool.h"
#include "ops/reduce.h"

typedef struct sl_engine {
#define SL_ENGINE(type, name, parameters, arguments) type(*name) parameters;
#include "ops/engine.def"
} sl_engine;

#endif
