/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_INSTANCE_H
#define LEAT_RUN_INSTANCE_H

#include <leat/plugin.h>

#include "graph/description.h"
#include "run/counters.h"
#include "run/dead.h"
#include "state/tables.h"
#include "state/timers.h"

/*
 * An instance: a node in one shard, and the context that its plugin is handed. Operators have one for each shard, with
 * `self`, tables and timers of their own; a source has one for each reader and a sink one for each encoding shard and one
 * for its delivery thread, all of which share the node's `self`.
 *
 * One thread at a time. What a call emits gathers in `out` until whoever made the call takes it; out[n_ports] is the dead
 * port. An event that is rejected leaves no trace: leat_instance_begin() marks, leat_instance_abort() goes back.
 */

struct leat_letters;

struct leat_output {
	struct leat_record *record; /* in the instance's arena */
	size_t n, capacity;
	size_t mark;   /* n when the event in hand began */
	bool is_wired; /* someone reads this port; if not, emissions are only counted */
	bool is_alert; /* its name is "alerts" */
	leat_counter records;
};

struct leat_instance {
	struct leat_context context; /* first: what the plugin is handed */
	const struct leat_description *description;
	const struct leat_node *node;
	uint32_t worker;
	uint32_t shard;
	void *self;
	bool owns_self;
	void *codec; /* instance of node->codec, or NULL */
	struct leat_tables *tables;
	struct leat_timers *timers; /* made with the first timer */
	bool has_timers_open;       /* begun for the event in hand */
	bool is_tracked;            /* changes of state are noted for epochs */
	int64_t *ttl_us;            /* by table, from create() */
	struct leat_output *out;    /* n_ports + 1 */
	uint32_t n_out;
	const struct leat_table_spec *spec; /* operators: the plugin's tables */
	uint32_t n_specs;
	bool is_in_event;         /* between begin and commit or abort */
	const struct leat_record *record; /* that process() is called with; NULL: it is not */
	struct leat_arena *arena; /* of the batch in hand; borrowed. NULL: none */
	int64_t now_us;           /* of the batch in hand; 0: none */
	int64_t watermark_us;     /* leat_watermark() */
	int64_t passed_us;        /* the same as those see it that are next to it downstream: timers due before have fired (T3) */
	int64_t stored_us;        /* as of the last barrier */
	bool is_watermark_new;    /* at the last barrier; the coordinator takes it */
	uint32_t input;           /* of the item in hand */
	bool has_expected;        /* leat_table_expect(), of that item */
	uint64_t random;
	const char *breach; /* a contract that the plugin has broken, or NULL: fails the pipeline */
	struct leat_arena *scratch; /* what a call that broke it was handed, so that the plugin comes back to us */
	struct leat_counters counters;
	struct leat_dead_log *dead_log; /* the node's, or ->own_log */
	struct leat_dead_log own_log;
	struct leat_letters *letters; /* where dead letters go that no one reads; NULL: they are only counted */
	const uint64_t *round;        /* of the shard, for them; NULL: as in leat_sink_push() */

	/* sources */
	int32_t partition;
	int64_t next;        /* position after what was pushed last */
	int64_t wait_us;     /* from leat_wait(); -1: only the waker */
	struct leat_waker *waker;
	size_t n_pushed; /* by the poll in hand */

	/* delivery */
	void (*refuse)(struct leat_instance *instance, size_t effect, const struct leat_error *err);
	void (*note_commit)(struct leat_instance *instance);
	void *opaque;
};

/* Made if need be. */
struct leat_timers *leat_instance_timers(struct leat_instance *instance);

/* An operator's: its own `self`, filled and created. */
enum leat_status leat_instance_create(const struct leat_description *d, const struct leat_node *node, uint32_t worker, uint32_t shard,
                                      struct leat_instance **out, struct leat_error *err);
/* A source's or sink's, around the node's shared `self`. */
enum leat_status leat_instance_attach(const struct leat_description *d, const struct leat_node *node, uint32_t worker, uint32_t shard,
                                      void *self, struct leat_instance **out, struct leat_error *err);
void leat_instance_destroy(struct leat_instance *instance); /* accepts NULL */

/* Sets what the calls of one batch share. Outputs start empty. */
void leat_instance_enter(struct leat_instance *instance, struct leat_arena *arena, int64_t now_us);

/* One event. After begin, exactly one of the two. */
void leat_instance_begin(struct leat_instance *instance);
void leat_instance_commit(struct leat_instance *instance);
void leat_instance_abort(struct leat_instance *instance);

/* Statuses that a call may return, as bits: for create(), and for calls that may ask for another try. */
#define LEAT_MAY_FAIL (1u << LEAT_OK | 1u << LEAT_RETRY | 1u << LEAT_UNKNOWN | 1u << LEAT_REJECT | 1u << LEAT_FATAL)
#define LEAT_MAY_WAIT (1u << LEAT_OK | 1u << LEAT_RETRY | 1u << LEAT_UNKNOWN | 1u << LEAT_FATAL)

/* Before a call: what stands in `err` afterwards is of that call. Far cheaper than zeroing the whole. */
static inline void leat_error_clear(struct leat_error *err)
{
	err->code = 0;
	err->where[0] = '\0';
	err->text[0] = '\0';
	err->detail[0] = '\0';
}

/* What a call into the plugin comes to: `status`, unless it broke the contract or returned what `allowed` (bits by status)
 * has not, which is LEAT_FATAL. Sees to it that there is a reason. */
enum leat_status leat_instance_judge(struct leat_instance *instance, enum leat_status status, unsigned allowed, const char *function,
                                     struct leat_error *err);

/* "These records into this instance": how far it has come. */
struct leat_item {
	struct leat_instance *instance;
	uint32_t input; /* that they came by, see leat_input() */
	const struct leat_record *record;
	size_t n, next;
	bool is_prepared;
};

/* prepare(), then each record; those without the key that the node asks for are buried. Goes on at item->next: with
 * LEAT_RETRY or LEAT_UNKNOWN, call again later. */
enum leat_status leat_instance_run(struct leat_item *item, struct leat_error *err);
/* begin and process(), of which the caller makes commit or abort. */
enum leat_status leat_instance_try(struct leat_instance *instance, const struct leat_record *record, struct leat_error *err);
/* begin, process(), and commit or abort; a rejected record goes out of the dead port. LEAT_REJECT never comes back. */
enum leat_status leat_instance_process(struct leat_instance *instance, const struct leat_record *record, struct leat_error *err);
/* The same for a timer, whose rejection is a dead letter without payload. */
enum leat_status leat_instance_timer(struct leat_instance *instance, const struct leat_timer *timer, struct leat_error *err);
/* Fires timers of that clock that are due at `until_us`, `*left` at most, and counts it down. With LEAT_RETRY and LEAT_UNKNOWN the
 * timer that said so is there again. */
enum leat_status leat_instance_fire(struct leat_instance *instance, enum leat_clock clock, int64_t until_us, size_t *left,
                                    struct leat_error *err);
enum leat_status leat_instance_end(struct leat_instance *instance, struct leat_error *err);

/* Appends to a port, of a record that is in the arena or outlives it. */
void leat_instance_emit(struct leat_instance *instance, uint32_t port, const struct leat_record *record);
/* Sends a record (or NULL) out of the dead port with the reason; counts and logs it. `payload` is what could not be
 * processed. See dead.c for the shape. */
void leat_instance_bury(struct leat_instance *instance, const struct leat_record *record, const struct leat_value *payload,
                        const struct leat_error *err);
/* The dead letter itself, made in the instance's arena. */
struct leat_value leat_dead_letter(const struct leat_instance *instance, const struct leat_record *record, const struct leat_value *payload,
                                   const struct leat_error *err);

/* A source's: decodes a message that could not be decoded before, the record's value, and emits it or buries it again. Its
 * position is not touched. */
void leat_instance_decode(struct leat_instance *instance, const struct leat_record *record);

extern const struct leat_api leat_instance_api;

#endif
