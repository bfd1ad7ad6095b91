/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/report.h"
#include "run/fence.h"
#include "service/fleet.h"

static const char help[] =
	"NAME\n"
	"    leat state - look at the state of a pipeline, copy it, decide about its sinks\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state COMMAND [OPTION...] FILE...\n"
	"\n"
	"DESCRIPTION\n"
	"    A pipeline that is delivered exactly once keeps its state in <state-dir>/<pipeline>.state: what its\n"
	"    operators know, how far its sources were read, and the effects that are not delivered yet.\n"
	"\n"
	"COMMANDS\n"
	"    list         epoch, positions, tables and sinks\n"
	"    get          the rows of a key\n"
	"    scan         the rows of a node\n"
	"    export       all rows\n"
	"    backup       copy the state, while the pipeline runs or not\n"
	"    restore      put a copy back\n"
	"    accept-sink  decide what to do about a sink that is not where the state says\n"
	"\n"
	"    leat verify checks whether state and sinks fit together.\n"
	"\n"
	"OPTIONS\n"
	"    -h, --help   Print this; \"leat state COMMAND --help\" prints that of a command.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   good\n"
	"    1   failed\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n";

static const struct leat_verb *const verbs[] = {
	&leat_verb_state_list, &leat_verb_state_get, &leat_verb_state_scan, &leat_verb_state_export, &leat_verb_state_backup,
	&leat_verb_state_restore, &leat_verb_state_accept_sink, NULL,
};

/* ---- what the commands share ----------------------------------------------------------------------------------------- */

void leat_state_option(struct leat_state_use *use, int option)
{
	if (option == STATE_PLUGIN_PATH)
		use->plugin_path = optarg;
	else if (option == STATE_DIR)
		use->state_dir = optarg;
}

/* As it runs: with the sink of dead letters that the host adds. */
enum leat_exit leat_state_read_file(struct leat_state_use *use, const char *file)
{
	struct leat_description_options options;

	use->dead_letters = leat_dead_letters_path(use->state_dir, file);
	options.dead_letters = use->dead_letters;
	use->registry = leat_cli_registry(use->plugin_path);
	use->report = leat_report_create();
	use->description = leat_description_read(use->registry, file, &options, use->report);
	leat_report_print(use->report, stderr);
	if (use->description == NULL)
		return LEAT_EXIT_CONFIG;
	if (use->description->mode != LEAT_MODE_EXACTLY_ONCE) {
		leat_verb_complain(use->verb, "pipeline \"%s\" keeps no state: it is delivered at least once", use->description->name);
		return LEAT_EXIT_FAILED;
	}
	use->folder = leat_store_folder_in(use->state_dir, use->description->name);
	return LEAT_EXIT_OK;
}

enum leat_exit leat_state_read(struct leat_state_use *use, const char *path)
{
	struct stat is;

	if (stat(path, &is) != 0 || !S_ISDIR(is.st_mode))
		return leat_state_read_file(use, path);
	use->folder = leat_copy_text(path);
	return LEAT_EXIT_OK;
}

enum leat_status leat_state_open(struct leat_state_use *use, enum leat_state_access access)
{
	const char *pipeline = use->description == NULL ? NULL : use->description->name;
	enum leat_status status = LEAT_OK;
	struct leat_error err = { .status = LEAT_OK };

	/* Who wants to own it does not make one. */
	if (access == LEAT_STATE_OWN && (status = leat_store_open_read_only(use->folder, pipeline, &use->store, &err)) == LEAT_OK) {
		leat_store_close(use->store);
		use->store = NULL;
		status = leat_store_open(use->folder, pipeline, &use->store, &err);
	} else if (access != LEAT_STATE_OWN) {
		status = access == LEAT_STATE_STILL ? leat_store_open_still(use->folder, pipeline, &use->store, &err) :
		                                      leat_store_open_read_only(use->folder, pipeline, &use->store, &err);
	}
	if (status == LEAT_FATAL)
		leat_verb_complain(use->verb, "%s", err.text);
	return status;
}

void leat_state_finish(struct leat_state_use *use)
{
	leat_store_close(use->store);
	leat_description_destroy(use->description);
	leat_report_destroy(use->report);
	leat_registry_destroy(use->registry);
	free(use->dead_letters);
	free(use->folder);
}

const struct leat_node *leat_state_node(const struct leat_state_use *use, enum leat_role role, const char *name)
{
	const struct leat_description *d = use->description;
	const char **names = leat_allocate_zeroed(d->n_nodes + 1, sizeof *names);
	const struct leat_node *found = leat_description_find(d, role, name);
	const char *nearest;
	size_t n = 0;

	for (size_t i = 0; i < d->n_nodes; i++)
		if (d->node[i].role == role)
			names[n++] = d->node[i].name;
	nearest = found == NULL ? leat_nearest(name, names) : NULL;
	free(names);
	if (found == NULL && nearest != NULL)
		leat_verb_complain(use->verb, "there is no %s \"%s\"; did you mean \"%s\"?", leat_role_name(role), name, nearest);
	else if (found == NULL)
		leat_verb_complain(use->verb, "there is no %s \"%s\" in pipeline \"%s\"", leat_role_name(role), name, d->name);
	return found;
}

static bool moves(const struct leat_state_use *use, const struct leat_node *node, uint32_t sink)
{
	char *is = leat_node_identity(node), *was = leat_store_sink_what(use->store, sink);
	bool moves = was != NULL && strcmp(was, is) != 0;

	free(was);
	free(is);
	return moves;
}

enum leat_status leat_state_judge(const struct leat_state_use *use, const struct leat_node *node, uint32_t sink,
                                  const struct leat_store_audit *audit, const struct leat_fence *found, struct leat_error *err)
{
	enum leat_status status = leat_fence_judge(use->store, sink, &audit->delivered, &audit->head, found, err);

	if (status != LEAT_OK && audit->n_epochs == 0 && found->epoch < audit->delivered.epoch && moves(use, node, sink))
		return LEAT_OK;
	return status;
}

/* ---- the verb -------------------------------------------------------------------------------------------------------- */

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	return leat_verb_run_one_of(verb, verbs, argc, argv);
}

const struct leat_verb leat_verb_state = {
	.name = "state", .summary = "look at the state of a pipeline", .help = help, .run = run};
