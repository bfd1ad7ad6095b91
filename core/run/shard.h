/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_SHARD_H
#define LEAT_RUN_SHARD_H

#include "run/route.h"
#include "run/tracker.h"
#include "state/delta.h"

/*
 * A shard of a stage: one instance of each of its operators, and the batch in hand. Everything here belongs to the shard's
 * worker thread.
 *
 * A record's way: a batch is read from the source or pulled from an input channel; it becomes the first item, "these
 * records into this instance". Running an item makes emissions, which the routes of the ports turn into further items
 * (direct), packets (exchange) or effects (sink). When no item is left the batch is over. An item whose operator says
 * "later" stays at the front, and a packet whose channel is full stays parked: then the shard waits, never the thread.
 */

/* Handed to sources; see leat_wake(). */
struct leat_waker {
	_Atomic bool is_woken;
	struct leat_worker *worker;
};

/* Reads one partition of a source. */
struct leat_reader_state {
	int32_t partition;
	struct leat_reader *reader; /* the plugin's */
	struct leat_instance *instance;
	struct leat_waker waker;
	struct leat_tracker tracker;
	int64_t again_us;  /* poll again at this time even if nobody wakes us; INT64_MAX: never */
	int64_t commit_us; /* next commit */
	int64_t watch_us;  /* next look while it is not polled */
	uint32_t attempt;
	uint32_t n_empty;  /* polls in a row that pushed nothing and asked to be called again at once */
	struct leat_source_time time;
	bool has_commit_trouble;
	_Atomic bool has_ended;
	_Atomic int64_t lag;

	/* epochs */
	bool has_moved;           /* since the last barrier, or its note has changed */
	char note[sizeof((struct leat_position *)0)->note]; /* the source's newest */
	bool is_note_new;         /* since the last epoch: it came with the last commit of all */
	struct leat_position position; /* as of the last barrier */
	bool is_position_new;     /* at the last barrier; the coordinator takes it */
};

struct leat_restore;
struct leat_sweep;
struct leat_store;
struct leat_replay;

struct leat_parked {
	struct leat_channel *channel;
	struct leat_packet *packet;
};

/* Records of the batch in hand that see a watermark of their own. */
struct leat_segment {
	int64_t us;
	uint32_t input; /* of the first node */
	const struct leat_record *record;
	size_t n;
};

struct leat_shard {
	struct leat_pipeline *pipeline;
	const struct leat_stage *stage;
	uint32_t stage_index, index;
	struct leat_worker *worker;
	struct leat_instance **instance; /* by position in the stage; that of a source is the reader's */
	struct leat_route **route;       /* by position: its routes, in the order of the plan */
	size_t *n_routes;
	struct leat_reader_state *reader; /* source stages */

	struct leat_channel **input;
	size_t n_inputs, input_capacity, next_input;

	/* the batch in hand */
	struct leat_arena *arena; /* NULL: none */
	struct leat_ticket *ticket;
	int64_t now_us;
	int64_t queued_us; /* what its records have waited in channels so far, see phases.h */
	int64_t sent_us;   /* when what is being sent was sent */
	struct leat_item *item; /* a queue: item[head..n) */
	size_t head, n_items, item_capacity;
	int64_t retry_us;
	uint32_t attempt;
	int64_t timer_retry_us;
	uint32_t timer_attempt;

	/* event time, see advance.h */
	struct leat_mark mark;    /* of what has come in */
	bool is_open;             /* all partitions that feed it are */
	int64_t *input_us;        /* by position: the same of each node, while marks are passed on */
	struct leat_segment *segment; /* what is left of the batch: segment[next_segment..n) */
	size_t n_segments, next_segment, segment_capacity;
	size_t quota;             /* timers that may fire before the next segment */
	struct leat_record *read; /* the batch, as the reader has filled it */
	int64_t sending_us;       /* the mark of what is being sent */
	bool is_merge_due;        /* something has come through an input */
	bool is_pass_due;         /* some node may have a watermark to pass on, or a timer to fire before */
	bool is_mark_due;         /* channels may have to hear of it */
	int64_t mark_us;          /* not before, in monotonic time */

	struct leat_parked *parked; /* a queue, in order for each channel */
	size_t parked_head, n_parked, parked_capacity;
	struct leat_route *sending; /* whose records are being split */

	/* epochs */
	struct leat_restore *restore; /* NULL: no epochs */
	bool is_loaded; /* and nothing is left to be restored */
	struct leat_sweep *sweep; /* NULL: nothing expires, or no epochs */
	int64_t sweep_us;         /* its next step */
	uint64_t round;           /* barriers passed */
	size_t n_at_barrier;      /* inputs */
	struct leat_delta *delta; /* by position: what changed until the last barrier; the coordinator empties it */

	/* dead letters that are wanted again, see replay.h; under its lock */
	struct leat_replay *replay;
	_Atomic bool has_replay;

	/* the end of all input, asked for by the supervisor */
	_Atomic bool is_ending;
	_Atomic bool has_ended;
	uint32_t n_ended; /* instances whose end() was called */
};

/* Makes the shard's instances; `reader` is taken over. On the thread of `worker` once that runs: a plugin may share things
 * between the instances of a worker (see leat_worker()), and others of them may be at work. */
enum leat_status leat_shard_create(struct leat_pipeline *p, uint32_t stage, uint32_t index, struct leat_reader_state *reader,
                                   struct leat_worker *worker, struct leat_shard **out, struct leat_error *err);
void leat_shard_destroy(struct leat_shard *shard);
/* Lets go of the batch in hand and of what is parked. Before any shard is destroyed all of them have to, and the channels
 * too: a batch tells the reader it came from when it ends. */
void leat_shard_drop(struct leat_shard *shard);
/* Worker thread: reads from this channel too. */
void leat_shard_add_input(struct leat_shard *shard, struct leat_channel *channel);

/* ---- for advance.c: pieces of a turn ---- */
void leat_shard_open_batch(struct leat_shard *shard);
/* The batch in hand may change something that has to become durable. */
void leat_shard_note_work(struct leat_shard *shard);
void leat_shard_add_item(struct leat_shard *shard, struct leat_instance *instance, uint32_t input, const struct leat_record *record,
                         size_t n);
/* Takes what an instance has emitted and sends it on its ways. */
enum leat_status leat_shard_take_output(struct leat_shard *shard, struct leat_instance *instance, struct leat_error *err);
/* Fires timers in one instance, and takes what was emitted. As leat_instance_fire(); LEAT_FATAL: the pipeline stops. */
enum leat_status leat_shard_fire(struct leat_shard *shard, uint32_t position, enum leat_clock clock, int64_t until_us, size_t *left);
/* Runs the batch in hand; closes it when it is over. Returns as leat_shard_run(). */
int64_t leat_shard_run_batch(struct leat_shard *shard);
/* One packet on its way. Behind a parked one everything parks, so that order holds in every channel. */
void leat_shard_send(struct leat_shard *shard, struct leat_channel *channel, struct leat_packet *packet);
/* Records out of nothing may be begun. False: woken when it is true again. */
bool leat_shard_may_begin(struct leat_shard *shard);

/* Worker, when it passes a barrier: notes how far its reader has come, and queues the barrier on all its channels. */
void leat_shard_send_barrier(struct leat_shard *shard);

/* Does a bounded piece of work. 0: did something, run again; else when to run again unless woken (INT64_MAX: only then),
 * in monotonic microseconds. */
int64_t leat_shard_run(struct leat_shard *shard);
uint32_t leat_shard_stage(const struct leat_shard *shard);

/* The one that makes effects of this sink in the shard, NULL when there is none. */
struct leat_encoder *leat_shard_encoder(const struct leat_shard *shard, uint32_t sink);

/* source.c */
struct leat_reader_state *leat_reader_create(struct leat_pipeline *p, const struct leat_node *node, int32_t partition,
                                             struct leat_worker *worker, struct leat_error *err);
void leat_reader_destroy(struct leat_reader_state *reader); /* closes it first */
/* Supervisor, before the shard exists. At the stored position, if there is one. */
enum leat_status leat_reader_open(struct leat_reader_state *reader, struct leat_pipeline *p, struct leat_error *err);
/* Coordinator: the position as of the last barrier is durable. */
void leat_reader_durable(struct leat_reader_state *reader);
/* When nothing runs any more: puts the note that came with the last commit. */
void leat_reader_put_note(struct leat_reader_state *reader, struct leat_store *store);
/* Fills the reader's instance with a batch in `arena`. LEAT_OK: there is one. LEAT_AGAIN: not now, see again_us. */
enum leat_status leat_reader_poll(struct leat_reader_state *reader, struct leat_pipeline *p, struct leat_arena *arena, int64_t now_us,
                                  struct leat_error *err);
/* Tells the source how far everything is delivered, at most once a second unless `is_last`. */
void leat_reader_commit(struct leat_reader_state *reader, struct leat_pipeline *p, bool is_last);
/* Instead of a poll while the shard cannot go on: lag and the position that is delivered go on changing. Returns when to call again. */
int64_t leat_reader_watch(struct leat_reader_state *reader, struct leat_pipeline *p);
/* When to poll or commit again if nobody wakes us. */
int64_t leat_reader_deadline(struct leat_reader_state *reader);
void leat_waker_wake(struct leat_waker *waker);

#endif
