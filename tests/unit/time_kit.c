/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/time_kit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

_Atomic uint64_t time_kit_disordered, time_kit_early, time_kit_longest, time_kit_open;

/* Some day in 2020. */
static const int64_t FIRST_US = INT64_C(1600000000000000);

int64_t time_kit_at(int64_t i, int64_t jitter_us, int64_t late_every)
{
	int64_t late_us = late_every > 0 && i % late_every == late_every - 1 ? 3 * TIME_KIT_PANE_US : 0;

	return FIRST_US + i * TIME_KIT_STEP_US - late_us - (jitter_us > 0 ? (int64_t)(leat_hash(&i, sizeof i) % (uint64_t)jitter_us) : 0);
}

int64_t time_kit_key(int64_t i)
{
	return i * 7 / 3 % TIME_KIT_KEYS;
}

static int64_t pane_of(int64_t time_us)
{
	return (time_us - FIRST_US) / TIME_KIT_PANE_US + 4; /* none is less than 0 */
}

static int64_t end_of(int64_t pane)
{
	return (pane - 3) * TIME_KIT_PANE_US + FIRST_US;
}

void time_kit_expect(int64_t count, int64_t jitter_us, int64_t late_every, int64_t disorder_us, unsigned times)
{
	uint16_t(*n)[LEDGER_RECORDS] = calloc(LEDGER_PARTITIONS, sizeof *n);
	int64_t watermark_us = INT64_MIN;

	ck_assert_ptr_nonnull(n);
	for (int64_t i = 0; i < count; i++) {
		int64_t time_us = time_kit_at(i, jitter_us, late_every), pane = pane_of(time_us), key = time_kit_key(i);

		if (end_of(pane) <= watermark_us)
			n[TIME_KIT_KEYS + key][TIME_KIT_LATE + pane]++;
		else
			n[key][pane] = (uint16_t)(n[key][pane] + times);
		if (time_us - disorder_us > watermark_us)
			watermark_us = time_us - disorder_us;
	}
	for (int p = 0; p < LEDGER_PARTITIONS; p++)
		for (int i = 0; i < LEDGER_RECORDS; i++)
			if (ledger.seen[p][i] != n[p][i]) /* each assertion is a system call */
				ck_abort_msg("pane %d of key %d has %u, not %u", i, p, ledger.seen[p][i], n[p][i]);
	free(n);
}

/* ---- clock ---------------------------------------------------------------------------------------------------------- */

struct clock {
	int64_t partitions, count, per_poll, late_every, jitter_us, silent, slow;
	bool is_endless;
};

struct leat_reader {
	int32_t partition;
	int64_t next, n_polls;
};

static const struct leat_option clock_options[] = {
	LEAT_OPTION(INTEGER, struct clock, partitions, "partitions", "How many.", .preset = "1"),
	LEAT_OPTION(INTEGER, struct clock, count, "count", "Records in each partition.", .preset = "1000"),
	LEAT_OPTION(INTEGER, struct clock, per_poll, "per_poll", "Records pushed by a poll.", .preset = "100"),
	LEAT_OPTION(INTEGER, struct clock, late_every, "late_every", "Every so many records one is late; 0: none.", .preset = "0"),
	LEAT_OPTION(DURATION, struct clock, jitter_us, "jitter", "They come so far out of order.", .preset = "0s"),
	LEAT_OPTION(INTEGER, struct clock, silent, "silent", "So many of the partitions say nothing.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct clock, slow, "slow", "The last partition has nothing when it is polled first, so many times.", .preset = "0"),
	LEAT_OPTION(BOOL, struct clock, is_endless, "endless", "Waits for more at the end instead of ending.", .preset = "false"),
	{ 0 },
};

static enum leat_status clock_partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	(void)err;
	for (int32_t i = 0; i < ((struct clock *)self)->partitions; i++)
		leat_partition(ctx, i);
	return LEAT_OK;
}

static enum leat_status clock_open(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                   struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)ctx;
	(void)err;
	*reader = leat_allocate_zeroed(1, sizeof **reader);
	(*reader)->partition = partition;
	(*reader)->next = from != NULL ? from->offset : 0;
	return LEAT_OK;
}

static enum leat_status clock_poll(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                   struct leat_error *err)
{
	const struct clock *clock = self;
	int64_t count = reader->partition < clock->partitions - clock->silent ? clock->count : 0, i;

	(void)max_bytes;
	(void)err;
	if (reader->partition == clock->partitions - 1 && reader->n_polls++ < clock->slow) {
		leat_wait(ctx, 1000);
		return LEAT_AGAIN;
	}
	for (i = 0; i < clock->per_poll && reader->next < count; i++, reader->next++) {
		char text[128];
		struct leat_message message = { .payload = text, .time_us = LEAT_NO_TIME, .offset = reader->next, .next = reader->next + 1 };

		message.payload_n = (size_t)snprintf(text, sizeof text, "{\"t\": %lld, \"k\": %lld}",
		                                     (long long)time_kit_at(reader->next, clock->jitter_us, clock->late_every),
		                                     (long long)time_kit_key(reader->next));
		leat_push(ctx, &message);
	}
	if (reader->next < count)
		return LEAT_OK;
	return clock->is_endless ? (i > 0 ? LEAT_OK : LEAT_AGAIN) : LEAT_END;
}

static void clock_close(void *self, struct leat_reader *reader)
{
	(void)self;
	free(reader);
}

static const struct leat_source_ops clock_ops = {
	.size = sizeof clock_ops, .instance_size = sizeof(struct clock), .options = clock_options, .can_replay = true,
	.partitions = clock_partitions, .open = clock_open, .poll = clock_poll, .close = clock_close,
};

const struct leat_plugin time_kit_clock = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "clock", .version = "1", .summary = "Records with a time.", .source = &clock_ops,
};

/* ---- panes ---------------------------------------------------------------------------------------------------------- */

struct panes {
	int64_t stumble_every;
	leat_symbol i, p, k;
	int64_t n_fired, last_us, slice_us, n_slice;
	bool has_stumbled;
};

struct pane {
	int64_t n;
};

static const struct leat_option panes_options[] = {
	LEAT_OPTION(INTEGER, struct panes, stumble_every, "stumble_every", "Every so many timers one says RETRY once.", .preset = "0"), { 0 },
};
static const struct leat_field pane_fields[] = { LEAT_FIELD(struct pane, n, INT64), { 0 } };
static const struct leat_table_spec panes_tables[] = {
	{ .name = "pane", .version = 1, .size = sizeof(struct pane), .fields = pane_fields, .prose = "Records in a pane." }, { 0 },
};

static enum leat_status panes_create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct panes *panes = self;

	(void)err;
	panes->i = leat_intern(ctx, "i");
	panes->p = leat_intern(ctx, "p");
	panes->k = leat_intern(ctx, "k");
	return LEAT_OK;
}

static void emit(const struct panes *panes, struct leat_context *ctx, int64_t i, int64_t p, int64_t time_us)
{
	const struct leat_member member[] = { { .symbol = panes->i, .value = leat_integer(i) }, { .symbol = panes->p, .value = leat_integer(p) } };
	const struct leat_record record = { .value = leat_map_with(ctx, NULL, member, 2), .key = leat_null(), .time_us = time_us,
		                            .origin.source = LEAT_NO_SOURCE };

	leat_emit(ctx, 0, &record);
}

static struct leat_value name_of(struct leat_context *ctx, const struct leat_value *key, int64_t pane)
{
	const struct leat_value part[] = { *key, leat_integer(pane) };

	return leat_list_of(ctx, part, 2);
}

static enum leat_status panes_process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct panes *panes = self;
	int64_t pane = pane_of(record->time_us), k = 0;
	struct leat_value name = name_of(ctx, &record->key, pane);
	const struct leat_timer timer = { .clock = LEAT_EVENT_TIME, .due_us = end_of(pane), .tag = pane, .key = record->key };

	(void)leat_as_integer(&record->key, &k);
	if (end_of(pane) <= leat_watermark(ctx)) {
		emit(panes, ctx, TIME_KIT_LATE + pane, TIME_KIT_KEYS + k, record->time_us);
		return LEAT_OK;
	}
	((struct pane *)leat_table_get(ctx, 0, &name))->n++;
	return leat_timer_set(ctx, &timer, err);
}

/* Timers of one batch see the same time. */
static void count_slice(struct panes *panes, int64_t now_us)
{
	panes->n_slice = now_us == panes->slice_us ? panes->n_slice + 1 : 1;
	panes->slice_us = now_us;
	if ((uint64_t)panes->n_slice > time_kit_longest)
		time_kit_longest = (uint64_t)panes->n_slice;
}

static enum leat_status panes_timer(void *self, const struct leat_timer *timer, struct leat_context *ctx, struct leat_error *err)
{
	struct panes *panes = self;
	struct leat_value name = name_of(ctx, &timer->key, timer->tag);
	const struct pane *pane = leat_table_peek(ctx, 0, &name);
	int64_t k = 0;

	if (panes->stumble_every > 0 && panes->n_fired % panes->stumble_every == 0 && !panes->has_stumbled) {
		panes->has_stumbled = true;
		return leat_error_set(err, LEAT_RETRY, 0, "could not close a pane yet");
	}
	panes->has_stumbled = false;
	panes->n_fired++;
	time_kit_disordered += timer->due_us > leat_watermark(ctx) || timer->due_us < panes->last_us;
	panes->last_us = timer->due_us;
	count_slice(panes, leat_now(ctx));
	(void)leat_as_integer(&timer->key, &k);
	for (int64_t i = 0; pane != NULL && i < pane->n; i++)
		emit(panes, ctx, timer->tag, k, timer->due_us - 1);
	leat_table_erase(ctx, 0, &name);
	return LEAT_OK;
}

static enum leat_status panes_end(void *self, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)err;
	time_kit_open += leat_watermark(ctx) != INT64_MAX;
	return LEAT_OK;
}

static const struct leat_operator_ops panes_ops = {
	.size = sizeof panes_ops, .instance_size = sizeof(struct panes), .options = panes_options, .tables = panes_tables,
	.create = panes_create, .process = panes_process, .timer = panes_timer, .end = panes_end,
};

const struct leat_plugin time_kit_panes = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "panes", .version = "1", .summary = "Counts by pane.", .op = &panes_ops,
};

/* ---- behind: an operator that looks whether what comes is behind the watermark that it sees -------------------------- */

static enum leat_status behind_process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)err;
	/* Late ones carry their own time, and are late here too. */
	time_kit_early += record->time_us < leat_watermark(ctx);
	leat_emit(ctx, 0, record);
	return LEAT_OK;
}

static const struct leat_operator_ops behind_ops = { .size = sizeof behind_ops, .process = behind_process, .reads_watermark = true };

static const struct leat_plugin behind = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "behind", .version = "1", .summary = "Looks at times.", .op = &behind_ops,
};

void time_kit_init(void)
{
	static const struct leat_plugin *const plugins[] = { &time_kit_clock, &time_kit_panes, &behind, NULL };

	run_kit_extra = plugins;
	time_kit_disordered = time_kit_early = time_kit_longest = time_kit_open = 0;
}
