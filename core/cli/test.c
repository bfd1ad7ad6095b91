/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/arguments.h"
#include "cli/files.h"
#include "cli/junit.h"
#include "graph/file.h"
#include "kit/case.h"

static const char help[] =
	"NAME\n"
	"    leat test - run the tests of pipelines\n"
	"\n"
	"SYNOPSIS\n"
	"    leat test [FILE|FOLDER...] [--crash] [--filter TEXT] [--junit FILE] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Runs the tests in the section \"tests\" of each pipeline file, and those in NAME.test.yaml beside NAME.yaml;\n"
	"    of a folder (the current one, if nothing is named), of all its pipelines. What is named twice runs once,\n"
	"    as do the tests beside a pipeline that is named with them. A test hands events to the\n"
	"    sources and says what has to come out of nodes and to sinks. Sources and sinks do not run and nothing\n"
	"    is connected to; operators and Lua rules do, with their state, in the shards that the file asks for, in\n"
	"    one thread, and with a clock that moves as the test says.\n"
	"\n"
	"    With --crash each test runs twice more: with a checkpoint and a restart behind every step, and with a\n"
	"    crash behind every step that is done again. It has to come to the same.\n"
	"\n"
	"    A dead letter that the test does not expect fails it. docs/testing.md has the form of tests.\n"
	"\n"
	"OPTIONS\n"
	"    --crash             Run each test with restarts and crashes too.\n"
	"    --filter TEXT       Only tests with TEXT in their names.\n"
	"    --junit FILE        Write the results as JUnit XML too.\n"
	"    --plugin-path PATH  Folders of plugins, separated by colons.\n"
	"    -h, --help          Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   all tests passed\n"
	"    1   a test failed, or there was none to run\n"
	"    2   wrong usage\n"
	"    78  a file has errors, or cannot be read\n"
	"\n"
	"EXAMPLES\n"
	"    leat test payments.yaml --crash\n"
	"    leat test " LEAT_CONFDIR "/pipelines.d --junit results.xml\n";

enum { OWN_CRASH = 256, OWN_FILTER, OWN_JUNIT, OWN_PLUGIN_PATH };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"crash", no_argument, NULL, OWN_CRASH},
	{"filter", required_argument, NULL, OWN_FILTER},
	{"junit", required_argument, NULL, OWN_JUNIT},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{NULL, 0, NULL, 0},
};

struct run {
	const struct leat_verb *verb;
	bool is_crashing;
	const char *filter, *plugin_path;
	struct leat_registry *registry;
	struct leat_report *report;
	struct leat_arena *arena; /* of what was read */
	struct leat_junit junit;
	size_t n_passed, n_failed;
};

/* ---- one test ------------------------------------------------------------------------------------------------------- */

static bool run_in(const struct leat_case *test, const struct leat_plan *plan, enum leat_case_trouble trouble, const char *how,
                   struct leat_buffer *failure)
{
	struct leat_buffer own = {.n = 0};
	bool is_good = leat_case_run(test, plan, trouble, &own);

	if (!is_good) {
		leat_buffer_text(failure, how);
		leat_buffer_append(failure, own.data, own.n);
	}
	leat_buffer_finish(&own);
	return is_good;
}

static void run_case(struct run *r, const char *file, const struct leat_case *test, const struct leat_plan *plan)
{
	struct leat_buffer failure = {.n = 0};
	bool is_good = run_in(test, plan, LEAT_TROUBLE_NONE, "", &failure);

	if (is_good && r->is_crashing)
		is_good = run_in(test, plan, LEAT_TROUBLE_RESTART, "    with a restart behind every step:\n", &failure) &&
		          run_in(test, plan, LEAT_TROUBLE_CRASH, "    with a crash behind every step:\n", &failure);
	(void)printf("  %s  %s\n%.*s", is_good ? "passed" : "FAILED", test->name, (int)failure.n, failure.data == NULL ? "" : failure.data);
	leat_junit_add(&r->junit, file, test->name, is_good ? NULL : &failure);
	r->n_passed += is_good;
	r->n_failed += !is_good;
	leat_buffer_finish(&failure);
}

/* ---- one pipeline --------------------------------------------------------------------------------------------------- */

static bool is_wanted(const struct run *r, const struct leat_case *test)
{
	return r->filter == NULL || strstr(test->name, r->filter) != NULL;
}

static void run_cases(struct run *r, const char *file, const struct leat_cases *cases, const struct leat_description *d)
{
	const struct leat_plan *plan = leat_plan_make(d);
	size_t n = 0;

	leat_symbols_freeze(d->symbols);
	for (size_t i = 0; i < cases->n; i++) {
		if (!is_wanted(r, &cases->item[i]))
			continue;
		if (n++ == 0)
			(void)printf("%s\n", file);
		run_case(r, file, &cases->item[i], plan);
	}
}

/* `tests` are those of the file, and of the one beside it; either may be NULL. */
static void run_pipeline(struct run *r, const char *file, const struct leat_setting *const tests[2])
{
	struct leat_description *d = leat_description_read(r->registry, file, NULL, r->report);
	struct leat_cases cases = {.n = 0};
	size_t before = leat_report_errors(r->report);

	for (size_t i = 0; d != NULL && i < 2; i++)
		if (tests[i] != NULL)
			leat_cases_read(&cases, tests[i], d, r->report);
	if (d != NULL && leat_report_errors(r->report) == before)
		run_cases(r, file, &cases, d);
	leat_cases_finish(&cases);
	leat_description_destroy(d);
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static const struct leat_setting *read_tests(struct run *r, const char *file, bool is_pipeline)
{
	const struct leat_setting *root = leat_file_read(r->arena, file, r->report);
	const struct leat_setting *tests = leat_setting_get(root, "tests");

	if (root != NULL && !is_pipeline && (tests == NULL || root->n != 1))
		leat_report_error(r->report, root->place, "a file of tests must be a map with \"tests\" alone");
	return tests;
}

/* Of "payments.yaml" and of "payments.test.yaml": the other one. To be freed. */
static char *file_beside(const char *file, bool is_tests)
{
	const char *end = is_tests ? ".test.yaml" : ".yaml";
	size_t n = strlen(file) - strlen(end);

	return leat_format_text("%.*s%s", (int)n, file, is_tests ? ".yaml" : ".test.yaml");
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) > strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* Names have to live as long as the report. */
static const char *keep(struct run *r, char *text)
{
	const char *copy = leat_arena_text(r->arena, text, strlen(text) + 1);

	free(text);
	return copy;
}

static void run_file(struct run *r, const char *file)
{
	bool is_tests = ends_with(file, ".test.yaml");
	const char *pipeline = is_tests ? keep(r, file_beside(file, true)) : file;
	const char *beside = is_tests ? file : ends_with(file, ".yaml") ? keep(r, file_beside(file, false)) : NULL;
	size_t before = leat_report_errors(r->report);
	const struct leat_setting *tests[2] = {NULL, NULL};

	if (!is_tests)
		tests[0] = read_tests(r, pipeline, true);
	if (beside != NULL && (is_tests || access(beside, F_OK) == 0))
		tests[1] = read_tests(r, beside, false);
	if (leat_report_errors(r->report) == before && (tests[0] != NULL || tests[1] != NULL))
		run_pipeline(r, pipeline, tests);
}

/* The folder's own path, whatever way led there, and the name in it: beside a link may stand other tests than beside what it leads
 * to. To be freed. */
static char *place_of(const char *file)
{
	const char *slash = strrchr(file, '/'), *name = slash == NULL ? file : slash + 1;
	char *folder = slash == NULL ? leat_copy_text(".") : leat_copy_bytes_as_text(file, (size_t)(name - file));
	char *whole = realpath(folder, NULL), *place = leat_format_text("%s/%s", whole == NULL ? folder : whole, name);

	free(folder);
	free(whole);
	return place;
}

/* That the tests of `place[at]` run with another: it was named before, or the pipeline that it stands beside is named as well. */
static bool is_with_another(char *const *place, size_t n, size_t at)
{
	char *pipeline = ends_with(place[at], ".test.yaml") ? file_beside(place[at], true) : NULL;
	bool is_with = false;

	for (size_t i = 0; i < n && !is_with; i++)
		is_with = (i < at && strcmp(place[i], place[at]) == 0) || (pipeline != NULL && strcmp(place[i], pipeline) == 0);
	free(pipeline);
	return is_with;
}

/* Each test once, however often it is named. */
static void run_each(struct run *r, const struct leat_files *files)
{
	char **place = leat_allocate_zeroed(files->n, sizeof *place);

	for (size_t i = 0; i < files->n; i++)
		place[i] = place_of(files->path[i]);
	for (size_t i = 0; i < files->n; i++)
		if (!is_with_another(place, files->n, i))
			run_file(r, files->path[i]);
	for (size_t i = 0; i < files->n; i++)
		free(place[i]);
	free(place);
}

static enum leat_exit conclude(struct run *r, bool is_readable)
{
	enum leat_exit status = r->n_failed > 0 ? LEAT_EXIT_FAILED : LEAT_EXIT_OK;

	(void)printf("%zu passed, %zu failed\n", r->n_passed, r->n_failed);
	(void)fflush(stdout); /* so that the two come in order where both are the same */
	leat_report_print(r->report, stderr);
	if (leat_report_errors(r->report) > 0 || !is_readable)
		return LEAT_EXIT_CONFIG;
	if (r->n_passed + r->n_failed > 0)
		return status;
	leat_verb_complain(r->verb, r->filter == NULL ? "there are no tests" : "there are no tests with that in their names");
	return LEAT_EXIT_FAILED;
}

static enum leat_exit run_files(struct run *r, const struct leat_files *files, const char *junit, bool is_readable)
{
	enum leat_exit status;
	struct leat_error err;

	r->registry = leat_cli_registry(r->plugin_path);
	r->report = leat_report_create();
	r->arena = leat_arena_create();
	leat_log_set_level(LEAT_ERROR); /* the test says which dead letters there are */
	run_each(r, files);
	leat_log_set_level(LEAT_INFO);
	status = conclude(r, is_readable);
	if (junit != NULL && leat_junit_write(&r->junit, junit, &err) != LEAT_OK) {
		leat_verb_complain(r->verb, "%s", err.text);
		status = status == LEAT_EXIT_OK ? LEAT_EXIT_FAILED : status;
	}
	leat_junit_finish(&r->junit);
	leat_report_destroy(r->report);
	leat_arena_unref(r->arena);
	leat_registry_destroy(r->registry);
	return status;
}

static bool add_files(const struct leat_verb *verb, struct leat_files *files, int n, char **path)
{
	static char here[] = ".", *const only_here[] = {here};
	bool is_readable = true;
	struct leat_error err;

	for (int i = 0; i < (n == 0 ? 1 : n); i++) {
		if (leat_files_add(files, n == 0 ? only_here[0] : path[i], &err) == LEAT_OK)
			continue;
		leat_verb_complain(verb, "%s", err.text);
		is_readable = false;
	}
	return is_readable;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct run r = {.verb = verb};
	struct leat_files files = {0};
	const char *junit = NULL;
	enum leat_exit status;
	bool is_readable;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		if (option == OWN_CRASH)
			r.is_crashing = true;
		if (option == OWN_FILTER)
			r.filter = optarg;
		if (option == OWN_JUNIT)
			junit = optarg;
		if (option == OWN_PLUGIN_PATH)
			r.plugin_path = optarg;
	}
	is_readable = add_files(verb, &files, argc - optind, argv + optind);
	status = run_files(&r, &files, junit, is_readable);
	leat_files_finish(&files);
	return status;
}

const struct leat_verb leat_verb_test = {.name = "test", .summary = "run the tests of pipelines", .help = help, .run = run};
