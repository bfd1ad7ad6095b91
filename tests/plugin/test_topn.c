/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/random.h"
#include "unit/unit.h"

static void expect(struct leat_harness *h, const char *event, const char *const *rows)
{
	const char *found;

	leat_harness_push(h, event);
	for (size_t i = 0; rows[i] != NULL; i++) {
		found = leat_harness_pull(h, "out");
		ck_assert_msg(found != NULL, "%s: nothing came, expected %s", event, rows[i]);
		ck_assert_str_eq(found, rows[i]);
	}
	found = leat_harness_pull(h, "out");
	ck_assert_msg(found == NULL, "%s: %s came as well", event, found);
}

#define ROWS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING ((const char *const[]){ NULL })

START_TEST(each_rank_that_changes_is_told)
{
	struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v\nof: u\nn: 3");

	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":5}", ROWS("{\"k\":1,\"rank\":1,\"item\":\"a\",\"value\":5}"));
	expect(h, "{\"k\":1,\"u\":\"b\",\"v\":3}", ROWS("{\"k\":1,\"rank\":2,\"item\":\"b\",\"value\":3}"));
	expect(h, "{\"k\":1,\"u\":\"c\",\"v\":9}",
	       ROWS("{\"k\":1,\"rank\":1,\"item\":\"c\",\"value\":9}", "{\"k\":1,\"rank\":2,\"item\":\"a\",\"value\":5}",
	            "{\"k\":1,\"rank\":3,\"item\":\"b\",\"value\":3}"));
	/* Below the last, of another key, no more than before. */
	expect(h, "{\"k\":1,\"u\":\"d\",\"v\":1}", NOTHING);
	expect(h, "{\"k\":2,\"u\":\"d\",\"v\":1}", ROWS("{\"k\":2,\"rank\":1,\"item\":\"d\",\"value\":1}"));
	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":2}", NOTHING);
	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":5}", NOTHING);
	/* In its place, upwards, and one that comes in from below. */
	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":6}", ROWS("{\"k\":1,\"rank\":2,\"item\":\"a\",\"value\":6}"));
	expect(h, "{\"k\":1,\"u\":\"b\",\"v\":7}",
	       ROWS("{\"k\":1,\"rank\":2,\"item\":\"b\",\"value\":7}", "{\"k\":1,\"rank\":3,\"item\":\"a\",\"value\":6}"));
	expect(h, "{\"k\":1,\"u\":\"d\",\"v\":8}",
	       ROWS("{\"k\":1,\"rank\":2,\"item\":\"d\",\"value\":8}", "{\"k\":1,\"rank\":3,\"item\":\"b\",\"value\":7}"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(of_equal_ones_the_first_to_come_stays_before)
{
	struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v\nof: u\nn: 2");

	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":5}", ROWS("{\"k\":1,\"rank\":1,\"item\":\"a\",\"value\":5}"));
	expect(h, "{\"k\":1,\"u\":\"b\",\"v\":5.0}", ROWS("{\"k\":1,\"rank\":2,\"item\":\"b\",\"value\":5}"));
	expect(h, "{\"k\":1,\"u\":\"c\",\"v\":5}", NOTHING);
	leat_harness_destroy(h);
}
END_TEST

START_TEST(without_of_each_event_has_a_rank)
{
	struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v * 2\nn: 2");

	expect(h, "{\"k\":1,\"v\":5}", ROWS("{\"k\":1,\"v\":5,\"rank\":1}"));
	expect(h, "{\"k\":1,\"v\":5}", ROWS("{\"k\":1,\"v\":5,\"rank\":2}"));
	expect(h, "{\"k\":1,\"v\":7}", ROWS("{\"k\":1,\"v\":7,\"rank\":1}", "{\"k\":1,\"v\":5,\"rank\":2}"));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(the_whole_ranking_comes_as_a_list)
{
	struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v\nof: u\nn: 2\nemit: list");

	expect(h, "{\"k\":1,\"u\":\"a\",\"v\":5}", ROWS("{\"k\":1,\"ranking\":[{\"item\":\"a\",\"value\":5}]}"));
	expect(h, "{\"k\":1,\"u\":\"b\",\"v\":6}",
	       ROWS("{\"k\":1,\"ranking\":[{\"item\":\"b\",\"value\":6},{\"item\":\"a\",\"value\":5}]}"));
	expect(h, "{\"k\":1,\"u\":\"c\",\"v\":4}", NOTHING);
	leat_harness_destroy(h);
	h = leat_harness_create("topn", "key: [k, l.m]\nby: v\nn: 1\nemit: list");
	expect(h, "{\"k\":1,\"l\":{\"m\":2},\"v\":5}", ROWS("{\"k\":1,\"m\":2,\"ranking\":[{\"k\":1,\"l\":{\"m\":2},\"v\":5}]}"));
	leat_harness_destroy(h);
}
END_TEST

static void expect_dead(struct leat_harness *h, const char *event, const char *reason)
{
	const char *found;

	expect(h, event, NOTHING);
	found = leat_harness_pull(h, "dead");
	ck_assert_msg(found != NULL && strstr(found, reason) != NULL, "%s: %s", event, found);
}

START_TEST(what_cannot_be_ranked_is_a_dead_letter)
{
	struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v\nof: u\nn: 3");

	expect_dead(h, "{\"k\":1,\"u\":\"a\"}", "what the event is ranked by is missing or null");
	expect_dead(h, "{\"k\":1,\"u\":\"a\",\"v\":\"x\"}", "what the event is ranked by is neither a number nor a time");
	expect_dead(h, "{\"k\":1,\"u\":\"a\",\"v\":1e999}", "what the event is ranked by is no finite number");
	expect_dead(h, "{\"k\":1,\"v\":1}", "field \\\"u\\\" is missing or null");
	expect_dead(h, "{\"k\":1,\"u\":[1],\"v\":1}", "field \\\"u\\\" is a list, which cannot be told from others");
	expect_dead(h, "{\"u\":1,\"v\":1}", "");
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("topn", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_cannot_be_are_refused)
{
	expect_refused("key: k", "by");
	expect_refused("key: k\nby: v\nn: 0", "an integer from 1 to 1000");
	expect_refused("key: rank\nby: v\nof: u", "rows have a field of that name besides");
	expect_refused("key: ranking\nby: v\nemit: list", "rows have a field of that name besides");
	expect_refused("key: [a.id, b.id]\nby: v\nof: u", "two fields of a row would have the name \"b.id\"");
	expect_refused("key: [a.id, b.id]\nby: v\nemit: list", "two fields of a row would have the name \"b.id\"");
	expect_refused("key: k\nby: v +", "by");
}
END_TEST

/* ---- against everything that ever came -------------------------------------------------------------------------------- */

enum { ITEMS = 12, RANKS = 4 };

struct model {
	int value[ITEMS]; /* the largest, or -1 */
	int since[ITEMS]; /* when it was reached */
};

static void print_model(const struct model *m, char *out)
{
	bool is_used[ITEMS] = { false };

	out += sprintf(out, "[");
	for (int rank = 0; rank < RANKS; rank++) {
		int best = -1;

		for (int i = 0; i < ITEMS; i++)
			if (!is_used[i] && m->value[i] >= 0 &&
			    (best < 0 || m->value[i] > m->value[best] || (m->value[i] == m->value[best] && m->since[i] < m->since[best])))
				best = i;
		if (best < 0)
			break;
		is_used[best] = true;
		out += sprintf(out, "%s{\"item\":%d,\"value\":%d}", rank > 0 ? "," : "", best, m->value[best]);
	}
	(void)sprintf(out, "]");
}

START_TEST(rankings_are_those_of_all_events)
{
	uint64_t random = 17;

	for (int round = 0; round < 50; round++) {
		struct leat_harness *h = leat_harness_create("topn", "key: k\nby: v\nof: u\nn: 4\nemit: list");
		char before[512] = "[]", now[512], event[64], row[600];
		struct model m;

		memset(&m, -1, sizeof m);
		for (int i = 0; i < 100; i++) {
			int item = (int)random_below(&random, ITEMS), value = (int)random_below(&random, 20);

			if (value > m.value[item]) {
				m.value[item] = value;
				m.since[item] = i;
			}
			(void)snprintf(event, sizeof event, "{\"k\":1,\"u\":%d,\"v\":%d}", item, value);
			print_model(&m, now);
			(void)snprintf(row, sizeof row, "{\"k\":1,\"ranking\":%s}", now);
			expect(h, event, strcmp(now, before) == 0 ? NOTHING : ROWS(row));
			(void)snprintf(before, sizeof before, "%s", now);
		}
		leat_harness_destroy(h);
	}
}
END_TEST

int main(void)
{
	return leat_test_main("topn", (const TTest *[]){ each_rank_that_changes_is_told,
	                                                 of_equal_ones_the_first_to_come_stays_before,
	                                                 without_of_each_event_has_a_rank,
	                                                 the_whole_ranking_comes_as_a_list,
	                                                 what_cannot_be_ranked_is_a_dead_letter,
	                                                 options_that_cannot_be_are_refused,
	                                                 rankings_are_those_of_all_events,
	                                                 NULL });
}
