/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/build.h"
#include "plugin/options.h"
#include "schema/schema.h"

/* `time:` and `schema:` of a source, read and checked here; their work is done by the runtime. */

/* A hundred years: more than that would not fit beside a time of today. */
#define LONGEST_US (36525 * 86400e6)

/* The presets below, for a source without `time:`. */
static const int64_t IDLE_US = INT64_C(60) * 1000000, FUTURE_US = INT64_C(86400) * 1000000;

struct time_options {
	const struct leat_path *field;
	int unit;
	int64_t disorder_us;
	int64_t idle_us;
	int64_t future_us;
	int64_t quiet_us;
};

static const struct unit {
	int64_t numerator, denominator;
	bool is_text;
} units[] = { { 1, 1, false }, { 1000, 1, false }, { 1000000, 1, false }, { 1, 1000, false }, { 1, 1, true } };
static const char *const unit_names[] = { "us", "ms", "s", "ns", "rfc3339", NULL };

static const struct leat_option time_table[] = {
	LEAT_OPTION(FIELD, struct time_options, field, "field", "Field with the time of the event.", .flags = 0),
	LEAT_OPTION(CHOICE, struct time_options, unit, "unit", "How the field counts time.", .choices = unit_names),
	LEAT_OPTION(DURATION, struct time_options, disorder_us, "disorder", "How late an event may come behind newer ones.",
	            .preset = "0s", .maximum = LONGEST_US),
	LEAT_OPTION(DURATION, struct time_options, idle_us, "idle",
	            "Silence after which a partition holds no window open; 0s: never.", .preset = "1m",
	            .maximum = LONGEST_US),
	LEAT_OPTION(DURATION, struct time_options, future_us, "future",
	            "How far ahead of its arrival an event may be; 0s: no bound.", .preset = "24h", .maximum = LONGEST_US),
	LEAT_OPTION(DURATION, struct time_options, quiet_us, "quiet",
	            "Silence of all partitions after which event time goes on by the clock; 0s: never.", .preset = "0s",
	            .maximum = LONGEST_US),
	{ 0 },
};

void leat_build_time(struct leat_build *b, struct leat_node *node, const struct leat_setting *time)
{
	struct leat_option_fill fill = { .arena = b->description->arena, .symbols = b->description->symbols, .report = b->report,
		                         .folder = b->description->folder, .owner = "time" };
	const struct leat_setting *field = leat_setting_get(time, "field"), *unit = leat_setting_get(time, "unit");
	struct time_options options = { 0 };

	node->time.unit_us_numerator = 1;
	node->time.unit_us_denominator = 1;
	node->time.idle_us = IDLE_US;
	node->time.future_us = FUTURE_US;
	if (time == NULL)
		return;
	if (time->kind != LEAT_SETTING_MAP) {
		leat_report_error(b->report, time->place, "time must be a map, such as {field: ts, unit: ms}");
		return;
	}
	if (!leat_options_fill(&options, time_table, time, &fill))
		return;
	if (field == NULL && unit != NULL)
		leat_report_error(b->report, unit->name_place, "time has a unit but no field; write \"field: <name>\"");
	else if (field != NULL && unit == NULL) /* a guess would be wrong by a factor of 1000 for someone */
		leat_report_error(b->report, field->name_place, "time has a field but no unit; write \"unit: us\", ms, s, ns or rfc3339");
	node->time.field = options.field;
	node->time.unit_us_numerator = units[options.unit].numerator;
	node->time.unit_us_denominator = units[options.unit].denominator;
	node->time.is_text = units[options.unit].is_text;
	node->time.disorder_us = options.disorder_us;
	node->time.idle_us = options.idle_us;
	node->time.future_us = options.future_us;
	node->time.quiet_us = options.quiet_us;
	node->time.is_given = true;
}

void leat_build_schema(struct leat_build *b, struct leat_node *node, const char *path, const struct leat_setting *schema)
{
	struct leat_error err = { 0 };

	if (leat_schema_read(path, schema->text, &node->schema, &err) != LEAT_OK)
		leat_report_error(b->report, schema->place, "%s", err.text);
}
