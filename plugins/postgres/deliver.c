/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Delivery: all effects in one transaction.
 *
 * First everything at once: BEGIN, the statements and COMMIT leave in one pipeline, and one answer is waited for. When the
 * server finds fault with the data, the transaction is done once more with savepoints, halving what fails until single rows
 * are left: those are refused, all others are kept, and it is still one transaction.
 *
 * The one tricky thing is what a lost connection means. Before COMMIT was sent nothing has happened; afterwards nobody
 * knows, and an error that the server gives as the answer to COMMIT itself is only believed where it says rolled back.
 *
 * A fenced delivery moves the fence right behind each BEGIN, never inside a savepoint, so whatever rows survive commit with it.
 * What is refused is set with the fence, and once more in front of COMMIT when rows were among it.
 */
#include <sys/socket.h>

#include "../shared/fault.h"
#include "sink.h"

enum { STATEMENT_BYTES = 8 << 20, COPY_BYTES = 64 << 10 };

struct work {
	struct sink *sink;
	const struct leat_delivery *delivery;
	struct rows rows;
	int64_t deadline_us;
	bool is_fence_other; /* than expected: nothing was done */
	struct refusals refused;
};

/* Rows that go together: [from..until), between two statements. */
struct group {
	const char *before;
	const char *after;
	bool commits; /* from BEGIN to COMMIT */
	bool skips_shadowed;
	size_t from;
	size_t until;
};

static void *allocate(size_t n, size_t size)
{
	void *p = calloc(n > 0 ? n : 1, size);

	if (p == NULL)
		leat_run_out();
	return p;
}

static const struct cell *row_at(const struct work *w, size_t row)
{
	return &w->rows.cell[row * w->sink->n_targets];
}

/* ---- an upsert cannot touch a row twice in one statement: the last one of a key stays ------------------------------ */

static bool equal_keys(const struct sink *sink, const struct cell *a, const struct cell *b)
{
	size_t i;

	for (i = 0; i < sink->n_targets; i++)
		if (sink->target[i].is_key && (a[i].state != CELL_VALUE || b[i].state != CELL_VALUE || a[i].n != b[i].n ||
		                               memcmp(a[i].text, b[i].text, a[i].n) != 0))
			return false;
	return true;
}

static size_t hash_key(const struct sink *sink, const struct cell *row)
{
	uint64_t h = 14695981039346656037u;
	size_t i;
	uint32_t j;

	for (i = 0; i < sink->n_targets; i++)
		for (j = 0; sink->target[i].is_key && row[i].state == CELL_VALUE && j < row[i].n; j++)
			h = (h ^ (unsigned char)row[i].text[j]) * 1099511628211u;
	return (size_t)(h ^ (h >> 32));
}

/* Marks the rows of [from..until) that a later one takes the place of. Keys that only the server knows to be equal, such as
 * 1 and 1.0, are met by the other way of delivery. */
static void mark_shadowed(const struct work *w, size_t from, size_t until, bool *skip)
{
	size_t capacity = 16, row, at, *seen;

	while (capacity < 2 * (until - from))
		capacity *= 2;
	seen = (size_t *)allocate(capacity, sizeof *seen); /* a row + 1 */
	for (row = until; row-- > from;) {
		at = hash_key(w->sink, row_at(w, row)) & (capacity - 1);
		while (seen[at] != 0 && !equal_keys(w->sink, row_at(w, row), row_at(w, seen[at] - 1)))
			at = (at + 1) & (capacity - 1);
		skip[row] = seen[at] != 0;
		if (!skip[row])
			seen[at] = row + 1;
	}
	free(seen);
}

/* ---- runs of one shape --------------------------------------------------------------------------------------------- */

static size_t row_bytes(const struct work *w, size_t row)
{
	size_t i, bytes = 0;

	for (i = 0; i < w->sink->n_targets; i++)
		bytes += row_at(w, row)[i].n;
	return bytes;
}

/* The end of the run that begins at `from`. */
static size_t find_run(const struct work *w, const struct shape *shape, size_t from, size_t until)
{
	size_t row, bytes = 0;

	for (row = from; row < until && row - from < (size_t)w->sink->batch; row++) {
		bytes += row_bytes(w, row);
		if ((bytes > STATEMENT_BYTES && row > from) || !statement_fits(w->sink, shape, row_at(w, row)))
			break;
	}
	return row;
}

/* Statements that have to be prepared are so before the pipeline is entered. */
static enum leat_status prepare_shapes(struct work *w, size_t from, size_t until, struct leat_error *err)
{
	struct shape *shape;
	enum leat_status status;

	while (from < until) {
		status = statement_find(w->sink, row_at(w, from), &shape, err);
		if (status != LEAT_OK)
			return status;
		from = find_run(w, shape, from, until);
	}
	return LEAT_OK;
}

/* ---- inserts, in a pipeline ---------------------------------------------------------------------------------------- */

static bool send_runs(struct work *w, const struct group *g, size_t *n_sent)
{
	bool *skip = g->skips_shadowed && w->sink->upsert.n > 0 ? (bool *)allocate(w->rows.n, sizeof *skip) : NULL;
	struct shape *shape;
	size_t from, until;
	bool is_sent = true;

	for (from = g->from; from < g->until && is_sent; from = until) {
		/* Prepared above, so this finds it or takes the spare one. */
		is_sent = statement_find(w->sink, row_at(w, from), &shape, NULL) == LEAT_OK;
		if (!is_sent)
			break;
		until = find_run(w, shape, from, g->until);
		if (skip != NULL)
			mark_shadowed(w, from, until, skip);
		is_sent = statement_send(w->sink, shape, &w->rows, from, until, skip);
		(*n_sent)++;
	}
	free(skip);
	return is_sent;
}

static bool send_plain(const struct work *w, const char *sql, size_t *n_sent)
{
	(*n_sent)++;
	return PQsendQueryParams(w->sink->pg.conn, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static bool moves_fence(const struct work *w, const struct group *g)
{
	return g->commits && w->delivery->is_fenced;
}

static bool send_fence(const struct work *w, const struct group *g, size_t *n_sent)
{
	if (!moves_fence(w, g))
		return true;
	(*n_sent)++;
	if (LEAT_BUG("postgres-fence-before-rows"))
		return fence_send(w->sink, w->delivery, &w->refused) && send_plain(w, "COMMIT", n_sent) && send_plain(w, "BEGIN", n_sent);
	return fence_send(w->sink, w->delivery, &w->refused);
}

/* The fence's statement holds nothing of the user's: what would be a row's fault elsewhere says that it did not match. */
static enum leat_status judge_fence(struct work *w, enum leat_status status)
{
	if (status != LEAT_REJECT)
		return status;
	w->is_fence_other = true;
	return LEAT_FATAL;
}

/* What the server said against a statement. About COMMIT itself it is only believed if it speaks of the data or of a
 * conflict: anything else may have come after the commit. */
static enum leat_status judge(const struct postgres *pg, const PGresult *result, bool is_commit, struct leat_error *err)
{
	enum leat_status status = postgres_result_error(pg, result, "deliver", err);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	if (!is_commit || LEAT_BUG("postgres-commit-error-believed") || status != LEAT_RETRY || (sqlstate != NULL && strncmp(sqlstate, "40", 2) == 0))
		return status;
	if (err != NULL)
		err->status = LEAT_UNKNOWN;
	return LEAT_UNKNOWN;
}

/* Reads the answers to `n` statements and the sync. The first error counts, the others follow from it. */
static enum leat_status read_answers(struct work *w, const struct group *g, size_t n, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	size_t done = 0, n_empty = 0;
	PGresult *result;
	ExecStatusType state = PGRES_EMPTY_QUERY;

	while (state != PGRES_PIPELINE_SYNC) {
		if (!postgres_await(&w->sink->pg, w->deadline_us))
			break;
		result = PQgetResult(w->sink->pg.conn);
		state = PQresultStatus(result);
		if (result == NULL) {
			done++;
			state = PGRES_EMPTY_QUERY;
			if (++n_empty > 1)
				break;
			continue;
		}
		n_empty = 0;
		if (state == PGRES_FATAL_ERROR && status == LEAT_OK && PQresultErrorField(result, PG_DIAG_SQLSTATE) != NULL) {
			status = judge(&w->sink->pg, result, g->commits && done == n - 1, err);
			if (done == 1 && moves_fence(w, g))
				status = judge_fence(w, status);
		}
		PQclear(result);
	}
	if (status != LEAT_OK && state != PGRES_PIPELINE_SYNC)
		postgres_close(&w->sink->pg);
	if (state == PGRES_PIPELINE_SYNC || status != LEAT_OK)
		return status;
	return postgres_lost(&w->sink->pg, g->commits && !LEAT_BUG("postgres-unknown-taken-as-failed"), err);
}

/* Before a fault point: a process that dies there leaves to the server what it has sent. */
static void flush(const struct work *w)
{
	if (HAS_FAULTS)
		(void)PQflush(w->sink->pg.conn);
}

static void cut(const struct work *w)
{
	(void)shutdown(PQsocket(w->sink->pg.conn), SHUT_RDWR);
}

static bool send_group(struct work *w, const struct group *g, size_t *n_sent)
{
	if (fault_fails("postgres-begin-before"))
		cut(w);
	if (!send_plain(w, g->before, n_sent))
		return false;
	flush(w);
	if (fault_fails("postgres-begin-after"))
		cut(w);
	if (!send_fence(w, g, n_sent))
		return false;
	flush(w);
	if (fault_fails("postgres-fence-after"))
		cut(w);
	if (!send_runs(w, g, n_sent))
		return false;
	flush(w);
	if (fault_fails("postgres-commit-before"))
		cut(w);
	if (!send_plain(w, g->after, n_sent) || !PQpipelineSync(w->sink->pg.conn))
		return false;
	flush(w);
	if (fault_fails("postgres-commit-sent"))
		cut(w);
	return true;
}

static enum leat_status insert_group(struct work *w, const struct group *g, struct leat_error *err)
{
	PGconn *conn = w->sink->pg.conn;
	size_t n_sent = 0;
	enum leat_status status = prepare_shapes(w, g->from, g->until, err);

	if (status != LEAT_OK)
		return status;
	if (!PQenterPipelineMode(conn))
		return postgres_lost(&w->sink->pg, false, err);
	/* The server commits when it sees COMMIT, sync or not, and nobody knows how much of this has gone out. */
	if (!send_group(w, g, &n_sent))
		return postgres_lost(&w->sink->pg, g->commits, err);
	status = read_answers(w, g, n_sent, err);
	if (status == LEAT_OK && fault_fails("postgres-commit-after"))
		return postgres_lost(&w->sink->pg, g->commits, err);
	if (w->sink->pg.conn != NULL)
		(void)PQexitPipelineMode(conn);
	return status;
}

/* ---- COPY ---------------------------------------------------------------------------------------------------------- */

static enum leat_status command(struct work *w, const char *sql, struct leat_error *err)
{
	PGresult *result;
	enum leat_status status = postgres_query(&w->sink->pg, sql, 0, NULL, &result, err);

	if (status == LEAT_OK)
		PQclear(result);
	return status;
}

static enum leat_status begin(struct work *w, struct leat_error *err)
{
	enum leat_status status = command(w, "BEGIN", err);

	if (status != LEAT_OK || !w->delivery->is_fenced)
		return status;
	return judge_fence(w, fence_move(w->sink, w->delivery, &w->refused, err));
}

static bool put_copied(struct work *w, struct leat_buffer *text)
{
	/* Without blocking: what the socket does not take now stays in the connection's buffer. */
	bool is_sent = PQputCopyData(w->sink->pg.conn, text->data, (int)text->n) == 1;

	text->n = 0;
	return is_sent;
}

static enum leat_status end_copy(struct work *w, struct leat_error *err)
{
	struct postgres *pg = &w->sink->pg;
	enum leat_status status = LEAT_OK;
	PGresult *result;

	for (;;) {
		if (!postgres_await(pg, w->deadline_us))
			return postgres_lost(pg, false, err);
		result = PQgetResult(pg->conn);
		if (result == NULL)
			break;
		if (PQresultStatus(result) != PGRES_COMMAND_OK && status == LEAT_OK)
			status = postgres_result_error(pg, result, "deliver", err);
		PQclear(result);
	}
	return PQstatus(pg->conn) == CONNECTION_OK ? status : postgres_lost(pg, false, err);
}

static enum leat_status copy_run(struct work *w, const struct shape *shape, size_t from, size_t until, struct leat_error *err)
{
	struct leat_buffer text = { 0 };
	PGresult *result;
	enum leat_status status = postgres_query(&w->sink->pg, shape->sql.data, 0, NULL, &result, err);
	bool is_sent = true;

	if (status != LEAT_OK)
		return status;
	PQclear(result);
	for (; from < until && is_sent; from++) {
		statement_copy_row(w->sink, shape, row_at(w, from), &text);
		if (text.n > COPY_BYTES || from + 1 == until)
			is_sent = put_copied(w, &text);
	}
	leat_buffer_finish(&text);
	if (!is_sent || PQputCopyEnd(w->sink->pg.conn, NULL) < 0)
		return postgres_lost(&w->sink->pg, false, err);
	return end_copy(w, err);
}

static enum leat_status copy_group(struct work *w, const struct group *g, struct leat_error *err)
{
	struct shape *shape;
	size_t from, until;
	enum leat_status status = g->commits ? begin(w, err) : command(w, g->before, err);

	for (from = g->from; from < g->until && status == LEAT_OK; from = until) {
		status = statement_find(w->sink, row_at(w, from), &shape, err);
		until = status == LEAT_OK ? find_run(w, shape, from, g->until) : g->until;
		if (status == LEAT_OK)
			status = copy_run(w, shape, from, until, err);
	}
	if (status != LEAT_OK)
		return status;
	status = command(w, g->after, err);
	if (g->commits && status == LEAT_RETRY && w->sink->pg.conn == NULL)
		return leat_error_set(err, LEAT_UNKNOWN, 0, "could not learn the outcome of a transaction from postgres at %s",
		                      w->sink->pg.at);
	return status;
}

static enum leat_status do_group(struct work *w, const struct group *g, struct leat_error *err)
{
	return w->sink->mode == SINK_COPY ? copy_group(w, g, err) : insert_group(w, g, err);
}

/* ---- row by row, as far as need be --------------------------------------------------------------------------------- */

/* Inside a transaction. LEAT_OK also when rows were refused. */
static enum leat_status do_range(struct work *w, size_t from, size_t until, struct leat_error *err)
{
	const struct group g = { .before = "SAVEPOINT leat", .after = "RELEASE leat", .from = from, .until = until };
	struct leat_error fault;
	enum leat_status status = do_group(w, &g, &fault);

	if (status != LEAT_REJECT) {
		if (status != LEAT_OK && err != NULL)
			*err = fault;
		return status;
	}
	if (until - from == 1)
		refusal_add(&w->refused, w->rows.effect[from], &fault);
	status = command(w, "ROLLBACK TO leat", err);
	if (status != LEAT_OK || until - from == 1)
		return status;
	status = do_range(w, from, from + (until - from) / 2, err);
	return status == LEAT_OK ? do_range(w, from + (until - from) / 2, until, err) : status;
}

/* Constraints that would wait for the commit are checked at once here, or no row could be found guilty. */
static enum leat_status deliver_apart(struct work *w, struct leat_error *err)
{
	enum leat_status status;

	if (fault_fails("postgres-apart-before"))
		cut(w);
	status = begin(w, err);
	if (status == LEAT_OK)
		status = command(w, "SET CONSTRAINTS ALL IMMEDIATE", err);
	if (status == LEAT_OK)
		status = do_range(w, 0, w->rows.n, err);
	if (status == LEAT_OK && fault_fails("postgres-keep-before"))
		cut(w);
	if (status == LEAT_OK && w->delivery->is_fenced && w->refused.n > 0)
		status = fence_keep(w->sink, w->delivery, &w->refused, err);
	if (status == LEAT_OK && fault_fails("postgres-keep-after"))
		cut(w);
	if (status != LEAT_OK)
		return status;
	status = command(w, "COMMIT", err);
	if (status == LEAT_OK && fault_fails("postgres-apart-after"))
		return postgres_lost(&w->sink->pg, true, err);
	if (status == LEAT_RETRY && w->sink->pg.conn == NULL)
		return leat_error_set(err, LEAT_UNKNOWN, 0, "could not learn the outcome of a transaction from postgres at %s",
		                      w->sink->pg.at);
	return status;
}

static void roll_back(struct work *w)
{
	if (w->sink->pg.conn != NULL && command(w, "ROLLBACK", NULL) != LEAT_OK)
		postgres_close(&w->sink->pg);
}

static enum leat_status lose(struct work *w, struct leat_error *err)
{
	return leat_error_set(err, LEAT_RETRY, 0, "could not deliver: connection to postgres at %s lost", w->sink->pg.at);
}

/* What is told then is what the attempt that worked was refused, not what this one has found so far. */
static enum leat_status settle(struct work *w, struct leat_error *err)
{
	refusal_finish(&w->refused);
	return w->sink->pg.conn != NULL ? fence_settle(w->sink, w->delivery, &w->refused, err) : lose(w, err);
}

static enum leat_status deliver_rows(struct work *w, struct leat_error *err)
{
	const struct group all = { .before = "BEGIN", .after = "COMMIT", .commits = true, .skips_shadowed = true,
	                           .until = w->rows.n };
	enum leat_status status;

	/* Without rows a fence has still to move. */
	if (w->rows.n == 0 && !w->delivery->is_fenced)
		return LEAT_OK;
	status = do_group(w, &all, err);
	if (status == LEAT_REJECT) {
		roll_back(w);
		status = w->sink->pg.conn != NULL ? deliver_apart(w, err) : lose(w, err);
	}
	if (status != LEAT_OK)
		roll_back(w);
	return w->is_fence_other ? settle(w, err) : status;
}

static void read_effects(struct work *w)
{
	const struct leat_delivery *delivery = w->delivery;
	struct leat_error err;
	size_t i;

	w->rows.effect = (size_t *)allocate(delivery->n, sizeof *w->rows.effect);
	w->rows.cell = (struct cell *)allocate(delivery->n * w->sink->n_targets, sizeof *w->rows.cell);
	for (i = 0; i < delivery->n; i++) {
		if (effect_read(w->sink, &delivery->effect[i], &w->rows.cell[w->rows.n * w->sink->n_targets], &err) == LEAT_OK)
			w->rows.effect[w->rows.n++] = i;
		else
			refusal_add(&w->refused, i, &err);
	}
}

enum leat_status sink_deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	struct work w = { .sink = sink, .delivery = delivery, .deadline_us = postgres_clock_us() + sink->connection.timeout_us };
	enum leat_status status = table_open(sink, ctx, err);
	size_t i;

	if (status == LEAT_OK && delivery->is_fenced)
		status = fence_prepare(sink, err);
	if (status != LEAT_OK)
		return status;
	read_effects(&w);
	status = deliver_rows(&w, err);
	for (i = 0; i < w.refused.n && status == LEAT_OK; i++)
		leat_refuse(ctx, w.refused.item[i].effect, &w.refused.item[i].error);
	/* A fault that may pass can be the connection's own, such as to a server that became a standby. */
	if (status == LEAT_RETRY || status == LEAT_UNKNOWN)
		postgres_close(&sink->pg);
	free(w.rows.effect);
	free(w.rows.cell);
	refusal_finish(&w.refused);
	return status;
}
