/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_RUN_KIT_H
#define LEAT_TESTS_RUN_KIT_H

#include <pthread.h>

#include "run/pipeline.h"

/*
 * Plugins made for testing the runtime: `numbers`, a source whose every record can be accounted for, `relay`, an operator
 * that misbehaves on request, and `ledger`, a sink that keeps book of what it was given. Options in the tables of run_kit.c.
 * `misfit` breaks its contract, in any role; see misfit.c.
 */

enum { LEDGER_PARTITIONS = 8, LEDGER_RECORDS = 200000, LEDGER_FENCES = 4 };

/* What all `ledger` sinks together have seen. Reset by run_kit_start(). */
struct ledger {
	pthread_mutex_t lock;
	uint64_t n_effects, n_deliveries, n_dead;
	uint64_t max_effects, max_repeated; /* of one delivery, of one that was made before */
	_Atomic uint64_t n_claims;
	uint16_t seen[LEDGER_PARTITIONS][LEDGER_RECORDS]; /* how often each record was delivered */
	uint64_t out_of_order; /* by key and partition; ticks and epochs by themselves */
	int64_t committed[LEDGER_PARTITIONS]; /* positions that the source was told */
	char note[LEDGER_PARTITIONS][56]; /* that the source was opened with last */
	uint64_t copies; /* how often each record arrives, for max_in_flight; 1 unless a test says otherwise */
	uint64_t max_in_flight; /* read and not yet delivered, at its largest, in records */
	_Atomic uint64_t n_read;
	uint64_t n_early; /* records that were not delivered so often when the source was told that they are dealt with */
	uint64_t n_ended; /* end() of relays */
	_Atomic uint64_t n_fired; /* timers of relays */
	_Atomic uint64_t longest_slice; /* of timers that one batch has fired in a relay */
	_Atomic uint64_t n_ticks; /* delivered emissions of timers */
	_Atomic uint64_t n_forgotten; /* claims that were told of no fence */
	_Atomic uint64_t n_clashes; /* create() of a relay while its worker was in process() of another */
	_Atomic uint64_t n_polls;
	struct leat_fence fence[LEDGER_FENCES]; /* of each sink, as its system would keep them: a restart does not touch them */
	char fenced[LEDGER_FENCES][32];
	/* What a test wants to look at as it happens; NULL unless it says so. From the sinks' and the workers' threads. */
	void (*on_claim)(const struct leat_claim *claim);
	void (*on_deliver)(const struct leat_delivery *delivery);
	void (*on_commit)(int32_t partition, const struct leat_position *position);
};
extern struct ledger ledger;

enum { RUN_KIT_PATIENCE_US = 50000000 };

/* Set: a thread reads the figures all the time, from before the start to the end. Run_kit_finish() clears it. */
extern bool run_kit_is_watched;

/* Set: `relay` is the next version, of which table `count` has other fields, and drops what it was for "k0". */
extern bool run_kit_has_relay_2;

/* Plugins beside those, NULL at the end; NULL: none. */
extern const struct leat_plugin *const *run_kit_extra;

struct run_kit {
	pthread_t watch;
	_Atomic bool is_watching;
	struct leat_registry *registry;
	struct leat_description *description;
	struct leat_pipeline *pipeline;
};

extern const struct leat_plugin run_kit_misfit;

/* Reads and starts the pipeline in `yaml`. Ends the test when the file is refused. */
void run_kit_start(struct run_kit *kit, const char *yaml, const struct leat_run_options *options);
/* The same without forgetting what came before. */
void run_kit_restart(struct run_kit *kit, const char *yaml, const struct leat_run_options *options);
/* The same, and it may fail. */
enum leat_status run_kit_try(struct run_kit *kit, const char *yaml, const struct leat_run_options *options, struct leat_error *err);
/* Under ledger.lock while it runs. With what the sink has as `at` behind its name. */
struct leat_fence *run_kit_fence(const char *sink);
/* Each record of each partition was delivered so often. */
void run_kit_expect_all(int partitions, int count, unsigned times);
/* It comes to its end, and in time. */
void run_kit_expect_done(struct run_kit *kit);
void run_kit_finish(struct run_kit *kit);

#endif
