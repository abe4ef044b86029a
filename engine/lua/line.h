/* line.h -- reads lines from a person: with libedit where it was found and the
 * terminal can do more than a teletype, else a plain line at a time. */
#ifndef SL_LUA_LINE_H
#define SL_LUA_LINE_H

#include <stddef.h>

typedef struct line_reader line_reader;

/* What TAB gives for the text before the cursor: what to insert, and the text
 * to show below the line. Either may be NULL. Valid until the next call. */
typedef struct line_completion {
  const char *insert, *list;
} line_completion;

typedef line_completion line_completer(void *context, const char *before,
                                       size_t n);

/* NULL: out of memory. */
line_reader *line_open(line_completer *complete, void *context);
void line_close(line_reader *r);

/* The next line, perhaps with a newline at its end; of a terminal that marks
 * pasted text, all of the pasted lines. Valid until the next call. NULL: end of
 * input, or Ctrl-C (see line_interrupted). */
const char *line_read(line_reader *r, const char *prompt);
int line_interrupted(const line_reader *r);

/* Appends to the history that the arrows walk; an equal entry moves. */
void line_remember(line_reader *r, const char *text);
/* The same for an entry that is known to be no copy of another. */
void line_recall(line_reader *r, const char *text);

/* Columns of the terminal; 80 where there is none. */
int line_width(void);

#endif
