/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_CLI_H
#define LEAT_CLI_CLI_H

#include "plugin/registry.h"

/* The commands: one file per verb, each with its option table and its help. */

enum leat_exit {
	LEAT_EXIT_OK = 0,
	LEAT_EXIT_FAILED = 1,
	LEAT_EXIT_USAGE = 2,
	LEAT_EXIT_CONFIG = 78 /* EX_CONFIG: the pipeline file is wrong */
};

struct leat_verb {
	const char *name; /* as it is called: "run"; "leatd" for the service */
	const char *summary;
	const char *help; /* the whole of `--help` */
	enum leat_exit (*run)(const struct leat_verb *verb, int argc, char **argv); /* argv[0] is the verb */
};

extern const struct leat_verb leat_verb_run;
extern const struct leat_verb leat_verb_check;
extern const struct leat_verb leat_verb_inspect;
extern const struct leat_verb leat_verb_graph;
extern const struct leat_verb leat_verb_state;
extern const struct leat_verb leat_verb_dlq;
extern const struct leat_verb leat_verb_verify;
extern const struct leat_verb leat_verb_plan;
extern const struct leat_verb leat_verb_top;
extern const struct leat_verb leat_verb_test;
extern const struct leat_verb leat_verb_test_plugin;
extern const struct leat_verb leat_verb_help;
extern const struct leat_verb leat_verb_version;
extern const struct leat_verb *const leat_verbs[]; /* NULL at the end */

/* The programs. */
int leat_cli_main(int argc, char **argv);
int leat_daemon_main(int argc, char **argv);

/* What `leat version` prints. */
void leat_version_print(void);

/* The verb of that name; else says so, with the nearest one, and returns NULL. */
const struct leat_verb *leat_verb_find(const char *name);

/* A verb of several, such as "state list": calls the one that argv[1] names. `verbs` ends with NULL; 15 at most. */
enum leat_exit leat_verb_run_one_of(const struct leat_verb *verb, const struct leat_verb *const *verbs, int argc, char **argv);

/* Built-in plugins and those of the folders: `plugin_path`, else LEAT_PLUGIN_PATH, else where they are installed. */
struct leat_registry *leat_cli_registry(const char *plugin_path);

#endif
