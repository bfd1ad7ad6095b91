/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_FENCE_H
#define LEAT_RUN_FENCE_H

#include "state/store.h"

/* E5: whether a sink's fence is what the store has delivered to it, or an epoch in its outbox. `head`: the last epoch with
 * effects for it. LEAT_FATAL: neither, and how they differ. */
enum leat_status leat_fence_judge(const struct leat_store *store, uint32_t sink, const struct leat_fence *delivered,
                                  const struct leat_fence *head, const struct leat_fence *found, struct leat_error *err);

#endif
