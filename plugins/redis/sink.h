/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_REDIS_SINK_H
#define LEAT_PLUGINS_REDIS_SINK_H

#include "../shared/bug.h"
#include "redis.h"

/* An effect: a version byte, then one request as it goes over the wire. */
enum { EFFECT_VERSION = 1 };
enum command { COMMAND_HSET, COMMAND_SET, COMMAND_INCRBY, COMMAND_XADD, COMMAND_PUBLISH };

/* Of the keys that hold fences; records write none. */
#define FENCE_PREFIX "leat:fence:"

struct refusal {
	size_t effect;
	struct leat_error error;
};

struct sink {
	struct redis_options connection;
	int command;
	const struct leat_template *key;
	struct leat_paths fields;
	const struct leat_template *value;
	const struct leat_template *field;
	const struct leat_expression *by;
	int64_t ttl_us;
	int64_t retention_us;
	int64_t maxlen;

	struct redis redis;
	struct leat_buffer chunk;
	/* How far the delivery in hand has come: after LEAT_RETRY the same effects come again, and those in front that are
	 * settled are not sent twice. */
	size_t n_settled;
	struct refusal *refusal;
	size_t n_refusals;
	size_t refusal_capacity;
	/* Fenced: what the last claim left. */
	struct leat_buffer fence_key;
	char script[48]; /* its hash */
	int64_t claims;
};

/* ---- encode.c ---- */

enum leat_status sink_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                             struct leat_context *ctx,
                             struct leat_error *err);

/* ---- fence.c ---- */

/* Both on an open connection, or one that fence_deliver() opens again. */
enum leat_status fence_claim(struct sink *sink, const struct leat_claim *claim, struct leat_fence *found,
                             struct leat_context *ctx, struct leat_error *err);
enum leat_status fence_deliver(struct sink *sink, const struct leat_delivery *d, struct leat_context *ctx, struct leat_error *err);

#endif
