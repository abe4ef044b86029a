/* main.c -- the interpreter: `lua` with an engine in it.
 *
 * All of lua's flags with their meaning, and our own before the script's name;
 * everything after the name belongs to the script. Exit codes: 0; 1 Lua error;
 * 2 wrong usage; and what an error object's field `code` says (3 diverged, 130
 * interrupted). */
#include <lauxlib.h>
#include <limits.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/interrupt.h"
#include "lua/repl.h"
#include "lua/slua.h"

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: sota-lua [options] [script [arguments of the script]]\n"
    "\n"
    "  -e STAT          run the statement\n"
    "  -i               go to the prompt after the script\n"
    "  -l MOD, -l G=MOD require the module, into a global of its name or G\n"
    "  -v, --version    show the version\n"
    "  -E               ignore LUA_INIT and LUA_PATH\n"
    "  -W               turn Lua's warnings off (they are on)\n"
    "  -                run standard input\n"
    "  --               no more options\n"
    "\n"
    "  --device NAME    auto, cpu, cuda or cuda:N (default auto)\n"
    "  --seed N         where all random numbers come from (default 42)\n"
    "  --threads N      compute threads (default: one per core)\n"
    "  --precision P    auto, f32 or bf16 (default auto)\n"
    "  --deterministic  same bits run after run (the CPU always does)\n"
    "  --doctor         what was found, what is missing, how to get it\n"
    "  -h, --help       this\n"
    "\n"
    "Without a script: the prompt on a terminal, else standard input is run.\n";

static lua_State *main_state; /* for the signal handler */

/* --- interrupts ----------------------------------------------------------- */

static void stop(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  sl_interrupt_clear();
  luaL_error(L, "interrupted!");
}

/* The first Ctrl-C stops Lua at its next instruction, or lets a training loop
 * end its batch; a second one does not wait. */
static void on_interrupt(int signal_number) {
  const int first = sl_interrupt_pending() == 0;
  signal(signal_number, on_interrupt);
  sl_interrupt_request();
  if (first && sl_interrupt_deferred()) return;
  const int events = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
  lua_sethook(main_state, stop, events, 1);
}

/* --- running -------------------------------------------------------------- */

/* The process's exit code for the error on top, which is printed. */
static int report(lua_State *L) {
  int code = EXIT_FAILURE;
  if (lua_istable(L, -1)) {
    lua_getfield(L, -1, "code");
    if (lua_isinteger(L, -1)) code = (int)lua_tointeger(L, -1);
    lua_pop(L, 1);
  }
  const char *message = luaL_tolstring(L, -1, NULL);
  if (strstr(message, "interrupted!")) code = 130;
  fprintf(stderr, "sota-lua: %s\n", message);
  lua_pop(L, 2);
  return code;
}

static int call(lua_State *L, int n_args) {
  signal(SIGINT, on_interrupt);
  const int failed = slua_pcall(L, n_args, 0);
  signal(SIGINT, SIG_DFL);
  return failed ? report(L) : EXIT_SUCCESS;
}

static int run_text(lua_State *L, const char *text, const char *name) {
  if (luaL_loadbuffer(L, text, strlen(text), name) != LUA_OK) return report(L);
  return call(L, 0);
}

static int run_file(lua_State *L, const char *name) {
  if (luaL_loadfile(L, name) != LUA_OK) return report(L);
  int n = 0;
  lua_getglobal(L, "arg");
  if (lua_istable(L, -1)) {
    n = (int)luaL_len(L, -1);
    luaL_checkstack(L, n + 3, "too many arguments to script");
    for (int i = 1; i <= n; i++)
      lua_rawgeti(L, -i, i);
    lua_remove(L, -n - 1);
  } else {
    lua_pop(L, 1);
  }
  return call(L, n);
}

/* -l mod, -l g=mod: as lua 5.4.4 does. */
static int run_library(lua_State *L, const char *what) {
  const char *equals = strchr(what, '=');
  lua_getglobal(L, "require");
  lua_pushstring(L, equals ? equals + 1 : what);
  if (slua_pcall(L, 1, 1) != LUA_OK) return report(L);
  if (equals)
    lua_pushlstring(L, what, (size_t)(equals - what));
  else
    lua_pushstring(L, what);
  lua_insert(L, -2);
  lua_pushglobaltable(L);
  lua_insert(L, -3);
  lua_settable(L, -3);
  lua_pop(L, 1);
  return EXIT_SUCCESS;
}

static int run_init(lua_State *L) {
  const char *name = "=LUA_INIT_5_4", *init = getenv(name + 1);
  if (!init) init = getenv((name = "=LUA_INIT") + 1);
  if (!init) return EXIT_SUCCESS;
  return init[0] == '@' ? run_file(L, init + 1) : run_text(L, init, name);
}

/* --- arguments ------------------------------------------------------------ */

typedef struct options {
  int script; /* index of the script's name in argv; argc: none */
  int interactive, version, ignore_env, quiet_warnings, doctor, from_stdin;
  int n_actions; /* -e and -l, in order */
} options;

static int bad_usage(const char *what, const char *arg) {
  fprintf(stderr, "sota-lua: %s '%s'\n%s", what, arg, usage);
  return EXIT_USAGE;
}

/* Our own options call sota.core.set(name, value), which checks. */
static int set_option(lua_State *L, const char *name, size_t length,
                      const char *value) {
  luaL_requiref(L, "sota.core", luaopen_sota_core, 0);
  lua_getfield(L, -1, "set");
  lua_pushlstring(L, name, length);
  lua_pushstring(L, value);
  if (lua_pcall(L, 2, 0, 0) != LUA_OK) {
    fprintf(stderr, "sota-lua: %s\n", lua_tostring(L, -1));
    return EXIT_USAGE;
  }
  lua_pop(L, 1);
  return EXIT_SUCCESS;
}

static int long_option(lua_State *L, char **argv, int *i, options *o) {
  static const char *const valued[] = {"device", "seed", "threads", "precision",
                                       NULL};
  const char *name = argv[*i] + 2, *equals = strchr(name, '=');
  const size_t n = equals ? (size_t)(equals - name) : strlen(name);
  if (strcmp(name, "version") == 0) return o->version = 1, EXIT_SUCCESS;
  if (strcmp(name, "doctor") == 0) return o->doctor = 1, EXIT_SUCCESS;
  if (strcmp(name, "deterministic") == 0) return set_option(L, name, n, "true");
  if (strcmp(name, "help") == 0) {
    fputs(usage, stdout);
    exit(EXIT_SUCCESS);
  }
  for (int k = 0; valued[k]; k++) {
    if (strlen(valued[k]) != n || strncmp(valued[k], name, n) != 0) continue;
    const char *value = equals ? equals + 1 : argv[++*i];
    if (!value) return bad_usage("a value is missing after", argv[*i - 1]);
    return set_option(L, name, n, value);
  }
  static const char *const all[] = {"device",  "seed",          "threads",
                                    "help",    "precision",     "doctor",
                                    "version", "deterministic", NULL};
  const char *near = slua_nearest(name, all);
  if (near) fprintf(stderr, "sota-lua: did you mean --%s?\n", near);
  return bad_usage("unknown option", argv[*i]);
}

/* First pass: everything but -e and -l, which run later, in order. */
static int short_option(char **argv, int *i, options *o) {
  switch (argv[*i][1]) {
  case 'e':
  case 'l':
    o->n_actions++;
    if (!argv[*i][2] && !argv[++*i])
      return bad_usage("a value is missing after", argv[*i - 1]);
    return EXIT_SUCCESS;
  case 'i':
    return o->interactive = 1, argv[*i][2] ? -1 : EXIT_SUCCESS;
  case 'v':
    return o->version = 1, argv[*i][2] ? -1 : EXIT_SUCCESS;
  case 'E':
    return o->ignore_env = 1, argv[*i][2] ? -1 : EXIT_SUCCESS;
  case 'W':
    return o->quiet_warnings = 1, argv[*i][2] ? -1 : EXIT_SUCCESS;
  case 'h':
    fputs(usage, stdout);
    exit(EXIT_SUCCESS);
  default:
    return -1;
  }
}

static int read_arguments(lua_State *L, int argc, char **argv, options *o) {
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    int status;
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    if (argv[i][1] == 0) {
      o->from_stdin = 1;
      break;
    }
    status = argv[i][1] == '-' ? long_option(L, argv, &i, o)
                               : short_option(argv, &i, o);
    if (status == -1) return bad_usage("unknown option", argv[i]);
    if (status != EXIT_SUCCESS) return status;
  }
  o->script = i;
  return EXIT_SUCCESS;
}

static int run_actions(lua_State *L, char **argv, const options *o) {
  for (int i = 1; i < o->script; i++) {
    if (argv[i][0] != '-' || (argv[i][1] != 'e' && argv[i][1] != 'l')) continue;
    const int is_text = argv[i][1] == 'e';
    const char *what = argv[i][2] ? argv[i] + 2 : argv[++i];
    const int status =
        is_text ? run_text(L, what, "=(command line)") : run_library(L, what);
    if (status != EXIT_SUCCESS) return status;
  }
  return EXIT_SUCCESS;
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

static void open_state(lua_State *L, const options *o) {
  if (o->ignore_env) {
    lua_pushboolean(L, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "LUA_NOENV");
  }
  luaL_openlibs(L);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_sota_core);
  lua_setfield(L, -2, "sota.core");
  lua_pop(L, 1);
  set_path(L);
  lua_warning(L, o->quiet_warnings ? "@off" : "@on", 0);
}

static int run_script(lua_State *L, char **argv, const options *o) {
  if (o->from_stdin) return run_file(L, NULL);
  return run_file(L, argv[o->script]);
}

static int run(lua_State *L, int argc, char **argv, const options *o) {
  int status = o->ignore_env ? EXIT_SUCCESS : run_init(L);
  if (o->version) printf("sota-lua %s (%s)\n", SL_VERSION, LUA_RELEASE);
  if (status == EXIT_SUCCESS) status = run_actions(L, argv, o);
  if (status == EXIT_SUCCESS && o->doctor)
    status = run_text(L, "os.exit(require 'sota.doctor'())", "=doctor");
  const int has_script = o->script < argc;
  if (status == EXIT_SUCCESS && has_script) status = run_script(L, argv, o);
  const int nothing_done =
      !has_script && !o->n_actions && !o->version && !o->doctor;
  if (o->interactive || (nothing_done && isatty(0)))
    slua_repl(L, on_interrupt);
  else if (nothing_done && status == EXIT_SUCCESS)
    status = run_file(L, NULL);
  return status;
}

int main(int argc, char **argv) {
  lua_State *L = main_state = luaL_newstate();
  options o = {0};
  if (!L) {
    fprintf(stderr, "sota-lua: no memory\n");
    return EXIT_FAILURE;
  }
  for (int i = 1; i < argc && argv[i][0] == '-' && argv[i][1] == 'E'; i++)
    o.ignore_env = 1;
  open_state(L, &o);
  int status = read_arguments(L, argc, argv, &o);
  if (status == EXIT_SUCCESS) {
    if (o.quiet_warnings) lua_warning(L, "@off", 0);
    set_arg(L, argc, argv, o.script);
    status = run(L, argc, argv, &o);
  }
  lua_close(L);
  return status;
}
