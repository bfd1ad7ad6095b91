/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_ROUTE_H
#define LEAT_RUN_ROUTE_H

#include <leat/buffer.h>

#include "base/ring.h"
#include "run/event_time.h"
#include "run/internal.h"

/*
 * Where records go that came out of a port. Three ways: straight into another instance of the same shard, through a
 * channel to a shard of another stage, or encoded into a sink's queue. Nothing above this file knows how an exchange moves
 * records: here it is a ring between two threads.
 */

/* A batch on its way to another shard. It lies in the arena that its records lie in, and holds a reference on it. */
struct leat_packet {
	struct leat_arena *arena;
	uint32_t input; /* of the node it goes to */
	size_t n;
	const struct leat_record *record;
	struct leat_mark mark; /* what the sender has passed on before these records (T3) */
	int64_t sent_us, queued_us; /* when it was made, and what the batch had waited so far; see phases.h */
};

/* A bounded ring from one shard to another. */
struct leat_channel {
	struct leat_ring *ring; /* of leat_packet */
	uint32_t edge;          /* index in the plan */
	struct leat_worker *from;
	struct leat_worker *to;
	_Atomic bool is_full; /* the producer waits for room */
	struct leat_packet barrier; /* empty: behind it comes the next round (epoch.h); at most one is on its way */
	bool is_at_barrier;         /* consumer: has taken it, and takes nothing more until the shard has passed */
	struct leat_packet bare;    /* a mark without records; at most one is on its way: */
	_Atomic bool is_bare_out;
	struct leat_mark sent;      /* producer */
	struct leat_mark mark;      /* consumer: what has come through */
};

struct leat_channel *leat_channel_create(uint32_t edge, size_t capacity, struct leat_worker *from, struct leat_worker *to);
void leat_channel_destroy(struct leat_channel *channel);
/* Producer. False: full; the producer's worker is woken when there is room. */
bool leat_channel_push(struct leat_channel *channel, struct leat_packet *packet);
/* Consumer. NULL: empty. */
struct leat_packet *leat_channel_pull(struct leat_channel *channel);

/* Turns records into effects of one sink, for one thread. What the sink cannot take goes to the sinks that read its dead
 * letters. */
struct leat_encoder {
	struct leat_pipeline *pipeline;
	struct leat_instance *instance;
	struct leat_sink *sink;
	const uint64_t *round; /* of the shard; NULL: on a sink's thread (see leat_sink_push()) */
	const int64_t *queued_us; /* of the shard, what the batch in hand has waited; NULL: nothing */
	struct leat_buffer scratch;
	leat_counter *records; /* of its edge */
	leat_counter *bytes;
	struct leat_encoder *dead; /* for each sink that reads our dead port */
	size_t n_dead;
	leat_counter dead_records, dead_bytes;
};

enum leat_status leat_encoder_init(struct leat_encoder *encoder, struct leat_pipeline *p, uint32_t sink, uint32_t worker, uint32_t shard,
                                   const uint64_t *round, struct leat_error *err);
void leat_encoder_finish(struct leat_encoder *encoder);
/* Its effects tell from there how long their batch has waited; so do those of its dead letters. */
void leat_encoder_follow(struct leat_encoder *encoder, const int64_t *queued_us);
/* Of the sink's queue and of those that its dead letters go to; false asks for a wake-up, as leat_sink_has_room(). */
bool leat_encoder_has_room(const struct leat_encoder *encoder);
/* The records are in `arena`, which the caller writes to. */
enum leat_status leat_encoder_run(struct leat_encoder *encoder, struct leat_arena *arena, int64_t now_us, const struct leat_record *record,
                                  size_t n, struct leat_error *err);
/* Takes over the record's value, which is an effect's bytes in `arena` as encode() has made them before. */
void leat_encoder_pass(struct leat_encoder *encoder, struct leat_arena *arena, const struct leat_record *record);
/* Itself, or the one behind it that works for that sink; NULL: neither. */
struct leat_encoder *leat_encoder_find(struct leat_encoder *encoder, uint32_t sink);
/* Encodes what lies in the instance's dead port, and empties it. */
enum leat_status leat_encoder_run_dead(struct leat_encoder *encoder, struct leat_error *err);

struct leat_route {
	const struct leat_edge *edge;
	uint32_t index; /* of the edge in the plan */
	leat_counter records, bytes;
	struct leat_instance *direct;   /* LEAT_EDGE_DIRECT */
	uint32_t direct_position;       /* in the stage */
	struct leat_channel **channel;  /* LEAT_EDGE_EXCHANGE: by shard of the target */
	uint32_t n_channels;
	const struct leat_node *target;
	struct leat_encoder encoder;    /* LEAT_EDGE_SINK */
};

/* The record's key as the node asks for it of that input; null when a part of it is missing. May allocate from `arena`. A tombstone
 * has no fields: where inputs have names, and one may be a table, it keeps the key that it has. */
struct leat_value leat_route_key(const struct leat_node *node, uint32_t input, struct leat_arena *arena, const struct leat_record *record);
/* The shard that a key belongs to. */
uint32_t leat_route_shard(const struct leat_value *key, uint32_t n_shards);
/* Splits records by the key of the target (setting it) and calls `send` with a packet for each shard that gets any. */
void leat_route_split(const struct leat_route *route, struct leat_arena *arena, const struct leat_record *record, size_t n,
                      void (*send)(void *opaque, struct leat_channel *channel, struct leat_packet *packet), void *opaque);

#endif
