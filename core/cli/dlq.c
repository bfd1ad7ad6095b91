/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/dlq.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/report.h"

static const char help[] =
	"NAME\n"
	"    leat dlq - look at the dead letters of a pipeline, have them processed again, drop them\n"
	"\n"
	"SYNOPSIS\n"
	"    leat dlq COMMAND [OPTION...] FILE...\n"
	"\n"
	"DESCRIPTION\n"
	"    What a node of a pipeline cannot take is a dead letter. Those that no sink of the pipeline reads are kept\n"
	"    in its state, in a queue, when it is delivered exactly once. Every command works beside the running\n"
	"    pipeline and without it.\n"
	"\n"
	"COMMANDS\n"
	"    list    one line a letter: what failed, where and why\n"
	"    show    all there is to know about a letter\n"
	"    replay  have letters processed again, by the node that refused them\n"
	"    drop    remove letters\n"
	"\n"
	"OPTIONS\n"
	"    -h, --help   Print this; \"leat dlq COMMAND --help\" prints that of a command.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   good\n"
	"    1   failed\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n";

static const struct leat_verb *const verbs[] = { &leat_verb_dlq_list, &leat_verb_dlq_show, &leat_verb_dlq_replay, &leat_verb_dlq_drop, NULL };

/* ---- what the commands share ----------------------------------------------------------------------------------------- */

enum leat_exit leat_dlq_open(struct leat_state_use *use, const char *path, bool may_be_folder)
{
	enum leat_exit status = may_be_folder ? leat_state_read(use, path) : leat_state_read_file(use, path);

	if (status == LEAT_EXIT_FAILED && use->description != NULL)
		leat_verb_complain(use->verb, "dead letters that no sink of it reads are in \"%s\"", use->dead_letters);
	if (status != LEAT_EXIT_OK)
		return status;
	return leat_state_open(use, LEAT_STATE_READ) == LEAT_OK ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
}

bool leat_dlq_knows(const struct leat_state_use *use, const char *node)
{
	const struct leat_description *d = use->description;
	const char **names, *nearest;
	bool is_known = node == NULL || leat_store_letters(use->store, node).n > 0;

	if (is_known || d == NULL)
		return true;
	names = leat_allocate_zeroed(d->n_nodes + 1, sizeof *names);
	for (size_t i = 0; i < d->n_nodes; i++) {
		names[i] = d->node[i].name;
		is_known = is_known || strcmp(names[i], node) == 0;
	}
	nearest = is_known ? NULL : leat_nearest(node, names);
	free(names);
	if (!is_known && nearest != NULL)
		leat_verb_complain(use->verb, "there is no node \"%s\"; did you mean \"%s\"?", node, nearest);
	else if (!is_known)
		leat_verb_complain(use->verb, "there is no node \"%s\" in pipeline \"%s\"", node, d->name);
	return is_known;
}

bool leat_dlq_range(const char *text, uint64_t *from, uint64_t *until)
{
	int n = 0;

	if (text[strspn(text, "0123456789-")] != '\0' || text[0] == '-')
		return false;
	if (sscanf(text, "%" SCNu64 "-%" SCNu64 "%n", from, until, &n) == 2 && text[n] == '\0')
		return *from > 0 && *from <= *until;
	*until = 0;
	if (sscanf(text, "%" SCNu64 "%n", from, &n) != 1 || text[n] != '\0')
		return false;
	*until = *from;
	return *from > 0;
}

/* ---- the verb -------------------------------------------------------------------------------------------------------- */

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	return leat_verb_run_one_of(verb, verbs, argc, argv);
}

const struct leat_verb leat_verb_dlq = {
	.name = "dlq", .summary = "look at dead letters, have them processed again, drop them", .help = help, .run = run};
