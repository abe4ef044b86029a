/* progress.c -- see progress.h. */
#include "train/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "train/table.h"

enum { TEXT = 512, BAR = 30, BAR_MIN = 8 };

static int wants_plain(void) {
  const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
  if ((no && *no) || (term && !strcmp(term, "dumb"))) return 1;
  const char *all = getenv("LC_ALL"), *ctype = getenv("LC_CTYPE");
  const char *lang = getenv("LANG");
  const char *name = all && *all ? all : ctype && *ctype ? ctype : lang;
  return !name || !(strstr(name, "UTF-8") || strstr(name, "utf8"));
}

sl_progress sl_progress_new(void) {
  return (sl_progress){
      .to = isatty(STDERR_FILENO) ? stderr : NULL,
      .plain = wants_plain(),
      .every = 0.1,
      .waited = -1,
      .loss = (double)NAN,
  };
}

void sl_progress_start(sl_progress *p, const char *label, int64_t total,
                       const char *unit) {
  snprintf(p->label, sizeof p->label, "%s", label);
  snprintf(p->unit, sizeof p->unit, "%s", unit);
  p->total = total;
  p->done = p->items = 0;
  p->waited = -1;
  p->loss = (double)NAN;
  p->started = sl_clock();
  p->drawn = p->started - p->every;
}

void sl_progress_delay(sl_progress *p, double seconds) {
  p->drawn = p->started + seconds - p->every;
}

/* --- the line --------------------------------------------------------------
 */

static void add(char *out, size_t size, const char *text) {
  const size_t n = strlen(out);
  if (n < size) snprintf(out + n, size - n, "%s", text);
}

static void add_rate(const sl_progress *p, double seconds, char *out,
                     size_t size) {
  double rate = seconds > 0 ? (double)p->items / seconds : 0;
  const char *prefix = "";
  if (!strcmp(p->unit, "B") && rate >= 1e3) {
    prefix = rate >= 1e6 ? "M" : "k";
    rate /= rate >= 1e6 ? 1e6 : 1e3;
  }
  char text[48];
  snprintf(text, sizeof text, rate < 10 ? "  %.1f %s%s/s" : "  %.0f %s%s/s",
           rate, prefix, p->unit);
  add(out, size, text);
}

/* 12/50, 12.3/50.0 MB; of what has no known end 12 files, 12.3 MB. */
static void add_count(const sl_progress *p, char *out, size_t size) {
  char text[96];
  const double mb = 1e-6;
  if (strcmp(p->unit, "B") != 0) {
    if (p->total > 0)
      snprintf(text, sizeof text, "  %lld/%lld", (long long)p->done,
               (long long)p->total);
    else
      snprintf(text, sizeof text, "  %lld %s", (long long)p->items, p->unit);
  } else if (p->total > 0) {
    snprintf(text, sizeof text, "  %.1f/%.1f MB", (double)p->done * mb,
             (double)p->total * mb);
  } else {
    snprintf(text, sizeof text, "  %.1f MB", (double)p->items * mb);
  }
  add(out, size, text);
}

/* Everything right of the bar. */
static void facts(const sl_progress *p, double seconds, char *out,
                  size_t size) {
  char text[64], eta[24];
  *out = 0;
  add_count(p, out, size);
  if (p->items > 0) add_rate(p, seconds, out, size);
  if (p->total > 0 && p->done > 0 && p->done <= p->total) {
    sl_format_time(seconds * (double)(p->total - p->done) / (double)p->done,
                   eta, sizeof eta);
    snprintf(text, sizeof text, "  ETA %s", eta);
    add(out, size, text);
  }
  if (!isnan(p->loss)) {
    snprintf(text, sizeof text, "  loss %.4f", p->loss);
    add(out, size, text);
  }
  if (p->waited >= 0 && seconds > 0) {
    snprintf(text, sizeof text, "  wait %.0f%%", 100 * p->waited / seconds);
    add(out, size, text);
  }
}

/* share of `cells` columns: eighths of a block, or '#' and '-'. */
static void add_bar(double share, int cells, int plain, char *out,
                    size_t size) {
  static const char *const part[] = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const int eighths = (int)(share * cells * 8);
  for (int i = 0; i < cells; i++) {
    const int fill = eighths - 8 * i;
    const char *block = fill >= 8 ? "█" : part[fill > 0 ? fill : 0];
    add(out, size, plain ? (fill >= 8 ? "#" : "-") : block);
  }
}

void sl_progress_text(const sl_progress *p, double seconds, int width,
                      char *out, size_t size) {
  char right[TEXT], head[TEXT];
  facts(p, seconds, right, sizeof right);
  double share = p->total > 0 ? (double)p->done / (double)p->total : 0;
  share = share > 1 ? 1 : share;
  if (p->total > 0) {
    snprintf(head, sizeof head, "%s %3d%% ", p->label, (int)(100 * share));
  } else {
    snprintf(head, sizeof head, "%s", p->label);
  }
  const int left = width - (int)strlen(head) - (int)strlen(right);
  const int cells = left > BAR ? BAR : left;
  snprintf(out, size, "%s", head);
  if (p->total > 0 && cells >= BAR_MIN)
    add_bar(share, cells, p->plain, out, size);
  if ((int)strlen(head) < width) {
    /* The facts are ASCII: cutting them at a byte is cutting at a column. */
    const int room = cells >= BAR_MIN ? width : width - (int)strlen(head);
    right[room < (int)sizeof right ? room : (int)sizeof right - 1] = 0;
    add(out, size, right);
  }
}

/* --- drawing ---------------------------------------------------------------
 */

static int terminal_width(const sl_progress *p) {
  struct winsize w;
  if (p->width > 0) return p->width;
  if (ioctl(fileno(p->to), TIOCGWINSZ, &w) == 0 && w.ws_col > 1)
    return w.ws_col - 1; /* the last column makes some terminals wrap */
  return 79;
}

void sl_progress_update(sl_progress *p, int64_t done, int64_t items) {
  p->done = done;
  p->items = items;
  if (!p->to) return;
  const double now = sl_clock();
  if (now - p->drawn < p->every) return;
  char line[2 * TEXT];
  sl_progress_text(p, now - p->started, terminal_width(p), line, sizeof line);
  fprintf(p->to, "\r%s\033[K", line);
  fflush(p->to);
  p->drawn = now;
  p->on_screen = 1;
}

void sl_progress_clear(sl_progress *p) {
  if (!p->to || !p->on_screen) return;
  fputs("\r\033[K", p->to);
  fflush(p->to);
  p->on_screen = 0;
}
