/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_EPOCH_H
#define LEAT_RUN_EPOCH_H

#include "run/internal.h"
#include "state/store.h"
#include "state/tables.h"

/*
 * Epochs: a few milliseconds of work that become durable at once.
 *
 * A thread of its own, the coordinator, begins a round as soon as somebody has worked and the last epoch is out of the way.
 * Every shard passes the round's barrier between two batches: a shard of a source when it comes round, others when the
 * barrier has come through all their input channels (they take nothing more from a channel that has it, E9). Passing, a shard
 * hands over what its state has changed and how far it has read, queues the barrier on its output channels, and goes on with
 * the next round at once. When all have passed, the coordinator writes the epoch: positions, state and each sink's effects in
 * one synced batch (E1, E2). Then it gives the effects to the sinks, and the positions to the sources.
 *
 * Rounds are not epochs: one in which nothing changed is not written and takes no number (E10).
 */
struct leat_epochs;
struct leat_shard;
struct leat_sink;

/* Opens the store, takes a new incarnation (E4) and checks that what it holds fits the plan. */
enum leat_status leat_epochs_create(struct leat_pipeline *p, struct leat_epochs **out, struct leat_error *err);
void leat_epochs_start(struct leat_epochs *epochs);
/* Ends the coordinator; what is not durable by then is not. The workers have been stopped. */
void leat_epochs_stop(struct leat_epochs *epochs);
/* Then, when the sinks have been stopped too: notes what they delivered last, so that the next start finds an empty outbox. */
void leat_epochs_finish(struct leat_epochs *epochs);
void leat_epochs_destroy(struct leat_epochs *epochs); /* accepts NULL */
struct leat_store *leat_epochs_store(const struct leat_epochs *epochs);

struct leat_node_tables; /* match.h */
const struct leat_node_tables *leat_epochs_tables(const struct leat_epochs *epochs, uint32_t node);
/* What all tables of the pipeline share. */
struct leat_memory *leat_epochs_memory(struct leat_epochs *epochs);

/* Barriers begun so far. Any thread. */
uint64_t leat_epochs_round(const struct leat_epochs *epochs);
/* Something has begun that belongs into an epoch. Any thread; cheap when it was said before. */
void leat_epochs_note(struct leat_epochs *epochs);
/* E12: so much was read or fired in that round. Any thread. */
void leat_epochs_count(struct leat_epochs *epochs, uint64_t round, uint64_t records, uint64_t bytes);
/* The round has as much as an epoch may have: it ends as soon as it can. Any thread; cheap when it was said before. */
void leat_epochs_fill(struct leat_epochs *epochs, uint64_t round);
/* Nothing more may be begun in it. Workers are woken when the next one has begun. Any thread. */
bool leat_epochs_is_full(const struct leat_epochs *epochs, uint64_t round);
/* The pipeline stops: whoever waits in here comes out. Any thread. */
void leat_epochs_wake(struct leat_epochs *epochs);
/* Between the two no round begins, so that what a sink's thread does is of one. Short; leat_epochs_note() and the like may be
 * called. */
void leat_epochs_pin(struct leat_epochs *epochs);
void leat_epochs_unpin(struct leat_epochs *epochs);
/* A sink has delivered: the coordinator may have waited for that. */
void leat_epochs_nudge(struct leat_epochs *epochs);
/* Nothing is left that is not durable. */
bool leat_epochs_is_clean(struct leat_epochs *epochs);

/* False: the disk of the store is nearly full, and nothing more may be read (E8). Any thread. */
bool leat_epochs_has_disk(const struct leat_epochs *epochs);
void leat_epochs_figures(const struct leat_epochs *epochs, struct leat_pipeline_figures *figures);

/* Worker, between two batches: passes the barrier if it is this shard's turn. True: it did. */
bool leat_epochs_pass(struct leat_epochs *epochs, struct leat_shard *shard);
/* Supervisor: no round is under way between the two, so that a new shard takes part in whole rounds only. */
void leat_epochs_hold(struct leat_epochs *epochs);
void leat_epochs_release(struct leat_epochs *epochs);

#endif
