/* SPDX-License-Identifier: Apache-2.0 */
/* Adds to each event the row of a file that it belongs to. */
#include <stdio.h>
#include <stdlib.h>

#include "../shared/text.h"
#include "rows.h"

enum missing { MISSING_NULL, MISSING_REJECT, MISSING_DROP };

enum { MATCHES = 32 };

struct enrich {
	const char *path;
	int separator;
	struct leat_expressions match;
	struct leat_texts columns;
	leat_symbol into;
	bool has_numbers;
	int missing;

	struct rows *rows;
	size_t n; /* columns that are taken */
	size_t *column;
	leat_symbol *symbol;
	struct leat_buffer key; /* of the event in hand, see rows_find() */
};

static const char *const separators[] = { "comma", "semicolon", "tab", NULL };
static const char *const missing_names[] = { "null", "reject", "drop", NULL };

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct enrich, path, "file", "CSV file whose first line has the names of the columns.",
	            .flags = LEAT_OPTION_REQUIRED | LEAT_OPTION_PATH),
	LEAT_OPTION(CHOICE, struct enrich, separator, "separator", "What stands between the values of a row.", .preset = "comma",
	            .choices = separators),
	LEAT_OPTION(EXPRESSIONS, struct enrich, match, "match", "Columns, and the expressions that they have to equal.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(TEXTS, struct enrich, columns, "columns", "Columns to take; otherwise all but those of match.", .flags = 0),
	LEAT_OPTION(NAME, struct enrich, into, "into", "Field that gets the row as a map; otherwise its columns become fields.", .flags = 0),
	LEAT_OPTION(BOOL, struct enrich, has_numbers, "numbers", "Whether texts that are numbers become numbers.", .preset = "false"),
	LEAT_OPTION(CHOICE, struct enrich, missing, "missing", "What an event without a row gets: nulls, a dead letter, or dropped.",
	            .preset = "null", .choices = missing_names),
	{ 0 },
};

/* ---- setting up ---------------------------------------------------------------------------------------------------- */

static enum leat_status open_rows(struct enrich *self, struct leat_context *ctx, struct leat_error *err)
{
	const char *pipeline, *node = leat_name(ctx, &pipeline), *column[MATCHES];
	char name[512];
	enum leat_status status;

	if (self->match.n == 0 || self->match.n > MATCHES) {
		leat_error_set(err, LEAT_FATAL, 0, "%zu columns to match, expected 1 to %d", self->match.n, (int)MATCHES);
		return leat_error_at(err, "match");
	}
	for (size_t i = 0; i < self->match.n; i++)
		column[i] = self->match.item[i].text;
	/* What the node reads, and how: another file under a node's name is another one. */
	(void)snprintf(name, sizeof name, "%s/%s/%c/%zu/%.300s", pipeline, node, ",;\t"[self->separator], self->match.n, self->path);
	status = rows_open(&self->rows, name, self->path, ",;\t"[self->separator], column, self->match.n, err);
	return status == LEAT_OK || err->where[0] != '\0' ? status : leat_error_at(err, "file");
}

static bool is_matched(const struct enrich *self, size_t column)
{
	for (size_t i = 0; i < self->rows->n_keys; i++)
		if (self->rows->key[i] == column)
			return true;
	return false;
}

static void add_column(struct enrich *self, size_t column, struct leat_context *ctx)
{
	const struct csv_cell *cell = &self->rows->csv.cell[column];
	char *name = (char *)csv_allocate(cell->n + 1);

	memcpy(name, cell->s, cell->n);
	self->column[self->n] = column;
	self->symbol[self->n++] = leat_intern(ctx, name);
	free(name);
}

static enum leat_status choose_columns(struct enrich *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct csv *csv = &self->rows->csv;

	self->column = (size_t *)csv_allocate((csv->n_columns + self->columns.n) * sizeof *self->column);
	self->symbol = (leat_symbol *)csv_allocate((csv->n_columns + self->columns.n) * sizeof *self->symbol);
	for (size_t i = 0; i < csv->n_columns && self->columns.n == 0; i++)
		if (!is_matched(self, i))
			add_column(self, i, ctx);
	for (size_t i = 0; i < self->columns.n; i++) {
		size_t column = rows_column(csv, self->columns.item[i]);

		if (column == SIZE_MAX) {
			leat_error_set(err, LEAT_FATAL, 0, "\"%s\" has no column \"%s\"", self->path, self->columns.item[i]);
			return leat_error_at(err, "columns");
		}
		add_column(self, column, ctx);
	}
	return LEAT_OK;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct enrich *self = self_;
	enum leat_status status = open_rows(self, ctx, err);

	return status == LEAT_OK ? choose_columns(self, ctx, err) : status;
}

static void destroy(void *self_)
{
	struct enrich *self = self_;

	rows_close(self->rows);
	free(self->column);
	free(self->symbol);
	leat_buffer_finish(&self->key);
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

/* NULL in *out: there is none. */
static enum leat_status find_row(struct enrich *self, const struct leat_record *record, const struct csv_cell **out,
                                 struct leat_context *ctx, struct leat_error *err)
{
	*out = NULL;
	self->key.n = 0;
	for (size_t i = 0; i < self->match.n; i++) {
		struct leat_value value;
		enum leat_status status = leat_evaluate(ctx, self->match.item[i].value, record, &value, err);

		if (status != LEAT_OK)
			return status;
		if (!text_append_scalar(&self->key, &value))
			return LEAT_OK;
		leat_buffer_byte(&self->key, '\0');
	}
	*out = rows_find(self->rows, &self->key);
	return LEAT_OK;
}

static struct leat_value read_cell(const struct enrich *self, const struct csv_cell *cell, struct leat_context *ctx)
{
	struct leat_value value;

	if (self->has_numbers && text_parse_number(ctx, cell->s, cell->n, &value))
		return value;
	return leat_text(ctx, cell->s, cell->n);
}

static void emit(const struct enrich *self, const struct leat_record *record, const struct csv_cell *row, struct leat_context *ctx)
{
	struct leat_member *member = (struct leat_member *)leat_allocate(ctx, (self->n + 1) * sizeof *member);
	struct leat_member into = { .symbol = self->into };

	for (size_t i = 0; i < self->n; i++)
		member[i] = (struct leat_member){ .symbol = self->symbol[i],
			                          .value = row == NULL ? leat_null() : read_cell(self, &row[self->column[i]], ctx) };
	if (self->into == LEAT_NO_SYMBOL) {
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, self->n));
		return;
	}
	if (row != NULL)
		into.value = leat_map_with(ctx, NULL, member, self->n);
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, &into, 1));
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct enrich *self = self_;
	const struct csv_cell *row;
	enum leat_status status;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	status = find_row(self, record, &row, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (row == NULL && self->missing == MISSING_REJECT)
		return leat_error_set(err, LEAT_REJECT, 0, "there is no row in \"%s\" for it", self->path);
	if (row != NULL || self->missing == MISSING_NULL)
		emit(self, record, row, ctx);
	return LEAT_OK;
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct enrich),
	.options = options,
	.create = create,
	.process = process,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "enrich", .version = "1.0", .summary = "Adds the row of a file to each event.", .licence = "Apache-2.0", .op = &ops);
