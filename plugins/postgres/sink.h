/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_POSTGRES_SINK_H
#define LEAT_PLUGINS_POSTGRES_SINK_H

#include "../shared/bug.h"
#include "postgres.h"

/*
 * The sink's parts. Columns that it writes are its *targets*: those of the option, or else every column of the table that
 * is not generated. A row is a run of cells, one for each target. Rows next to each other with the same targets present
 * (the same *shape*) go into one statement, so the order of rows is kept: a later row of a key is applied later.
 */

enum sink_mode { SINK_INSERT, SINK_COPY };

struct target {
	char name[64];
	char type[256]; /* as SQL casts to it */
	bool is_array;
	bool is_json;
	bool is_key; /* of the upsert */
};

enum cell_state { CELL_ABSENT, CELL_NULL, CELL_VALUE };

struct cell {
	const char *text; /* borrowed from the effect */
	uint32_t n;
	uint8_t state;
	uint8_t type; /* enum leat_type of the value */
};

enum { SHAPES = 64 };

/* A statement for one set of targets, prepared once for each connection. */
struct shape {
	bool *is_present; /* for each target */
	uint64_t generation;
	struct leat_buffer sql; /* terminated */
	char name[16];          /* "" when there are too many shapes to keep */
};

struct sink {
	struct postgres_options connection;
	const char *table_text;
	struct leat_expressions columns;
	struct leat_texts upsert;
	int mode;
	int64_t batch;

	struct postgres pg;
	struct postgres_name table;
	size_t n_targets;
	struct target *target;
	uint64_t generation; /* of the connection that the targets were read on */
	size_t n_shapes;
	struct shape shape[SHAPES];
	struct shape spare;
	struct leat_buffer *argument; /* for each target */
	const char **value;           /* for each target */
	struct leat_buffer scratch;

	/* of the last fenced claim */
	char *fence_pipeline;
	char *fence_sink;
	uint64_t fence_claims;
	uint64_t fence_generation; /* of the connection that its statement is prepared on */
};

/* The rows of a delivery. */
struct rows {
	size_t n;
	size_t *effect; /* index in the delivery */
	struct cell *cell; /* n * n_targets */
};

/* An effect that the server has refused. The host is told after the commit only. */
struct refusal {
	size_t effect;
	struct leat_error error;
};

/* Zeroed: empty. */
struct refusals {
	size_t n;
	size_t capacity;
	struct refusal *item;
};

/* ---- effect.c ---- */

enum leat_status sink_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                             struct leat_context *ctx,
                             struct leat_error *err);
/* Fills the cells of a row. LEAT_REJECT when nothing in the effect is a column, or it is of another version. */
enum leat_status effect_read(const struct sink *sink, const struct leat_effect *effect, struct cell *cell,
                             struct leat_error *err);

/* ---- table.c ---- */

/* Opens the connection if need be, and on a new one reads the table and proves that the statement fits it. */
enum leat_status table_open(struct sink *sink, struct leat_context *ctx, struct leat_error *err);

/* ---- statement.c ---- */

/* The shape of a row, with its SQL and prepared unless it is a spare one. */
enum leat_status statement_find(struct sink *sink, const struct cell *row, struct shape **out, struct leat_error *err);
bool statement_fits(const struct sink *sink, const struct shape *shape, const struct cell *row);
/* On the open connection, outside of a pipeline. */
enum leat_status statement_prepare(struct sink *sink, const char *name, const char *sql, struct leat_error *err);
void statement_forget(struct sink *sink);
/* Queues the rows [from..until) of one shape; those that `skip` marks are left out. False: libpq refused it. */
bool statement_send(struct sink *sink, const struct shape *shape, const struct rows *rows, size_t from, size_t until,
                    const bool *skip);
/* Appends a row in COPY's text form. */
void statement_copy_row(struct sink *sink, const struct shape *shape, const struct cell *row, struct leat_buffer *out);

/* ---- refusal.c ---- */

void refusal_add(struct refusals *list, size_t effect, const struct leat_error *err);
void refusal_finish(struct refusals *list);
/* Appends them, of a delivery of `n_effects`, as they are kept with the fence. */
void refusal_write(const struct refusals *list, size_t n_effects, struct leat_buffer *out);
/* Adds those of such a text. False: it is none, or names other effects than the last `n_effects`. */
bool refusal_read(struct refusals *list, const char *text, size_t n_effects);

/* ---- fence.c ---- */

/* Takes the fence, in a transaction of its own; makes the table for it when there is none. The connection is new and open.
 * A former owner's session that has the fence and waits for its client is ended. */
enum leat_status fence_claim(struct sink *sink, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                             struct leat_error *err);
/* Once for each connection, before fence_send(). */
enum leat_status fence_prepare(struct sink *sink, struct leat_error *err);
/* Queues the compare-and-set, the first statement of a transaction, which also sets what is known to be refused. The server's
 * answer is an error of the kind that means LEAT_REJECT when the fence is not as expected; then roll back and ask
 * fence_settle(). False: libpq refused it. */
bool fence_send(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused);
/* The same outside of a pipeline, with the answer. */
enum leat_status fence_move(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused,
                            struct leat_error *err);
/* Later in such a transaction: sets what is refused anew. */
enum leat_status fence_keep(struct sink *sink, const struct leat_delivery *delivery, const struct refusals *refused,
                            struct leat_error *err);
/* LEAT_OK: the fence is where this delivery sets it, so an earlier attempt has worked; `refused`, empty before, is what that
 * one was refused. */
enum leat_status fence_settle(struct sink *sink, const struct leat_delivery *delivery, struct refusals *refused,
                              struct leat_error *err);

/* ---- deliver.c ---- */

enum leat_status sink_deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err);

#endif
