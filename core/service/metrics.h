/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_METRICS_H
#define LEAT_SERVICE_METRICS_H

#include "service/snapshot.h"

/*
 * Prometheus text format 0.0.4. A family's HELP and TYPE stand once, before the series of all pipelines. The names are
 * part of the product: dashboards and alert rules use them, and docs/operating.md lists them.
 */
void leat_metrics_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n);

/* What the kernel says about this process, under the names that all Prometheus clients use. */
void leat_process_metrics_render(struct leat_buffer *out);

#endif
