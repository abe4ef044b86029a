/* slua_error.c -- from a status to a Lua error, and names that are near.
 * What is seen of an error: slua_trace.c. */
#include <string.h>

#include "lua/slua.h"

void slua_check(lua_State *L, sl_status status, const char *what) {
  if (status == SL_OK) return;
  if (status == SL_ELUA) lua_error(L); /* the error value is on top */
  if (what)
    luaL_error(L, "%s: %s", what, sl_error());
  else
    luaL_error(L, "%s", sl_error());
}

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

const char *slua_error_text(lua_State *L) {
  if (lua_type(L, -1) == LUA_TSTRING) {
    lua_pushvalue(L, -1);
  } else if (luaL_getmetafield(L, -1, "__tostring") != LUA_TNIL) {
    lua_pop(L, 1);
    lua_pushcfunction(L, to_text);
    lua_pushvalue(L, -2);
    lua_pcall(L, 1, 1, 0); /* of a broken __tostring, its own error */
  } else {
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
  }
  const char *text = lua_tostring(L, -1);
  return text ? text : "(error object without a text)";
}

/* Edit distance with transpositions, for short names. */
static int distance(const char *a, const char *b) {
  enum { MOST = 32 };
  const int n = (int)strlen(a), m = (int)strlen(b);
  if (n >= MOST || m >= MOST) return MOST;
  int d[MOST + 1][MOST + 1];
  for (int i = 0; i <= n; i++)
    d[i][0] = i;
  for (int j = 0; j <= m; j++)
    d[0][j] = j;
  for (int i = 1; i <= n; i++) {
    for (int j = 1; j <= m; j++) {
      int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
      if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
      if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
          d[i - 2][j - 2] + 1 < best)
        best = d[i - 2][j - 2] + 1;
      d[i][j] = best;
    }
  }
  return d[n][m];
}

const char *slua_nearest(const char *key, const char *const *names) {
  const char *nearest = NULL;
  int best = (int)strlen(key) / 3 + 2; /* at most that many slips */
  for (; *names; names++) {
    const int d = distance(key, *names);
    if (d < best) {
      best = d;
      nearest = *names;
    }
  }
  return nearest;
}
