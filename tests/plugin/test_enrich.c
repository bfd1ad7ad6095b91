/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static char path[64];

static void write_file(const char *text, size_t n)
{
	FILE *out;

	(void)strcpy(path, "/tmp/leat_test_enrich_XXXXXX");
	out = fdopen(mkstemp(path), "w");
	ck_assert_ptr_nonnull(out);
	ck_assert_uint_eq(fwrite(text, 1, n, out), n);
	ck_assert_int_eq(fclose(out), 0);
}

static struct leat_harness *create(const char *text, const char *options)
{
	char all[512];

	write_file(text, strlen(text));
	(void)snprintf(all, sizeof all, "file: %s\n%s", path, options);
	return leat_harness_create("enrich", all);
}

static void expect(struct leat_harness *h, const char *event, const char *expected)
{
	const char *found;

	ck_assert_int_eq(leat_harness_push(h, event), LEAT_OK);
	found = leat_harness_pull(h, "out");
	if (expected == NULL)
		ck_assert_ptr_null(found);
	else
		ck_assert_str_eq(found, expected);
}

static void finish(struct leat_harness *h)
{
	leat_harness_destroy(h);
	ck_assert_int_eq(unlink(path), 0);
}

START_TEST(an_event_gets_the_columns_of_its_row)
{
	struct leat_harness *h = create("code,name,zone\nDE,Germany,1\nFR,France,\n", "match: {code: country}");

	expect(h, "{\"country\":\"DE\",\"zone\":\"x\"}", "{\"country\":\"DE\",\"zone\":\"1\",\"name\":\"Germany\"}");
	expect(h, "{\"country\":\"FR\"}", "{\"country\":\"FR\",\"name\":\"France\",\"zone\":\"\"}");
	expect(h, "{\"country\":\"XX\"}", "{\"country\":\"XX\",\"name\":null,\"zone\":null}");
	expect(h, "{\"country\":null}", "{\"country\":null,\"name\":null,\"zone\":null}");
	finish(h);
}
END_TEST

START_TEST(a_row_goes_into_a_field_and_its_numbers_are_numbers)
{
	struct leat_harness *h = create("a,b,n,r,t\n1,x,7,1.50,7a\n2,x,8,-1e3,\n",
	                                "match: {a: id, b: lower(kind)}\ncolumns: [t, r, n]\ninto: row\nnumbers: true");

	expect(h, "{\"id\":1,\"kind\":\"X\"}", "{\"id\":1,\"kind\":\"X\",\"row\":{\"t\":\"7a\",\"r\":1.50,\"n\":7}}");
	expect(h, "{\"id\":\"2\",\"kind\":\"x\"}", "{\"id\":\"2\",\"kind\":\"x\",\"row\":{\"t\":\"\",\"r\":-1e3,\"n\":8}}");
	expect(h, "{\"id\":3,\"kind\":\"x\"}", "{\"id\":3,\"kind\":\"x\",\"row\":null}");
	finish(h);
}
END_TEST

START_TEST(what_an_event_without_a_row_gets_is_an_option)
{
	struct leat_harness *h = create("a\tb\n1\t2\n", "match: {a: id}\nseparator: tab\nmissing: reject");
	const char *dead;

	expect(h, "{\"id\":1}", "{\"id\":1,\"b\":\"2\"}");
	expect(h, "{\"id\":2}", NULL);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "there is no row in"));
	expect(h, "7", NULL);
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "the event has no fields"));
	finish(h);
	h = create("a;b\n1;2\n", "match: {a: id}\nseparator: semicolon\nmissing: drop");
	expect(h, "{\"id\":1}", "{\"id\":1,\"b\":\"2\"}");
	expect(h, "{\"id\":2}", NULL);
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
	finish(h);
}
END_TEST

START_TEST(values_are_quoted_as_rfc_4180_has_it)
{
	struct leat_harness *h = create("\xef\xbb\xbf\"a\",b\r\n1,\"x, \"\"y\"\"\nz\"\r\n\r\n\"2\",\r\n3,\"\"", "match: {a: id}");

	expect(h, "{\"id\":1}", "{\"id\":1,\"b\":\"x, \\\"y\\\"\\nz\"}");
	expect(h, "{\"id\":2}", "{\"id\":2,\"b\":\"\"}");
	expect(h, "{\"id\":3}", "{\"id\":3,\"b\":\"\"}");
	finish(h);
}
END_TEST

static void expect_refused(const char *text, size_t n, const char *options, const char *expected)
{
	char all[512], *found;

	write_file(text, n);
	(void)snprintf(all, sizeof all, "file: %s\n%s", path, options);
	found = leat_harness_refused("enrich", all);
	ck_assert_msg(strstr(found, expected) != NULL, "expected %s, found %s", expected, found);
	free(found);
	(void)unlink(path);
}

#define REFUSED(text_, options_, expected_) expect_refused(text_, sizeof(text_) - 1, options_, expected_)

START_TEST(a_file_that_is_not_as_it_should_be_is_refused_with_the_line)
{
	char *found;

	REFUSED("a,b\n1,2\n\n3\n", "match: {a: id}", ":4: there are 1 values, but 2 columns");
	REFUSED("a,b\n1,2\n2,3\n1,4\n", "match: {a: id}", ":4: the row on line 2 has the same key");
	REFUSED("a,b\n1,\"2\n", "match: {a: id}", ":2: a quote is not closed");
	REFUSED("a,b\n1,\"2\"x\n", "match: {a: id}", ":2: there is something behind a closing quote");
	REFUSED("a,b\n\"1\n1\",2\n2,x\"\n", "match: {a: id}", ":4: there is a quote within a value that does not begin with one");
	REFUSED("", "match: {a: id}", "it is empty, expected a line with the names of the columns");
	REFUSED("a,b\n1,\xff\n", "match: {a: id}", "it is not UTF-8, or has a zero byte in it");
	REFUSED("a,b\n1,\0\n", "match: {a: id}", "it is not UTF-8, or has a zero byte in it");
	REFUSED("a,b\n1,2\n", "match: {c: id}", "has no column \"c\"");
	REFUSED("a,b\n1,2\n", "match: {a: id}\ncolumns: c", "has no column \"c\"");
	found = leat_harness_refused("enrich", "file: /nowhere/x.csv\nmatch: {a: id}");
	ck_assert_ptr_nonnull(strstr(found, "could not open \"/nowhere/x.csv\": No such file or directory"));
	free(found);
	found = leat_harness_refused("enrich", "file: /tmp\nmatch: {a: id}");
	ck_assert_ptr_nonnull(strstr(found, "it is no file"));
	free(found);
}
END_TEST

START_TEST(a_file_without_rows_and_one_with_many_are_read)
{
	size_t n = 0, size = 1 << 21;
	char *text = malloc(size);
	struct leat_harness *h = create("a,b\n", "match: {a: id}");

	expect(h, "{\"id\":1}", "{\"id\":1,\"b\":null}");
	finish(h);
	ck_assert_ptr_nonnull(text);
	n += (size_t)snprintf(text, size, "a,b\n");
	for (int i = 0; i < 50000; i++)
		n += (size_t)snprintf(text + n, size - n, "%d,b%d\n", i, i * 7);
	h = create(text, "match: {a: id}");
	for (int i = 0; i < 50000; i += 13) {
		char event[64], expected[64];

		(void)snprintf(event, sizeof event, "{\"id\":%d}", i);
		(void)snprintf(expected, sizeof expected, "{\"id\":%d,\"b\":\"b%d\"}", i, i * 7);
		expect(h, event, expected);
	}
	expect(h, "{\"id\":50000}", "{\"id\":50000,\"b\":null}");
	finish(h);
	free(text);
}
END_TEST

int main(void)
{
	return leat_test_main("enrich", (const TTest *[]){ an_event_gets_the_columns_of_its_row,
	                                                   a_row_goes_into_a_field_and_its_numbers_are_numbers,
	                                                   what_an_event_without_a_row_gets_is_an_option,
	                                                   values_are_quoted_as_rfc_4180_has_it,
	                                                   a_file_that_is_not_as_it_should_be_is_refused_with_the_line,
	                                                   a_file_without_rows_and_one_with_many_are_read,
	                                                   NULL });
}
