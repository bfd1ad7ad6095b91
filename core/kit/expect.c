/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "kit/case.h"
#include "kit/plain.h"

/* A row as it was expected or as it came. */
struct line {
	const char *json;
	struct leat_value value;
	struct leat_place place; /* expected ones */
	bool is_taken;           /* has found its like */
};

struct lines {
	struct line *line;
	size_t n, capacity;
};

struct comparison {
	const struct leat_case *test;
	const struct leat_description *d;
	struct leat_json *json;
	struct leat_arena *arena;
	struct leat_buffer *failure;
};

static void add_line(struct comparison *c, struct lines *lines, const char *json, struct leat_place place)
{
	size_t n = strlen(json);
	char *copy = leat_arena_allocate(c->arena, n + LEAT_CODEC_PADDING);
	struct leat_error err;
	struct line *line;

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, json, n);
	lines->line = leat_grow(lines->line, lines->n, &lines->capacity, sizeof *lines->line);
	line = &lines->line[lines->n++];
	*line = (struct line){ .json = json, .place = place };
	if (leat_json_decode(c->json, c->arena, copy, n, &line->value, &err) != LEAT_OK)
		line->value = leat_borrow(json, n);
}

static struct lines find_got(struct comparison *c, const struct leat_world *world, const struct leat_expectation *e)
{
	struct lines lines = { .n = 0 };
	const struct leat_world_row *row;
	size_t n = leat_world_rows(world, &row);

	for (size_t i = 0; i < n; i++)
		if (row[i].node == e->node && row[i].port == e->port)
			add_line(c, &lines, row[i].json, (struct leat_place){ .line = 0 });
	return lines;
}

static struct lines find_expected(struct comparison *c, const struct leat_expectation *e)
{
	struct lines lines = { .n = 0 };

	for (size_t i = 0; i < e->rows->n; i++) {
		struct leat_buffer text = { .n = 0 };

		leat_plain_json(&e->rows->item[i], &text);
		leat_buffer_byte(&text, '\0');
		add_line(c, &lines, leat_arena_text(c->arena, text.data, text.n), e->rows->item[i].place);
		leat_buffer_finish(&text);
	}
	return lines;
}

/* ---- alike ---------------------------------------------------------------------------------------------------------- */

static bool is_like(const struct leat_value *expected, const struct leat_value *got, bool is_exact);

/* Members that are expected to be null may be missing. */
static bool is_like_map(const struct leat_map *expected, const struct leat_value *got)
{
	for (uint32_t i = 0; i < expected->n; i++) {
		const struct leat_member *member = &expected->member[i];
		const struct leat_value *value = leat_map_find(got, member->name, member->name_n);

		if (value == NULL ? member->value.type != LEAT_NULL : !is_like(&member->value, value, false))
			return false;
	}
	return true;
}

static bool is_like(const struct leat_value *expected, const struct leat_value *got, bool is_exact)
{
	if (is_exact || expected->type != got->type || (expected->type != LEAT_MAP && expected->type != LEAT_LIST))
		return leat_value_equals(expected, got);
	if (expected->type == LEAT_MAP)
		return is_like_map(expected->as.map, got);
	for (uint32_t i = 0; i < expected->n && expected->n == got->n; i++)
		if (!is_like(&expected->as.list->item[i], &got->as.list->item[i], false))
			return false;
	return expected->n == got->n;
}

/* In the same order a row is held against the one at its place, in any order against the first of those that are left. */
static bool match(const struct leat_case *test, struct lines *expected, struct lines *got)
{
	bool is_good = expected->n == got->n;

	for (size_t i = 0; i < expected->n; i++) {
		size_t from = test->is_any_order ? 0 : i, until = test->is_any_order ? got->n : i + 1;

		for (size_t k = from; k < until && k < got->n && !expected->line[i].is_taken; k++) {
			if (got->line[k].is_taken || !is_like(&expected->line[i].value, &got->line[k].value, test->is_exact))
				continue;
			expected->line[i].is_taken = true;
			got->line[k].is_taken = true;
		}
		is_good = is_good && expected->line[i].is_taken;
	}
	return is_good;
}

/* ---- differences ---------------------------------------------------------------------------------------------------- */

static void put_expected(struct comparison *c, const struct line *line)
{
	leat_plain_put(c->failure, "      - %s    (%s:%u:%u)\n", line->json, line->place.file, line->place.line, line->place.column);
}

static void put_difference(struct comparison *c, const struct leat_expectation *e, const struct lines *expected, const struct lines *got)
{
	leat_plain_put(c->failure, "    %s:%u:%u: %s: expected %zu row%s (-), got %zu (+)\n", e->place.file, e->place.line, e->place.column, e->name,
	               expected->n, expected->n == 1 ? "" : "s", got->n);
	for (size_t i = 0; i < expected->n || i < got->n; i++) {
		if (i < expected->n && !expected->line[i].is_taken)
			put_expected(c, &expected->line[i]);
		if (i < got->n)
			leat_plain_put(c->failure, "      %c %s\n", got->line[i].is_taken ? ' ' : '+', got->line[i].json);
	}
}

static bool compare_port(struct comparison *c, const struct leat_world *world, const struct leat_expectation *e)
{
	struct lines expected = find_expected(c, e), got = find_got(c, world, e);
	bool is_good = match(c->test, &expected, &got);

	if (!is_good)
		put_difference(c, e, &expected, &got);
	free(expected.line);
	free(got.line);
	return is_good;
}

/* Else a test that asks for no alerts would hold because every event was rejected. */
static bool has_no_other_letters(struct comparison *c, const struct leat_world *world)
{
	const struct leat_world_row *row;
	size_t n = leat_world_rows(world, &row);
	bool is_good = true;

	for (size_t i = 0; i < n; i++) {
		bool is_expected = row[i].port != LEAT_DEAD_PORT;

		for (size_t k = 0; k < c->test->n_expectations; k++)
			is_expected = is_expected || (c->test->expectation[k].node == row[i].node && c->test->expectation[k].port == LEAT_DEAD_PORT);
		if (is_expected)
			continue;
		leat_plain_put(c->failure, "    %s.dead: a dead letter that the test does not expect\n      + %s\n", c->d->node[row[i].node].name,
		               row[i].json);
		is_good = false;
	}
	return is_good;
}

bool leat_case_compare(const struct leat_case *test, const struct leat_plan *plan, const struct leat_world *world,
                       struct leat_buffer *failure)
{
	struct comparison c = { .test = test, .d = plan->description, .failure = failure };
	bool is_good = true;

	c.arena = leat_arena_create();
	c.json = leat_json_create(plan->description->symbols);
	for (size_t i = 0; i < test->n_expectations; i++)
		is_good = compare_port(&c, world, &test->expectation[i]) && is_good;
	is_good = has_no_other_letters(&c, world) && is_good;
	leat_json_destroy(c.json);
	leat_arena_unref(c.arena);
	return is_good;
}
