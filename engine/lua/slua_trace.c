/* slua_trace.c -- what is seen of an error: the message at the user's line, and
 * the user's frames; those of the library and of C are counted only.
 *
 *   core.library(prefix)  from now on sources that begin with it are the
 *                         library's: check.lua tells where it lies */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/slua.h"

#define LIBRARY "sota.library"
#define HEADER  "\nstack traceback:"

static int is_full;

const char *slua_traceback_set(const char *which) {
  if (which && strcmp(which, "short") != 0 && strcmp(which, "full") != 0)
    return NULL;
  if (which) is_full = which[0] == 'f';
  return is_full ? "full" : "short";
}

/* --- frames ----------------------------------------------------------------
 */

static int is_users(const lua_Debug *ar, const char *library) {
  if (ar->what[0] == 'C') return 0; /* "C": not a function of Lua */
  return !library || strncmp(ar->source, library, strlen(library)) != 0;
}

static int next_frame(lua_State *L, int level, lua_Debug *ar) {
  return lua_getstack(L, level, ar) && lua_getinfo(L, "Slnt", ar);
}

/* The message at `message` without a place in the library, and with that of the
 * user's innermost line in front. */
static void push_message(lua_State *L, const char *message,
                         const char *library) {
  lua_Debug ar;
  char place[LUA_IDSIZE + 32];
  int level = 1, is_ours = 0;
  for (; next_frame(L, level, &ar); level++) {
    if (is_users(&ar, library)) break;
    if (ar.what[0] == 'C') continue;
    snprintf(place, sizeof place, "%s:%d: ", ar.short_src, ar.currentline);
    if (strncmp(message, place, strlen(place)) != 0) continue;
    message += strlen(place);
    is_ours = 1;
  }
  if (is_ours && next_frame(L, level, &ar))
    lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, message);
  else
    lua_pushstring(L, message);
}

/* "\n\tfile:12: in function 'f'" */
static void push_frame(lua_State *L, const lua_Debug *ar) {
  lua_pushfstring(L, "\n\t%s:%d: in ", ar->short_src, ar->currentline);
  if (*ar->namewhat)
    lua_pushfstring(L, "%s '%s'", ar->namewhat, ar->name);
  else if (ar->what[0] == 'm')
    lua_pushliteral(L, "main chunk");
  else
    lua_pushfstring(L, "function <%s:%d>", ar->short_src, ar->linedefined);
  lua_concat(L, 2);
}

/* Appends the user's frames, the first and the last, to the text on top. */
static void add_frames(lua_State *L, const char *library) {
  enum { FIRST = 10, LAST = 10 };
  lua_Debug ar;
  int n = 0, hidden = 0, k = 0;
  for (int level = 1; lua_getstack(L, level, &ar); level++) {
    lua_getinfo(L, "S", &ar);
    is_users(&ar, library) ? n++ : hidden++;
  }
  for (int level = 1; next_frame(L, level, &ar); level++) {
    if (!is_users(&ar, library)) continue;
    k++;
    if (k == FIRST + 1 && n > FIRST + LAST)
      lua_pushfstring(L, "\n\t... (%d of yours left out)", n - FIRST - LAST);
    else if (k > FIRST && k <= n - LAST)
      continue;
    else
      push_frame(L, &ar);
    lua_concat(L, 2);
  }
  if (hidden > 0 && library) {
    lua_pushfstring(L, "\n\t(and %d inside sota-lua: --traceback full)",
                    hidden);
    lua_concat(L, 2);
  }
}

/* Text gets a traceback, once: that of the innermost slua_pcall is the longest.
 * An object with a text of its own (__tostring) is handed on as it is: who
 * raised it says all there is to say. */
static int traceback(lua_State *L) {
  const char *message = lua_tostring(L, 1);
  if (!message || strstr(message, HEADER)) return 1;
  if (is_full) {
    luaL_traceback(L, L, message, 1);
    return 1;
  }
  lua_getfield(L, LUA_REGISTRYINDEX, LIBRARY);
  const char *library = lua_tostring(L, -1);
  luaL_checkstack(L, 8, "traceback");
  push_message(L, message, library);
  lua_pushliteral(L, HEADER);
  lua_concat(L, 2);
  add_frames(L, library);
  return 1;
}

int slua_pcall(lua_State *L, int n_args, int n_results) {
  const int base = lua_gettop(L) - n_args;
  lua_pushcfunction(L, traceback);
  lua_insert(L, base);
  const int status = lua_pcall(L, n_args, n_results, base);
  lua_remove(L, base);
  return status;
}

/* --- printing --------------------------------------------------------------
 */

int slua_has_colours(void) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !(no && *no) && term && *term &&
         strcmp(term, "dumb") != 0;
}

/* Of a line at the prompt, the one frame "stdin:1: in main chunk" says nothing
 * that the message does not. */
static int is_worth_reading(const char *frames) {
  const char *first = strstr(frames, "\n\t");
  if (!first || strncmp(first, "\n\tstdin:", 8) != 0) return 1;
  const char *second = strstr(first + 2, "\n\t");
  return second && strncmp(second, "\n\t(and ", 7) != 0;
}

void slua_error_print(lua_State *L, const char *prefix) {
  const char *text = slua_error_text(L), *frames = strstr(text, HEADER);
  const int n = frames ? (int)(frames - text) : (int)strlen(text);
  const int colours = slua_has_colours();
  if (frames && !is_worth_reading(frames)) frames = NULL;
  fflush(stdout);
  fprintf(stderr, "%s%s%.*s%s", prefix, colours ? "\033[1;31m" : "", n, text,
          colours ? "\033[0m" : "");
  if (frames)
    fprintf(stderr, "%s%s%s", colours ? "\033[2m" : "", frames,
            colours ? "\033[0m" : "");
  fputc('\n', stderr);
  lua_pop(L, 2);
}

/* --- binding ---------------------------------------------------------------
 */

static int library(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_settop(L, 1);
  lua_setfield(L, LUA_REGISTRYINDEX, LIBRARY);
  return 0;
}

int slua_open_trace(lua_State *L);
int slua_open_trace(lua_State *L) {
  lua_pushcfunction(L, library);
  lua_setfield(L, -2, "library");
  return 0;
}
