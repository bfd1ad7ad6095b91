/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sink knows of its table, read anew on each connection: someone may have changed it in between.
 */
#include "sink.h"

enum { COLUMN_NAME, COLUMN_TYPE, COLUMN_ARRAY, COLUMN_JSON, COLUMN_GENERATED, COLUMN_ALLOWED };

static const char columns_sql[] =
	"SELECT a.attname, pg_catalog.format_type(a.atttypid, -1), b.typcategory = 'A', b.oid IN (114, 3802),"
	" a.attgenerated <> '' OR a.attidentity = 'a', pg_catalog.has_any_column_privilege(c.oid, 'INSERT')"
	" FROM pg_catalog.pg_class c"
	" JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace"
	" JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
	" JOIN pg_catalog.pg_type t ON t.oid = a.atttypid"
	" JOIN pg_catalog.pg_type b ON b.oid = CASE WHEN t.typbasetype <> 0 THEN t.typbasetype ELSE t.oid END"
	" WHERE s.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p', 'v', 'f') ORDER BY a.attnum";

static bool is_true(const PGresult *columns, int row, int field)
{
	return PQgetvalue(columns, row, field)[0] == 't';
}

static int find_column(const PGresult *columns, const char *name)
{
	int i;

	for (i = 0; i < PQntuples(columns); i++)
		if (strcmp(PQgetvalue(columns, i, COLUMN_NAME), name) == 0)
			return i;
	return -1;
}

static void add_target(struct sink *sink, const PGresult *columns, int row)
{
	struct target *target = &sink->target[sink->n_targets++];
	size_t i;

	*target = (struct target){ .is_array = is_true(columns, row, COLUMN_ARRAY), .is_json = is_true(columns, row, COLUMN_JSON) };
	(void)snprintf(target->name, sizeof target->name, "%s", PQgetvalue(columns, row, COLUMN_NAME));
	(void)snprintf(target->type, sizeof target->type, "%s", PQgetvalue(columns, row, COLUMN_TYPE));
	for (i = 0; i < sink->upsert.n; i++)
		target->is_key |= strcmp(sink->upsert.item[i], target->name) == 0;
}

static enum leat_status no_column(const struct sink *sink, const char *option, const char *name, struct leat_error *err)
{
	(void)leat_error_set(err, LEAT_FATAL, 0, "column \"%s\" does not exist in table \"%s\" of database \"%s\" at %s", name,
	                     sink->table_text,
	                     sink->pg.database, sink->pg.at);
	return leat_error_at(err, option);
}

static enum leat_status choose_targets(struct sink *sink, const PGresult *columns, struct leat_error *err)
{
	size_t i;
	int row;

	for (i = 0; i < sink->columns.n; i++) {
		row = find_column(columns, sink->columns.item[i].text);
		if (row < 0)
			return no_column(sink, "columns", sink->columns.item[i].text, err);
		if (is_true(columns, row, COLUMN_GENERATED))
			return leat_error_set(err, LEAT_FATAL, 0,
			                      "column \"%s\" of table \"%s\" cannot be written: the server generates it",
			                      sink->columns.item[i].text, sink->table_text);
		add_target(sink, columns, row);
	}
	for (row = 0; row < PQntuples(columns) && sink->columns.n == 0; row++)
		if (!is_true(columns, row, COLUMN_GENERATED))
			add_target(sink, columns, row);
	return LEAT_OK;
}

static enum leat_status check_keys(const struct sink *sink, struct leat_error *err)
{
	size_t i, j;

	for (i = 0; i < sink->upsert.n; i++) {
		for (j = 0; j < sink->n_targets && strcmp(sink->target[j].name, sink->upsert.item[i]) != 0; j++)
			continue;
		if (j == sink->n_targets)
			return no_column(sink, "upsert", sink->upsert.item[i], err);
	}
	return LEAT_OK;
}

static void make_room(struct sink *sink, size_t n)
{
	size_t i;

	for (i = 0; i < sink->n_targets; i++)
		leat_buffer_finish(&sink->argument[i]);
	free(sink->target);
	free(sink->argument);
	free(sink->value);
	sink->n_targets = 0;
	sink->target = (struct target *)calloc(n, sizeof *sink->target);
	sink->argument = (struct leat_buffer *)calloc(n, sizeof *sink->argument);
	sink->value = (const char **)calloc(n, sizeof *sink->value);
	if (sink->target == NULL || sink->argument == NULL || sink->value == NULL)
		leat_run_out();
}

static enum leat_status use_columns(struct sink *sink, const PGresult *columns, struct leat_error *err)
{
	enum leat_status status;

	if (PQntuples(columns) == 0) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "table \"%s\" does not exist in database \"%s\" at %s", sink->table_text,
		                     sink->pg.database,
		                     sink->pg.at);
		return leat_error_at(err, "table");
	}
	if (!is_true(columns, 0, COLUMN_ALLOWED))
		return leat_error_set(err, LEAT_FATAL, 0, "role \"%s\" may not insert into table \"%s\" of database \"%s\" at %s",
		                      PQuser(sink->pg.conn), sink->table_text, sink->pg.database, sink->pg.at);
	statement_forget(sink);
	make_room(sink, (size_t)PQntuples(columns) + sink->columns.n);
	status = choose_targets(sink, columns, err);
	return status == LEAT_OK ? check_keys(sink, err) : status;
}

/* The index that an upsert needs and the right to update are looked at when a plan is made: EXPLAIN makes one. */
static enum leat_status explain(struct sink *sink, const struct shape *shape, struct leat_error *err)
{
	struct leat_buffer sql = { 0 };
	PGresult *result;
	enum leat_status status;
	size_t i;

	leat_buffer_text(&sql, "EXPLAIN EXECUTE ");
	leat_buffer_text(&sql, shape->name);
	for (i = 0; i < sink->n_targets; i++)
		leat_buffer_text(&sql, i == 0 ? "(NULL" : ", NULL");
	leat_buffer_append(&sql, ")", 2);
	status = postgres_query(&sink->pg, sql.data, 0, NULL, &result, err);
	leat_buffer_finish(&sql);
	if (status == LEAT_OK)
		PQclear(result);
	return status;
}

/* Preparing the statement for a full row lets the server check the rest. */
static enum leat_status prove_statement(struct sink *sink, struct leat_error *err)
{
	struct cell *row = (struct cell *)calloc(sink->n_targets + 1, sizeof *row);
	struct shape *shape = NULL;
	enum leat_status status;
	size_t i;

	if (row == NULL)
		leat_run_out();
	for (i = 0; i < sink->n_targets; i++)
		row[i].state = CELL_NULL;
	status = sink->n_targets > 0 ? statement_find(sink, row, &shape, err)
	                             : leat_error_set(err, LEAT_FATAL, 0, "table \"%s\" has no column that can be written",
	                                              sink->table_text);
	free(row);
	if (status == LEAT_OK && sink->mode == SINK_INSERT)
		status = explain(sink, shape, err);
	return status;
}

enum leat_status table_open(struct sink *sink, struct leat_context *ctx, struct leat_error *err)
{
	const char *const names[] = { sink->table.schema, sink->table.name };
	PGresult *columns;
	enum leat_status status = postgres_open(&sink->pg, ctx, err);

	if (status != LEAT_OK || sink->generation == sink->pg.generation)
		return status;
	status = postgres_query(&sink->pg, columns_sql, 2, names, &columns, err);
	if (status != LEAT_OK)
		return status;
	status = use_columns(sink, columns, err);
	PQclear(columns);
	if (status == LEAT_OK)
		status = prove_statement(sink, err);
	if (status == LEAT_OK)
		sink->generation = sink->pg.generation;
	return status;
}
