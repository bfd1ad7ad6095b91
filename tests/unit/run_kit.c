/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/run_kit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "run/json_codec.h"

bool run_kit_has_relay_2;
struct ledger ledger = { .lock = PTHREAD_MUTEX_INITIALIZER };
bool run_kit_is_watched;
const struct leat_plugin *const *run_kit_extra;

/* Workers that are in a relay's process(). */
static _Atomic int is_busy[64];

static void sleep_us(int64_t us)
{
	struct timespec ts = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	if (us > 0)
		nanosleep(&ts, NULL);
}

/* ---- numbers: {"i": 0, "k": "k0", "p": 0} ... in each of its partitions ---- */

struct numbers {
	int64_t partitions, count, keys, broken_every, empty_every, away, away_first, per_poll, stumble_every, commit_away;
	bool is_endless, is_idle;
	_Atomic int64_t n_refusals, n_late, n_uncommitted;
};

struct leat_reader {
	int32_t partition;
	int64_t next, n_polls;
};

static const struct leat_option numbers_options[] = {
	LEAT_OPTION(INTEGER, struct numbers, partitions, "partitions", "How many.", .preset = "1"),
	LEAT_OPTION(INTEGER, struct numbers, count, "count", "Records in each partition.", .preset = "1000"),
	LEAT_OPTION(INTEGER, struct numbers, keys, "keys", "Different keys; 0: one key has nearly everything.", .preset = "100"),
	LEAT_OPTION(INTEGER, struct numbers, broken_every, "broken_every", "Every so many messages one is not JSON; 0: none.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct numbers, empty_every, "empty_every", "Every so many messages one has no bytes; 0: none.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct numbers, away_first, "away_first", "The first partition cannot be opened so many times.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct numbers, stumble_every, "stumble_every", "Every so many polls end with LEAT_RETRY.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct numbers, commit_away, "commit_away", "commit() says so many times that it is away.", .preset = "0"),
	LEAT_OPTION(BOOL, struct numbers, is_idle, "idle", "Says at the end that it pushed, and did not.", .preset = "false"),
	LEAT_OPTION(INTEGER, struct numbers, away, "away", "partitions() says so many times that the system is away.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct numbers, per_poll, "per_poll", "Records pushed by a poll.", .preset = "100"),
	LEAT_OPTION(BOOL, struct numbers, is_endless, "endless", "Waits for more at the end instead of ending.", .preset = "false"),
	{ 0 },
};

static enum leat_status numbers_partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct numbers *numbers = self;
	int32_t i;

	if (numbers->n_refusals < numbers->away) {
		numbers->n_refusals++;
		return leat_error_set(err, LEAT_RETRY, 0, "could not reach numbers at 127.0.0.1:1");
	}
	for (i = 0; i < numbers->partitions; i++)
		leat_partition(ctx, i);
	return LEAT_OK;
}

static enum leat_status numbers_open(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                     struct leat_context *ctx, struct leat_error *err)
{
	struct numbers *numbers = self;

	(void)ctx;
	if (partition == 0 && numbers->n_late < numbers->away_first) {
		numbers->n_late++;
		return leat_error_set(err, LEAT_RETRY, 0, "could not open the first partition");
	}
	*reader = leat_allocate_zeroed(1, sizeof **reader);
	(*reader)->partition = partition;
	(*reader)->next = from != NULL ? from->offset : 0;
	(void)snprintf(ledger.note[partition], sizeof ledger.note[partition], "%s", from != NULL ? from->note : "");
	return LEAT_OK;
}

static enum leat_status numbers_poll(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                     struct leat_error *err)
{
	const struct numbers *numbers = self;
	int64_t i;

	(void)max_bytes;
	ledger.n_polls++;
	for (i = 0; i < numbers->per_poll && reader->next < numbers->count; i++, reader->next++) {
		long long n = (long long)reader->next;
		bool is_broken = numbers->broken_every > 0 && n % numbers->broken_every == 0;
		long long key = numbers->keys > 0 ? n % numbers->keys : n % 50 == 0;
		bool is_empty = numbers->empty_every > 0 && n % numbers->empty_every == 0;
		char *text = is_empty ? leat_format_text("%s", "") : is_broken ? leat_format_text("{\"i\": %lld,", n)
		                       : leat_format_text("{\"i\": %lld, \"k\": \"k%lld\", \"p\": %d}", n, key, reader->partition);
		struct leat_message message = { .payload = text, .payload_n = strlen(text), .time_us = LEAT_NO_TIME, .offset = n, .next = n + 1 };

		leat_push(ctx, &message);
		free(text);
	}
	ledger.n_read += (uint64_t)i;
	if (numbers->stumble_every > 0 && ++reader->n_polls % numbers->stumble_every == 0)
		return leat_error_set(err, LEAT_RETRY, 0, "could not read on");
	if (reader->next < numbers->count || numbers->is_idle)
		return LEAT_OK;
	return numbers->is_endless ? (i > 0 ? LEAT_OK : LEAT_AGAIN) : LEAT_END;
}

static enum leat_status numbers_commit(void *self, struct leat_reader *reader, struct leat_position *position, struct leat_context *ctx,
                                       struct leat_error *err)
{
	struct numbers *numbers = self;

	(void)ctx;
	if (ledger.on_commit != NULL)
		ledger.on_commit(reader->partition, position);
	if (numbers->n_uncommitted++ < numbers->commit_away)
		return leat_error_set(err, LEAT_RETRY, 0, "could not commit");
	pthread_mutex_lock(&ledger.lock);
	for (int64_t i = ledger.committed[reader->partition]; i < position->offset; i++)
		ledger.n_early += ledger.seen[reader->partition][i] < ledger.copies;
	ledger.committed[reader->partition] = position->offset;
	pthread_mutex_unlock(&ledger.lock);
	(void)snprintf(position->note, sizeof position->note, "at %lld", (long long)position->offset);
	return LEAT_OK;
}

static void numbers_close(void *self, struct leat_reader *reader)
{
	(void)self;
	free(reader);
}

static const struct leat_source_ops numbers_ops = {
	.size = sizeof numbers_ops,
	.instance_size = sizeof(struct numbers),
	.options = numbers_options,
	.can_replay = true,
	.partitions = numbers_partitions,
	.open = numbers_open,
	.poll = numbers_poll,
	.commit = numbers_commit,
	.close = numbers_close,
};

static const struct leat_plugin numbers_plugin = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "numbers", .version = "1", .summary = "Counts.", .source = &numbers_ops,
};

/* ---- relay ---- */

struct relay {
	int64_t copies, reject_every, away, fail_at, stumble_every, work_us, delay_us, tick_us, timer_away, end_away;
	leat_symbol i;
	int64_t n_refusals, n_timer_refusals, n_end_refusals, stumbled_at;
	int64_t slice_us;
	uint64_t n_slice;
};

struct count {
	int64_t n;
};

static const struct leat_field count_fields[] = { LEAT_FIELD(struct count, n, INT64), { 0 } };
static const struct leat_table_spec relay_tables[] = {
	{ .name = "count", .version = 1, .size = sizeof(struct count), .fields = count_fields, .prose = "Records of a key." }, { 0 },
};

static const struct leat_option relay_options[] = {
	LEAT_OPTION(INTEGER, struct relay, copies, "copies", "Emissions for each record.", .preset = "1"),
	LEAT_OPTION(INTEGER, struct relay, reject_every, "reject_every", "Rejects records whose i divides by it.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct relay, away, "away", "prepare() says so many times that something is away.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct relay, stumble_every, "stumble_every", "process() says RETRY once at i that divide by it.", .preset = "0"),
	LEAT_OPTION(DURATION, struct relay, work_us, "work", "process() takes so long.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct relay, delay_us, "delay", "Each record sets a timer, due so much later.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct relay, tick_us, "tick", "The first record sets a timer that emits and sets the next.", .preset = "0us"),
	LEAT_OPTION(INTEGER, struct relay, timer_away, "timer_away", "timer() says so many times that something is away.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct relay, end_away, "end_away", "end() says so many times that something is away.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct relay, fail_at, "fail_at", "LEAT_FATAL at this i; -1: never.", .preset = "-1"),
	{ 0 },
};

static enum leat_status relay_create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct relay *relay = self;

	(void)err;
	relay->i = leat_intern(ctx, "i");
	relay->stumbled_at = -1;
	if (is_busy[leat_worker(ctx) % 64] > 0)
		ledger.n_clashes++;
	return LEAT_OK;
}

static enum leat_status relay_prepare(void *self, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	struct relay *relay = self;

	(void)batch;
	(void)ctx;
	if (relay->n_refusals < relay->away) {
		relay->n_refusals++;
		return leat_error_set(err, LEAT_RETRY, 0, "could not look up anything");
	}
	return LEAT_OK;
}

static enum leat_status set_timers(const struct relay *relay, int64_t i, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_timer timer = { .clock = LEAT_PROCESSING_TIME, .due_us = leat_now(ctx) + relay->delay_us, .tag = i, .key = leat_integer(i) };
	enum leat_status status = LEAT_OK;

	if (relay->delay_us > 0)
		status = leat_timer_set(ctx, &timer, err);
	timer.tag = -1;
	timer.key = leat_null();
	timer.due_us = leat_now(ctx) + relay->tick_us;
	if (status == LEAT_OK && relay->tick_us > 0 && i == 0)
		status = leat_timer_set(ctx, &timer, err);
	return status;
}

/* Timers of one batch see the same time. */
static void count_slice(struct relay *relay, int64_t now_us)
{
	relay->n_slice = now_us == relay->slice_us ? relay->n_slice + 1 : 1;
	relay->slice_us = now_us;
	if (relay->n_slice > ledger.longest_slice)
		ledger.longest_slice = relay->n_slice;
}

static enum leat_status relay_timer(void *self, const struct leat_timer *timer, struct leat_context *ctx, struct leat_error *err)
{
	struct relay *relay = self;
	const struct leat_record record = { .value = leat_integer(timer->due_us), .key = leat_null(), .time_us = LEAT_NO_TIME };
	struct leat_timer next = *timer;

	if (relay->n_timer_refusals < relay->timer_away) {
		relay->n_timer_refusals++;
		return leat_error_set(err, LEAT_RETRY, 0, "could not look up anything for a timer");
	}
	ledger.n_fired++;
	count_slice(relay, leat_now(ctx));
	if (timer->tag != -1)
		return LEAT_OK;
	leat_emit(ctx, 0, &record);
	next.due_us = leat_now(ctx) + relay->tick_us;
	return leat_timer_set(ctx, &next, err);
}

static enum leat_status relay_process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct relay *relay = self;
	struct count *count = leat_table_get(ctx, 0, &record->key);
	int64_t i = -1, k;

	count->n++;
	(void)leat_as_integer(leat_map_get(&record->value, relay->i), &i);
	is_busy[leat_worker(ctx) % 64]++;
	sleep_us(relay->work_us);
	is_busy[leat_worker(ctx) % 64]--;
	if (set_timers(relay, i, ctx, err) != LEAT_OK)
		return LEAT_FATAL;
	for (k = 0; k < relay->copies; k++)
		leat_emit(ctx, 0, record);
	if (relay->fail_at >= 0 && i == relay->fail_at)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot go on at %lld", (long long)i);
	if (relay->stumble_every > 0 && i % relay->stumble_every == 0 && relay->stumbled_at != i) {
		relay->stumbled_at = i;
		return leat_error_set(err, LEAT_RETRY, 0, "could not go on at %lld yet", (long long)i);
	}
	if (relay->reject_every > 0 && i % relay->reject_every == 0)
		return leat_error_set(err, LEAT_REJECT, 0, "%lld is not wanted", (long long)i);
	return LEAT_OK;
}

static enum leat_status relay_end(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct relay *relay = self;

	(void)ctx;
	if (relay->n_end_refusals < relay->end_away) {
		relay->n_end_refusals++;
		return leat_error_set(err, LEAT_RETRY, 0, "could not look up anything at the end");
	}
	pthread_mutex_lock(&ledger.lock);
	ledger.n_ended++;
	pthread_mutex_unlock(&ledger.lock);
	return LEAT_OK;
}

static const struct leat_operator_ops relay_ops = {
	.size = sizeof relay_ops,
	.instance_size = sizeof(struct relay),
	.options = relay_options,
	.tables = relay_tables,
	.create = relay_create,
	.prepare = relay_prepare,
	.process = relay_process,
	.timer = relay_timer,
	.end = relay_end,
};

/* ---- relay, one version on ---- */

struct count_2 {
	struct count count; /* as relay_process() has it */
	int64_t was_version;
};

static const struct leat_field count_2_fields[] = {
	LEAT_FIELD(struct count_2, was_version, INT64), { "n", LEAT_FIELD_INT64, offsetof(struct count_2, count), sizeof(int64_t) }, { 0 }
};

/* The first record's key has k0. */
static enum leat_status migrate_count(uint32_t version, const struct leat_value *key, const void *was, void *is, struct leat_error *err)
{
	struct count_2 *to = is;

	(void)err;
	to->count = *(const struct count *)was;
	to->was_version = version;
	return key->n == 2 && memcmp(key->as.text, "k0", 2) == 0 ? LEAT_REJECT : LEAT_OK;
}

static const struct leat_table_spec relay_2_tables[] = {
	{ .name = "count", .version = 2, .size = sizeof(struct count_2), .fields = count_2_fields, .prose = "Records of a key.",
	  .migrate = migrate_count, .older = relay_tables },
	{ 0 },
};

static const struct leat_operator_ops relay_2_ops = {
	.size = sizeof relay_2_ops,
	.instance_size = sizeof(struct relay),
	.options = relay_options,
	.tables = relay_2_tables,
	.create = relay_create,
	.process = relay_process,
};

static const struct leat_plugin relay_2_plugin = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "relay", .version = "2", .summary = "Hands on.", .op = &relay_2_ops,
};

static const struct leat_plugin relay_plugin = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "relay", .version = "1", .summary = "Hands on.", .op = &relay_ops,
};

/* ---- ledger ---- */

struct book {
	int64_t retention_us, encode_us, slow_us, jitter_us, commit_us, away, lose_every, refuse_every, large_every, forget;
	bool is_dead, refuses_twice, refuses_encode;
	const char *at;
	bool is_in_doubt; /* the last outcome is unknown, and it was not claimed since */
	leat_symbol i, p;
	int64_t n_refusals, n_calls, last_tick;
	struct leat_fence *fence;
	int64_t last[LEDGER_PARTITIONS][128];
};

static const struct leat_option ledger_options[] = {
	LEAT_OPTION(DURATION, struct book, retention_us, "retention", "What was delivered is kept so long.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct book, encode_us, "encode", "To encode a record takes so long.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct book, slow_us, "slow", "A delivery takes so long.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct book, jitter_us, "jitter", "A delivery takes up to so much longer.", .preset = "0us"),
	LEAT_OPTION(DURATION, struct book, commit_us, "commit", "Then it commits, which takes so long.", .preset = "0us"),
	LEAT_OPTION(BOOL, struct book, refuses_twice, "twice", "Refuses each of them twice.", .preset = "false"),
	LEAT_OPTION(BOOL, struct book, refuses_encode, "no_encode", "Refuses records when they are encoded.", .preset = "false"),
	LEAT_OPTION(INTEGER, struct book, away, "away", "claim() says so many times that the system is away.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct book, lose_every, "lose_every", "Every so many deliveries the outcome is unknown.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct book, refuse_every, "refuse_every", "Refuses effects whose i divides by it.", .preset = "0"),
	LEAT_OPTION(TEXT, struct book, at, "at", "Where the fence is; one for each such place.", .preset = ""),
	LEAT_OPTION(INTEGER, struct book, forget, "forget", "claim() finds no fence so many times when there has to be one.", .preset = "0"),
	LEAT_OPTION(INTEGER, struct book, large_every, "large_every", "Effects whose i divides by it have 100 bytes more.", .preset = "0"),
	LEAT_OPTION(BOOL, struct book, is_dead, "dead", "Counts dead letters instead of records.", .preset = "false"),
	{ 0 },
};

static enum leat_status ledger_create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct book *book = self;

	(void)err;
	book->i = leat_intern(ctx, "i");
	book->p = leat_intern(ctx, "p");
	memset(book->last, 0xff, sizeof book->last);
	return LEAT_OK;
}

struct entry {
	int64_t i, p, k;
};

/* The number in "k17". */
static int64_t key_number(const struct leat_value *key)
{
	int64_t n = 0;
	uint32_t i;

	for (i = 1; i < key->n; i++)
		n = n * 10 + (key->as.text[i] - '0');
	return n % 128;
}

static enum leat_status ledger_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                                      struct leat_context *ctx, struct leat_error *err)
{
	const struct book *book = self;
	struct entry entry = { -1, 0, 0 };

	(void)ctx;
	sleep_us(book->encode_us);
	if (book->refuses_encode)
		return leat_error_set(err, LEAT_REJECT, 0, "not here");
	(void)leat_as_integer(leat_map_get(&record->value, book->i), &entry.i);
	(void)leat_as_integer(leat_map_get(&record->value, book->p), &entry.p);
	if (record->key.type == LEAT_TEXT)
		entry.k = key_number(&record->key);
	(void)leat_as_integer(&record->value, &entry.k); /* a tick */
	leat_buffer_append(effect, &entry, sizeof entry);
	if (book->large_every > 0 && entry.i % book->large_every == 0)
		leat_buffer_append(effect, (const char[100]){ 0 }, 100);
	return LEAT_OK;
}

static enum leat_status ledger_claim(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                                     struct leat_error *err)
{
	struct book *book = self;
	char name[64];

	if (ledger.on_claim != NULL)
		ledger.on_claim(claim);
	(void)ctx;
	ledger.n_claims++;
	if (book->n_refusals++ < book->away)
		return leat_error_set(err, LEAT_RETRY, 0, "could not connect to ledger at 127.0.0.1:2");
	book->is_in_doubt = false;
	if (!claim->is_fenced)
		return LEAT_OK;
	if (book->retention_us > 0) /* it may have to begin earlier */
		memset(book->last, 0xff, sizeof book->last);
	if (claim->delivered.epoch > 0 && book->forget-- > 0) {
		ledger.n_forgotten++;
		*found = (struct leat_fence){ 0 };
		return LEAT_OK;
	}
	pthread_mutex_lock(&ledger.lock);
	(void)snprintf(name, sizeof name, "%s%s", claim->sink, book->at);
	book->fence = run_kit_fence(name);
	*found = *book->fence;
	if (found->incarnation <= claim->incarnation)
		book->fence->incarnation = claim->incarnation;
	pthread_mutex_unlock(&ledger.lock);
	return LEAT_OK;
}

static bool is_same(const struct leat_fence *a, const struct leat_fence *b)
{
	return a->incarnation == b->incarnation && a->epoch == b->epoch && a->digest == b->digest;
}

static enum leat_status lose(struct book *book, struct leat_error *err)
{
	book->is_in_doubt = true;
	return leat_error_set(err, LEAT_UNKNOWN, 0, "could not tell whether it was written");
}

/* The fence of a delivery, which is in hand from here to the end: false, there is nothing to apply, and *status says why. */
static bool pass_fence(struct book *book, const struct leat_delivery *delivery, enum leat_status *status, struct leat_error *err)
{
	*status = LEAT_OK;
	if (!delivery->is_fenced)
		return true;
	if (is_same(book->fence, &delivery->expected)) {
		ledger.out_of_order += delivery->next.epoch <= delivery->expected.epoch;
		*book->fence = delivery->next;
		return true;
	}
	if (!is_same(book->fence, &delivery->next) && book->retention_us > 0 && book->fence->epoch < delivery->expected.epoch)
		*status = leat_error_set(err, LEAT_UNKNOWN, 0, "ledger has gone back to epoch %llu", (unsigned long long)book->fence->epoch);
	else if (!is_same(book->fence, &delivery->next))
		*status = leat_error_set(err, LEAT_FATAL, 0, "ledger is at epoch %llu of incarnation %llu", (unsigned long long)book->fence->epoch,
		                         (unsigned long long)book->fence->incarnation);
	return false;
}

static void note(struct book *book, const struct entry *entry)
{
	if (entry->i < 0) {
		ledger.n_ticks++;
		ledger.out_of_order += entry->k < book->last_tick;
		book->last_tick = entry->k;
		return;
	}
	ledger.seen[entry->p][entry->i]++;
	if (entry->i < book->last[entry->p][entry->k])
		ledger.out_of_order++;
	book->last[entry->p][entry->k] = entry->i;
}

static enum leat_status ledger_deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err)
{
	struct book *book = self;
	bool is_lost = book->lose_every > 0 && ++book->n_calls % book->lose_every == 0;
	struct leat_error refusal;
	enum leat_status status;
	struct entry entry;
	bool is_new;
	size_t k;

	if (ledger.on_deliver != NULL)
		ledger.on_deliver(delivery);
	if (book->is_in_doubt)
		return leat_error_set(err, LEAT_FATAL, 0, "an outcome is unknown, and it was not claimed since");
	sleep_us(book->slow_us + (book->jitter_us > 0 ? rand() % book->jitter_us : 0));
	if (book->commit_us > 0) {
		leat_committing(ctx);
		sleep_us(book->commit_us);
	}
	/* With a fence it may have been written all the same, every other time. */
	if (is_lost && (!delivery->is_fenced || book->n_calls / book->lose_every % 2 == 0))
		return lose(book, err);
	pthread_mutex_lock(&ledger.lock);
	is_new = pass_fence(book, delivery, &status, err);
	ledger.n_deliveries += is_new;
	if (is_new && delivery->n > ledger.max_effects)
		ledger.max_effects = delivery->n;
	if (!is_new && delivery->n > ledger.max_repeated)
		ledger.max_repeated = delivery->n;
	for (k = 0; k < delivery->n && status == LEAT_OK; k++) {
		memcpy(&entry, delivery->effect[k].bytes, sizeof entry);
		if (!is_new && (book->refuse_every == 0 || entry.i % book->refuse_every != 0)) {
			continue; /* only what was refused is told again */
		} else if (book->is_dead) {
			ledger.n_dead++;
		} else if (book->refuse_every > 0 && entry.i % book->refuse_every == 0) {
			leat_error_set(&refusal, LEAT_REJECT, 0, "%lld does not fit", (long long)entry.i);
			leat_refuse(ctx, k, &refusal);
			if (book->refuses_twice)
				leat_refuse(ctx, k, &refusal);
		} else {
			ledger.n_effects++;
			note(book, &entry);
		}
	}
	if (ledger.n_read - ledger.n_effects / ledger.copies > ledger.max_in_flight)
		ledger.max_in_flight = ledger.n_read - ledger.n_effects / ledger.copies;
	pthread_mutex_unlock(&ledger.lock);
	if (status != LEAT_OK)
		return status;
	return is_lost ? lose(book, err) : LEAT_OK;
}

static enum leat_guarantee ledger_guarantee(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

static void ledger_identity(const void *self, struct leat_buffer *text)
{
	leat_buffer_text(text, "at ");
	leat_buffer_text(text, ((const struct book *)self)->at);
}

static int64_t ledger_retention(const void *self)
{
	return ((const struct book *)self)->retention_us;
}

static const struct leat_sink_ops ledger_ops = {
	.size = sizeof ledger_ops,
	.instance_size = sizeof(struct book),
	.options = ledger_options,
	.create = ledger_create,
	.encode = ledger_encode,
	.guarantee = ledger_guarantee,
	.claim = ledger_claim,
	.deliver = ledger_deliver,
	.identity = ledger_identity,
	.retention = ledger_retention,
};

static const struct leat_plugin ledger_plugin = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "ledger", .version = "1", .summary = "Keeps book.", .sink = &ledger_ops,
};

/* ---- the kit ---- */

static void *watch(void *opaque)
{
	struct run_kit *kit = opaque;
	struct leat_pipeline_figures figures;

	while (kit->is_watching) {
		leat_pipeline_figures(kit->pipeline, &figures);
		leat_pipeline_figures_finish(&figures);
	}
	return NULL;
}

struct leat_fence *run_kit_fence(const char *sink)
{
	size_t i = 0;

	while (i + 1 < LEDGER_FENCES && ledger.fenced[i][0] != '\0' && strcmp(ledger.fenced[i], sink) != 0)
		i++;
	(void)snprintf(ledger.fenced[i], sizeof ledger.fenced[i], "%s", sink);
	return &ledger.fence[i];
}

void run_kit_start(struct run_kit *kit, const char *yaml, const struct leat_run_options *options)
{
	memset(ledger.seen, 0, sizeof ledger.seen);
	memset(ledger.committed, 0, sizeof ledger.committed);
	memset(ledger.fence, 0, sizeof ledger.fence);
	ledger.longest_slice = 0;
	ledger.n_effects = ledger.n_deliveries = ledger.n_dead = ledger.out_of_order = ledger.max_in_flight = ledger.n_ended = ledger.n_early = 0;
	ledger.n_claims = ledger.max_effects = ledger.max_repeated = ledger.n_read = ledger.n_fired = ledger.n_ticks = ledger.n_clashes = ledger.n_polls = 0;
	run_kit_restart(kit, yaml, options);
}

void run_kit_restart(struct run_kit *kit, const char *yaml, const struct leat_run_options *options)
{
	struct leat_error err;

	if (run_kit_try(kit, yaml, options, &err) != LEAT_OK)
		ck_abort_msg("%s", err.text);
}

enum leat_status run_kit_try(struct run_kit *kit, const char *yaml, const struct leat_run_options *options, struct leat_error *err)
{
	static const struct leat_description_options none = { .dead_letters = NULL };
	struct leat_report *report = leat_report_create();
	char *path = leat_format_text("/tmp/leat-run-kit-%d.yaml", (int)getpid());
	FILE *out = fopen(path, "w");

	ledger.copies = ledger.copies == 0 ? 1 : ledger.copies;
	ck_assert_ptr_nonnull(out);
	fputs(yaml, out);
	ck_assert_int_eq(fclose(out), 0);
	kit->registry = leat_registry_create();
	leat_registry_add(kit->registry, &leat_json_plugin);
	leat_registry_add(kit->registry, &numbers_plugin);
	leat_registry_add(kit->registry, run_kit_has_relay_2 ? &relay_2_plugin : &relay_plugin);
	leat_registry_add(kit->registry, &ledger_plugin);
	leat_registry_add(kit->registry, &run_kit_misfit);
	for (const struct leat_plugin *const *extra = run_kit_extra; extra != NULL && *extra != NULL; extra++)
		leat_registry_add(kit->registry, *extra);
	kit->description = leat_description_read(kit->registry, path, &none, report);
	if (kit->description == NULL)
		leat_report_print(report, stderr);
	ck_assert_ptr_nonnull(kit->description);
	leat_report_destroy(report);
	unlink(path);
	free(path);
	kit->pipeline = leat_pipeline_create(leat_plan_make(kit->description), options);
	kit->is_watching = run_kit_is_watched;
	if (run_kit_is_watched)
		ck_assert_int_eq(pthread_create(&kit->watch, NULL, watch, kit), 0);
	return leat_pipeline_start(kit->pipeline, err);
}

void run_kit_expect_all(int partitions, int count, unsigned times)
{
	for (int p = 0; p < partitions; p++)
		for (int i = 0; i < count; i++)
			ck_assert_msg(ledger.seen[p][i] == times, "record %d of partition %d was delivered %u times, not %u", i, p,
			              ledger.seen[p][i], times);
}

void run_kit_expect_done(struct run_kit *kit)
{
	struct leat_error err = { .text = "" };
	enum leat_run_state state = leat_pipeline_wait(kit->pipeline, RUN_KIT_PATIENCE_US);

	(void)leat_pipeline_error(kit->pipeline, &err);
	ck_assert_msg(state == LEAT_RUN_DONE, "state %d: %s", (int)state, err.text);
}

void run_kit_finish(struct run_kit *kit)
{
	if (run_kit_is_watched) {
		kit->is_watching = false;
		pthread_join(kit->watch, NULL);
	}
	run_kit_is_watched = false;
	leat_pipeline_destroy(kit->pipeline);
	leat_description_destroy(kit->description);
	leat_registry_destroy(kit->registry);
}
