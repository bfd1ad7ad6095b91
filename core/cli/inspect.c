/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/inspect.h"

#include "base/memory.h"
#include "base/report.h"
#include "cli/arguments.h"

static const char help[] =
	"NAME\n"
	"    leat inspect - show plugins and their options\n"
	"\n"
	"SYNOPSIS\n"
	"    leat inspect [PLUGIN | FILE.so] [--format text|json|markdown] [--plugin-path PATH]\n"
	"    leat inspect --schema [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Without an argument: a line for each plugin that was found, then each file that was refused and why.\n"
	"    With a name or a file: that plugin's roles, ports, options (type, default, meaning) and state tables.\n"
	"    With --schema: a JSON Schema of pipeline files with these plugins, for editors.\n"
	"\n"
	"OPTIONS\n"
	"    --format FORMAT      text, json, or markdown (for one plugin: the table in its README). Default: text\n"
	"    --schema             Print the JSON Schema.\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no such plugin, or its file was refused\n"
	"    2   wrong usage\n"
	"\n"
	"EXAMPLES\n"
	"    leat inspect kafka\n"
	"    leat inspect ./spend.so\n"
	"    leat inspect --schema >pipeline.schema.json\n";

enum { OWN_FORMAT = 256, OWN_SCHEMA, OWN_PLUGIN_PATH };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"format", required_argument, NULL, OWN_FORMAT},
	{"schema", no_argument, NULL, OWN_SCHEMA},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{NULL, 0, NULL, 0},
};

enum { TEXT, JSON, MARKDOWN };
static const char *const formats[] = {"text", "json", "markdown", NULL};

static void print_plugin(const struct leat_loaded *loaded, int format)
{
	if (format == TEXT)
		leat_inspect_plugin(loaded, stdout);
	else if (format == JSON)
		leat_inspect_plugin_json(loaded, stdout);
	else
		leat_inspect_plugin_markdown(loaded, stdout);
}

/* A file is looked at by itself, so that what is installed under its name is not in the way. */
static enum leat_exit inspect_file(const struct leat_verb *verb, const char *path, int format)
{
	struct leat_registry *registry = leat_registry_create();
	enum leat_exit status = LEAT_EXIT_OK;
	const struct leat_loaded *loaded;
	struct leat_error err;

	if (leat_registry_load(registry, path, &err) != LEAT_OK) {
		leat_verb_complain(verb, "%s", err.text);
		status = LEAT_EXIT_FAILED;
	} else if (leat_registry_loaded(registry, &loaded) > 0) {
		print_plugin(&loaded[0], format);
	}
	leat_registry_destroy(registry);
	return status;
}

static void complain_of_missing(const struct leat_verb *verb, const struct leat_registry *registry, const char *name)
{
	const struct leat_refused *refused = leat_registry_find_refused(registry, name);
	const struct leat_loaded *loaded;
	size_t n = leat_registry_loaded(registry, &loaded);
	const char **names = leat_allocate_zeroed(n + 1, sizeof *names);
	const char *nearest;

	for (size_t i = 0; i < n; i++)
		names[i] = loaded[i].plugin->name;
	nearest = leat_nearest(name, names);
	if (refused != NULL)
		leat_verb_complain(verb, "plugin file \"%s\" was refused: %s", refused->path, refused->reason);
	else if (nearest != NULL)
		leat_verb_complain(verb, "there is no plugin \"%s\"; did you mean \"%s\"?", name, nearest);
	else
		leat_verb_complain(verb, "there is no plugin \"%s\"; \"leat inspect\" lists them", name);
	free(names);
}

static enum leat_exit inspect(const struct leat_verb *verb, const struct leat_registry *registry, const char *name, int format)
{
	const struct leat_loaded *loaded;

	if (name == NULL) {
		if (format == JSON)
			leat_inspect_list_json(registry, stdout);
		else
			leat_inspect_list(registry, stdout);
		return LEAT_EXIT_OK;
	}
	loaded = leat_registry_find(registry, name);
	if (loaded == NULL) {
		complain_of_missing(verb, registry, name);
		return LEAT_EXIT_FAILED;
	}
	print_plugin(loaded, format);
	return LEAT_EXIT_OK;
}

static bool is_file_name(const char *name)
{
	size_t n = name == NULL ? 0 : strlen(name);

	return n > 0 && (strchr(name, '/') != NULL || (n > 3 && strcmp(name + n - 3, ".so") == 0));
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	const char *plugin_path = NULL, *name;
	struct leat_registry *registry;
	enum leat_exit status = LEAT_EXIT_OK;
	bool is_schema = false;
	int option, format = TEXT;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		if (option == OWN_PLUGIN_PATH)
			plugin_path = optarg;
		if (option == OWN_SCHEMA)
			is_schema = true;
		if (option == OWN_FORMAT && !leat_argument_choice(verb, "format", optarg, formats, &format))
			return LEAT_EXIT_USAGE;
	}
	if (argc - optind > (is_schema ? 0 : 1))
		return leat_usage_error(verb, "expected %s", is_schema ? "no name with --schema" : "one plugin at most");
	name = optind < argc ? argv[optind] : NULL;
	if (format == MARKDOWN && name == NULL)
		return leat_usage_error(verb, "expected a plugin with --format markdown");
	if (is_file_name(name))
		return inspect_file(verb, name, format);
	registry = leat_cli_registry(plugin_path);
	if (is_schema)
		leat_inspect_schema(registry, stdout);
	else
		status = inspect(verb, registry, name, format);
	leat_registry_destroy(registry);
	return status;
}

const struct leat_verb leat_verb_inspect = {
	.name = "inspect", .summary = "show plugins and their options",
	.help = help, .run = run};
