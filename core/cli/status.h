/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_STATUS_H
#define LEAT_CLI_STATUS_H

#include "cli/meter.h"

/* The figures of a run in one line: `payments  15.0k in/s  14.9k out/s  lag 120  queue 3%  p99 12 ms  alerts 7  dead 0  12s`. */

struct leat_status_view {
	const char *name;
	const char *state;   /* NULL when it just runs, else "starting", "draining", ... */
	const char *waiting; /* a node that is not ready, or NULL */
	struct leat_reading reading;
	int64_t elapsed_us;
};

/* What is least important goes until the line fits `width` columns. */
void leat_status_format(struct leat_buffer *out, const struct leat_status_view *view, size_t width, bool has_colours);

/* The view of all pipelines together. ->reading is the caller's. */
void leat_status_describe(struct leat_status_view *view, const struct leat_snapshot *snapshot, size_t n, char *name,
                          size_t name_n);

#endif
