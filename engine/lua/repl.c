/* repl.c -- the prompt: reads with libedit when it was found, else a plain
 * line at a time. */
#include "lua/repl.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lua/slua.h"
#include "lua/stop.h"

#ifdef SL_HAVE_EDIT
#include <histedit.h>
#endif

/* --- reading a line ------------------------------------------------------- */

typedef struct reader {
  int interrupted; /* the last read ended by Ctrl-C */
  char *plain;     /* getline's */
  size_t plain_size;
#ifdef SL_HAVE_EDIT
  EditLine *edit;
  History *history;
#endif
} reader;

static const char *prompt_text = "> ";
static volatile sig_atomic_t at_prompt_interrupt;

static void interrupt_prompt(int signal_number) {
  signal(signal_number, interrupt_prompt);
  at_prompt_interrupt = 1;
}

#ifdef SL_HAVE_EDIT
static char *edit_prompt(EditLine *e) {
  (void)e;
  return (char *)(uintptr_t)prompt_text;
}

static void reader_open(reader *r) {
  HistEvent event;
  if (!isatty(0)) return;
  r->edit = el_init("sota-lua", stdin, stdout, stderr);
  r->history = history_init();
  if (!r->edit || !r->history) return;
  history(r->history, &event, H_SETSIZE, 1000);
  history(r->history, &event, H_SETUNIQUE, 1);
  el_set(r->edit, EL_PROMPT, edit_prompt);
  el_set(r->edit, EL_EDITOR, "emacs");
  el_set(r->edit, EL_HIST, history, r->history);
  el_source(r->edit, NULL);
}

static void reader_close(reader *r) {
  if (r->history) history_end(r->history);
  if (r->edit) el_end(r->edit);
}

static void remember(reader *r, const char *line) {
  HistEvent event;
  if (r->history && *line) history(r->history, &event, H_ENTER, line);
}
#else
static void reader_open(reader *r) {
  (void)r;
}

static void reader_close(reader *r) {
  (void)r;
}

static void remember(reader *r, const char *line) {
  (void)r;
  (void)line;
}
#endif

static const char *read_plain(reader *r) {
  if (isatty(0)) {
    fputs(prompt_text, stdout);
    fflush(stdout);
  }
  clearerr(stdin);
  return getline(&r->plain, &r->plain_size, stdin) < 0 ? NULL : r->plain;
}

/* NULL: end of input, or Ctrl-C (r->interrupted). */
static const char *read_line(reader *r, const char *prompt) {
  const char *line;
  struct sigaction old, act = {.sa_handler = interrupt_prompt};
  prompt_text = prompt;
  at_prompt_interrupt = 0;
  sigaction(SIGINT, &act, &old); /* no SA_RESTART: the read must return */
#ifdef SL_HAVE_EDIT
  int n = 0;
  line = r->edit ? el_gets(r->edit, &n) : read_plain(r);
  if (at_prompt_interrupt && r->edit) el_reset(r->edit);
#else
  line = read_plain(r);
#endif
  sigaction(SIGINT, &old, NULL);
  r->interrupted = at_prompt_interrupt;
  if (r->interrupted) putchar('\n');
  return r->interrupted ? NULL : line;
}

/* --- statements ----------------------------------------------------------- */

/* Whether the message on top says that the input is merely unfinished. */
static int is_unfinished(lua_State *L) {
  size_t n;
  const char *message = lua_tolstring(L, -1, &n);
  return message && n >= 5 && strcmp(message + n - 5, "<eof>") == 0;
}

/* The text at 1 as an expression, else as a statement. Leaves the function, or
 * a message, on top. */
static int compile(lua_State *L) {
  const char *text = lua_tostring(L, 1);
  lua_pushfstring(L, "return %s", text);
  size_t n;
  const char *as_value = lua_tolstring(L, -1, &n);
  int status = luaL_loadbuffer(L, as_value, n, "=stdin");
  lua_remove(L, -2);
  if (status == LUA_OK) return status;
  lua_pop(L, 1);
  return luaL_loadbuffer(L, text, strlen(text), "=stdin");
}

static void push_line(lua_State *L, const char *line) {
  size_t n = strlen(line);
  if (n > 0 && line[n - 1] == '\n') n--;
  if (line[0] == '=' && lua_gettop(L) == 0) /* old habit: =x prints x */
    lua_pushfstring(L, "return %s", line + 1);
  else
    lua_pushlstring(L, line, n);
}

/* Leaves a function on the stack: 1; a syntax error's message: 0; nothing, at
 * the end of input: -1; nothing, after Ctrl-C: -2. */
static int read_statement(lua_State *L, reader *r) {
  const char *line = read_line(r, "> ");
  if (!line) return r->interrupted ? -2 : -1;
  push_line(L, line);
  for (;;) {
    const int status = compile(L);
    if (status == LUA_OK || !is_unfinished(L)) {
      remember(r, lua_tostring(L, 1));
      lua_remove(L, 1);
      return status == LUA_OK;
    }
    lua_pop(L, 1);
    line = read_line(r, ">> ");
    if (!line) return lua_settop(L, 0), r->interrupted ? -2 : -1;
    lua_pushliteral(L, "\n");
    push_line(L, line);
    lua_concat(L, 3);
  }
}

static void print_error(lua_State *L) {
  fflush(stdout);
  fprintf(stderr, "%s\n", slua_error_text(L));
}

/* A value with a function __show (a picture) is printed as what that gives. */
static void show_results(lua_State *L, int n) {
  for (int i = 1; i <= n; i++) {
    if (luaL_getmetafield(L, i, "__show") == LUA_TNIL) continue;
    lua_pushvalue(L, i);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
      lua_replace(L, i);
    else
      print_error(L), lua_pop(L, 1);
  }
}

static void print_results(lua_State *L) {
  const int n = lua_gettop(L);
  if (n == 0) return;
  luaL_checkstack(L, LUA_MINSTACK, "too many results to print");
  show_results(L, n);
  lua_getglobal(L, "print");
  lua_insert(L, 1);
  if (lua_pcall(L, n, 0, 0) != LUA_OK) print_error(L);
}

static void run_statement(lua_State *L) {
  slua_stop_arm(L, 1);
  if (slua_pcall(L, 0, LUA_MULTRET) == LUA_OK)
    print_results(L);
  else
    print_error(L);
  slua_stop_disarm(L);
  signal(SIGINT, SIG_IGN); /* until the next line is read */
}

void slua_repl(lua_State *L) {
  reader r = {0};
  if (isatty(0))
    printf("sota-lua %s (%s). Ctrl-D leaves.\n", SL_VERSION, LUA_RELEASE);
  lua_settop(L, 0);
  if (luaL_dostring(L, "require 'sota.all'") != LUA_OK) print_error(L);
  reader_open(&r);
  for (;;) {
    lua_settop(L, 0);
    const int got = read_statement(L, &r);
    if (got == -1) break;
    if (got == 1)
      run_statement(L);
    else if (got == 0)
      print_error(L);
  }
  reader_close(&r);
  free(r.plain);
  if (isatty(0)) putchar('\n');
}
