/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_PLAY_H
#define LEAT_KIT_PLAY_H

#include "kit/outcome.h"
#include "kit/script.h"

/* An operator with its options, and what it is tried with. */
struct leat_trial {
	const struct leat_description *description; /* of leat_solo_pipeline(); frozen */
	const struct leat_node *node;
	struct leat_script script;
	uint64_t seed;
};

/* A way to put the script through it. All that is not set: as few batches as there can be, one instance, and nothing goes wrong.
 * Arrays are by step. */
struct leat_way {
	const unsigned char *is_cut;      /* a batch ends behind it */
	const unsigned char *is_restart;  /* behind it there is a checkpoint, and a new instance goes on from that */
	const unsigned char *is_left_out;
	const size_t *order;              /* step i is script.step[order[i]] */
	bool is_twice;                    /* see leat_solo_push_twice() */
	bool has_crash;                   /* a checkpoint behind crash_from, and back there once crash_until is done */
	size_t crash_from, crash_until;
	struct leat_memory *memory;       /* see kept.h */
	uint32_t n_shards;                /* 0: one */
};

void leat_play(const struct leat_trial *trial, const struct leat_way *way, struct leat_outcome *outcome);
/* The key of each step's event, the same text for equal ones; NULL where there is no event. To be freed. */
char **leat_play_keys(const struct leat_trial *trial);

#endif
