/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_HOST_H
#define LEAT_CLI_HOST_H

#include "cli/arguments.h"
#include "cli/files.h"
#include "cli/supervise.h"

/* What `leat run` and leatd have in common: their options, and running a fleet with its HTTP server. */

struct leat_host {
	const struct leat_verb *verb;
	const char *plugin_path; /* NULL: as leat_cli_registry() says */
	const char *state_dir;
	const char *http; /* address and port; NULL: no server */
	struct leat_run_options run;
	struct leat_supervision supervision;
	bool is_quiet, is_verbose;
	bool keeps_broken; /* goes on with the files that are right */
	const char *summary_json; /* path, "-" for standard output; NULL: none */
	bool has_summary;
};

/* In every such verb's option table; the values are above those of letters. */
enum { HOST_PLUGIN_PATH = 256, HOST_STATE_DIR, HOST_HTTP, HOST_WORKERS, HOST_IN_FLIGHT, HOST_STATE_MEMORY, HOST_CHANGELOG, HOST_OWN };

#define LEAT_HOST_OPTIONS                                                                                                 \
	LEAT_OPTION_HELP, {"plugin-path", required_argument, NULL, HOST_PLUGIN_PATH},                                     \
		{"state-dir", required_argument, NULL, HOST_STATE_DIR}, {"http", required_argument, NULL, HOST_HTTP},         \
		{"workers", required_argument, NULL, HOST_WORKERS}, {"in-flight", required_argument, NULL, HOST_IN_FLIGHT},   \
		{"state-memory", required_argument, NULL, HOST_STATE_MEMORY},                                                 \
		{"changelog", required_argument, NULL, HOST_CHANGELOG}, {"quiet", no_argument, NULL, 'q'},                    \
		{"verbose", no_argument, NULL, 'v'}

/* One of those options. False: a usage error was printed. */
bool leat_host_option(struct leat_host *host, int option);
/* From reading the files to the summary. */
enum leat_exit leat_host_run(const struct leat_host *host, const struct leat_files *files);

#endif
