/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_TERMINAL_H
#define LEAT_CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A line at the bottom of a terminal that stays while others write to it. The rows above are made the scroll region (as apt
 * does for its progress bar), so log lines and the records of a stdout sink, whoever writes them, scroll there and need not
 * know of the line. Each change is one write(), which the kernel does not mix with another's.
 */

struct leat_terminal {
	int fd;
	unsigned short rows, columns; /* as they were at the last draw; 0 rows: not open */
};

/* False: `fd` is no terminal, a dumb one, or one of fewer than four rows. */
bool leat_terminal_open(struct leat_terminal *t, int fd);
/* Looks at the size again: the window may have changed. `line` is without a newline; ->columns tells how long it may be. */
void leat_terminal_draw(struct leat_terminal *t, const char *line, size_t n);
void leat_terminal_close(struct leat_terminal *t); /* the line goes, the whole window scrolls again; accepts one not open */

/* Whether colours are wanted there: a terminal, and NO_COLOR is not set. */
bool leat_terminal_has_colours(int fd);

#endif
