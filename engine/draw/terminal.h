/* terminal.h -- pixels as text that a terminal shows as a picture: kitty's or
 * iTerm2's protocol, sixels, or Unicode blocks in colour. */
#ifndef SL_DRAW_TERMINAL_H
#define SL_DRAW_TERMINAL_H

#include "base/status.h"
#include "draw/canvas.h"
#include "tensor/tensor.h"

typedef enum sl_terminal_mode {
  SL_TERMINAL_AUTO, /* the best that this terminal is known to show */
  SL_TERMINAL_BLOCKS,
  SL_TERMINAL_SIXEL,
  SL_TERMINAL_KITTY,
  SL_TERMINAL_ITERM2,
} sl_terminal_mode;

extern const char *const sl_terminal_mode_names[]; /* ended by NULL */

typedef struct sl_terminal {
  int columns, rows;     /* 0: stdout is no terminal */
  int cell_w, cell_h;    /* pixels of a character; a guess where not told */
  sl_terminal_mode mode; /* from TERM, COLORTERM and the like */
} sl_terminal;

/* What stdout is. */
sl_terminal sl_terminal_find(void);

/* Pixels u8 (H, W, 3), shrunk to fit into the terminal, as text in *out. */
SL_MUST_USE sl_status sl_terminal_text(sl_tensor *pixels,
                                       const sl_terminal *terminal,
                                       sl_bytes *out);

#endif
