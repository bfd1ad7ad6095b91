/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/summary.h"

bool leat_host_option(struct leat_host *host, int option)
{
	switch (option) {
	case HOST_PLUGIN_PATH:
		host->plugin_path = optarg;
		return true;
	case HOST_STATE_DIR:
		host->state_dir = optarg;
		return true;
	case HOST_HTTP:
		host->http = strcmp(optarg, "off") == 0 ? NULL : optarg;
		return true;
	case HOST_WORKERS:
		return leat_argument_number(host->verb, "workers", optarg, 1024, &host->run.workers);
	case HOST_IN_FLIGHT:
		return leat_argument_size(host->verb, "in-flight", optarg, "1MiB", &host->run.in_flight_bytes);
	case HOST_STATE_MEMORY:
		return leat_argument_size(host->verb, "state-memory", optarg, "1MiB", &host->run.state_bytes);
	case HOST_CHANGELOG:
		return leat_argument_size(host->verb, "changelog", optarg, "4KiB", &host->run.changelog_bytes);
	case 'q':
		host->is_quiet = true;
		return true;
	case 'v':
		host->is_verbose = true;
		return true;
	default:
		return false;
	}
}

static bool read_files(const struct leat_host *host, const struct leat_files *files, const struct leat_registry *registry,
                       struct leat_fleet *fleet)
{
	struct leat_report *report = leat_report_create();
	size_t n_good = 0;

	for (size_t i = 0; i < files->n; i++)
		n_good += leat_fleet_add(fleet, registry, files->path[i], host->state_dir, report);
	leat_report_print(report, stderr);
	leat_report_destroy(report);
	return n_good == files->n || (host->keeps_broken && n_good > 0);
}

static void write_summary_json(const struct leat_host *host, const struct leat_buffer *text, enum leat_exit *status)
{
	bool is_stdout = strcmp(host->summary_json, "-") == 0;
	FILE *file = is_stdout ? stdout : fopen(host->summary_json, "we");
	bool is_written = file != NULL && fwrite(text->data, 1, text->n, file) == text->n && fflush(file) == 0;
	int code = errno;

	if (file != NULL && !is_stdout && fclose(file) != 0 && is_written) {
		code = errno;
		is_written = false;
	}
	if (!is_written) {
		leat_verb_complain(host->verb, "could not write \"%s\": %s", host->summary_json, strerror(code));
		*status = LEAT_EXIT_FAILED;
	}
}

static void summarise(const struct leat_host *host, const struct leat_fleet *fleet, int64_t elapsed_us, enum leat_exit *status)
{
	struct leat_snapshot *snapshots = leat_fleet_look(fleet);
	struct leat_buffer text = {0};

	if (host->has_summary) {
		leat_summary_print(&text, snapshots, fleet->n, elapsed_us);
		(void)fwrite(text.data, 1, text.n, stderr);
	}
	text.n = 0;
	if (host->summary_json != NULL) {
		leat_summary_print_json(&text, snapshots, fleet->n, elapsed_us);
		write_summary_json(host, &text, status);
	}
	leat_buffer_finish(&text);
	leat_fleet_forget(fleet, snapshots);
}

/* The HTTP port is taken before anything starts, so that a wrong address stops nothing that runs already, and answers after,
 * when the fleet changes no more. */
static enum leat_exit run_fleet(const struct leat_host *host, struct leat_fleet *fleet)
{
	enum leat_exit status = LEAT_EXIT_FAILED;
	struct leat_run_options run = host->run;
	struct leat_http *http = NULL;
	int64_t started_us;
	struct leat_error err = {.status = LEAT_OK};

	if (host->http != NULL && (http = leat_http_create(host->http, &err)) == NULL) {
		leat_verb_complain(host->verb, "%s", err.text);
		return err.status == LEAT_FATAL ? LEAT_EXIT_USAGE : LEAT_EXIT_FAILED;
	}
	if (leat_folder_make(host->state_dir, &err) != LEAT_OK) {
		leat_verb_complain(host->verb, "%s", err.text);
		goto end;
	}
	started_us = leat_clock_monotonic_us();
	run.state_dir = host->state_dir;
	(void)leat_fleet_start(fleet, &run);
	if (http != NULL) {
		if (leat_http_start(http, leat_fleet_page, fleet, &err) != LEAT_OK) {
			leat_verb_complain(host->verb, "%s", err.text);
			goto end;
		}
		leat_log_line(LEAT_INFO, "listening on %s", leat_http_url(http));
	}
	status = leat_supervision_run(&host->supervision, fleet);
	summarise(host, fleet, leat_clock_monotonic_us() - started_us, &status);
end:
	leat_http_destroy(http);
	return status;
}

enum leat_exit leat_host_run(const struct leat_host *host, const struct leat_files *files)
{
	enum leat_exit status = LEAT_EXIT_CONFIG;
	struct leat_registry *registry;
	struct leat_fleet *fleet;

	leat_log_set_level(host->is_quiet ? LEAT_WARNING : host->is_verbose ? LEAT_DEBUG : LEAT_INFO);
	leat_signals_block();
	leat_memory_share();
	registry = leat_cli_registry(host->plugin_path);
	fleet = leat_fleet_create();
	if (read_files(host, files, registry, fleet))
		status = run_fleet(host, fleet);
	leat_fleet_destroy(fleet);
	leat_registry_destroy(registry);
	return status;
}
