/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_FENCE_H
#define LEAT_RUN_FENCE_H

#include "state/store.h"

/* E5: whether the store knows a sink's fence, as what it has delivered or as an epoch in its outbox. LEAT_FATAL: it does not,
 * and how they differ. */
enum leat_status leat_fence_judge(const struct leat_store *store, uint32_t sink, const struct leat_fence *found, struct leat_error *err);

#endif
