/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/harness.h"
#include "unit/unit.h"

#define ORDER "{\"id\":7,\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":\"b\",\"n\":2}],\"by\":{\"name\":\"Ann\",\"at\":{\"x\":1}}}"

/* Expects these events out of a port and no more: texts, NULL at the end. */
static void expect(const char *options, const char *event, const char *port, const char *const *expected)
{
	struct leat_harness *h = leat_harness_create("flatten", options);
	const char *found;

	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	for (; *expected != NULL; expected++) {
		found = leat_harness_pull(h, port);
		ck_assert_msg(found != NULL, "%s: no %s", options, *expected);
		ck_assert_str_eq(found, *expected);
	}
	found = leat_harness_pull(h, port);
	ck_assert_msg(found == NULL, "%s: %s", options, found);
	leat_harness_destroy(h);
}

#define EVENTS(...) ((const char *const[]){ __VA_ARGS__, NULL })

START_TEST(each_item_of_a_list_becomes_an_event)
{
	expect("list: l", "{\"a\":1,\"l\":[2,\"x\",null,[3]]}", "out",
	       EVENTS("{\"a\":1,\"l\":2}", "{\"a\":1,\"l\":\"x\"}", "{\"a\":1,\"l\":null}", "{\"a\":1,\"l\":[3]}"));
	expect("list: l\ninto: item\nindex: i", "{\"l\":[5,6],\"a\":1}", "out",
	       EVENTS("{\"a\":1,\"item\":5,\"i\":0}", "{\"a\":1,\"item\":6,\"i\":1}"));
	expect("list: l\ndrop: true", "{\"l\":[5,6],\"a\":1}", "out", EVENTS("{\"l\":5}", "{\"l\":6}"));
}
END_TEST

START_TEST(a_list_inside_a_map_is_taken_out_of_it)
{
	expect("list: a.b.l", "{\"a\":{\"x\":1,\"b\":{\"l\":[1,2],\"y\":2}}}", "out",
	       EVENTS("{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"l\":1}", "{\"a\":{\"x\":1,\"b\":{\"y\":2}},\"l\":2}"));
}
END_TEST

START_TEST(an_empty_list_goes_apart_or_is_kept_once)
{
	static const char *const empty[] = { "{\"a\":1,\"l\":[]}", "{\"a\":1,\"l\":null}", "{\"a\":1}" };

	for (int i = 0; i < 3; i++) {
		expect("list: l", empty[i], "empty", EVENTS(empty[i]));
		expect("list: l", empty[i], "out", (const char *const[]){ NULL });
		expect("list: l\nempty: keep\nindex: i", empty[i], "out", EVENTS("{\"a\":1,\"l\":null,\"i\":null}"));
		expect("list: l\nempty: keep", empty[i], "empty", (const char *const[]){ NULL });
	}
}
END_TEST

START_TEST(the_fields_of_a_map_come_to_the_top)
{
	expect("map: by", "{\"id\":7,\"by\":{\"name\":\"Ann\",\"id\":8}}", "out", EVENTS("{\"id\":8,\"name\":\"Ann\"}"));
	expect("map: by\nprefix: by_", "{\"id\":7,\"by\":{\"name\":\"Ann\",\"id\":8}}", "out", EVENTS("{\"id\":7,\"by_name\":\"Ann\",\"by_id\":8}"));
	expect("map: by.at\nprefix: at_", ORDER, "out",
	       EVENTS("{\"id\":7,\"lines\":[{\"sku\":\"a\",\"n\":1},{\"sku\":\"b\",\"n\":2}],\"by\":{\"name\":\"Ann\"},\"at_x\":1}"));
	expect("map: by", "{\"id\":7}", "out", EVENTS("{\"id\":7}"));
	expect("map: by", "{\"id\":7,\"by\":null}", "out", EVENTS("{\"id\":7,\"by\":null}"));
}
END_TEST

START_TEST(the_map_may_be_the_item_of_the_list)
{
	expect("list: lines\ninto: line\nindex: number\nmap: line\nprefix: line_", ORDER, "out",
	       EVENTS("{\"id\":7,\"by\":{\"name\":\"Ann\",\"at\":{\"x\":1}},\"number\":0,\"line_sku\":\"a\",\"line_n\":1}",
	              "{\"id\":7,\"by\":{\"name\":\"Ann\",\"at\":{\"x\":1}},\"number\":1,\"line_sku\":\"b\",\"line_n\":2}"));
	expect("list: lines\nmap: lines\ndrop: true", ORDER, "out", EVENTS("{\"sku\":\"a\",\"n\":1}", "{\"sku\":\"b\",\"n\":2}"));
}
END_TEST

static void expect_dead(const char *options, const char *event, const char *reason)
{
	struct leat_harness *h = leat_harness_create("flatten", options);
	const char *dead;

	leat_harness_push(h, event);
	dead = leat_harness_pull(h, "dead");
	ck_assert_msg(dead != NULL && strstr(dead, reason) != NULL, "%s: %s", options, dead);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_destroy(h);
}

START_TEST(what_is_no_list_or_no_map_is_a_dead_letter_whole)
{
	expect_dead("list: l", "{\"l\":7}", "field \\\"l\\\" is no list");
	expect_dead("map: m", "{\"m\":[]}", "field \\\"m\\\" is no map");
	expect_dead("list: l\nmap: l", "{\"l\":[{\"a\":1},2]}", "field \\\"l\\\" is no map");
	expect_dead("list: l", "[1]", "the event has no fields");
}
END_TEST

static void expect_refused(const char *options, const char *expected)
{
	char *text = leat_harness_refused("flatten", options);

	ck_assert_msg(strstr(text, expected) != NULL, "%s: %s", options, text);
	free(text);
}

START_TEST(options_that_have_nothing_to_do_are_refused)
{
	expect_refused("", "flatten has nothing to do, expected list, map or both");
	expect_refused("map: m\ninto: x", "there is no list whose items it could be for");
	expect_refused("map: m\nindex: x", "there is no list whose items it could be for");
	expect_refused("map: m\nempty: keep", "there is no list that could be empty");
	expect_refused("list: l\nprefix: x_", "there is no map whose fields it could be for");
}
END_TEST

int main(void)
{
	return leat_test_main("flatten", (const TTest *[]){ each_item_of_a_list_becomes_an_event,
	                                                    a_list_inside_a_map_is_taken_out_of_it,
	                                                    an_empty_list_goes_apart_or_is_kept_once,
	                                                    the_fields_of_a_map_come_to_the_top,
	                                                    the_map_may_be_the_item_of_the_list,
	                                                    what_is_no_list_or_no_map_is_a_dead_letter_whole,
	                                                    options_that_have_nothing_to_do_are_refused,
	                                                    NULL });
}
