/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_PIPELINE_H
#define LEAT_RUN_PIPELINE_H

#include "graph/plan.h"

/*
 * A running pipeline: its workers, shards, exchanges and delivery threads.
 *
 * create() starts nothing; start() returns as soon as the threads run, and systems that are away are waited for in the
 * background. drain() asks for a graceful end: sources are polled no more, everything in flight is delivered, positions
 * are committed. The pipeline also drains by itself when all its sources have ended.
 */

struct leat_pipeline;

struct leat_run_options {
	uint32_t workers;       /* 0: one per processor */
	size_t in_flight_bytes; /* budget of all events between sources and sinks; 0: 64 MiB */
	size_t state_bytes;     /* memory of tables; what is more stays in the store alone. Only with one. 0: 1 GiB */
	size_t changelog_bytes; /* changes of state that wait to get into files; 0: by the size of the state */
	size_t ring_capacity;   /* batches in an exchange's ring; 0: 64 */
	size_t batch_bytes;     /* read from a partition at once; 0: 64 KiB */
	size_t epoch_records;   /* an epoch ends when so many were read, fired or encoded for one sink; 0: 65536 */
	size_t epoch_bytes;     /* or so many bytes of them; 0: 8 MiB */
	size_t effect_bytes;    /* one effect has no more; 0: 512 MiB */
	int64_t fence_age_us;   /* a fence in a sink is written again when it is so old; 0: a day */
	uint64_t disk_low;      /* reading stops when the store's disk has less left; 0: 256 MiB, or a share of a small one */
	const char *state_dir;  /* where the store's folder is, PIPELINE.state; NULL: "." */
	const char *const *drop; /* names whose state in the store may go, ended by NULL; may be NULL */
};

enum leat_run_state {
	LEAT_RUN_STARTING, /* not every source is open and every sink claimed yet */
	LEAT_RUN_RUNNING,
	LEAT_RUN_DRAINING,
	LEAT_RUN_DONE,   /* drained */
	LEAT_RUN_STOPPED /* by a fatal error */
};

struct leat_pipeline *leat_pipeline_create(const struct leat_plan *plan, const struct leat_run_options *options);
enum leat_status leat_pipeline_start(struct leat_pipeline *p, struct leat_error *err);
void leat_pipeline_drain(struct leat_pipeline *p); /* from any thread, not from a signal handler */
void leat_pipeline_abort(struct leat_pipeline *p); /* ends without delivering what is in flight */
/* Waits until it is done or stopped, `timeout_us` at most (-1: for ever). */
enum leat_run_state leat_pipeline_wait(struct leat_pipeline *p, int64_t timeout_us);
enum leat_run_state leat_pipeline_state(const struct leat_pipeline *p);
/* Why it stopped; false when it did not. */
bool leat_pipeline_error(const struct leat_pipeline *p, struct leat_error *err);
void leat_pipeline_destroy(struct leat_pipeline *p); /* aborts first if need be; accepts NULL */
const struct leat_plan *leat_pipeline_plan(const struct leat_pipeline *p);

/* ---- figures, from any thread ------------------------------------------------------------------------------------ */

/* Latencies are counted in buckets, four to each power of two, so that a quantile is right within a fifth. */
enum { LEAT_LATENCY_STEPS = 4, LEAT_LATENCY_BUCKETS = 32 * LEAT_LATENCY_STEPS };
unsigned leat_latency_bucket(uint64_t us);
/* The largest latency of a bucket, in us: bucket i counts those in (bound(i - 1), bound(i)]. */
uint64_t leat_latency_bound(unsigned bucket);

/* Where the time of an event goes, in this order. What they are is in docs/operating.md; how they are told apart, in phases.h. */
enum leat_phase {
	LEAT_PHASE_SOURCE,    /* from its own time until it is read; no part of its latency */
	LEAT_PHASE_QUEUE,     /* in the rings between shards */
	LEAT_PHASE_OPERATORS, /* in shards, and being encoded */
	LEAT_PHASE_EPOCH,     /* until its epoch ends; as the next one, not without epochs */
	LEAT_PHASE_STORE,     /* until that is durable */
	LEAT_PHASE_OUTBOX,    /* until its sink has time for it */
	LEAT_PHASE_DELIVERY,  /* in the sink */
	LEAT_PHASE_COMMIT     /* the last of that, where the sink tells it apart */
};
enum { LEAT_PHASES = LEAT_PHASE_COMMIT + 1 };
const char *leat_phase_name(enum leat_phase phase); /* "source" */

struct leat_phase_figures {
	uint64_t bucket[LEAT_LATENCY_BUCKETS]; /* as those of latency */
	uint64_t sum_us;
};
/* Events that have had the phase; 0: it does not apply, or nothing has been delivered yet. */
uint64_t leat_phase_events(const struct leat_phase_figures *figures);

struct leat_node_figures {
	uint64_t records_in, records_out, bytes_in, bytes_out, errors, dead_letters, retries;
	uint64_t busy_ns;          /* CPU or wall time inside the node's calls */
	size_t state_entries, state_bytes; /* in memory */
	uint64_t state_fetched, state_evicted;
	uint64_t queue_bytes;      /* sinks: encoded and not yet delivered */
	uint64_t queue_bytes_limit;
	struct leat_phase_figures *phase; /* sinks: LEAT_PHASES of them, for what it has delivered; NULL: not yet */
	int64_t lag;               /* sources: -1 unknown */
	uint32_t partitions;       /* sources */
	uint32_t idle_partitions;  /* sources: that hold no window open */
	uint64_t late;             /* sources: events behind the watermark of their partition */
	int64_t watermark_us;      /* sources and operators: the least of the shards' that are not idle; LEAT_NO_TIME: none yet, or
	                            * all sources have ended */
	int64_t behind_us;         /* what it is behind the clock; -1: unknown */
	uint64_t letters;          /* its dead letters in the queue */
	bool is_ready;             /* sources: open; sinks: claimed; operators: true */
	char trouble[LEAT_ERROR_TEXT]; /* why not, or what is being retried; "" */
};

struct leat_edge_figures {
	uint64_t records, bytes;
	size_t queued, capacity; /* exchanges: batches in the rings */
};

struct leat_pipeline_figures {
	enum leat_run_state state;
	uint64_t started_us;
	size_t n_nodes;
	struct leat_node_figures *node; /* by node index */
	size_t n_edges;
	struct leat_edge_figures *edge; /* by index in the plan */
	uint64_t latency[LEAT_LATENCY_BUCKETS]; /* arrival to durable in a sink, over all sinks */
	uint64_t latency_sum_us;
	uint64_t latency_count;
	uint64_t alerts;                        /* records that went out of ports named "alerts" */
	size_t in_flight_bytes, in_flight_limit;
	/* Epochs; all 0 without. */
	uint64_t epoch, incarnation;           /* the last durable one; ours */
	uint64_t epochs, epoch_bytes;          /* written by this process, and their bytes */
	uint64_t epochs_full;                  /* that ended because they had as much as one may have */
	uint64_t epoch_barrier_us, epoch_write_us; /* spent until all shards had passed a barrier, and in the store, in all */
	uint64_t letters, letters_bytes, letters_limit; /* dead letters in the queue, and the most bytes of them */
	uint64_t letters_dropped;              /* by this process, as there were too many */
	bool is_disk_low;                      /* sources are not read, as the store's disk has too little room left */
	/* The longest time for which a worker that is awake has not come round; 0: none is awake. Many seconds: it is stuck, most
	 * likely in a call into the plugin of `stalled_node`. */
	int64_t stalled_us;
	uint32_t stalled_node;
};

void leat_pipeline_figures(const struct leat_pipeline *p, struct leat_pipeline_figures *out);
void leat_pipeline_figures_finish(struct leat_pipeline_figures *figures);
/* The latency below which that share of records stayed, in us (interpolated in its bucket); 0 when there were none. */
double leat_latency_quantile(const uint64_t bucket[LEAT_LATENCY_BUCKETS], double quantile);

#endif
