/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to SQL. One statement takes any number of rows as one array of texts for each column:
 *
 *     INSERT INTO "public"."t" ("a", "b") SELECT r.c0::bigint, r.c1::text FROM unnest($1::text[], $2::text[]) AS r(c0, c1)
 *
 * The cast goes to the type without its length, so that a value too long is an error instead of being cut. Lists become
 * arrays by way of JSON.
 */
#include "sink.h"

static void add(struct leat_buffer *sql, const char *format, ...) LEAT_PRINTF(2, 3);

static void add(struct leat_buffer *sql, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	leat_buffer_text(sql, text);
}

static void add_names(const struct sink *sink, const struct shape *shape, struct leat_buffer *sql)
{
	const char *comma = "";
	size_t i;

	postgres_quote_name(&sink->pg, sql, &sink->table);
	leat_buffer_text(sql, " (");
	for (i = 0; i < sink->n_targets; i++)
		if (shape->is_present[i]) {
			leat_buffer_text(sql, comma);
			postgres_quote(&sink->pg, sql, sink->target[i].name);
			comma = ", ";
		}
	leat_buffer_text(sql, ")");
}

static void add_selection(const struct sink *sink, const struct shape *shape, struct leat_buffer *sql)
{
	size_t i, n = 0;

	for (i = 0; i < sink->n_targets; i++) {
		if (!shape->is_present[i])
			continue;
		if (sink->target[i].is_array)
			add(sql, "%sCASE WHEN r.c%zu IS NOT NULL THEN ARRAY(SELECT pg_catalog.jsonb_array_elements_text(r.c%zu::jsonb))::%s END",
			    n > 0 ? ", " : "", n, n, sink->target[i].type);
		else
			add(sql, "%sr.c%zu::%s", n > 0 ? ", " : "", n, sink->target[i].type);
		n++;
	}
	/* Not pg_catalog.unnest: only the bare name takes several arrays. The search path begins with pg_catalog. */
	leat_buffer_text(sql, " FROM unnest(");
	for (i = 0; i < n; i++)
		add(sql, "%s$%zu::text[]", i > 0 ? ", " : "", i + 1);
	leat_buffer_text(sql, ") AS r(");
	for (i = 0; i < n; i++)
		add(sql, "%sc%zu", i > 0 ? ", " : "", i);
	leat_buffer_text(sql, ")");
}

/* What a record does not have stays as it is in the row. */
static void add_conflict(const struct sink *sink, const struct shape *shape, struct leat_buffer *sql)
{
	const char *between = "";
	size_t i;

	leat_buffer_text(sql, " ON CONFLICT (");
	for (i = 0; i < sink->n_targets; i++)
		if (sink->target[i].is_key) {
			leat_buffer_text(sql, between);
			postgres_quote(&sink->pg, sql, sink->target[i].name);
			between = ", ";
		}
	leat_buffer_text(sql, ") DO ");
	between = "UPDATE SET ";
	for (i = 0; i < sink->n_targets; i++)
		if (shape->is_present[i] && !sink->target[i].is_key) {
			leat_buffer_text(sql, between);
			postgres_quote(&sink->pg, sql, sink->target[i].name);
			leat_buffer_text(sql, " = EXCLUDED.");
			postgres_quote(&sink->pg, sql, sink->target[i].name);
			between = ", ";
		}
	if (strcmp(between, ", ") != 0)
		leat_buffer_text(sql, "NOTHING");
}

static void write_sql(const struct sink *sink, struct shape *shape)
{
	shape->sql.n = 0;
	leat_buffer_text(&shape->sql, sink->mode == SINK_COPY ? "COPY " : "INSERT INTO ");
	add_names(sink, shape, &shape->sql);
	if (sink->mode == SINK_COPY) {
		leat_buffer_text(&shape->sql, " FROM STDIN");
	} else {
		leat_buffer_text(&shape->sql, " SELECT ");
		add_selection(sink, shape, &shape->sql);
		if (sink->upsert.n > 0)
			add_conflict(sink, shape, &shape->sql);
	}
	leat_buffer_byte(&shape->sql, '\0');
}

enum leat_status statement_prepare(struct sink *sink, const char *name, const char *sql, struct leat_error *err)
{
	struct postgres *pg = &sink->pg;
	int64_t deadline_us = postgres_clock_us() + pg->options->timeout_us;
	enum leat_status status = LEAT_OK;
	PGresult *result;

	if (!PQsendPrepare(pg->conn, name, sql, 0, NULL))
		return postgres_lost(pg, false, err);
	for (;;) {
		if (!postgres_await(pg, deadline_us))
			return postgres_lost(pg, false, err);
		result = PQgetResult(pg->conn);
		if (result == NULL)
			break;
		if (PQresultStatus(result) != PGRES_COMMAND_OK && status == LEAT_OK)
			status = postgres_result_error(pg, result, "write to the table", err);
		PQclear(result);
	}
	if (PQstatus(pg->conn) == CONNECTION_BAD)
		return postgres_lost(pg, false, err);
	return status;
}

static enum leat_status prepare_shape(struct sink *sink, struct shape *shape, struct leat_error *err)
{
	enum leat_status status = statement_prepare(sink, shape->name, shape->sql.data, err);

	shape->generation = status == LEAT_OK ? sink->pg.generation : 0;
	return status;
}

bool statement_fits(const struct sink *sink, const struct shape *shape, const struct cell *row)
{
	size_t i;

	for (i = 0; i < sink->n_targets; i++)
		if (shape->is_present[i] != (row[i].state != CELL_ABSENT))
			return false;
	return true;
}

static void take_shape(const struct sink *sink, struct shape *shape, const struct cell *row)
{
	size_t i;

	if (shape->is_present == NULL)
		shape->is_present = (bool *)malloc(sink->n_targets * sizeof *shape->is_present);
	if (shape->is_present == NULL)
		leat_run_out();
	for (i = 0; i < sink->n_targets; i++)
		shape->is_present[i] = row[i].state != CELL_ABSENT;
	write_sql(sink, shape);
}

enum leat_status statement_find(struct sink *sink, const struct cell *row, struct shape **out, struct leat_error *err)
{
	struct shape *shape = sink->shape;
	enum leat_status status = LEAT_OK;

	while (shape < sink->shape + sink->n_shapes && !statement_fits(sink, shape, row))
		shape++;
	if (shape == sink->shape + SHAPES) {
		take_shape(sink, &sink->spare, row);
		*out = &sink->spare;
		return LEAT_OK;
	}
	if (shape == sink->shape + sink->n_shapes) {
		take_shape(sink, shape, row);
		(void)snprintf(shape->name, sizeof shape->name, "leat_%zu", sink->n_shapes++);
	}
	if (sink->mode == SINK_INSERT && shape->generation != sink->pg.generation)
		status = prepare_shape(sink, shape, err);
	if (status == LEAT_OK)
		*out = shape;
	return status;
}

static void finish_shape(struct shape *shape)
{
	free(shape->is_present);
	leat_buffer_finish(&shape->sql);
	memset(shape, 0, sizeof *shape);
}

void statement_forget(struct sink *sink)
{
	size_t i;

	for (i = 0; i < sink->n_shapes; i++)
		finish_shape(&sink->shape[i]);
	finish_shape(&sink->spare);
	sink->n_shapes = 0;
}

/* A text in a column of type json is a JSON text: the record says that it is one, not that it holds JSON. */
static void quote_json(struct leat_buffer *out, const char *s, size_t n)
{
	char escape[8];
	size_t i;

	out->n = 0;
	leat_buffer_byte(out, '"');
	for (i = 0; i < n; i++) {
		if ((unsigned char)s[i] < 0x20) {
			(void)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)s[i]);
			leat_buffer_text(out, escape);
			continue;
		}
		if (s[i] == '"' || s[i] == '\\')
			leat_buffer_byte(out, '\\');
		leat_buffer_byte(out, s[i]);
	}
	leat_buffer_byte(out, '"');
}

static void fit_cell(struct sink *sink, size_t at, const struct cell *cell, const char **text, size_t *n)
{
	*text = cell->text;
	*n = cell->n;
	if (sink->target[at].is_json && (cell->type == LEAT_TEXT || cell->type == LEAT_TIME || cell->type == LEAT_BYTES)) {
		quote_json(&sink->scratch, cell->text, cell->n);
		*text = sink->scratch.data;
		*n = sink->scratch.n;
	}
}

static void add_element(struct sink *sink, struct leat_buffer *out, size_t at, const struct cell *cell)
{
	const char *text;
	size_t i, n;
	char *to;

	if (out->n > 1)
		leat_buffer_byte(out, ',');
	if (cell->state == CELL_NULL) {
		leat_buffer_text(out, "NULL");
		return;
	}
	fit_cell(sink, at, cell, &text, &n);
	to = leat_buffer_reserve(out, 2 * n + 2);
	*to++ = '"';
	for (i = 0; i < n; i++) {
		if (text[i] == '"' || text[i] == '\\')
			*to++ = '\\';
		*to++ = text[i];
	}
	*to++ = '"';
	out->n = (size_t)(to - out->data);
}

bool statement_send(struct sink *sink, const struct shape *shape, const struct rows *rows, size_t from, size_t until,
                    const bool *skip)
{
	size_t i, row;
	int n = 0;

	for (i = 0; i < sink->n_targets; i++) {
		if (!shape->is_present[i])
			continue;
		sink->argument[i].n = 0;
		leat_buffer_byte(&sink->argument[i], '{');
		for (row = from; row < until; row++)
			if (skip == NULL || !skip[row])
				add_element(sink, &sink->argument[i], i, &rows->cell[row * sink->n_targets + i]);
		leat_buffer_append(&sink->argument[i], "}", 2);
		sink->value[n++] = sink->argument[i].data;
	}
	if (shape->name[0] != '\0')
		return PQsendQueryPrepared(sink->pg.conn, shape->name, n, sink->value, NULL, NULL, 0) == 1;
	return PQsendQueryParams(sink->pg.conn, shape->sql.data, n, NULL, sink->value, NULL, NULL, 0) == 1;
}

static void add_copied(struct leat_buffer *out, const char *text, size_t n)
{
	static const char special[] = "\b\f\n\r\t\v\\", letter[] = "bfnrtv\\";
	const char *found;
	size_t i;

	for (i = 0; i < n; i++) {
		found = (const char *)memchr(special, text[i], sizeof special - 1);
		if (found != NULL)
			leat_buffer_byte(out, '\\');
		leat_buffer_byte(out, found != NULL ? letter[found - special] : text[i]);
	}
}

void statement_copy_row(struct sink *sink, const struct shape *shape, const struct cell *row, struct leat_buffer *out)
{
	bool is_first = true;
	const char *text;
	size_t i, n;

	for (i = 0; i < sink->n_targets; i++) {
		if (!shape->is_present[i])
			continue;
		if (!is_first)
			leat_buffer_byte(out, '\t');
		is_first = false;
		if (row[i].state == CELL_NULL) {
			leat_buffer_text(out, "\\N");
			continue;
		}
		fit_cell(sink, i, &row[i], &text, &n);
		add_copied(out, text, n);
	}
	leat_buffer_byte(out, '\n');
}
