/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <regex.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "unit/unit.h"

/* Check runs each test in a process of its own, so standard error can be turned into a file. */
static char read_back[1 << 20];

static void redirect(void)
{
	char path[] = "/tmp/leat-test-log-XXXXXX";
	int file = mkstemp(path);

	ck_assert_int_ge(file, 0);
	(void)unlink(path);
	ck_assert_int_eq(dup2(file, STDERR_FILENO), STDERR_FILENO);
	(void)close(file);
}

static const char *logged(void)
{
	ssize_t n = pread(STDERR_FILENO, read_back, sizeof read_back - 1, 0);

	ck_assert_int_ge(n, 0);
	read_back[n] = '\0';
	return read_back;
}

static void assert_matches(const char *text, const char *pattern)
{
	regex_t compiled;

	ck_assert_int_eq(regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB), 0);
	ck_assert_msg(regexec(&compiled, text, 0, NULL, 0) == 0, "\"%s\" does not match %s", text, pattern);
	regfree(&compiled);
}

START_TEST(a_line_has_time_level_and_text)
{
	redirect();
	leat_log_line(LEAT_WARNING, "pipeline \"%s\": slow", "p");
	assert_matches(logged(), "^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z warning pipeline \"p\": slow\n$");
}
END_TEST

START_TEST(what_is_below_the_level_is_not_printed)
{
	redirect();
	leat_log_line(LEAT_DEBUG, "hidden");
	ck_assert_str_eq(logged(), "");
	leat_log_set_level(LEAT_ERROR);
	leat_log_line(LEAT_WARNING, "hidden");
	ck_assert_str_eq(logged(), "");
	leat_log_set_level(LEAT_DEBUG);
	leat_log_line(LEAT_DEBUG, "shown");
	assert_matches(logged(), "Z debug shown\n$");
}
END_TEST

START_TEST(the_journal_gets_priorities)
{
	char stream[64];
	struct stat info;

	redirect();
	ck_assert_int_eq(fstat(STDERR_FILENO, &info), 0);
	(void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)info.st_dev, (unsigned long long)info.st_ino);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	leat_log_set_level(LEAT_DEBUG);
	leat_log_line(LEAT_ERROR, "e");
	leat_log_line(LEAT_WARNING, "w");
	leat_log_line(LEAT_INFO, "i");
	leat_log_line(LEAT_DEBUG, "d");
	ck_assert_str_eq(logged(), "<3>e\n<4>w\n<6>i\n<7>d\n");
}
END_TEST

START_TEST(a_journal_of_somebody_else_is_none_of_ours)
{
	char stream[64];
	struct stat info;

	redirect();
	ck_assert_int_eq(fstat(STDERR_FILENO, &info), 0);
	(void)snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)info.st_dev + 1, (unsigned long long)info.st_ino);
	ck_assert_int_eq(setenv("JOURNAL_STREAM", stream, 1), 0);
	leat_log_line(LEAT_INFO, "i");
	assert_matches(logged(), "Z info i\n$");
}
END_TEST

START_TEST(control_characters_cannot_forge_lines)
{
	redirect();
	leat_log_line(LEAT_INFO, "a\n2026 error b\r\t\x1b[2J\x7f\xc2\x9b \xc3\xa9 \\");
	ck_assert_ptr_nonnull(strstr(logged(), "info a\\n2026 error b\\r\\t\\x1b[2J\\x7f\\x9b \xc3\xa9 \\\n"));
	ck_assert_ptr_eq(strchr(read_back, '\n'), read_back + strlen(read_back) - 1);
}
END_TEST

START_TEST(a_text_that_is_too_long_is_cut_and_says_so)
{
	static char text[10000];

	memset(text, '\x1b', sizeof text - 1);
	redirect();
	leat_log_line(LEAT_INFO, "%s", text);
	assert_matches(logged(), "\\\\x1b\\.\\.\\.\n$");
	ck_assert_uint_lt(strlen(read_back), 9000);
}
END_TEST

static void before(void *opaque)
{
	(void)!write(STDERR_FILENO, opaque, 1);
}

static void after(void *opaque)
{
	(void)!write(STDERR_FILENO, (char *)opaque + 1, 1);
}

START_TEST(hooks_stand_around_every_line)
{
	static char marks[] = "()";

	redirect();
	leat_log_set_hooks(before, after, marks);
	leat_log_line(LEAT_INFO, "one");
	leat_log_set_hooks(NULL, NULL, NULL);
	leat_log_line(LEAT_INFO, "two");
	assert_matches(logged(), "^\\(20[^\n]*one\n\\)20[^\n]*two\n$");
}
END_TEST

static void *write_lines(void *opaque)
{
	int i;

	for (i = 0; i < 500; i++)
		leat_log_line(LEAT_INFO, "%s", (const char *)opaque);
	return NULL;
}

START_TEST(lines_of_several_threads_do_not_mix)
{
	static char texts[3][64] = {
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "cccccccccccccccccccccccccccccc",
	};
	pthread_t threads[3];
	int i, n_lines = 0;
	char *line, *rest = NULL;

	redirect();
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, texts[i]), 0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	(void)logged();
	for (line = strtok_r(read_back, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest), n_lines++)
		assert_matches(line, "Z info (a{30}|b{30}|c{30})$");
	ck_assert_int_eq(n_lines, 1500);
}
END_TEST

int main(void)
{
	return leat_test_main("log", (const TTest *[]){
		a_line_has_time_level_and_text,
		what_is_below_the_level_is_not_printed,
		the_journal_gets_priorities,
		a_journal_of_somebody_else_is_none_of_ours,
		control_characters_cannot_forge_lines,
		a_text_that_is_too_long_is_cut_and_says_so,
		hooks_stand_around_every_line,
		lines_of_several_threads_do_not_mix,
		NULL,
	});
}
