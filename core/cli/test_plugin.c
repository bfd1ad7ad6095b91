/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"
#include "kit/trials.h"
#include "run/json_codec.h"

static const char help[] =
	"NAME\n"
	"    leat test-plugin - try whether an operator keeps what every operator owes the host\n"
	"\n"
	"SYNOPSIS\n"
	"    leat test-plugin PLUGIN | FILE.so [--options FILE.yaml] [--sample FILE] [--seed N] [--events N]\n"
	"                     [--only PROPERTY] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Runs an operator over events, with the clock and the watermark moving on between them, and takes what\n"
	"    comes out and the state that is left for right. Then it has to come to the same in other ways: with\n"
	"    batches that end elsewhere, with events taken back and tried again, with a restart from a checkpoint at\n"
	"    every step, after crashes, with its state in the store, with events of different keys in another order\n"
	"    and in several shards, without the events that it rejects. Its allocations fail, and it must not crash;\n"
	"    it is made and destroyed many times, and must give everything back. Nothing is written anywhere.\n"
	"\n"
	"    Prints a line for each property, with the first difference where one does not hold. The same seed gives\n"
	"    the same events.\n"
	"\n"
	"    The file of options has a map, or a list of maps, of: options, as under the node in a pipeline file,\n"
	"    without type and input; events, a map of fields to lists of values to choose from, or sample, a list of\n"
	"    events; except, a map of properties that do not hold to the reason; name. Without events and sample, the\n"
	"    fields are those that the options name, with values of all types.\n"
	"\n"
	"OPTIONS\n"
	"    --options FILE.yaml  Sets of options to try it with. Default: one, of none\n"
	"    --sample FILE        Events to try it with, a line of JSON each.\n"
	"    --seed N             Of the events, and of what is done to them. Default: 1\n"
	"    --events N           How many. Default: 60\n"
	"    --only PROPERTY      Try only this one, as it is called in what is printed.\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons, for a PLUGIN that is no file.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   everything holds\n"
	"    1   something does not; or there is no such plugin, or it is no operator\n"
	"    2   wrong usage\n"
	"    78  the options or the events have errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat test-plugin ./spend.so --options spend.trials.yaml\n"
	"    leat test-plugin ./spend.so --options spend.trials.yaml --only restored --seed 7\n";

enum { OWN_OPTIONS = 256, OWN_SAMPLE, OWN_SEED, OWN_EVENTS, OWN_ONLY, OWN_PLUGIN_PATH };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"options", required_argument, NULL, OWN_OPTIONS},
	{"sample", required_argument, NULL, OWN_SAMPLE},
	{"seed", required_argument, NULL, OWN_SEED},
	{"events", required_argument, NULL, OWN_EVENTS},
	{"only", required_argument, NULL, OWN_ONLY},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{NULL, 0, NULL, 0},
};

struct arguments {
	struct leat_trials trials;
	const char *plugin_path;
};

static bool is_file(const char *name)
{
	size_t n = strlen(name);

	return strchr(name, '/') != NULL || (n > 3 && strcmp(name + n - 3, ".so") == 0);
}

/* A file is tried by itself, so that what is installed under its name is not in the way. */
static struct leat_registry *load(const struct leat_verb *verb, const struct arguments *a, const char *name)
{
	struct leat_registry *registry;
	struct leat_error err;

	if (!is_file(name)) {
		registry = leat_cli_registry(a->plugin_path);
		leat_registry_add(registry, &leat_nowhere_plugin);
		return registry;
	}
	registry = leat_registry_create();
	if (leat_registry_load(registry, name, &err) != LEAT_OK) {
		leat_verb_complain(verb, "%s", err.text);
		leat_registry_destroy(registry);
		return NULL;
	}
	leat_registry_add(registry, &leat_json_plugin);
	leat_registry_add(registry, &leat_nowhere_plugin);
	return registry;
}

/* The file was loaded first. */
static const struct leat_plugin *find(const struct leat_verb *verb, const struct leat_registry *registry, const char *name)
{
	const struct leat_loaded *loaded;

	if (is_file(name)) {
		(void)leat_registry_loaded(registry, &loaded);
	} else {
		loaded = leat_registry_find(registry, name);
		if (loaded == NULL) {
			leat_verb_complain(verb, "there is no plugin \"%s\"; \"leat inspect\" lists them", name);
			return NULL;
		}
	}
	if (loaded->plugin->op != NULL)
		return loaded->plugin;
	leat_verb_complain(verb, "plugin \"%s\" has no operator: there is nothing to try", loaded->plugin->name);
	return NULL;
}

static enum leat_exit try_plugin(const struct leat_verb *verb, const struct arguments *a, const char *name)
{
	struct leat_conform_result result = {.n_passed = 0};
	struct leat_registry *registry = load(verb, a, name);
	const struct leat_plugin *plugin = registry == NULL ? NULL : find(verb, registry, name);
	struct leat_report *report;
	enum leat_exit status = LEAT_EXIT_OK;

	if (plugin == NULL) {
		leat_registry_destroy(registry);
		return LEAT_EXIT_FAILED;
	}
	report = leat_report_create();
	leat_trials_run(&a->trials, registry, plugin, stdout, report, &result);
	(void)printf("%zu passed, %zu failed, %zu skipped\n", result.n_passed, result.n_failed, result.n_skipped);
	(void)fflush(stdout);
	leat_report_print(report, stderr);
	if (leat_report_errors(report) > 0)
		status = LEAT_EXIT_CONFIG;
	else if (result.n_failed > 0 || result.n_passed == 0)
		status = LEAT_EXIT_FAILED;
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	return status;
}

static bool is_property(const struct leat_verb *verb, const char *name)
{
	const char *names[32] = {NULL};
	int n;

	for (size_t i = 0; leat_properties[i].name != NULL; i++)
		names[i] = leat_properties[i].name;
	return leat_argument_choice(verb, "only", name, names, &n);
}

static bool take(const struct leat_verb *verb, struct arguments *a, int option)
{
	uint32_t n;

	if (option == OWN_OPTIONS)
		a->trials.file = optarg;
	if (option == OWN_SAMPLE)
		a->trials.sample = optarg;
	if (option == OWN_PLUGIN_PATH)
		a->plugin_path = optarg;
	if (option == OWN_ONLY)
		a->trials.only = optarg;
	if (option == OWN_SEED && leat_argument_number(verb, "seed", optarg, UINT32_MAX, &n))
		a->trials.seed = n;
	else if (option == OWN_EVENTS && leat_argument_number(verb, "events", optarg, 10000, &n))
		a->trials.n_events = n;
	else if (option == OWN_SEED || option == OWN_EVENTS)
		return false;
	return option != OWN_ONLY || is_property(verb, optarg);
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct arguments a = {.trials = {.seed = 1, .n_events = 60}};
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG || !take(verb, &a, option))
			return LEAT_EXIT_USAGE;
	}
	if (optind != argc - 1)
		return leat_usage_error(verb, "expected one plugin, or its file");
	return try_plugin(verb, &a, argv[optind]);
}

const struct leat_verb leat_verb_test_plugin = {
	.name = "test-plugin", .summary = "try whether an operator keeps what every operator owes the host", .help = help, .run = run};
