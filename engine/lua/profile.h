/* profile.h -- `sota-lua --profile[=FILE]`. */
#ifndef SL_LUA_PROFILE_H
#define SL_LUA_PROFILE_H

#include <lua.h>

#include "base/status.h"

/* Records from now on. trace: name of the file for the Chrome trace, made at
 * once; "": none. os.exit is replaced by one that calls slua_profile_end
 * first: a handler of atexit would come when oneDNN is gone already. */
SL_MUST_USE sl_status slua_profile_begin(lua_State *L, const char *trace);

/* Reports to stderr, unless the script has stopped the profile. */
void slua_profile_end(void);

#endif
