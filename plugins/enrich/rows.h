/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ENRICH_ROWS_H
#define LEAT_PLUGINS_ENRICH_ROWS_H

#include "csv.h"

/*
 * The rows of a file by some of its columns: read once for all instances of a node, and not changed after that, so that all
 * of them have the same rows whatever happens to the file. Instances come and go on several threads.
 */
struct rows {
	struct csv csv;
	size_t n_keys;
	size_t *key; /* columns */
	/* private to rows.c */
	struct rows *next;
	char *name;
	size_t n_users;
	uint32_t *slot;
	size_t n_slots;
};

/* `column` names those that a row is found by. Two rows that are equal in them are LEAT_FATAL. */
enum leat_status rows_open(struct rows **out, const char *name, const char *path, char separator, const char *const *column,
                           size_t n_columns, struct leat_error *err);
void rows_close(struct rows *rows); /* accepts NULL */

/* By texts for the columns, one behind the other, each with a zero byte behind it; no column's text has one in it. NULL: none. */
const struct csv_cell *rows_find(const struct rows *rows, const struct leat_buffer *key);
/* The column of that name, SIZE_MAX when there is none. */
size_t rows_column(const struct csv *csv, const char *name);

#endif
