/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A complete small operator to copy: it lets `limit` events of each key through in every span of `per`, sends the others
 * out of a port of their own, and when the span is over tells how many those were.
 *
 * A plugin is this one file. It includes this one header and links with nothing.
 */
#include <leat/plugin.h>

/* ---- options: the host zeroes this struct, fills it from the pipeline file, and passes it as `self` -------------- */

struct limiter {
	int64_t limit;
	int64_t per;      /* durations are in microseconds */
	leat_symbol mark; /* a field's name, as the number that the host gave it; LEAT_NO_SYMBOL when the option is absent */

	leat_symbol key, dropped; /* names that we write ourselves: looked up once, in create() */
};

static const struct leat_option options[] = {
	LEAT_OPTION(INTEGER, struct limiter, limit, "limit", "Events of a key to let through in each span.", .preset = "10",
	            .minimum = 1, .maximum = 1e9),
	LEAT_OPTION(DURATION, struct limiter, per, "per", "Length of the span, from a key's first event in it.", .preset = "1s",
	            .minimum = 1000, .maximum = 86400e6),
	LEAT_OPTION(NAME, struct limiter, mark, "mark", "Field to write an event's number within its span into."),
	{ 0 },
};

/* ---- state: declared here, kept by the host. There is no code for storing, restoring or moving it ---------------- */

struct span {
	int64_t events;
	int64_t ends_us;
};

static const struct leat_field span_fields[] = {
	LEAT_FIELD(struct span, events, INT64),
	LEAT_FIELD(struct span, ends_us, INT64),
	{ 0 },
};

enum { SPANS };

static const struct leat_table_spec tables[] = {
	[SPANS] = { .name = "spans", .version = 1, .size = sizeof(struct span), .fields = span_fields, .prose = "Span of a key." },
	{ 0 },
};

/* ---- ports: `input: name` in a pipeline file reads the first one, `input: name.over` the second ------------------ */

enum { OUT, OVER, SUMMARY };

static const char *const ports[] = { "out", "over", "summary", NULL };

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* Once for each instance, before anything else: options are filled, symbols can still be had. */
static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct limiter *self = self_;

	(void)err;
	self->key = leat_intern(ctx, "key");
	self->dropped = leat_intern(ctx, "dropped");
	return LEAT_OK;
}

/* The event with one field more. Values are immutable: this makes another map, which shares everything else. */
static struct leat_value mark_event(const struct limiter *self, const struct leat_value *event, int64_t number,
                                    struct leat_context *ctx)
{
	struct leat_member member = { .symbol = self->mark, .value = leat_integer(number) };

	return leat_map_with(ctx, event, &member, 1);
}

/* Every event comes through here, in order. LEAT_REJECT makes it a dead letter and undoes what the call did to state. */
static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct limiter *self = self_;
	struct span *span;

	if (record->key.type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no key");
	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");

	span = leat_table_get(ctx, SPANS, &record->key); /* zeroed when it is new */
	if (span->events == 0) {
		struct leat_timer timer = { .clock = LEAT_PROCESSING_TIME, .due_us = leat_now(ctx) + self->per, .key = record->key };
		enum leat_status status = leat_timer_set(ctx, &timer, err);

		if (status != LEAT_OK)
			return status;
		span->ends_us = timer.due_us;
	}
	span->events++;
	leat_emit_value(ctx, span->events <= self->limit ? OUT : OVER, record,
	                self->mark == LEAT_NO_SYMBOL ? record->value : mark_event(self, &record->value, span->events, ctx));
	return LEAT_OK;
}

/* The span of a key is over: say what was held back, and forget it. */
static enum leat_status timer(void *self_, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	const struct limiter *self = self_;
	const struct span *span = leat_table_peek(ctx, SPANS, &due->key);

	(void)err;
	if (span != NULL && span->events > self->limit) {
		struct leat_member member[] = {
			{ .symbol = self->key, .value = due->key },
			{ .symbol = self->dropped, .value = leat_integer(span->events - self->limit) },
		};
		struct leat_record summary = { .key = due->key, .time_us = span->ends_us, .origin.source = LEAT_NO_SOURCE };

		summary.value = leat_map_with(ctx, NULL, member, 2);
		leat_emit(ctx, SUMMARY, &summary);
	}
	leat_table_erase(ctx, SPANS, &due->key);
	return LEAT_OK;
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct limiter),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
	.timer = timer,
};

LEAT_PLUGIN(.name = "template", .version = "1.0", .summary = "Lets so many events of a key through in a span of time.",
            .licence = "Apache-2.0", .op = &ops);
