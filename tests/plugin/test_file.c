/* SPDX-License-Identifier: Apache-2.0 */
/* The file source and sink on real files: ends of lines, renames, cuts, rotation, a full disk. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/memory.h"
#include "plugin/ends.h"
#include "unit/unit.h"

static char folder[64];

static void enter_folder(void)
{
	(void)snprintf(folder, sizeof folder, "/tmp/leat-test-file-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void leave_folder(void)
{
	static const char *const names[] = { "in", "in.1", "in.2", "out", "out.1", "out.2", "out.3", "a.jsonl", "b.jsonl" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(names[i]);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}

static void write_file(const char *name, const char *mode, const char *text)
{
	FILE *out = fopen(name, mode);

	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	ck_assert_int_eq(fclose(out), 0);
}

static char *read_file(const char *name)
{
	static char text[65536];
	FILE *in = fopen(name, "r");
	size_t n;

	ck_assert_msg(in != NULL, "no file %s", name);
	n = fread(text, 1, sizeof text - 1, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

static struct leat_ends *open_source(const char *more)
{
	char *options = leat_format_text("    path: %s/in\n%s", folder, more);
	struct leat_ends *ends = leat_ends_source("file", options);

	free(options);
	ck_assert_uint_eq(leat_ends_partitions(ends), 1);
	return ends;
}

static void expect_rest(struct leat_ends *ends, const char *expected)
{
	char *found = leat_ends_read_all(ends, 4096);

	ck_assert_str_eq(found, expected);
	free(found);
}

/* ---- source ------------------------------------------------------------------------------------------------------ */

START_TEST(each_line_is_an_event_also_the_last_without_a_newline)
{
	struct leat_ends *ends;

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n\n{\"a\":2}\r\n   \n{\"a\":3}");
	ends = open_source("");
	ck_assert_int_eq(leat_ends_check(ends), LEAT_OK);
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	ck_assert_int_eq(leat_ends_lag(ends), -1);
	ck_assert_int_eq(leat_ends_poll(ends, 4096), LEAT_OK);
	ck_assert_str_eq(leat_ends_pull(ends), "{\"a\":1}");
	ck_assert_str_eq(leat_ends_pull(ends), "{\"a\":2}");
	ck_assert_ptr_null(leat_ends_pull(ends));
	ck_assert_int_eq(leat_ends_next(ends), 18);
	ck_assert_int_ge(leat_ends_lag(ends), 1);
	ck_assert_int_eq(leat_ends_poll(ends, 4096), LEAT_OK);
	ck_assert_str_eq(leat_ends_pull(ends), "{\"a\":3}");
	ck_assert_int_eq(leat_ends_next(ends), 29);
	ck_assert_int_eq(leat_ends_lag(ends), 0);
	ck_assert_int_eq(leat_ends_poll(ends, 4096), LEAT_END);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(it_goes_on_from_a_position_in_the_same_file_only)
{
	struct leat_ends *ends;
	char note[56];

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
	ends = open_source("");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	(void)snprintf(note, sizeof note, "%s", leat_ends_commit(ends, 8));
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, note), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	/* Another file of that name. */
	ck_assert_int_eq(rename("in", "in.1"), 0);
	write_file("in", "w", "{\"b\":1}\n{\"b\":2}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, note), LEAT_OK);
	expect_rest(ends, "{\"b\":1}\n{\"b\":2}\n");
	/* The same file, shorter than it was. */
	ck_assert_int_eq(leat_ends_open(ends, 0, 99, leat_ends_commit(ends, 99)), LEAT_OK);
	expect_rest(ends, "{\"b\":1}\n{\"b\":2}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_followed_file_is_waited_for_and_half_a_line_is_no_event)
{
	struct leat_ends *ends;

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n{\"a\"");
	ends = open_source("    follow: true\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n");
	ck_assert_int_gt(leat_ends_wait(ends), 0);
	write_file("in", "a", ":2}\n{\"a\":3}\n");
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	/* Cut short, as `>file` does. */
	write_file("in", "w", "{\"c\":1}\n");
	expect_rest(ends, "");
	expect_rest(ends, "{\"c\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_renamed_file_is_read_to_its_end_and_left_when_it_is_committed)
{
	struct leat_ends *ends;
	char old_note[56];

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n");
	ends = open_source("    follow: true\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n");
	ck_assert_int_eq(rename("in", "in.1"), 0);
	write_file("in.1", "a", "{\"a\":2}\n{\"a\":3}");
	write_file("in", "w", "{\"b\":1}\n");
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	expect_rest(ends, "");
	(void)snprintf(old_note, sizeof old_note, "%s", leat_ends_commit(ends, 23));
	expect_rest(ends, "");
	expect_rest(ends, "{\"b\":1}\n");
	ck_assert_int_eq(leat_ends_next(ends), 8);
	ck_assert_str_ne(leat_ends_commit(ends, 8), old_note);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_line_that_is_too_long_is_one_dead_letter_and_the_next_is_read)
{
	static char line[6000];
	struct leat_ends *ends;
	char *found;

	enter_folder();
	memset(line, 'x', sizeof line - 1);
	write_file("in", "w", "{\"a\":1}\n\"");
	write_file("in", "a", line);
	write_file("in", "a", "\"\n{\"a\":2}\n\"");
	write_file("in", "a", line);
	ends = open_source("    longest: 1KiB\n");
	for (size_t max_bytes = 1; max_bytes < 100000; max_bytes *= 10) {
		ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
		found = leat_ends_read_all(ends, max_bytes);
		ck_assert_ptr_eq(strstr(found, "{\"a\":1}\n"), found);
		ck_assert_ptr_nonnull(strstr(found, "{\"a\":2}\n"));
		ck_assert_ptr_nonnull(strstr(found, "dead: "));
		ck_assert_ptr_nonnull(strstr(strstr(found, "dead: ") + 1, "dead: "));
		ck_assert_ptr_null(strstr(strstr(strstr(found, "dead: ") + 1, "dead: ") + 1, "dead: "));
		free(found);
	}
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(every_file_of_a_pattern_is_a_partition)
{
	struct leat_ends *ends;
	char *options;

	enter_folder();
	write_file("b.jsonl", "w", "{\"b\":1}\n");
	options = leat_format_text("    path: \"%s/*.jsonl\"\n    follow: true\n", folder);
	ends = leat_ends_source("file", options);
	ck_assert_uint_eq(leat_ends_partitions(ends), 1);
	write_file("a.jsonl", "w", "{\"a\":1}\n");
	ck_assert_uint_eq(leat_ends_partitions(ends), 2);
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"b\":1}\n");
	ck_assert_int_eq(leat_ends_open(ends, 1, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n");
	free(options);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_file_that_is_not_there_is_named)
{
	struct leat_ends *ends;
	char *expected;

	enter_folder();
	expected = leat_format_text("cannot open file \"%s/in\": No such file or directory", folder);
	ends = open_source("");
	ck_assert_int_eq(leat_ends_check(ends), LEAT_FATAL);
	ck_assert_str_eq(leat_ends_error(ends)->text, expected);
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_FATAL);
	leat_ends_destroy(ends);
	ends = open_source("    follow: true\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_RETRY);
	leat_ends_destroy(ends);
	free(expected);
	leave_folder();
}
END_TEST

/* ---- sink -------------------------------------------------------------------------------------------------------- */

static struct leat_ends *open_sink(const char *more)
{
	char *options = leat_format_text("    path: %s/out\n%s", folder, more);
	struct leat_ends *ends = leat_ends_sink("file", options);

	free(options);
	return ends;
}

static enum leat_status deliver(struct leat_ends *ends, const char *first, const char *second)
{
	return leat_ends_deliver(ends, (const char *const[]){ first, second, NULL });
}

START_TEST(events_are_lines_whatever_they_looked_like)
{
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("    sync: true\n");
	ck_assert_int_ne(access("out", F_OK), 0);
	ck_assert_int_eq(deliver(ends, "{\"a\": 1.50}", "{\n  \"b\": [1,\r\n 2]\n}"), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"a\": 1.50}\n{   \"b\": [1,   2] }\n");
	ck_assert_int_eq(deliver(ends, "{\"c\":1}", NULL), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"a\": 1.50}\n{   \"b\": [1,   2] }\n{\"c\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_line_that_a_crash_cut_off_is_closed)
{
	struct leat_ends *ends;

	enter_folder();
	write_file("out", "w", "{\"a\":1}\n{\"b\"");
	ends = open_sink("");
	ck_assert_int_eq(deliver(ends, "{\"c\":1}", NULL), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"a\":1}\n{\"b\"\n{\"c\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(files_are_rotated_by_size_and_the_oldest_go)
{
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("    rotate_size: 20\n    rotate_keep: 2\n");
	for (int i = 0; i < 7; i++) {
		char event[32];

		(void)snprintf(event, sizeof event, "{\"n\":%d}", i);
		ck_assert_int_eq(deliver(ends, event, NULL), LEAT_OK);
	}
	ck_assert_str_eq(read_file("out"), "{\"n\":6}\n");
	ck_assert_str_eq(read_file("out.1"), "{\"n\":4}\n{\"n\":5}\n");
	ck_assert_str_eq(read_file("out.2"), "{\"n\":2}\n{\"n\":3}\n");
	ck_assert_int_ne(access("out.3", F_OK), 0);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(files_are_rotated_by_age)
{
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("    rotate_age: 1h\n");
	ck_assert_int_eq(deliver(ends, "{\"n\":1}", NULL), LEAT_OK);
	leat_ends_set_time(ends, INT64_C(1000000000000000) + INT64_C(3599000000));
	ck_assert_int_eq(deliver(ends, "{\"n\":2}", NULL), LEAT_OK);
	leat_ends_set_time(ends, INT64_C(1000000000000000) + INT64_C(3600000000));
	ck_assert_int_eq(deliver(ends, "{\"n\":3}", NULL), LEAT_OK);
	ck_assert_str_eq(read_file("out.1"), "{\"n\":1}\n{\"n\":2}\n");
	ck_assert_str_eq(read_file("out"), "{\"n\":3}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_file_that_somebody_moved_away_is_made_anew)
{
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("");
	ck_assert_int_eq(deliver(ends, "{\"n\":1}", NULL), LEAT_OK);
	ck_assert_int_eq(rename("out", "out.1"), 0);
	ck_assert_int_eq(deliver(ends, "{\"n\":2}", NULL), LEAT_OK);
	ck_assert_str_eq(read_file("out.1"), "{\"n\":1}\n");
	ck_assert_str_eq(read_file("out"), "{\"n\":2}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_delivery_that_does_not_fit_leaves_nothing_behind)
{
	/* RLIMIT_FSIZE is as good as a full disk: a part is written, then an error. Check runs each test in its own process. */
	struct rlimit limit = { 12, 12 };
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("");
	ck_assert_int_eq(deliver(ends, "{\"n\":1}", NULL), LEAT_OK);
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(deliver(ends, "{\"n\":2}", "{\"n\":3}"), LEAT_RETRY);
	ck_assert_int_eq(leat_ends_error(ends)->code, EFBIG);
	ck_assert_ptr_nonnull(strstr(leat_ends_error(ends)->text, "could not write to file"));
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_waited_for)
{
	struct leat_ends *ends;

	enter_folder();
	ends = open_sink("");
	leave_folder();
	ck_assert_int_eq(deliver(ends, "{\"n\":1}", NULL), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_ends_error(ends)->text, "could not open file"));
	leat_ends_destroy(ends);
}
END_TEST

int main(void)
{
	return leat_test_main("file", (const TTest *[]){ each_line_is_an_event_also_the_last_without_a_newline,
	                                                 it_goes_on_from_a_position_in_the_same_file_only,
	                                                 a_followed_file_is_waited_for_and_half_a_line_is_no_event,
	                                                 a_renamed_file_is_read_to_its_end_and_left_when_it_is_committed,
	                                                 a_line_that_is_too_long_is_one_dead_letter_and_the_next_is_read,
	                                                 every_file_of_a_pattern_is_a_partition,
	                                                 a_file_that_is_not_there_is_named,
	                                                 events_are_lines_whatever_they_looked_like,
	                                                 a_line_that_a_crash_cut_off_is_closed,
	                                                 files_are_rotated_by_size_and_the_oldest_go,
	                                                 files_are_rotated_by_age,
	                                                 a_file_that_somebody_moved_away_is_made_anew,
	                                                 a_delivery_that_does_not_fit_leaves_nothing_behind,
	                                                 a_folder_that_is_not_there_is_waited_for,
	                                                 NULL });
}
