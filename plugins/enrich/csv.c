/* SPDX-License-Identifier: Apache-2.0 */
/* Cells point into the text of the file, in which quoted ones are laid bare in place: they only get shorter. */
#include "csv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/text.h"

void *csv_allocate(size_t n)
{
	void *memory = calloc(1, n + 1);

	if (memory == NULL)
		leat_run_out();
	return memory;
}

void csv_finish(struct csv *csv)
{
	free(csv->text);
	free(csv->cell);
	free(csv->line);
	*csv = (struct csv){ 0 };
}

/* ---- the text ------------------------------------------------------------------------------------------------------ */

static enum leat_status read_all(const char *path, int fd, struct csv *csv, size_t *n, struct leat_error *err)
{
	struct stat stat;
	ssize_t got = 1;

	if (fstat(fd, &stat) != 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not read \"%s\": %s", path, strerror(errno));
	if (!S_ISREG(stat.st_mode) || stat.st_size > CSV_LIMIT)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot read \"%s\": it is %s", path,
		                      S_ISREG(stat.st_mode) ? "larger than 256 MiB" : "no file");
	csv->text = (char *)csv_allocate((size_t)stat.st_size);
	for (*n = 0; *n < (size_t)stat.st_size && got > 0; *n += got > 0 ? (size_t)got : 0)
		got = read(fd, csv->text + *n, (size_t)stat.st_size - *n);
	if (got < 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not read \"%s\": %s", path, strerror(errno));
	if (!text_is_utf8(csv->text, *n) || memchr(csv->text, '\0', *n) != NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot read \"%s\": it is not UTF-8, or has a zero byte in it", path);
	return LEAT_OK;
}

static enum leat_status read_text(const char *path, struct csv *csv, size_t *n, struct leat_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	enum leat_status status;

	if (fd < 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not open \"%s\": %s", path, strerror(errno));
	status = read_all(path, fd, csv, n, err);
	(void)close(fd);
	return status;
}

/* ---- cells --------------------------------------------------------------------------------------------------------- */

struct scan {
	char *at, *end;
	size_t line;
	char separator;
};

/* Behind the opening quote; a doubled one stands for itself. NULL: it is never closed. */
static char *read_quoted(struct scan *s, struct csv_cell *out)
{
	char *to = ++s->at;

	out->s = to;
	for (; s->at < s->end; s->at++) {
		if (*s->at == '"' && (s->at + 1 == s->end || s->at[1] != '"'))
			break;
		s->line += *s->at == '\n';
		s->at += *s->at == '"';
		*to++ = *s->at;
	}
	out->n = (size_t)(to - out->s);
	return s->at == s->end ? NULL : ++s->at;
}

static bool is_line_end(const struct scan *s)
{
	return s->at == s->end || *s->at == '\n' || (*s->at == '\r' && (s->at + 1 == s->end || s->at[1] == '\n'));
}

/* What is wrong with it, or NULL. */
static const char *read_cell(struct scan *s, struct csv_cell *out)
{
	if (s->at < s->end && *s->at == '"') {
		if (read_quoted(s, out) == NULL)
			return "a quote is not closed";
		return is_line_end(s) || *s->at == s->separator ? NULL : "there is something behind a closing quote";
	}
	for (out->s = s->at; !is_line_end(s) && *s->at != s->separator; s->at++)
		if (*s->at == '"')
			return "there is a quote within a value that does not begin with one";
	out->n = (size_t)(s->at - out->s);
	return NULL;
}

/* A row into cell[0..*n). */
static const char *read_row(struct scan *s, struct csv_cell *cell, size_t *n)
{
	for (*n = 0; *n < CSV_COLUMNS; s->at++) {
		const char *fault = read_cell(s, &cell[(*n)++]);

		if (fault != NULL)
			return fault;
		if (!is_line_end(s))
			continue;
		s->at += s->at < s->end && *s->at == '\r';
		s->at += s->at < s->end;
		s->line++;
		return NULL;
	}
	return "it has more than 256 values";
}

static bool skip_empty_lines(struct scan *s)
{
	while (s->at < s->end && is_line_end(s)) {
		s->line += *s->at == '\n';
		s->at++;
	}
	return s->at < s->end;
}

static void keep_row(struct csv *csv, const struct csv_cell *cell, size_t line, size_t *capacity)
{
	size_t n = csv->line == NULL ? 0 : csv->n_rows + 1;

	if (n == *capacity) {
		*capacity = n == 0 ? 64 : 2 * n;
		csv->cell = (struct csv_cell *)realloc(csv->cell, *capacity * csv->n_columns * sizeof *cell);
		csv->line = (size_t *)realloc(csv->line, *capacity * sizeof *csv->line);
		if (csv->cell == NULL || csv->line == NULL)
			leat_run_out();
	}
	memcpy(&csv->cell[n * csv->n_columns], cell, csv->n_columns * sizeof *cell);
	csv->line[n] = line;
	csv->n_rows = n;
}

static enum leat_status read_rows(struct csv *csv, struct scan *s, const char *path, struct leat_error *err)
{
	struct csv_cell cell[CSV_COLUMNS];
	size_t n, capacity = 0;

	while (skip_empty_lines(s)) {
		size_t line = s->line;
		const char *fault = read_row(s, cell, &n);

		if (fault != NULL)
			return leat_error_set(err, LEAT_FATAL, 0, "%s:%zu: %s", path, line, fault);
		if (csv->n_columns == 0)
			csv->n_columns = n;
		if (n != csv->n_columns)
			return leat_error_set(err, LEAT_FATAL, 0, "%s:%zu: there are %zu values, but %zu columns", path, line, n, csv->n_columns);
		keep_row(csv, cell, line, &capacity);
	}
	if (csv->n_columns == 0)
		return leat_error_set(err, LEAT_FATAL, 0, "%s: it is empty, expected a line with the names of the columns", path);
	return LEAT_OK;
}

enum leat_status csv_read(struct csv *csv, const char *path, char separator, struct leat_error *err)
{
	struct scan s = { .line = 1, .separator = separator };
	enum leat_status status;
	size_t n = 0;

	*csv = (struct csv){ 0 };
	status = read_text(path, csv, &n, err);
	if (status == LEAT_OK) {
		bool has_mark = n >= 3 && memcmp(csv->text, "\xef\xbb\xbf", 3) == 0;

		s.at = csv->text + (has_mark ? 3 : 0);
		s.end = csv->text + n;
		status = read_rows(csv, &s, path, err);
	}
	if (status != LEAT_OK)
		csv_finish(csv);
	return status;
}
