/* SPDX-License-Identifier: Apache-2.0 */
#include "run/letters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "run/epoch.h"
#include "run/replay.h"
#include "state/letter.h"

enum { SAY_AGAIN_US = 60000000 };

struct item {
	struct item *next;
	uint64_t gone;    /* the number of one that goes; 0: a new one, */
	const char *node; /* ... of which this is the node */
	struct leat_buffer bytes;
};

struct items {
	struct item *first, **last;
};

struct leat_letters {
	struct leat_pipeline *pipeline;
	struct leat_store *store;
	pthread_mutex_t lock;
	struct items open[2]; /* by round; under the lock */
	uint64_t n_gone;      /* of the epoch that is being written; coordinator, as all below */
	bool is_changed;
	uint64_t n_unsaid; /* dropped, and not logged */
	int64_t said_us;
	_Atomic bool is_full;
	_Atomic uint64_t n, bytes;
	leat_counter n_dropped;
};

static void clear(struct items *items)
{
	items->first = NULL;
	items->last = &items->first;
}

static void free_items(struct item *item)
{
	struct item *next;

	for (; item != NULL; item = next) {
		next = item->next;
		leat_buffer_finish(&item->bytes);
		free(item);
	}
}

/* ---- counts --------------------------------------------------------------------------------------------------------- */

static void publish(struct leat_letters *l)
{
	const struct leat_description *d = l->pipeline->description;
	struct leat_letter_count count = leat_store_letters(l->store, NULL);

	atomic_store(&l->n, count.n);
	atomic_store(&l->bytes, count.bytes);
	for (uint32_t i = 0; i < d->n_nodes; i++)
		atomic_store(&l->pipeline->node[i].n_letters, leat_store_letters(l->store, d->node[i].name).n);
}

static void judge_room(struct leat_letters *l)
{
	const struct leat_description *d = l->pipeline->description;
	bool is_full = d->letters.stops_when_full && atomic_load(&l->bytes) >= (uint64_t)d->letters.max_bytes;

	if (is_full == atomic_load(&l->is_full))
		return;
	atomic_store(&l->is_full, is_full);
	if (is_full)
		leat_log_line(LEAT_WARNING,
		              "pipeline \"%s\": sources are not read: dead letters take %" PRIu64 " MiB, dead_letters.max is %" PRId64
		              " MiB; see \"leat dlq list\", and replay or drop some",
		              d->name, atomic_load(&l->bytes) >> 20, d->letters.max_bytes >> 20);
	else
		leat_log_line(LEAT_INFO, "pipeline \"%s\": sources are read again: dead letters take %" PRIu64 " MiB", d->name,
		              atomic_load(&l->bytes) >> 20);
	for (uint32_t i = 0; !is_full && i < l->pipeline->n_workers; i++)
		leat_worker_wake(&l->pipeline->worker[i]);
}

struct leat_letters *leat_letters_create(struct leat_pipeline *p, struct leat_store *store)
{
	struct leat_letters *l = leat_allocate_zeroed(1, sizeof *l);

	l->pipeline = p;
	l->store = store;
	pthread_mutex_init(&l->lock, NULL);
	clear(&l->open[0]);
	clear(&l->open[1]);
	publish(l);
	judge_room(l);
	return l;
}

void leat_letters_destroy(struct leat_letters *l)
{
	if (l == NULL)
		return;
	free_items(l->open[0].first);
	free_items(l->open[1].first);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

bool leat_letters_has_room(const struct leat_letters *l)
{
	return !atomic_load_explicit(&l->is_full, memory_order_relaxed);
}

void leat_letters_figures(const struct leat_letters *l, struct leat_pipeline_figures *figures)
{
	figures->letters = atomic_load(&l->n);
	figures->letters_bytes = atomic_load(&l->bytes);
	figures->letters_limit = (uint64_t)l->pipeline->description->letters.max_bytes;
	figures->letters_dropped = leat_counter_get(&l->n_dropped);
}

/* ---- what comes and goes -------------------------------------------------------------------------------------------- */

static void push(struct leat_letters *l, struct item *item, const uint64_t *round)
{
	struct leat_epochs *epochs = l->pipeline->epochs;
	struct items *open;

	pthread_mutex_lock(&l->lock);
	/* As in leat_sink_push(). */
	open = &l->open[(round != NULL ? *round : leat_epochs_round(epochs)) & 1];
	*open->last = item;
	open->last = &item->next;
	pthread_mutex_unlock(&l->lock);
	if (round == NULL)
		leat_epochs_note(epochs);
}

/* What stands in for a record is bytes: of a source's message, or of a sink's effect. */
static enum leat_letter_kind kind_of(const struct leat_instance *instance, const struct leat_record *record, const struct leat_value *payload)
{
	if (record == NULL)
		return LEAT_LETTER_TIMER;
	if (instance->node->role == LEAT_ROLE_SOURCE)
		return LEAT_LETTER_MESSAGE;
	return payload == &record->value ? LEAT_LETTER_EVENT : LEAT_LETTER_EFFECT;
}

void leat_letters_add(struct leat_letters *l, const struct leat_instance *instance, const struct leat_record *record,
                      const struct leat_value *payload, const struct leat_error *err)
{
	const struct leat_description *d = instance->description;
	struct item *item = leat_allocate_zeroed(1, sizeof *item);
	struct leat_letter letter = { .node = instance->node->name, .kind = kind_of(instance, record, payload), .reason = err->text,
		                          .where = err->where, .detail = err->detail };

	letter.time_us = instance->now_us != 0 ? instance->now_us : leat_clock_now_us();
	letter.record.time_us = LEAT_NO_TIME;
	if (record != NULL)
		letter.record = *record;
	if (record != NULL && instance->node->n_named > 0)
		letter.input = instance->node->plugin->op->inputs[instance->input];
	if (record != NULL && record->origin.source < d->n_nodes)
		letter.source = d->node[record->origin.source].name;
	letter.record.value = payload != NULL ? *payload : leat_null();
	item->node = letter.node;
	leat_letter_pack(&letter, &item->bytes);
	leat_flow_add(&l->pipeline->flow, item->bytes.n);
	push(l, item, instance->round);
}

void leat_letters_erase(struct leat_letters *l, uint64_t number, const uint64_t *round)
{
	struct item *item = leat_allocate_zeroed(1, sizeof *item);

	item->gone = number;
	push(l, item, round);
}

/* ---- an epoch ------------------------------------------------------------------------------------------------------- */

static enum leat_status put(struct leat_letters *l, const struct item *item, uint64_t epoch, struct leat_error *err)
{
	enum leat_status status;

	if (item->gone == 0) {
		(void)leat_store_put_letter(l->store, epoch, item->node, item->bytes.data, item->bytes.n);
		leat_flow_remove(&l->pipeline->flow, item->bytes.n);
		l->is_changed = true;
		return LEAT_OK;
	}
	l->n_gone++;
	status = leat_store_erase_letter(l->store, item->gone, err);
	l->is_changed = l->is_changed || status == LEAT_OK;
	return status == LEAT_AGAIN ? LEAT_OK : status;
}

static void say_dropped(struct leat_letters *l, uint64_t n)
{
	int64_t now_us = leat_clock_monotonic_us();

	l->n_unsaid += n;
	if (l->n_unsaid == 0 || (l->said_us != 0 && now_us - l->said_us < SAY_AGAIN_US))
		return;
	leat_log_line(LEAT_WARNING,
	              "pipeline \"%s\": dead letters take more than dead_letters.max, %" PRId64 " MiB: the oldest %" PRIu64 " were dropped",
	              l->pipeline->description->name, l->pipeline->description->letters.max_bytes >> 20, l->n_unsaid);
	l->n_unsaid = 0;
	l->said_us = now_us;
}

static enum leat_status trim(struct leat_letters *l, struct leat_error *err)
{
	const struct leat_description *d = l->pipeline->description;
	enum leat_status status;
	uint64_t n = 0;

	if (d->letters.stops_when_full)
		return LEAT_OK;
	status = leat_store_trim_letters(l->store, (uint64_t)d->letters.max_bytes, &n, err);
	l->is_changed = l->is_changed || n > 0;
	leat_counter_add(&l->n_dropped, n);
	say_dropped(l, n);
	return status;
}

enum leat_status leat_letters_put_epoch(struct leat_letters *l, uint64_t round, uint64_t epoch, bool *has_changed,
                                        struct leat_error *err)
{
	struct items *open = &l->open[round & 1];
	enum leat_status status = LEAT_OK;
	struct item *first;

	pthread_mutex_lock(&l->lock);
	first = open->first;
	clear(open);
	pthread_mutex_unlock(&l->lock);
	for (const struct item *item = first; item != NULL && status == LEAT_OK; item = item->next)
		status = put(l, item, epoch, err);
	free_items(first);
	if (status == LEAT_OK)
		status = trim(l, err);
	*has_changed = *has_changed || l->is_changed;
	return status;
}

void leat_letters_release(struct leat_letters *l)
{
	if (l->is_changed) {
		publish(l);
		judge_room(l);
	}
	if (l->n_gone > 0)
		leat_replays_done(l->pipeline->replays, l->n_gone);
	l->is_changed = false;
	l->n_gone = 0;
}
