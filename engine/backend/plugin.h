/* plugin.h -- back ends that come as modules of their own.
 *
 * A module is a shared library that the engine loads when its device is asked
 * for, so that one binary runs with and without it. It exports one function,
 * sl_plugin_open, and calls the engine through the table that it is given
 * (ops/engine.h). A process uses one device of each kind. */
#ifndef SL_BACKEND_PLUGIN_H
#define SL_BACKEND_PLUGIN_H

#include "backend/backend.h"

/* Changes with anything that a module and the engine must agree on. */
enum { SL_PLUGIN_ABI = 2 };

struct sl_engine;
extern const struct sl_engine sl_engine_table;

/* Device number `device` of the module's kind; NULL, with the reason in one
 * sentence as the message, when it cannot be used here. A module that has
 * another abi returns NULL and touches nothing: it cannot even leave a
 * message. */
typedef const sl_backend *
sl_plugin_open_function(int abi, const struct sl_engine *engine, int device);

/* A kind of device: "cuda". */
typedef struct sl_plugin {
  const char *kind;         /* the device's name, before the number */
  const char *file;         /* of the module */
  const char *variable;     /* of the environment: another path for it */
  const char *const *signs; /* files of which one exists where the device may
                               be used; ends with NULL */
} sl_plugin;

/* Whether the module is installed: only then is its absence worth a word. */
int sl_plugin_installed(const sl_plugin *p);

/* Loads the module and opens its device, once; later calls give the same
 * answer, and the same reason. */
const sl_backend *sl_plugin_device(const sl_plugin *p, int device);

#endif
