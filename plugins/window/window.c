/* SPDX-License-Identifier: Apache-2.0 */
/* Options, and what a key has beside its windows: the timers. What holds for all of it stands in window.h. */
#include "window.h"

#include "../shared/clash.h"

/* Times are added to lengths without overflow. */
static const int64_t furthest_us = INT64_MAX / 4;
/* Of windows that an event is in: more rows than that for an event were surely not meant. */
enum { MOST_WINDOWS = 100000 };

static const char *const emissions[] = { "final", "updates", NULL };
static const char *const ports[] = { "out", "late", NULL };

static const struct leat_field keyed_fields[] = {
	LEAT_FIELD(struct keyed, due_us, INT64),   LEAT_FIELD(struct keyed, flip_us, INT64),  LEAT_FIELD(struct keyed, until_us, INT64),
	LEAT_FIELD(struct keyed, has_timer, BOOL), LEAT_FIELD(struct keyed, has_stack, BOOL), LEAT_FIELD(struct keyed, has_early, BOOL),
	{ 0 },
};

static const struct leat_table_spec tables[] = {
	[KEYS] = { .name = "keys", .version = 1, .size = sizeof(struct keyed), .fields = keyed_fields, .prose = "When a key's next window ends." },
	[PANES] = { .name = "panes", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Totals of the pieces that windows are made of." },
	[TAILS] = { .name = "tails", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Totals of pieces with those behind them." },
	[BACKS] = { .name = "backs", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "Totals of the pieces behind the last of the tails." },
	[HELD] = { .name = "held", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Events of sliding windows until their rows are final." },
	[ROWS] = { .name = "rows", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "How many rows a window has had." },
	[CHANGED] = { .name = "changed", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Pieces that have changed since the last early rows." },
	[RUNS] = { .name = "sessions", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Sessions and their totals." },
	{ 0 },
};

/* ---- options ----------------------------------------------------------------------------------------------------- */

static enum leat_status refuse(struct leat_error *err, const char *option, const char *reason)
{
	leat_error_set(err, LEAT_FATAL, 0, "%s", reason);
	return leat_error_at(err, option);
}

static enum leat_status find_kind(struct window *self, struct leat_error *err)
{
	int n = (self->size > 0) + (self->sliding > 0) + (self->session > 0);

	if (n == 0)
		return refuse(err, "", "there is no window that ends: it needs one of size, sliding and session");
	if (n > 1)
		return refuse(err, self->session > 0 ? "session" : "sliding", "size, sliding and session are different windows, expected one of them");
	if (self->size == 0 && self->slide > 0)
		return refuse(err, "slide", "slide goes with size; a window that ends at each event is sliding alone");
	if (self->size == 0 && self->step > 0)
		return refuse(err, "step", "step goes with size");
	if (self->size == 0 && self->offset != 0)
		return refuse(err, "offset", "offset goes with size: sliding windows and sessions begin and end with events");
	if (self->slide > 0 && self->step > 0)
		return refuse(err, "step", "slide and step are different windows, expected one of them");
	self->kind = self->sliding > 0 ? SLIDING : self->session > 0 ? SESSIONS : self->step > 0 ? CUMULATING
	             : self->slide > 0 && self->slide != self->size ? HOPPING : TUMBLING;
	return LEAT_OK;
}

static enum leat_status check_lengths(const struct window *self, struct leat_error *err)
{
	if (self->slide > self->size)
		return refuse(err, "slide", "slide is longer than size, so that events would be in no window");
	if (self->kind == CUMULATING && self->size % self->step != 0)
		return refuse(err, "step", "size is no multiple of step");
	if (self->kind != SLIDING && self->kind != SESSIONS && self->length / self->every > MOST_WINDOWS) {
		leat_error_set(err, LEAT_FATAL, 0, "an event would be in %lld windows, at most %d are allowed", (long long)(self->length / self->every),
		               (int)MOST_WINDOWS);
		return leat_error_at(err, self->kind == CUMULATING ? "step" : "slide");
	}
	if (self->early > 0 && self->emission == UPDATES)
		return refuse(err, "early", "early goes with emit: final, as updates are sent with every event");
	return LEAT_OK;
}

static bool is_aggregate(const struct window *self, leat_symbol name)
{
	for (size_t i = 0; i < self->aggregate.n; i++)
		if (self->aggregate.item[i].name == name)
			return true;
	return false;
}

/* That rows have a field of that name besides key and aggregates. */
static bool is_own(const struct window *self, leat_symbol name)
{
	if (name == self->start || name == self->end)
		return self->kind != SLIDING;
	if (name == self->is_gone)
		return self->is_counted && self->kind == SESSIONS;
	return self->is_counted && (name == self->revision || name == self->is_final);
}

static enum leat_status name_fields(struct window *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct {
		leat_symbol *symbol;
		const char *name;
	} fields[] = {
		{ &self->start, "window_start" }, { &self->end, "window_end" },   { &self->revision, "revision" },
		{ &self->is_final, "is_final" },  { &self->is_gone, "is_gone" },
	};

	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		*fields[i].symbol = leat_intern(ctx, fields[i].name);
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
		if (is_own(self, *fields[i].symbol) && is_aggregate(self, *fields[i].symbol))
			return clash(err, "aggregate", fields[i].name);
	return LEAT_OK;
}

static enum leat_status name_key(struct window *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_path *field;

	for (size_t i = 0; (field = leat_key_field(ctx, i)) != NULL; i++) {
		leat_symbol name = field->symbol[field->n - 1];

		if (i == MAX_KEYS) {
			leat_error_set(err, LEAT_FATAL, 0, "a key of more than %d fields", (int)MAX_KEYS);
			return leat_error_at(err, "key");
		}
		for (size_t j = 0; j < i; j++)
			if (self->key[j] == name)
				return clash(err, "key", field->text);
		if (self->kind != SLIDING && is_aggregate(self, name))
			return clash(err, "aggregate", field->text);
		if (is_own(self, name) && (self->kind != SLIDING || field->n == 1)) /* in an event it is the whole path that counts */
			return clash(err, "key", field->text);
		self->key[self->n_keys++] = name;
	}
	return LEAT_OK;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct window *self = self_;
	enum leat_status status = find_kind(self, err);

	if (status != LEAT_OK)
		return status;
	assign_init(self);
	self->is_counted = self->emission == UPDATES || self->early > 0 || self->allow > 0;
	for (size_t i = 0; i < self->aggregate.n; i++)
		self->is_ordered = self->is_ordered || self->aggregate.item[i].function == LEAT_AGGREGATE_COLLECT
		                   || self->aggregate.item[i].function == LEAT_AGGREGATE_TOPN;
	status = check_lengths(self, err);
	if (status == LEAT_OK)
		status = fold_open(&self->fold, &self->aggregate, ctx, err);
	if (status == LEAT_OK)
		status = name_fields(self, ctx, err);
	return status == LEAT_OK ? name_key(self, ctx, err) : status;
}

static void destroy(void *self_)
{
	struct window *self = self_;

	fold_close(&self->fold);
}

/* ---- timers of a key --------------------------------------------------------------------------------------------- */

enum leat_status key_set_timer(struct keyed *keyed, const struct leat_value *key, int64_t due_us, struct leat_context *ctx,
                               struct leat_error *err)
{
	struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .tag = DUE, .due_us = keyed->due_us, .key = *key };

	if (keyed->has_timer)
		leat_timer_cancel(ctx, &timer);
	timer.due_us = keyed->due_us = due_us;
	keyed->has_timer = true;
	return leat_timer_set(ctx, &timer, err);
}

enum leat_status key_wake(const struct keyed *known, const struct leat_value *key, int64_t due_us, struct leat_context *ctx,
                          struct leat_error *err)
{
	if (known != NULL && known->has_timer && known->due_us <= due_us)
		return LEAT_OK;
	return key_set_timer(leat_table_get(ctx, KEYS, key), key, due_us, ctx, err);
}

enum leat_status key_forget_at(const struct window *self, const struct leat_value *key, int64_t us, struct leat_context *ctx,
                               struct leat_error *err)
{
	/* Put off to one of few moments, as with each event there may be another one, and setting what is set costs little. */
	enum { PARTS = 8 };
	int64_t step = self->length / PARTS + 1, rest = us % step;
	const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = us - rest + (rest > 0 ? step : 0), .tag = FORGET, .key = *key };

	return leat_timer_set(ctx, &timer, err);
}

enum leat_status key_wake_early(const struct window *self, const struct keyed *known, const struct leat_value *key,
                                struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = {
		.clock = LEAT_PROCESSING_TIME, .due_us = leat_now(ctx) + self->early, .tag = EARLY, .key = *key,
	};

	if (known != NULL && known->has_early)
		return LEAT_OK;
	((struct keyed *)leat_table_get(ctx, KEYS, key))->has_early = true;
	return leat_timer_set(ctx, &timer, err);
}

void key_forget(const struct leat_value *key, struct leat_context *ctx)
{
	for (uint32_t table = KEYS; table <= RUNS; table++)
		leat_table_erase(ctx, table, key);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */

static enum leat_status end_due(const struct window *self, const struct leat_value *key, int64_t due_us, struct leat_context *ctx,
                                struct leat_error *err)
{
	struct keyed *keyed = leat_table_get(ctx, KEYS, key);

	keyed->has_timer = false;
	return self->kind == SESSIONS ? sessions_timer(self, keyed, key, due_us, ctx, err) : panes_timer(self, keyed, key, due_us, ctx, err);
}

/* W2: of very many timers that are due at once, some fire after the next events. Not those of a key that has one among them. */
static enum leat_status catch_up(const struct window *self, const struct leat_value *key, const struct keyed **keyed,
                                 struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	while (status == LEAT_OK && (*keyed = leat_table_peek(ctx, KEYS, key)) != NULL && (*keyed)->has_timer
	       && (*keyed)->due_us <= leat_watermark(ctx)) {
		const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = (*keyed)->due_us, .tag = DUE, .key = *key };

		leat_timer_cancel(ctx, &timer);
		status = end_due(self, key, timer.due_us, ctx, err);
	}
	return status;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct window *self = self_;
	/* Without `key:`, events of whatever key the source gave them are in one window. */
	const struct leat_value none = leat_null(), *key = self->n_keys > 0 ? &record->key : &none;
	const struct keyed *keyed;
	enum leat_status status;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (record->time_us == LEAT_NO_TIME)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no time to find its window by; give its source a time");
	if (record->time_us < -furthest_us || record->time_us > furthest_us)
		return leat_error_set(err, LEAT_REJECT, 0, "the event's time is too far away: %lld us", (long long)record->time_us);
	status = catch_up(self, key, &keyed, ctx, err);
	if (status != LEAT_OK)
		return status;
	return self->kind == SESSIONS ? sessions_process(self, keyed, key, record, ctx, err) : panes_process(self, keyed, key, record, ctx, err);
}

static enum leat_status timer_early(const struct window *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err)
{
	if (leat_table_peek(ctx, KEYS, key) == NULL)
		return LEAT_OK; /* all of it has ended */
	((struct keyed *)leat_table_get(ctx, KEYS, key))->has_early = false;
	return self->kind == SESSIONS ? sessions_early(self, key, ctx, err) : panes_early(self, key, ctx, err);
}

static enum leat_status timer(void *self_, const struct leat_timer *timer, struct leat_context *ctx, struct leat_error *err)
{
	const struct window *self = self_;

	if (timer->tag == LEFT_OUT)
		return leat_error_set(err, LEAT_REJECT, 0, "a total of the window that ends at %lld us does not fit, its row is left out",
		                      (long long)timer->due_us);
	if (timer->tag == FORGET)
		return panes_forget(self, &timer->key, timer->due_us, ctx, err);
	return timer->tag == EARLY ? timer_early(self, &timer->key, ctx, err) : end_due(self, &timer->key, timer->due_us, ctx, err);
}

#define LENGTH(member_, prose_) LEAT_OPTION(DURATION, struct window, member_, #member_, prose_, .minimum = 1, .maximum = 31536e10)

static const struct leat_option options[] = {
	LENGTH(size, "Length of windows that lie on a fixed grid."),
	LENGTH(slide, "With size: time from one window's start to the next; without it, windows do not overlap."),
	LENGTH(step, "With size: windows begin every size and end after each step of it."),
	LENGTH(sliding, "In place of size: each event goes out with the totals of what came so long before it, itself included."),
	LENGTH(session, "In place of size: a window ends when its key had no event for so long."),
	LEAT_OPTION(DURATION, struct window, offset, "offset", "Moves the grid, which begins at 1970-01-01T00:00:00Z.", .preset = "0s",
	            .minimum = 0, .maximum = 31536e10),
	LEAT_OPTION(AGGREGATES, struct window, aggregate, "aggregate", "Fields of a row, as name: function(expression).",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(CHOICE, struct window, emission, "emit", "When rows are sent: once a window has ended, or with every event as well.",
	            .preset = "final", .choices = emissions),
	LEAT_OPTION(DURATION, struct window, early, "early",
	            "Sends rows of windows that have not ended so long (of processing time) after they changed; 0s: never.", .preset = "0s",
	            .minimum = 0, .maximum = 31536e10),
	LEAT_OPTION(DURATION, struct window, allow, "allow",
	            "How long after its end a window takes late events, and sends its row again.", .preset = "0s", .minimum = 0,
	            .maximum = 31536e10),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct window),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
	.timer = timer,
	.destroy = destroy,
	.is_whole = true,
};

LEAT_PLUGIN(.name = "window", .version = "1.0", .summary = "Aggregates of each key's events over windows of time.",
            .licence = "Apache-2.0", .op = &ops);
