/* repl.h -- the prompt. */
#ifndef SL_LUA_REPL_H
#define SL_LUA_REPL_H

#include <lua.h>

/* Reads and runs lines until the end of input. Expressions print their values;
 * an unfinished statement goes on on the next line; Ctrl-C clears the line, or
 * stops what is running, and never ends the session. With ignore_env no
 * init.lua is run. */
void slua_repl(lua_State *L, int ignore_env);

#endif
