/* engine.c -- see engine.h. */
#include "ops/engine.h"

#include "backend/plugin.h"

#define SL_ENGINE(type, name, parameters, arguments) .name = name,
const sl_engine sl_engine_table = {
#include "ops/engine.def"
};
