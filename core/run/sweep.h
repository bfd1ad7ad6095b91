/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_SWEEP_H
#define LEAT_RUN_SWEEP_H

#include "run/epoch.h"

/*
 * What has expired in a shard's tables, and nobody asks for: in memory, where events come too seldom to find it, and in the store.
 * Each table with a time to live is gone through about once in that time, a little between batches.
 */
struct leat_sweep;

/* Of a shard with all its instances. NULL: nothing in it expires. */
struct leat_sweep *leat_sweep_create(struct leat_epochs *epochs, struct leat_shard *shard);
/* Between batches, when all state is loaded, and the epoch takes more. Returns when to call again, as leat_shard_run(). */
int64_t leat_sweep_step(struct leat_sweep *sweep);
void leat_sweep_destroy(struct leat_sweep *sweep); /* accepts NULL */

#endif
