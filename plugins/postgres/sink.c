/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink: its options and what the host calls. The work is in effect.c (records to effects), table.c (what the table
 * is), statement.c (rows to SQL), deliver.c (one transaction) and fence.c (what makes it exactly-once).
 */
#include "sink.h"

static const char *const modes[] = { "insert", "copy", NULL };

static const struct leat_option options[] = {
	POSTGRES_CONNECTION_OPTIONS(struct sink),
	LEAT_OPTION(TEXT, struct sink, table_text, "table", "Table to write to, as name or schema.name.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(EXPRESSIONS, struct sink, columns, "columns",
	            "Columns and the expressions that fill them; otherwise each column takes the field of its name.", .flags = 0),
	LEAT_OPTION(TEXTS, struct sink, upsert, "upsert",
	            "Columns of a unique index: a row that is there already is updated instead.", .flags = 0),
	LEAT_OPTION(CHOICE, struct sink, mode, "mode", "How rows are sent; copy cannot upsert.", .preset = "insert",
	            .choices = modes),
	LEAT_OPTION(INTEGER, struct sink, batch, "batch", "Rows in a statement at most.", .preset = "1000", .minimum = 1,
	            .maximum = 100000),
	{ 0 },
};

static enum leat_status check_columns(const struct sink *sink, struct leat_error *err)
{
	size_t i, j;

	for (i = 0; i < sink->columns.n; i++)
		if (strlen(sink->columns.item[i].text) > 63) {
			(void)leat_error_set(err, LEAT_FATAL, 0,
			                     "cannot use \"%s\" as the name of a column: it is longer than 63 bytes",
			                     sink->columns.item[i].text);
			return leat_error_at(err, "columns");
		}
	for (i = 0; i < sink->upsert.n && sink->columns.n > 0; i++) {
		for (j = 0; j < sink->columns.n && strcmp(sink->columns.item[j].text, sink->upsert.item[i]) != 0; j++)
			continue;
		if (j == sink->columns.n) {
			(void)leat_error_set(err, LEAT_FATAL, 0, "column \"%s\" of upsert is not among the columns",
			                     sink->upsert.item[i]);
			return leat_error_at(err, "upsert");
		}
	}
	return LEAT_OK;
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status = postgres_check_options(&sink->connection, err);

	(void)ctx;
	if (status != LEAT_OK)
		return status;
	sink->pg.options = &sink->connection;
	if (postgres_parse_name(sink->table_text, sink->connection.schema, &sink->table, err) != LEAT_OK)
		return leat_error_at(err, "table");
	if (sink->mode == SINK_COPY && sink->upsert.n > 0) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "mode \"copy\" cannot upsert: use mode \"insert\"");
		return leat_error_at(err, "mode");
	}
	return check_columns(sink, err);
}

static enum leat_status claim(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status;

	postgres_close(&sink->pg);
	status = table_open(sink, ctx, err);
	return status == LEAT_OK && claim->is_fenced ? fence_claim(sink, claim, found, ctx, err) : status;
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status = table_open(sink, ctx, err);

	postgres_close(&sink->pg);
	return status;
}

static enum leat_guarantee guarantee(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

static void put_column(struct leat_buffer *text, const struct sink *sink, size_t i)
{
	leat_buffer_text(text, i > 0 ? ", " : " (");
	leat_buffer_text(text, sink->columns.item[i].text);
	leat_buffer_text(text, i + 1 == sink->columns.n ? ")" : "");
}

/* With the columns, as an effect's cells are told by their places in that list. */
static void identity(const void *self, struct leat_buffer *text)
{
	const struct sink *sink = (const struct sink *)self;
	size_t i;

	leat_buffer_text(text, "table ");
	leat_buffer_text(text, sink->table.schema);
	leat_buffer_byte(text, '.');
	leat_buffer_text(text, sink->table.name);
	for (i = 0; i < sink->columns.n; i++)
		put_column(text, sink, i);
	postgres_put_server(&sink->connection, text);
}

static void destroy(void *self)
{
	struct sink *sink = (struct sink *)self;
	size_t i;

	postgres_close(&sink->pg);
	statement_forget(sink);
	for (i = 0; i < sink->n_targets; i++)
		leat_buffer_finish(&sink->argument[i]);
	free(sink->target);
	free(sink->argument);
	free(sink->value);
	leat_buffer_finish(&sink->scratch);
	free(sink->fence_pipeline);
	free(sink->fence_sink);
}

const struct leat_sink_ops postgres_sink = {
	.size = sizeof postgres_sink,
	.instance_size = sizeof(struct sink),
	.is_encoded = true, /* maps and lists */
	.options = options,
	.create = create,
	.check = check,
	.guarantee = guarantee,
	.encode = sink_encode,
	.claim = claim,
	.deliver = sink_deliver,
	.destroy = destroy,
	.identity = identity,
};
