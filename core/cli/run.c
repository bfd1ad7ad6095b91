/* SPDX-License-Identifier: Apache-2.0 */
#include <unistd.h>

#include "cli/host.h"

static const char help[] =
	"NAME\n"
	"    leat run - run pipelines in the foreground\n"
	"\n"
	"SYNOPSIS\n"
	"    leat run FILE... [--plugin-path PATH] [--state-dir FOLDER] [--http ADDRESS:PORT|off]\n"
	"        [--workers N] [--in-flight SIZE] [--state-memory SIZE] [--changelog SIZE]\n"
	"        [--for DURATION] [--status auto|always|never] [--drop NAME]... [--summary-json FILE]\n"
	"        [--quiet | --verbose]\n"
	"\n"
	"DESCRIPTION\n"
	"    Reads the pipeline files, reports everything that is wrong with them, and runs them until all sources\n"
	"    have ended, the time is up, or a signal comes. Then everything in flight is delivered, positions are\n"
	"    committed, and a summary is printed. Systems that are away are waited for.\n"
	"\n"
	"    SIGINT (Ctrl-C), SIGTERM and SIGHUP end it in this way; a second signal quits at once.\n"
	"\n"
	"    On a terminal the bottom line shows the figures of the moment: events per second in and out, records\n"
	"    not read yet (lag), the fill of the fullest queue, the latency below which 99 % of the events of the\n"
	"    last 10 s stayed, alerts and dead letters. Elsewhere a log line has them every 10 s.\n"
	"\n"
	"OPTIONS\n"
	"    --plugin-path PATH   Folders of plugins, separated by colons.\n"
	"    --state-dir FOLDER   Where state is kept; made when it is missing. Dead letters that no sink of the\n"
	"                         pipeline reads go to <name of the file>.dead.jsonl in it. Default: .\n"
	"    --http ADDRESS:PORT  Serve /metrics, /healthz and /readyz there. Loopback addresses only; port 0\n"
	"                         takes a free one, and the log says which. Default: off\n"
	"    --workers N          Threads that run operators. Default: one for each processor\n"
	"    --in-flight SIZE     Bytes of events between sources and sinks, at most. Default: 64MiB\n"
	"    --state-memory SIZE  Memory for what operators keep; what does not fit is on the disk alone, and read\n"
	"                         when it is needed (exactly-once pipelines). Default: 1GiB\n"
	"    --changelog SIZE     Changes of state that wait to be written into files, where the last of each row gets;\n"
	"                         a start has to read them first (exactly-once pipelines). Default: a quarter of the\n"
	"                         state's files, from 16MiB to 64MiB\n"
	"    --for DURATION       End after this time, such as 20s or 5m.\n"
	"    --status WHEN        auto: the status line on a terminal, log lines elsewhere. always: without a\n"
	"                         terminal a log line each second. never: neither. Default: auto\n"
	"    --drop NAME          Delete what the state holds of this node and the pipeline has no use for: the node\n"
	"                         is gone, or is not what it was. Without, the pipeline does not start. Again for\n"
	"                         another name. leat plan tells which.\n"
	"    --summary-json FILE  Write the figures of the whole run there as JSON; - is standard output.\n"
	"    -q, --quiet          Print warnings and errors only.\n"
	"    -v, --verbose        Print more.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   all sources ended, or everything was drained\n"
	"    1   a pipeline was stopped by an error, or a second signal came\n"
	"    2   wrong usage\n"
	"    78  a pipeline file has errors\n"
	"\n"
	"ENVIRONMENT\n"
	"    LEAT_PLUGIN_PATH     Folders of plugins where --plugin-path is not given.\n"
	"    NO_COLOR             No colours when it is set.\n"
	"\n"
	"EXAMPLES\n"
	"    leat run payments.yaml\n"
	"    leat run payments.yaml --for 20s --summary-json figures.json\n"
	"    leat run *.yaml --http 127.0.0.1:9464 --state-dir /tmp/leat\n";

enum { OWN_FOR = HOST_OWN, OWN_STATUS, OWN_DROP, OWN_SUMMARY_JSON };

static const struct option options[] = {
	LEAT_HOST_OPTIONS,
	{"for", required_argument, NULL, OWN_FOR},
	{"status", required_argument, NULL, OWN_STATUS},
	{"drop", required_argument, NULL, OWN_DROP},
	{"summary-json", required_argument, NULL, OWN_SUMMARY_JSON},
	{NULL, 0, NULL, 0},
};

enum { LARGEST_DROP = 256 };
enum { STATUS_AUTO, STATUS_ALWAYS, STATUS_NEVER };
static const char *const status_choices[] = {"auto", "always", "never", NULL};

static void choose_status(struct leat_host *host, int status)
{
	host->supervision.has_status_line = status != STATUS_NEVER && (!host->is_quiet || status == STATUS_ALWAYS);
	if (status != STATUS_NEVER)
		host->supervision.figures_us = status == STATUS_ALWAYS ? 1000000 : 10000000;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	const char *drop[LARGEST_DROP + 1] = {NULL};
	struct leat_host host = {.verb = verb, .state_dir = ".", .has_summary = true, .run = {.drop = drop}};
	struct leat_files files = {0};
	size_t n_drop = 0;
	enum leat_exit result;
	int status = STATUS_AUTO;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "qv", options)) != LEAT_ARGUMENT_END) {
		bool is_good = true;

		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == OWN_FOR)
			is_good = leat_argument_duration(verb, "for", optarg, &host.supervision.for_us);
		else if (option == OWN_STATUS)
			is_good = leat_argument_choice(verb, "status", optarg, status_choices, &status);
		else if (option == OWN_DROP && n_drop == LARGEST_DROP)
			return leat_usage_error(verb, "expected --drop %d times at most", LARGEST_DROP);
		else if (option == OWN_DROP)
			drop[n_drop++] = optarg;
		else if (option == OWN_SUMMARY_JSON)
			host.summary_json = optarg;
		else
			is_good = leat_host_option(&host, option);
		if (!is_good)
			return LEAT_EXIT_USAGE;
	}
	if (optind == argc)
		return leat_usage_error(verb, "expected a pipeline file");
	choose_status(&host, status);
	host.has_summary = !host.is_quiet;
	for (int i = optind; i < argc; i++) {
		struct leat_error err;

		if (leat_files_add(&files, argv[i], &err) != LEAT_OK) {
			leat_verb_complain(verb, "%s", err.text);
			leat_files_finish(&files);
			return LEAT_EXIT_CONFIG;
		}
	}
	result = leat_host_run(&host, &files);
	leat_files_finish(&files);
	return result;
}

const struct leat_verb leat_verb_run = {.name = "run", .summary = "run pipelines in the foreground", .help = help, .run = run};
