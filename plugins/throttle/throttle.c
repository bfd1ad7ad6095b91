/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets at most so many events of a key through in a span of time, by one of two ways. A window is a span of the clock (from the
 * full minute to the next); what is left of its allowance ends with it. A bucket fills at a steady rate up to its limit, and each
 * event takes one out.
 *
 * A bucket is counted in event-microseconds, so that it fills exactly: an event costs `per`, a microsecond brings `limit`.
 */
#include <leat/plugin.h>

#include "../shared/when.h"

enum { WINDOW, BUCKET };
enum { PROCESSING, EVENT };
enum { OUT, OVER, LATE };
enum { WINDOWS, BUCKETS };

static const char *const methods[] = { "window", "bucket", NULL };
static const char *const clocks[] = { "processing", "event", NULL };
static const char *const ports[] = { "out", "over", "late", NULL };

struct throttle {
	int64_t limit, per;
	int method, clock;
};

struct window {
	int64_t events;
};

struct bucket {
	int64_t left; /* in event-microseconds: at most limit * per, which fits (see the bounds of the options) */
	int64_t seen_us;
};

static const struct leat_field window_fields[] = { LEAT_FIELD(struct window, events, INT64), { 0 } };
static const struct leat_field bucket_fields[] = { LEAT_FIELD(struct bucket, left, INT64), LEAT_FIELD(struct bucket, seen_us, INT64), { 0 } };

static const struct leat_table_spec tables[] = {
	[WINDOWS] = { .name = "windows", .version = 1, .size = sizeof(struct window), .fields = window_fields,
	              .prose = "Events that a key has had in a window." },
	[BUCKETS] = { .name = "buckets", .version = 1, .size = sizeof(struct bucket), .fields = bucket_fields,
	              .prose = "What is in the bucket of a key." },
	{ 0 },
};

static int64_t now_of(const struct throttle *self, struct leat_context *ctx)
{
	return self->clock == EVENT ? leat_watermark(ctx) : leat_now(ctx);
}

static enum leat_status set_timer(const struct throttle *self, const struct leat_value *key, int64_t due_us, int64_t tag,
                                  struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = {
		.clock = self->clock == EVENT ? LEAT_ENDLESS_TIME : LEAT_PROCESSING_TIME, .due_us = due_us, .tag = tag, .key = *key,
	};

	return leat_timer_set(ctx, &timer, err);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static struct leat_value window_key(const struct leat_value *key, int64_t start_us, struct leat_context *ctx)
{
	return leat_list_of(ctx, (struct leat_value[]){ *key, leat_integer(start_us) }, 2);
}

static enum leat_status take_from_window(const struct throttle *self, const struct leat_value *key, int64_t time_us, int *port,
                                         struct leat_context *ctx, struct leat_error *err)
{
	int64_t since_us = time_us % self->per, start_us = time_us - (since_us < 0 ? since_us + self->per : since_us);
	struct leat_value window = window_key(key, start_us, ctx);
	struct window *w;

	if (self->clock == EVENT && start_us + self->per <= leat_watermark(ctx)) {
		*port = LATE;
		return LEAT_OK;
	}
	w = leat_table_get(ctx, WINDOWS, &window);
	*port = w->events < self->limit ? OUT : OVER;
	if (w->events++ == 0)
		return set_timer(self, key, start_us + self->per, start_us, ctx, err);
	return LEAT_OK;
}

/* ---- buckets ----------------------------------------------------------------------------------------------------- */

static void fill(const struct throttle *self, struct bucket *b, int64_t time_us)
{
	int64_t full = self->limit * self->per, since_us = time_us - b->seen_us;

	if (since_us <= 0) /* an event of before brings no time along */
		return;
	b->left += (since_us < self->per ? since_us : self->per) * self->limit;
	if (b->left > full)
		b->left = full;
	b->seen_us = time_us;
}

static enum leat_status take_from_bucket(const struct throttle *self, const struct leat_value *key, int64_t time_us, int *port,
                                         struct leat_context *ctx, struct leat_error *err)
{
	bool is_new = leat_table_peek(ctx, BUCKETS, key) == NULL;
	struct bucket *b;

	if (self->clock == EVENT && time_us + self->per <= leat_watermark(ctx)) {
		*port = LATE;
		return LEAT_OK;
	}
	b = leat_table_get(ctx, BUCKETS, key);
	if (is_new) {
		b->left = self->limit * self->per;
		b->seen_us = time_us;
	}
	fill(self, b, time_us);
	*port = b->left >= self->per ? OUT : OVER;
	if (*port == OUT)
		b->left -= self->per;
	return is_new ? set_timer(self, key, time_us + self->per, 0, ctx, err) : LEAT_OK;
}

/* After `per` without an event a bucket is full, which is what a new one is. One timer for each bucket, put off as long as need be. */
static enum leat_status forget_bucket(const struct throttle *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err)
{
	const struct bucket *b = leat_table_peek(ctx, BUCKETS, key);

	if (b != NULL && b->seen_us + self->per > now_of(self, ctx))
		return set_timer(self, key, b->seen_us + self->per, 0, ctx, err);
	leat_table_erase(ctx, BUCKETS, key);
	return LEAT_OK;
}

/* ---- both -------------------------------------------------------------------------------------------------------- */

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct throttle *self = self_;
	int64_t time_us = leat_now(ctx);
	enum leat_status status = LEAT_OK;
	int port = OUT;

	if (self->clock == EVENT)
		status = when_of(record, self->per, &time_us, err);
	if (status == LEAT_OK)
		status = self->method == WINDOW ? take_from_window(self, &record->key, time_us, &port, ctx, err)
		                                : take_from_bucket(self, &record->key, time_us, &port, ctx, err);
	if (status == LEAT_OK)
		leat_emit(ctx, (uint32_t)port, record);
	return status;
}

static enum leat_status timer(void *self_, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	const struct throttle *self = self_;
	struct leat_value window;

	if (self->method == BUCKET)
		return forget_bucket(self, &due->key, ctx, err);
	window = window_key(&due->key, due->tag, ctx);
	leat_table_erase(ctx, WINDOWS, &window);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(INTEGER, struct throttle, limit, "limit", "Events of a key that are let through in a span of time.",
	            .flags = LEAT_OPTION_REQUIRED, .minimum = 1, .maximum = 1e7),
	LEAT_OPTION(DURATION, struct throttle, per, "per", "The span of time.", .preset = "1s", .minimum = 1000, .maximum = 86400e6),
	LEAT_OPTION(CHOICE, struct throttle, method, "method", "Counts in fixed windows of the clock or by a token bucket that fills steadily.",
	            .preset = "window", .choices = methods),
	LEAT_OPTION(CHOICE, struct throttle, clock, "clock", "Whether time is that of processing or that of the events.",
	            .preset = "processing", .choices = clocks),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct throttle),
	.options = options,
	.tables = tables,
	.ports = ports,
	.process = process,
	.keeps_records = true,
	.timer = timer,
};

LEAT_PLUGIN(.name = "throttle", .version = "1.0", .summary = "Lets so many events of a key through in a span of time.",
            .licence = "Apache-2.0", .op = &ops);
