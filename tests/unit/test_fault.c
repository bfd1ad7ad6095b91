/* SPDX-License-Identifier: Apache-2.0 */
/* The list of fault points against the calls in the sources, and what LEAT_FAULT does. */
#define _XOPEN_SOURCE 700 /* nftw() */

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "unit/unit.h"

enum { LEAST_POINTS = 30, MOST_POINTS = 256, SOURCE_BYTES = 1 << 20 };

/* ---- the list ------------------------------------------------------------------------------------------------------- */

static size_t n_points(void)
{
	size_t n = 0;

	while (leat_fault_points[n].name != NULL)
		n++;
	ck_assert_uint_le(n, MOST_POINTS);
	return n;
}

START_TEST(there_are_many_points_in_one_sorted_list)
{
#ifdef LEAT_DEVELOPER
	ck_assert_uint_ge(n_points(), LEAST_POINTS);
#else
	ck_assert_uint_eq(n_points(), 0);
#endif
	for (size_t i = 1; i < n_points(); i++)
		ck_assert_str_lt(leat_fault_points[i - 1].name, leat_fault_points[i].name);
}
END_TEST

#ifdef LEAT_DEVELOPER

static bool is_called[MOST_POINTS];

/* A place that looks at the answer can fail. */
static void note_call(const char *file, const char *name, size_t n, bool can_fail)
{
	for (size_t i = 0; leat_fault_points[i].name != NULL; i++)
		if (strlen(leat_fault_points[i].name) == n && memcmp(leat_fault_points[i].name, name, n) == 0) {
			ck_assert_msg(can_fail == (leat_fault_points[i].error != LEAT_OK),
			              "%s: point \"%.*s\" is called as one that %s fail, the list says otherwise", file, (int)n, name,
			              can_fail ? "can" : "cannot");
			is_called[i] = true;
			return;
		}
	ck_abort_msg("%s: point \"%.*s\" is not in the list of core/base/fault.c", file, (int)n, name);
}

static void find_calls(const char *file, const char *text, const char *call, bool can_fail)
{
	for (const char *at = strstr(text, call); at != NULL; at = strstr(at, call)) {
		at += strlen(call);
		note_call(file, at, strcspn(at, "\""), can_fail);
	}
}

static int look_into(const char *path, const struct stat *is, int kind, struct FTW *walk)
{
	size_t length = strlen(path), n;
	char *text;
	FILE *in;

	(void)is;
	(void)walk;
	if (kind != FTW_F || length < 2 || strcmp(path + length - 2, ".c") != 0)
		return 0;
	in = fopen(path, "r");
	ck_assert_msg(in != NULL, "cannot read %s", path);
	text = leat_allocate_bytes(SOURCE_BYTES);
	n = fread(text, 1, SOURCE_BYTES - 1, in);
	text[n] = '\0';
	(void)fclose(in);
	find_calls(path, text, "leat_fault(\"", false);
	find_calls(path, text, "leat_fault_error(\"", true);
	find_calls(path, text, "fault_fails(\"", true);
	free(text);
	return 0;
}

static void look_through(const char *folder)
{
	char *path = leat_format_text("%s/%s", getenv("LEAT_SOURCE"), folder);

	ck_assert_int_eq(nftw(path, look_into, 16, FTW_PHYS), 0);
	free(path);
}

START_TEST(every_point_is_passed_somewhere_and_every_place_is_in_the_list)
{
	ck_assert_ptr_nonnull(getenv("LEAT_SOURCE"));
	look_through("core");
	look_through("plugins");
	for (size_t i = 0; i < n_points(); i++)
		ck_assert_msg(is_called[i], "point \"%s\" of core/base/fault.c is passed nowhere", leat_fault_points[i].name);
}
END_TEST

/* ---- what it does; each test is a process of its own ------------------------------------------------------------------ */

static void want(const char *faults)
{
	ck_assert_int_eq(setenv("LEAT_FAULT", faults, 1), 0);
}

START_TEST(without_a_wish_nothing_happens)
{
	unsetenv("LEAT_FAULT");
	leat_fault("drain-before");
	ck_assert(!leat_fault_fails("claim-before"));
}
END_TEST

START_TEST(a_step_fails_at_the_time_that_was_asked_for_and_never_again)
{
	struct leat_error err;

	want("claim-before:error:3");
	ck_assert_int_eq(leat_fault_error("claim-before", &err), LEAT_OK);
	ck_assert_int_eq(leat_fault_error("claim-after", &err), LEAT_OK);
	ck_assert_int_eq(leat_fault_error("claim-before", &err), LEAT_OK);
	ck_assert_int_eq(leat_fault_error("claim-before", &err), LEAT_RETRY);
	ck_assert_str_eq(err.text, "could not get past fault point \"claim-before\"");
	ck_assert_int_eq(leat_fault_error("claim-before", &err), LEAT_OK);
}
END_TEST

START_TEST(several_faults_are_counted_apart)
{
	want("claim-before:error,kafka-commit-after:error:2,claim-before:error:2");
	ck_assert(leat_fault_fails("claim-before"));
	ck_assert(!leat_fault_fails("kafka-commit-after"));
	ck_assert(leat_fault_fails("claim-before"));
	ck_assert(leat_fault_fails("kafka-commit-after"));
	ck_assert(!leat_fault_fails("claim-before"));
}
END_TEST

START_TEST(the_process_dies_without_a_word_of_its_own)
{
	want("drain-before:kill:2");
	leat_fault("drain-before");
	leat_fault("drain-before");
}
END_TEST

START_TEST(a_wish_that_cannot_be_granted_ends_the_process)
{
	static const char *const wishes[] = { "nowhere:kill", "claim-before", "claim-before:nothing", "drain-before:error" };

	want(wishes[_i]);
	leat_fault("drain-after");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fault");
	TCase *all = tcase_create("fault");
	SRunner *runner = srunner_create(suite);
	int n_broken;

	tcase_add_test(all, there_are_many_points_in_one_sorted_list);
	tcase_add_test(all, every_point_is_passed_somewhere_and_every_place_is_in_the_list);
	tcase_add_test(all, without_a_wish_nothing_happens);
	tcase_add_test(all, a_step_fails_at_the_time_that_was_asked_for_and_never_again);
	tcase_add_test(all, several_faults_are_counted_apart);
	tcase_add_test_raise_signal(all, the_process_dies_without_a_word_of_its_own, SIGKILL);
	tcase_add_loop_exit_test(all, a_wish_that_cannot_be_granted_ends_the_process, 2, 0, 4);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	n_broken = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

/* What other builds must not need. */
START_TEST(nothing_is_left_of_them)
{
	ck_assert(!leat_fault_fails("claim-before"));
	ck_assert_int_eq(leat_fault_error("claim-before", NULL), LEAT_OK);
}
END_TEST

int main(void)
{
	return leat_test_main("fault", (const TTest *[]){ there_are_many_points_in_one_sorted_list, nothing_is_left_of_them, NULL });
}

#endif
