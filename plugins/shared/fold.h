/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_FOLD_H
#define LEAT_PLUGINS_FOLD_H

#include <leat/plugin.h>

/*
 * Aggregates over many records: what an option of type AGGREGATES says, folded record by record.
 *
 *     create():   fold_open(&self->fold, &self->aggregates, ctx, err)
 *     process():  struct fold_state *s = fold_make(&self->fold, ctx);
 *                 fold_load(&self->fold, s, leat_table_value(ctx, TABLE, &key), ctx, err)      what was, or nothing
 *                 fold_add(&self->fold, s, record, ctx, err)
 *                 value = fold_store(&self->fold, s, ctx); leat_table_put(ctx, TABLE, &key, &value)
 *                 struct leat_member *m = leat_allocate(ctx, self->fold.n * sizeof *m);
 *                 fold_result(&self->fold, s, m, ctx, err); leat_emit_value(..., leat_map_with(ctx, NULL, m, self->fold.n))
 *     destroy():  fold_close(&self->fold)
 *
 * A state is memory of the batch (fold_make()) and may point into what it was loaded from: it is good for one call into the plugin and
 * has to be stored to be kept. As long as all functions are of fixed size (count, sum, min, max, avg, var, stddev), states are folded,
 * loaded and stored without an allocation but those of fold_make() and fold_store(); the others are bounded, see docs/aggregates.md.
 *
 *  F1 Nulls are skipped, count() counts records. A field that is missing is a mistake of the record and rejected by name, but for
 *     count(field), which counts the records that have it. An expression such as coalesce(field, 0) has no missing field.
 *  F2 Of nothing: count and distinct are 0, topn and collect are empty lists, all others are null.
 *  F3 Sums of integers are exact (128 bits inside); one that does not fit 64 bits at the end is rejected. Reals are added with
 *     Neumaier's compensation. No result is infinite or NaN: a record that would make it so is rejected.
 *  F4 fold_merge() is associative. Order matters only to first, last and topn (among equals) and to collect: for them `from` has to
 *     hold records that arrived after those of `into`. Of reals, sum, avg, var and stddev differ by rounding when they are split
 *     in another way.
 *  F5 After LEAT_REJECT a state is spoiled: leave it and load it again.
 */

struct fold_item;
struct fold_state; /* opaque */

struct fold {
	size_t n; /* aggregates, and members of a result */
	struct fold_item *item;
	size_t size; /* of a state in memory */
	uint32_t signature;
	bool is_invertible; /* fold_subtract() can work: counts, sums and averages only */
	bool is_fixed;      /* a state is stored as bytes, few of them */
};

/* In create(); `aggregates` has to live as long as the instance, as options do. LEAT_FATAL: too many, or the same name twice. */
enum leat_status fold_open(struct fold *fold, const struct leat_aggregates *aggregates, struct leat_context *ctx, struct leat_error *err);
/* Accepts one that is zeroed. */
void fold_close(struct fold *fold);

/* An empty state in the arena of the batch. */
struct fold_state *fold_make(const struct fold *fold, struct leat_context *ctx);
/* Empties it. */
void fold_init(const struct fold *fold, struct fold_state *state);

/* LEAT_REJECT naming the aggregate and the field. Evaluates the arguments; takes record->time_us as the time for first and last
 * (a record without one is before all others). */
enum leat_status fold_add(const struct fold *fold, struct fold_state *state, const struct leat_record *record, struct leat_context *ctx,
                          struct leat_error *err);

/* Adds what `from` holds. `from` stays as it is; `into` may share memory with it afterwards, which nobody writes. */
void fold_merge(const struct fold *fold, struct fold_state *into, const struct fold_state *from, struct leat_context *ctx);

/* Takes away what was merged before. False, and nothing is changed, when that would not be exact: there is a function other than
 * count, sum and avg, or a real among the numbers of `from`. */
bool fold_subtract(const struct fold *fold, struct fold_state *into, const struct fold_state *from);

/* out[0..fold->n): the names and what they come to, in the arena of the batch. LEAT_REJECT: a sum that does not fit, which after
 * fold_add() alone is never so. */
enum leat_status fold_result(const struct fold *fold, const struct fold_state *state, struct leat_member *out, struct leat_context *ctx,
                             struct leat_error *err);

/* For tables and ordered tables: bytes when is_fixed, else a list. Compact, with a version; good as long as the batch. */
struct leat_value fold_store(const struct fold *fold, const struct fold_state *state, struct leat_context *ctx);
/* NULL empties the state. LEAT_FATAL: not stored by these aggregates, such as after the pipeline file was changed. */
enum leat_status fold_load(const struct fold *fold, struct fold_state *state, const struct leat_value *stored, struct leat_context *ctx,
                           struct leat_error *err);

#endif
