/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets the first event of its kind through and sends the others elsewhere, for a while. Events are of a kind when their key
 * is the same, and with `by` that field as well: `key: user, by: id` keeps the order of a user's events, which `key: id`
 * would spread over all shards.
 *
 * In processing time a kind has one entry, as events come in the order of that time. In event time they do not: the times of all
 * that were let through are kept until no event is expected any more that is near enough to one of them.
 */
#include <leat/plugin.h>

#include "../shared/when.h"

enum { PROCESSING, EVENT };
enum { OUT, DUPLICATES, LATE };
enum { SEEN, TIMES };

static const char *const clocks[] = { "processing", "event", NULL };
static const char *const ports[] = { "out", "duplicates", "late", NULL };

struct dedup {
	const struct leat_path *by;
	int64_t within, allow;
	int clock;
	/* of the batch in hand, with `by`: */
	const struct leat_record *first;
	struct leat_value *kind; /* null: it has none */
};

struct seen {
	int64_t first_us;
};

static const struct leat_field seen_fields[] = { LEAT_FIELD(struct seen, first_us, INT64), { 0 } };

static const struct leat_table_spec tables[] = {
	[SEEN] = { .name = "seen", .version = 1, .size = sizeof(struct seen), .fields = seen_fields, .prose = "When a kind was first seen." },
	[TIMES] = { .name = "times", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Event times of a kind's events that were let through." },
	{ 0 },
};

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	const struct dedup *self = self_;

	leat_table_ttl(ctx, SEEN, self->within);
	if (self->allow > 0 && self->clock != EVENT) {
		leat_error_set(err, LEAT_FATAL, 0, "nothing is late by the clock of processing, expected \"clock: event\" with it");
		return leat_error_at(err, "allow");
	}
	return LEAT_OK;
}

static enum leat_status find_kind(const struct dedup *self, const struct leat_record *record, struct leat_value *out,
                                  struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_value *by;

	*out = record->key;
	if (self->by != NULL) {
		by = leat_path_get(self->by, &record->value);
		if (by == NULL || by->type == LEAT_NULL)
			return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing", self->by->text);
		/* Both together, or the number of shards would make a difference. */
		*out = record->key.type == LEAT_NULL ? *by : leat_list_of(ctx, (struct leat_value[]){ record->key, *by }, 2);
	} else if (record->key.type == LEAT_NULL) {
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no key to tell duplicates by");
	}
	return LEAT_OK;
}

/* A key alone is what the host expects anyway. */
static enum leat_status prepare(void *self_, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	struct dedup *self = self_;
	size_t i;

	(void)err;
	if (self->by == NULL)
		return LEAT_OK;
	self->first = batch->record;
	self->kind = leat_allocate(ctx, batch->n * sizeof *self->kind);
	for (i = 0; i < batch->n; i++)
		if (find_kind(self, &batch->record[i], &self->kind[i], ctx, NULL) != LEAT_OK)
			self->kind[i] = leat_null();
	leat_table_expect(ctx, self->clock == EVENT ? TIMES : SEEN, self->kind, batch->n);
	return LEAT_OK;
}

/* An entry is written once, so it expires `within` after the first of its events, not the last. */
static int judge_by_arrival(const struct leat_value *kind, struct leat_context *ctx)
{
	if (leat_table_peek(ctx, SEEN, kind) != NULL)
		return DUPLICATES;
	((struct seen *)leat_table_get(ctx, SEEN, kind))->first_us = leat_now(ctx);
	return OUT;
}

static enum leat_status judge_by_time(const struct dedup *self, const struct leat_record *record, const struct leat_value *kind, int *port,
                                      struct leat_context *ctx, struct leat_error *err)
{
	struct leat_timer timer = { .clock = LEAT_ENDLESS_TIME, .key = *kind };
	const struct leat_ordered_entry *near;
	struct leat_ordered_entry entry = { 0 };
	enum leat_status status = when_of(record, self->within + self->allow, &entry.order, err);

	if (status != LEAT_OK)
		return status;
	if (leat_ordered_scan(ctx, TIMES, kind, entry.order - self->within + 1, entry.order + self->within, &near) > 0) {
		*port = DUPLICATES;
		return LEAT_OK;
	}
	/* What it may be a duplicate of is forgotten. */
	if (entry.order + self->allow < leat_watermark(ctx)) {
		*port = LATE;
		return LEAT_OK;
	}
	*port = OUT;
	leat_ordered_put(ctx, TIMES, kind, &entry);
	timer.due_us = entry.order + self->within + self->allow;
	timer.tag = entry.order;
	return leat_timer_set(ctx, &timer, err);
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct dedup *self = self_;
	struct leat_value kind = self->by != NULL ? self->kind[record - self->first] : leat_null();
	enum leat_status status = kind.type != LEAT_NULL ? LEAT_OK : find_kind(self, record, &kind, ctx, err);
	int port = OUT;

	if (status == LEAT_OK && self->clock == EVENT)
		status = judge_by_time(self, record, &kind, &port, ctx, err);
	else if (status == LEAT_OK)
		port = judge_by_arrival(&kind, ctx);
	if (status == LEAT_OK)
		leat_emit(ctx, (uint32_t)port, record);
	return status;
}

static enum leat_status timer(void *self, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)err;
	leat_ordered_erase(ctx, TIMES, &due->key, due->tag, due->tag + 1);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELD, struct dedup, by, "by", "Field that tells the events of a key apart; without one, a key has one event."),
	LEAT_OPTION(DURATION, struct dedup, within, "within", "How long an event is remembered after it first came.",
	            .preset = "10m", .minimum = 1000, .maximum = 31536e9),
	LEAT_OPTION(CHOICE, struct dedup, clock, "clock", "Whether time is that of processing or that of the events.",
	            .preset = "processing", .choices = clocks),
	LEAT_OPTION(DURATION, struct dedup, allow, "allow", "How far behind the watermark an event may be and still be told apart.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e9),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct dedup),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.prepare = prepare,
	.process = process,
	.keeps_records = true,
	.timer = timer,
};

LEAT_PLUGIN(.name = "dedup", .version = "1.1", .summary = "Sets apart events that came before.", .licence = "Apache-2.0",
            .op = &ops);
