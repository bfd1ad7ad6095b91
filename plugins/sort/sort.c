/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts events into the order of their times: each is held until the watermark has passed it, when no earlier one is expected. What
 * comes later than that is late. So the order of what goes out never breaks; where there is no room to wait for the watermark, the
 * oldest goes early, and what is older than that is late from then on.
 *
 *  S1  Each time of which a row is held has one timer, due at the microsecond after it.
 *  S2  No row is held whose time is less than what has been sent.
 */
#include <leat/plugin.h>

#include "../shared/record.h"
#include "../shared/when.h"

enum { OUT, LATE };
enum { ROWS, COUNTS };

static const char *const ports[] = { "out", "late", NULL };

struct sort {
	int64_t max;
};

struct counts {
	int64_t rows;     /* that are held */
	int64_t sequence; /* of the next one: events of the same time stay in the order in which they came */
	int64_t sent_us;  /* time of the last one that went early, and whether there is one */
	bool has_sent;
};

static const struct leat_field counts_fields[] = {
	LEAT_FIELD(struct counts, rows, INT64),
	LEAT_FIELD(struct counts, sequence, INT64),
	LEAT_FIELD(struct counts, sent_us, INT64),
	LEAT_FIELD(struct counts, has_sent, BOOL),
	{ 0 },
};

static const struct leat_table_spec tables[] = {
	[ROWS] = { .name = "rows", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Events of the shard that are held, by their time." },
	[COUNTS] = { .name = "counts", .version = 1, .size = sizeof(struct counts), .fields = counts_fields,
	             .prose = "How many events the shard holds and has sent." },
	{ 0 },
};

/* One order for all events of the shard, whatever their key. */
static const struct leat_value all;

static struct leat_timer timer_of(int64_t time_us)
{
	return (struct leat_timer){ .clock = LEAT_EVENT_TIME, .due_us = time_us + 1 };
}

/* Sends the rows with times before `until_us`. */
static void send(struct counts *c, int64_t until_us, struct leat_context *ctx)
{
	const struct leat_ordered_entry *row;
	size_t n = leat_ordered_take(ctx, ROWS, &all, INT64_MIN, until_us, &row);

	for (size_t i = 0; i < n; i++) {
		struct leat_record record = record_unpack(&row[i].value, row[i].order, ctx);

		leat_emit(ctx, OUT, &record);
	}
	c->rows -= (int64_t)n;
}

static void send_oldest(struct counts *c, struct leat_context *ctx)
{
	const struct leat_ordered_entry *row;
	struct leat_timer timer;

	if (leat_ordered_scan(ctx, ROWS, &all, INT64_MIN, INT64_MAX, &row) == 0)
		return;
	c->sent_us = row[0].order;
	c->has_sent = true;
	timer = timer_of(c->sent_us);
	leat_timer_cancel(ctx, &timer); /* S1 */
	send(c, c->sent_us + 1, ctx);
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct sort *self = self_;
	struct counts *c = leat_table_get(ctx, COUNTS, &all);
	struct leat_ordered_entry row;
	struct leat_timer timer;
	enum leat_status status;
	int64_t time_us = 0;

	status = when_of(record, 1, &time_us, err);
	if (status != LEAT_OK)
		return status;
	if (time_us < leat_watermark(ctx) || (c->has_sent && time_us < c->sent_us)) { /* S2 */
		leat_emit(ctx, LATE, record);
		return LEAT_OK;
	}
	timer = timer_of(time_us);
	status = leat_timer_set(ctx, &timer, err);
	if (status != LEAT_OK)
		return status;
	row = (struct leat_ordered_entry){ .order = time_us, .sequence = c->sequence++, .value = record_pack(record, ctx) };
	leat_ordered_put(ctx, ROWS, &all, &row);
	if (++c->rows > self->max)
		send_oldest(c, ctx);
	return LEAT_OK;
}

static enum leat_status timer(void *self_, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	(void)self_;
	(void)err;
	send(leat_table_get(ctx, COUNTS, &all), due->due_us, ctx);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(INTEGER, struct sort, max, "max", "Events that a shard holds at most; with more, the oldest goes on early.",
	            .preset = "100000", .minimum = 1, .maximum = 1e8),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct sort),
	.options = options,
	.tables = tables,
	.ports = ports,
	.process = process,
	.timer = timer,
};

LEAT_PLUGIN(.name = "sort", .version = "1.0", .summary = "Puts events into the order of their times.", .licence = "Apache-2.0", .op = &ops);
