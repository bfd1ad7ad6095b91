/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/terminal.h"

#include <leat/buffer.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "service/format.h"

enum { ROWS_AT_LEAST = 4 };

/* DECSC and DECRC: setting a region moves the cursor, and whoever writes next expects it where it was. */
#define SAVE "\0337"
#define RESTORE "\0338"
/* Scrolls by one when the cursor is on the last row, else leaves everything where it is. */
#define LEAVE_LAST_ROW "\n\033[A"

static bool read_size(int fd, struct winsize *size)
{
	return ioctl(fd, TIOCGWINSZ, size) == 0 && size->ws_row >= ROWS_AT_LEAST && size->ws_col > 0;
}

static void send(struct leat_terminal *t, struct leat_buffer *out)
{
	/* A terminal that is gone or stopped is no reason to do anything: the next draw tries again. */
	ssize_t n = write(t->fd, out->data, out->n);

	(void)n;
	leat_buffer_finish(out);
}

bool leat_terminal_has_colours(int fd)
{
	const char *no_color = getenv("NO_COLOR");

	return isatty(fd) && (no_color == NULL || *no_color == '\0');
}

bool leat_terminal_open(struct leat_terminal *t, int fd)
{
	const char *kind = getenv("TERM");
	struct leat_buffer out = {0};
	struct winsize size;

	memset(t, 0, sizeof *t);
	t->fd = fd;
	if (!isatty(fd) || kind == NULL || strcmp(kind, "dumb") == 0 || !read_size(fd, &size))
		return false;
	t->rows = size.ws_row;
	t->columns = size.ws_col;
	leat_format_put(&out, LEAVE_LAST_ROW SAVE "\033[1;%ur" RESTORE, t->rows - 1u);
	send(t, &out);
	return true;
}

void leat_terminal_draw(struct leat_terminal *t, const char *line, size_t n)
{
	struct leat_buffer out = {0};
	struct winsize size;

	if (t->rows == 0 || !read_size(t->fd, &size))
		return;
	if (size.ws_row != t->rows) {
		leat_buffer_text(&out, SAVE "\033[r");
		if (size.ws_row > t->rows) /* the line is in the middle now */
			leat_format_put(&out, "\033[%u;1H\033[2K", t->rows);
		/* A window that shrank may have left the cursor on the last row, where nothing would scroll. */
		leat_buffer_text(&out, RESTORE LEAVE_LAST_ROW);
	}
	leat_buffer_text(&out, SAVE);
	t->rows = size.ws_row;
	t->columns = size.ws_col;
	/* The region again each time: a program in between may have reset the terminal. */
	leat_format_put(&out, "\033[1;%ur\033[%u;1H", t->rows - 1u, t->rows);
	leat_buffer_append(&out, line, n);
	leat_buffer_text(&out, "\033[K" RESTORE);
	send(t, &out);
}

void leat_terminal_close(struct leat_terminal *t)
{
	struct leat_buffer out = {0};

	if (t->rows == 0)
		return;
	leat_format_put(&out, SAVE "\033[r\033[%u;1H\033[2K" RESTORE, t->rows);
	t->rows = 0;
	send(t, &out);
}
