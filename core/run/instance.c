/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an instance, and the frame around each call into a plugin: begin, call, keep or take back. */
#include "run/instance.h"

#include <stdlib.h>
#include <string.h>

#include "base/bug.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

static void make_outputs(struct leat_instance *instance)
{
	uint32_t i;

	instance->n_out = instance->node->n_ports + 1;
	instance->out = leat_allocate_zeroed(instance->n_out, sizeof *instance->out);
	for (i = 0; i < instance->node->n_ports; i++)
		instance->out[i].is_alert = strcmp(instance->node->ports[i], "alerts") == 0;
}

enum leat_status leat_instance_attach(const struct leat_description *d, const struct leat_node *node, uint32_t worker, uint32_t shard,
                                      void *self, struct leat_instance **out, struct leat_error *err)
{
	struct leat_instance *instance = leat_allocate_zeroed(1, sizeof *instance);
	const struct leat_codec_ops *codec = node->codec == NULL ? NULL : node->codec->codec;
	enum leat_status status = LEAT_OK;

	instance->context.api = &leat_instance_api;
	instance->description = d;
	instance->node = node;
	instance->worker = worker;
	instance->shard = shard;
	instance->self = self;
	instance->watermark_us = LEAT_NO_TIME;
	instance->passed_us = LEAT_NO_TIME;
	instance->stored_us = LEAT_NO_TIME;
	leat_counter_set(&instance->counters.watermark_us, (uint64_t)LEAT_NO_TIME);
	instance->random = leat_hash(node->name, strlen(node->name)) ^ shard;
	instance->dead_log = &instance->own_log;
	make_outputs(instance);
	if (codec != NULL) {
		instance->codec = leat_allocate_zeroed(1, codec->instance_size + 1);
		if (codec->create != NULL)
			status = leat_instance_judge(instance, codec->create(instance->codec, &instance->context, err), LEAT_MAY_FAIL, "create",
			                             err);
	}
	if (status == LEAT_OK)
		*out = instance;
	else
		leat_instance_destroy(instance);
	return status;
}

static void make_ttls(struct leat_instance *instance)
{
	instance->spec = instance->node->plugin->op->tables;
	while (instance->spec != NULL && instance->spec[instance->n_specs].name != NULL)
		instance->n_specs++;
	if (instance->n_specs > 0)
		instance->ttl_us = leat_allocate_zeroed(instance->n_specs, sizeof *instance->ttl_us);
}

enum leat_status leat_instance_create(const struct leat_description *d, const struct leat_node *node, uint32_t worker, uint32_t shard,
                                      struct leat_instance **out, struct leat_error *err)
{
	struct leat_instance *instance;
	enum leat_status status = leat_instance_attach(d, node, worker, shard, NULL, &instance, err);

	leat_check(node->role == LEAT_ROLE_OPERATOR);
	if (status != LEAT_OK)
		return status;
	instance->self = leat_allocate_zeroed(1, node->instance_size + 1);
	if (node->instance_size > 0)
		memcpy(instance->self, node->image, node->instance_size);
	instance->owns_self = true;
	make_ttls(instance);
	leat_error_clear(err);
	status = leat_instance_judge(instance, leat_plugin_create(node->plugin, node->role, instance->self, &instance->context, err),
	                             LEAT_MAY_FAIL, "create", err);
	if (status != LEAT_OK) {
		leat_instance_destroy(instance);
		return status;
	}
	if (instance->ttl_us != NULL)
		instance->tables = leat_tables_create(instance->spec, instance->ttl_us);
	*out = instance;
	return LEAT_OK;
}

void leat_instance_destroy(struct leat_instance *instance)
{
	if (instance == NULL)
		return;
	if (instance->owns_self) {
		leat_plugin_destroy(instance->node->plugin, instance->node->role, instance->self);
		free(instance->self);
	}
	if (instance->codec != NULL && instance->node->codec->codec->destroy != NULL)
		instance->node->codec->codec->destroy(instance->codec);
	free(instance->codec);
	leat_tables_destroy(instance->tables);
	leat_timers_destroy(instance->timers);
	leat_arena_unref(instance->scratch);
	free(instance->ttl_us);
	free(instance->out);
	free(instance);
}

struct leat_timers *leat_instance_timers(struct leat_instance *instance)
{
	if (instance->timers == NULL) {
		instance->timers = leat_timers_create();
		if (instance->is_tracked)
			leat_timers_track(instance->timers);
	}
	return instance->timers;
}

void leat_instance_enter(struct leat_instance *instance, struct leat_arena *arena, int64_t now_us)
{
	uint32_t i;

	instance->arena = arena;
	instance->now_us = now_us;
	for (i = 0; i < instance->n_out; i++) {
		instance->out[i].record = NULL;
		instance->out[i].n = 0;
		instance->out[i].capacity = 0;
		instance->out[i].mark = 0;
	}
}

void leat_instance_begin(struct leat_instance *instance)
{
	uint32_t i;

	instance->is_in_event = true;
	for (i = 0; i < instance->n_out; i++)
		instance->out[i].mark = instance->out[i].n;
	if (instance->tables != NULL)
		leat_tables_begin(instance->tables, instance->now_us);
	if (instance->timers != NULL) {
		leat_timers_begin(instance->timers);
		instance->has_timers_open = true;
	}
}

void leat_instance_commit(struct leat_instance *instance)
{
	instance->is_in_event = false;
	if (instance->tables != NULL)
		leat_tables_commit(instance->tables);
	if (instance->has_timers_open)
		leat_timers_commit(instance->timers);
	instance->has_timers_open = false;
}

void leat_instance_abort(struct leat_instance *instance)
{
	uint32_t i;

	instance->is_in_event = false;
	for (i = 0; i < instance->n_out; i++)
		instance->out[i].n = instance->out[i].mark;
	if (instance->tables != NULL)
		leat_tables_abort(instance->tables);
	if (instance->has_timers_open)
		leat_timers_abort(instance->timers);
	instance->has_timers_open = false;
}

static void grow(struct leat_instance *instance, struct leat_output *out)
{
	size_t capacity = out->capacity == 0 ? 32 : out->capacity * 4;
	struct leat_record *record = leat_arena_allocate(instance->arena, capacity * sizeof *record);

	if (out->n > 0)
		memcpy(record, out->record, out->n * sizeof *record);
	out->record = record;
	out->capacity = capacity;
}

void leat_instance_emit(struct leat_instance *instance, uint32_t port, const struct leat_record *record)
{
	struct leat_output *out = &instance->out[port];

	if (out->n == out->capacity)
		grow(instance, out);
	out->record[out->n++] = *record;
}

enum leat_status leat_instance_judge(struct leat_instance *instance, enum leat_status status, unsigned allowed, const char *function,
                                     struct leat_error *err)
{
	const char *plugin = instance->node->plugin->name;

	if (instance->breach != NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "plugin \"%s\" broke its contract: %s", plugin, instance->breach);
	if (status == LEAT_OK)
		return LEAT_OK;
	if ((unsigned)status > LEAT_FATAL || !(allowed & 1u << status))
		return leat_error_set(err, LEAT_FATAL, 0, "plugin \"%s\" broke its contract: its %s() returned status %d", plugin, function,
		                      (int)status);
	if (err->text[0] == '\0')
		return leat_error_set(err, status, 0, "plugin \"%s\" gave no reason in its %s()", plugin, function);
	return status;
}

/* What the plugin's function came to, for one event. */
static enum leat_status settle(struct leat_instance *instance, enum leat_status status, const struct leat_record *record,
                               const char *function, struct leat_error *err)
{
	if (status == LEAT_OK && instance->breach == NULL) {
		leat_instance_commit(instance);
		return LEAT_OK;
	}
	leat_instance_abort(instance);
	status = leat_instance_judge(instance, status, LEAT_MAY_WAIT | 1u << LEAT_REJECT, function, err);
	if (status != LEAT_REJECT)
		return status;
	leat_instance_bury(instance, record, record == NULL ? NULL : &record->value, err);
	leat_error_clear(err);
	return LEAT_OK;
}

enum leat_status leat_instance_try(struct leat_instance *instance, const struct leat_record *record, struct leat_error *err)
{
	enum leat_status status;

	leat_instance_begin(instance);
	instance->record = record;
	status = instance->node->plugin->op->process(instance->self, record, &instance->context, err);
	instance->record = NULL;
	return status;
}

enum leat_status leat_instance_process(struct leat_instance *instance, const struct leat_record *record, struct leat_error *err)
{
	return settle(instance, leat_instance_try(instance, record, err), record, "process", err);
}

static enum leat_status prepare(struct leat_item *item, struct leat_error *err)
{
	struct leat_instance *instance = item->instance;
	const struct leat_operator_ops *op = instance->node->plugin->op;
	const struct leat_batch batch = { .n = item->n, .record = item->record };
	enum leat_status status = LEAT_OK;

	instance->has_expected = false;
	if (op->prepare != NULL)
		status = leat_instance_judge(instance, op->prepare(instance->self, &batch, &instance->context, err), LEAT_MAY_WAIT, "prepare",
		                             err);
	item->is_prepared = status == LEAT_OK;
	return status;
}

enum leat_status leat_instance_run(struct leat_item *item, struct leat_error *err)
{
	struct leat_instance *instance = item->instance;
	const struct leat_node *node = instance->node;
	bool needs_key = node->n_keys > 0 && !node->plugin->op->takes_null_keys;
	enum leat_status status;

	instance->input = item->input;
	leat_error_clear(err);
	if (!item->is_prepared && (status = prepare(item, err)) != LEAT_OK)
		return status;
	if (instance->tables != NULL && !instance->has_expected)
		leat_tables_prefetch(instance->tables, item->record + item->next, item->n - item->next);
	for (; item->next < item->n; item->next++) {
		const struct leat_record *record = &item->record[item->next];

		if (needs_key && record->key.type == LEAT_NULL) {
			(void)leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing or null, and it is the key",
			                     node->key[item->input * node->n_keys]->text);
			leat_instance_bury(instance, record, &record->value, err);
			leat_error_clear(err);
			continue;
		}
		status = leat_instance_process(instance, record, err);
		if (status != LEAT_OK)
			return status;
	}
	return LEAT_OK;
}

enum leat_status leat_instance_timer(struct leat_instance *instance, const struct leat_timer *timer, struct leat_error *err)
{
	const struct leat_operator_ops *op = instance->node->plugin->op;
	enum leat_status status;

	if (op->timer == NULL)
		return LEAT_OK;
	leat_error_clear(err);
	leat_instance_begin(instance);
	status = op->timer(instance->self, timer, &instance->context, err);
	return settle(instance, status, NULL, "timer", err);
}

enum leat_status leat_instance_fire(struct leat_instance *instance, enum leat_clock clock, int64_t until_us, size_t *left,
                                    struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	struct leat_timer timer;

	while (*left > 0 && status == LEAT_OK && leat_timers_pop(instance->timers, clock, until_us, &timer)) {
		(*left)--;
		/* What is emitted outlives the timer, and may have its key in it. */
		timer.key = leat_value_copy(instance->arena, &timer.key);
		status = leat_instance_timer(instance, &timer, err);
	}
	if ((status == LEAT_RETRY || status == LEAT_UNKNOWN) && !LEAT_BUG("timer-lost-on-retry")) {
		leat_timers_begin(instance->timers);
		leat_timers_set(instance->timers, &timer);
		leat_timers_commit(instance->timers);
	}
	return status;
}

enum leat_status leat_instance_end(struct leat_instance *instance, struct leat_error *err)
{
	const struct leat_operator_ops *op = instance->node->plugin->op;
	enum leat_status status;

	if (op->end == NULL)
		return LEAT_OK;
	leat_error_clear(err);
	leat_instance_begin(instance);
	status = op->end(instance->self, &instance->context, err);
	return settle(instance, status, NULL, "end", err);
}
