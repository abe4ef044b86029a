/* stop.h -- what Ctrl-C does while Lua runs. */
#ifndef SL_LUA_STOP_H
#define SL_LUA_STOP_H

#include <lua.h>

/* From here to slua_stop_disarm, Ctrl-C is:
 *
 * - the first: "interrupted!" is raised at Lua's next instruction; while the
 *   training loop runs it ends its batch first (base/interrupt.h);
 * - the second: the same, without waiting for the batch; and where a pcall
 *   caught the first, it is raised again and again until all of Lua has ended;
 * - the third, when Lua has not come to an instruction since: the process ends
 *   with 130, unless keep_session is set.
 *
 * Call both around one lua_pcall of the main state. SIGINT's handler is the
 * default one after slua_stop_disarm, and nothing is pending. */
void slua_stop_arm(lua_State *L, int keep_session);
void slua_stop_disarm(lua_State *L);

/* Once, after the libraries are open: coroutines can be stopped too. */
void slua_stop_open(lua_State *L);

/* The exit code after the last one: 130 for Ctrl-C, 143 for SIGTERM. */
int slua_stop_code(void);

#endif
