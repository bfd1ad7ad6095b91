/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "data/json.h"
#include "data/pack.h"
#include "run/route.h"

struct pending {
	struct leat_record *record;
	size_t n, capacity;
	uint32_t input;
};

struct player {
	const struct leat_trial *trial;
	const struct leat_way *way;
	struct leat_outcome *outcome;
	struct leat_json *json;
	uint32_t n_shards;
	struct leat_solo *solo;   /* by shard, as the next one */
	struct pending *pending;  /* of the batch that is being gathered, in `arena` */
	struct leat_arena *arena; /* NULL: there is none */
	/* the crash that is to come */
	bool has_crashed;
	size_t mark; /* rows, as of the checkpoint */
	int64_t mark_us;
};

/* What it says of itself later, such as how often, is of the first. */
static bool note(struct player *p, enum leat_status status, const struct leat_error *err)
{
	if (status == LEAT_OK)
		return true;
	if (p->outcome->status == LEAT_OK) {
		p->outcome->status = status;
		p->outcome->err = *err;
	}
	return false;
}

static bool is_going(const struct player *p)
{
	return p->outcome->status == LEAT_OK;
}

static void emitted(void *opaque, const struct leat_solo *solo, uint32_t port, const struct leat_record *record)
{
	struct player *p = opaque;

	leat_outcome_add(p->outcome, solo, port, record);
	if (port != solo->node->n_ports || record->origin.source == LEAT_NO_SOURCE)
		return;
	p->outcome->n_rejected += p->outcome->is_rejected[record->origin.offset] == 0;
	p->outcome->is_rejected[record->origin.offset] = 1;
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static struct leat_record read_event(const struct leat_trial *trial, struct leat_json *json, struct leat_arena *arena, size_t step)
{
	const char *text = trial->script.step[step].json;
	struct leat_record record = { .time_us = trial->script.step[step].us, .origin = { .offset = (int64_t)step } };
	size_t n = strlen(text);
	char *copy = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_error err;

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, text, n);
	leat_check(leat_json_decode(json, arena, copy, n, &record.value, &err) == LEAT_OK);
	return record;
}

static void flush(struct player *p)
{
	for (uint32_t i = 0; i < p->n_shards; i++) {
		struct pending *pending = &p->pending[i];
		enum leat_status status = LEAT_OK;
		struct leat_error err;

		if (pending->n > 0 && is_going(p))
			status = (p->way->is_twice ? leat_solo_push_twice : leat_solo_push)(&p->solo[i], pending->input, p->arena, pending->record, pending->n, &err);
		pending->n = 0;
		note(p, status, &err);
	}
	leat_arena_unref(p->arena);
	p->arena = NULL;
}

static void gather(struct player *p, size_t step)
{
	const struct leat_node *node = p->trial->node;
	uint32_t input = p->trial->script.step[step].input;
	struct leat_record record;
	struct pending *pending;
	uint32_t shard = 0;

	/* A batch is of one input. */
	for (uint32_t i = 0; i < p->n_shards; i++)
		if (p->pending[i].n > 0 && p->pending[i].input != input)
			flush(p);
	if (p->arena == NULL)
		p->arena = leat_arena_create();
	record = read_event(p->trial, p->json, p->arena, step);
	record.arrival_us = p->solo[0].now_us;
	if (node->n_keys > 0) {
		struct leat_value key = leat_route_key(node, input, p->arena, &record);

		shard = leat_route_shard(&key, p->n_shards);
	}
	pending = &p->pending[shard];
	pending->input = input;
	pending->record = leat_grow(pending->record, pending->n, &pending->capacity, sizeof *pending->record);
	pending->record[pending->n++] = record;
}

static void move(struct player *p, const struct leat_step *step)
{
	struct leat_error err;

	for (uint32_t i = 0; i < p->n_shards && is_going(p); i++)
		note(p, (step->kind == LEAT_STEP_TIME ? leat_solo_set_time : leat_solo_set_watermark)(&p->solo[i], step->us, &err), &err);
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------------ */

static void checkpoint(struct player *p)
{
	for (uint32_t i = 0; i < p->n_shards; i++)
		leat_solo_checkpoint(&p->solo[i]);
}

/* All of them end before one begins, as they may share things. */
static void restart(struct player *p)
{
	struct leat_error err;

	for (uint32_t i = 0; i < p->n_shards; i++)
		leat_solo_drop(&p->solo[i]);
	for (uint32_t i = 0; i < p->n_shards && is_going(p); i++)
		note(p, leat_solo_restart(&p->solo[i], &err), &err);
}

static void forget_rows(struct leat_outcome *outcome, size_t n)
{
	while (outcome->n > n) {
		struct leat_row *row = &outcome->row[--outcome->n];

		free(row->port);
		free(row->key);
		free(row->text);
	}
}

/* Returns the step to go on behind. */
static size_t crash(struct player *p)
{
	p->has_crashed = true;
	forget_rows(p->outcome, p->mark);
	restart(p);
	for (uint32_t i = 0; i < p->n_shards; i++)
		p->solo[i].now_us = p->mark_us;
	return p->way->crash_from;
}

/* Behind step i. Returns the step to go on behind. */
static size_t go_wrong(struct player *p, size_t i)
{
	const struct leat_way *way = p->way;

	if (way->is_restart != NULL && way->is_restart[i]) {
		flush(p);
		checkpoint(p);
		restart(p);
	}
	if (way->has_crash && i == way->crash_from && !p->has_crashed) {
		flush(p);
		checkpoint(p);
		p->mark = p->outcome->n;
		p->mark_us = p->solo[0].now_us;
	}
	if (way->has_crash && i == way->crash_until && !p->has_crashed) {
		flush(p);
		return is_going(p) ? crash(p) : i;
	}
	return i;
}

/* ---- the whole ------------------------------------------------------------------------------------------------------ */

static void begin(struct player *p)
{
	struct leat_error err;

	p->n_shards = p->way->n_shards == 0 ? 1 : p->way->n_shards;
	p->solo = leat_allocate_zeroed(p->n_shards, sizeof *p->solo);
	p->pending = leat_allocate_zeroed(p->n_shards, sizeof *p->pending);
	p->json = leat_json_create(p->trial->description->symbols);
	for (uint32_t i = 0; i < p->n_shards && is_going(p); i++) {
		p->solo[i] = (struct leat_solo){
			.kept = { .memory = p->way->memory }, .now_us = LEAT_SCRIPT_START_US, .emitted = emitted, .opaque = p
		};
		note(p, leat_solo_init(&p->solo[i], p->trial->description, p->trial->node, i, &err), &err);
	}
}

static void end(struct player *p)
{
	struct leat_buffer state = { .n = 0 };
	struct leat_error err;

	for (uint32_t i = 0; i < p->n_shards && is_going(p); i++) {
		if (!note(p, leat_solo_end(&p->solo[i], &err), &err))
			break;
		leat_solo_checkpoint(&p->solo[i]);
		leat_kept_print(&p->solo[i].kept, p->solo[i].instance, p->solo[i].now_us, &state);
	}
	p->outcome->state = leat_copy_bytes_as_text(state.data == NULL ? "" : state.data, state.n);
	leat_buffer_finish(&state);
}

static void finish(struct player *p)
{
	for (uint32_t i = 0; i < p->n_shards; i++) {
		leat_solo_finish(&p->solo[i]);
		free(p->pending[i].record);
	}
	free(p->solo);
	free(p->pending);
	leat_json_destroy(p->json);
	leat_arena_unref(p->arena);
}

void leat_play(const struct leat_trial *trial, const struct leat_way *way, struct leat_outcome *outcome)
{
	struct player p = { .trial = trial, .way = way, .outcome = outcome };
	size_t n = trial->script.n;

	*outcome = (struct leat_outcome){ .is_rejected = leat_allocate_zeroed(n + 1, 1) };
	begin(&p);
	for (size_t i = 0; i < n && is_going(&p); i++) {
		size_t at = way->order == NULL ? i : way->order[i];
		const struct leat_step *step = &trial->script.step[at];

		if (step->kind != LEAT_STEP_EVENT) {
			flush(&p);
			move(&p, step);
		} else if (way->is_left_out == NULL || !way->is_left_out[at]) {
			gather(&p, at);
		}
		if (way->is_cut != NULL && way->is_cut[i])
			flush(&p);
		i = go_wrong(&p, i);
	}
	flush(&p);
	end(&p);
	finish(&p);
}

char **leat_play_keys(const struct leat_trial *trial)
{
	char **key = leat_allocate_zeroed(trial->script.n + 1, sizeof *key);
	struct leat_json *json = leat_json_create(trial->description->symbols);
	struct leat_arena *arena = leat_arena_create();

	for (size_t i = 0; i < trial->script.n; i++) {
		struct leat_buffer packed = { .n = 0 };
		struct leat_record record;

		if (trial->script.step[i].kind != LEAT_STEP_EVENT)
			continue;
		record = read_event(trial, json, arena, i);
		record.key = leat_route_key(trial->node, trial->script.step[i].input, arena, &record);
		leat_pack_key(&record.key, &packed);
		key[i] = leat_allocate_zeroed(2 * packed.n + 1, 1);
		for (size_t k = 0; k < packed.n; k++)
			(void)snprintf(key[i] + 2 * k, 3, "%02x", (unsigned char)packed.data[k]);
		leat_buffer_finish(&packed);
	}
	leat_arena_unref(arena);
	leat_json_destroy(json);
	return key;
}
