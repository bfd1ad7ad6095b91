/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_REPLAY_H
#define LEAT_RUN_REPLAY_H

#include "run/letters.h"
#include "state/letter.h"

/*
 * Dead letters that are wanted again, or dropped (wish.h). The supervisor looks for wishes and hands letters to shards, some at
 * a time; a shard takes one between two batches, as a batch of its own, into the node that refused it. In the same round it says
 * that the letter goes, so that both are in one epoch: a crash leaves the letter, or what became of it, and never both or
 * neither. When the last one of a wish is durable its file goes.
 */
struct leat_replays;
struct leat_shard;

/* Lives in its arena. */
struct leat_replay {
	struct leat_replay *next;
	struct leat_arena *arena;
	struct leat_letter letter;
	uint32_t node;
	uint32_t input; /* of the node */
};

struct leat_replays *leat_replays_create(struct leat_pipeline *p, struct leat_store *store);
void leat_replays_destroy(struct leat_replays *replays); /* accepts NULL */

/* ---- supervisor ------------------------------------------------------------------------------------------------------- */

enum { LEAT_REPLAYS_LOOK_US = 1000000 };

/* Goes on with what is wished for; looks for wishes at most every LEAT_REPLAYS_LOOK_US. */
void leat_replays_step(struct leat_replays *replays);
/* Nothing is wished for any more, as far as the last look went. */
bool leat_replays_are_done(const struct leat_replays *replays);

/* ---- others ----------------------------------------------------------------------------------------------------------- */

/* Coordinator: so many letters have gone, durably. */
void leat_replays_done(struct leat_replays *replays, uint64_t n);
/* Worker: the shard's next one, NULL when there is none. The caller gives the arena back. */
struct leat_replay *leat_replays_take(struct leat_replays *replays, struct leat_shard *shard);

#endif
