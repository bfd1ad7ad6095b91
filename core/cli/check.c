/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "cli/arguments.h"
#include "cli/files.h"
#include "graph/description.h"
#include "service/format.h"

static const char help[] =
	"NAME\n"
	"    leat check - check pipeline files, and that their systems answer\n"
	"\n"
	"SYNOPSIS\n"
	"    leat check FILE|FOLDER... [--offline] [--format text|json] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Reads each file (of a folder, its *.yaml files) and reports everything that is wrong, with file, line\n"
	"    and column: names, types, ranges, references, cycles, what the plugins themselves refuse. Then connects\n"
	"    to each system of a file that is right, and reports those that do not answer, and topics, tables and\n"
	"    columns that are not there. Reads and writes no events.\n"
	"\n"
	"    What is right goes to standard output, findings to standard error; with --format json all goes to\n"
	"    standard output, as one array with an object for each file.\n"
	"\n"
	"OPTIONS\n"
	"    --offline            Connect to nothing.\n"
	"    --format FORMAT      text or json. Default: text\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   everything is right\n"
	"    1   the files are right, but a system did not answer or refused\n"
	"    2   wrong usage\n"
	"    78  a file has errors, or cannot be read\n"
	"\n"
	"EXAMPLES\n"
	"    leat check payments.yaml\n"
	"    leat check --offline " LEAT_CONFDIR "/pipelines.d\n";

enum { OWN_FORMAT = 256, OWN_OFFLINE, OWN_PLUGIN_PATH };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"format", required_argument, NULL, OWN_FORMAT},
	{"offline", no_argument, NULL, OWN_OFFLINE},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{NULL, 0, NULL, 0},
};

struct check {
	const char *plugin_path;
	bool is_offline;
	int format;
	const char *file;          /* the one in hand */
	struct leat_buffer answers; /* JSON: the nodes of that file */
};

static void put_quantity(struct leat_buffer *out, size_t n, const char *what)
{
	leat_format_put(out, "%zu %s%s", n, what, n == 1 ? "" : "s");
}

static size_t count(const struct leat_description *d, enum leat_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_nodes; i++)
		n += d->node[i].role == role;
	return n;
}

static const char *guarantee(const struct leat_description *d)
{
	return d->mode == LEAT_MODE_EXACTLY_ONCE ? "exactly-once" : "at-least-once";
}

/* What falls behind that: a crash loses what a source that cannot be replayed had handed over, whatever the rest can do. */
static void put_exceptions(struct leat_buffer *out, const struct leat_description *d)
{
	for (size_t i = 0; i < d->n_nodes; i++)
		if (d->node[i].role == LEAT_ROLE_SOURCE && !d->node[i].plugin->source->can_replay)
			leat_format_put(out, "; source \"%s\" cannot be replayed", d->node[i].name);
		else if (d->node[i].role == LEAT_ROLE_SINK && d->mode == LEAT_MODE_EXACTLY_ONCE &&
		         d->node[i].guarantee == LEAT_AT_LEAST_ONCE)
			leat_format_put(out, "; sink \"%s\" at-least-once", d->node[i].name);
}

static void print_good(const struct check *c, const struct leat_description *d)
{
	struct leat_buffer text = {0};

	leat_format_put(&text, "%s: ok (", c->file);
	put_quantity(&text, count(d, LEAT_ROLE_SOURCE), "source");
	leat_buffer_text(&text, ", ");
	put_quantity(&text, count(d, LEAT_ROLE_OPERATOR), "operator");
	leat_buffer_text(&text, ", ");
	put_quantity(&text, count(d, LEAT_ROLE_SINK), "sink");
	leat_format_put(&text, "; guarantee: %s", guarantee(d));
	put_exceptions(&text, d);
	leat_buffer_text(&text, ")\n");
	(void)fwrite(text.data, 1, text.n, stdout);
	leat_buffer_finish(&text);
}

static void show_answer(void *opaque, const struct leat_node *node, const struct leat_error *err)
{
	struct check *c = opaque;

	if (c->format == LEAT_FORMAT_JSON) {
		leat_buffer_text(&c->answers, c->answers.n == 0 ? "{\"node\":" : ",{\"node\":");
		leat_format_json(&c->answers, node->name);
		leat_format_put(&c->answers, ",\"role\":\"%s\",\"type\":", leat_role_name(node->role));
		leat_format_json(&c->answers, node->plugin->name);
		leat_format_put(&c->answers, ",\"ok\":%s,\"reason\":", err == NULL ? "true" : "false");
		leat_format_json(&c->answers, err == NULL ? NULL : err->text);
		leat_buffer_byte(&c->answers, '}');
	} else if (err == NULL) { /* the others are in the report */
		(void)printf("%s: %s \"%s\" (%s): ok\n", c->file, leat_role_name(node->role), node->name, node->plugin->name);
	}
}

static void print_object(struct check *c, const struct leat_description *d, bool is_good, struct leat_report *report)
{
	struct leat_buffer text = {0};

	leat_buffer_text(&text, "{\"file\":");
	leat_format_json(&text, c->file);
	leat_format_put(&text, ",\"ok\":%s,\"pipeline\":", is_good ? "true" : "false");
	leat_format_json(&text, d == NULL ? NULL : d->name);
	leat_buffer_text(&text, ",\"guarantee\":");
	leat_format_json(&text, d == NULL ? NULL : guarantee(d));
	leat_buffer_text(&text, ",\"nodes\":[");
	leat_buffer_append(&text, c->answers.data, c->answers.n);
	leat_buffer_text(&text, "],\"findings\":");
	(void)fwrite(text.data, 1, text.n, stdout);
	leat_report_print_json(report, stdout);
	(void)fputs("}\n", stdout);
	leat_buffer_finish(&text);
}

static enum leat_exit check_file(struct check *c, const struct leat_registry *registry, const char *file)
{
	const struct leat_description_options none = {.dead_letters = NULL};
	struct leat_report *report = leat_report_create();
	struct leat_description *d = leat_description_read(registry, file, &none, report);
	enum leat_exit status = d == NULL ? LEAT_EXIT_CONFIG : LEAT_EXIT_OK;

	c->file = file;
	c->answers.n = 0;
	if (d != NULL && !c->is_offline && !leat_description_check(d, report, show_answer, c))
		status = LEAT_EXIT_FAILED;
	if (c->format == LEAT_FORMAT_JSON) {
		print_object(c, d, status == LEAT_EXIT_OK, report);
	} else {
		if (status == LEAT_EXIT_OK)
			print_good(c, d);
		(void)fflush(stdout); /* so that the two come in order where both are the same */
		leat_report_print(report, stderr);
	}
	leat_description_destroy(d);
	leat_report_destroy(report);
	return status;
}

static enum leat_exit check_files(struct check *c, const struct leat_files *files)
{
	struct leat_registry *registry = leat_cli_registry(c->plugin_path);
	enum leat_exit worst = LEAT_EXIT_OK;

	if (c->format == LEAT_FORMAT_JSON)
		(void)fputs("[", stdout);
	for (size_t i = 0; i < files->n; i++) {
		enum leat_exit status;

		if (c->format == LEAT_FORMAT_JSON && i > 0)
			(void)fputs(",", stdout);
		status = check_file(c, registry, files->path[i]);
		worst = status > worst ? status : worst; /* 78 outweighs 1 */
	}
	if (c->format == LEAT_FORMAT_JSON)
		(void)fputs("]\n", stdout);
	leat_buffer_finish(&c->answers);
	leat_registry_destroy(registry);
	return worst;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct check c = {.format = LEAT_FORMAT_TEXT};
	struct leat_files files = {0};
	enum leat_exit status;
	bool is_readable = true;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		if (option == OWN_PLUGIN_PATH)
			c.plugin_path = optarg;
		if (option == OWN_OFFLINE)
			c.is_offline = true;
		if (option == OWN_FORMAT && !leat_argument_format(verb, optarg, &c.format))
			return LEAT_EXIT_USAGE;
	}
	if (optind == argc)
		return leat_usage_error(verb, "expected a pipeline file or a folder");
	for (int i = optind; i < argc; i++) {
		struct leat_error err;

		if (leat_files_add(&files, argv[i], &err) != LEAT_OK) {
			leat_verb_complain(verb, "%s", err.text);
			is_readable = false;
		}
	}
	status = check_files(&c, &files);
	leat_files_finish(&files);
	return is_readable ? status : LEAT_EXIT_CONFIG;
}

const struct leat_verb leat_verb_check = {
	.name = "check", .summary = "check pipeline files, and that their systems answer", .help = help, .run = run};
