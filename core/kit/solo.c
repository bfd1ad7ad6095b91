/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/solo.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "run/route.h"

static enum leat_status begin(struct leat_solo *solo, const struct leat_description *d, struct leat_error *err)
{
	enum leat_status status = leat_instance_create(d, solo->node, 0, solo->shard, &solo->instance, err);

	if (status != LEAT_OK)
		return status;
	for (uint32_t i = 0; i < solo->instance->n_out; i++)
		solo->instance->out[i].is_wired = true;
	solo->instance->watermark_us = solo->watermark_us;
	return solo->is_volatile ? LEAT_OK : leat_kept_restore(&solo->kept, solo->instance, err);
}

enum leat_status leat_solo_init(struct leat_solo *solo, const struct leat_description *d, const struct leat_node *node, uint32_t shard,
                                struct leat_error *err)
{
	solo->node = node;
	solo->shard = shard;
	solo->d = d;
	solo->watermark_us = LEAT_NO_TIME;
	return begin(solo, d, err);
}

void leat_solo_finish(struct leat_solo *solo)
{
	leat_solo_drop(solo);
	leat_kept_finish(&solo->kept);
}

/* ---- running -------------------------------------------------------------------------------------------------------- */

static void hand_over(struct leat_solo *solo)
{
	for (uint32_t port = 0; port < solo->instance->n_out; port++) {
		struct leat_output *out = &solo->instance->out[port];

		for (size_t i = 0; i < out->n; i++)
			solo->emitted(solo->opaque, solo, port, &out->record[i]);
		out->n = 0;
	}
}

/* In a batch of its own, as in the runtime. */
static enum leat_status fire(struct leat_solo *solo, enum leat_clock clock, int64_t until_us, struct leat_error *err)
{
	struct leat_arena *arena = leat_arena_create();
	enum leat_status status = LEAT_OK;
	size_t left = SIZE_MAX;

	leat_instance_enter(solo->instance, arena, solo->now_us);
	if (solo->instance->timers != NULL)
		status = leat_instance_fire(solo->instance, clock, until_us, &left, err);
	hand_over(solo);
	leat_arena_unref(arena);
	return status;
}

static void set_keys(const struct leat_solo *solo, uint32_t input, struct leat_arena *arena, struct leat_record *record, size_t n)
{
	for (size_t i = 0; i < n && solo->node->n_keys > 0; i++)
		record[i].key = leat_route_key(solo->node, input, arena, &record[i]);
}

enum leat_status leat_solo_push(struct leat_solo *solo, uint32_t input, struct leat_arena *arena, struct leat_record *record, size_t n,
                                struct leat_error *err)
{
	struct leat_item item = { .instance = solo->instance, .input = input, .record = record, .n = n };
	enum leat_status status;

	set_keys(solo, input, arena, record, n);
	leat_instance_enter(solo->instance, arena, solo->now_us);
	status = leat_instance_run(&item, err);
	hand_over(solo);
	return status == LEAT_OK ? fire(solo, LEAT_EVENT_TIME, solo->instance->watermark_us, err) : status; /* set when due already */
}

/* Whatever process() makes of it. A record without the key that is asked for never gets there. */
static void try_and_take_back(struct leat_instance *instance, const struct leat_record *record)
{
	struct leat_error err;

	if (instance->node->n_keys > 0 && !instance->node->plugin->op->takes_null_keys && record->key.type == LEAT_NULL)
		return;
	leat_error_clear(&err);
	(void)leat_instance_try(instance, record, &err);
	leat_instance_abort(instance);
}

enum leat_status leat_solo_push_twice(struct leat_solo *solo, uint32_t input, struct leat_arena *arena, struct leat_record *record,
                                      size_t n, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	solo->instance->input = input;
	set_keys(solo, input, arena, record, n);
	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		const struct leat_batch batch = { .n = 1, .record = &record[i] };

		leat_instance_enter(solo->instance, arena, solo->now_us);
		if (solo->node->plugin->op->prepare != NULL)
			status = solo->node->plugin->op->prepare(solo->instance->self, &batch, &solo->instance->context, err);
		if (status == LEAT_OK)
			try_and_take_back(solo->instance, &record[i]);
		if (status == LEAT_OK)
			status = leat_solo_push(solo, input, arena, &record[i], 1, err);
	}
	return status;
}

enum leat_status leat_solo_set_time(struct leat_solo *solo, int64_t now_us, struct leat_error *err)
{
	solo->now_us = now_us;
	return fire(solo, LEAT_PROCESSING_TIME, now_us, err);
}

enum leat_status leat_solo_set_watermark(struct leat_solo *solo, int64_t watermark_us, struct leat_error *err)
{
	if (watermark_us > solo->instance->watermark_us)
		solo->instance->watermark_us = watermark_us;
	return fire(solo, LEAT_EVENT_TIME, solo->instance->watermark_us, err);
}

enum leat_status leat_solo_end(struct leat_solo *solo, struct leat_error *err)
{
	enum leat_status status = leat_solo_set_watermark(solo, INT64_MAX, err);
	struct leat_arena *arena;

	if (status != LEAT_OK)
		return status;
	arena = leat_arena_create();
	leat_instance_enter(solo->instance, arena, solo->now_us);
	status = leat_instance_end(solo->instance, err);
	hand_over(solo);
	leat_arena_unref(arena);
	return status;
}

/* ---- what survives -------------------------------------------------------------------------------------------------- */

void leat_solo_checkpoint(struct leat_solo *solo)
{
	leat_check(!solo->is_volatile);
	leat_kept_take(&solo->kept, solo->instance);
	solo->watermark_us = solo->instance->watermark_us;
}

void leat_solo_drop(struct leat_solo *solo)
{
	leat_instance_destroy(solo->instance);
	solo->instance = NULL;
}

enum leat_status leat_solo_restart(struct leat_solo *solo, struct leat_error *err)
{
	leat_solo_drop(solo);
	return begin(solo, solo->d, err);
}
