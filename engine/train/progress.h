/* progress.h -- one line that shows how far something is, on a terminal.
 *
 *   train 3/5  42% ███████▌          612/1464  81 img/s  ETA 01:23  loss 1.2345
 *
 * It is drawn over itself on stderr at most ten times a second, as wide as the
 * terminal, and leaves nothing behind. Where stderr is no terminal nothing is
 * ever written. NO_COLOR, or a locale that is not UTF-8, gives plain ASCII. For
 * training, validation, downloads, rendering alike. */
#ifndef SL_TRAIN_PROGRESS_H
#define SL_TRAIN_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

typedef struct sl_progress {
  FILE *to;     /* NULL: silent */
  int plain;    /* no colour, no block characters */
  int width;    /* columns; 0: asks the terminal each time */
  double every; /* seconds between two lines */
  double started, drawn;
  int on_screen;
  char label[48], unit[12];
  int64_t total; /* 0: not known; then items are told */
  int64_t done;  /* of total */
  int64_t items; /* what the rate counts: images, bytes */
  double waited; /* seconds spent waiting for data; below 0: not told */
  double loss;   /* NaN: none */
} sl_progress;

/* Ready for stderr if that is a terminal, silent if not. */
sl_progress sl_progress_new(void);

/* A new bar; unit is what the rate counts ("img"; "B" is shown in kB, MB). */
void sl_progress_start(sl_progress *p, const char *label, int64_t total,
                       const char *unit);
/* Nothing is drawn before so many seconds are over: of what is quick nothing is
 * seen. After start. */
void sl_progress_delay(sl_progress *p, double seconds);
/* Draws if it is time to. done and items are totals since start. */
void sl_progress_update(sl_progress *p, int64_t done, int64_t items);
void sl_progress_clear(sl_progress *p); /* wipes the line; update redraws */

/* The line at that moment, width columns wide or less. */
void sl_progress_text(const sl_progress *p, double seconds, int width,
                      char *out, size_t size);

#endif
