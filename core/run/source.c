/* SPDX-License-Identifier: Apache-2.0 */
/* The reading end: one partition of a source, polled by the worker that owns its shard. */
#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "run/epoch.h"
#include "run/shard.h"

/* A source may push nothing and want to go on at once, as in the middle of a very long line; one that does so over and over
 * is not to keep a processor busy. */
enum { COMMIT_EVERY_US = 1000000, WATCH_EVERY_US = 1000000, FREE_POLLS = 32, EMPTY_POLL_US = 1000 };
static const int64_t LONGEST_WAIT_US = INT64_C(3600) * 1000000;

void leat_waker_wake(struct leat_waker *waker)
{
	if (!atomic_exchange(&waker->is_woken, true))
		leat_worker_wake(waker->worker);
}

struct leat_reader_state *leat_reader_create(struct leat_pipeline *p, const struct leat_node *node, int32_t partition,
                                             struct leat_worker *worker, struct leat_error *err)
{
	struct leat_reader_state *reader = leat_allocate_zeroed(1, sizeof *reader);

	reader->partition = partition;
	if (leat_instance_attach(p->description, node, worker->index, (uint32_t)partition, p->node[node->index].self, &reader->instance,
	                         err) != LEAT_OK) {
		free(reader);
		return NULL;
	}
	reader->instance->partition = partition;
	reader->instance->waker = &reader->waker;
	reader->instance->dead_log = &p->node[node->index].dead_log;
	reader->waker.worker = worker;
	atomic_store(&reader->waker.is_woken, true);
	atomic_store(&reader->lag, -1);
	leat_tracker_init(&reader->tracker, 0);
	return reader;
}

void leat_reader_destroy(struct leat_reader_state *reader)
{
	if (reader == NULL)
		return;
	if (reader->reader != NULL)
		reader->instance->node->plugin->source->close(reader->instance->self, reader->reader);
	leat_tracker_finish(&reader->tracker);
	leat_source_time_finish(&reader->time);
	leat_instance_destroy(reader->instance);
	free(reader);
}

/* E2: the next barrier takes it, with or without a record. */
static void take_begin(struct leat_reader_state *reader)
{
	const struct leat_source_ops *ops = reader->instance->node->plugin->source;
	struct leat_position position = { .offset = 0 };

	if (ops->begin == NULL)
		return;
	ops->begin(reader->instance->self, reader->reader, &position);
	reader->instance->next = position.offset;
	memcpy(reader->note, position.note, sizeof reader->note);
	reader->has_moved = true;
}

enum leat_status leat_reader_open(struct leat_reader_state *reader, struct leat_pipeline *p, struct leat_error *err)
{
	struct leat_instance *instance = reader->instance;
	bool is_stored = p->epochs != NULL && leat_store_position(leat_epochs_store(p->epochs), instance->node->name, reader->partition,
	                                                           &reader->position);
	enum leat_status status;

	memcpy(reader->note, reader->position.note, sizeof reader->note);
	leat_source_time_init(&reader->time, &instance->node->time,
	                      p->epochs == NULL ? LEAT_NO_TIME
	                                        : leat_store_watermark(leat_epochs_store(p->epochs), instance->node->name,
	                                                               (uint32_t)reader->partition),
	                      leat_clock_monotonic_us());
	atomic_store(&p->node[instance->node->index].heard_us, leat_clock_monotonic_us()); /* before that, nobody listened */
	leat_error_clear(err);
	status = leat_fault_error("source-open-before", err);
	if (status == LEAT_OK)
		status = instance->node->plugin->source->open(instance->self, reader->partition, is_stored ? &reader->position : NULL,
		                                              &reader->reader, &instance->context, err);
	if (status == LEAT_OK)
		status = leat_fault_error("source-open-after", err);
	status = leat_instance_judge(instance, status, LEAT_MAY_WAIT | 1u << LEAT_AGAIN, "open", err);
	if (status == LEAT_OK && p->epochs != NULL && !is_stored)
		take_begin(reader);
	return status;
}

static void back_off(struct leat_reader_state *reader, struct leat_pipeline *p, const struct leat_error *err)
{
	leat_counter_add(&reader->instance->counters.retries, 1);
	leat_pipeline_trouble(p, reader->instance->node, err);
	reader->again_us = leat_clock_monotonic_us() + leat_backoff_us(&reader->attempt);
}

/* When to poll again after LEAT_OK or LEAT_AGAIN. */
static int64_t next_poll_us(struct leat_reader_state *reader, enum leat_status status)
{
	int64_t wait_us = status == LEAT_OK ? 0 : reader->instance->wait_us;

	if (status == LEAT_OK && reader->instance->n_pushed > 0) {
		reader->n_empty = 0;
		return 0;
	}
	if (wait_us < 0)
		return INT64_MAX;
	if (wait_us > LONGEST_WAIT_US)
		wait_us = LONGEST_WAIT_US;
	if (wait_us >= EMPTY_POLL_US)
		reader->n_empty = 0;
	else if (reader->n_empty++ >= FREE_POLLS)
		wait_us = EMPTY_POLL_US;
	return leat_clock_monotonic_us() + wait_us;
}

static void look_at_lag(struct leat_reader_state *reader)
{
	const struct leat_source_ops *ops = reader->instance->node->plugin->source;

	if (ops->lag != NULL)
		atomic_store_explicit(&reader->lag, ops->lag(reader->instance->self, reader->reader), memory_order_relaxed);
}

enum leat_status leat_reader_poll(struct leat_reader_state *reader, struct leat_pipeline *p, struct leat_arena *arena, int64_t now_us,
                                  struct leat_error *err)
{
	struct leat_instance *instance = reader->instance;
	const struct leat_source_ops *ops = instance->node->plugin->source;
	enum leat_status status;

	(void)atomic_exchange(&reader->waker.is_woken, false);
	leat_instance_enter(instance, arena, now_us);
	leat_error_clear(err);
	instance->wait_us = -1;
	instance->n_pushed = 0;
	status = ops->poll(instance->self, reader->reader, p->options.batch_bytes, &instance->context, err);
	if (instance->breach != NULL || (status != LEAT_AGAIN && status != LEAT_END))
		status = leat_instance_judge(instance, status, LEAT_MAY_WAIT, "poll", err);
	if (status == LEAT_FATAL)
		return status;
	if (status == LEAT_RETRY || status == LEAT_UNKNOWN) {
		back_off(reader, p, err);
	} else {
		if (reader->attempt > 0)
			leat_pipeline_trouble(p, instance->node, NULL);
		reader->attempt = 0;
		reader->again_us = next_poll_us(reader, status);
	}
	if (status == LEAT_END)
		atomic_store(&reader->has_ended, true);
	look_at_lag(reader);
	/* Whatever the status, what was pushed counts: the reader may not push it again. */
	return instance->n_pushed > 0 ? LEAT_OK : LEAT_AGAIN;
}

/* It belongs to the position in the store, so it has to get there even if no record ever follows. */
static void take_note(struct leat_reader_state *reader, struct leat_pipeline *p, const char *note, bool is_last)
{
	if (memcmp(reader->note, note, sizeof reader->note) == 0)
		return;
	memcpy(reader->note, note, sizeof reader->note);
	if (p->epochs == NULL)
		return;
	reader->has_moved = true;
	reader->is_note_new = is_last;
	leat_epochs_note(p->epochs);
}

void leat_reader_commit(struct leat_reader_state *reader, struct leat_pipeline *p, bool is_last)
{
	struct leat_instance *instance = reader->instance;
	const struct leat_source_ops *ops = instance->node->plugin->source;
	struct leat_position position = { .offset = 0 };
	struct leat_error err;
	enum leat_status status;
	int64_t now_us = leat_clock_monotonic_us();

	if (ops->commit == NULL || reader->reader == NULL || (!is_last && now_us < reader->commit_us))
		return;
	reader->commit_us = now_us + COMMIT_EVERY_US;
	if (!leat_tracker_take(&reader->tracker, &position.offset))
		return;
	memcpy(position.note, reader->note, sizeof position.note);
	if (LEAT_BUG("acknowledged-early"))
		position.offset = reader->instance->next;
	leat_error_clear(&err);
	status = leat_fault_error("source-commit-before", &err);
	if (status == LEAT_OK)
		status = ops->commit(instance->self, reader->reader, &position, &instance->context, &err);
	if (status == LEAT_OK)
		status = leat_fault_error("source-commit-after", &err);
	status = leat_instance_judge(instance, status, LEAT_MAY_WAIT, "commit", &err);
	/* One that does not work is tried again, even if no record ever follows: `start: stored` goes by it. */
	if (status != LEAT_OK) {
		leat_counter_add(&instance->counters.errors, 1);
		leat_tracker_put_back(&reader->tracker);
	} else {
		take_note(reader, p, position.note, is_last);
	}
	if (instance->breach != NULL)
		leat_pipeline_fail(p, instance->node, &err);
	else if (status != LEAT_OK)
		leat_pipeline_trouble(p, instance->node, &err);
	else if (reader->has_commit_trouble)
		leat_pipeline_trouble(p, instance->node, NULL);
	reader->has_commit_trouble = status != LEAT_OK;
}

void leat_reader_durable(struct leat_reader_state *reader)
{
	if (!reader->is_position_new)
		return;
	reader->is_position_new = false;
	leat_tracker_advance(&reader->tracker, reader->position.offset);
	leat_worker_wake(reader->waker.worker);
}

void leat_reader_put_note(struct leat_reader_state *reader, struct leat_store *store)
{
	if (!reader->is_note_new)
		return;
	memcpy(reader->position.note, reader->note, sizeof reader->note);
	leat_store_put_position(store, reader->instance->node->name, reader->partition, &reader->position);
	reader->is_note_new = false;
}

int64_t leat_reader_watch(struct leat_reader_state *reader, struct leat_pipeline *p)
{
	int64_t now_us = leat_clock_monotonic_us();

	if (now_us >= reader->watch_us) {
		reader->watch_us = now_us + WATCH_EVERY_US;
		look_at_lag(reader);
		leat_reader_commit(reader, p, false);
	}
	return reader->watch_us;
}

int64_t leat_reader_deadline(struct leat_reader_state *reader)
{
	bool has_commit = reader->instance->node->plugin->source->commit != NULL;

	if (has_commit && leat_tracker_is_busy(&reader->tracker) && reader->commit_us < reader->again_us)
		return reader->commit_us;
	return reader->again_us;
}
