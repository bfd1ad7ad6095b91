/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* Of this process; under the lock. */
static struct rows *all;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

size_t rows_column(const struct csv *csv, const char *name)
{
	for (size_t i = 0; i < csv->n_columns; i++)
		if (csv->cell[i].n == strlen(name) && memcmp(csv->cell[i].s, name, csv->cell[i].n) == 0)
			return i;
	return SIZE_MAX;
}

/* ---- finding: open addressing over row numbers, from 1 -------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo). */
static uint64_t add_to_hash(uint64_t hash, const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hash = (hash ^ (unsigned char)s[i]) * 0x100000001b3u;
	return hash;
}

static const uint64_t hash_of_nothing = 0xcbf29ce484222325u;

static uint64_t hash_row(const struct rows *rows, const struct csv_cell *row)
{
	uint64_t hash = hash_of_nothing;

	for (size_t i = 0; i < rows->n_keys; i++) {
		hash = add_to_hash(hash, row[rows->key[i]].s, row[rows->key[i]].n);
		hash = add_to_hash(hash, "", 1);
	}
	return hash;
}

static bool is_key(const struct rows *rows, const struct csv_cell *row, const struct leat_buffer *key)
{
	size_t at = 0;

	for (size_t i = 0; i < rows->n_keys; i++) {
		const struct csv_cell *cell = &row[rows->key[i]];

		if (key->n - at < cell->n + 1 || memcmp(key->data + at, cell->s, cell->n) != 0 || key->data[at + cell->n] != '\0')
			return false;
		at += cell->n + 1;
	}
	return at == key->n;
}

const struct csv_cell *rows_find(const struct rows *rows, const struct leat_buffer *key)
{
	size_t at = add_to_hash(hash_of_nothing, key->data, key->n) & (rows->n_slots - 1);

	for (; rows->slot[at] != 0; at = (at + 1) & (rows->n_slots - 1))
		if (is_key(rows, csv_row(&rows->csv, rows->slot[at] - 1), key))
			return csv_row(&rows->csv, rows->slot[at] - 1);
	return NULL;
}

static bool has_same_key(const struct rows *rows, const struct csv_cell *a, const struct csv_cell *b)
{
	for (size_t i = 0; i < rows->n_keys; i++) {
		const struct csv_cell *x = &a[rows->key[i]], *y = &b[rows->key[i]];

		if (x->n != y->n || memcmp(x->s, y->s, x->n) != 0)
			return false;
	}
	return true;
}

static enum leat_status make_index(struct rows *rows, const char *path, struct leat_error *err)
{
	for (rows->n_slots = 16; rows->n_slots < 2 * rows->csv.n_rows;)
		rows->n_slots *= 2;
	rows->slot = (uint32_t *)csv_allocate(rows->n_slots * sizeof *rows->slot);
	for (size_t i = 0; i < rows->csv.n_rows; i++) {
		const struct csv_cell *row = csv_row(&rows->csv, i);
		size_t at = hash_row(rows, row) & (rows->n_slots - 1);

		for (; rows->slot[at] != 0; at = (at + 1) & (rows->n_slots - 1))
			if (has_same_key(rows, row, csv_row(&rows->csv, rows->slot[at] - 1)))
				return leat_error_set(err, LEAT_FATAL, 0, "%s:%zu: the row on line %zu has the same key", path, rows->csv.line[i + 1],
				                      rows->csv.line[rows->slot[at]]);
		rows->slot[at] = (uint32_t)i + 1;
	}
	return LEAT_OK;
}

/* ---- the life of it ------------------------------------------------------------------------------------------------ */

static void destroy(struct rows *rows)
{
	csv_finish(&rows->csv);
	free(rows->key);
	free(rows->slot);
	free(rows->name);
	free(rows);
}

static enum leat_status make(struct rows *rows, const char *path, char separator, const char *const *column, size_t n_columns,
                             struct leat_error *err)
{
	enum leat_status status = csv_read(&rows->csv, path, separator, err);

	if (status != LEAT_OK)
		return status;
	rows->n_keys = n_columns;
	rows->key = (size_t *)csv_allocate(n_columns * sizeof *rows->key);
	for (size_t i = 0; i < n_columns; i++) {
		rows->key[i] = rows_column(&rows->csv, column[i]);
		if (rows->key[i] == SIZE_MAX) {
			leat_error_set(err, LEAT_FATAL, 0, "\"%s\" has no column \"%s\"", path, column[i]);
			return leat_error_at(err, "match");
		}
	}
	return make_index(rows, path, err);
}

static struct rows *find(const char *name)
{
	struct rows *rows = all;

	while (rows != NULL && strcmp(rows->name, name) != 0)
		rows = rows->next;
	return rows;
}

enum leat_status rows_open(struct rows **out, const char *name, const char *path, char separator, const char *const *column,
                           size_t n_columns, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	struct rows *rows;

	pthread_mutex_lock(&lock);
	rows = find(name);
	if (rows == NULL) {
		rows = (struct rows *)csv_allocate(sizeof *rows);
		status = make(rows, path, separator, column, n_columns, err);
		rows->name = (char *)csv_allocate(strlen(name));
		memcpy(rows->name, name, strlen(name));
		rows->next = all;
		if (status == LEAT_OK)
			all = rows;
		else
			destroy(rows);
	}
	if (status == LEAT_OK) {
		rows->n_users++;
		*out = rows;
	}
	pthread_mutex_unlock(&lock);
	return status;
}

void rows_close(struct rows *rows)
{
	struct rows **at = &all;

	if (rows == NULL)
		return;
	pthread_mutex_lock(&lock);
	if (--rows->n_users == 0) {
		while (*at != rows)
			at = &(*at)->next;
		*at = rows->next;
		destroy(rows);
	}
	pthread_mutex_unlock(&lock);
}
