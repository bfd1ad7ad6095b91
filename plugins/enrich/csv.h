/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ENRICH_CSV_H
#define LEAT_PLUGINS_ENRICH_CSV_H

#include <leat/plugin.h>

/* A file of comma-separated values (RFC 4180) in memory: UTF-8, its first line has the names of the columns. */

struct csv_cell {
	const char *s; /* not terminated */
	size_t n;
};

struct csv {
	char *text;
	struct csv_cell *cell; /* the names, then the rows, n_columns each */
	size_t *line;          /* where each row begins, the names first; counted from 1 */
	size_t n_columns, n_rows;
};

enum { CSV_LIMIT = 256 << 20 /* bytes */, CSV_COLUMNS = 256 };

/* LEAT_FATAL with the line that is not as it should be, or the reason of the system. */
enum leat_status csv_read(struct csv *csv, const char *path, char separator, struct leat_error *err);
void csv_finish(struct csv *csv);
/* Zeroed, never NULL. */
void *csv_allocate(size_t n);

/* Rows count from 0, without the names. */
static inline const struct csv_cell *csv_row(const struct csv *csv, size_t row)
{
	return &csv->cell[(row + 1) * csv->n_columns];
}

#endif
