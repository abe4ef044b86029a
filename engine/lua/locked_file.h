/* locked_file.h -- a small file of lines that several processes write. */
#ifndef SL_LUA_LOCKED_FILE_H
#define SL_LUA_LOCKED_FILE_H

#include <lua.h>

/* append(path, text) -> true, or nil and why not. The file is made for its
 * owner alone (0600).
 * rewrite(path, f) -> the new text, or nil and why not: f(text) is called while
 * nobody else writes; when it returns another text, that takes the file's
 * place at once. */
int slua_file_append(lua_State *L);
int slua_file_rewrite(lua_State *L);

#endif
