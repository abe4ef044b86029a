/* repl.c -- the prompt's loop. Lines come from line.c; what they mean, how
 * values are shown and what TAB knows is sota/prompt. */
#include "lua/repl.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "lua/line.h"
#include "lua/locked_file.h"
#include "lua/slua.h"
#include "lua/stop.h"

/* The registry's: the table that require "sota.prompt" gives. */
#define PROMPT "sota.prompt"
/* The registry's: the texts of the last completion, kept while C has them. */
#define COMPLETION "sota.completion"

/* Pushes a function of sota/prompt. */
static void push_function(lua_State *L, const char *name) {
  lua_getfield(L, LUA_REGISTRYINDEX, PROMPT);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

static void print_error(lua_State *L) {
  slua_error_print(L, "");
}

/* --- what sota/prompt is given ---------------------------------------------
 */

static int width(lua_State *L) {
  lua_pushinteger(L, line_width());
  return 1;
}

static int has_colours(lua_State *L) {
  lua_pushboolean(L, slua_has_colours() && isatty(STDOUT_FILENO));
  return 1;
}

static int is_terminal(lua_State *L) {
  lua_pushboolean(L, isatty(STDIN_FILENO));
  return 1;
}

static const luaL_Reg host[] = {{"append", slua_file_append},
                                {"rewrite", slua_file_rewrite},
                                {"width", width},
                                {"has_colours", has_colours},
                                {"is_terminal", is_terminal},
                                {NULL, NULL}};

/* --- a statement -----------------------------------------------------------
 */

static line_completion complete(void *context, const char *before, size_t n) {
  lua_State *L = context;
  line_completion found = {NULL, NULL};
  const int top = lua_gettop(L);
  push_function(L, "complete");
  lua_pushvalue(L, 1); /* the lines before, or nil */
  lua_pushlstring(L, before, n);
  if (lua_pcall(L, 2, 1, 0) == LUA_OK && lua_istable(L, -1)) {
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, COMPLETION);
    lua_getfield(L, -1, "insert");
    lua_getfield(L, -2, "list");
    found.insert = lua_tostring(L, -2);
    found.list = lua_tostring(L, -1);
  }
  lua_settop(L, top);
  return found;
}

/* The global _PROMPT or _PROMPT2, if the user has set it. Left on the stack. */
static const char *push_prompt(lua_State *L, const char *global,
                               const char *usual) {
  lua_pushglobaltable(L);
  lua_pushstring(L, global);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : usual;
}

/* Appends a line to the text at 1, or makes it that. */
static int read_more(lua_State *L, line_reader *r) {
  const int begins = lua_isnil(L, 1);
  const char *prompt = begins ? push_prompt(L, "_PROMPT", "> ")
                              : push_prompt(L, "_PROMPT2", ">> ");
  const char *line = line_read(r, prompt);
  lua_pop(L, 1);
  if (!line) return 0;
  lua_pushstring(L, line);
  size_t n;
  const char *text = lua_tolstring(L, -1, &n);
  if (n > 0 && text[n - 1] == '\n') {
    lua_pushlstring(L, text, n - 1);
    lua_remove(L, -2);
  }
  if (!begins) {
    lua_pushvalue(L, 1);
    lua_pushliteral(L, "\n");
    lua_rotate(L, -3, -1);
    lua_concat(L, 3);
  }
  lua_replace(L, 1);
  return 1;
}

static void remember(lua_State *L, line_reader *r) {
  line_remember(r, lua_tostring(L, 1));
  push_function(L, "remember");
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) print_error(L);
}

/* What was read: the stack has only a function to run then (RUN), an error
 * message (WRONG), or nothing. */
typedef enum got { RUN, WRONG, STOPPED, ENDED } got;

static got read_statement(lua_State *L, line_reader *r) {
  lua_settop(L, 0);
  lua_pushnil(L);
  for (;;) {
    if (!read_more(L, r)) return line_interrupted(r) ? STOPPED : ENDED;
    push_function(L, "compile");
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 2, 0) != LUA_OK) return WRONG;
    if (lua_isnil(L, -2) && lua_isnil(L, -1)) { /* unfinished */
      lua_settop(L, 1);
      continue;
    }
    remember(L, r);
    const int is_wrong = lua_isnil(L, -2);
    lua_settop(L, is_wrong ? 3 : 2);
    return is_wrong ? WRONG : RUN;
  }
}

/* The message on top, with what sota/prompt knows to add. */
static void explain(lua_State *L) {
  if (lua_type(L, -1) != LUA_TSTRING) return;
  push_function(L, "explain");
  lua_pushvalue(L, -2);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK && lua_type(L, -1) == LUA_TSTRING)
    lua_replace(L, -2);
  else
    lua_pop(L, 1);
}

static void run_statement(lua_State *L) {
  slua_stop_arm(L, 1);
  const int base = lua_gettop(L) - 1;
  const double began = sl_clock();
  int status = slua_pcall(L, 0, LUA_MULTRET);
  if (status == LUA_OK) {
    luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
    push_function(L, "show");
    lua_pushnumber(L, sl_clock() - began);
    lua_rotate(L, base + 1, 2);
    status = slua_pcall(L, lua_gettop(L) - base - 1, 0);
  }
  if (status != LUA_OK) {
    explain(L);
    print_error(L);
  }
  slua_stop_disarm(L);
  signal(SIGINT, SIG_IGN); /* until the next line is read */
}

/* --- the session -----------------------------------------------------------
 */

/* sota/prompt begins: it prints a greeting and gives the history. */
static int begin(lua_State *L, line_reader *r, int ignore_env) {
  push_function(L, "begin");
  luaL_newlib(L, host);
  lua_pushboolean(L, ignore_env);
  slua_stop_arm(L, 1);
  const int status = slua_pcall(L, 2, 1);
  slua_stop_disarm(L);
  signal(SIGINT, SIG_IGN);
  if (status != LUA_OK) return print_error(L), 0;
  const lua_Integer n = luaL_len(L, -1);
  for (lua_Integer i = 1; i <= n; i++) {
    lua_geti(L, -1, i);
    line_recall(r, lua_tostring(L, -1));
    lua_pop(L, 1);
  }
  return 1;
}

static void session(lua_State *L, line_reader *r, int ignore_env) {
  if (!begin(L, r, ignore_env)) return;
  for (;;) {
    const got what = read_statement(L, r);
    if (what == ENDED) break;
    if (what == RUN) run_statement(L);
    if (what == WRONG) print_error(L);
  }
  if (isatty(STDIN_FILENO)) putchar('\n');
}

void slua_repl(lua_State *L, int ignore_env) {
  lua_settop(L, 0);
  if (luaL_dostring(L, "return require 'sota.prompt'") != LUA_OK) {
    print_error(L);
    return;
  }
  lua_settop(L, 1); /* require gives the file's name too */
  lua_setfield(L, LUA_REGISTRYINDEX, PROMPT);
  line_reader *r = line_open(complete, L);
  if (!r) {
    fprintf(stderr, "sota-lua: not enough memory\n");
    return;
  }
  session(L, r, ignore_env);
  line_close(r);
}
