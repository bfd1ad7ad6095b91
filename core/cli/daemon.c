/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "cli/host.h"

static const char help[] =
	"NAME\n"
	"    leatd - run all pipelines of a folder as a service\n"
	"\n"
	"SYNOPSIS\n"
	"    leatd [--config-dir FOLDER] [--state-dir FOLDER] [--http ADDRESS:PORT|off] [--plugin-path PATH]\n"
	"        [--workers N] [--in-flight SIZE] [--state-memory SIZE] [--changelog SIZE] [--strict]\n"
	"        [--check] [--quiet | --verbose]\n"
	"\n"
	"DESCRIPTION\n"
	"    Runs every *.yaml file of the folder, each as a pipeline of its own, until a signal comes. A file with\n"
	"    errors is reported and the others run; so do they when one pipeline is stopped by an error: /readyz\n"
	"    and /healthz tell which. Systems that are away are waited for.\n"
	"\n"
	"    SIGTERM, SIGINT and SIGHUP drain all pipelines and end the service; a second signal quits at once.\n"
	"    Under systemd it tells when it is ready and what it does (Type=notify).\n"
	"\n"
	"OPTIONS\n"
	"    --config-dir FOLDER  The pipeline files. Default: " LEAT_CONFDIR "/pipelines.d\n"
	"    --state-dir FOLDER   Where state and dead letters are kept; made when it is missing.\n"
	"                         Default: $STATE_DIRECTORY, else " LEAT_STATEDIR "\n"
	"    --http ADDRESS:PORT  Serve /metrics, /healthz and /readyz there. Loopback addresses only.\n"
	"                         Default: 127.0.0.1:9464\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    --workers N          Threads that run operators, in each pipeline. Default: one for each processor\n"
	"    --in-flight SIZE     Bytes of events between sources and sinks of a pipeline. Default: 64MiB\n"
	"    --state-memory SIZE  Memory for what the operators of a pipeline keep; what does not fit is on the disk\n"
	"                         alone, and read when it is needed (exactly-once pipelines). Default: 1GiB\n"
	"    --changelog SIZE     Changes of a pipeline's state that wait to be written into files, where the last of\n"
	"                         each row gets; a start has to read them first. Default: a quarter of the\n"
	"                         state's files, from 16MiB to 64MiB\n"
	"    --strict             Do not start when any file has errors.\n"
	"    --check              Check the files, without connecting to anything, and end.\n"
	"    -q, --quiet          Log warnings and errors only.\n"
	"    -v, --verbose        Log more.\n"
	"    -V, --version        Print the version.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   drained after a signal; with --check, no errors\n"
	"    1   a pipeline had been stopped by an error, or the service could not start\n"
	"    2   wrong usage\n"
	"    78  there is no pipeline file, or none without errors (with --strict or --check: any with errors)\n"
	"\n"
	"ENVIRONMENT\n"
	"    LEAT_PLUGIN_PATH     Folders of plugins where --plugin-path is not given.\n"
	"    STATE_DIRECTORY      Set by systemd (StateDirectory=).\n"
	"\n"
	"FILES\n"
	"    " LEAT_CONFDIR "/pipelines.d/*.yaml\n";

enum { OWN_CONFIG_DIR = HOST_OWN, OWN_STRICT, OWN_CHECK };

static const struct option options[] = {
	LEAT_HOST_OPTIONS,
	{"config-dir", required_argument, NULL, OWN_CONFIG_DIR},
	{"strict", no_argument, NULL, OWN_STRICT},
	{"check", no_argument, NULL, OWN_CHECK},
	{"version", no_argument, NULL, 'V'},
	{NULL, 0, NULL, 0},
};

/* systemd gives several folders with colons in between; the first one is ours. */
static char *default_state_dir(void)
{
	const char *folders = getenv("STATE_DIRECTORY");

	if (folders == NULL || *folders == '\0')
		return leat_copy_text(LEAT_STATEDIR);
	return leat_copy_bytes_as_text(folders, strcspn(folders, ":"));
}

static enum leat_exit check(const struct leat_host *host, char *folder)
{
	char name[] = "check", offline[] = "--offline", plugin_path[] = "--plugin-path";
	char path[4096];
	char *argv[] = {name, offline, folder, NULL, NULL, NULL};
	int argc = 3;

	if (host->plugin_path != NULL) {
		(void)snprintf(path, sizeof path, "%s", host->plugin_path);
		argv[argc++] = plugin_path;
		argv[argc++] = path;
	}
	optind = 0; /* GNU: begin anew */
	return leat_verb_check.run(&leat_verb_check, argc, argv);
}

static enum leat_exit run_folder(const struct leat_host *host, const char *folder)
{
	struct leat_files files = {0};
	enum leat_exit status = LEAT_EXIT_CONFIG;
	struct leat_error err;

	if (leat_files_add(&files, folder, &err) != LEAT_OK)
		leat_verb_complain(host->verb, "%s", err.text);
	else
		status = leat_host_run(host, &files);
	leat_files_finish(&files);
	return status;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct leat_host host = {.verb = verb, .http = "127.0.0.1:9464", .keeps_broken = true};
	char default_config_dir[] = LEAT_CONFDIR "/pipelines.d";
	char *state_dir, *config_dir = default_config_dir;
	bool is_check = false;
	enum leat_exit status;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "qvV", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == 'V') {
			leat_version_print();
			return LEAT_EXIT_OK;
		}
		if (option == OWN_CONFIG_DIR)
			config_dir = optarg;
		else if (option == OWN_STRICT)
			host.keeps_broken = false;
		else if (option == OWN_CHECK)
			is_check = true;
		else if (!leat_host_option(&host, option))
			return LEAT_EXIT_USAGE;
	}
	if (optind != argc)
		return leat_usage_error(verb, "unexpected argument \"%s\"; pipelines are in --config-dir", argv[optind]);
	if (is_check)
		return check(&host, config_dir);
	state_dir = default_state_dir();
	if (host.state_dir == NULL)
		host.state_dir = state_dir;
	host.supervision.outlives_pipelines = true;
	host.supervision.figures_us = 60000000;
	status = run_folder(&host, config_dir);
	free(state_dir);
	return status;
}

static const struct leat_verb leatd = {
	.name = "leatd", .summary = "run all pipelines of a folder as a service",
	.help = help, .run = run};

int leat_daemon_main(int argc, char **argv)
{
	return (int)leatd.run(&leatd, argc, argv);
}
