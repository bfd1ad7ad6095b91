/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/arguments.h"
#include "graph/plan.h"

static const char help[] =
	"NAME\n"
	"    leat graph - draw a pipeline\n"
	"\n"
	"SYNOPSIS\n"
	"    leat graph FILE [--format mermaid|dot] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Prints the nodes and edges of a pipeline, and which nodes run together in a stage, as a diagram for\n"
	"    Mermaid (which GitHub and many editors show) or Graphviz. Connects to nothing.\n"
	"\n"
	"OPTIONS\n"
	"    --format FORMAT      mermaid or dot. Default: mermaid\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat graph payments.yaml --format dot | dot -Tsvg >payments.svg\n";

enum { OWN_FORMAT = 256, OWN_PLUGIN_PATH };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"format", required_argument, NULL, OWN_FORMAT},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{NULL, 0, NULL, 0},
};

static const char *const formats[] = {"mermaid", "dot", NULL};

static enum leat_exit draw(const char *file, const char *plugin_path, int format)
{
	struct leat_registry *registry = leat_cli_registry(plugin_path);
	const struct leat_description_options none = {.dead_letters = NULL};
	struct leat_report *report = leat_report_create();
	struct leat_description *description = leat_description_read(registry, file, &none, report);
	enum leat_exit status = description == NULL ? LEAT_EXIT_CONFIG : LEAT_EXIT_OK;

	leat_report_print(report, stderr);
	if (description != NULL) {
		const struct leat_plan *plan = leat_plan_make(description);

		if (format == 0)
			leat_plan_print_mermaid(plan, stdout);
		else
			leat_plan_print_dot(plan, stdout);
	}
	leat_description_destroy(description);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	return status;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	const char *plugin_path = NULL;
	int format = 0;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		if (option == OWN_PLUGIN_PATH)
			plugin_path = optarg;
		if (option == OWN_FORMAT && !leat_argument_choice(verb, "format", optarg, formats, &format))
			return LEAT_EXIT_USAGE;
	}
	if (argc - optind != 1)
		return leat_usage_error(verb, "expected one pipeline file");
	return draw(argv[optind], plugin_path, format);
}

const struct leat_verb leat_verb_graph = {
	.name = "graph", .summary = "draw a pipeline as Mermaid or Graphviz",
	.help = help, .run = run};
