/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_ADVANCE_H
#define LEAT_RUN_ADVANCE_H

#include "run/shard.h"

/*
 * Event time in a shard. A mark says how far it has come, and goes the way of records: from the source's partition, or merged
 * from the input channels, through the nodes of the stage in their order, and in band through the output channels.
 *
 * T1  A watermark never goes back, not by a restart either.
 * T2  The mark of a shard is the least of its inputs' that are not idle, or the largest when all are. One that nothing has come
 *     through holds back, as do partitions that are not open yet.
 * T3  A node passes a watermark on when its timers due by then have fired, and behind what they have emitted.
 * T4  A record that is late sees the watermark of all records before it: a source's batch is cut in front of it, and a packet
 *     carries the mark that was passed on before it. So what is late does not depend on how records come in batches. Timers
 *     due by then fire first, as many as an epoch has at most; with more of them, the rest fire behind the record.
 * T5  A watermark is stored with the epoch that has what was done under it.
 * T6  When all sources have ended for good it is INT64_MAX, node by node, each before its end(). That is not stored: there may
 *     be more to read at the next start.
 * T7  Between batches timers fire in slices, which wait for what a source's poll waits for; an epoch may end between two. A
 *     source is not polled before all have fired.
 */

/* T7 */
enum { LEAT_TIMERS_PER_TURN = 256 };

/* Its watermarks have been restored. */
void leat_advance_restored(struct leat_shard *shard);

/* ---- what comes in ---- */

/* The reader has filled its instance. Takes what has to be cut off for later from the instance's output. */
void leat_advance_read(struct leat_shard *shard, int64_t now_us);
/* The reader has nothing, or nothing with a time. Returns when to look again; 0: run again. */
int64_t leat_advance_wait(struct leat_shard *shard, int64_t now_us);
/* The reader is not asked. */
void leat_advance_hold(struct leat_shard *shard, int64_t now_us);
/* A mark has come through a channel. */
void leat_advance_hear(struct leat_shard *shard, struct leat_channel *channel, const struct leat_mark *mark);
/* The records of a packet, behind the timers that come first. */
void leat_advance_take(struct leat_shard *shard, const struct leat_packet *packet);

/* ---- what is done ---- */

/* In a batch, when its items have run and segments are left: queues the next timers' emissions or the next segment. False: the
 * shard has to wait, or the pipeline stops. */
bool leat_advance_step(struct leat_shard *shard);
/* The batch is closed. */
void leat_advance_closed(struct leat_shard *shard);
/* Between batches: fires a slice, in a batch of its own. 0: ran some; else when to run again. */
int64_t leat_advance_run(struct leat_shard *shard);
/* T7: the reader has to wait. */
bool leat_advance_is_behind(const struct leat_shard *shard);
/* T6: fires a slice of what is left in a node when there is no more input. LEAT_AGAIN: nothing is. Otherwise *again_us is as
 * leat_advance_run() returns it. */
enum leat_status leat_advance_end(struct leat_shard *shard, uint32_t position, int64_t *again_us);
/* What goes out now from a node that has passed on `us`. Who has timers to fire yet is not idle, whatever its inputs are. */
static inline struct leat_mark leat_advance_mark(const struct leat_shard *shard, int64_t us)
{
	return (struct leat_mark){ .us = us, .is_idle = shard->mark.is_idle && !shard->is_pass_due };
}

/* Marks for channels that no packet goes through. Returns when to call again. */
int64_t leat_advance_send(struct leat_shard *shard);

#endif
