/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/report.h"
#include "unit/unit.h"

static char *printed(struct leat_report *report, void (*print)(struct leat_report *, FILE *))
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	print(report, out);
	(void)fclose(out);
	return text;
}

START_TEST(findings_are_printed_by_file_line_and_column)
{
	struct leat_report *report = leat_report_create();
	char *text;

	leat_report_error(report, (struct leat_place){"b.yaml", 1, 1}, "first of b");
	leat_report_error(report, (struct leat_place){"a.yaml", 10, 2}, "line %d", 10);
	leat_report_warning(report, (struct leat_place){"a.yaml", 9, 7}, "line 9, column 7");
	leat_report_error(report, (struct leat_place){"a.yaml", 9, 5}, "line 9, column 5");
	leat_report_error(report, (struct leat_place){"a.yaml", 0, 0}, "the whole file");
	leat_report_error(report, (struct leat_place){"a.yaml", 9, 5}, "a second one there");
	text = printed(report, leat_report_print);
	ck_assert_str_eq(text, "a.yaml: error: the whole file\n"
	                       "a.yaml:9:5: error: line 9, column 5\n"
	                       "a.yaml:9:5: error: a second one there\n"
	                       "a.yaml:9:7: warning: line 9, column 7\n"
	                       "a.yaml:10:2: error: line 10\n"
	                       "b.yaml:1:1: error: first of b\n");
	free(text);
	leat_report_destroy(report);
	leat_report_destroy(NULL);
}
END_TEST

START_TEST(the_same_finding_counts_once)
{
	struct leat_report *report = leat_report_create();
	char *text;
	int i;

	for (i = 0; i < 3; i++) {
		leat_report_error(report, (struct leat_place){"a.yaml", 1, 1}, "same");
		leat_report_warning(report, (struct leat_place){"a.yaml", 1, 1}, "same");
	}
	leat_report_error(report, (struct leat_place){"a.yaml", 1, 2}, "same");
	ck_assert_uint_eq(leat_report_errors(report), 2);
	text = printed(report, leat_report_print);
	ck_assert_str_eq(text, "a.yaml:1:1: error: same\na.yaml:1:1: warning: same\na.yaml:1:2: error: same\n");
	free(text);
	leat_report_destroy(report);
}
END_TEST

START_TEST(a_long_message_is_kept_whole)
{
	struct leat_report *report = leat_report_create();
	char word[3000], *text;

	memset(word, 'x', sizeof word - 1);
	word[sizeof word - 1] = '\0';
	leat_report_error(report, (struct leat_place){"a", 0, 0}, "%s!", word);
	text = printed(report, leat_report_print);
	ck_assert_uint_eq(strlen(text), strlen("a: error: ") + 2999 + 2);
	free(text);
	leat_report_destroy(report);
}
END_TEST

START_TEST(programs_read_the_report_as_json)
{
	struct leat_report *report = leat_report_create();
	char *text = printed(report, leat_report_print_json);

	ck_assert_str_eq(text, "[]\n");
	free(text);
	leat_report_warning(report, (struct leat_place){"b\\.yaml", 3, 4}, "a \"quoted\"\n\x01 thing");
	leat_report_error(report, (struct leat_place){"a.yaml", 12, 5}, "plain");
	text = printed(report, leat_report_print_json);
	ck_assert_str_eq(text,
	                 "[{\"file\":\"a.yaml\",\"line\":12,\"column\":5,\"severity\":\"error\",\"message\":\"plain\"},\n"
	                 " {\"file\":\"b\\\\.yaml\",\"line\":3,\"column\":4,\"severity\":\"warning\","
	                 "\"message\":\"a \\\"quoted\\\"\\u000a\\u0001 thing\"}]\n");
	free(text);
	leat_report_destroy(report);
}
END_TEST

START_TEST(the_nearest_word_is_found_when_it_is_near_enough)
{
	static const char *const words[] = {"topic", "brokers", "start", "key", "max_bytes", "topics", NULL};
	static const struct {
		const char *word, *nearest;
	} cases[] = {
		{"topc", "topic"},       {"tpoic", "topic"},  {"topicx", "topic"}, {"TOPIC", "topic"}, {"broker", "brokers"},
		{"borkers", "brokers"},  {"strat", "start"},  {"ky", "key"},       {"k", NULL},        {"x", NULL},
		{"", NULL},              {"tables", NULL},    {"tope", NULL},      {"topics", "topics"},
		{"max-bytes", "max_bytes"}, {"maxbyte", "max_bytes"},
		{"a word that is much longer than any option could ever be, sixty-four bytes or more", NULL},
	};
	static const char *const none[] = {NULL};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *nearest = leat_nearest(cases[i].word, words);

		if (cases[i].nearest == NULL)
			ck_assert_msg(nearest == NULL, "%s: %s", cases[i].word, nearest);
		else
			ck_assert_msg(nearest != NULL && strcmp(nearest, cases[i].nearest) == 0, "%s: %s", cases[i].word, nearest ? nearest : "-");
	}
	ck_assert_ptr_null(leat_nearest("topic", none));
}
END_TEST

int main(void)
{
	return leat_test_main("report", (const TTest *[]){
		findings_are_printed_by_file_line_and_column,
		the_same_finding_counts_once,
		a_long_message_is_kept_whole,
		programs_read_the_report_as_json,
		the_nearest_word_is_found_when_it_is_near_enough,
		NULL,
	});
}
