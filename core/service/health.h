/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_HEALTH_H
#define LEAT_SERVICE_HEALTH_H

#include "service/snapshot.h"

/*
 * Health and readiness as JSON. Both write an object with a "status" and one entry per pipeline.
 *
 * Healthy: no pipeline stopped by a fatal error, none that could not be read or started, and none with a worker that has not
 * come round for LEAT_STALL_US ("stalled_node" names whose plugin it called last).
 * Ready: healthy, and every pipeline is running (or had an end and came to it); else "nodes" names those that wait, and why.
 */
enum { LEAT_STALL_US = 30000000 };

bool leat_health_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n);
bool leat_readiness_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n);

#endif
