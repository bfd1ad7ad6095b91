/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <leat/buffer.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "graph/file.h"

static struct leat_arena *arena;
static struct leat_report *report;

static const struct leat_setting *parse_bytes(const char *text, size_t n)
{
	arena = leat_arena_create();
	report = leat_report_create();
	return leat_file_parse(arena, "p.yaml", text, n, report);
}

static const struct leat_setting *parse(const char *text)
{
	return parse_bytes(text, strlen(text));
}

static void finish(void)
{
	leat_report_destroy(report);
	leat_arena_unref(arena);
}

static char *findings(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	leat_report_print(report, out);
	(void)fclose(out);
	return text;
}

static void expect_findings(const char *expected)
{
	char *text = findings();

	ck_assert_str_eq(text, expected);
	free(text);
}

static void expect_error(const char *yaml, const char *expected)
{
	ck_assert_ptr_null(parse(yaml));
	expect_findings(expected);
	finish();
}

/* {a@1:1: x@1:4, b: ['quoted', ~]}: values with places if `places`. */
static void dump(FILE *out, const struct leat_setting *s, bool places)
{
	size_t i;

	if (s->kind == LEAT_SETTING_SCALAR)
		(void)fprintf(out, s->text == NULL ? "~" : s->is_quoted ? "'%s'" : "%s", s->text);
	else
		(void)fputc(s->kind == LEAT_SETTING_MAP ? '{' : '[', out);
	for (i = 0; i < s->n; i++) {
		if (i > 0)
			(void)fputs(", ", out);
		if (s->kind == LEAT_SETTING_MAP)
			(void)fputs(s->item[i].name, out);
		if (s->kind == LEAT_SETTING_MAP && places)
			(void)fprintf(out, "@%u:%u", s->item[i].name_place.line, s->item[i].name_place.column);
		if (s->kind == LEAT_SETTING_MAP)
			(void)fputs(": ", out);
		dump(out, &s->item[i], places);
	}
	if (s->kind != LEAT_SETTING_SCALAR)
		(void)fputc(s->kind == LEAT_SETTING_MAP ? '}' : ']', out);
	if (places)
		(void)fprintf(out, "@%u:%u", s->place.line, s->place.column);
}

static void expect_tree(const char *yaml, bool places, const char *expected)
{
	const struct leat_setting *root = parse(yaml);
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	expect_findings("");
	ck_assert_ptr_nonnull(root);
	dump(out, root, places);
	(void)fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
	finish();
}

START_TEST(scalars_lists_and_maps_are_read_in_order)
{
	expect_tree("a: 1\nb: [x, 'y', \"z\"]\nc: {d: ~, e: null, f: , g: 'null'}\n", false,
	            "{a: 1, b: [x, 'y', 'z'], c: {d: ~, e: ~, f: ~, g: 'null'}}");
	expect_tree("text: |\n  one\n  two\n", false, "{text: 'one\ntwo\n'}");
}
END_TEST

START_TEST(names_and_values_have_their_places)
{
	expect_tree("# first\na: 1\nb:\n  - x\n  - {y: z}\n", true,
	            "{a@2:1: 1@2:4, b@3:1: [x@4:5, {y@5:6: z@5:9}@5:5]@4:3}@2:1");
}
END_TEST

START_TEST(columns_count_characters_and_not_bytes)
{
	expect_tree("{\"\xc3\xa4\xc3\xb6\": \"\xe2\x82\xac\", b: c}", true, "{\xc3\xa4\xc3\xb6@1:2: '\xe2\x82\xac'@1:8, b@1:13: c@1:16}@1:1");
}
END_TEST

START_TEST(variables_are_replaced_in_values_only)
{
	(void)setenv("LEAT_T_HOST", "db: [1]", 1);
	(void)setenv("LEAT_T_NOTHING", "", 1);
	(void)unsetenv("LEAT_T_UNSET");
	expect_tree("a: ${LEAT_T_HOST}\n", false, "{a: db: [1]}");
	expect_tree("a: x${LEAT_T_UNSET:127.0.0.1:9092}y\n", false, "{a: x127.0.0.1:9092y}");
	expect_tree("a: ${LEAT_T_UNSET:}\nb: ${LEAT_T_NOTHING:no}\n", false, "{a: , b: }");
	expect_tree("a: \"${LEAT_T_UNSET:5}\"\nb: '5'\n", false, "{a: 5, b: '5'}");
	expect_tree("${LEAT_T_HOST}: a\n", false, "{${LEAT_T_HOST}: a}");
}
END_TEST

START_TEST(two_dollars_are_a_literal_one)
{
	expect_tree("a: $${LEAT_T_UNSET}\nb: $$\nc: $x\n", false, "{a: ${LEAT_T_UNSET}, b: $$, c: $x}");
}
END_TEST

START_TEST(what_a_variable_brings_is_not_looked_at_again)
{
	(void)setenv("LEAT_T_HOST", "${LEAT_T_HOST}", 1);
	expect_tree("a: ${LEAT_T_HOST}\n", false, "{a: ${LEAT_T_HOST}}");
	(void)setenv("LEAT_T_HOST", "null", 1);
	expect_tree("a: ${LEAT_T_HOST}\n", false, "{a: null}"); /* the text, not YAML's null, which dumps as ~ */
}
END_TEST

START_TEST(a_variable_that_is_unset_or_odd_is_an_error_at_its_place)
{
	(void)unsetenv("LEAT_T_UNSET");
	expect_error("a:\n  b: ${LEAT_T_UNSET}/${LEAT_T_UNSET_2}\n",
	             "p.yaml:2:6: error: variable \"LEAT_T_UNSET\" is not set and has no default; write ${LEAT_T_UNSET:default}\n"
	             "p.yaml:2:6: error: variable \"LEAT_T_UNSET_2\" is not set and has no default; write ${LEAT_T_UNSET_2:default}\n");
	expect_error("a: ${9x}\n",
	             "p.yaml:1:4: error: \"${9x}\" is no variable; write ${NAME} or ${NAME:default}, or \"$${\" where none is meant\n");
	expect_error("a: ${x-y}\n",
	             "p.yaml:1:4: error: \"${x-y}\" is no variable; write ${NAME} or ${NAME:default}, or \"$${\" where none is meant\n");
	expect_error("a: ${x\n", "p.yaml:1:4: error: variable \"${x\" has no \"}\"; write \"$${\" where no variable is meant\n");
}
END_TEST

START_TEST(aliases_stand_for_what_their_anchor_names)
{
	expect_tree("a: &x {b: [1, 2]}\nc: *x\nd: [*x]\n", false, "{a: {b: [1, 2]}, c: {b: [1, 2]}, d: [{b: [1, 2]}]}");
	expect_tree("a: &x 1\nb: &x 2\nc: *x\n", true, "{a@1:1: 1@1:4, b@2:1: 2@2:4, c@3:1: 2@3:4}@1:1");
	expect_error("a: *x\n", "p.yaml:1:4: error: alias \"*x\" has no anchor \"&x\" before it\n");
	expect_error("a: &x [*x]\n", "p.yaml:1:8: error: alias \"*x\" has no anchor \"&x\" before it\n");
}
END_TEST

START_TEST(aliases_cannot_unfold_into_more_than_the_limit)
{
	char *text = NULL, *found;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	int i;

	(void)fputs("a0: &a0 [x,x,x,x,x,x,x,x,x]\n", out);
	for (i = 1; i < 12; i++)
		(void)fprintf(out, "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1,
		              i - 1, i - 1, i - 1);
	(void)fclose(out);
	ck_assert_ptr_null(parse(text));
	found = findings();
	ck_assert_str_eq(found, "p.yaml:5:30: error: the file holds more than 50000 values, counting aliases\n");
	free(found);
	free(text);
	finish();
}
END_TEST

START_TEST(nesting_is_bounded_with_aliases_or_without)
{
	char deep[200] = "a: ";

	memset(deep + 3, '[', 40);
	memset(deep + 43, ']', 40);
	expect_error(deep, "p.yaml:1:35: error: nested deeper than 32\n");
	memset(deep, 0, sizeof deep);
	memset(deep, '[', 32);
	memset(deep + 32, ']', 32);
	ck_assert_ptr_nonnull(parse(deep));
	finish();
	expect_error("a: &a [[[[[[[[[[1]]]]]]]]]]\nb: &b [[[[[[[[[[*a]]]]]]]]]]\nc: &c [[[[[[[[[[[*b]]]]]]]]]]]\n",
	             "p.yaml:3:18: error: nested deeper than 32\n");
}
END_TEST

START_TEST(a_name_given_twice_is_an_error_that_names_the_first)
{
	expect_error("a: 1\nb: {c: 1, c: 2}\na: 3\na: 4\n", "p.yaml:2:11: error: \"c\" is given twice, first on line 2\n"
	                                                    "p.yaml:3:1: error: \"a\" is given twice, first on line 1\n"
	                                                    "p.yaml:4:1: error: \"a\" is given twice, first on line 1\n");
}
END_TEST

START_TEST(what_settings_cannot_say_is_refused)
{
	expect_error("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n",
	             "p.yaml:3:3: error: merge key \"<<\" is not supported; write the options out\n");
	expect_error("[a, b]: c\nd: {{e: f}: g}\n", "p.yaml:1:1: error: a name must be a text, not a list\n"
	                                            "p.yaml:2:5: error: a name must be a text, not a map\n");
	expect_error("a: &a 1\n*a : c\n", "p.yaml:2:1: error: a name must be a text, not an alias\n");
	expect_error("a: !!str 5\n", "p.yaml:1:4: error: tag \"tag:yaml.org,2002:str\" is not supported; put a text in quotes instead\n");
	expect_error("a: 1\n---\nb: 2\n", "p.yaml:2:1: error: a file holds one document; a second one begins here\n");
	expect_error("a: \"x\\0y\"\n", "p.yaml:1:4: error: a text cannot hold a zero byte\n");
	expect_error("", "p.yaml: error: the file is empty\n");
	expect_error("# nothing but this\n", "p.yaml: error: the file is empty\n");
}
END_TEST

START_TEST(what_is_not_yaml_is_told_with_its_place)
{
	expect_error("a:\n\tb: c\n", "p.yaml:2:1: error: a tab cannot indent a line; use spaces\n");
	expect_error("a: [1, 2\nb: c\n", "p.yaml:2:2: error: cannot read the file as YAML: did not find expected ',' or ']' while parsing a "
	                                 "flow sequence that begins on line 1\n");
	expect_error("a: b: c\n", "p.yaml:1:5: error: cannot read the file as YAML: mapping values are not allowed in this context\n");
	expect_error("a: 1\nb: x\xff\n", "p.yaml:2:5: error: cannot read the file as UTF-8 text: invalid leading UTF-8 octet\n");
}
END_TEST

START_TEST(mistakes_are_found_all_at_once)
{
	(void)unsetenv("LEAT_T_UNSET");
	expect_error("a: ${LEAT_T_UNSET}\nb: *x\nc: 1\nc: 2\n",
	             "p.yaml:1:4: error: variable \"LEAT_T_UNSET\" is not set and has no default; write ${LEAT_T_UNSET:default}\n"
	             "p.yaml:2:4: error: alias \"*x\" has no anchor \"&x\" before it\n"
	             "p.yaml:4:1: error: \"c\" is given twice, first on line 3\n");
}
END_TEST

START_TEST(a_file_is_read_up_to_a_mebibyte)
{
	char path[] = "/tmp/leat_test_file_XXXXXX";
	int fd = mkstemp(path);
	char *big = leat_allocate_bytes(1024 * 1024 + 1), *expected;

	memset(big, '\n', 1024 * 1024 + 1);
	memcpy(big, "a: 1\n", 5);
	ck_assert_int_eq(write(fd, big, 1024 * 1024), 1024 * 1024);
	arena = leat_arena_create();
	report = leat_report_create();
	ck_assert_ptr_nonnull(leat_file_read(arena, path, report));
	ck_assert_int_eq(write(fd, big, 1), 1);
	ck_assert_ptr_null(leat_file_read(arena, path, report));
	expected = leat_format_text("%s: error: the file is larger than 1048576 bytes\n", path);
	expect_findings(expected);
	free(expected);
	free(big);
	(void)close(fd);
	(void)unlink(path);
	finish();
}
END_TEST

START_TEST(a_file_that_cannot_be_read_says_why)
{
	arena = leat_arena_create();
	report = leat_report_create();
	ck_assert_ptr_null(leat_file_read(arena, "/nowhere/p.yaml", report));
	ck_assert_ptr_null(leat_file_read(arena, "/", report));
	expect_findings("/: error: could not read the file: Is a directory\n"
	                "/nowhere/p.yaml: error: could not read the file: No such file or directory\n");
	finish();
}
END_TEST

int main(void)
{
	return leat_test_main("file", (const TTest *[]){
		scalars_lists_and_maps_are_read_in_order,
		names_and_values_have_their_places,
		columns_count_characters_and_not_bytes,
		variables_are_replaced_in_values_only,
		two_dollars_are_a_literal_one,
		what_a_variable_brings_is_not_looked_at_again,
		a_variable_that_is_unset_or_odd_is_an_error_at_its_place,
		aliases_stand_for_what_their_anchor_names,
		aliases_cannot_unfold_into_more_than_the_limit,
		nesting_is_bounded_with_aliases_or_without,
		a_name_given_twice_is_an_error_that_names_the_first,
		what_settings_cannot_say_is_refused,
		what_is_not_yaml_is_told_with_its_place,
		mistakes_are_found_all_at_once,
		a_file_is_read_up_to_a_mebibyte,
		a_file_that_cannot_be_read_says_why,
		NULL });
}
