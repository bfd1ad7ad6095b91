/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "plugin/harness.h"
#include "unit/random.h"
#include "unit/unit.h"

enum { SECOND = 1000000 };

static void push(struct leat_harness *h, const char *input, int64_t seconds, const char *json)
{
	leat_harness_set_input(h, input);
	ck_assert_int_eq(leat_harness_push_at(h, seconds * SECOND, json), LEAT_OK);
}

static void expect(struct leat_harness *h, const char *port, const char *json)
{
	const char *found = leat_harness_pull(h, port);

	ck_assert_msg(found != NULL, "%s has nothing, expected %s", port, json);
	ck_assert_str_eq(found, json);
}

/* With its event time. */
static void expect_at(struct leat_harness *h, int64_t time_us, const char *json)
{
	expect(h, "out", json);
	ck_assert_int_eq(leat_harness_pulled_time(h), time_us);
}

static void expect_dead(struct leat_harness *h, const char *reason)
{
	const char *found = leat_harness_pull(h, "dead");

	ck_assert_ptr_nonnull(found);
	ck_assert_msg(strstr(found, reason) != NULL, "%s", found);
}

static void finish(struct leat_harness *h)
{
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_ptr_null(leat_harness_pull(h, "late"));
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
	leat_harness_destroy(h);
}

#define KEY "key: {left: id, right: order}\n"

/* ---- interval ------------------------------------------------------------------------------------------------------ */

START_TEST(events_meet_within_the_interval_and_both_ends_count)
{
	struct leat_harness *h = leat_harness_create("join", KEY "before: 5s\nafter: 10s");

	push(h, "left", 100, "{\"id\":1}");
	push(h, "right", 94, "{\"order\":1,\"n\":1}");
	push(h, "right", 95, "{\"order\":1,\"n\":2}");
	push(h, "right", 110, "{\"order\":1,\"n\":3}");
	push(h, "right", 111, "{\"order\":1,\"n\":4}");
	push(h, "right", 100, "{\"order\":2,\"n\":5}");
	push(h, "left", 105, "{\"id\":2,\"x\":true}");
	expect_at(h, 100 * SECOND, "{\"left\":{\"id\":1},\"right\":{\"order\":1,\"n\":2}}");
	expect_at(h, 110 * SECOND, "{\"left\":{\"id\":1},\"right\":{\"order\":1,\"n\":3}}");
	expect_at(h, 105 * SECOND, "{\"left\":{\"id\":2,\"x\":true},\"right\":{\"order\":2,\"n\":5}}");
	finish(h);
}
END_TEST

START_TEST(of_a_left_join_those_that_met_none_come_out_when_none_can_come)
{
	struct leat_harness *h = leat_harness_create("join", KEY "before: 5s\nafter: 10s\nkind: left");

	push(h, "left", 102, "{\"id\":1,\"n\":1}");
	push(h, "left", 100, "{\"id\":2,\"n\":2}");
	push(h, "left", 101, "{\"id\":1,\"n\":3}");
	push(h, "right", 111, "{\"order\":1}");
	push(h, "right", 90, "{\"order\":2}");
	expect_at(h, 111 * SECOND, "{\"left\":{\"id\":1,\"n\":3},\"right\":{\"order\":1}}");
	expect_at(h, 111 * SECOND, "{\"left\":{\"id\":1,\"n\":1},\"right\":{\"order\":1}}");
	leat_harness_set_watermark(h, 110 * SECOND);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_set_watermark(h, 110 * SECOND + 1);
	expect_at(h, 110 * SECOND, "{\"left\":{\"id\":2,\"n\":2},\"right\":null}");
	leat_harness_end(h);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

START_TEST(of_an_outer_join_both_sides_come_out_in_the_order_of_time)
{
	struct leat_harness *h = leat_harness_create("join", KEY "before: 5s\nafter: 10s\nkind: outer");

	push(h, "left", 103, "{\"id\":1}");
	push(h, "right", 100, "{\"order\":3}");
	push(h, "left", 101, "{\"id\":2}");
	push(h, "right", 104, "{\"order\":2}");
	push(h, "right", 107, "{\"order\":9}");
	expect(h, "out", "{\"left\":{\"id\":2},\"right\":{\"order\":2}}");
	leat_harness_set_watermark(h, 1000 * SECOND);
	expect_at(h, 105 * SECOND, "{\"left\":null,\"right\":{\"order\":3}}");
	expect_at(h, 112 * SECOND, "{\"left\":null,\"right\":{\"order\":9}}");
	expect_at(h, 113 * SECOND, "{\"left\":{\"id\":1},\"right\":null}");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

START_TEST(late_events_are_set_apart_and_those_that_are_allowed_take_part)
{
	struct leat_harness *h = leat_harness_create("join", KEY "before: 5s\nafter: 5s\nallow: 3s\nkind: left");

	push(h, "left", 100, "{\"id\":1}");
	push(h, "right", 200, "{\"order\":9}");
	leat_harness_set_watermark(h, 103 * SECOND);
	push(h, "right", 99, "{\"order\":1,\"n\":1}");
	push(h, "right", 100, "{\"order\":1,\"n\":2}");
	expect(h, "late", "{\"order\":1,\"n\":1}");
	expect_at(h, 100 * SECOND, "{\"left\":{\"id\":1},\"right\":{\"order\":1,\"n\":2}}");
	push(h, "left", 101, "{\"id\":2}");
	leat_harness_set_watermark(h, 109 * SECOND);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_set_watermark(h, 109 * SECOND + 1);
	expect_at(h, 109 * SECOND, "{\"left\":{\"id\":2},\"right\":null}");
	finish(h);
}
END_TEST

START_TEST(a_null_key_meets_none_not_even_another)
{
	struct leat_harness *inner = leat_harness_create("join", KEY "before: 5s");
	struct leat_harness *left = leat_harness_create("join", KEY "before: 5s\nkind: left");
	struct leat_harness *outer = leat_harness_create("join", KEY "before: 5s\nkind: outer");

	push(inner, "left", 100, "{\"id\":null}");
	push(inner, "right", 100, "{}");
	expect_dead(inner, "the key is missing or null, so this left event can meet no other");
	expect_dead(inner, "\"input\":\"right\"");
	finish(inner);
	push(left, "left", 100, "{\"id\":null}");
	push(left, "right", 100, "{\"order\":null}");
	expect_at(left, 100 * SECOND, "{\"left\":{\"id\":null},\"right\":null}");
	expect_dead(left, "this right event can meet no other");
	finish(left);
	push(outer, "left", 100, "{}");
	push(outer, "right", 101, "{}");
	expect_at(outer, 100 * SECOND, "{\"left\":{},\"right\":null}");
	expect_at(outer, 101 * SECOND, "{\"left\":null,\"right\":{}}");
	ck_assert_uint_eq(leat_harness_state_entries(outer), 0);
	finish(outer);
}
END_TEST

START_TEST(results_are_named_as_asked_for)
{
	struct leat_harness *named = leat_harness_create("join", KEY "before: 5s\nleft_as: order\nright_as: payment");
	struct leat_harness *into = leat_harness_create("join", KEY "before: 5s\ninto: payment\nkind: outer");

	push(named, "left", 100, "{\"id\":1}");
	push(named, "right", 100, "{\"order\":1}");
	expect(named, "out", "{\"order\":{\"id\":1},\"payment\":{\"order\":1}}");
	finish(named);
	push(into, "left", 100, "{\"id\":1,\"a\":0.10}");
	push(into, "right", 99, "{\"order\":1,\"b\":1.50}");
	push(into, "left", 200, "{\"id\":1}");
	push(into, "right", 300, "{\"order\":1}");
	expect(into, "out", "{\"id\":1,\"a\":0.10,\"payment\":{\"order\":1,\"b\":1.50}}");
	leat_harness_end(into);
	expect(into, "out", "{\"id\":1,\"payment\":null}");
	expect(into, "out", "{\"payment\":{\"order\":1}}");
	finish(into);
}
END_TEST

START_TEST(what_has_no_time_or_no_fields_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("join", KEY "before: 5s");

	leat_harness_push(h, "{\"id\":1}");
	expect_dead(h, "the event has no time to join by; its source says where that is, by \\\"time\\\"");
	push(h, "left", 100, "[1]");
	expect_dead(h, "the event has no fields");
	ck_assert_int_eq(leat_harness_push_at(h, INT64_MAX - 1, "{\"id\":1}"), LEAT_OK);
	expect_dead(h, "the time of the event is out of range");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

/* ---- as-of --------------------------------------------------------------------------------------------------------- */

START_TEST(as_of_takes_the_latest_that_is_not_after_it)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: asof\nbefore: 10s\nkind: left");

	push(h, "left", 100, "{\"id\":1,\"n\":1}");
	push(h, "right", 100, "{\"order\":1,\"n\":2}");
	push(h, "right", 99, "{\"order\":1,\"n\":1}");
	push(h, "right", 101, "{\"order\":1,\"n\":4}");
	push(h, "right", 100, "{\"order\":1,\"n\":3}");
	push(h, "left", 111, "{\"id\":1,\"n\":2}");
	push(h, "left", 112, "{\"id\":1,\"n\":3}");
	leat_harness_set_watermark(h, 100 * SECOND);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_set_watermark(h, 100 * SECOND + 1);
	expect_at(h, 100 * SECOND, "{\"left\":{\"id\":1,\"n\":1},\"right\":{\"order\":1,\"n\":3}}");
	push(h, "right", 99, "{\"order\":1,\"n\":5}");
	expect(h, "late", "{\"order\":1,\"n\":5}");
	leat_harness_end(h);
	expect_at(h, 111 * SECOND, "{\"left\":{\"id\":1,\"n\":2},\"right\":{\"order\":1,\"n\":4}}");
	expect_at(h, 112 * SECOND, "{\"left\":{\"id\":1,\"n\":3},\"right\":null}");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

START_TEST(as_of_keeps_of_the_past_only_the_latest)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: asof\nbefore: 1000s");
	size_t bytes = 0;

	for (int i = 0; i < 500; i++) {
		char event[64];

		(void)snprintf(event, sizeof event, "{\"order\":1,\"n\":%d}", i);
		push(h, "right", i, event);
		leat_harness_set_watermark(h, (i - 3) * SECOND);
		if (i == 50)
			bytes = leat_harness_state_bytes(h);
	}
	ck_assert_uint_le(leat_harness_state_bytes(h), bytes + 512);
	push(h, "left", 499, "{\"id\":1}");
	leat_harness_end(h);
	expect(h, "out", "{\"left\":{\"id\":1},\"right\":{\"order\":1,\"n\":499}}");
	finish(h);
}
END_TEST

/* ---- table --------------------------------------------------------------------------------------------------------- */

START_TEST(a_table_has_what_came_last_for_a_key)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: table\nkind: left\ndeleted: op == \"d\"\ninto: user");

	leat_harness_set_input(h, "left");
	leat_harness_push(h, "{\"id\":\"a\",\"n\":1}");
	leat_harness_set_input(h, "right");
	leat_harness_push(h, "{\"order\":\"a\",\"name\":\"Anna\"}");
	leat_harness_push(h, "{\"order\":\"a\",\"name\":\"Anne\"}");
	leat_harness_push(h, "{\"order\":\"b\",\"name\":\"Bert\"}");
	leat_harness_set_input(h, "left");
	leat_harness_push(h, "{\"id\":\"a\",\"n\":2}");
	leat_harness_push(h, "{\"id\":\"b\",\"n\":3}");
	leat_harness_set_input(h, "right");
	leat_harness_push(h, "{\"order\":\"b\",\"op\":\"d\"}");
	leat_harness_set_key(h, "a");
	leat_harness_push(h, "null");
	leat_harness_set_input(h, "left");
	leat_harness_push(h, "{\"id\":\"a\",\"n\":4}");
	leat_harness_push(h, "{\"id\":\"b\",\"n\":5}");
	leat_harness_push(h, "{\"id\":null,\"n\":6}");
	expect(h, "out", "{\"id\":\"a\",\"n\":1,\"user\":null}");
	expect(h, "out", "{\"id\":\"a\",\"n\":2,\"user\":{\"order\":\"a\",\"name\":\"Anne\"}}");
	expect(h, "out", "{\"id\":\"b\",\"n\":3,\"user\":{\"order\":\"b\",\"name\":\"Bert\"}}");
	expect(h, "out", "{\"id\":\"a\",\"n\":4,\"user\":null}");
	expect(h, "out", "{\"id\":\"b\",\"n\":5,\"user\":null}");
	expect(h, "out", "{\"id\":null,\"n\":6,\"user\":null}");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

START_TEST(a_row_that_nothing_changes_is_forgotten_after_a_while)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: table\nkeep: 1m");

	leat_harness_set_input(h, "right");
	leat_harness_push(h, "{\"order\":1}");
	leat_harness_push(h, "{}");
	expect_dead(h, "this right event can meet no other");
	leat_harness_set_input(h, "left");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 59 * SECOND);
	leat_harness_push(h, "{\"id\":1}");
	leat_harness_set_time(h, INT64_C(1000000000000000) + 61 * SECOND);
	leat_harness_push(h, "{\"id\":1}");
	expect(h, "out", "{\"left\":{\"id\":1},\"right\":{\"order\":1}}");
	leat_harness_push(h, "null");
	expect_dead(h, "the event has no fields");
	finish(h);
}
END_TEST

/* ---- watermarks at their worst -------------------------------------------------------------------------------------- */

START_TEST(as_of_finds_what_it_needs_though_its_timer_fires_late)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: asof\nkind: left\nbefore: 1h");

	push(h, "right", 10, "{\"order\":1,\"n\":1}");
	push(h, "left", 15, "{\"id\":1}");
	push(h, "right", 20, "{\"order\":1,\"n\":2}");
	leat_harness_raise_watermark(h, 100 * SECOND);
	push(h, "right", 100, "{\"order\":1,\"n\":3}");
	expect_at(h, 15 * SECOND, "{\"left\":{\"id\":1},\"right\":{\"order\":1,\"n\":1}}");
	leat_harness_end(h);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	finish(h);
}
END_TEST

START_TEST(interval_joins_are_the_same_though_their_timer_fires_late)
{
	struct leat_harness *h = leat_harness_create("join", KEY "kind: outer\nbefore: 5s\nafter: 5s\nallow: 5s");

	push(h, "left", 10, "{\"id\":1}");
	push(h, "right", 12, "{\"order\":1}");
	push(h, "left", 13, "{\"id\":2}");
	expect(h, "out", "{\"left\":{\"id\":1},\"right\":{\"order\":1}}");
	leat_harness_raise_watermark(h, 100 * SECOND);
	push(h, "right", 95, "{\"order\":2}");
	expect_at(h, 23 * SECOND, "{\"left\":{\"id\":2},\"right\":null}");
	leat_harness_end(h);
	expect(h, "out", "{\"left\":null,\"right\":{\"order\":2}}");
	finish(h);
}
END_TEST

START_TEST(no_event_is_late_by_the_earliest_watermark)
{
	struct leat_harness *h = leat_harness_create("join", KEY "match: asof\nbefore: 1h\nallow: 5s");

	leat_harness_set_watermark(h, INT64_MIN + 1);
	push(h, "right", 10, "{\"order\":1}");
	push(h, "right", 11, "{\"order\":1,\"n\":2}");
	push(h, "left", 10, "{\"id\":1}");
	leat_harness_end(h);
	expect(h, "out", "{\"left\":{\"id\":1},\"right\":{\"order\":1}}");
	finish(h);
}
END_TEST

/* ---- against a naive computation ----------------------------------------------------------------------------------- */

enum { EVENTS = 120, LINES = EVENTS * EVENTS, KEYS = 4 };

struct event {
	int n, key; /* key: KEYS is null */
	int64_t time;
	bool is_right;
};

struct model {
	const char *kind;
	bool is_asof;
	int64_t before, after, allow;
	struct event event[EVENTS]; /* those that were not late */
	int n;
	char *line[LINES];
	size_t n_lines;
};

static void add_line(struct model *m, const struct event *left, const struct event *right)
{
	char text[64];

	ck_assert_uint_lt(m->n_lines, LINES);
	(void)snprintf(text, sizeof text, "%d %d", left == NULL ? -1 : left->n, right == NULL ? -1 : right->n);
	m->line[m->n_lines++] = strdup(text);
}

static bool is_pair(const struct model *m, const struct event *l, const struct event *r)
{
	return !l->is_right && r->is_right && l->key == r->key && l->key < KEYS && r->time >= l->time - m->before &&
	       r->time <= l->time + m->after;
}

static void compute_intervals(struct model *m)
{
	for (int i = 0; i < m->n; i++) {
		const struct event *e = &m->event[i];
		bool is_alone = true;

		for (int k = 0; k < m->n; k++) {
			const struct event *other = &m->event[k];

			if (is_pair(m, e, other))
				add_line(m, e, other);
			if (is_pair(m, e, other) || is_pair(m, other, e))
				is_alone = false;
		}
		if (is_alone && !e->is_right && strcmp(m->kind, "inner") != 0)
			add_line(m, e, NULL);
		if (is_alone && e->is_right && strcmp(m->kind, "outer") == 0)
			add_line(m, NULL, e);
	}
}

static void compute_latest(struct model *m)
{
	for (int i = 0; i < m->n; i++) {
		const struct event *l = &m->event[i], *best = NULL;

		for (int k = 0; k < m->n; k++)
			if (is_pair(m, l, &m->event[k]) && (best == NULL || m->event[k].time >= best->time))
				best = &m->event[k];
		if (!l->is_right && (best != NULL || strcmp(m->kind, "inner") != 0))
			add_line(m, l, best);
	}
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int number_of(const char *json, const char *side)
{
	const char *at = strstr(json, side);

	ck_assert_ptr_nonnull(at);
	at += strlen(side);
	return strncmp(at, "null", 4) == 0 ? -1 : atoi(strstr(at, "\"n\":") + 4);
}

/* What came out so far. No result may be older than the watermark was when it came out, or it would be late behind us. */
static void collect(struct leat_harness *h, struct model *m, int64_t watermark)
{
	const char *found;

	while ((found = leat_harness_pull(h, "out")) != NULL) {
		struct event left = { .n = number_of(found, "\"left\":") }, right = { .n = number_of(found, "\"right\":") };

		ck_assert_int_ge(leat_harness_pulled_time(h), watermark - m->allow);
		add_line(m, left.n < 0 ? NULL : &left, right.n < 0 ? NULL : &right);
	}
}

static void expect_same(struct model *a, struct model *b)
{
	qsort(a->line, a->n_lines, sizeof *a->line, compare_lines);
	qsort(b->line, b->n_lines, sizeof *b->line, compare_lines);
	for (size_t i = 0; i < a->n_lines && i < b->n_lines; i++)
		ck_assert_str_eq(a->line[i], b->line[i]);
	ck_assert_uint_eq(a->n_lines, b->n_lines);
	for (size_t i = 0; i < a->n_lines; i++) {
		free(a->line[i]);
		free(b->line[i]);
	}
}

/* Random events, some of them late, as the watermark goes on in steps. */
static void run_case(struct leat_harness *h, struct model *m, struct model *came, uint64_t *random)
{
	int64_t watermark = INT64_MIN, now = 1000;

	for (int i = 0; i < EVENTS; i++) {
		struct event e = { .n = i, .key = (int)random_below(random, KEYS + 1), .is_right = random_below(random, 2) };
		char json[96], key[16] = "null";

		now += (int64_t)random_below(random, 6);
		e.time = now - (int64_t)random_below(random, 20);
		if (e.key < KEYS)
			(void)snprintf(key, sizeof key, "%d", e.key);
		(void)snprintf(json, sizeof json, "{\"%s\":%s,\"n\":%d}", e.is_right ? "order" : "id", key, i);
		leat_harness_set_input(h, e.is_right ? "right" : "left");
		ck_assert_int_eq(leat_harness_push_at(h, e.time, json), LEAT_OK);
		if (watermark == INT64_MIN || e.time >= watermark - m->allow)
			m->event[m->n++] = e;
		collect(h, came, watermark == INT64_MIN ? 0 : watermark);
		if (random_below(random, 4) == 0) {
			int64_t before = watermark == INT64_MIN ? 0 : watermark;

			watermark = now - 15 > before ? now - 15 : before;
			leat_harness_set_watermark(h, watermark);
			collect(h, came, before);
		}
	}
	leat_harness_end(h);
	collect(h, came, watermark);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
}

static void check_cases(bool is_asof, const char *const *kinds)
{
	static struct model m, came;
	uint64_t random = 7;

	for (int i = 0; i < 60; i++) {
		char options[160];
		struct leat_harness *h;

		m = (struct model){ .kind = kinds[i % (is_asof ? 2 : 3)], .is_asof = is_asof };
		m.before = (int64_t)random_below(&random, 15) + is_asof;
		m.after = is_asof ? 0 : (int64_t)random_below(&random, 15);
		m.allow = i % 4 == 0 ? (int64_t)random_below(&random, 10) : 0;
		came = m;
		(void)snprintf(options, sizeof options, KEY "match: %s\nkind: %s\nbefore: %dus\nafter: %dus\nallow: %dus",
		               is_asof ? "asof" : "interval", m.kind, (int)m.before, (int)m.after, (int)m.allow);
		h = leat_harness_create("join", options);
		run_case(h, &m, &came, &random);
		if (is_asof)
			compute_latest(&m);
		else
			compute_intervals(&m);
		expect_same(&m, &came);
		leat_harness_destroy(h);
	}
}

START_TEST(interval_joins_agree_with_a_naive_computation)
{
	check_cases(false, (const char *const[]){ "inner", "left", "outer" });
}
END_TEST

START_TEST(as_of_joins_agree_with_a_naive_computation)
{
	check_cases(true, (const char *const[]){ "inner", "left" });
}
END_TEST

/* ---- options ------------------------------------------------------------------------------------------------------- */

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("join", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_cannot_be_are_refused)
{
	expect_refused(KEY "match: asof", "\"match: asof\" needs \"before\": how old the right event may be, which bounds what is kept");
	expect_refused(KEY "match: asof\nbefore: 1s\nafter: 1s", "only \"match: interval\" looks at right events after the left one");
	expect_refused(KEY "match: asof\nbefore: 1s\nkind: outer", "\"kind: outer\" needs \"match: interval\"");
	expect_refused(KEY "match: table\nkind: outer", "\"kind: outer\" needs \"match: interval\"");
	expect_refused(KEY "match: table\nbefore: 1s", "a table has no times");
	expect_refused(KEY "match: table\nallow: 1s", "a table has no times");
	expect_refused(KEY "before: 1s\nkeep: 1h", "only \"match: table\" has a table");
	expect_refused(KEY "before: 1s\ndeleted: op == 1", "only \"match: table\" has a table");
	expect_refused(KEY "before: 1s\nleft_as: x\nright_as: x", "both events would get into one field");
	expect_refused(KEY "before: 9999d", "before");
	expect_refused("key: {left: [a, b], right: c}\nbefore: 1s",
	               "operator \"op\" needs 2 key fields for its input \"right\", as for \"left\", not 1");
}
END_TEST

int main(void)
{
	return leat_test_main("join", (const TTest *[]){ events_meet_within_the_interval_and_both_ends_count,
	                                                 of_a_left_join_those_that_met_none_come_out_when_none_can_come,
	                                                 of_an_outer_join_both_sides_come_out_in_the_order_of_time,
	                                                 late_events_are_set_apart_and_those_that_are_allowed_take_part,
	                                                 a_null_key_meets_none_not_even_another,
	                                                 results_are_named_as_asked_for,
	                                                 what_has_no_time_or_no_fields_is_a_dead_letter,
	                                                 as_of_takes_the_latest_that_is_not_after_it,
	                                                 as_of_keeps_of_the_past_only_the_latest,
	                                                 a_table_has_what_came_last_for_a_key,
	                                                 a_row_that_nothing_changes_is_forgotten_after_a_while,
	                                                 as_of_finds_what_it_needs_though_its_timer_fires_late,
	                                                 interval_joins_are_the_same_though_their_timer_fires_late,
	                                                 no_event_is_late_by_the_earliest_watermark,
	                                                 interval_joins_agree_with_a_naive_computation,
	                                                 as_of_joins_agree_with_a_naive_computation,
	                                                 options_that_cannot_be_are_refused,
	                                                 NULL });
}
