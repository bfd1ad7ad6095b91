/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the tests of a pipeline. All mistakes are told at once, with their places. */
#include "kit/case.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/time_text.h"
#include "kit/plain.h"
#include "plugin/options.h"
#include "plugin/scalar.h"

/* 2026-01-01T00:00:00Z */
static const int64_t START_US = INT64_C(1767225600000000);
enum { MOST_PARTITIONS = 1024 };

struct reader {
	struct leat_cases *cases;
	const struct leat_description *d;
	struct leat_report *report;
	struct leat_case *test; /* in hand */
};

/* ---- pieces --------------------------------------------------------------------------------------------------------- */

static bool is_scalar(const struct leat_setting *s)
{
	return s->kind == LEAT_SETTING_SCALAR && s->text != NULL;
}

static void check_names(struct reader *r, const struct leat_setting *map, const char *what, const char *const *names)
{
	for (size_t i = 0; i < map->n; i++) {
		const char *nearest = leat_nearest(map->item[i].name, names);
		size_t k = 0;

		while (names[k] != NULL && strcmp(names[k], map->item[i].name) != 0)
			k++;
		if (names[k] == NULL)
			leat_report_error(r->report, map->item[i].name_place, "%s has no \"%s\"%s%s%s", what, map->item[i].name,
			                  nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
	}
}

/* A span from the start, or a time of its own. */
static void read_time(struct reader *r, const struct leat_setting *s, int64_t *us)
{
	struct leat_value text;
	int64_t span_us;

	if (s == NULL)
		return;
	text = leat_borrow(is_scalar(s) ? s->text : "", is_scalar(s) ? strlen(s->text) : 0);
	if (is_scalar(s) && leat_parse_duration(s->text, &span_us))
		*us = r->test->start_us + span_us;
	else if (!leat_time_read(&text, us))
		leat_report_error(r->report, s->place, "%s must be a span from the start, such as 10s, or a time, such as 2026-01-31T12:00:00Z", s->name);
}

static int64_t read_span(struct reader *r, const struct leat_setting *s)
{
	int64_t us = 0;

	if (s != NULL && (!is_scalar(s) || !leat_parse_duration(s->text, &us)))
		leat_report_error(r->report, s->place, "%s must be a span, such as 10s", s->name);
	return us;
}

static bool read_choice(struct reader *r, const struct leat_setting *test, const char *name, const char *preset, const char *other)
{
	const struct leat_setting *s = leat_setting_get(test, name);

	if (s != NULL && (!is_scalar(s) || (strcmp(s->text, preset) != 0 && strcmp(s->text, other) != 0)))
		leat_report_error(r->report, s->place, "%s must be %s or %s", name, preset, other);
	return s != NULL && is_scalar(s) && strcmp(s->text, other) == 0;
}

/* ---- input ---------------------------------------------------------------------------------------------------------- */

static struct leat_case_step *add_step(struct leat_case *test, bool is_event, int64_t at_us)
{
	test->step = leat_grow(test->step, test->n_steps, &test->step_capacity, sizeof *test->step);
	test->step[test->n_steps] = (struct leat_case_step){ .is_event = is_event, .at_us = at_us, .number = test->n_steps };
	return &test->step[test->n_steps++];
}

static const char *keep_json(struct reader *r, const struct leat_setting *value, size_t *n)
{
	struct leat_buffer text = { .n = 0 };
	const char *copy;

	leat_plain_json(value, &text);
	*n = text.n;
	copy = leat_arena_text(r->cases->arena, text.data, text.n);
	leat_buffer_finish(&text);
	return copy;
}

static void read_partition(struct reader *r, const struct leat_setting *s, struct leat_world_event *event)
{
	uint32_t *n = &r->test->n_partitions[event->source->index];
	int64_t partition = 0;

	if (s != NULL && (!is_scalar(s) || !leat_parse_integer(s->text, &partition) || partition < 0 || partition >= MOST_PARTITIONS))
		leat_report_error(r->report, s->place, "partition must be an integer from 0 to %d", MOST_PARTITIONS - 1);
	else
		event->partition = (int32_t)partition;
	if ((uint32_t)event->partition >= *n)
		*n = (uint32_t)event->partition + 1;
}

static void read_payload(struct reader *r, const struct leat_setting *item, struct leat_world_event *event)
{
	const struct leat_setting *value = leat_setting_get(item, "value"), *text = leat_setting_get(item, "text");
	const struct leat_setting *key = leat_setting_get(item, "key");

	if ((value != NULL) == (text != NULL)) {
		leat_report_error(r->report, item->place, "an event has either a value or a text, such as {at: 1s, value: {id: 1}}");
		return;
	}
	if (value != NULL) {
		event->text = keep_json(r, value, &event->text_n);
		event->is_value = event->source->format == NULL || strcmp(event->source->format, "json") != 0;
	} else if (text->kind == LEAT_SETTING_SCALAR) {
		event->text = text->text;
		event->text_n = text->text == NULL ? 0 : strlen(text->text);
	} else {
		leat_report_error(r->report, text->place, "text must be a text");
	}
	if (key != NULL && !is_scalar(key))
		leat_report_error(r->report, key->place, "key must be a text");
	else if (key != NULL)
		event->key = key->text;
}

static void read_event(struct reader *r, const struct leat_setting *item, const struct leat_node *source, int64_t *clock_us)
{
	static const char *const names[] = { "at", "value", "text", "key", "partition", "time", "advance", NULL };
	const struct leat_setting *advance = leat_setting_get(item, "advance");
	struct leat_world_event event = { .source = source };

	if (item->kind != LEAT_SETTING_MAP) {
		leat_report_error(r->report, item->place, "an event must be a map, such as {at: 1s, value: {id: 1}}");
		return;
	}
	check_names(r, item, "an event of a test", names);
	read_time(r, leat_setting_get(item, "at"), clock_us);
	if (advance != NULL && item->n == 1) {
		*clock_us += read_span(r, advance);
		(void)add_step(r->test, false, *clock_us);
		return;
	}
	if (advance != NULL)
		leat_report_error(r->report, advance->place, "advance is an item of its own, without an event");
	event.time_us = *clock_us;
	read_time(r, leat_setting_get(item, "time"), &event.time_us);
	read_payload(r, item, &event);
	read_partition(r, leat_setting_get(item, "partition"), &event);
	add_step(r->test, true, *clock_us)->event = event;
}

static void report_no_node(struct reader *r, const struct leat_setting *s, const char *what, bool is_source)
{
	const char **names = leat_allocate_zeroed(r->d->n_nodes + 1, sizeof *names);
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < r->d->n_nodes; i++)
		if (!is_source || r->d->node[i].role == LEAT_ROLE_SOURCE)
			names[n++] = r->d->node[i].name;
	nearest = leat_nearest(s->name, names);
	leat_report_error(r->report, s->name_place, "the pipeline has no %s \"%s\"%s%s%s", what, s->name, nearest == NULL ? "" : "; did you mean \"",
	                  nearest == NULL ? "" : nearest, nearest == NULL ? "" : "\"?");
	free(names);
}

static void read_input(struct reader *r, const struct leat_setting *input)
{
	for (size_t i = 0; input != NULL && i < input->n; i++) {
		const struct leat_setting *events = &input->item[i];
		const struct leat_node *source = leat_description_find(r->d, LEAT_ROLE_SOURCE, events->name);
		int64_t clock_us = r->test->start_us;

		if (source == NULL)
			report_no_node(r, events, "source", true);
		else if (events->kind != LEAT_SETTING_LIST)
			leat_report_error(r->report, events->place, "the events of a source must be a list");
		else
			for (size_t k = 0; k < events->n; k++)
				read_event(r, &events->item[k], source, &clock_us);
	}
}

static int compare_steps(const void *x, const void *y)
{
	const struct leat_case_step *a = x, *b = y;

	if (a->at_us != b->at_us)
		return a->at_us < b->at_us ? -1 : 1;
	return (a->number > b->number) - (a->number < b->number);
}

/* ---- expectations --------------------------------------------------------------------------------------------------- */

static bool find_port(const struct leat_node *node, const char *port, uint32_t *out)
{
	*out = LEAT_DEAD_PORT;
	if (strcmp(port, "dead") == 0)
		return node->role != LEAT_ROLE_SINK;
	for (*out = 0; *out < node->n_ports; ++*out)
		if (strcmp(node->ports[*out], port) == 0)
			return true;
	return false;
}

/* "scored", "scored.alerts": a node and one of its ports; a sink: what comes to it. */
static bool find_target(struct reader *r, const struct leat_setting *s, struct leat_expectation *e)
{
	const char *dot = strchr(s->name, '.');
	size_t n = dot == NULL ? strlen(s->name) : (size_t)(dot - s->name);

	for (size_t i = 0; i < r->d->n_nodes; i++) {
		const struct leat_node *node = &r->d->node[i];

		if (strlen(node->name) != n || memcmp(node->name, s->name, n) != 0)
			continue;
		e->node = node->index;
		e->port = 0;
		if (dot == NULL || find_port(node, dot + 1, &e->port))
			return true;
		leat_report_error(r->report, s->name_place,
		                  node->role == LEAT_ROLE_SINK ? "sink \"%s\" does not run in a test, and has no \"%s\"" :
		                  "node \"%s\" has no port \"%s\"", node->name, dot + 1);
		return false;
	}
	report_no_node(r, s, "node", false);
	return false;
}

static void read_expectations(struct reader *r, const struct leat_setting *expect)
{
	struct leat_case *test = r->test;

	for (size_t i = 0; expect != NULL && i < expect->n; i++) {
		const struct leat_setting *s = &expect->item[i];
		struct leat_expectation e = { .place = s->name_place, .name = s->name, .rows = s };

		if (s->kind != LEAT_SETTING_LIST)
			leat_report_error(r->report, s->place, "what is expected of \"%s\" must be a list", s->name);
		else if (find_target(r, s, &e)) {
			test->expectation = leat_grow(test->expectation, test->n_expectations, &test->expectation_capacity, sizeof e);
			test->expectation[test->n_expectations++] = e;
		}
	}
}

/* ---- a test --------------------------------------------------------------------------------------------------------- */

static const struct leat_setting *get_map(struct reader *r, const struct leat_setting *test, const char *name)
{
	const struct leat_setting *s = leat_setting_get(test, name);

	if (s == NULL)
		leat_report_error(r->report, test->place, "a test must have \"%s\"", name);
	else if (s->kind != LEAT_SETTING_MAP)
		leat_report_error(r->report, s->place, "%s must be a map", name);
	return s != NULL && s->kind == LEAT_SETTING_MAP ? s : NULL;
}

static void finish_case(struct leat_case *test)
{
	free(test->step);
	free(test->n_partitions);
	free(test->expectation);
}

static void read_end(struct reader *r, const struct leat_setting *s)
{
	if (s != NULL && (!is_scalar(s) || !leat_parse_bool(s->text, &r->test->is_ending)))
		leat_report_error(r->report, s->place, "end must be true or false");
}

static void read_case(struct reader *r, const struct leat_setting *s)
{
	static const char *const names[] = { "name", "start", "input", "advance", "end", "expect", "match", "order", NULL };
	const struct leat_setting *name = leat_setting_get(s, "name");
	struct leat_case *test = r->test;
	int64_t last_us;

	check_names(r, s, "a test", names);
	if (name == NULL || !is_scalar(name))
		leat_report_error(r->report, s->place, "a test must have a name, which says what holds");
	else
		test->name = name->text;
	read_time(r, leat_setting_get(s, "start"), &test->start_us);
	read_input(r, get_map(r, s, "input"));
	if (test->n_steps > 0)
		qsort(test->step, test->n_steps, sizeof *test->step, compare_steps);
	last_us = test->n_steps > 0 ? test->step[test->n_steps - 1].at_us : test->start_us;
	if (leat_setting_get(s, "advance") != NULL)
		(void)add_step(test, false, last_us + read_span(r, leat_setting_get(s, "advance")));
	read_end(r, leat_setting_get(s, "end"));
	test->is_exact = read_choice(r, s, "match", "some", "exact");
	test->is_any_order = read_choice(r, s, "order", "same", "any");
	read_expectations(r, get_map(r, s, "expect"));
}

void leat_cases_read(struct leat_cases *cases, const struct leat_setting *list, const struct leat_description *d, struct leat_report *report)
{
	struct reader r = { .cases = cases, .d = d, .report = report };

	if (cases->arena == NULL)
		cases->arena = leat_arena_create();
	if (list->kind != LEAT_SETTING_LIST)
		leat_report_error(report, list->place, "tests must be a list");
	for (size_t i = 0; list->kind == LEAT_SETTING_LIST && i < list->n; i++) {
		const struct leat_setting *s = &list->item[i];
		struct leat_case test = { .place = s->place, .start_us = START_US };
		size_t before = leat_report_errors(report);

		r.test = &test;
		test.n_partitions = leat_allocate_zeroed(d->n_nodes + 1, sizeof *test.n_partitions);
		for (size_t k = 0; k < d->n_nodes; k++)
			test.n_partitions[k] = 1;
		if (s->kind == LEAT_SETTING_MAP)
			read_case(&r, s);
		else
			leat_report_error(report, s->place, "a test must be a map of name, input and expect");
		if (leat_report_errors(report) > before) {
			finish_case(&test);
			continue;
		}
		cases->item = leat_grow(cases->item, cases->n, &cases->capacity, sizeof test);
		cases->item[cases->n++] = test;
	}
}

void leat_cases_finish(struct leat_cases *cases)
{
	for (size_t i = 0; i < cases->n; i++)
		finish_case(&cases->item[i]);
	free(cases->item);
	leat_arena_unref(cases->arena);
	*cases = (struct leat_cases){ .n = 0 };
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

static enum leat_status do_step(struct leat_world *world, const struct leat_case_step *step, struct leat_error *err)
{
	enum leat_status status = leat_world_set_time(world, step->at_us, err);

	return status == LEAT_OK && step->is_event ? leat_world_push(world, &step->event, err) : status;
}

static enum leat_status do_step_in_trouble(struct leat_world *world, const struct leat_case_step *step, enum leat_case_trouble trouble,
                                           struct leat_error *err)
{
	enum leat_status status;

	if (trouble == LEAT_TROUBLE_CRASH) {
		leat_world_checkpoint(world);
		(void)do_step(world, step, err);
		status = leat_world_crash(world, err);
		if (status != LEAT_OK)
			return status;
	}
	status = do_step(world, step, err);
	if (status != LEAT_OK || trouble != LEAT_TROUBLE_RESTART)
		return status;
	leat_world_checkpoint(world);
	return leat_world_crash(world, err);
}

bool leat_case_run(const struct leat_case *test, const struct leat_plan *plan, enum leat_case_trouble trouble, struct leat_buffer *failure)
{
	struct leat_world *world = NULL;
	struct leat_error err;
	enum leat_status status = leat_world_create(plan, test->n_partitions, test->start_us, &world, &err);
	bool is_good = false;

	for (size_t i = 0; i < test->n_steps && status == LEAT_OK; i++)
		status = do_step_in_trouble(world, &test->step[i], trouble, &err);
	if (status == LEAT_OK && test->is_ending)
		status = leat_world_end(world, &err);
	if (status == LEAT_OK)
		is_good = leat_case_compare(test, plan, world, failure);
	else
		leat_plain_put(failure, "    %s\n", err.text);
	leat_world_destroy(world);
	return is_good;
}
