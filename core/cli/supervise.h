/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_SUPERVISE_H
#define LEAT_CLI_SUPERVISE_H

#include "cli/cli.h"
#include "service/fleet.h"

/*
 * What the main thread does while pipelines run: sleeps until a signal, the end of a pipeline, or the next figures are due.
 * SIGTERM, SIGINT and SIGHUP drain; the second one quits at once, with status 1, and what is in flight is read again after
 * the next start.
 */

struct leat_supervision {
	int64_t for_us;          /* drains after that; 0: never by itself */
	int64_t figures_us;      /* a log line with figures so often, where they change; 0: none */
	bool has_status_line;    /* on standard error, if that can show one; then there are no such log lines */
	bool outlives_pipelines; /* goes on when all have ended: a daemon */
};

/* Before any thread starts: they inherit it. Also ignores SIGPIPE. */
void leat_signals_block(void);
/* Blocks until it is over. LEAT_EXIT_FAILED when a pipeline stopped by an error. */
enum leat_exit leat_supervision_run(const struct leat_supervision *options, struct leat_fleet *fleet);

#endif
