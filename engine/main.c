/* main.c -- the interpreter: `lua` with an engine in it.
 *
 * All of lua's flags with their meaning, and our own before the script's name;
 * everything after the name belongs to the script. Exit codes: 0; 1 Lua error;
 * 2 wrong usage; and what an error object's field `code` says (3 diverged, 130
 * interrupted). */
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arguments.h"
#include "base/interrupt.h"
#include "lua/profile.h"
#include "lua/repl.h"
#include "lua/slua.h"
#include "lua/stop.h"

enum { EXIT_INTERRUPTED = 130 };

/* --- running -------------------------------------------------------------- */

/* The process's exit code for the error on top, which is printed. */
static int report(lua_State *L) {
  int code = EXIT_FAILURE;
  lua_sethook(L, NULL, 0, 0);
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "code");
    if (lua_isinteger(L, -1)) code = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  const char *message = slua_error_text(L);
  if (sl_interrupt_pending() || strstr(message, "interrupted!"))
    code = slua_stop_code();
  lua_pop(L, 1);
  slua_error_print(L, "sota-lua: ");
  return code;
}

static int call(lua_State *L, int n_args) {
  slua_stop_arm(L, 0);
  const int failed = slua_pcall(L, n_args, 0);
  const int code = failed ? report(L) : EXIT_SUCCESS;
  slua_stop_disarm(L);
  return code;
}

static int run_text(lua_State *L, const char *text, const char *name) {
  if (luaL_loadbuffer(L, text, strlen(text), name) != LUA_OK) return report(L);
  return call(L, 0);
}

/* A file, or standard input (NULL). */
static int run_file(lua_State *L, const char *name) {
  if (luaL_loadfile(L, name) != LUA_OK) return report(L);
  return call(L, 0);
}

/* The script, with the list part of `arg` as its `...`. */
static int run_script(lua_State *L, const char *name) {
  if (luaL_loadfile(L, name) != LUA_OK) return report(L);
  if (lua_getglobal(L, "arg") != LUA_TTABLE)
    luaL_error(L, "'arg' is not a table");
  const int n = (int)luaL_len(L, -1);
  luaL_checkstack(L, n + 3, "too many arguments to script");
  for (int i = 1; i <= n; i++)
    lua_rawgeti(L, -i, i);
  lua_remove(L, -n - 1);
  return call(L, n);
}

/* -l mod, -l g=mod: as lua 5.4.4 does. */
static int require_module(lua_State *L) {
  const char *what = lua_tostring(L, 1), *equals = strchr(what, '=');
  lua_getglobal(L, "require");
  lua_pushstring(L, equals ? equals + 1 : what);
  lua_call(L, 1, 1);
  if (equals)
    lua_pushlstring(L, what, (size_t)(equals - what));
  else
    lua_pushstring(L, what);
  lua_insert(L, -2);
  lua_pushglobaltable(L);
  lua_insert(L, -3);
  lua_settable(L, -3);
  return 0;
}

static int run_library(lua_State *L, const char *what) {
  lua_pushcfunction(L, require_module);
  lua_pushstring(L, what);
  return call(L, 1);
}

static int run_init(lua_State *L) {
  const char *name = "=LUA_INIT_5_4", *init = getenv(name + 1);
  if (!init) init = getenv((name = "=LUA_INIT") + 1);
  if (!init) return EXIT_SUCCESS;
  return init[0] == '@' ? run_file(L, init + 1) : run_text(L, init, name);
}

static int run_actions(lua_State *L, char **argv, const arguments *a) {
  for (int i = 1; i < a->script; i++) {
    if (argv[i][0] != '-') continue; /* the value of an option of ours */
    const char kind = argv[i][1];
    if (kind != 'e' && kind != 'l') continue;
    const char *what = argv[i][2] ? argv[i] + 2 : argv[++i];
    const int status = kind == 'e' ? run_text(L, what, "=(command line)")
                                   : run_library(L, what);
    if (status != EXIT_SUCCESS) return status;
  }
  return EXIT_SUCCESS;
}

/* --- the state ------------------------------------------------------------ */

/* Our own options, which sota.core.set checks. */
static int apply(lua_State *L, const arguments *a) {
  if (a->n_settings == 0) return EXIT_SUCCESS;
  luaL_requiref(L, "sota.core", luaopen_sota_core, 0);
  for (int i = 0; i < a->n_settings; i++) {
    lua_getfield(L, -1, "set");
    lua_pushstring(L, a->settings[i].name);
    lua_pushstring(L, a->settings[i].value);
    if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
      fprintf(stderr, "sota-lua: --%s\n", lua_tostring(L, -1));
      return EXIT_USAGE;
    }
  }
  lua_pop(L, 1);
  return EXIT_SUCCESS;
}

static int start_profile(lua_State *L, const char *trace) {
  if (!trace || slua_profile_begin(L, trace) == SL_OK) return EXIT_SUCCESS;
  fprintf(stderr, "sota-lua: --profile: %s\n", sl_error());
  return EXIT_USAGE;
}

static void set_arg(lua_State *L, int argc, char **argv, int script) {
  if (script >= argc) script = 0; /* no script: the binary's name is arg[0] */
  lua_createtable(L, argc - script, script + 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i - script);
  }
  lua_setglobal(L, "arg");
}

/* package.path gets ../share/lua/5.4 beside the binary's folder: the same rule
 * for the build tree and for an installed one. */
static void set_path(lua_State *L) {
  char exe[PATH_MAX];
  const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
  if (n <= 0) return;
  exe[n] = 0;
  for (int up = 0; up < 2; up++) {
    char *slash = strrchr(exe, '/');
    if (!slash) return;
    *slash = 0;
  }
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushfstring(L, "%s/share/lua/5.4/?.lua;%s/share/lua/5.4/?/init.lua;%s",
                  exe, exe, lua_tostring(L, -1));
  lua_setfield(L, -3, "path");
  lua_pop(L, 2);
}

static void open_libraries(lua_State *L, const arguments *a) {
  if (a->ignore_env) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  slua_stop_open(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_sota_core);
  lua_setfield(L, -2, "sota.core");
  lua_pop(L, 1);
  set_path(L);
  lua_warning(L, "@on", 0); /* with or without -W: the library warns */
}

/* The order of lua.c: version, LUA_INIT, -e and -l, script, prompt. */
static int run(lua_State *L, int argc, char **argv, const arguments *a) {
  const int has_script = a->script < argc;
  int status = apply(L, a);
  if (a->version) {
    printf("sota-lua %s (%s)\n", SL_VERSION, LUA_RELEASE);
    fflush(stdout);
  }
  if (status == EXIT_SUCCESS && !a->ignore_env) status = run_init(L);
  if (status == EXIT_SUCCESS) status = run_actions(L, argv, a);
  if (status == EXIT_SUCCESS && a->doctor)
    return run_text(L, "os.exit(require 'sota.doctor'(), true)", "=doctor");
  if (status == EXIT_SUCCESS && a->check) {
    lua_pushstring(L, a->check);
    lua_setglobal(L, "_CHECK");
    return run_text(L,
                    "local path = _CHECK; _CHECK = nil "
                    "os.exit(require 'sota.check_file'(path), true)",
                    "=check");
  }
  if (status == EXIT_SUCCESS && (a->stub || a->luarc || a->reference))
    return run_text(L,
                    a->stub    ? "require 'sota.help.print' 'stub'"
                    : a->luarc ? "require 'sota.help.print' 'luarc'"
                               : "require 'sota.help.print' 'markdown'",
                    "=help");
  if (status == EXIT_SUCCESS && has_script)
    status = run_script(L, a->from_stdin ? NULL : argv[a->script]);
  if (status != EXIT_SUCCESS) return status;
  const int is_done = has_script || a->n_statements || a->version;
  if (!a->interactive && is_done) return EXIT_SUCCESS;
  if (!a->interactive && !isatty(0)) return run_file(L, NULL);
  slua_repl(L, a->ignore_env);
  return EXIT_SUCCESS;
}

typedef struct program {
  int argc;
  char **argv;
  arguments arguments;
  int code;
} program;

static int main_in_lua(lua_State *L) {
  program *p = lua_touserdata(L, 1);
  open_libraries(L, &p->arguments);
  set_arg(L, p->argc, p->argv, p->arguments.script);
  p->code = start_profile(L, p->arguments.profile);
  if (p->code == EXIT_SUCCESS)
    p->code = run(L, p->argc, p->argv, &p->arguments);
  slua_profile_end();
  return 0;
}

int main(int argc, char **argv) {
  program p = {.argc = argc, .argv = argv};
  const int wrong = read_arguments(argc, argv, &p.arguments);
  if (wrong) return wrong;
  if (p.arguments.help) {
    fputs(usage, stdout);
    return EXIT_SUCCESS;
  }
  lua_State *L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "sota-lua: not enough memory\n");
    return EXIT_FAILURE;
  }
  lua_pushcfunction(L, main_in_lua);
  lua_pushlightuserdata(L, &p);
  if (lua_pcall(L, 1, 0, 0) != LUA_OK) p.code = report(L);
  lua_close(L);
  return p.code;
}
