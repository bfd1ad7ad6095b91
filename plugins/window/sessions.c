/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: [first event, last event + gap). An event in a session, or less than a gap before it, belongs to it; one that stands
 * between two makes them one. They never overlap, so of a key they are sorted by their ends as well.
 *
 * Which session a row is of, its start tells. When a session that has sent rows gets another start, a last row of the old one says
 * that it is gone.
 */
#include "window.h"

struct run {
	int64_t start_us, last_us, revision;
	bool has_ended, is_changed;
	struct leat_value totals;
};

static int64_t end_of(const struct window *self, const struct run *run)
{
	return run->last_us + self->session;
}

static bool is_over(const struct window *self, const struct run *run, int64_t now_us)
{
	return now_us >= end_of(self, run) + self->allow;
}

/* ---- in the table ------------------------------------------------------------------------------------------------ */

static struct run read_run(const struct leat_ordered_entry *entry)
{
	const struct leat_value *item = entry->value.as.list->item;

	return (struct run){
		.start_us = entry->order,
		.last_us = item[0].as.integer,
		.revision = item[1].as.integer,
		.has_ended = item[2].as.boolean,
		.is_changed = item[3].as.boolean,
		.totals = item[4],
	};
}

static void put_run(const struct leat_value *key, const struct run *run, struct leat_context *ctx)
{
	const struct leat_value item[] = {
		leat_integer(run->last_us), leat_integer(run->revision), leat_bool(run->has_ended), leat_bool(run->is_changed), run->totals,
	};
	struct leat_ordered_entry entry = { .order = run->start_us, .value = leat_list_of(ctx, item, sizeof item / sizeof item[0]) };

	leat_ordered_put(ctx, RUNS, key, &entry);
}

static void erase_run(const struct leat_value *key, const struct run *run, struct leat_context *ctx)
{
	leat_ordered_erase(ctx, RUNS, key, run->start_us, run->start_us + 1);
}

/* The last one that begins before the time, unless it is over. */
static bool find_before(const struct window *self, const struct leat_value *key, int64_t time_us, struct run *run, struct leat_context *ctx)
{
	struct leat_ordered_entry entry;

	if (!leat_ordered_last(ctx, RUNS, key, INT64_MIN, time_us, &entry))
		return false;
	*run = read_run(&entry);
	if (!is_over(self, run, leat_watermark(ctx)))
		return true;
	/* So are all before it. */
	leat_ordered_erase(ctx, RUNS, key, INT64_MIN, time_us);
	return false;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static enum leat_status send_row(const struct window *self, const struct leat_value *key, struct run *run, bool is_gone,
                                 struct leat_context *ctx, struct leat_error *err)
{
	struct row row = {
		.key = key, .start_us = run->start_us, .end_us = end_of(self, run), .revision = ++run->revision,
		.is_final = run->has_ended, .is_gone = is_gone,
	};
	struct fold_state *totals = fold_make(&self->fold, ctx);
	enum leat_status status = fold_load(&self->fold, totals, is_gone ? NULL : &run->totals, ctx, err);

	return status == LEAT_OK ? row_emit(self, &row, totals, ctx, err) : status;
}

/* ---- an event ---------------------------------------------------------------------------------------------------- */

/* What becomes of a session that the event has made part of another, or longer. */
static enum leat_status take_in(const struct window *self, const struct leat_value *key, struct run *part, struct run *whole,
                                struct fold_state *totals, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *more = fold_make(&self->fold, ctx);
	enum leat_status status = fold_load(&self->fold, more, &part->totals, ctx, err);

	if (status != LEAT_OK)
		return status;
	fold_merge(&self->fold, totals, more, ctx);
	if (part->last_us > whole->last_us)
		whole->last_us = part->last_us;
	if (part->start_us <= whole->start_us) {
		whole->start_us = part->start_us;
		whole->revision = part->revision;
		return LEAT_OK;
	}
	erase_run(key, part, ctx);
	return part->revision > 0 ? send_row(self, key, part, true, ctx, err) : LEAT_OK;
}

/* The sessions that the event belongs to: of both, the later one first. */
static size_t find_parts(const struct window *self, const struct leat_value *key, int64_t time_us, struct run *part,
                         struct leat_context *ctx)
{
	size_t n = 0;

	/* The gaps between sessions are such that no event is in reach of three. */
	while (n < 2 && find_before(self, key, n == 0 ? time_us + self->session : part[0].start_us, &part[n], ctx)
	       && end_of(self, &part[n]) > time_us)
		n++;
	return n;
}

static enum leat_status merge(const struct window *self, const struct leat_value *key, const struct leat_record *record, struct run *part,
                              size_t n, struct run *whole, struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *totals = fold_make(&self->fold, ctx);
	enum leat_status status = LEAT_OK;

	if (n > 0 && part[n - 1].start_us < record->time_us)
		whole->start_us = part[n - 1].start_us;
	while (n-- > 0 && status == LEAT_OK)
		status = take_in(self, key, &part[n], whole, totals, ctx, err);
	if (status == LEAT_OK)
		status = fold_add(&self->fold, totals, record, ctx, err);
	if (status == LEAT_OK)
		whole->totals = fold_store(&self->fold, totals, ctx);
	return status;
}

enum leat_status sessions_process(const struct window *self, const struct keyed *keyed, const struct leat_value *key,
                                  const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	int64_t watermark = leat_watermark(ctx);
	struct run run = { .start_us = record->time_us, .last_us = record->time_us }, part[2];
	size_t n = find_parts(self, key, record->time_us, part, ctx);
	enum leat_status status;

	/* W1: with another that is not over, neither is the whole. */
	if (n == 0 && is_over(self, &run, watermark)) {
		leat_emit(ctx, LATE, record);
		return LEAT_OK;
	}
	status = merge(self, key, record, part, n, &run, ctx, err);
	if (status != LEAT_OK)
		return status;
	run.has_ended = watermark >= end_of(self, &run);
	if (run.has_ended || self->emission == UPDATES)
		status = send_row(self, key, &run, false, ctx, err);
	run.is_changed = !run.has_ended && self->early > 0;
	put_run(key, &run, ctx);
	if (status == LEAT_OK && run.is_changed)
		status = key_wake_early(self, keyed, key, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (!run.has_ended)
		return key_wake(keyed, key, end_of(self, &run), ctx, err);
	if (keyed != NULL && keyed->has_timer)
		return LEAT_OK;
	return key_wake(keyed, key, end_of(self, &run) + self->allow, ctx, err);
}

/* ---- timers ------------------------------------------------------------------------------------------------------ */

static enum leat_status end_run(const struct window *self, const struct leat_value *key, struct run *run, int64_t now_us,
                                struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	bool ends = !run->has_ended && now_us >= end_of(self, run);

	run->has_ended = run->has_ended || ends;
	if (ends)
		status = row_forgive(send_row(self, key, run, false, ctx, err), key, end_of(self, run), ctx, err);
	if (is_over(self, run, now_us))
		erase_run(key, run, ctx);
	else if (ends)
		put_run(key, run, ctx);
	return status;
}

enum leat_status sessions_timer(const struct window *self, struct keyed *keyed, const struct leat_value *key, int64_t due_us,
                                struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_ordered_entry *entry;
	size_t n = leat_ordered_scan(ctx, RUNS, key, INT64_MIN, INT64_MAX, &entry);
	struct run run = { .has_ended = true };
	enum leat_status status = LEAT_OK;

	/* In order of their ends; the first that has not come to it ends the search. An event may have put off the end that the timer
	 * was set for. */
	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		run = read_run(&entry[i]);
		status = end_run(self, key, &run, due_us, ctx, err);
		if (!run.has_ended)
			break;
	}
	if (status != LEAT_OK)
		return status;
	if (n > 0 && !run.has_ended)
		return key_set_timer(keyed, key, end_of(self, &run), ctx, err);
	if (n > 0 && !is_over(self, &run, due_us))
		return key_set_timer(keyed, key, end_of(self, &run) + self->allow, ctx, err);
	key_forget(key, ctx);
	return LEAT_OK;
}

enum leat_status sessions_early(const struct window *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_ordered_entry *entry;
	size_t n = leat_ordered_scan(ctx, RUNS, key, INT64_MIN, INT64_MAX, &entry);
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		struct run run = read_run(&entry[i]);

		if (!run.is_changed || run.has_ended)
			continue;
		run.is_changed = false;
		status = send_row(self, key, &run, false, ctx, err);
		if (status == LEAT_REJECT)
			status = LEAT_OK; /* it is told when the session ends, if it is so then */
		put_run(key, &run, ctx);
	}
	return status;
}
