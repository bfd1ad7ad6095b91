/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_UNIT_H
#define LEAT_TESTS_UNIT_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A test file: START_TEST(a_sentence_that_is_true) ... END_TEST, then
 *     int main(void) { return leat_test_main("arena", (const TTest *[]){ a_sentence_that_is_true, ..., NULL }); }
 * LEAT_TEST=a_sentence_that_is_true in the environment runs that one alone.
 */
static inline int leat_test_main(const char *name, const TTest *const *tests)
{
	Suite *suite = suite_create(name);
	TCase *all = tcase_create(name);
	SRunner *runner;
	const char *stretch = getenv("LEAT_TEST_STRETCH"); /* sanitizers and slow machines take longer */
	const char *only = getenv("LEAT_TEST");
	int n_broken;

	for (; *tests != NULL; tests++)
		if (only == NULL || strcmp(only, (*tests)->name) == 0)
			tcase_add_test(all, *tests);
	tcase_set_timeout(all, 60 * (stretch == NULL ? 1 : atof(stretch)));
	suite_add_tcase(suite, all);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_broken = srunner_ntests_failed(runner);
	if (srunner_ntests_run(runner) == 0) {
		(void)fprintf(stderr, "there is no test %s\n", only == NULL ? "" : only);
		n_broken = 1;
	}
	srunner_free(runner);
	return n_broken == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
