/* SPDX-License-Identifier: Apache-2.0 */
/* The file source and sink on real files: ends of lines, renames, cuts, rotation, a full disk. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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
	static const char *const names[] = { "in", "in.1", "in.2", "out", "out.1", "out.2", "out.3", "out.fence", "out.fence.new",
		                             "out.lock", "a.jsonl", "b.jsonl", "21751.jsonl", "33777.jsonl", "eu/a.jsonl", "eu/b.jsonl",
		                             "eu/c.jsonl" };

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		(void)unlink(names[i]);
	(void)rmdir("eu");
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

/* What follows is in place of libc's, for the plugin: which steps it takes, each with the epoch of the fence by then, and its
 * phase unless that is "steady". Of a sync the file, "." for the folder: "out:1 out.fence.new:1 out.fence.new>out.fence:1 .:2". */
static char steps[4096];

static const char *base_of(const char *path)
{
	return strcmp(path, folder) == 0 ? "." : strrchr(path, '/') == NULL ? path : strrchr(path, '/') + 1;
}

static void note_step(const char *from, const char *to)
{
	char phase[16] = "steady";
	unsigned long epoch = 0;
	size_t n = strlen(steps);
	bool is_steady;

	if (access("out.fence", F_OK) == 0)
		ck_assert_int_eq(sscanf(read_file("out.fence"), "leat-fence 1 %*u %lu %*s %*s %*s %15s", &epoch, phase), 2);
	is_steady = strcmp(phase, "steady") == 0;
	(void)snprintf(steps + n, sizeof steps - n, "%s%s%s%s:%lu%s%s", n == 0 ? "" : " ", base_of(from), to == NULL ? "" : ">",
	               to == NULL ? "" : base_of(to), epoch, is_steady ? "" : ":", is_steady ? "" : phase);
}

static void note_sync(int fd)
{
	char link[64], path[256] = "";

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ck_assert_int_gt(readlink(link, path, sizeof path - 1), 0);
	note_step(path, NULL);
}

__attribute__((visibility("default"))) int fdatasync(int fd)
{
	note_sync(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

__attribute__((visibility("default"))) int fsync(int fd)
{
	note_sync(fd);
	return (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int rename(const char *from, const char *to)
{
	note_step(from, to);
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
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

static void expect_refused(struct leat_ends *ends, int64_t offset, const char *note, const char *part)
{
	ck_assert_int_eq(leat_ends_open(ends, 0, offset, note), LEAT_FATAL);
	ck_assert_msg(strstr(leat_ends_error(ends)->text, part) != NULL, "\"%s\" is not in \"%s\"", part, leat_ends_error(ends)->text);
}

static void keep_note(struct leat_ends *ends, int64_t offset, char note[56])
{
	(void)snprintf(note, 56, "%s", leat_ends_commit(ends, offset));
}

START_TEST(it_goes_on_from_a_position_in_the_same_file_only)
{
	struct leat_ends *ends;
	char note[56];

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
	ends = open_source("");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	keep_note(ends, 8, note);
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, note), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n{\"a\":3}\n");
	/* The note of the last commit may be older than the position. */
	ck_assert_int_eq(leat_ends_open(ends, 0, 16, note), LEAT_OK);
	expect_rest(ends, "{\"a\":3}\n");
	/* The same file, shorter than it was, or with other lines. */
	ck_assert_int_eq(truncate("in", 16), 0);
	expect_refused(ends, 24, note, "in\" has 16 bytes, expected at least 24: it was cut short or replaced");
	expect_refused(ends, 24, NULL, "in\" has 16 bytes, expected at least 24");
	write_file("in", "w", "{\"b\":1}\n{\"b\":2}\n{\"b\":3}\n");
	expect_refused(ends, 16, note, "in\" was cut short or written anew: the lines before byte 8 are not those that were read");
	write_file("in", "w", "");
	expect_refused(ends, 16, note, "in\" was cut short or written anew");
	/* Another file of that name. */
	ck_assert_int_eq(rename("in", "in.1"), 0);
	write_file("in", "w", "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
	expect_refused(ends, 16, note, "in\" is not the one of which 8 bytes were read before");
	expect_refused(ends, 16, "2049:123", "its position has a note of another version");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_followed_file_is_waited_for_and_half_a_line_is_no_event)
{
	struct leat_ends *ends;
	char note[56];

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
	ck_assert_int_eq(leat_ends_next(ends), 32);
	keep_note(ends, 24, note);
	ck_assert_int_eq(leat_ends_open(ends, 0, 24, note), LEAT_OK);
	expect_rest(ends, "{\"c\":1}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 32, note), LEAT_OK);
	expect_rest(ends, "");
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
	ck_assert_int_eq(leat_ends_next(ends), 31);
	/* The end of the old file is the beginning of the new one, what is before has the old note. */
	ck_assert_str_eq(leat_ends_commit(ends, 22), old_note);
	ck_assert_str_ne(leat_ends_commit(ends, 23), old_note);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_file_that_was_renamed_while_nobody_read_is_gone_on_with)
{
	struct leat_ends *ends;
	char note[56];

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n{\"a\":2}\n");
	ends = open_source("    follow: true\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n{\"a\":2}\n");
	keep_note(ends, 8, note);
	ck_assert_int_eq(rename("in", "in.1"), 0);
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, note), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n");
	write_file("in", "w", "{\"b\":1}\n{\"b\":2}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 8, note), LEAT_OK);
	expect_rest(ends, "{\"a\":2}\n");
	(void)leat_ends_commit(ends, 16);
	expect_rest(ends, "");
	expect_rest(ends, "{\"b\":1}\n{\"b\":2}\n");
	/* A position in the new file, with the note of the old one. */
	for (int64_t offset = 16; offset <= 32; offset += 8) {
		ck_assert_int_eq(leat_ends_open(ends, 0, offset, note), LEAT_OK);
		if (offset == 16) /* which is the end of the old one, too */
			expect_rest(ends, "");
		expect_rest(ends, offset == 16 ? "{\"b\":1}\n{\"b\":2}\n" : offset == 24 ? "{\"b\":2}\n" : "");
	}
	expect_refused(ends, 40, note, "in\" has 16 bytes, expected at least 24");
	/* Renamed again, so there are two in which the position may be. */
	ck_assert_int_eq(rename("in", "in.2"), 0);
	write_file("in", "w", "{\"c\":1}\n");
	expect_refused(ends, 24, note, "in\" was renamed more than once, cannot tell in which one to go on");
	ck_assert_int_eq(unlink("in.1"), 0);
	expect_refused(ends, 24, note, "in\" is not the one of which 8 bytes were read before: it was replaced, and that one is gone");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_file_is_not_left_while_the_one_before_it_is_not_committed)
{
	const int64_t start_us = INT64_C(1000000000000000);
	struct leat_ends *ends;

	enter_folder();
	write_file("in", "w", "{\"a\":1}\n");
	ends = open_source("    follow: true\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n");
	ck_assert_int_eq(rename("in", "in.1"), 0);
	write_file("in", "w", "{\"b\":1}\n");
	expect_rest(ends, "");
	leat_ends_set_time(ends, start_us + 5000000);
	expect_rest(ends, "");
	expect_rest(ends, "{\"b\":1}\n");
	ck_assert_int_eq(rename("in", "in.2"), 0);
	write_file("in", "w", "{\"c\":1}\n");
	expect_rest(ends, "");
	leat_ends_set_time(ends, start_us + 50000000);
	expect_rest(ends, "");
	expect_rest(ends, "");
	(void)leat_ends_commit(ends, 8);
	expect_rest(ends, "");
	expect_rest(ends, "{\"c\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(from_any_position_come_the_same_lines_again)
{
	static const struct {
		int64_t offset;
		const char *rest;
	} positions[] = {
		{ 0, "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\ndead: " },
		{ 8, "{\"a\":2}\n{\"a\":3}\ndead: " },
		{ 18, "{\"a\":3}\ndead: " },
		{ 2500, "{\"a\":3}\n{\"a\":4}\n" }, /* inside the long line, which was a dead letter as soon as it was too long */
		{ 3020, "{\"a\":3}\n{\"a\":4}\n" },
		{ 3028, "{\"a\":4}\n" },
		{ 3035, "" },
	};
	static char line[3000];
	struct leat_ends *ends;
	char note[56], *rest;

	enter_folder();
	memset(line, 'x', sizeof line - 1);
	write_file("in", "w", "{\"a\":1}\n\n{\"a\":2}\r\n\"");
	write_file("in", "a", line);
	write_file("in", "a", "\"\n{\"a\":3}\n{\"a\":4}");
	ends = open_source("    longest: 1KiB\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	keep_note(ends, 0, note);
	for (size_t i = 0; i < sizeof positions / sizeof positions[0]; i++) {
		ck_assert_int_eq(leat_ends_open(ends, 0, positions[i].offset, note), LEAT_OK);
		rest = leat_ends_read_all(ends, 4096);
		if (strstr(rest, "dead: ") != NULL)
			strstr(rest, "dead: ")[6] = '\0';
		ck_assert_str_eq(rest, positions[i].rest);
		free(rest);
		keep_note(ends, positions[i].offset, note);
	}
	/* The last line was an event without its end: what comes behind it is none. */
	write_file("in", "a", ",\"b\":5}\n{\"a\":6}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, 3035, note), LEAT_OK);
	expect_rest(ends, "{\"a\":6}\n");
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
	ck_assert_int_eq(leat_ends_open(ends, 282411670, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"b\":1}\n");
	ck_assert_int_eq(leat_ends_open(ends, 521114152, -1, NULL), LEAT_OK);
	expect_rest(ends, "{\"a\":1}\n");
	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_FATAL);
	free(options);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

/* The numbers that the files of a pattern have. */
static size_t list_numbers(const char *pattern, int32_t number[4])
{
	char *options = leat_format_text("    path: \"%s\"\n", pattern);
	struct leat_ends *ends = leat_ends_source("file", options);
	size_t n;

	ck_assert_int_eq(leat_ends_list(ends, number, 4, &n), LEAT_OK);
	leat_ends_destroy(ends);
	free(options);
	return n;
}

START_TEST(a_file_keeps_its_number_whatever_comes_beside_it_and_however_the_folder_is_named)
{
	int32_t before[4], after[4];
	char *pattern, *other;

	enter_folder();
	ck_assert_int_eq(mkdir("eu", 0700), 0);
	write_file("eu/b.jsonl", "w", "{\"b\":1}\n");
	pattern = leat_format_text("%s/*/*.jsonl", folder);
	other = leat_format_text("%s/./eu//..//[e]u/*.jsonl", folder);
	ck_assert_uint_eq(list_numbers(pattern, before), 1);
	write_file("eu/a.jsonl", "w", "{\"a\":1}\n");
	write_file("eu/c.jsonl", "w", "{\"c\":1}\n");
	ck_assert_uint_eq(list_numbers(pattern, after), 3);
	ck_assert_int_eq(after[0], 1094241775);
	ck_assert_int_eq(after[1], before[0]);
	ck_assert_uint_eq(list_numbers(other, before), 3);
	ck_assert_mem_eq(before, after, 3 * sizeof *after);
	free(other);
	free(pattern);
	leave_folder();
}
END_TEST

START_TEST(two_files_with_one_number_are_refused_by_name)
{
	struct leat_ends *ends;
	int32_t number[4];
	char *options;
	size_t n;

	enter_folder();
	write_file("21751.jsonl", "w", "{}\n");
	write_file("33777.jsonl", "w", "{}\n");
	options = leat_format_text("    path: \"%s/*.jsonl\"\n", folder);
	ends = leat_ends_source("file", options);
	ck_assert_int_eq(leat_ends_list(ends, number, 4, &n), LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_ends_error(ends)->text, "/21751.jsonl\""));
	ck_assert_ptr_nonnull(strstr(leat_ends_error(ends)->text, "/33777.jsonl\""));
	ck_assert_ptr_nonnull(strstr(leat_ends_error(ends)->text, "have the same number 346633239"));
	leat_ends_destroy(ends);
	free(options);
	leave_folder();
}
END_TEST

/* Is what the source and the sink of that path are told by, %s being the test's folder from the root on? */
static void expect_identity(const char *path, const char *expected)
{
	char *options = leat_format_text("    path: \"%s\"\n", path), *name = realpath(".", NULL), *whole, *is;
	struct leat_ends *source = leat_ends_source("file", options), *sink = leat_ends_sink("file", options);

	whole = leat_format_text("file \"%s%s\"", name, expected);
	is = leat_ends_identity(source);
	ck_assert_str_eq(is, whole);
	free(is);
	if (strpbrk(path, "*?[") == NULL) {
		is = leat_ends_identity(sink);
		ck_assert_str_eq(is, whole);
		free(is);
	}
	leat_ends_destroy(sink);
	leat_ends_destroy(source);
	free(whole);
	free(name);
	free(options);
}

START_TEST(it_does_not_matter_from_where_a_path_is_named)
{
	char *path;

	enter_folder();
	ck_assert_int_eq(mkdir("eu", 0700), 0);
	write_file("eu/a.jsonl", "w", "{}\n");
	path = leat_format_text("%s/./eu/../eu//a.jsonl", folder);
	expect_identity(path, "/eu/a.jsonl");
	free(path);
	path = leat_format_text("%s/eu/..//*/[ab].jsonl", folder);
	expect_identity(path, "/*/[ab].jsonl");
	free(path);
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

/* ---- sink, exactly once ------------------------------------------------------------------------------------------ */

static struct leat_fence fence(uint64_t incarnation, uint64_t epoch)
{
	return (struct leat_fence){ .incarnation = incarnation, .epoch = epoch, .digest = epoch * UINT64_C(0x9e3779b97f4a7c15) };
}

static void expect_fence(const struct leat_fence *found, uint64_t incarnation, uint64_t epoch)
{
	struct leat_fence expected = fence(incarnation, epoch);

	ck_assert_uint_eq(found->incarnation, expected.incarnation);
	ck_assert_uint_eq(found->epoch, expected.epoch);
	ck_assert_uint_eq(found->digest, expected.digest);
}

static void expect_error(const struct leat_ends *ends, const char *part)
{
	ck_assert_msg(strstr(leat_ends_error(ends)->text, part) != NULL, "\"%s\" is not in \"%s\"", part, leat_ends_error(ends)->text);
}

/* A sink that has claimed its file and found `epoch` of the incarnation before. */
static struct leat_ends *claim_sink(const char *more, uint64_t incarnation, uint64_t epoch)
{
	struct leat_ends *ends = open_sink(more);
	struct leat_fence found;

	ck_assert_msg(leat_ends_claim(ends, incarnation, &found) == LEAT_OK, "%s", leat_ends_error(ends)->text);
	expect_fence(&found, epoch == 0 ? 0 : incarnation - 1, epoch);
	return ends;
}

/* {"n":epoch}, after the epoch before it. */
static enum leat_status deliver_epoch(struct leat_ends *ends, uint64_t incarnation, uint64_t epoch)
{
	struct leat_fence expected = fence(incarnation, epoch - 1), next = fence(incarnation, epoch);
	char event[32];

	(void)snprintf(event, sizeof event, "{\"n\":%d}", (int)epoch);
	return leat_ends_deliver_fenced(ends, &expected, &next, (const char *const[]){ event, NULL });
}

START_TEST(a_delivery_that_comes_again_is_there_once)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(leat_ends_guarantee(ends), LEAT_TRANSACTIONAL);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	leat_ends_destroy(ends);
	ends = claim_sink("", 2, 2);
	ck_assert_int_eq(deliver_epoch(ends, 2, 3), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

/* What is only written outlives the process, so no crash of it shows that a sync is missing. */
START_TEST(lines_fence_and_folder_are_synced_in_this_order)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	steps[0] = '\0';
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	ck_assert_str_eq(steps, "out:1 out.fence.new:1 out.fence.new>out.fence:1 .:2");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(what_is_beyond_the_fence_is_cut_off_by_the_claim)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	write_file("out", "a", "{\"n\":1}\n");
	leat_ends_destroy(ends);
	ends = open_sink("");
	ck_assert_int_eq(leat_ends_claim(ends, 2, &(struct leat_fence){ 0 }), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "");
	ck_assert_int_eq(deliver_epoch(ends, 2, 1), LEAT_OK);
	leat_ends_destroy(ends);
	write_file("out", "a", "{\"n\":2}\n{\"n\"");
	ends = claim_sink("", 3, 1);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	ck_assert_int_eq(deliver_epoch(ends, 3, 2), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(what_was_there_before_the_first_claim_stays)
{
	struct leat_ends *ends;
	struct leat_fence found;

	enter_folder();
	write_file("out", "w", "{\"a\":1}\n{\"b\"");
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(leat_ends_claim(ends, 1, &found), LEAT_OK);
	expect_fence(&found, 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"a\":1}\n{\"b\"\n{\"n\":1}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_fence_that_is_not_the_expected_one_is_told_and_nothing_is_written)
{
	struct leat_ends *ends;
	struct leat_fence other = fence(1, 2), next = fence(1, 3), digest = fence(1, 1);

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	ck_assert_int_eq(deliver_epoch(ends, 1, 3), LEAT_FATAL);
	expect_error(ends, "out\" is at incarnation 1, epoch 1, digest 9e3779b97f4a7c15, expected 1, 2, 3c6ef372fe94f82a");
	digest.digest++;
	ck_assert_int_eq(leat_ends_deliver_fenced(ends, &digest, &other, (const char *const[]){ "{}", NULL }), LEAT_FATAL);
	ck_assert_int_eq(leat_ends_deliver_fenced(ends, &other, &next, (const char *const[]){ "{}", NULL }), LEAT_FATAL);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(an_older_incarnation_changes_nothing_and_cannot_deliver)
{
	struct leat_ends *ends;
	struct leat_fence found;
	char *before;

	enter_folder();
	ends = claim_sink("", 7, 0);
	ck_assert_int_eq(deliver_epoch(ends, 7, 1), LEAT_OK);
	leat_ends_destroy(ends);
	write_file("out", "a", "torn");
	before = strdup(read_file("out.fence"));
	ends = open_sink("");
	ck_assert_int_eq(leat_ends_claim(ends, 6, &found), LEAT_OK);
	expect_fence(&found, 7, 1);
	ck_assert_int_eq(deliver_epoch(ends, 6, 2), LEAT_FATAL);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\ntorn");
	ck_assert_str_eq(read_file("out.fence"), before);
	free(before);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

/* Two on copies of the state folder, one after the other without the lock: as when a copied folder comes back. */
START_TEST(an_owner_that_was_overtaken_is_told_before_it_writes)
{
	struct leat_ends *zombie, *ends;

	enter_folder();
	zombie = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(zombie, 1, 1), LEAT_OK);
	ck_assert_int_eq(unlink("out.lock"), 0);
	ends = claim_sink("", 2, 1);
	ck_assert_int_eq(deliver_epoch(zombie, 1, 2), LEAT_FATAL);
	expect_error(zombie, "is at incarnation 2, epoch 1");
	expect_error(zombie, "another instance owns it");
	ck_assert_int_eq(deliver_epoch(ends, 2, 2), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n");
	leat_ends_destroy(zombie);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_second_process_waits_until_the_first_is_gone)
{
	struct leat_ends *first, *second;
	struct leat_fence found;
	pid_t child;
	int code;

	enter_folder();
	first = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(first, 1, 1), LEAT_OK);
	child = fork();
	if (child == 0) {
		second = open_sink("");
		_exit(leat_ends_claim(second, 2, &found) == LEAT_RETRY && strstr(leat_ends_error(second)->text, "another process writes it") ? 7
		                                                                                                                          : 1);
	}
	ck_assert_int_eq(waitpid(child, &code, 0), child);
	ck_assert_int_eq(code, 7 << 8);
	second = open_sink("");
	ck_assert_int_eq(leat_ends_claim(second, 2, &found), LEAT_RETRY);
	leat_ends_destroy(first);
	ck_assert_int_eq(leat_ends_claim(second, 2, &found), LEAT_OK);
	expect_fence(&found, 1, 1);
	leat_ends_destroy(second);
	leave_folder();
}
END_TEST

static void expect_no_claim(const char *more, const char *part)
{
	struct leat_ends *ends = open_sink(more);
	struct leat_fence found;

	ck_assert_int_eq(leat_ends_claim(ends, 2, &found), LEAT_FATAL);
	expect_error(ends, part);
	leat_ends_destroy(ends);
}

START_TEST(lines_that_are_lost_or_changed_are_told)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	leat_ends_destroy(ends);
	write_file("out", "w", "{\"n\":1}\n");
	expect_no_claim("", "out\" has 8 bytes, expected 16: lines that were delivered are lost");
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	ck_assert_int_eq(unlink("out"), 0);
	expect_no_claim("", "out\" has 0 bytes, expected 16");
	ck_assert_int_ne(access("out", F_OK), 0);
	write_file("out", "w", "{\"m\":1}\n{\"m\":2}\n{\"m\":3}\n");
	expect_no_claim("", "out\" has other lines before byte 16 than were delivered");
	ck_assert_str_eq(read_file("out"), "{\"m\":1}\n{\"m\":2}\n{\"m\":3}\n");
	leave_folder();
}
END_TEST

/* The fence as it is, with `old` in it made `new`, and the right hash. */
static void change_fence(const char *old, const char *new)
{
	char line[512], *text = read_file("out.fence"), *at = strstr(text, old);
	uint64_t h = UINT64_C(14695981039346656037);

	ck_assert_ptr_nonnull(at);
	*strrchr(text, ' ') = '\0';
	(void)snprintf(line, sizeof line, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
	for (const char *c = line; *c != '\0'; c++)
		h = (h ^ (unsigned char)*c) * UINT64_C(1099511628211);
	(void)snprintf(line + strlen(line), sizeof line - strlen(line), " %016" PRIx64 "\n", h);
	write_file("out.fence", "w", line);
}

START_TEST(a_fence_that_is_damaged_or_of_another_sink_is_told)
{
	struct leat_ends *ends;
	char *line, *good;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	leat_ends_destroy(ends);
	ck_assert_ptr_eq(strstr(read_file("out.fence"), "leat-fence 1 1 1 9e3779b97f4a7c15 8 "), read_file("out.fence"));
	good = strdup(read_file("out.fence"));
	line = strdup(good);
	*strstr(line, " 8 ") = '9';
	write_file("out.fence", "w", line);
	expect_no_claim("", "out.fence\": it is damaged");
	write_file("out.fence", "w", "");
	expect_no_claim("", "out.fence\": it is damaged");
	write_file("out.fence", "w", good);
	change_fence("ends/out", "ends/other");
	expect_no_claim("", "out\" belongs to sink \"ends/other\", expected \"ends/out\"");
	free(line);
	free(good);
	leave_folder();
}
END_TEST

START_TEST(a_file_that_others_touch_while_it_is_claimed_is_told)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	write_file("out", "a", "{\"m\":1}\n");
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_FATAL);
	expect_error(ends, "out\" has 16 bytes, expected 8");
	ck_assert_int_eq(truncate("out", 8), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	ck_assert_int_eq(rename("out", "out.1"), 0);
	write_file("out", "w", "");
	ck_assert_int_eq(deliver_epoch(ends, 1, 3), LEAT_FATAL);
	expect_error(ends, "out\" was moved away or replaced");
	ck_assert_int_eq(rename("out.1", "out"), 0);
	ck_assert_int_eq(unlink("out.fence"), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 3), LEAT_FATAL);
	expect_error(ends, "the fence of file");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_file_with_a_fence_is_not_written_at_least_once)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	leat_ends_destroy(ends);
	ends = open_sink("");
	ck_assert_int_eq(leat_ends_claim(ends, 2, NULL), LEAT_FATAL);
	expect_error(ends, "out.fence\" to change that");
	ck_assert_int_eq(unlink("out.fence"), 0);
	ck_assert_int_eq(leat_ends_claim(ends, 2, NULL), LEAT_OK);
	ck_assert_int_eq(deliver(ends, "{\"a\":1}", NULL), LEAT_OK);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_fenced_delivery_that_does_not_fit_leaves_nothing_behind)
{
	struct rlimit limit = { 12, RLIM_INFINITY }, old;
	struct leat_ends *ends;
	char *before;

	enter_folder();
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	before = strdup(read_file("out.fence"));
	signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_RETRY);
	ck_assert_int_eq(leat_ends_error(ends)->code, EFBIG);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	/* The lines fit, the fence does not. */
	limit.rlim_cur = 40;
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_RETRY);
	expect_error(ends, "could not write to");
	expect_error(ends, "out.fence.new");
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	ck_assert_str_eq(read_file("out.fence"), before);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &old), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n");
	free(before);
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_full_disk_is_waited_for_and_nothing_is_there_twice)
{
	struct leat_ends *ends;
	FILE *filler;

	enter_folder();
	ck_assert_int_eq(chdir("/"), 0);
	/* Without the right to mount, RLIMIT_FSIZE above has to do. */
	if (mount("tmpfs", folder, "tmpfs", 0, "size=16k") != 0) {
		ck_assert_int_eq(rmdir(folder), 0);
		return;
	}
	ck_assert_int_eq(chdir(folder), 0);
	ends = claim_sink("", 1, 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 1), LEAT_OK);
	filler = fopen("in", "w");
	setbuf(filler, NULL);
	while (fputc('x', filler) != EOF)
		;
	(void)fclose(filler);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_RETRY);
		ck_assert_int_eq(leat_ends_error(ends)->code, ENOSPC);
		ck_assert_str_eq(read_file("out"), "{\"n\":1}\n");
	}
	ck_assert_int_eq(unlink("in"), 0);
	ck_assert_int_eq(deliver_epoch(ends, 1, 2), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n");
	leat_ends_destroy(ends);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(umount(folder), 0);
	ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

/* What a crash leaves behind of the rotation that epoch 7 begins, by the steps of plugins/file/fenced.c. */
enum crash {
	BEFORE,
	MARKED,
	ONE_MOVED,
	OLDER_MOVED,
	ALL_MOVED,
	MADE_ANEW,
	DONE,
	LINES_WRITTEN,
	N_CRASHES
};

static void crash_rotation(enum crash crash)
{
	if (crash >= MARKED)
		change_fence("steady", "rotating");
	if (crash >= ONE_MOVED)
		ck_assert_int_eq(rename("out.2", "out.3"), 0);
	if (crash >= OLDER_MOVED)
		ck_assert_int_eq(rename("out.1", "out.2"), 0);
	if (crash >= ALL_MOVED)
		ck_assert_int_eq(rename("out", "out.1"), 0);
	if (crash >= MADE_ANEW)
		write_file("out", "w", "");
	if (crash >= DONE) {
		char tail[32];

		change_fence("rotating", "steady");
		(void)snprintf(tail, sizeof tail, " 16 %.16s", strstr(read_file("out.fence"), " 16 ") + 4);
		change_fence(tail, " 0 cbf29ce484222325");
	}
	if (crash >= LINES_WRITTEN)
		write_file("out", "a", "{\"n\":7}\n");
}

static void deliver_epochs(struct leat_ends *ends, uint64_t incarnation, uint64_t from, uint64_t to)
{
	for (; from <= to; from++)
		ck_assert_msg(deliver_epoch(ends, incarnation, from) == LEAT_OK, "%s", leat_ends_error(ends)->text);
}

/* Those that crash_rotation() counts on. */
START_TEST(a_rotation_takes_its_steps_in_their_order)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("    rotate_size: 16\n    rotate_keep: 3\n", 1, 0);
	deliver_epochs(ends, 1, 1, 6);
	steps[0] = '\0';
	deliver_epochs(ends, 1, 7, 7);
	ck_assert_str_eq(steps, "out.fence.new:6 out.fence.new>out.fence:6 .:6:rotating"
	                        " out.2>out.3:6:rotating out.1>out.2:6:rotating out>out.1:6:rotating .:6:rotating .:6:rotating"
	                        " out.fence.new:6:rotating out.fence.new>out.fence:6:rotating .:6"
	                        " out:6 out.fence.new:6 out.fence.new>out.fence:6 .:7");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_rotation_goes_on_after_a_crash_at_any_step)
{
	static const char options[] = "    rotate_size: 16\n    rotate_keep: 3\n";
	struct leat_ends *ends;

	for (enum crash crash = BEFORE; crash < N_CRASHES; crash++) {
		enter_folder();
		ends = claim_sink(options, 1, 0);
		deliver_epochs(ends, 1, 1, 6);
		leat_ends_destroy(ends);
		crash_rotation(crash);
		ends = claim_sink(options, 2, 6);
		deliver_epochs(ends, 2, 7, 7);
		ck_assert_str_eq(read_file("out"), "{\"n\":7}\n");
		ck_assert_str_eq(read_file("out.1"), "{\"n\":5}\n{\"n\":6}\n");
		ck_assert_str_eq(read_file("out.2"), "{\"n\":3}\n{\"n\":4}\n");
		ck_assert_str_eq(read_file("out.3"), "{\"n\":1}\n{\"n\":2}\n");
		deliver_epochs(ends, 2, 8, 9);
		ck_assert_str_eq(read_file("out.3"), "{\"n\":3}\n{\"n\":4}\n");
		ck_assert_str_eq(read_file("out.1"), "{\"n\":7}\n{\"n\":8}\n");
		leat_ends_destroy(ends);
		leave_folder();
	}
}
END_TEST

START_TEST(a_rotation_that_was_stopped_by_an_error_goes_on_with_the_next_try)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("    rotate_size: 16\n    rotate_keep: 1\n", 1, 0);
	deliver_epochs(ends, 1, 1, 2);
	/* A folder cannot be overwritten by a file. */
	ck_assert_int_eq(mkdir("out.1", 0700), 0);
	ck_assert_int_ne(deliver_epoch(ends, 1, 3), LEAT_OK);
	ck_assert_str_eq(read_file("out"), "{\"n\":1}\n{\"n\":2}\n");
	ck_assert_int_eq(rmdir("out.1"), 0);
	deliver_epochs(ends, 1, 3, 3);
	ck_assert_str_eq(read_file("out"), "{\"n\":3}\n");
	ck_assert_str_eq(read_file("out.1"), "{\"n\":1}\n{\"n\":2}\n");
	leat_ends_destroy(ends);
	leave_folder();
}
END_TEST

START_TEST(a_rotation_that_lost_its_file_is_told)
{
	struct leat_ends *ends;

	enter_folder();
	ends = claim_sink("", 1, 0);
	deliver_epochs(ends, 1, 1, 2);
	leat_ends_destroy(ends);
	change_fence("steady", "rotating");
	ck_assert_int_eq(rename("out", "out.2"), 0);
	expect_no_claim("", "out.1\" has 0 bytes, expected 16");
	write_file("out.1", "w", "{}\n");
	expect_no_claim("", "out.1\" has 3 bytes, expected 16");
	write_file("out", "w", "{}\n");
	expect_no_claim("", "out\" has 3 bytes, expected 16");
	ck_assert_str_eq(read_file("out"), "{}\n");
	leave_folder();
}
END_TEST

START_TEST(without_old_files_a_rotation_goes_on_as_well)
{
	static const char options[] = "    rotate_size: 16\n    rotate_keep: 0\n";
	struct leat_ends *ends;

	for (int crash = 0; crash < 4; crash++) {
		enter_folder();
		ends = claim_sink(options, 1, 0);
		deliver_epochs(ends, 1, 1, 2);
		leat_ends_destroy(ends);
		if (crash >= 1)
			change_fence("steady", "removing");
		if (crash >= 2)
			ck_assert_int_eq(unlink("out"), 0);
		if (crash >= 3)
			write_file("out", "w", "");
		ends = claim_sink(options, 2, 2);
		deliver_epochs(ends, 2, 3, 3);
		ck_assert_str_eq(read_file("out"), "{\"n\":3}\n");
		ck_assert_int_ne(access("out.1", F_OK), 0);
		leat_ends_destroy(ends);
		leave_folder();
	}
}
END_TEST

int main(void)
{
	return leat_test_main("file", (const TTest *[]){ each_line_is_an_event_also_the_last_without_a_newline,
	                                                 it_goes_on_from_a_position_in_the_same_file_only,
	                                                 a_followed_file_is_waited_for_and_half_a_line_is_no_event,
	                                                 a_renamed_file_is_read_to_its_end_and_left_when_it_is_committed,
	                                                 a_file_that_was_renamed_while_nobody_read_is_gone_on_with,
                                                 a_file_is_not_left_while_the_one_before_it_is_not_committed,
                                                 from_any_position_come_the_same_lines_again,
                                                 a_line_that_is_too_long_is_one_dead_letter_and_the_next_is_read,
	                                                 every_file_of_a_pattern_is_a_partition,
	                                                 a_file_keeps_its_number_whatever_comes_beside_it_and_however_the_folder_is_named,
	                                                 two_files_with_one_number_are_refused_by_name,
	                                                 it_does_not_matter_from_where_a_path_is_named,
	                                                 a_file_that_is_not_there_is_named,
	                                                 events_are_lines_whatever_they_looked_like,
	                                                 a_line_that_a_crash_cut_off_is_closed,
	                                                 files_are_rotated_by_size_and_the_oldest_go,
	                                                 files_are_rotated_by_age,
	                                                 a_file_that_somebody_moved_away_is_made_anew,
	                                                 a_delivery_that_does_not_fit_leaves_nothing_behind,
	                                                 a_folder_that_is_not_there_is_waited_for,
	                                                 a_delivery_that_comes_again_is_there_once,
                                                 lines_fence_and_folder_are_synced_in_this_order,
                                                 what_is_beyond_the_fence_is_cut_off_by_the_claim,
                                                 what_was_there_before_the_first_claim_stays,
                                                 a_fence_that_is_not_the_expected_one_is_told_and_nothing_is_written,
                                                 an_older_incarnation_changes_nothing_and_cannot_deliver,
                                                 an_owner_that_was_overtaken_is_told_before_it_writes,
                                                 a_second_process_waits_until_the_first_is_gone,
                                                 lines_that_are_lost_or_changed_are_told,
                                                 a_fence_that_is_damaged_or_of_another_sink_is_told,
                                                 a_file_that_others_touch_while_it_is_claimed_is_told,
                                                 a_file_with_a_fence_is_not_written_at_least_once,
                                                 a_fenced_delivery_that_does_not_fit_leaves_nothing_behind,
                                                 a_full_disk_is_waited_for_and_nothing_is_there_twice,
                                                 a_rotation_takes_its_steps_in_their_order,
                                                 a_rotation_goes_on_after_a_crash_at_any_step,
                                                 a_rotation_that_was_stopped_by_an_error_goes_on_with_the_next_try,
                                                 a_rotation_that_lost_its_file_is_told,
                                                 without_old_files_a_rotation_goes_on_as_well,
                                                 NULL });
}
