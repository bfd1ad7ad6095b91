/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/arguments.h"
#include "config.h"

static const char help[] =
	"NAME\n"
	"    leat - a dataflow plugin host\n"
	"\n"
	"SYNOPSIS\n"
	"    leat COMMAND [OPTION...] [FILE...]\n"
	"\n"
	"DESCRIPTION\n"
	"    Runs pipelines: sources, operators and sinks, which are plugins (.so files and Lua scripts), connected\n"
	"    as a YAML file says.\n"
	"\n"
	"COMMANDS\n"
	"    run          run pipelines in the foreground\n"
	"    check        check pipeline files, and that their systems answer\n"
	"    test         run the tests of pipelines\n"
	"    inspect      show plugins and their options\n"
	"    graph        draw a pipeline as Mermaid or Graphviz\n"
	"    top          watch running pipelines\n"
	"    plan         tell what a changed pipeline does to its state\n"
	"    state        look at the state of a pipeline, copy it, decide about its sinks\n"
	"    dlq          look at dead letters, have them processed again, drop them\n"
	"    verify       check that the state of a pipeline and its sinks fit together\n"
	"    test-plugin  try whether an operator keeps what every operator owes the host\n"
	"    help         show the help of a command\n"
	"    version      print the version\n"
	"\n"
	"    The service that runs all pipelines of a folder is leatd.\n"
	"\n"
	"OPTIONS\n"
	"    -h, --help     Print this; \"leat COMMAND --help\" prints that of a command.\n"
	"    -V, --version  Print the version.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   good\n"
	"    1   failed\n"
	"    2   wrong usage\n"
	"    78  a pipeline file has errors\n";

static enum leat_exit run_help(const struct leat_verb *verb, int argc, char **argv)
{
	const struct leat_verb *about = verb;

	if (argc > 2)
		return leat_usage_error(verb, "expected one command at most");
	if (argc == 2 && strcmp(argv[1], "--help") != 0 && strcmp(argv[1], "-h") != 0)
		about = leat_verb_find(argv[1]);
	if (about == NULL)
		return LEAT_EXIT_USAGE;
	(void)fputs(about->help, stdout);
	return LEAT_EXIT_OK;
}

const struct leat_verb leat_verb_help = {.name = "help", .summary = "show the help of a command", .help = help, .run = run_help};

static const char version_help[] =
	"NAME\n"
	"    leat version - print the version\n"
	"\n"
	"SYNOPSIS\n"
	"    leat version\n"
	"    leat --version\n"
	"\n"
	"DESCRIPTION\n"
	"    Prints the version of leat, the version of the plugin interface that it speaks, and where it looks for\n"
	"    plugins and pipelines.\n";

static const struct option version_options[] = {LEAT_OPTION_HELP, {NULL, 0, NULL, 0}};

void leat_version_print(void)
{
	(void)printf("leat %s\nplugin interface %u\nplugins in %s\npipelines in %s/pipelines.d\n", PACKAGE_VERSION, LEAT_ABI,
	             LEAT_PLUGINDIR, LEAT_CONFDIR);
}

static enum leat_exit run_version(const struct leat_verb *verb, int argc, char **argv)
{
	int option = leat_argument_next(verb, argc, argv, "", version_options);

	if (option == LEAT_ARGUMENT_HELP)
		return LEAT_EXIT_OK;
	if (option == LEAT_ARGUMENT_WRONG)
		return LEAT_EXIT_USAGE;
	if (optind < argc)
		return leat_usage_error(verb, "unexpected argument \"%s\"", argv[optind]);
	leat_version_print();
	return LEAT_EXIT_OK;
}

const struct leat_verb leat_verb_version = {
	.name = "version", .summary = "print the version", .help = version_help, .run = run_version};
