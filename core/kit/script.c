/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that match what the options of a node ask for: its symbols are all the names that they mention, so an event has each
 * of them, mostly; a field that is a path, such as user.city, becomes a map in a map. Some events are none that anybody expects.
 */
#include "kit/script.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "kit/plain.h"

enum { LEFT_OUT = 16, STRANGE = 12, CLOCK_MOVES = 6, OUT_OF_ORDER = 3, WITHOUT_TIME = 24, WATERMARK_MOVES = 5 };

/* An event may be as late as the larger one; what is later than the smaller one comes behind the watermark. */
static const int64_t latest_us = 20000000, disorder_us = 10000000;

static const char *const values[] = { "1",   "2",    "3",   "7",   "-5",   "0",    "100",    "2.5",   "0.1",    "1e3",
	                              "\"a\"", "\"b\"", "\"\"", "true", "null", "[1,2]", "{\"a\":1}", "1", "2", "10" };
static const char *const keys[] = { "\"a\"", "\"b\"", "\"c\"", "1", "1.0", "2", "\"a\"", "\"b\"" };
static const char *const strange[] = { "5", "\"text\"", "[]", "null", "{}", "{\"other\":1}" };

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct field {
	const char *path;
	bool is_key;
};

struct maker {
	const struct leat_script_options *options;
	struct leat_script *script;
	struct leat_dice dice;
	struct field *field;
	size_t n, capacity;
	int64_t now_us, time_us;
	struct leat_buffer text;
};

/* ---- fields --------------------------------------------------------------------------------------------------------- */

static void add_field(struct maker *m, const char *path, bool is_key)
{
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->field[i].path, path) == 0)
			return;
	m->field = leat_grow(m->field, m->n, &m->capacity, sizeof *m->field);
	m->field[m->n++] = (struct field){ .path = path, .is_key = is_key };
}

static void add_path(struct maker *m, const struct leat_path *path)
{
	if (path != NULL)
		add_field(m, path->text, false);
}

static void add_option(struct maker *m, const struct leat_node *node, const struct leat_option *option)
{
	const char *member = (const char *)node->image + option->offset;
	const struct leat_path *path;
	struct leat_paths paths;

	if (option->type == LEAT_OPTION_FIELD) {
		memcpy(&path, member, sizeof path);
		add_path(m, path);
	} else if (option->type == LEAT_OPTION_FIELDS) {
		memcpy(&paths, member, sizeof paths);
		for (size_t i = 0; i < paths.n; i++)
			add_path(m, paths.item[i]);
	}
}

static void find_fields(struct maker *m, const struct leat_node *node, const struct leat_symbols *symbols)
{
	const struct leat_option *option = leat_plugin_options(node->plugin, node->role);

	for (size_t i = 0; i < node->n_keys * (node->n_named > 0 ? node->n_named : 1); i++)
		add_field(m, node->key[i]->text, true);
	for (; option != NULL && option->name != NULL; option++)
		add_option(m, node, option);
	for (leat_symbol symbol = 1; symbol <= leat_symbols_last(symbols); symbol++)
		add_field(m, leat_symbols_name(symbols, symbol, NULL), false);
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static const char *choose(struct maker *m, const char *const *from, size_t n)
{
	return from[leat_dice_below(&m->dice, n)];
}

/* user.city: {"user":{"city":VALUE}} without the outer braces. */
static void put_path(struct maker *m, const char *path, const char *value)
{
	const char *dot = strchr(path, '.');
	size_t depth = 0;

	for (; dot != NULL; path = dot + 1, dot = strchr(path, '.'), depth++) {
		leat_json_quote(&m->text, path, (size_t)(dot - path));
		leat_buffer_text(&m->text, ":{");
	}
	leat_json_quote(&m->text, path, strlen(path));
	leat_buffer_byte(&m->text, ':');
	leat_buffer_text(&m->text, value);
	while (depth-- > 0)
		leat_buffer_byte(&m->text, '}');
}

static void put_separator(struct maker *m)
{
	if (m->text.data[m->text.n - 1] != '{')
		leat_buffer_byte(&m->text, ',');
}

static void put_found_fields(struct maker *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (leat_dice_once_in(&m->dice, LEFT_OUT))
			continue;
		put_separator(m);
		put_path(m, m->field[i].path, m->field[i].is_key ? choose(m, keys, COUNT(keys)) : choose(m, values, COUNT(values)));
	}
}

static void put_given_fields(struct maker *m, const struct leat_setting *fields)
{
	for (size_t i = 0; i < fields->n; i++) {
		const struct leat_setting *from = &fields->item[i];

		if (leat_dice_once_in(&m->dice, LEFT_OUT))
			continue;
		put_separator(m);
		leat_json_quote(&m->text, from->name, strlen(from->name));
		leat_buffer_byte(&m->text, ':');
		leat_plain_json(from->kind == LEAT_SETTING_LIST && from->n > 0 ? &from->item[leat_dice_below(&m->dice, from->n)] : from, &m->text);
	}
}

static const char *make_event(struct maker *m, size_t i)
{
	const struct leat_script_options *options = m->options;

	if (options->n_samples > 0)
		return options->sample[i % options->n_samples];
	if (leat_dice_once_in(&m->dice, STRANGE))
		return choose(m, strange, COUNT(strange));
	m->text.n = 0;
	leat_buffer_byte(&m->text, '{');
	if (options->fields != NULL)
		put_given_fields(m, options->fields);
	else
		put_found_fields(m);
	leat_buffer_text(&m->text, "}");
	leat_buffer_byte(&m->text, '\0');
	return leat_arena_text(m->script->arena, m->text.data, m->text.n);
}

static void add_step(struct maker *m, enum leat_step_kind kind, const char *json, int64_t us)
{
	struct leat_script *script = m->script;

	script->step = leat_grow(script->step, script->n, &script->capacity, sizeof *script->step);
	script->step[script->n++] = (struct leat_step){ .kind = kind, .json = json, .us = us };
}

static int64_t next_time(struct maker *m)
{
	static const int64_t steps_us[] = { 0, 0, 1000000, 5000000, 30000000 };

	m->time_us += steps_us[leat_dice_below(&m->dice, COUNT(steps_us))];
	if (leat_dice_once_in(&m->dice, WITHOUT_TIME))
		return LEAT_NO_TIME;
	return leat_dice_once_in(&m->dice, OUT_OF_ORDER) ? m->time_us - (int64_t)leat_dice_below(&m->dice, (size_t)latest_us) : m->time_us;
}

static void move_clock(struct maker *m)
{
	static const int64_t steps_us[] = { 1000, 1000000, 10000000, 60000000, 600000000, INT64_C(3600000000) };

	m->now_us += steps_us[leat_dice_below(&m->dice, COUNT(steps_us))];
	add_step(m, LEAT_STEP_TIME, NULL, m->now_us);
}

void leat_script_make(struct leat_script *script, const struct leat_node *node, const struct leat_symbols *symbols,
                      const struct leat_script_options *options)
{
	struct maker m = { .options = options,
		           .script = script,
		           .dice = { options->seed },
		           .now_us = LEAT_SCRIPT_START_US,
		           .time_us = LEAT_SCRIPT_START_US };

	*script = (struct leat_script){ .arena = leat_arena_create() };
	find_fields(&m, node, symbols);
	for (size_t i = 0; i < options->n_events; i++) {
		const char *json = make_event(&m, i);

		add_step(&m, LEAT_STEP_EVENT, json, next_time(&m));
		if (node->n_named > 0)
			script->step[script->n - 1].input = (uint32_t)leat_dice_below(&m.dice, node->n_named);
		if (leat_dice_once_in(&m.dice, CLOCK_MOVES))
			move_clock(&m);
		if (leat_dice_once_in(&m.dice, WATERMARK_MOVES))
			add_step(&m, LEAT_STEP_WATERMARK, NULL, m.time_us - disorder_us);
	}
	add_step(&m, LEAT_STEP_TIME, NULL, m.now_us + INT64_C(86400000000));
	free(m.field);
	leat_buffer_finish(&m.text);
}

void leat_script_finish(struct leat_script *script)
{
	leat_arena_unref(script->arena);
	free(script->step);
	*script = (struct leat_script){ .n = 0 };
}
