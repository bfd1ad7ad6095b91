/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_SUMMARY_H
#define LEAT_CLI_SUMMARY_H

#include "service/snapshot.h"

/* What a run came to, for people and for programs. `elapsed_us` is the time from start to end. */
void leat_summary_print(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n, int64_t elapsed_us);
/* {"version":..,"elapsed_seconds":..,"pipelines":[{"pipeline":..,"events_in":..,"nodes":[..]}]} */
void leat_summary_print_json(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n, int64_t elapsed_us);

#endif
