/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"
#include "cli/arguments.h"
#include "service/fleet.h"
#include "service/format.h"

static const char help[] =
	"NAME\n"
	"    leat plan - tell what a changed pipeline file does to state, positions and effects\n"
	"\n"
	"SYNOPSIS\n"
	"    leat plan OLD NEW [--state-dir FOLDER] [--format text|json] [--plugin-path PATH]\n"
	"    leat plan NEW [--state-dir FOLDER] [--format text|json] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Tells for each source, operator, table and sink what a start with the pipeline file NEW does to what is\n"
	"    there from before: keep (it is gone on with), migrate (the plugin makes its rows over), new, changed\n"
	"    (what that means), dropped (what is lost). It ends with whether NEW starts as it is, or which --drop\n"
	"    options of leat run it takes.\n"
	"\n"
	"    With --state-dir it looks into the state of the pipeline there, which may be running, and counts rows\n"
	"    and undelivered effects; without OLD it does so in any case. Without it, all that is in the file OLD\n"
	"    counts as having rows and positions, and as drained. It changes nothing and asks no system.\n"
	"\n"
	"OPTIONS\n"
	"    --state-dir FOLDER   Where state is kept. Default without OLD: .\n"
	"    --format FORMAT      text or json. Default: text\n"
	"    --json               The same as --format json.\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   NEW starts as it is\n"
	"    1   it would be refused; or there is no state, or it cannot be read\n"
	"    2   wrong usage\n"
	"    78  a pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat plan payments.yaml payments.yaml.new --state-dir /var/lib/leat\n";

enum { OWN_STATE_DIR = 256, OWN_PLUGIN_PATH, OWN_FORMAT, OWN_JSON };

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"state-dir", required_argument, NULL, OWN_STATE_DIR},
	{"plugin-path", required_argument, NULL, OWN_PLUGIN_PATH},
	{"format", required_argument, NULL, OWN_FORMAT},
	{"json", no_argument, NULL, OWN_JSON},
	{NULL, 0, NULL, 0},
};

enum { OLD, NEW, FILES };

struct verb_plan {
	const struct leat_verb *verb;
	const char *state_dir; /* NULL: no store is looked into */
	const char *plugin_path;
	int format;
	const char *file[FILES]; /* OLD may be NULL */

	struct leat_registry *registry;
	struct leat_report *report;
	char *dead_letters; /* that the descriptions borrow */
	struct leat_description *description[FILES];
	struct leat_store *store; /* or NULL */
	struct leat_was was;
	struct leat_findings findings;
	struct leat_buffer out;
};

static const char *verdict_name(enum leat_verdict verdict)
{
	static const char *const names[] = {
		[LEAT_KEEP] = "keep", [LEAT_MIGRATE] = "migrate", [LEAT_NEW] = "new", [LEAT_CHANGED] = "changed", [LEAT_DROPPED] = "dropped" };

	return names[verdict];
}

/* ---- output ---------------------------------------------------------------------------------------------------------- */

static void put_finding_json(struct verb_plan *p, const struct leat_finding *f, bool is_first)
{
	leat_format_put(&p->out, "%s{\"role\":\"%s\",\"node\":", is_first ? "" : ",", f->role);
	leat_format_json(&p->out, f->node);
	leat_buffer_text(&p->out, ",\"table\":");
	leat_format_json(&p->out, f->table != NULL && f->table[0] == '\0' ? "timers" : f->table);
	leat_format_put(&p->out, ",\"verdict\":\"%s\",\"is\":", verdict_name(f->verdict));
	leat_format_json(&p->out, f->is);
	leat_buffer_text(&p->out, ",\"was\":");
	leat_format_json(&p->out, f->was);
	leat_buffer_text(&p->out, ",\"count\":");
	if (p->was.is_counted)
		leat_format_put(&p->out, "%" PRIu64, f->n);
	else
		leat_buffer_text(&p->out, "null");
	leat_format_put(&p->out, ",\"needs_drop\":%s,\"meaning\":", f->needs_drop ? "true" : "false");
	leat_format_json(&p->out, f->meaning);
	leat_buffer_byte(&p->out, '}');
}

static void put_json(struct verb_plan *p)
{
	const char *drop;

	leat_buffer_text(&p->out, "{\"pipeline\":");
	leat_format_json(&p->out, p->description[NEW]->name);
	leat_buffer_text(&p->out, ",\"folder\":");
	leat_format_json(&p->out, p->store == NULL ? NULL : leat_store_folder(p->store));
	leat_format_put(&p->out, ",\"starts\":%s,\"drop\":[", leat_findings_drop(&p->findings, 0) == NULL ? "true" : "false");
	for (size_t i = 0; (drop = leat_findings_drop(&p->findings, i)) != NULL; i++) {
		leat_buffer_text(&p->out, i > 0 ? "," : "");
		leat_format_json(&p->out, drop);
	}
	leat_buffer_text(&p->out, "],\"findings\":[");
	for (size_t i = 0; i < p->findings.n; i++)
		put_finding_json(p, &p->findings.finding[i], i == 0);
	leat_buffer_text(&p->out, "]}\n");
}

static void put_finding_text(struct verb_plan *p, const struct leat_finding *f)
{
	const char *name = f->table == NULL ? f->node : f->table[0] == '\0' ? "timers" : f->table;

	leat_format_put(&p->out, "%-9s%s%-*s %-8s", f->role, f->table == NULL ? "" : "  ", f->table == NULL ? 22 : 20, name,
	                verdict_name(f->verdict));
	if (f->is != NULL && f->verdict == LEAT_CHANGED && f->was != NULL)
		leat_format_put(&p->out, " %s, was %s", f->is, f->was);
	else if (f->is != NULL || f->was != NULL)
		leat_format_put(&p->out, " %s", f->is != NULL ? f->is : f->was);
	if (f->meaning != NULL)
		leat_format_put(&p->out, "%s%s", f->is != NULL || f->was != NULL ? "; " : " ", f->meaning);
	leat_buffer_byte(&p->out, '\n');
}

static void put_text(struct verb_plan *p)
{
	const char *drop = leat_findings_drop(&p->findings, 0);

	if (p->store != NULL)
		leat_format_put(&p->out, "pipeline \"%s\", state in \"%s\" at epoch %" PRIu64 "\n\n", p->description[NEW]->name,
		                leat_store_folder(p->store), leat_store_epoch(p->store));
	else
		leat_format_put(&p->out, "pipeline \"%s\", from file \"%s\" to \"%s\"\n\n", p->description[NEW]->name, p->file[OLD], p->file[NEW]);
	for (size_t i = 0; i < p->findings.n; i++)
		put_finding_text(p, &p->findings.finding[i]);
	leat_format_put(&p->out, "\n\"%s\" %s", p->file[NEW], drop == NULL ? "starts as it is" : "is refused, unless it is started with");
	for (size_t i = 0; (drop = leat_findings_drop(&p->findings, i)) != NULL; i++)
		leat_format_put(&p->out, " --drop %s", drop);
	leat_buffer_byte(&p->out, '\n');
}

/* ---- the verb -------------------------------------------------------------------------------------------------------- */

/* As it runs: with the sink of dead letters that the host adds, which is named after the file. The new one is to take the place
 * of the old one. */
static bool read_file(struct verb_plan *p, int which)
{
	const struct leat_description_options wanted = { .dead_letters = p->dead_letters };

	p->description[which] = leat_description_read(p->registry, p->file[which], &wanted, p->report);
	return p->description[which] != NULL;
}

static bool read_files(struct verb_plan *p)
{
	bool is_good;

	p->dead_letters = leat_dead_letters_path(p->state_dir == NULL ? "." : p->state_dir, p->file[OLD] != NULL ? p->file[OLD] : p->file[NEW]);
	p->registry = leat_cli_registry(p->plugin_path);
	p->report = leat_report_create();
	is_good = p->file[OLD] == NULL || read_file(p, OLD);
	is_good = read_file(p, NEW) && is_good;
	leat_report_print(p->report, stderr);
	return is_good;
}

/* Two pipelines that have nothing to do with each other cannot be compared. */
static bool are_comparable(const struct verb_plan *p)
{
	const struct leat_description *old = p->description[OLD], *new = p->description[NEW];

	if (old != NULL && strcmp(old->name, new->name) != 0) {
		leat_verb_complain(p->verb, "pipeline \"%s\" is not \"%s\": under another name it begins anew, and state of \"%s\" stays where it is",
		                   new->name, old->name, old->name);
		return false;
	}
	for (int i = 0; i < FILES; i++) {
		if (p->description[i] == NULL || p->description[i]->mode == LEAT_MODE_EXACTLY_ONCE)
			continue;
		leat_verb_complain(p->verb, "pipeline \"%s\" keeps no state in \"%s\": it is delivered at least once", p->description[i]->name,
		                   p->file[i]);
		return false;
	}
	return true;
}

static enum leat_status look_into_store(struct verb_plan *p, struct leat_error *err)
{
	char *folder = leat_store_folder_in(p->state_dir, p->description[NEW]->name);
	enum leat_status status = leat_store_open_read_only(folder, p->description[NEW]->name, &p->store, err);

	free(folder);
	return status == LEAT_OK ? leat_was_add_store(&p->was, p->store, err) : status;
}

static enum leat_exit plan(struct verb_plan *p)
{
	struct leat_error err;

	if (!read_files(p))
		return LEAT_EXIT_CONFIG;
	if (!are_comparable(p))
		return LEAT_EXIT_FAILED;
	if (p->description[OLD] != NULL)
		leat_was_add_plan(&p->was, leat_plan_make(p->description[OLD]));
	if (p->state_dir != NULL && look_into_store(p, &err) != LEAT_OK) {
		leat_verb_complain(p->verb, "%s", err.text);
		return LEAT_EXIT_FAILED;
	}
	leat_findings_make(&p->findings, &p->was, leat_plan_make(p->description[NEW]));
	if (p->format == LEAT_FORMAT_JSON)
		put_json(p);
	else
		put_text(p);
	(void)fwrite(p->out.data, 1, p->out.n, stdout);
	return leat_findings_drop(&p->findings, 0) == NULL ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
}

static void finish(struct verb_plan *p)
{
	leat_buffer_finish(&p->out);
	leat_findings_finish(&p->findings);
	leat_was_finish(&p->was);
	leat_store_close(p->store);
	for (int i = 0; i < FILES; i++)
		leat_description_destroy(p->description[i]);
	free(p->dead_letters);
	leat_report_destroy(p->report);
	leat_registry_destroy(p->registry);
}

static bool take_option(struct verb_plan *p, int option)
{
	if (option == OWN_STATE_DIR)
		p->state_dir = optarg;
	else if (option == OWN_PLUGIN_PATH)
		p->plugin_path = optarg;
	else if (option == OWN_JSON)
		p->format = LEAT_FORMAT_JSON;
	else
		return leat_argument_format(p->verb, optarg, &p->format);
	return true;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct verb_plan p = {.verb = verb, .format = LEAT_FORMAT_TEXT};
	enum leat_exit status;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG || !take_option(&p, option))
			return LEAT_EXIT_USAGE;
	}
	if (argc - optind < 1 || argc - optind > 2)
		return leat_usage_error(verb, "expected a pipeline file, or an old and a new one");
	p.file[NEW] = argv[argc - 1];
	if (argc - optind == 2)
		p.file[OLD] = argv[optind];
	else if (p.state_dir == NULL)
		p.state_dir = ".";
	status = plan(&p);
	finish(&p);
	return status;
}

const struct leat_verb leat_verb_plan = {
	.name = "plan", .summary = "tell what a changed pipeline does to its state", .help = help, .run = run};
