/* host.c -- the engine's functions inside of this module: each calls the one
 * in the table that the engine gave (ops/engine.def). */
#include "cuda/host.h"

const sl_engine *sl_cuda_engine;

/* clang-format off */
#define SL_ENGINE(type, name, parameters, arguments)                           \
  type(name) parameters {                                                      \
    return sl_cuda_engine->name arguments;                                     \
  }
#define SL_ENGINE_VOID(name, parameters, arguments)                            \
  void(name) parameters {                                                      \
    sl_cuda_engine->name arguments;                                            \
  }
#include "ops/engine.def"
/* clang-format on */

sl_status(sl_fail)(sl_status code, const char *fmt, ...) {
  va_list list;
  va_start(list, fmt);
  sl_fail_list(code, fmt, list);
  va_end(list);
  return code;
}
