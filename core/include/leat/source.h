/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SOURCE_H
#define LEAT_SOURCE_H

/*
 * Sources: partitions of records, each with positions.
 *
 * One instance per node serves all its partitions. The host asks which partitions there are (at the start and then every
 * few seconds), opens a reader for each, tells it where to begin, and polls it from the worker that owns its shard. Calls
 * with one reader come one at a time; calls with different readers, and partitions(), come at the same time.
 *
 * A source does not remember positions for the host: it is told them. commit() only makes progress visible to the tools
 * of the source's own world (such as a consumer group's lag), and serves `start: stored` where the host has no store.
 */

#include <leat/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where to go on reading. `note` holds what tells this partition from another of the same number, such as the id of a
 * topic that may be deleted and made again; the host stores it and hands it back, and compares nothing. */
struct leat_position {
	int64_t offset;
	char note[56]; /* terminated */
};

struct leat_reader; /* the plugin's own */

struct leat_source_ops {
	size_t size; /* sizeof (struct leat_source_ops) */
	size_t instance_size;
	const struct leat_option *options;
	bool can_replay; /* the same position gives the same records again */
	bool is_decoded; /* hands over records (leat_push_record), so the node has no `format` */

	enum leat_status (*create)(void *self, struct leat_context *ctx, struct leat_error *err);
	enum leat_status (*check)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* leat_partition() for each. LEAT_RETRY when the system is away. Required. */
	enum leat_status (*partitions)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* Begins at `from`, or where the options say when it is NULL. Sets *reader on LEAT_OK only. Required. */
	enum leat_status (*open)(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
	                         struct leat_context *ctx, struct leat_error *err);
	/* Pushes what is there, up to about `max_bytes`, and returns LEAT_OK if it pushed anything; never blocks. What was pushed
	 * is delivered whatever the call returns. Over and over nothing and "at once" is slowed down to once a millisecond.
	 * Required. */
	enum leat_status (*poll)(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx, struct leat_error *err);
	/* Every record before `position` is dealt with for good. The note is filled in by the source if it likes. One that does
	 * not work is made again, with the position of then. */
	enum leat_status (*commit)(void *self, struct leat_reader *reader, struct leat_position *position, struct leat_context *ctx,
	                           struct leat_error *err);
	/* Records between what was pushed last and the end of the partition, -1 when unknown. */
	int64_t (*lag)(void *self, struct leat_reader *reader);
	/* `reader` is from open(). Required. */
	void (*close)(void *self, struct leat_reader *reader);
	void (*destroy)(void *self);
	/* Right after an open() without a position: where the reader begins. The host stores that before any record, so that what
	 * comes in while nobody reads is not skipped (E2). NULL: it always begins at the same record, and needs no such position. */
	void (*begin)(void *self, struct leat_reader *reader, struct leat_position *position);
	/* Appends, in a few words for people, what it reads with these options, such as `topic "orders"`; never a secret. The host
	 * stores it with the positions: when it is another text at a start, they are not its own. After create(), any time, from any
	 * thread. NULL: the positions of any source of this type are its own. */
	void (*identity)(const void *self, struct leat_buffer *text);
};

#ifdef __cplusplus
}
#endif

#endif
