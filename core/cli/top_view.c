/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_view.h"

#include "cli/paint.h"
#include "run/pipeline.h"
#include "service/format.h"

enum { NAME_BYTES = 256, WORD_BYTES = 64 };

struct screen {
	struct leat_buffer *out;
	size_t rows, columns; /* that are left; of each line */
	bool has_colours;
	bool is_begun; /* has a line */
};

/* ---- what a page says ------------------------------------------------------------------------------------------------ */

static const struct leat_value *member(const struct leat_value *map, const char *name)
{
	return map == NULL ? NULL : leat_map_find(map, name, strlen(name));
}

static double number(const struct leat_value *map, const char *name)
{
	double n = 0;

	(void)leat_as_real(member(map, name), &n);
	return n;
}

static const char *text(const struct leat_value *map, const char *name, char *room, size_t room_n)
{
	const struct leat_value *v = member(map, name);

	(void)snprintf(room, room_n, "%.*s", v == NULL || v->type != LEAT_TEXT ? 0 : (int)v->n,
	               v == NULL || v->type != LEAT_TEXT ? "" : v->as.text);
	return room;
}

/* The items of a list, none of anything else. */
static size_t items(const struct leat_value *map, const char *name, const struct leat_value **item)
{
	const struct leat_value *list = member(map, name);

	if (list == NULL || list->type != LEAT_LIST)
		return 0;
	*item = list->as.list->item;
	return list->n;
}

/* The one in the earlier look that has the same name. */
static const struct leat_value *find_same(const struct leat_value *before, const char *list, const char *by, const struct leat_value *now)
{
	const struct leat_value *item = NULL, *name = member(now, by);
	size_t n = items(before, list, &item);

	for (size_t i = 0; i < n; i++) {
		const struct leat_value *other = member(&item[i], by);

		if (other != NULL && name != NULL && leat_value_equals(other, name))
			return &item[i];
	}
	return NULL;
}

/* ---- lines ----------------------------------------------------------------------------------------------------------- */

/* Takes the line's text, cut to the screen. */
static void put_line(struct screen *screen, struct leat_buffer *line, enum leat_colour colour)
{
	if (screen->rows > 0) {
		screen->rows--;
		if (screen->is_begun)
			leat_buffer_byte(screen->out, '\n');
		screen->is_begun = true;
		leat_paint(screen->out, line->data, leat_text_fit(line->data, line->n, screen->columns), colour, screen->has_colours);
	}
	line->n = 0;
}

/* Appends spaces before (numbers) or behind (names) a cell that begins at byte `start`. */
static void pad(struct leat_buffer *line, size_t start, size_t columns, bool is_number)
{
	size_t width = line->n > start ? leat_text_columns(line->data + start, line->n - start) : 0;
	size_t missing = columns > width ? columns - width : 0;

	memset(leat_buffer_reserve(line, missing), ' ', missing);
	if (is_number) {
		memmove(line->data + start + missing, line->data + start, line->n - start);
		memset(line->data + start, ' ', missing);
	}
	line->n += missing;
}

/* ---- a node ---------------------------------------------------------------------------------------------------------- */

struct look {
	const struct leat_value *before, *now; /* of one node; before: NULL when it was not there */
	double seconds;                        /* in between; 0 when there are no rates */
};

static void put_name(struct leat_buffer *out, const struct look *look)
{
	char room[NAME_BYTES];

	leat_buffer_text(out, text(look->now, "node", room, sizeof room));
}

static void put_type(struct leat_buffer *out, const struct look *look)
{
	char role[WORD_BYTES], type[WORD_BYTES];

	leat_format_put(out, "%s %s", text(look->now, "type", type, sizeof type), text(look->now, "role", role, sizeof role));
}

/* Not when it was started again in between, and counts from 0. */
static bool has_rates(const struct look *look)
{
	return look->before != NULL && look->seconds > 0 && number(look->now, "busy_seconds") >= number(look->before, "busy_seconds") &&
	       number(look->now, "records_in") >= number(look->before, "records_in");
}

static double rate(const struct look *look, const char *name)
{
	return (number(look->now, name) - number(look->before, name)) / look->seconds;
}

static void put_rate(struct leat_buffer *out, const struct look *look, const char *name)
{
	if (has_rates(look))
		leat_format_count(out, rate(look, name));
	else
		leat_buffer_byte(out, '-');
}

static void put_in(struct leat_buffer *out, const struct look *look)
{
	put_rate(out, look, "records_in");
}

static void put_out(struct leat_buffer *out, const struct look *look)
{
	put_rate(out, look, "records_out");
}

static void put_busy(struct leat_buffer *out, const struct look *look)
{
	if (has_rates(look))
		leat_format_put(out, "%.0f%%", 100 * rate(look, "busy_seconds"));
	else
		leat_buffer_byte(out, '-');
}

static void put_lag(struct leat_buffer *out, const struct look *look)
{
	if (member(look->now, "lag") != NULL)
		leat_format_count(out, number(look->now, "lag"));
}

/* How far event time is behind the clock. */
static void put_behind(struct leat_buffer *out, const struct look *look)
{
	if (member(look->now, "event_time_lag_seconds") != NULL)
		leat_format_behind(out, 1e6 * number(look->now, "event_time_lag_seconds"));
}

static void put_queue(struct leat_buffer *out, const struct look *look)
{
	if (number(look->now, "queue_limit_bytes") > 0)
		leat_format_put(out, "%.0f%%", 100 * number(look->now, "queue_bytes") / number(look->now, "queue_limit_bytes"));
}

static void put_keys(struct leat_buffer *out, const struct look *look)
{
	if (number(look->now, "state_entries") > 0)
		leat_format_count(out, number(look->now, "state_entries"));
}

static void put_state(struct leat_buffer *out, const struct look *look)
{
	static const char units[] = " KMGT";
	double bytes = number(look->now, "state_bytes");
	size_t unit = 0;

	if (bytes <= 0)
		return;
	for (; bytes >= 1024 && units[unit + 1] != '\0'; unit++)
		bytes /= 1024;
	leat_format_put(out, unit == 0 ? "%.0f B" : bytes < 10 ? "%.1f %ciB" : "%.0f %ciB", bytes, units[unit]);
}

static void put_dead(struct leat_buffer *out, const struct look *look)
{
	leat_format_count(out, number(look->now, "dead_letters"));
}

static const struct column {
	const char *title;
	size_t columns;
	bool is_number;
	void (*put)(struct leat_buffer *out, const struct look *look);
} table[] = {
	{ "NODE", 20, false, put_name }, { "TYPE", 20, false, put_type },  { "IN/s", 7, true, put_in },
	{ "OUT/s", 7, true, put_out },   { "BUSY", 5, true, put_busy },    { "LAG", 7, true, put_lag },
	{ "BEHIND", 7, true, put_behind }, { "QUEUE", 5, true, put_queue },  { "ENTRIES", 7, true, put_keys },
	{ "STATE", 8, true, put_state }, { "DEAD", 6, true, put_dead },
};

static void strip(struct leat_buffer *line)
{
	while (line->n > 0 && line->data[line->n - 1] == ' ')
		line->n--;
}

static void put_titles(struct screen *screen, struct leat_buffer *line)
{
	leat_buffer_text(line, "  ");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t start = line->n;

		leat_buffer_text(line, table[i].title);
		pad(line, start, table[i].columns, table[i].is_number);
		leat_buffer_byte(line, ' ');
	}
	strip(line);
	put_line(screen, line, LEAT_DIM);
}

static void put_node(struct screen *screen, struct leat_buffer *line, const struct look *look)
{
	const struct leat_value *ready = member(look->now, "ready");
	bool is_ready = ready == NULL || ready->type != LEAT_BOOL || ready->as.boolean;
	char trouble[LEAT_ERROR_TEXT];

	leat_buffer_text(line, "  ");
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t start = line->n;

		table[i].put(line, look);
		pad(line, start, table[i].columns, table[i].is_number);
		leat_buffer_byte(line, ' ');
	}
	strip(line);
	put_line(screen, line, !is_ready ? LEAT_YELLOW : has_rates(look) && rate(look, "dead_letters") > 0 ? LEAT_RED : LEAT_PLAIN);
	if (text(look->now, "trouble", trouble, sizeof trouble)[0] != '\0') {
		leat_format_put(line, "    %s", trouble);
		put_line(screen, line, LEAT_YELLOW);
	}
}

/* ---- a pipeline ------------------------------------------------------------------------------------------------------ */

static void add_latencies(const struct leat_value *pipeline, uint64_t bucket[LEAT_LATENCY_BUCKETS], bool is_less)
{
	const struct leat_value *pair = NULL;
	size_t n = items(pipeline, "latency_buckets", &pair);

	for (size_t i = 0; i < n; i++) {
		int64_t bound = 0, count = 0;

		if (pair[i].type != LEAT_LIST || pair[i].n != 2 || !leat_as_integer(&pair[i].as.list->item[0], &bound) ||
		    !leat_as_integer(&pair[i].as.list->item[1], &count) || bound < 0)
			continue;
		bucket[leat_latency_bucket((uint64_t)bound)] += is_less ? -(uint64_t)count : (uint64_t)count;
	}
}

static void put_latencies(struct leat_buffer *line, const struct look *look)
{
	uint64_t bucket[LEAT_LATENCY_BUCKETS] = { 0 }, n = 0;

	add_latencies(look->now, bucket, false);
	if (has_rates(look))
		add_latencies(look->before, bucket, true);
	for (size_t i = 0; i < LEAT_LATENCY_BUCKETS; i++)
		n += bucket[i];
	if (n == 0)
		return;
	leat_buffer_text(line, "  p50 ");
	leat_format_latency(line, leat_latency_quantile(bucket, 0.5));
	leat_buffer_text(line, "  p99 ");
	leat_format_latency(line, leat_latency_quantile(bucket, 0.99));
}

/* Of one phase, over sinks. */
struct phase {
	double events, us;
};

static void add_phases(const struct leat_value *node, struct phase phase[LEAT_PHASES], double sign)
{
	const struct leat_value *item = NULL;
	size_t n = items(node, "phases", &item);
	char name[WORD_BYTES];

	for (size_t i = 0; i < n; i++) {
		(void)text(&item[i], "phase", name, sizeof name);
		for (unsigned k = 0; k < LEAT_PHASES; k++)
			if (strcmp(name, leat_phase_name((enum leat_phase)k)) == 0) {
				phase[k].events += sign * number(&item[i], "events");
				phase[k].us += sign * number(&item[i], "sum_us");
			}
	}
}

/* Where the time of a mean event went. All phases but the source's are divided by the same number, so that they add up to the mean
 * latency even where one sink has a phase that another has not. */
static void put_phases(struct screen *screen, struct leat_buffer *line, const struct look *look)
{
	struct phase phase[LEAT_PHASES] = { { 0, 0 } };
	const struct leat_value *node = NULL;
	size_t n = items(look->now, "nodes", &node);
	const char *before = "  mean  ";

	for (size_t i = 0; i < n; i++) {
		const struct look one = { .before = find_same(look->before, "nodes", "node", &node[i]), .now = &node[i], .seconds = look->seconds };

		add_phases(one.now, phase, 1);
		if (has_rates(&one))
			add_phases(one.before, phase, -1);
	}
	for (unsigned k = 0; k < LEAT_PHASES; k++) {
		double events = phase[k == LEAT_PHASE_SOURCE ? k : LEAT_PHASE_QUEUE].events;

		if (events <= 0 || phase[k].us / events < 0.5)
			continue;
		leat_format_put(line, "%s%s ", before, leat_phase_name((enum leat_phase)k));
		leat_format_latency(line, phase[k].us / events);
		before = " | ";
	}
	if (line->n > 0)
		put_line(screen, line, LEAT_PLAIN);
}

static void put_pipeline(struct screen *screen, const struct look *look)
{
	struct leat_buffer line = { 0 };
	const struct leat_value *node = NULL;
	size_t n = items(look->now, "nodes", &node);
	char name[NAME_BYTES], state[WORD_BYTES], guarantee[WORD_BYTES], error[LEAT_ERROR_TEXT];
	bool is_well;

	(void)text(look->now, "state", state, sizeof state);
	is_well = strcmp(state, "running") == 0 || strcmp(state, "done") == 0;
	leat_format_put(&line, "%s  %s  %s", text(look->now, "pipeline", name, sizeof name), state,
	                text(look->now, "guarantee", guarantee, sizeof guarantee));
	if (number(look->now, "epoch") > 0)
		leat_format_put(&line, "  epoch %.0f", number(look->now, "epoch"));
	put_latencies(&line, look);
	if (number(look->now, "in_flight_limit_bytes") > 0)
		leat_format_put(&line, "  in flight %.0f%%", 100 * number(look->now, "in_flight_bytes") / number(look->now, "in_flight_limit_bytes"));
	if (number(look->now, "alerts") > 0) {
		leat_buffer_text(&line, "  alerts ");
		leat_format_count(&line, number(look->now, "alerts"));
	}
	put_line(screen, &line, is_well ? LEAT_BOLD : LEAT_RED);
	if (text(look->now, "error", error, sizeof error)[0] != '\0') {
		leat_format_put(&line, "  %s", error);
		put_line(screen, &line, LEAT_RED);
	}
	put_phases(screen, &line, look);
	if (n > 0)
		put_titles(screen, &line);
	for (size_t i = 0; i < n; i++) {
		const struct look one = { .before = find_same(look->before, "nodes", "node", &node[i]), .now = &node[i], .seconds = look->seconds };

		put_node(screen, &line, &one);
	}
	leat_buffer_finish(&line);
}

void leat_top_render(struct leat_buffer *out, const struct leat_top_look *before, const struct leat_top_look *now, size_t rows,
                     size_t columns, bool has_colours)
{
	struct screen screen = { .out = out, .rows = rows, .columns = columns, .has_colours = has_colours };
	double seconds = now->at_us > before->at_us ? (double)(now->at_us - before->at_us) / 1e6 : 0;
	struct leat_buffer empty = { 0 };
	const struct leat_value *pipeline = NULL;
	size_t n = items(&now->page, "pipelines", &pipeline);

	for (size_t i = 0; i < n; i++) {
		const struct look look = {
			.before = find_same(&before->page, "pipelines", "pipeline", &pipeline[i]), .now = &pipeline[i], .seconds = seconds
		};

		if (i > 0)
			put_line(&screen, &empty, LEAT_PLAIN);
		put_pipeline(&screen, &look);
	}
	if (n == 0) {
		leat_buffer_text(&empty, "no pipelines");
		put_line(&screen, &empty, LEAT_DIM);
	}
	leat_buffer_finish(&empty);
}
