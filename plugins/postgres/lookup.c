/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lookup. prepare() gathers what the batch asks for and the cache does not know, each question once, and sends the
 * questions in a pipeline; process() finds the answers in the cache. A question is the text of its parameters: that is the
 * cache's key as well, laid out so that libpq can be pointed right into it.
 */
#include "lookup.h"

enum { QUESTIONS = 256 /* in a pipeline at once */, PARAMETERS = 32 };
enum missing { MISSING_NULL, MISSING_REJECT, MISSING_DROP };

struct lookup {
	struct postgres_options connection;
	const char *query;
	struct leat_paths params;
	const char *table_text;
	struct leat_texts columns;
	struct leat_expressions match;
	leat_symbol into;
	int missing;

	struct postgres pg;
	struct postgres_name table;
	uint64_t generation; /* of the connection that the statement was prepared on */
	size_t n_params;
	size_t n_columns;
	struct lookup_column *column;
	leat_symbol *symbol; /* of the option `columns` */
	struct cache cache;
	struct leat_buffer keys; /* of the questions that are to be asked */
	size_t n_questions;
	size_t question_capacity;
	size_t *question; /* where each begins in `keys`; one more for the end */
	struct leat_buffer row;
};

static const char *const missing_names[] = { "null", "reject", "drop", NULL };

static const struct leat_option options[] = {
	POSTGRES_CONNECTION_OPTIONS(struct lookup),
	LEAT_OPTION(TEXT, struct lookup, query, "query",
	            "SELECT with $1, $2, ... for the fields in `params`; its first row is taken.",
	            .flags = 0),
	LEAT_OPTION(FIELDS, struct lookup, params, "params", "Fields that stand for $1, $2, ... in the query.", .flags = 0),
	LEAT_OPTION(TEXT, struct lookup, table_text, "table", "Instead of a query: table to look in, as name or schema.name.",
	            .flags = 0),
	LEAT_OPTION(EXPRESSIONS, struct lookup, match, "match",
	            "With a table: columns, and the expressions that they have to equal.", .flags = 0),
	LEAT_OPTION(TEXTS, struct lookup, columns, "columns", "With a table: columns to take; otherwise all of them.",
	            .flags = 0),
	LEAT_OPTION(NAME, struct lookup, into, "into", "Field that gets the row as a map; otherwise its columns become fields.",
	            .flags = 0),
	LEAT_OPTION(CHOICE, struct lookup, missing, "missing",
	            "What a record without a row gets: nulls, a dead letter, or dropped.",
	            .preset = "null", .choices = missing_names),
	LEAT_OPTION(INTEGER, struct lookup, cache.entries_limit, "cache", "Answers to keep; 0 asks anew for each batch.",
	            .preset = "10000",
	            .minimum = 0, .maximum = 1e7),
	LEAT_OPTION(SIZE, struct lookup, cache.bytes_limit, "cache_size", "Bytes of answers to keep.", .preset = "16MiB",
	            .minimum = 0, .maximum = 1e12),
	LEAT_OPTION(DURATION, struct lookup, cache.ttl_us, "cache_ttl", "How old an answer may get.", .preset = "1m",
	            .minimum = 0, .maximum = 31536000e6),
	{ 0 },
};

/* ---- the statement ------------------------------------------------------------------------------------------------- */

static enum leat_status check_options(struct lookup *l, struct leat_error *err)
{
	if ((l->query == NULL) == (l->table_text == NULL))
		return leat_error_set(err, LEAT_FATAL, 0, "postgres lookup needs either \"query\" or \"table\"");
	if (l->query != NULL && (l->match.n > 0 || l->columns.n > 0))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "options \"match\" and \"columns\" go with \"table\", not with \"query\"");
	if (l->table_text != NULL && (l->match.n == 0 || l->params.n > 0))
		return leat_error_set(err, LEAT_FATAL, 0, "option \"table\" goes with \"match\", not with \"params\"");
	l->n_params = l->query != NULL ? l->params.n : l->match.n;
	if (l->n_params == 0 || l->n_params > PARAMETERS) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "%zu parameters, expected 1 to %d", l->n_params, PARAMETERS);
		return leat_error_at(err, l->query != NULL ? "params" : "match");
	}
	if (l->table_text != NULL && postgres_parse_name(l->table_text, l->connection.schema, &l->table, err) != LEAT_OK)
		return leat_error_at(err, "table");
	return LEAT_OK;
}

static void write_sql(const struct lookup *l, struct leat_buffer *sql)
{
	char number[32];
	size_t i;

	if (l->query != NULL) {
		leat_buffer_append(sql, l->query, strlen(l->query) + 1);
		return;
	}
	leat_buffer_text(sql, "SELECT ");
	for (i = 0; i < l->columns.n; i++) {
		leat_buffer_text(sql, i > 0 ? ", " : "");
		postgres_quote(&l->pg, sql, l->columns.item[i]);
	}
	leat_buffer_text(sql, l->columns.n == 0 ? "* FROM " : " FROM ");
	postgres_quote_name(&l->pg, sql, &l->table);
	for (i = 0; i < l->match.n; i++) {
		leat_buffer_text(sql, i == 0 ? " WHERE " : " AND ");
		postgres_quote(&l->pg, sql, l->match.item[i].text);
		(void)snprintf(number, sizeof number, " = $%zu", i + 1);
		leat_buffer_text(sql, number);
	}
	leat_buffer_append(sql, " LIMIT 1", sizeof " LIMIT 1");
}

static leat_symbol find_symbol(const struct lookup *l, const char *name)
{
	size_t i;

	for (i = 0; i < l->columns.n; i++)
		if (strcmp(l->columns.item[i], name) == 0)
			return l->symbol[i];
	return LEAT_NO_SYMBOL;
}

/* True when the columns are others than before. */
static bool note_columns(struct lookup *l, const PGresult *description)
{
	size_t i, n = (size_t)PQnfields(description);
	struct lookup_column *column = (struct lookup_column *)calloc(n + 1, sizeof *column);
	bool is_new = n != l->n_columns;

	if (column == NULL)
		leat_run_out();
	for (i = 0; i < n; i++) {
		(void)snprintf(column[i].name, sizeof column[i].name, "%s", PQfname(description, (int)i));
		column[i].type = PQftype(description, (int)i);
		column[i].symbol = find_symbol(l, column[i].name);
		is_new |= i < l->n_columns && (strcmp(column[i].name, l->column[i].name) != 0 ||
		                               column[i].type != l->column[i].type);
	}
	free(l->column);
	l->column = column;
	l->n_columns = n;
	return is_new;
}

/* The answer to one request of libpq, for the caller to clear. */
static enum leat_status receive(struct lookup *l, int is_sent, PGresult **out, struct leat_error *err)
{
	int64_t deadline_us = postgres_clock_us() + l->connection.timeout_us;
	PGresult *result = NULL, *next;
	enum leat_status status = LEAT_OK;

	if (!is_sent)
		return postgres_lost(&l->pg, false, err);
	for (;;) {
		if (!postgres_await(&l->pg, deadline_us)) {
			PQclear(result);
			return postgres_lost(&l->pg, false, err);
		}
		next = PQgetResult(l->pg.conn);
		if (next == NULL)
			break;
		PQclear(result);
		result = next;
	}
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		status = PQstatus(l->pg.conn) == CONNECTION_OK ? postgres_result_error(&l->pg, result, "prepare the query", err)
		                                               : postgres_lost(&l->pg, false, err);
		PQclear(result);
		if (status == LEAT_REJECT && err != NULL)
			err->status = LEAT_FATAL;
		return status == LEAT_REJECT ? LEAT_FATAL : status;
	}
	*out = result;
	return LEAT_OK;
}

/* Undefined tables are named as the sink names them. */
static enum leat_status name_undefined(const struct lookup *l, struct leat_error *err)
{
	if (l->table_text == NULL || err == NULL || strstr(err->text, "(42P01)") == NULL)
		return LEAT_FATAL;
	(void)leat_error_set(err, LEAT_FATAL, 0, "table \"%s\" does not exist in database \"%s\" at %s", l->table_text,
	                     l->pg.database, l->pg.at);
	return leat_error_at(err, "table");
}

static enum leat_status prepare_statement(struct lookup *l, struct leat_error *err)
{
	struct leat_buffer sql = { 0 };
	PGresult *result;
	enum leat_status status;
	int n;

	write_sql(l, &sql);
	status = receive(l, PQsendPrepare(l->pg.conn, "leat", sql.data, 0, NULL), &result, err);
	leat_buffer_finish(&sql);
	if (status != LEAT_OK)
		return status == LEAT_FATAL ? name_undefined(l, err) : status;
	PQclear(result);
	status = receive(l, PQsendDescribePrepared(l->pg.conn, "leat"), &result, err);
	if (status != LEAT_OK)
		return status;
	n = PQnparams(result);
	if (note_columns(l, result))
		cache_clear(&l->cache);
	PQclear(result);
	if ((size_t)n != l->n_params)
		return leat_error_set(err, LEAT_FATAL, 0, "query has %d parameters, %zu are given", n, l->n_params);
	if (l->n_columns == 0)
		return leat_error_set(err, LEAT_FATAL, 0, "query returns no columns: it has to be a SELECT");
	return LEAT_OK;
}

static enum leat_status open_lookup(struct lookup *l, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = postgres_open(&l->pg, ctx, err);

	if (status != LEAT_OK || l->generation == l->pg.generation)
		return status;
	status = prepare_statement(l, err);
	if (status == LEAT_OK)
		l->generation = l->pg.generation;
	else
		postgres_close(&l->pg);
	return status;
}

/* ---- questions ----------------------------------------------------------------------------------------------------- */

static enum leat_status find_param(const struct lookup *l, size_t i, const struct leat_record *record, struct leat_value *out,
                                   struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_value *value;

	if (l->query == NULL)
		return leat_evaluate(ctx, l->match.item[i].value, record, out, err);
	value = leat_path_get(l->params.item[i], &record->value);
	*out = value != NULL ? *value : leat_null();
	return LEAT_OK;
}

/* Appends the question: for each parameter its length, its text and a NUL. *is_asked is false, and nothing is appended,
 * when a parameter is missing or null: nothing in a table equals that. */
static enum leat_status append_question(const struct lookup *l, const struct leat_record *record, struct leat_buffer *out,
                                        bool *is_asked,
                                        struct leat_context *ctx, struct leat_error *err)
{
	size_t i, before = out->n, at;
	struct leat_value value;
	enum leat_status status;
	uint32_t n;

	*is_asked = false;
	for (i = 0; i < l->n_params; i++) {
		status = find_param(l, i, record, &value, ctx, err);
		at = out->n;
		leat_buffer_u32(out, 0);
		if (status == LEAT_OK && value.type != LEAT_NULL)
			status = row_append_param(out, &value, i, err);
		if (status != LEAT_OK || value.type == LEAT_NULL) {
			out->n = before;
			return status;
		}
		n = (uint32_t)(out->n - at - sizeof n);
		memcpy(out->data + at, &n, sizeof n);
		leat_buffer_byte(out, '\0');
	}
	*is_asked = true;
	return LEAT_OK;
}

static void note_question(struct lookup *l, size_t at)
{
	if (l->n_questions + 2 > l->question_capacity) {
		l->question_capacity = l->question_capacity == 0 ? 64 : l->question_capacity * 2;
		l->question = (size_t *)realloc(l->question, l->question_capacity * sizeof *l->question);
		if (l->question == NULL)
			leat_run_out();
	}
	l->question[l->n_questions++] = at;
	l->question[l->n_questions] = l->keys.n;
}

static int send_question(const struct lookup *l, size_t question)
{
	const char *at = l->keys.data + l->question[question], *values[PARAMETERS];
	uint32_t n;
	size_t i;

	for (i = 0; i < l->n_params; i++) {
		memcpy(&n, at, sizeof n);
		values[i] = at + sizeof n;
		at += sizeof n + n + 1;
	}
	return PQsendQueryPrepared(l->pg.conn, "leat", (int)l->n_params, values, NULL, NULL, 0);
}

/* What came back for a question. LEAT_REJECT: the question itself is at fault, which is an answer as well. */
static enum leat_status note_answer(struct lookup *l, size_t question, const PGresult *result, int64_t now_us,
                                    struct leat_error *err)
{
	const char *key = l->keys.data + l->question[question];
	size_t key_n = l->question[question + 1] - l->question[question];
	struct leat_error fault;
	enum leat_status status;

	if (PQresultStatus(result) == PGRES_TUPLES_OK) {
		l->row.n = 0;
		if (PQntuples(result) > 0)
			row_write(result, &l->row);
		cache_put(&l->cache, key, key_n, PQntuples(result) > 0 ? CACHE_FOUND : CACHE_MISSING, l->row.data, l->row.n,
		          now_us);
		return LEAT_OK;
	}
	status = postgres_result_error(&l->pg, result, "look up", &fault);
	if (status == LEAT_REJECT)
		cache_put(&l->cache, key, key_n, CACHE_REFUSED, fault.text, strlen(fault.text), now_us);
	else if (err != NULL)
		*err = fault;
	return status;
}

/* Reads answers up to the sync; *n_done counts the questions answered before the first one at fault, and that one. */
static enum leat_status read_answers(struct lookup *l, size_t from, size_t *n_done, int64_t now_us, struct leat_error *err)
{
	int64_t deadline_us = postgres_clock_us() + l->connection.timeout_us;
	enum leat_status status = LEAT_OK;
	ExecStatusType state;
	PGresult *result;
	size_t n_empty = 0;

	*n_done = 0;
	while (n_empty < 2 && postgres_await(&l->pg, deadline_us)) {
		result = PQgetResult(l->pg.conn);
		state = result != NULL ? PQresultStatus(result) : PGRES_EMPTY_QUERY;
		n_empty = result != NULL ? 0 : n_empty + 1;
		if ((state == PGRES_TUPLES_OK || state == PGRES_FATAL_ERROR) && status == LEAT_OK &&
		    PQstatus(l->pg.conn) == CONNECTION_OK)
			status = note_answer(l, from + (*n_done)++, result, now_us, err);
		PQclear(result);
		if (state == PGRES_PIPELINE_SYNC)
			return status == LEAT_REJECT ? LEAT_OK : status;
	}
	return postgres_lost(&l->pg, false, err);
}

static enum leat_status ask(struct lookup *l, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = l->n_questions > 0 ? open_lookup(l, ctx, err) : LEAT_OK;
	int64_t now_us = leat_now(ctx);
	size_t from, i, n_done;
	int is_sent;

	for (from = 0; from < l->n_questions && status == LEAT_OK; from += n_done) {
		n_done = 0;
		is_sent = PQenterPipelineMode(l->pg.conn);
		for (i = from; i < l->n_questions && i < from + QUESTIONS && is_sent; i++)
			is_sent = send_question(l, i);
		if (!is_sent || !PQpipelineSync(l->pg.conn))
			return postgres_lost(&l->pg, false, err);
		status = read_answers(l, from, &n_done, now_us, err);
		if (l->pg.conn != NULL)
			(void)PQexitPipelineMode(l->pg.conn);
		if (status == LEAT_RETRY)
			postgres_close(&l->pg);
	}
	return status;
}

/* ---- what the host calls ------------------------------------------------------------------------------------------- */

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	enum leat_status status = postgres_check_options(&l->connection, err);
	size_t i;

	if (status == LEAT_OK)
		status = check_options(l, err);
	if (status != LEAT_OK)
		return status;
	l->pg.options = &l->connection;
	l->pg.is_read_only = true;
	l->symbol = (leat_symbol *)calloc(l->columns.n + 1, sizeof *l->symbol);
	if (l->symbol == NULL)
		leat_run_out();
	for (i = 0; i < l->columns.n; i++)
		l->symbol[i] = leat_intern(ctx, l->columns.item[i]);
	return LEAT_OK;
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	enum leat_status status = open_lookup(l, ctx, err);

	postgres_close(&l->pg);
	return status;
}

/* An entry of its own for a question that waits for its answer keeps others from asking the same. */
static enum leat_status prepare(void *self, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	int64_t now_us = leat_now(ctx);
	const struct cache_entry *entry;
	enum leat_status status;
	size_t i, before;
	bool is_asked;

	cache_trim(&l->cache, now_us);
	l->keys.n = l->n_questions = 0;
	for (i = 0; i < batch->n; i++) {
		before = l->keys.n;
		/* A record that cannot even ask is dealt with in process(). */
		if (append_question(l, &batch->record[i], &l->keys, &is_asked, ctx, NULL) != LEAT_OK || !is_asked)
			continue;
		entry = cache_find(&l->cache, l->keys.data + before, l->keys.n - before);
		if (entry != NULL && (entry->answer == CACHE_PENDING || entry->expires_us > now_us)) {
			l->keys.n = before;
			continue;
		}
		note_question(l, before);
		cache_put(&l->cache, l->keys.data + before, l->keys.n - before, CACHE_PENDING, NULL, 0, now_us);
	}
	status = ask(l, ctx, err);
	for (i = 0; i < l->n_questions && status != LEAT_OK; i++)
		cache_forget(&l->cache, l->keys.data + l->question[i], l->question[i + 1] - l->question[i]);
	return status;
}

static enum leat_status emit(const struct lookup *l, const struct leat_record *record, const char *row, struct leat_context *ctx)
{
	struct leat_member *member = row_read(ctx, l->column, l->n_columns, row);
	struct leat_member whole = { .symbol = l->into, .value = leat_null() };

	if (l->into == LEAT_NO_SYMBOL) {
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, l->n_columns));
		return LEAT_OK;
	}
	if (row != NULL)
		whole.value = leat_map_with(ctx, NULL, member, l->n_columns);
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, &whole, 1));
	return LEAT_OK;
}

static enum leat_status emit_missing(const struct lookup *l, const struct leat_record *record, struct leat_context *ctx,
                                     struct leat_error *err)
{
	if (l->missing == MISSING_REJECT)
		return leat_error_set(err, LEAT_REJECT, 0, "no row in %s \"%s\" for this record",
		                      l->table_text != NULL ? "table" : "query", l->table_text != NULL ? l->table_text : l->query);
	return l->missing == MISSING_DROP ? LEAT_OK : emit(l, record, NULL, ctx);
}

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	const struct cache_entry *entry;
	enum leat_status status;
	bool is_asked;

	l->keys.n = l->n_questions = 0;
	status = append_question(l, record, &l->keys, &is_asked, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (!is_asked)
		return emit_missing(l, record, ctx, err);
	entry = cache_find(&l->cache, l->keys.data, l->keys.n);
	if (entry == NULL) { /* the table was changed, and the cache emptied, between two pipelines of this batch */
		note_question(l, 0);
		status = ask(l, ctx, err);
		entry = status == LEAT_OK ? cache_find(&l->cache, l->keys.data, l->keys.n) : NULL;
	}
	if (entry == NULL)
		return status != LEAT_OK ? status : leat_error_set(err, LEAT_RETRY, 0, "could not look up: no answer");
	if (entry->answer == CACHE_REFUSED)
		return leat_error_set(err, LEAT_REJECT, 0, "%.*s", (int)entry->n, cache_bytes(entry));
	if (entry->answer == CACHE_MISSING)
		return emit_missing(l, record, ctx, err);
	return emit(l, record, cache_bytes(entry), ctx);
}

static void destroy(void *self)
{
	struct lookup *l = (struct lookup *)self;

	postgres_close(&l->pg);
	cache_finish(&l->cache);
	free(l->column);
	free(l->symbol);
	free(l->question);
	leat_buffer_finish(&l->keys);
	leat_buffer_finish(&l->row);
}

const struct leat_operator_ops postgres_lookup = {
	.size = sizeof postgres_lookup,
	.instance_size = sizeof(struct lookup),
	.options = options,
	.create = create,
	.check = check,
	.prepare = prepare,
	.process = process,
	.destroy = destroy,
};
