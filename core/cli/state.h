/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_STATE_H
#define LEAT_CLI_STATE_H

#include "cli/arguments.h"
#include "graph/description.h"
#include "state/store.h"

/* What `leat state ...` and `leat verify` have in common: a pipeline file or a state folder on the command line, and its store. */

struct leat_state_use {
	const struct leat_verb *verb;
	const char *plugin_path;
	const char *state_dir;
	char *dead_letters; /* that the description borrows */
	struct leat_registry *registry;
	struct leat_report *report;
	struct leat_description *description; /* NULL: a state folder was named */
	char *folder;                         /* of the state */
	struct leat_store *store;
};

/* In every such verb's option table. */
enum { STATE_PLUGIN_PATH = 256, STATE_DIR, STATE_OWN };
#define LEAT_STATE_OPTIONS                                                                                                 \
	LEAT_OPTION_HELP, {"plugin-path", required_argument, NULL, STATE_PLUGIN_PATH},                                     \
		{"state-dir", required_argument, NULL, STATE_DIR}

/* Lines of every such verb's help. */
#define LEAT_STATE_OPTIONS_HELP                                                                                            \
	"    --state-dir FOLDER   Where state is kept. Default: .\n"                                                       \
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"                                              \
	"    -h, --help           Print this.\n"

/* Such an option; others are left alone. */
void leat_state_option(struct leat_state_use *use, int option);
/* The pipeline file, which has to be delivered exactly once. Else what is wrong was printed. */
enum leat_exit leat_state_read_file(struct leat_state_use *use, const char *file);
/* The same, or a state folder. */
enum leat_exit leat_state_read(struct leat_state_use *use, const char *path);

enum leat_state_access { LEAT_STATE_READ, LEAT_STATE_STILL, LEAT_STATE_OWN };
/* LEAT_RETRY (still): it is owned by a process; nothing was printed. Else what is wrong was printed. */
enum leat_status leat_state_open(struct leat_state_use *use, enum leat_state_access access);
void leat_state_finish(struct leat_state_use *use);

/* The node of that role; else says that there is none. */
const struct leat_node *leat_state_node(const struct leat_state_use *use, enum leat_role role, const char *name);

/* Whether the pipeline can start with what the sink has (E5): as it knows it, or because it moves there (E11). */
enum leat_status leat_state_judge(const struct leat_state_use *use, const struct leat_node *node, uint32_t sink,
                                  const struct leat_store_audit *audit, const struct leat_fence *found, struct leat_error *err);

extern const struct leat_verb leat_verb_state_list;
extern const struct leat_verb leat_verb_state_get;
extern const struct leat_verb leat_verb_state_scan;
extern const struct leat_verb leat_verb_state_export;
extern const struct leat_verb leat_verb_state_backup;
extern const struct leat_verb leat_verb_state_restore;
extern const struct leat_verb leat_verb_state_accept_sink;

#endif
