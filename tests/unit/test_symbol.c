/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>

#include "data/symbol.h"
#include "unit/unit.h"

START_TEST(symbols_are_numbered_from_one_and_equal_names_are_one)
{
	struct leat_symbols *symbols = leat_symbols_create();
	size_t n;

	ck_assert_uint_eq(leat_symbols_intern(symbols, "user", 4), 1);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "amount", 6), 2);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "username", 4), 1);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "", 0), 3);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "a\0b", 3), 4);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "a\0c", 3), 5);
	ck_assert_str_eq(leat_symbols_name(symbols, 2, &n), "amount");
	ck_assert_uint_eq(n, 6);
	ck_assert_uint_eq(leat_symbols_find(symbols, "a", 1), LEAT_NO_SYMBOL);
	leat_symbols_destroy(symbols);
	leat_symbols_destroy(NULL);
}
END_TEST

START_TEST(very_many_names_are_found_again_and_others_are_not)
{
	struct leat_symbols *symbols = leat_symbols_create();
	char name[64];
	leat_symbol i;
	int n;

	for (i = 1; i <= 20000; i++) {
		n = snprintf(name, sizeof name, "%.*s%u%.*s", (int)(i % 9), "prefix_of_", i, (int)(i % 7), "_suffix");
		ck_assert_uint_eq(leat_symbols_intern(symbols, name, (size_t)n), i);
	}
	leat_symbols_freeze(symbols);
	for (i = 1; i <= 20000; i++) {
		n = snprintf(name, sizeof name, "%.*s%u%.*s", (int)(i % 9), "prefix_of_", i, (int)(i % 7), "_suffix");
		ck_assert_uint_eq(leat_symbols_find(symbols, name, (size_t)n), i);
		ck_assert_uint_eq(leat_symbols_intern(symbols, name, (size_t)n), i);
		ck_assert_str_eq(leat_symbols_name(symbols, i, NULL), name);
		name[0] = '\1';
		ck_assert_uint_eq(leat_symbols_find(symbols, name, (size_t)n), LEAT_NO_SYMBOL);
	}
	leat_symbols_destroy(symbols);
}
END_TEST

START_TEST(names_that_differ_only_in_the_middle_are_told_apart)
{
	struct leat_symbols *symbols = leat_symbols_create();

	ck_assert_uint_eq(leat_symbols_intern(symbols, "12345678_a_12345678", 19), 1);
	ck_assert_uint_eq(leat_symbols_find(symbols, "12345678_b_12345678", 19), LEAT_NO_SYMBOL);
	ck_assert_uint_eq(leat_symbols_intern(symbols, "12345678_b_12345678", 19), 2);
	leat_symbols_destroy(symbols);
}
END_TEST

START_TEST(a_new_name_after_the_freeze_is_our_own_bug)
{
	struct leat_symbols *symbols = leat_symbols_create();

	leat_symbols_freeze(symbols);
	ck_assert_ptr_nonnull(freopen("/dev/null", "w", stderr));
	(void)leat_symbols_intern(symbols, "late", 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("symbol that is late");
	TCase *late = tcase_create("late");
	SRunner *runner;
	int n_broken;

	tcase_add_test_raise_signal(late, a_new_name_after_the_freeze_is_our_own_bug, SIGABRT);
	suite_add_tcase(suite, late);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_broken = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_broken + leat_test_main("symbol", (const TTest *[]){
		symbols_are_numbered_from_one_and_equal_names_are_one,
		very_many_names_are_found_again_and_others_are_not,
		names_that_differ_only_in_the_middle_are_told_apart,
		NULL,
	});
}
