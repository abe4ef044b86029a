/* host.h -- the engine, as this module sees it. */
#ifndef SL_CUDA_HOST_H
#define SL_CUDA_HOST_H

#include "ops/engine.h"

extern const sl_engine *sl_cuda_engine; /* set by sl_plugin_open */

#endif
