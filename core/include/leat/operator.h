/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_OPERATOR_H
#define LEAT_OPERATOR_H

/*
 * Operators: records in, records out, state in between.
 *
 * The host makes an instance for every shard (and one more to check the pipeline with), zeroed and filled from the
 * options. One thread at a time is in an instance. For every batch it calls prepare() once, then process() for each
 * record in order. An operator is deterministic: the same records, state and leat_now() give the same emissions; it has
 * no globals, reads no clock and starts no threads.
 */

#include <leat/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LEAT_INPUTS = 16 };

struct leat_operator_ops {
	size_t size;          /* sizeof (struct leat_operator_ops) */
	size_t instance_size; /* of the struct that the options fill; 0 when there are no options */
	const struct leat_option *options;
	const struct leat_table_spec *tables;
	const char *const *ports; /* NULL at the end; NULL: {"out"}. Every node also has "dead", which is the host's. */

	/* Options are filled: check them together, intern names, compile. LEAT_FATAL with leat_error_at() names the option. */
	enum leat_status (*create)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* Connects to whatever the operator needs, as `leat check` does, and disconnects. */
	enum leat_status (*check)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* After create(): the ports of an operator whose ports depend on its options. NULL: `ports` above. */
	const char *const *(*list_ports)(const void *self);
	/* A batch is coming: the place to ask another system for all its keys at once. LEAT_RETRY: later, with the same batch. */
	enum leat_status (*prepare)(void *self, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err);
	/* One record. Required. LEAT_REJECT undoes what the call did to state, timers and emissions: a dead letter. */
	enum leat_status (*process)(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err);
	/* A timer is due. LEAT_RETRY: later, with the same timer. Timers of processing time end when the sources do: one that is due
	 * while the pipeline drains does not fire. Those of event time all fire when all sources have ended for good,
	 * before end(); those of endless time do not. */
	enum leat_status (*timer)(void *self, const struct leat_timer *timer, struct leat_context *ctx, struct leat_error *err);
	/* All inputs have ended for good: emit what is held back. LEAT_RETRY: later. */
	enum leat_status (*end)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* Gives back what create() and prepare() took. Accepts an instance whose create() returned an error. */
	void (*destroy)(void *self);
	/* It asks for leat_watermark() although it has no timer(). Only where some operator has either does what is late not depend
	 * on how records come in batches, as that has its price. */
	bool reads_watermark;
	/* process() also gets records whose key is null or missing, all of them in the first shard; else they are dead letters. */
	bool takes_null_keys;
	/* Without a key there is one instance for all events, as what it makes is of all of them; else one for each shard of its inputs. */
	bool is_whole;
	/* What it emits are the very records that process() was given, so an operator behind it that goes by the same key finds its own in
	 * the same shard, and no exchange is between them. Emitting another one breaks the contract. */
	bool keeps_records;
	/* Names of its inputs, NULL at the end, at most LEAT_INPUTS: a file says which node is read as which, and leat_input() which
	 * one a record came by. NULL: it has any number of inputs, all alike. */
	const char *const *inputs;
};

#ifdef __cplusplus
}
#endif

#endif
