/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <leat/codec.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "graph/build.h"
#include "plugin/options.h"

/* `time:` and `schema:` of a source, read and checked here; their work is done by the runtime. */

enum { SCHEMA_BYTES = 1024 * 1024 };

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

/* The file's bytes with the padding that the decoder wants, NULL with errno set. */
static char *read_schema(struct leat_arena *arena, const char *path, size_t *n)
{
	FILE *file = fopen(path, "re");
	char *bytes;

	if (file == NULL)
		return NULL;
	bytes = leat_arena_allocate(arena, SCHEMA_BYTES + 1 + LEAT_CODEC_PADDING);
	memset(bytes, 0, SCHEMA_BYTES + 1 + LEAT_CODEC_PADDING);
	*n = fread(bytes, 1, SCHEMA_BYTES + 1, file);
	if (ferror(file))
		bytes = NULL;
	else if (*n > SCHEMA_BYTES) {
		errno = EFBIG;
		bytes = NULL;
	}
	(void)fclose(file);
	return bytes;
}

void leat_build_check_schema(struct leat_build *b, const char *path, const struct leat_setting *schema)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_json *json = leat_json_create(symbols);
	struct leat_error err = { 0 };
	struct leat_value value;
	size_t n = 0;
	const char *bytes = read_schema(arena, path, &n);

	if (bytes == NULL)
		leat_report_error(b->report, schema->place, "could not read schema \"%s\": %s", schema->text, strerror(errno));
	else if (leat_json_decode(json, arena, bytes, n, &value, &err) != LEAT_OK)
		leat_report_error(b->report, schema->place, "schema \"%s\" is not JSON: %s", schema->text, err.text);
	else if (value.type != LEAT_MAP)
		leat_report_error(b->report, schema->place, "schema \"%s\" must be a JSON object", schema->text);
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}
