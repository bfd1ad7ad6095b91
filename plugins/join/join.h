/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_JOIN_H
#define LEAT_PLUGINS_JOIN_H

#include <leat/plugin.h>

/*
 * What the ways to join share. By event time, with the watermark less `allow` as W:
 *
 *  J1  A row of one side at time t can meet rows of the other from t - ahead[other] to t + ahead[side].
 *  J2  A row with t < W is late: rows that it would meet may be gone. It takes no part.
 *  J3  So a row is needed until W > t + ahead[side]: it is due at t + ahead[side] + allow + 1, when it goes, and when it is
 *      known that it has met no other.
 *  J4  What is found when a row is due has the time due - 1. No watermark that anyone behind has seen is later than that.
 *  J5  A key has one timer, at the earliest due of its rows: exactly there where something is emitted then, else a little
 *      later, so that many go at once.
 */

enum join_side { JOIN_LEFT, JOIN_RIGHT, JOIN_SIDES };
enum join_match { JOIN_INTERVAL, JOIN_ASOF, JOIN_TABLE };
enum join_kind { JOIN_INNER, JOIN_KEEP_LEFT, JOIN_KEEP_BOTH };

/* Tables. Of those by side, the right one's follows. */
enum { JOIN_KEYS, JOIN_ROWS, JOIN_ROWS_RIGHT, JOIN_MET, JOIN_MET_RIGHT, JOIN_LATEST };
enum { JOIN_OUT, JOIN_LATE };

struct join {
	int match;
	int kind;
	int64_t before, after, allow, keep;
	leat_symbol name[JOIN_SIDES];
	leat_symbol into;
	const struct leat_expression *deleted;

	int64_t ahead[JOIN_SIDES];
	int64_t step[JOIN_SIDES];   /* dues are multiples of it, 1 where they have to be exact (J5) */
	bool is_kept[JOIN_SIDES];   /* rows of this side that meet none come out too */
};

/* Of a key that has rows. It changes with the timer alone: with every row, it would be stored as often as they are. */
struct join_key {
	int64_t due_us; /* of its timer */
};

/* ---- join.c -------------------------------------------------------------------------------------------------------- */

/* The least time that is not late by a watermark (J2). It may be as early as there are times. */
int64_t join_least_time(const struct join *self, int64_t watermark_us);
/* Either may be NULL. They have to live as long as what is emitted: see leat_copy(). */
struct leat_value join_pair(const struct join *self, const struct leat_value *left, const struct leat_value *right,
                            struct leat_context *ctx);
/* A row that has met none, with everything else as in `like`. */
void join_emit_alone(const struct join *self, enum join_side side, const struct leat_record *like, const struct leat_value *value,
                     struct leat_context *ctx);
/* What a result is like that no record in hand has led to. */
struct leat_record join_like(const struct leat_timer *due, struct leat_context *ctx);

/* ---- rows.c -------------------------------------------------------------------------------------------------------- */

/* The place of the next row of that time: behind those that are there. */
int64_t join_rows_sequence(enum join_side side, const struct leat_value *key, int64_t time_us, struct leat_context *ctx);
/* Keeps a record until it is due. */
enum leat_status join_rows_add(const struct join *self, enum join_side side, const struct leat_record *record,
                               struct leat_context *ctx, struct leat_error *err);
/* Forgets rows before `until`. */
void join_rows_drop(enum join_side side, const struct leat_value *key, int64_t until, struct leat_context *ctx);
/* The rows of this side that are due at `due_us` are those before it. */
int64_t join_rows_until(const struct join *self, enum join_side side, int64_t due_us);
/* The timer of a key has fired and what was due has gone: sets the next one, or forgets the key. */
enum leat_status join_rows_again(const struct join *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err);

/* ---- one file each -------------------------------------------------------------------------------------------------- */

enum leat_status join_interval_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                       struct leat_context *ctx, struct leat_error *err);
enum leat_status join_interval_timer(const struct join *self, const struct leat_timer *due, struct leat_context *ctx,
                                     struct leat_error *err);
enum leat_status join_asof_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                   struct leat_context *ctx, struct leat_error *err);
enum leat_status join_asof_timer(const struct join *self, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err);
enum leat_status join_table_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                    struct leat_context *ctx, struct leat_error *err);

#endif
