/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_SINK_H
#define LEAT_RUN_SINK_H

#include "run/cap.h"
#include "run/delivery.h"
#include "run/phases.h"

/* A sink's queues and its thread, as delivery.c, outbox.c and fence.c share them. */

struct leat_refusal {
	size_t effect;
	struct leat_error err;
};

struct leat_group_list {
	struct leat_group *first, **last;
};

/* What was delivered by some time. */
struct leat_sink_mark {
	int64_t us;
	uint64_t epoch;
};

/* How finely it is told when the outbox may forget what was delivered. */
enum { LEAT_SINK_MARKS = 32 };

struct leat_sink {
	struct leat_pipeline *pipeline;
	const struct leat_node *node;
	struct leat_encoder encoder; /* its instance is the context of claim() and deliver(), its dead ones take refusals */
	pthread_t thread;
	bool is_started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct leat_group_list queue; /* to be delivered; under the lock */
	_Atomic uint64_t queued_bytes;
	_Atomic bool is_waited_for;
	uint32_t attempt;

	/* with epochs */
	uint32_t number;                /* the store's */
	bool is_fenced;
	bool has_claimed;               /* once in this process */
	int64_t retention_us;           /* of what was delivered; 0: none */
	struct leat_sink_mark mark[LEAT_SINK_MARKS]; /* of what is kept; under the lock, as the next one */
	size_t n_marks;
	uint64_t incarnation;           /* that we claim with */
	struct leat_fence start_head;   /* end of the chain as the store had it at the start */
	struct leat_fence fence;        /* in the sink, as far as we know; its thread's */
	int64_t fence_us;               /* when it was written last; its thread's */
	int64_t behind_us;              /* since when it tells of an older one; 0: it does not; its thread's */
	struct leat_group_list open[2]; /* effects of epochs that are not durable, by round; under the lock */
	struct leat_cap cap;            /* of what is in them */
	struct leat_group_list closed;  /* of the epoch that is being written; the coordinator's */
	size_t n_closed;                /* how many numbers it has in there, see leat_sink_put_epoch(); the coordinator's */
	uint64_t noting_epoch;          /* delivered, as the coordinator has put it last, */
	uint64_t noting_n, noting_bytes; /* and how much that is since the start */
	struct leat_fence head;         /* end of the chain of digests; the coordinator's */
	struct leat_fence delivered;    /* under the lock */
	bool is_delivered_new;          /* it is not in the store yet; under the lock */
	uint64_t delivered_round;       /* whose epoch has the dead letters of what was refused of it; under the lock */
	uint64_t noted_epoch;           /* the store has it as delivered, durably; under the lock, as the next two */
	uint64_t delivered_n, delivered_bytes; /* since the start */
	uint64_t noted_n, noted_bytes;  /* of them, those that the store knows of */
	uint64_t repeat_until;          /* what was delivered last before the start is delivered again up to here; 0: nothing is */
	_Atomic size_t n_durable;       /* epochs that are durable and not delivered */

	/* the delivery in hand */
	struct leat_group *taken;
	struct leat_fence target; /* of its last epoch */
	size_t n_epochs;
	struct leat_effect *effect;
	const struct leat_record **record;
	struct leat_group **group_of;
	size_t effect_capacity;
	struct leat_refusal *refusal;
	size_t n_refusals, refusal_capacity;
	size_t n_in_hand, bytes_in_hand;
	int64_t took_us; /* in monotonic microseconds */
	int64_t taken_us, committing_us; /* see phases.h */

	leat_counter latency[LEAT_LATENCY_BUCKETS];
	leat_counter latency_sum_us;
	struct leat_phases phases;
};

/* E12: one step has no more, though an epoch may, when few events became many effects. */
static inline bool leat_sink_is_one_step(const struct leat_sink *sink, size_t n, size_t bytes)
{
	return n <= 4 * sink->cap.records && bytes <= 4 * sink->cap.bytes;
}

static inline void leat_group_list_init(struct leat_group_list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static inline void leat_group_list_add(struct leat_group_list *list, struct leat_group *group)
{
	group->next = NULL;
	*list->last = group;
	list->last = &group->next;
}

/* Moves all of `from` behind `to`. */
static inline void leat_group_list_splice(struct leat_group_list *to, struct leat_group_list *from)
{
	if (from->first == NULL)
		return;
	*to->last = from->first;
	to->last = from->last;
	leat_group_list_init(from);
}

/* fence.c. What a claim has found, against what the store knows of the sink. LEAT_AGAIN: claim again, with the incarnation
 * that is now larger. On the first one, the sink goes on behind what it has: its undelivered effects are queued. */
enum leat_status leat_sink_judge_claim(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err);

/* outbox.c. Queues, in front, the store's effects behind that epoch up to the head of the start. */
enum leat_status leat_sink_recover(struct leat_sink *sink, uint64_t after, struct leat_error *err);
/* The sink is at an earlier epoch than we thought, which the outbox has: queues what it has lost, in front of all, with what
 * is in hand behind it. From the sink's thread. */
enum leat_status leat_sink_go_back(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err);

#endif
