/* line.c -- see line.h. */
#include "lua/line.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "base/alloc.h"

#ifdef SL_HAVE_EDIT
#include <histedit.h>
#endif

struct line_reader {
  int interrupted; /* the last read ended by Ctrl-C */
  char *plain;     /* getline's */
  size_t plain_size;
  line_completer *complete;
  void *context;
#ifdef SL_HAVE_EDIT
  EditLine *edit; /* NULL: plain */
  History *history;
  mbstate_t bytes; /* of a character that is not complete yet */
#endif
};

static const char *prompt_text = "> ";
static volatile sig_atomic_t stopped, resized;

static void on_stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

int line_width(void) {
  struct winsize size;
  if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

static const char *read_plain(line_reader *r) {
  if (isatty(0)) {
    fputs(prompt_text, stdout);
    fflush(stdout);
  }
  clearerr(stdin);
  return getline(&r->plain, &r->plain_size, stdin) < 0 ? NULL : r->plain;
}

/* --- libedit ---------------------------------------------------------------
 */

#ifdef SL_HAVE_EDIT

/* A terminal says by these where pasted text begins and ends, once asked to. */
#define PASTE_BEGINS "\\e[200~"
#define PASTE_ENDS   L"\033[201~"
#define MARK_PASTES  "\033[?2004h"
#define DO_NOT_MARK  "\033[?2004l"

static void on_resize(int signal_number) {
  (void)signal_number;
  resized = 1;
}

static line_reader *reader_of(EditLine *e) {
  void *r = NULL;
  el_get(e, EL_CLIENTDATA, &r);
  return r;
}

static char *edit_prompt(EditLine *e) {
  (void)e;
  return (char *)(uintptr_t)prompt_text;
}

/* One character, for libedit: 1, 0 at the end, -1 after Ctrl-C. */
static int get_char(EditLine *e, wchar_t *out) {
  line_reader *r = reader_of(e);
  for (;;) {
    char c;
    const ssize_t n = stopped ? -1 : read(STDIN_FILENO, &c, 1);
    if (n == 0) return 0;
    if (n < 0) {
      if (stopped || errno != EINTR) return -1;
      if (resized) resized = 0, el_resize(e);
      continue;
    }
    const size_t used = mbrtowc(out, &c, 1, &r->bytes);
    if (used == (size_t)-2) continue;
    if (used == (size_t)-1) {
      memset(&r->bytes, 0, sizeof r->bytes);
      *out = (unsigned char)c;
    }
    return 1;
  }
}

/* A list of candidates comes below the line, which is then drawn again. */
static unsigned char on_tab(EditLine *e, int key) {
  line_reader *r = reader_of(e);
  const LineInfo *line = el_line(e);
  const size_t n = (size_t)(line->cursor - line->buffer);
  (void)key;
  const line_completion found = r->complete(r->context, line->buffer, n);
  if (found.insert && *found.insert) {
    el_insertstr(e, found.insert);
    return CC_REFRESH;
  }
  if (!found.list || !*found.list) return CC_REFRESH_BEEP;
  printf("\n%s\n", found.list);
  fflush(stdout);
  return CC_REDISPLAY;
}

/* Until the mark of its end; NULL after Ctrl-C and when out of memory. */
static wchar_t *read_paste(EditLine *e) {
  const size_t end = wcslen(PASTE_ENDS);
  size_t n = 0, room = 0;
  wchar_t *text = NULL;
  for (;;) {
    if (n + 1 >= room) {
      room = 2 * room + 256;
      wchar_t *more = sl_realloc(text, room * sizeof *text);
      if (!more) break;
      text = more;
    }
    if (el_wgetc(e, &text[n]) != 1) break;
    if (text[n] == L'\r') text[n] = L'\n';
    n++;
    if (n < end || wmemcmp(text + n - end, PASTE_ENDS, end) != 0) continue;
    n -= end;
    while (n > 0 && text[n - 1] == L'\n')
      n--;
    text[n] = 0;
    return text;
  }
  sl_free(text);
  return NULL;
}

/* Pasted lines are one piece of text, to look at and to run with Enter. */
static unsigned char on_paste(EditLine *e, int key) {
  (void)key;
  wchar_t *text = read_paste(e);
  if (!text) return CC_ERROR;
  const int failed = *text && el_winsertstr(e, text) != 0;
  sl_free(text);
  return failed ? CC_ERROR : CC_REFRESH;
}

static int is_teletype(void) {
  const char *term = getenv("TERM");
  return !isatty(0) || !isatty(1) || !term || !*term ||
         strcmp(term, "dumb") == 0;
}

static void bind_keys(EditLine *e) {
  el_set(e, EL_EDITOR, "emacs");
  el_set(e, EL_ADDFN, "sota-tab", "completes a name", on_tab);
  el_set(e, EL_ADDFN, "sota-paste", "takes pasted text", on_paste);
  el_set(e, EL_BIND, "^I", "sota-tab", NULL);
  el_set(e, EL_BIND, PASTE_BEGINS, "sota-paste", NULL);
  el_set(e, EL_BIND, "^R", "em-inc-search-prev", NULL);
  el_set(e, EL_BIND, "\\e[3~", "ed-delete-next-char", NULL);
  el_set(e, EL_BIND, "\\e[1;5C", "em-next-word", NULL);
  el_set(e, EL_BIND, "\\e[1;5D", "ed-prev-word", NULL);
}

static void open_edit(line_reader *r) {
  enum { ENTRIES = 10000 };
  HistEvent event;
  if (is_teletype()) return;
  setlocale(LC_CTYPE, "");
  if (MB_CUR_MAX == 1) setlocale(LC_CTYPE, "C.UTF-8");
  r->edit = el_init("sota-lua", stdin, stdout, stderr);
  if (!r->edit) return;
  r->history = history_init();
  if (r->history) {
    history(r->history, &event, H_SETSIZE, ENTRIES);
    el_set(r->edit, EL_HIST, history, r->history);
  }
  el_set(r->edit, EL_CLIENTDATA, r);
  el_set(r->edit, EL_PROMPT, edit_prompt);
  el_wset(r->edit, EL_GETCFN, get_char);
  bind_keys(r->edit);
  el_source(r->edit, NULL);
}

static const char *read_edit(line_reader *r) {
  int n = 0;
  struct sigaction old, act = {.sa_handler = on_resize};
  memset(&r->bytes, 0, sizeof r->bytes);
  sigaction(SIGWINCH, &act, &old);
  el_resize(r->edit);
  fputs(MARK_PASTES, stdout);
  fflush(stdout);
  const char *line = el_gets(r->edit, &n);
  fputs(DO_NOT_MARK, stdout);
  fflush(stdout);
  sigaction(SIGWINCH, &old, NULL);
  if (stopped) el_reset(r->edit);
  return line;
}

void line_recall(line_reader *r, const char *text) {
  HistEvent event;
  if (r->history && *text) history(r->history, &event, H_ENTER, text);
}

void line_remember(line_reader *r, const char *text) {
  HistEvent event;
  if (!r->history) return;
  int more = history(r->history, &event, H_FIRST);
  while (more >= 0 && strcmp(event.str, text) != 0)
    more = history(r->history, &event, H_NEXT);
  if (more >= 0) history(r->history, &event, H_DEL, event.num);
  line_recall(r, text);
}

static void close_edit(line_reader *r) {
  if (r->edit) el_end(r->edit);
  if (r->history) history_end(r->history);
}

static const char *read_any(line_reader *r) {
  return r->edit ? read_edit(r) : read_plain(r);
}

#else

static void open_edit(line_reader *r) {
  (void)r;
}

static void close_edit(line_reader *r) {
  (void)r;
}

void line_recall(line_reader *r, const char *text) {
  (void)r;
  (void)text;
}

void line_remember(line_reader *r, const char *text) {
  (void)r;
  (void)text;
}

static const char *read_any(line_reader *r) {
  return read_plain(r);
}

#endif

/* --- either ----------------------------------------------------------------
 */

line_reader *line_open(line_completer *complete, void *context) {
  line_reader *r = sl_alloc(1, sizeof *r);
  if (!r) return NULL;
  r->complete = complete;
  r->context = context;
  open_edit(r);
  return r;
}

void line_close(line_reader *r) {
  if (!r) return;
  close_edit(r);
  free(r->plain);
  sl_free(r);
}

const char *line_read(line_reader *r, const char *prompt) {
  struct sigaction old, act = {.sa_handler = on_stop};
  prompt_text = prompt;
  stopped = 0;
  sigaction(SIGINT, &act, &old); /* no SA_RESTART: the read must return */
  const char *line = read_any(r);
  sigaction(SIGINT, &old, NULL);
  r->interrupted = stopped;
  if (stopped) putchar('\n');
  return stopped ? NULL : line;
}

int line_interrupted(const line_reader *r) {
  return r->interrupted;
}
