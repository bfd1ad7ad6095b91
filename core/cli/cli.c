/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/report.h"
#include "cli/arguments.h"

const struct leat_verb *const leat_verbs[] = {
	&leat_verb_run, &leat_verb_check, &leat_verb_test, &leat_verb_inspect, &leat_verb_graph, &leat_verb_top, &leat_verb_plan,
	&leat_verb_state, &leat_verb_dlq, &leat_verb_verify, &leat_verb_test_plugin, &leat_verb_help, &leat_verb_version, NULL,
};

const struct leat_verb *leat_verb_find(const char *name)
{
	const char *names[sizeof leat_verbs / sizeof *leat_verbs];
	const char *nearest;

	for (size_t i = 0; leat_verbs[i] != NULL; i++)
		if (strcmp(name, leat_verbs[i]->name) == 0)
			return leat_verbs[i];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		names[i] = leat_verbs[i] == NULL ? NULL : leat_verbs[i]->name;
	nearest = leat_nearest(name, names);
	if (nearest != NULL)
		(void)fprintf(stderr, "leat: unknown command \"%s\"; did you mean \"%s\"?\n", name, nearest);
	else
		(void)fprintf(stderr, "leat: unknown command \"%s\"; \"leat --help\" lists them\n", name);
	return NULL;
}

static const char *last_word(const struct leat_verb *verb)
{
	return strrchr(verb->name, ' ') + 1;
}

enum leat_exit leat_verb_run_one_of(const struct leat_verb *verb, const struct leat_verb *const *verbs, int argc, char **argv)
{
	const char *names[16] = { NULL };
	const char *nearest;

	if (argc < 2) {
		(void)fputs(verb->help, stderr);
		return LEAT_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		(void)fputs(verb->help, stdout);
		return LEAT_EXIT_OK;
	}
	for (size_t i = 0; verbs[i] != NULL; i++) {
		leat_check(i + 1 < sizeof names / sizeof *names);
		names[i] = last_word(verbs[i]);
		if (strcmp(argv[1], names[i]) == 0)
			return verbs[i]->run(verbs[i], argc - 1, argv + 1);
	}
	nearest = leat_nearest(argv[1], names);
	if (nearest != NULL)
		return leat_usage_error(verb, "unknown command \"%s\"; did you mean \"%s\"?", argv[1], nearest);
	return leat_usage_error(verb, "unknown command \"%s\"", argv[1]);
}

static enum leat_exit run_verb(int argc, char **argv)
{
	const struct leat_verb *verb;

	if (argc < 2) {
		(void)fputs(leat_verb_help.help, stderr);
		return LEAT_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		verb = &leat_verb_help;
	else if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0)
		verb = &leat_verb_version;
	else if (argv[1][0] == '-') {
		(void)fprintf(stderr, "leat: unknown option \"%s\"; options follow the command, as in \"leat run --help\"\n", argv[1]);
		return LEAT_EXIT_USAGE;
	} else
		verb = leat_verb_find(argv[1]);
	return verb == NULL ? LEAT_EXIT_USAGE : verb->run(verb, argc - 1, argv + 1);
}

int leat_cli_main(int argc, char **argv)
{
	enum leat_exit status = run_verb(argc, argv);

	/* What was printed is the result of most verbs, so a full disk or a closed pipe is a failure. */
	if (fflush(stdout) != 0 && status == LEAT_EXIT_OK) {
		perror("leat: could not write to standard output");
		status = LEAT_EXIT_FAILED;
	}
	return (int)status;
}
