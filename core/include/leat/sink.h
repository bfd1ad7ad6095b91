/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SINK_H
#define LEAT_SINK_H

/*
 * Sinks: three functions that take records to another system.
 *
 *  - encode(), inside the shards, from several threads at once, pure: a record becomes the bytes of an effect, validated.
 *  - claim(), on the sink's own thread: takes ownership, fences whoever had it, reads how far delivery has come.
 *  - deliver(), on the same thread: applies a run of effects in one atomic step, which also compares and sets the fence
 *    when the delivery is fenced. LEAT_OK means that they are durable as far as the system goes.
 *
 * After LEAT_RETRY the host calls deliver() again with the same effects at the front; after LEAT_UNKNOWN it calls
 * claim() first. With `is_fenced` false (at-least-once) there is no fence to keep.
 *
 * The fence (E3) is kept in the sink's own system under (pipeline, sink):
 *
 *  - A fenced claim() reads it into *found as it was before, all zero when there is none. If found->incarnation is at most
 *    ours, it writes our incarnation, keeping epoch and digest, and sees to it that nothing a former owner still has under
 *    way can be applied any more. If found->incarnation is larger than ours it changes nothing and returns LEAT_OK all the
 *    same: what that means is the host's to decide. The same, without retention(), when found->epoch is behind `delivered`, or
 *    there is none though that has an incarnation: a system may not have read its fence back yet, and whoever writes all of the
 *    fence would write over the one that is there.
 *  - A fenced deliver() applies the effects and sets the fence to `next` in one atomic step, if the fence is `expected`.
 *    If it is `next` already, an earlier attempt has worked: nothing is applied, LEAT_OK. Anything else is LEAT_FATAL,
 *    naming what was found and what was expected; a larger incarnation means that another instance owns the sink. A sink with
 *    retention() returns LEAT_UNKNOWN for an earlier epoch, and the host's claim finds out whether it has what is missing.
 *  - Effects that the system refuses for good are told by leat_refuse(), and the others are applied with the fence. What was
 *    refused is kept with the fence until the next delivery, and told again by a deliver() that finds the fence at `next`:
 *    the first telling may have been lost, with the answer or with the whole process (E7). It is kept by how far it is from
 *    the end (delivery->n - effect): after a restart the delivery that comes again ends where the last one did, with the same
 *    effects, but may begin with some of deliveries before it.
 *  - When it is not known whether the step was taken: LEAT_UNKNOWN. The host claims again, and tells from *found.
 */

#include <leat/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_guarantee {
	LEAT_AT_LEAST_ONCE = 0,
	LEAT_IDEMPOTENT = 1,   /* the same effect twice is as once: a keyed upsert */
	LEAT_TRANSACTIONAL = 2 /* effects and fence in one atomic step */
};

struct leat_effect {
	const char *bytes; /* what encode() appended */
	size_t n;
};

/* E3. All zero: nothing was ever delivered. */
struct leat_fence {
	uint64_t incarnation; /* of the deliverer */
	uint64_t epoch;       /* the last one delivered */
	uint64_t digest;      /* chain over this sink's effects up to and with that epoch */
};

struct leat_claim {
	const char *pipeline;
	const char *sink;
	bool is_fenced;
	uint64_t incarnation; /* ours, larger than any before */
	struct leat_fence delivered; /* the last that the host knows to be delivered; epoch 0: claimed; zero: of none */
};

struct leat_delivery {
	bool is_fenced;
	struct leat_fence expected; /* what the fence has to be before */
	struct leat_fence next;     /* what it is afterwards */
	size_t n;
	const struct leat_effect *effect; /* in order */
};

struct leat_sink_ops {
	size_t size; /* sizeof (struct leat_sink_ops) */
	size_t instance_size;
	const struct leat_option *options;
	bool is_encoded; /* writes records in the node's `format` (leat_encode); else the node has none */

	enum leat_status (*create)(void *self, struct leat_context *ctx, struct leat_error *err);
	enum leat_status (*check)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* What it can give with these options. NULL: at-least-once. */
	enum leat_guarantee (*guarantee)(const void *self);
	/* LEAT_REJECT: not a record that this sink can take, a dead letter. Required. */
	enum leat_status (*encode)(const void *self, const struct leat_record *record, struct leat_buffer *effect, struct leat_context *ctx,
	                           struct leat_error *err);
	/* Connects if need be. Fills *found when the claim is fenced. LEAT_RETRY when the system is away. Required. */
	enum leat_status (*claim)(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
	                          struct leat_error *err);
	/* Required. */
	enum leat_status (*deliver)(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err);
	void (*destroy)(void *self);
	/* Appends, in a few words for people, where it writes with these options, such as `topic "alerts"`; never a secret. The host
	 * stores it with the effects: they are delivered there, and nowhere else. After create(), any time, from any thread. NULL:
	 * any sink of this type may have them. */
	void (*identity)(const void *self, struct leat_buffer *text);
	/* For how long, in us, the host keeps what was delivered fenced, for a system that may go back to what it had a while ago,
	 * its fence included, as after a failover: what it has lost is delivered again then. NULL: not at all. */
	int64_t (*retention)(const void *self);
};

#ifdef __cplusplus
}
#endif

#endif
