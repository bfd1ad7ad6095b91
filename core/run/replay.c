/* SPDX-License-Identifier: Apache-2.0 */
#include "run/replay.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/shard.h"
#include "run/wish.h"

/* Handed to shards at once. They wait outside the budget, so this bounds their bytes too. */
enum { CHUNK = 1024, CHUNK_BYTES = 4 << 20 };

struct leat_replays {
	struct leat_pipeline *pipeline;
	struct leat_store *store;
	pthread_mutex_t lock; /* of the shards' lists */
	_Atomic uint64_t n_out; /* handed to shards, or being dropped, and not durable yet */

	/* the supervisor's */
	struct leat_wish wish; /* the one in hand, if it has a path */
	size_t range;          /* of it, in hand, */
	uint64_t next;         /* ... and the number to go on with */
	uint64_t n_done;       /* of the wish */
	int64_t look_us;       /* when to look for another one, or to try again */
	bool was_empty;        /* there was none at the last look */
	/* the chunk in hand */
	size_t n, bytes;
	bool is_full, is_blocked;
};

struct leat_replays *leat_replays_create(struct leat_pipeline *p, struct leat_store *store)
{
	struct leat_replays *r = leat_allocate_zeroed(1, sizeof *r);

	r->pipeline = p;
	r->store = store;
	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void leat_replays_destroy(struct leat_replays *r)
{
	if (r == NULL)
		return;
	leat_wish_finish(&r->wish);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- shards --------------------------------------------------------------------------------------------------------- */

struct leat_replay *leat_replays_take(struct leat_replays *r, struct leat_shard *shard)
{
	struct leat_replay *replay;

	pthread_mutex_lock(&r->lock);
	replay = shard->replay;
	if (replay != NULL)
		shard->replay = replay->next;
	atomic_store(&shard->has_replay, shard->replay != NULL);
	pthread_mutex_unlock(&r->lock);
	return replay;
}

static void hand_over(struct leat_replays *r, struct leat_shard *shard, struct leat_replay *replay)
{
	struct leat_replay **end = &shard->replay;

	atomic_fetch_add(&r->n_out, 1);
	pthread_mutex_lock(&r->lock);
	while (*end != NULL)
		end = &(*end)->next;
	*end = replay;
	atomic_store(&shard->has_replay, true);
	pthread_mutex_unlock(&r->lock);
	leat_worker_wake(shard->worker);
}

/* The partition that it came from. When that is gone, any other will do; but not before all are open. */
static struct leat_shard *find_source_shard(const struct leat_pipeline *p, uint32_t stage, int32_t partition)
{
	uint32_t source = p->plan->stage[stage].node[0];
	struct leat_shard *any = NULL;

	for (size_t i = 0; i < p->n_shards; i++)
		if (p->shard[i]->stage_index == stage) {
			any = p->shard[i];
			if (any->reader->partition == partition)
				return any;
		}
	return atomic_load(&p->node[source].is_ready) ? any : NULL;
}

static struct leat_shard *find_shard(const struct leat_pipeline *p, uint32_t stage, uint32_t index)
{
	for (size_t i = 0; i < p->n_shards; i++)
		if (p->shard[i]->stage_index == stage && p->shard[i]->index == index)
			return p->shard[i];
	return NULL;
}

/* Any that has a way into the sink. */
static struct leat_shard *find_sink_shard(const struct leat_pipeline *p, uint32_t node)
{
	for (size_t i = 0; i < p->n_shards; i++)
		if (leat_shard_encoder(p->shard[i], node) != NULL)
			return p->shard[i];
	return NULL;
}

/* Where the node that refused it has seen it, or would see it now. NULL: there is none yet. */
static struct leat_shard *find_target(const struct leat_pipeline *p, struct leat_replay *replay)
{
	const struct leat_node *node = &p->description->node[replay->node];
	struct leat_record *record = &replay->letter.record;
	uint32_t stage = p->plan->stage_of[node->index];

	if (node->role == LEAT_ROLE_SINK)
		return find_sink_shard(p, node->index);
	if (p->plan->stage[stage].is_source)
		return find_source_shard(p, stage, record->origin.partition);
	if (node->n_keys > 0)
		record->key = leat_route_key(node, replay->input, replay->arena, record);
	return find_shard(p, stage, leat_route_shard(&record->key, p->plan->stage[stage].n_shards));
}

/* ---- letters -------------------------------------------------------------------------------------------------------- */

static uint32_t find_node(const struct leat_description *d, const char *name)
{
	uint32_t i = 0;

	while (i < d->n_nodes && (name == NULL || strcmp(d->node[i].name, name) != 0))
		i++;
	return i;
}

static bool fits_role(enum leat_letter_kind kind, enum leat_role role)
{
	switch (kind) {
	case LEAT_LETTER_MESSAGE:
		return role == LEAT_ROLE_SOURCE;
	case LEAT_LETTER_EVENT:
		return role != LEAT_ROLE_SOURCE;
	case LEAT_LETTER_EFFECT:
		return role == LEAT_ROLE_SINK;
	case LEAT_LETTER_TIMER:
		break;
	}
	return false;
}

static bool find_input(const struct leat_node *node, const char *name, uint32_t *input)
{
	*input = node->n_named == 0 ? 0 : name == NULL ? node->n_named : leat_node_find_input(node, name);
	return node->n_named == 0 || *input < node->n_named;
}

/* NULL: it stays where it is, as it cannot be replayed; was logged. */
static struct leat_replay *read_letter(const struct leat_replays *r, const struct leat_letter_row *row)
{
	const struct leat_description *d = r->pipeline->description;
	struct leat_arena *arena = leat_arena_create();
	struct leat_replay *replay = leat_arena_allocate(arena, sizeof *replay);
	const char *why = NULL;

	memset(replay, 0, sizeof *replay);
	replay->arena = arena;
	if (!leat_letter_unpack(arena, d->symbols, row, &replay->letter))
		why = "it is damaged";
	else if ((replay->node = find_node(d, replay->letter.node)) == d->n_nodes)
		why = "the pipeline has no such node any more";
	else if (replay->letter.kind == LEAT_LETTER_TIMER)
		why = "it is of a timer, without an event";
	else if (!fits_role(replay->letter.kind, d->node[replay->node].role))
		why = "the node of that name is another one now";
	else if (!find_input(&d->node[replay->node], replay->letter.input, &replay->input))
		why = "the node has no input any more of the name that it came by";
	if (why != NULL) {
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": dead letter %" PRIu64 " of \"%.*s\" cannot be replayed: %s", d->name, row->number,
		              (int)row->node_n, row->node, why);
		leat_arena_unref(arena);
		return NULL;
	}
	if (replay->letter.source != NULL && find_node(d, replay->letter.source) < d->n_nodes)
		replay->letter.record.origin.source = find_node(d, replay->letter.source);
	return replay;
}

static bool replay(void *opaque, const struct leat_letter_row *row)
{
	struct leat_replays *r = opaque;
	struct leat_replay *replay;
	struct leat_shard *shard;

	if (row->number > r->wish.range[r->range].until)
		return false;
	r->is_full = r->n >= CHUNK || r->bytes >= CHUNK_BYTES;
	if (r->is_full)
		return false;
	replay = read_letter(r, row);
	shard = replay == NULL ? NULL : find_target(r->pipeline, replay);
	r->is_blocked = replay != NULL && shard == NULL;
	if (r->is_blocked) {
		leat_arena_unref(replay->arena);
		return false;
	}
	r->next = row->number + 1;
	if (replay == NULL)
		return true;
	r->n++;
	r->bytes += row->n;
	hand_over(r, shard, replay);
	return true;
}

static bool drop(void *opaque, const struct leat_letter_row *row)
{
	struct leat_replays *r = opaque;

	if (row->number > r->wish.range[r->range].until)
		return false;
	r->is_full = r->n >= CHUNK;
	if (r->is_full)
		return false;
	r->next = row->number + 1;
	r->n++;
	atomic_fetch_add(&r->n_out, 1);
	leat_letters_erase(r->pipeline->letters, row->number, NULL);
	return true;
}

/* ---- wishes --------------------------------------------------------------------------------------------------------- */

void leat_replays_done(struct leat_replays *r, uint64_t n)
{
	if (atomic_fetch_sub(&r->n_out, n) == n)
		leat_pipeline_nudge(r->pipeline);
}

bool leat_replays_are_done(const struct leat_replays *r)
{
	return r == NULL || (r->was_empty && r->wish.path == NULL && atomic_load(&r->n_out) == 0);
}

static void complain(const struct leat_replays *r, const struct leat_error *err)
{
	leat_log_line(LEAT_WARNING, "pipeline \"%s\": %s", r->pipeline->description->name, err->text);
}

/* False: there is none, or not now. */
static bool take_wish(struct leat_replays *r)
{
	int64_t now_us = leat_clock_monotonic_us();
	enum leat_status status;
	struct leat_error err;

	if (now_us < r->look_us)
		return false;
	status = leat_wish_read(leat_store_folder(r->store), &r->wish, &err);
	r->was_empty = status != LEAT_OK;
	if (status == LEAT_OK) {
		r->range = 0;
		r->next = r->wish.n > 0 ? r->wish.range[0].from : 0;
		r->n_done = 0;
		return true;
	}
	if (status != LEAT_AGAIN)
		complain(r, &err);
	if (status == LEAT_REJECT && unlink(r->wish.path) == 0)
		r->was_empty = false; /* others may stand behind it */
	else
		r->look_us = now_us + LEAT_REPLAYS_LOOK_US;
	leat_wish_finish(&r->wish);
	return false;
}

/* A chunk of the wish in hand. True: it was the last one. */
static bool take_chunk(struct leat_replays *r)
{
	const bool is_drop = r->wish.kind == LEAT_WISH_DROP;
	struct leat_error err;

	r->n = r->bytes = 0;
	r->is_full = r->is_blocked = false;
	for (; r->range < r->wish.n; r->next = ++r->range < r->wish.n ? r->wish.range[r->range].from : 0) {
		if (leat_store_scan_letters(r->store, r->next, is_drop ? drop : replay, r, &err) != LEAT_OK) {
			leat_pipeline_fail(r->pipeline, NULL, &err);
			r->is_blocked = true;
		}
		if (r->is_full || r->is_blocked)
			break;
	}
	r->n_done += r->n;
	if (r->is_blocked)
		r->look_us = leat_clock_monotonic_us() + LEAT_REPLAYS_LOOK_US;
	return r->range == r->wish.n;
}

static void finish_wish(struct leat_replays *r)
{
	if (unlink(r->wish.path) != 0)
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": could not remove \"%s\"; it is read again, without effect",
		              r->pipeline->description->name, r->wish.path);
	leat_log_line(LEAT_INFO, "pipeline \"%s\": %" PRIu64 " dead letters were %s", r->pipeline->description->name, r->n_done,
	              r->wish.kind == LEAT_WISH_DROP ? "dropped" : "replayed");
	leat_wish_finish(&r->wish);
}

void leat_replays_step(struct leat_replays *r)
{
	if (r == NULL || atomic_load(&r->n_out) > 0)
		return;
	if (r->wish.path != NULL && r->range == r->wish.n)
		finish_wish(r);
	if (r->wish.path == NULL && !take_wish(r))
		return;
	if (r->is_blocked && leat_clock_monotonic_us() < r->look_us)
		return;
	/* A wish for letters that are all gone is over at once, and so is one that cannot be met. */
	if (take_chunk(r) && r->n == 0)
		finish_wish(r);
}
