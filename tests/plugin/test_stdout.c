/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks that need no more than a file descriptor: stdout and discard. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "plugin/ends.h"
#include "unit/unit.h"

/* Delivers with standard output going into a pipe. Check runs each test in its own process. */
static enum leat_status capture(struct leat_ends *ends, const char *const *json, bool is_read, char *out, size_t n)
{
	int ends_of_pipe[2], saved = dup(STDOUT_FILENO);
	enum leat_status status;
	ssize_t got = 0;

	fflush(stdout);
	ck_assert_int_eq(pipe(ends_of_pipe), 0);
	ck_assert_int_ge(dup2(ends_of_pipe[1], STDOUT_FILENO), 0);
	close(ends_of_pipe[1]);
	if (!is_read)
		close(ends_of_pipe[0]);
	status = leat_ends_deliver(ends, json);
	ck_assert_int_ge(dup2(saved, STDOUT_FILENO), 0);
	close(saved);
	if (is_read && status == LEAT_OK)
		got = read(ends_of_pipe[0], out, n - 1);
	if (is_read)
		close(ends_of_pipe[0]);
	ck_assert_int_ge(got, 0);
	out[got] = '\0';
	return status;
}

START_TEST(every_event_is_a_line_with_the_prefix)
{
	struct leat_ends *ends = leat_ends_sink("stdout", "    prefix: \"ALERT \"\n");
	char text[256];

	ck_assert_int_eq(capture(ends, (const char *const[]){ "{\"a\": 1}", "{\"b\":\n2}", NULL }, true, text, sizeof text), LEAT_OK);
	ck_assert_str_eq(text, "ALERT {\"a\": 1}\nALERT {\"b\": 2}\n");
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(a_template_is_the_whole_line)
{
	struct leat_ends *ends = leat_ends_sink("stdout", "    template: \"{user} paid {amount}\"\n");
	char text[256];

	ck_assert_int_eq(capture(ends, (const char *const[]){ "{\"user\": \"A\\nB\", \"amount\": 1.50}", NULL }, true, text, sizeof text), LEAT_OK);
	ck_assert_str_eq(text, "A B paid 1.50\n");
	ck_assert_int_eq(leat_ends_deliver(ends, (const char *const[]){ "{\"user\": \"A\"}", NULL }), LEAT_REJECT);
	ck_assert_str_eq(leat_ends_error(ends)->text, "field \"amount\" is missing");
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(what_is_written_twice_is_seen_twice_but_what_is_discarded_is_gone)
{
	struct leat_ends *ends = leat_ends_sink("stdout", "");

	ck_assert_int_eq(leat_ends_guarantee(ends), LEAT_AT_LEAST_ONCE);
	leat_ends_destroy(ends);
	ends = leat_ends_sink("discard", "");
	ck_assert_int_eq(leat_ends_guarantee(ends), LEAT_IDEMPOTENT);
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(nobody_reading_is_for_good)
{
	struct leat_ends *ends = leat_ends_sink("stdout", "");
	char text[256];

	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(capture(ends, (const char *const[]){ "{\"a\": 1}", NULL }, false, text, sizeof text), LEAT_FATAL);
	ck_assert_int_eq(leat_ends_error(ends)->code, EPIPE);
	ck_assert_str_eq(leat_ends_error(ends)->text, "cannot write to standard output: Broken pipe");
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(discard_takes_everything_and_writes_nothing)
{
	struct leat_ends *ends = leat_ends_sink("discard", "");
	char text[256];

	ck_assert_int_eq(capture(ends, (const char *const[]){ "{\"a\": 1}", NULL }, false, text, sizeof text), LEAT_OK);
	leat_ends_destroy(ends);
}
END_TEST

int main(void)
{
	return leat_test_main("stdout", (const TTest *[]){ every_event_is_a_line_with_the_prefix,
	                                                   a_template_is_the_whole_line,
	                                                   what_is_written_twice_is_seen_twice_but_what_is_discarded_is_gone,
	                                                   nobody_reading_is_for_good,
	                                                   discard_takes_everything_and_writes_nothing,
	                                                   NULL });
}
