/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_LISTING_H
#define LEAT_SERVICE_LISTING_H

#include "service/snapshot.h"

/* /api/v1/pipelines: what runs, what it promises, and how far it is, as JSON. */
void leat_listing_render(struct leat_buffer *out, const struct leat_snapshot *snapshot, size_t n);

#endif
