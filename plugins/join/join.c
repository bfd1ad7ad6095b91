/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins two inputs by key: events near each other in time, each left one with the latest right one, or each left one with a
 * table that the right ones keep up to date. What may take part is judged here; how it is joined stands in a file for each way.
 */
#include "join.h"

#include <stdio.h>

static const char *const inputs[] = { "left", "right", NULL };
static const char *const ports[] = { "out", "late", NULL };
static const char *const matches[] = { "interval", "asof", "table", NULL };
static const char *const kinds[] = { "inner", "left", "outer", NULL };

static const struct leat_field key_fields[] = {
	LEAT_FIELD(struct join_key, due_us, INT64),
	{ 0 },
};

static const struct leat_table_spec tables[] = {
	[JOIN_KEYS] = { .name = "keys", .version = 1, .size = sizeof(struct join_key), .fields = key_fields,
	                .prose = "When a key with rows is looked at next." },
	[JOIN_ROWS] = { .name = "left", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Left events that others may still meet, by time." },
	[JOIN_ROWS_RIGHT] = { .name = "right", .version = 1, .kind = LEAT_TABLE_ORDERED,
	                      .prose = "Right events that others may still meet, by time." },
	[JOIN_MET] = { .name = "left_met", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Which left events have met another." },
	[JOIN_MET_RIGHT] = { .name = "right_met", .version = 1, .kind = LEAT_TABLE_ORDERED, .prose = "Which right events have met another." },
	[JOIN_LATEST] = { .name = "latest", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "The last right event of a key." },
	{ 0 },
};

/* ---- options ------------------------------------------------------------------------------------------------------- */

static enum leat_status check_times(const struct join *self, struct leat_error *err)
{
	if (self->match == JOIN_ASOF && self->before == 0) {
		leat_error_set(err, LEAT_FATAL, 0, "\"match: asof\" needs \"before\": how old the right event may be, which bounds what is kept");
		return leat_error_at(err, "match");
	}
	if (self->match != JOIN_INTERVAL && self->after != 0) {
		leat_error_set(err, LEAT_FATAL, 0, "only \"match: interval\" looks at right events after the left one");
		return leat_error_at(err, "after");
	}
	if (self->match == JOIN_TABLE && (self->before != 0 || self->allow != 0)) {
		leat_error_set(err, LEAT_FATAL, 0, "a table has no times: \"match: table\" takes what it has when the left event comes");
		return leat_error_at(err, self->before != 0 ? "before" : "allow");
	}
	return LEAT_OK;
}

static enum leat_status check_options(const struct join *self, struct leat_error *err)
{
	if (self->kind == JOIN_KEEP_BOTH && self->match != JOIN_INTERVAL) {
		leat_error_set(err, LEAT_FATAL, 0, "\"kind: outer\" needs \"match: interval\"; a right event is not used up by \"%s\"",
		               matches[self->match]);
		return leat_error_at(err, "kind");
	}
	if (self->match != JOIN_TABLE && (self->keep != 0 || self->deleted != NULL)) {
		leat_error_set(err, LEAT_FATAL, 0, "only \"match: table\" has a table");
		return leat_error_at(err, self->keep != 0 ? "keep" : "deleted");
	}
	if (self->into == LEAT_NO_SYMBOL && self->name[JOIN_LEFT] == self->name[JOIN_RIGHT]) {
		leat_error_set(err, LEAT_FATAL, 0, "both events would get into one field");
		return leat_error_at(err, "right_as");
	}
	return check_times(self, err);
}

/* J5: a row whose going is not seen may stay for a sixteenth of the time longer. */
static int64_t step_of(const struct join *self, bool is_exact)
{
	return is_exact ? 1 : 1 + (self->before + self->after + self->allow) / 16;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct join *self = self_;

	self->is_kept[JOIN_LEFT] = self->kind != JOIN_INNER;
	self->is_kept[JOIN_RIGHT] = self->kind == JOIN_KEEP_BOTH;
	self->ahead[JOIN_LEFT] = self->after;
	self->ahead[JOIN_RIGHT] = self->before;
	self->step[JOIN_LEFT] = step_of(self, self->is_kept[JOIN_LEFT] || self->match == JOIN_ASOF);
	self->step[JOIN_RIGHT] = step_of(self, self->is_kept[JOIN_RIGHT]);
	leat_table_ttl(ctx, JOIN_LATEST, self->keep);
	return check_options(self, err);
}

static const struct leat_option options[] = {
	LEAT_OPTION(CHOICE, struct join, match, "match",
	            "Which right events a left one meets: those near it in time, the latest one not after it, or the last one that came.",
	            .preset = "interval", .choices = matches),
	LEAT_OPTION(CHOICE, struct join, kind, "kind",
	            "What comes out: pairs, also left events that meet none, or also those of both sides.", .preset = "inner", .choices = kinds),
	LEAT_OPTION(DURATION, struct join, before, "before", "How long before the left event the right one may be.", .preset = "0s",
	            .minimum = 0, .maximum = 31536e9),
	LEAT_OPTION(DURATION, struct join, after, "after", "How long after the left event the right one may be.", .preset = "0s",
	            .minimum = 0, .maximum = 31536e9),
	LEAT_OPTION(DURATION, struct join, allow, "allow", "How late behind the watermark an event may come and still take part.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e9),
	LEAT_OPTION(NAME, struct join, name[JOIN_LEFT], "left_as", "Field of the result that has the left event.", .preset = "left"),
	LEAT_OPTION(NAME, struct join, name[JOIN_RIGHT], "right_as", "Field of the result that has the right event.", .preset = "right"),
	LEAT_OPTION(NAME, struct join, into, "into", "Field that the right event is put into, of the left one, instead of making a pair.",
	            .flags = 0),
	LEAT_OPTION(DURATION, struct join, keep, "keep", "Of a table: forgets a row that nothing has changed for so long; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	LEAT_OPTION(EXPRESSION, struct join, deleted, "deleted", "Of a table: a right event of which this is true takes its row out.",
	            .flags = 0),
	{ 0 },
};

/* ---- results ------------------------------------------------------------------------------------------------------- */

struct leat_value join_pair(const struct join *self, const struct leat_value *left, const struct leat_value *right,
                            struct leat_context *ctx)
{
	struct leat_member member[JOIN_SIDES] = { { .symbol = self->name[JOIN_LEFT] }, { .symbol = self->name[JOIN_RIGHT] } };

	if (left != NULL)
		member[JOIN_LEFT].value = *left;
	if (right != NULL)
		member[JOIN_RIGHT].value = *right;
	if (self->into == LEAT_NO_SYMBOL)
		return leat_map_with(ctx, NULL, member, JOIN_SIDES);
	member[JOIN_RIGHT].symbol = self->into;
	return leat_map_with(ctx, left, &member[JOIN_RIGHT], 1);
}

void join_emit_alone(const struct join *self, enum join_side side, const struct leat_record *like, const struct leat_value *value,
                     struct leat_context *ctx)
{
	leat_emit_value(ctx, JOIN_OUT, like, join_pair(self, side == JOIN_LEFT ? value : NULL, side == JOIN_RIGHT ? value : NULL, ctx));
}

struct leat_record join_like(const struct leat_timer *due, struct leat_context *ctx)
{
	return (struct leat_record){
		.key = due->key,
		.time_us = due->due_us - 1, /* J4 */
		.arrival_us = leat_now(ctx),
		.origin.source = LEAT_NO_SOURCE,
	};
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

int64_t join_least_time(const struct join *self, int64_t watermark_us)
{
	return watermark_us < INT64_MIN + self->allow ? INT64_MIN : watermark_us - self->allow;
}

/* Null is equal to nothing, not even to null. What can meet none and does not come out alone is refused: it would vanish. */
static enum leat_status take_without_key(const struct join *self, enum join_side side, const struct leat_record *record,
                                         struct leat_context *ctx, struct leat_error *err)
{
	if (!self->is_kept[side])
		return leat_error_set(err, LEAT_REJECT, 0, "the key is missing or null, so this %s event can meet no other", inputs[side]);
	join_emit_alone(self, side, record, &record->value, ctx);
	return LEAT_OK;
}

/* Sums of a time and all durations stay far from the ends of an int64. */
static const int64_t latest_us = INT64_MAX / 2;

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct join *self = self_;
	enum join_side side = (enum join_side)leat_input(ctx);
	bool has_time = self->match != JOIN_TABLE;

	if (record->value.type != LEAT_MAP && (record->value.type != LEAT_NULL || has_time || side == JOIN_LEFT))
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (has_time && record->time_us == LEAT_NO_TIME)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no time to join by; its source says where that is, by \"time\"");
	if (has_time && (record->time_us > latest_us || record->time_us < -latest_us))
		return leat_error_set(err, LEAT_REJECT, 0, "the time of the event is out of range");
	if (has_time && record->time_us < join_least_time(self, leat_watermark(ctx))) {
		leat_emit(ctx, JOIN_LATE, record);
		return LEAT_OK;
	}
	if (record->key.type == LEAT_NULL)
		return take_without_key(self, side, record, ctx, err);
	switch ((enum join_match)self->match) {
	case JOIN_INTERVAL:
		return join_interval_process(self, side, record, ctx, err);
	case JOIN_ASOF:
		return join_asof_process(self, side, record, ctx, err);
	case JOIN_TABLE:
		break;
	}
	return join_table_process(self, side, record, ctx, err);
}

static enum leat_status timer(void *self_, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	const struct join *self = self_;

	return self->match == JOIN_ASOF ? join_asof_timer(self, due, ctx, err) : join_interval_timer(self, due, ctx, err);
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct join),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
	.timer = timer,
	.inputs = inputs,
	.takes_null_keys = true,
};

LEAT_PLUGIN(.name = "join", .version = "1.0", .summary = "Joins the events of two inputs by key.", .licence = "Apache-2.0", .op = &ops);
