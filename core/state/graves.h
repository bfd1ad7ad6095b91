/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_GRAVES_H
#define LEAT_STATE_GRAVES_H

#include <stdbool.h>

#include "state/index.h"
#include "state/packed_key.h"
#include "state/pool.h"

/*
 * Keys of one table whose rows are still in the store, though they were erased: the erase is on its way there. As long as a
 * key lies here, its row must not be read. Each has the event of its erase, and they are let go in the order of these.
 */

struct leat_burial {
	uint64_t event;
	uint32_t number;
};

struct leat_graves {
	struct leat_index index;
	struct leat_pool pool;
	struct leat_burial *burial; /* in order; of a key that was buried again the earlier ones count for nothing */
	size_t first, n, capacity;
	size_t bytes; /* in keys */
};

void leat_graves_init(struct leat_graves *graves);
void leat_graves_finish(struct leat_graves *graves);
/* `event` is not before that of the last one. */
void leat_graves_bury(struct leat_graves *graves, const struct leat_packed_key *key, uint32_t tag, uint64_t event);
/* `key` is packed. */
bool leat_graves_hold(const struct leat_graves *graves, const char *key, size_t key_n, uint32_t tag);
/* Those that were buried in this event or before. */
void leat_graves_release(struct leat_graves *graves, uint64_t event);
size_t leat_graves_bytes(const struct leat_graves *graves);

#endif
