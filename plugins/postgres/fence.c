/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence (E3): a row for each sink of each pipeline, in a table of our own.
 *
 * A delivery's transaction begins with the compare-and-set. In a pipeline nobody sees its answer before the rest has gone out,
 * so the statement is in error when it finds another fence than expected: the server then skips all that follows, COMMIT too.
 *
 * The one tricky thing is a former attempt that the server has still to read, COMMIT and all: it holds no lock that claim()
 * could wait for. So each claim counts `claims` up, and an attempt compares that too: what was sent before a claim and has not
 * yet taken the row's lock finds another number afterwards. What has the lock makes claim() wait until it is over.
 *
 * `refused` is what the last delivery was refused (E7). It is no text, as a reason may be cut within a character, and a server
 * may have no letter for one.
 */
#include <inttypes.h>

#include "../shared/fault.h"
#include "../shared/text.h"
#include "sink.h"

enum { LOCK_TIMEOUT_MS = 2000, TABLE_ATTEMPTS = 3, ARGUMENTS = 10 };

/* One name for all: in the schema of the option `schema`, whatever schema the sink's own table is in. */
static const char table_name[] = "leat_fences";

/* No CREATE TABLE IF NOT EXISTS before looking: it asks for the right to create even when the table is there. */
static const char find_sql[] =
	"SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'refused')"
	" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace"
	" WHERE s.nspname = $1 AND c.relname = $2";
static const char *const create_sql[] = {
	"CREATE TABLE IF NOT EXISTS ", " (pipeline text, sink text, incarnation bigint NOT NULL, epoch bigint NOT NULL,"
	" digest bigint NOT NULL, claims bigint NOT NULL DEFAULT 0, refused bytea, PRIMARY KEY (pipeline, sink))", NULL,
};
/* An earlier version's table has none. */
static const char *const widen_sql[] = { "ALTER TABLE ", " ADD COLUMN IF NOT EXISTS refused bytea", NULL };
/* A conflict would wait for whoever changes the row: it is looked for first. */
static const char *const begin_row_sql[] = {
	"INSERT INTO ", " (pipeline, sink, incarnation, epoch, digest) SELECT $1, $2, 0, 0, 0"
	" WHERE NOT EXISTS (SELECT 1 FROM ", " WHERE pipeline = $1 AND sink = $2) ON CONFLICT DO NOTHING", NULL,
};
/* A row's xmax is the transaction that has it. With another role nothing is found: its sessions are not ours to end. */
static const char *const end_silent_sql[] = {
	"SELECT s.pid, pg_catalog.pg_terminate_backend(s.pid) FROM ", " f"
	" JOIN pg_catalog.pg_locks l ON l.locktype = 'transactionid' AND l.transactionid = f.xmax AND l.granted"
	" JOIN pg_catalog.pg_stat_activity s ON s.pid = l.pid AND s.usename = current_user AND s.wait_event_type = 'Client'"
	" WHERE f.pipeline = $1 AND f.sink = $2",
	NULL,
};
static const char *const lock_sql[] = {
	"SELECT incarnation, epoch, digest FROM ", " WHERE pipeline = $1 AND sink = $2 FOR UPDATE", NULL,
};
static const char *const take_sql[] = {
	"UPDATE ", " SET incarnation = $3, claims = claims + 1 WHERE pipeline = $1 AND sink = $2 RETURNING claims", NULL,
};
static const char *const keep_sql[] = {
	"UPDATE ", " SET refused = $3 WHERE pipeline = $1 AND sink = $2", NULL,
};
static const char *const read_sql[] = {
	"SELECT incarnation, epoch, digest, refused FROM ", " WHERE pipeline = $1 AND sink = $2", NULL,
};
static const char move_name[] = "leat_fence";
/* The words are what an administrator finds in the server's log, as text that is no integer. */
static const char *const move_sql[] = {
	"WITH moved AS (UPDATE ", " SET incarnation = $3, epoch = $4, digest = $5, refused = $10 WHERE pipeline = $1 AND sink = $2"
	" AND incarnation = $6 AND epoch = $7 AND digest = $8 AND claims = $9 RETURNING 1)"
	" SELECT CAST(CASE count(*) WHEN 1 THEN '1' ELSE 'leat: the fence of this sink is not as expected' END AS integer) FROM moved",
	NULL,
};

struct arguments {
	int n;
	const char *value[ARGUMENTS];
	char number[ARGUMENTS][24];
	struct leat_buffer bytes; /* of the refused */
};

/* Filled in place: it points into itself. */
static void begin_arguments(struct arguments *a, const struct sink *sink)
{
	a->n = 2;
	a->bytes = (struct leat_buffer){ 0 };
	a->value[0] = sink->fence_pipeline;
	a->value[1] = sink->fence_sink;
}

/* A bigint has a sign: the bits are kept, not the number. */
static void add_number(struct arguments *a, uint64_t number)
{
	(void)snprintf(a->number[a->n], sizeof a->number[0], "%" PRId64, (int64_t)number);
	a->value[a->n] = a->number[a->n];
	a->n++;
}

static void add_fence(struct arguments *a, const struct leat_fence *fence)
{
	add_number(a, fence->incarnation);
	add_number(a, fence->epoch);
	add_number(a, fence->digest);
}

static void finish_arguments(struct arguments *a)
{
	leat_buffer_finish(&a->bytes);
}

/* Null when there are none. The arguments are to be finished then. */
static void add_refused(struct arguments *a, const struct leat_delivery *delivery, const struct refusals *refused)
{
	struct leat_buffer text = { 0 };

	if (refused->n > 0) {
		refusal_write(refused, delivery->n, &text);
		text_append_hex(&a->bytes, text.data, text.n);
		leat_buffer_byte(&a->bytes, '\0');
		leat_buffer_finish(&text);
	}
	a->value[a->n++] = a->bytes.data;
}

static uint64_t number_at(const PGresult *result, int field)
{
	return (uint64_t)strtoll(PQgetvalue(result, 0, field), NULL, 10);
}

static struct leat_fence fence_at(const PGresult *result)
{
	return (struct leat_fence){ .incarnation = number_at(result, 0), .epoch = number_at(result, 1), .digest = number_at(result, 2) };
}

static bool is_same(const struct leat_fence *a, const struct leat_fence *b)
{
	return a->incarnation == b->incarnation && a->epoch == b->epoch && a->digest == b->digest;
}

/* The parts of a statement, with the table's name between them. */
static void write_sql(const struct sink *sink, struct leat_buffer *sql, const char *const *part)
{
	struct postgres_name name;

	(void)snprintf(name.schema, sizeof name.schema, "%s", sink->connection.schema);
	(void)snprintf(name.name, sizeof name.name, "%s", table_name);
	leat_buffer_text(sql, part[0]);
	for (part++; *part != NULL; part++) {
		postgres_quote_name(&sink->pg, sql, &name);
		leat_buffer_text(sql, *part);
	}
	leat_buffer_byte(sql, '\0');
}

static enum leat_status query(struct sink *sink, const char *const *part, const struct arguments *a, PGresult **out,
                              struct leat_error *err)
{
	struct leat_buffer sql = { 0 };
	enum leat_status status;

	write_sql(sink, &sql, part);
	status = postgres_query(&sink->pg, sql.data, a->n, a->value, out, err);
	leat_buffer_finish(&sql);
	return status;
}

static enum leat_status change_row(struct sink *sink, const char *const *part, struct arguments *a, struct leat_error *err)
{
	PGresult *result;
	enum leat_status status = query(sink, part, a, &result, err);

	finish_arguments(a);
	if (status == LEAT_OK)
		PQclear(result);
	return status;
}

static enum leat_status command(struct sink *sink, const char *sql, struct leat_error *err)
{
	PGresult *result;
	enum leat_status status = postgres_query(&sink->pg, sql, 0, NULL, &result, err);

	if (status == LEAT_OK)
		PQclear(result);
	return status;
}

/* ---- the claim ----------------------------------------------------------------------------------------------------- */

static enum leat_status find_table(struct sink *sink, bool *is_there, bool *is_whole, struct leat_error *err)
{
	const char *const names[] = { sink->connection.schema, table_name };
	PGresult *result;
	enum leat_status status = postgres_query(&sink->pg, find_sql, 2, names, &result, err);

	if (status != LEAT_OK)
		return status;
	*is_there = PQntuples(result) > 0;
	*is_whole = *is_there && PQgetvalue(result, 0, 0)[0] == 't';
	PQclear(result);
	return LEAT_OK;
}

/* Of two who create it at once one gets an error, in spite of IF NOT EXISTS (23505, 42P07 or XX000): it looks again. */
static enum leat_status make_table(struct sink *sink, struct leat_error *err)
{
	struct arguments none = { .n = 0 };
	struct leat_error fault = { .status = LEAT_RETRY };
	bool is_there = false, is_whole;
	enum leat_status status;
	int i;

	for (i = 0; i < TABLE_ATTEMPTS; i++) {
		status = find_table(sink, &is_there, &is_whole, err);
		if (status != LEAT_OK || is_whole)
			return status;
		if (change_row(sink, is_there ? widen_sql : create_sql, &none, &fault) == LEAT_OK)
			return LEAT_OK;
		if (sink->pg.conn == NULL)
			break;
	}
	status = fault.status == LEAT_FATAL ? LEAT_FATAL : LEAT_RETRY;
	return leat_error_set(err, status, 0, "%s %s table \"%s.%s\" for exactly-once: %s",
	                      status == LEAT_FATAL ? "cannot" : "could not", is_there ? "add column \"refused\" to" : "create",
	                      sink->connection.schema, table_name, fault.text);
}

/* For fault points. */
static enum leat_status lose(struct sink *sink, struct leat_error *err)
{
	return postgres_lost(&sink->pg, false, err);
}

/* In a transaction of its own: who stands still behind it has no lock but one on a row that can be seen. */
static enum leat_status begin_row(struct sink *sink, struct leat_error *err)
{
	struct arguments a;

	begin_arguments(&a, sink);
	return change_row(sink, begin_row_sql, &a, err);
}

/* Half of what a statement may take, so that the reason given is the lock. */
static enum leat_status begin(struct sink *sink, struct leat_error *err)
{
	int64_t half_ms = sink->connection.statement_timeout_us / 2000;
	char sql[64];
	enum leat_status status = command(sink, "BEGIN ISOLATION LEVEL READ COMMITTED", err);

	(void)snprintf(sql, sizeof sql, "SET LOCAL lock_timeout = %" PRId64, half_ms < 1 ? 1 : half_ms < LOCK_TIMEOUT_MS ? half_ms
	               : LOCK_TIMEOUT_MS);
	return status == LEAT_OK ? command(sink, sql, err) : status;
}

/* Begins a transaction. Behind this nobody else can move the fence until it is over. */
static enum leat_status lock_row(struct sink *sink, struct leat_fence *found, struct leat_error *err)
{
	struct arguments a;
	PGresult *result;
	enum leat_status status = begin(sink, err);

	if (status != LEAT_OK)
		return status;
	begin_arguments(&a, sink);
	status = query(sink, lock_sql, &a, &result, err);
	if (status != LEAT_OK)
		return status;
	if (PQntuples(result) == 1)
		*found = fence_at(result);
	else
		status = leat_error_set(err, LEAT_RETRY, 0, "could not claim: table \"%s.%s\" did not keep the fence",
		                        sink->connection.schema, table_name);
	PQclear(result);
	return status;
}

/*
 * Ends the session that has the row and waits for its client: a process that was stopped, or whose machine hangs, in the middle
 * of a delivery. Its kernel still answers keepalives, and while statements of a pipeline come in no timeout of the server runs,
 * so it would keep the row for as long as its connection lives. One that the server works for is waited for. False: there is none.
 */
static bool end_silent_owner(struct sink *sink, struct leat_context *ctx)
{
	struct arguments a;
	PGresult *result;
	int n, i;

	if (sink->pg.conn == NULL || command(sink, "ROLLBACK", NULL) != LEAT_OK)
		return false;
	begin_arguments(&a, sink);
	if (query(sink, end_silent_sql, &a, &result, NULL) != LEAT_OK)
		return false;
	n = PQntuples(result);
	for (i = 0; i < n; i++)
		leat_log(ctx, LEAT_WARNING, "ended session %s of postgres at %s: it had this sink's fence and its client said no more",
		         PQgetvalue(result, i, 0), sink->pg.at);
	PQclear(result);
	return n > 0;
}

static enum leat_status take_row(struct sink *sink, const struct leat_claim *claim, struct leat_error *err)
{
	struct arguments a;
	PGresult *result;
	enum leat_status status;

	begin_arguments(&a, sink);
	add_number(&a, claim->incarnation);
	status = query(sink, take_sql, &a, &result, err);
	if (status != LEAT_OK)
		return status;
	sink->fence_claims = PQntuples(result) == 1 ? number_at(result, 0) : 0;
	PQclear(result);
	if (fault_fails("postgres-claim-taken"))
		return lose(sink, err);
	status = command(sink, "COMMIT", err);
	if (status == LEAT_OK && fault_fails("postgres-claim-after"))
		return lose(sink, err);
	return status == LEAT_OK ? fence_prepare(sink, err) : status;
}

static void take_names(struct sink *sink, const struct leat_claim *claim)
{
	free(sink->fence_pipeline);
	free(sink->fence_sink);
	sink->fence_pipeline = strdup(claim->pipeline);
	sink->fence_sink = strdup(claim->sink);
	if (sink->fence_pipeline == NULL || sink->fence_sink == NULL)
		leat_run_out();
}

enum leat_status fence_claim(struct sink *sink, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                             struct leat_error *err)
{
	struct leat_fence before = { .incarnation = 0 };
	enum leat_status status;

	take_names(sink, claim);
	status = make_table(sink, err);
	if (status == LEAT_OK && fault_fails("postgres-claim-before"))
		status = lose(sink, err);
	if (status == LEAT_OK)
		status = begin_row(sink, err);
	if (status == LEAT_OK)
		status = lock_row(sink, &before, err);
	if (status == LEAT_RETRY && end_silent_owner(sink, ctx))
		status = lock_row(sink, &before, err);
	if (status == LEAT_OK && fault_fails("postgres-claim-locked"))
		status = lose(sink, err);
	if (status == LEAT_OK)
		status = before.incarnation > claim->incarnation ? command(sink, "ROLLBACK", err) : take_row(sink, claim, err);
	if (status == LEAT_OK)
		*found = before;
	else
		postgres_close(&sink->pg);
	/* A trigger's objection, say: there is no record to reject. */
	if (status == LEAT_REJECT)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot claim: postgres at %s refuses the fence", sink->pg.at);
	return status;
}

/* ---- deliveries ---------------------------------------------------------------------------------------------------- */

static void fill_move(struct arguments *a, const struct sink *sink, const struct leat_delivery *delivery,
                      const struct refusals *refused)
{
	begin_arguments(a, sink);
	add_fence(a, &delivery->next);
	add_fence(a, &delivery->expected);
	add_number(a, sink->fence_claims);
	add_refused(a, delivery, refused);
}

enum leat_status fence_prepare(struct sink *sink, struct leat_error *err)
{
	struct leat_buffer sql = { 0 };
	enum leat_status status;

	if (sink->fence_generation == sink->pg.generation)
		return LEAT_OK;
	write_sql(sink, &sql, move_sql);
	status = statement_prepare(sink, move_name, sql.data, err);
	leat_buffer_finish(&sql);
	if (status == LEAT_OK)
		sink->fence_generation = sink->pg.generation;
	return status;
}

bool fence_send(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused)
{
	struct arguments a;
	bool is_sent;

	fill_move(&a, sink, delivery, refused);
	is_sent = PQsendQueryPrepared(sink->pg.conn, move_name, a.n, a.value, NULL, NULL, 0) == 1;
	finish_arguments(&a);
	return is_sent;
}

enum leat_status fence_move(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused,
                            struct leat_error *err)
{
	struct arguments a;

	fill_move(&a, sink, delivery, refused);
	return change_row(sink, move_sql, &a, err);
}

enum leat_status fence_keep(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused,
                            struct leat_error *err)
{
	struct arguments a;
	enum leat_status status;

	begin_arguments(&a, sink);
	add_refused(&a, delivery, refused);
	status = change_row(sink, keep_sql, &a, err);
	/* A trigger's objection, say: there is no record to reject. */
	if (status == LEAT_REJECT)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot deliver: postgres at %s refuses the fence", sink->pg.at);
	return status;
}

static enum leat_status refuse(const struct leat_fence *found, const struct leat_delivery *delivery, struct leat_error *err)
{
	const struct leat_fence *expected = &delivery->expected;
	const char *reason = "the fence is another than expected";

	/* The same fence, but claimed since. */
	if (found->incarnation > delivery->next.incarnation || is_same(found, expected))
		reason = "another instance owns the sink";
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "cannot deliver: %s: found incarnation %" PRIu64 ", epoch %" PRIu64 ", digest %016" PRIx64
	                      ", expected incarnation %" PRIu64 ", epoch %" PRIu64 ", digest %016" PRIx64,
	                      reason, found->incarnation, found->epoch, found->digest, expected->incarnation, expected->epoch,
	                      expected->digest);
}

static enum leat_status read_refused(const struct sink *sink, const PGresult *result, size_t n_effects, struct refusals *refused,
                                     struct leat_error *err)
{
	struct leat_buffer text = { 0 };
	unsigned char *bytes;
	bool is_read;
	size_t n;

	bytes = PQunescapeBytea((const unsigned char *)PQgetvalue(result, 0, 3), &n);
	if (bytes == NULL)
		leat_run_out();
	leat_buffer_append(&text, bytes, n);
	leat_buffer_byte(&text, '\0');
	PQfreemem(bytes);
	is_read = refusal_read(refused, text.data, n_effects);
	leat_buffer_finish(&text);
	if (is_read)
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, 0, "cannot deliver: column \"refused\" of table \"%s.%s\" cannot be read",
	                      sink->connection.schema, table_name);
}

enum leat_status fence_settle(struct sink *sink, const struct leat_delivery *delivery, struct refusals *refused,
                              struct leat_error *err)
{
	struct arguments a;
	struct leat_fence found = { .incarnation = 0 };
	PGresult *result;
	bool is_there;
	enum leat_status status;

	begin_arguments(&a, sink);
	status = query(sink, read_sql, &a, &result, err);
	if (status != LEAT_OK)
		return status;
	is_there = PQntuples(result) == 1;
	if (is_there)
		found = fence_at(result);
	if (is_there && is_same(&found, &delivery->next) && !LEAT_BUG("postgres-refusals-forgotten"))
		status = read_refused(sink, result, delivery->n, refused, err);
	PQclear(result);
	if (status != LEAT_OK)
		return status;
	if (!is_there)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot deliver: the fence is missing from table \"%s.%s\", expected epoch %" PRIu64,
		                      sink->connection.schema, table_name, delivery->expected.epoch);
	return is_same(&found, &delivery->next) ? LEAT_OK : refuse(&found, delivery, err);
}
