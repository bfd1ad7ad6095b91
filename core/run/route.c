/* SPDX-License-Identifier: Apache-2.0 */
#include "run/route.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "run/delivery.h"

/* ---- channels ---- */

struct leat_channel *leat_channel_create(uint32_t edge, size_t capacity, struct leat_worker *from, struct leat_worker *to)
{
	struct leat_channel *channel = leat_allocate_zeroed(1, sizeof *channel);

	channel->ring = leat_ring_create(capacity);
	channel->edge = edge;
	channel->from = from;
	channel->to = to;
	channel->sent = LEAT_MARK_NONE;
	channel->mark = LEAT_MARK_NONE;
	return channel;
}

void leat_channel_destroy(struct leat_channel *channel)
{
	struct leat_packet *packet;

	if (channel == NULL)
		return;
	while ((packet = leat_ring_pull(channel->ring)) != NULL)
		leat_arena_unref(packet->arena);
	leat_ring_destroy(channel->ring);
	free(channel);
}

bool leat_channel_push(struct leat_channel *channel, struct leat_packet *packet)
{
	if (!leat_ring_push(channel->ring, packet)) {
		atomic_store(&channel->is_full, true);
		atomic_thread_fence(memory_order_seq_cst);
		/* Once more: a pull in between did not see that we wait. */
		if (!leat_ring_push(channel->ring, packet))
			return false;
		atomic_store(&channel->is_full, false);
	}
	leat_worker_wake(channel->to);
	return true;
}

struct leat_packet *leat_channel_pull(struct leat_channel *channel)
{
	struct leat_packet *packet = leat_ring_pull(channel->ring);

	if (packet == NULL)
		return NULL;
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&channel->is_full, memory_order_relaxed) && atomic_exchange(&channel->is_full, false))
		leat_worker_wake(channel->from);
	return packet;
}

/* ---- keys ---- */

struct leat_value leat_route_key(const struct leat_node *node, uint32_t input, struct leat_arena *arena, const struct leat_record *record)
{
	const struct leat_path *const *key = node->key + input * node->n_keys;
	const struct leat_value *part;
	struct leat_value *parts;
	size_t i;

	if (node->n_named > 0 && record->value.type == LEAT_NULL)
		return record->key;
	if (node->n_keys == 1) {
		part = leat_path_get(key[0], &record->value);
		return part == NULL ? leat_null() : *part;
	}
	parts = leat_arena_allocate(arena, node->n_keys * sizeof *parts);
	for (i = 0; i < node->n_keys; i++) {
		part = leat_path_get(key[i], &record->value);
		if (part == NULL || part->type == LEAT_NULL)
			return leat_null();
		parts[i] = *part;
	}
	return leat_value_list(arena, parts, node->n_keys);
}

/* The high bits: tables take the low ones of the same hash. A record without key goes to shard 0, which buries it. */
uint32_t leat_route_shard(const struct leat_value *key, uint32_t n_shards)
{
	uint64_t hash = leat_value_hash(key);

	if (LEAT_BUG("shard-not-stable"))
		hash *= (uint64_t)getpid() | 1; /* as the address of something would */
	return key->type == LEAT_NULL ? 0 : (uint32_t)(((hash >> 32) * n_shards) >> 32);
}

static struct leat_packet *make_packet(const struct leat_route *route, struct leat_arena *arena, const struct leat_record *record, size_t n)
{
	struct leat_packet *packet = leat_arena_allocate(arena, sizeof *packet);

	packet->arena = leat_arena_ref(arena);
	packet->input = route->edge->input;
	packet->n = n;
	packet->record = record;
	return packet;
}

void leat_route_split(const struct leat_route *route, struct leat_arena *arena, const struct leat_record *record, size_t n,
                      void (*send)(void *opaque, struct leat_channel *channel, struct leat_packet *packet), void *opaque)
{
	struct leat_record *sorted;
	uint32_t *shard, *end, s;
	size_t i;

	if (route->target->n_keys == 0) {
		send(opaque, route->channel[0], make_packet(route, arena, record, n));
		return;
	}
	/* A counting sort: two passes over the keys, one array, order kept. */
	sorted = leat_arena_allocate(arena, n * sizeof *sorted);
	shard = leat_arena_allocate(arena, n * sizeof *shard);
	end = leat_arena_allocate(arena, (route->n_channels + 1) * sizeof *end);
	memset(end, 0, (route->n_channels + 1) * sizeof *end);
	struct leat_value *key = leat_arena_allocate(arena, n * sizeof *key);
	for (i = 0; i < n; i++) {
		key[i] = leat_route_key(route->target, route->edge->input, arena, &record[i]);
		shard[i] = leat_route_shard(&key[i], route->n_channels);
		end[shard[i] + 1]++;
	}
	for (s = 1; s <= route->n_channels; s++)
		end[s] += end[s - 1];
	/* end[s] is where shard s begins; filling it moves it to where the shard ends. */
	for (i = 0; i < n; i++) {
		struct leat_record *to = &sorted[end[shard[i]]++];

		*to = record[i];
		to->key = key[i];
	}
	for (s = 0; s < route->n_channels; s++) {
		uint32_t begin = s == 0 ? 0 : end[s - 1];

		if (end[s] > begin)
			send(opaque, route->channel[s], make_packet(route, arena, sorted + begin, end[s] - begin));
	}
}

/* ---- sinks ---- */

static size_t count_dead_readers(const struct leat_plan *plan, uint32_t node)
{
	size_t n = 0, i;

	for (i = 0; i < plan->n_edges; i++)
		n += plan->edge[i].from == node && plan->edge[i].port == LEAT_DEAD_PORT;
	return n;
}

enum leat_status leat_encoder_init(struct leat_encoder *encoder, struct leat_pipeline *p, uint32_t sink, uint32_t worker, uint32_t shard,
                                   const uint64_t *round, struct leat_error *err)
{
	const struct leat_plan *plan = p->plan;
	enum leat_status status;
	size_t i;

	memset(encoder, 0, sizeof *encoder);
	encoder->pipeline = p;
	encoder->sink = p->node[sink].sink;
	encoder->round = round;
	status = leat_instance_attach(p->description, &p->description->node[sink], worker, shard, p->node[sink].self, &encoder->instance, err);
	if (status != LEAT_OK)
		return status;
	encoder->instance->dead_log = &p->node[sink].dead_log;
	encoder->instance->letters = p->letters;
	encoder->instance->round = round;
	encoder->dead = leat_allocate_zeroed(count_dead_readers(plan, sink) + 1, sizeof *encoder->dead);
	for (i = 0; i < plan->n_edges && status == LEAT_OK; i++) {
		if (plan->edge[i].from != sink || plan->edge[i].port != LEAT_DEAD_PORT)
			continue;
		status = leat_encoder_init(&encoder->dead[encoder->n_dead++], p, plan->edge[i].to, worker, shard, round, err);
		encoder->instance->out[0].is_wired = true;
	}
	return status;
}

void leat_encoder_follow(struct leat_encoder *encoder, const int64_t *queued_us)
{
	encoder->queued_us = queued_us;
	for (size_t i = 0; i < encoder->n_dead; i++)
		leat_encoder_follow(&encoder->dead[i], queued_us);
}

bool leat_encoder_has_room(const struct leat_encoder *encoder)
{
	bool has_room = leat_sink_has_room(encoder->sink);
	size_t i;

	for (i = 0; i < encoder->n_dead; i++)
		has_room = leat_encoder_has_room(&encoder->dead[i]) && has_room;
	return has_room;
}

void leat_encoder_finish(struct leat_encoder *encoder)
{
	size_t i;

	for (i = 0; i < encoder->n_dead; i++)
		leat_encoder_finish(&encoder->dead[i]);
	free(encoder->dead);
	leat_instance_destroy(encoder->instance);
	leat_buffer_finish(&encoder->scratch);
}

/* What one group has at most, but for its last effect's bytes. */
enum { GROUP_EFFECTS = 4096, GROUP_BYTES = 1 << 20 };

static enum leat_status encode_one(const struct leat_encoder *encoder, const struct leat_record *record, struct leat_buffer *effect,
                                   struct leat_error *err)
{
	struct leat_instance *instance = encoder->instance;
	size_t start = effect->n, most = encoder->pipeline->options.effect_bytes;
	enum leat_status status = instance->node->plugin->sink->encode(instance->self, record, effect, &instance->context, err);

	if (status == LEAT_OK && instance->breach == NULL && effect->n - start > most)
		return leat_error_set(err, LEAT_REJECT, 0, "cannot deliver an effect of %zu bytes, %zu at most", effect->n - start, most);
	return status;
}

/* Encodes into the scratch buffer and notes where each effect ends. Those that are refused are buried. *done: how many
 * records were dealt with, all or as many as make a group. */
static enum leat_status encode(struct leat_encoder *encoder, const struct leat_record *record, size_t n, struct leat_group *group,
                               size_t *done, struct leat_error *err)
{
	struct leat_instance *instance = encoder->instance;
	enum leat_status status;
	size_t i;

	encoder->scratch.n = 0;
	leat_error_clear(err);
	for (i = 0; i < n && group->n < GROUP_EFFECTS && encoder->scratch.n < GROUP_BYTES; i++) {
		size_t start = encoder->scratch.n;

		status = encode_one(encoder, &record[i], &encoder->scratch, err);
		if (status == LEAT_OK && instance->breach == NULL) {
			group->effect[group->n].n = encoder->scratch.n - start;
			group->effect[group->n++].record = &record[i];
			continue;
		}
		encoder->scratch.n = start;
		status = leat_instance_judge(instance, status, 1u << LEAT_REJECT | 1u << LEAT_FATAL, "encode", err);
		if (status != LEAT_REJECT)
			return status;
		leat_instance_bury(instance, &record[i], &record[i].value, err);
		leat_error_clear(err);
	}
	*done = i;
	return LEAT_OK;
}

enum leat_status leat_encoder_run_dead(struct leat_encoder *encoder, struct leat_error *err)
{
	struct leat_output *dead = &encoder->instance->out[0];
	enum leat_status status = LEAT_OK;
	size_t i, n = dead->n;

	for (i = 0; i < encoder->n_dead && n > 0 && status == LEAT_OK; i++)
		status = leat_encoder_run(&encoder->dead[i], encoder->instance->arena, encoder->instance->now_us, dead->record, n, err);
	leat_counter_add(&encoder->dead_records, n);
	dead->record = NULL;
	dead->n = 0;
	dead->capacity = 0;
	return status;
}

static void push_group(const struct leat_encoder *encoder, struct leat_arena *arena, struct leat_group *group)
{
	group->arena = leat_arena_ref(arena);
	group->queued_us = encoder->queued_us == NULL ? 0 : *encoder->queued_us;
	group->left_us = leat_clock_now_us();
	group->durable_us = group->left_us; /* without epochs */
	leat_sink_push(encoder->sink, group, encoder->round);
}

/* Encodes and pushes as many records as make a group. */
static enum leat_status make_group(struct leat_encoder *encoder, struct leat_arena *arena, const struct leat_record *record, size_t n,
                                   size_t *done, struct leat_error *err)
{
	struct leat_group *group = leat_arena_allocate(arena, sizeof *group);
	enum leat_status status;
	char *bytes;

	memset(group, 0, sizeof *group);
	group->effect = leat_arena_allocate(arena, (n < GROUP_EFFECTS ? n : GROUP_EFFECTS) * sizeof *group->effect);
	status = encode(encoder, record, n, group, done, err);
	if (status != LEAT_OK)
		return leat_error_at(err, encoder->instance->node->name);
	if (group->n == 0)
		return LEAT_OK;
	bytes = leat_arena_allocate(arena, encoder->scratch.n);
	if (encoder->scratch.n > 0)
		memcpy(bytes, encoder->scratch.data, encoder->scratch.n);
	group->bytes = bytes;
	group->bytes_n = encoder->scratch.n;
	leat_counter_add(&encoder->instance->counters.bytes_in, encoder->scratch.n);
	push_group(encoder, arena, group);
	return LEAT_OK;
}

enum leat_status leat_encoder_run(struct leat_encoder *encoder, struct leat_arena *arena, int64_t now_us, const struct leat_record *record,
                                  size_t n, struct leat_error *err)
{
	size_t done = 0, k = 0;

	leat_instance_enter(encoder->instance, arena, now_us);
	leat_counter_add(&encoder->instance->counters.records_in, n);
	for (; done < n; done += k) {
		enum leat_status status = make_group(encoder, arena, record + done, n - done, &k, err);

		if (status != LEAT_OK)
			return status;
	}
	return leat_encoder_run_dead(encoder, err);
}

void leat_encoder_pass(struct leat_encoder *encoder, struct leat_arena *arena, const struct leat_record *record)
{
	struct leat_group *group = leat_arena_allocate(arena, sizeof *group);

	memset(group, 0, sizeof *group);
	group->effect = leat_arena_allocate(arena, sizeof *group->effect);
	group->effect[0] = (struct leat_group_effect){ .n = record->value.n, .record = record };
	group->bytes = record->value.as.text;
	group->bytes_n = record->value.n;
	group->n = 1;
	group->is_bare = true;
	leat_counter_add(&encoder->instance->counters.records_in, 1);
	push_group(encoder, arena, group);
}

struct leat_encoder *leat_encoder_find(struct leat_encoder *encoder, uint32_t sink)
{
	struct leat_encoder *found = encoder->instance->node->index == sink ? encoder : NULL;

	for (size_t i = 0; i < encoder->n_dead && found == NULL; i++)
		found = leat_encoder_find(&encoder->dead[i], sink);
	return found;
}
