/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of functions that plugins reach the host through. A call that has no meaning where it was made is the plugin's
 * breach of contract: it is noted, does nothing, and fails the pipeline when the plugin's function returns. Until then the
 * plugin goes on with what it was handed, so calls that return memory return some even then.
 */
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/utf8.h"
#include "data/expression.h"
#include "data/template.h"
#include "run/event_time.h"
#include "run/instance.h"
#include "run/shard.h"
#include "schema/schema.h"

/* Fixed entries are no larger (see state.h). */
enum { LARGEST_ENTRY = 64 << 10 };

static struct leat_instance *instance_of(struct leat_context *ctx)
{
	return (struct leat_instance *)ctx;
}

static void breach(struct leat_instance *instance, const char *what)
{
	if (instance->breach == NULL)
		instance->breach = what;
}

/* The batch's arena. Where there is none, one that nobody reads. */
static struct leat_arena *arena_of(struct leat_instance *instance)
{
	if (instance->arena != NULL)
		return instance->arena;
	breach(instance, "it makes values where there is no batch");
	if (instance->scratch == NULL)
		instance->scratch = leat_arena_create();
	return instance->scratch;
}

static bool is_role(struct leat_instance *instance, enum leat_role role, const char *what)
{
	if (instance->node->role == role && instance->arena != NULL)
		return true;
	breach(instance, what);
	return false;
}

/* Emissions, timers and changes of state belong to an event, with which they are kept or taken back. */
static bool is_in_event(struct leat_instance *instance, const char *what)
{
	if (instance->is_in_event)
		return true;
	breach(instance, what);
	return false;
}

static bool has_table(struct leat_instance *instance, uint32_t table, enum leat_table_kind kind)
{
	if (instance->tables != NULL && table < instance->n_specs && instance->spec[table].kind == kind)
		return true;
	breach(instance, "it uses a state table that it does not have, or as one of another kind");
	return false;
}

static bool may_change(struct leat_instance *instance, uint32_t table, enum leat_table_kind kind)
{
	return is_in_event(instance, "it changes state outside process(), timer() and end()") && has_table(instance, table, kind);
}

/* ---- about itself ---- */

static void log_line(struct leat_context *ctx, enum leat_level level, const char *text)
{
	const struct leat_instance *instance = instance_of(ctx);

	leat_log_line(level, "pipeline \"%s\": %s \"%s\": %s", instance->description->name, leat_role_name(instance->node->role),
	              instance->node->name, text);
}

static const char *name(struct leat_context *ctx, const char **pipeline)
{
	const struct leat_instance *instance = instance_of(ctx);

	if (pipeline != NULL)
		*pipeline = instance->description->name;
	return instance->node->name;
}

static int64_t now(struct leat_context *ctx)
{
	const struct leat_instance *instance = instance_of(ctx);

	/* Outside a batch (create, open, claim, deliver) nothing is replayed, so the clock itself will do. */
	return instance->now_us != 0 ? instance->now_us : leat_clock_now_us();
}

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t random_number(struct leat_context *ctx)
{
	uint64_t z = instance_of(ctx)->random += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static uint32_t worker(struct leat_context *ctx)
{
	return instance_of(ctx)->worker;
}

static const struct leat_path *key_field(struct leat_context *ctx, size_t i)
{
	const struct leat_node *node = instance_of(ctx)->node;

	return i < node->n_keys ? node->key[i] : NULL;
}

static leat_symbol intern(struct leat_context *ctx, const char *text, size_t n)
{
	/* Every name was interned when the prototype was created; by now the table is frozen, and this finds it. */
	leat_symbol symbol = leat_symbols_find(instance_of(ctx)->description->symbols, text, n);

	if (symbol == LEAT_NO_SYMBOL)
		breach(instance_of(ctx), "it interns a name that it did not intern when the pipeline was checked");
	return symbol;
}

static uint32_t port(struct leat_context *ctx, const char *text)
{
	const struct leat_node *node = instance_of(ctx)->node;
	uint32_t i;

	for (i = 0; i < node->n_ports; i++)
		if (strcmp(node->ports[i], text) == 0)
			return i;
	return LEAT_NO_PORT;
}

static uint32_t input(struct leat_context *ctx)
{
	return instance_of(ctx)->input;
}

/* ---- values ---- */

static void *allocate(struct leat_context *ctx, size_t n)
{
	return leat_arena_allocate(arena_of(instance_of(ctx)), n);
}

static struct leat_value list(struct leat_context *ctx, const struct leat_value *item, size_t n)
{
	return leat_value_list(arena_of(instance_of(ctx)), item, n);
}

static struct leat_value map_with(struct leat_context *ctx, const struct leat_value *base, const struct leat_member *member, size_t n)
{
	struct leat_instance *instance = instance_of(ctx);

	return leat_value_map_with(arena_of(instance), instance->description->symbols, base, member, n);
}

static struct leat_value copy_value(struct leat_context *ctx, const struct leat_value *value)
{
	return leat_value_copy(arena_of(instance_of(ctx)), value);
}

/* ---- operators ---- */

static bool may_emit(struct leat_instance *instance, const struct leat_record *record)
{
	if (!instance->node->plugin->op->keeps_records || record == instance->record)
		return true;
	breach(instance, "it says .keeps_records, and emits another record than process() was given");
	return false;
}

static void emit(struct leat_context *ctx, uint32_t to, const struct leat_record *record)
{
	struct leat_instance *instance = instance_of(ctx);

	if (to >= instance->node->n_ports || instance->node->role != LEAT_ROLE_OPERATOR)
		breach(instance, "it emits to a port that it does not have");
	else if (is_in_event(instance, "it emits outside process(), timer() and end()") && may_emit(instance, record))
		leat_instance_emit(instance, to, record);
}

static enum leat_status evaluate(struct leat_context *ctx, const struct leat_expression *expression, const struct leat_record *record,
                                 struct leat_value *out, struct leat_error *err)
{
	return leat_expression_evaluate(expression, record, arena_of(instance_of(ctx)), out, err);
}

static enum leat_status render(struct leat_context *ctx, const struct leat_template *t, const struct leat_record *record,
                               struct leat_buffer *out, struct leat_error *err)
{
	(void)ctx;
	return leat_template_render(t, record, out, err);
}

static enum leat_status encode_value(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
                                     struct leat_error *err)
{
	const struct leat_instance *instance = instance_of(ctx);

	if (instance->codec == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "plugin \"%s\" encodes, but declares no format", instance->node->plugin->name);
	return instance->node->codec->codec->encode(instance->codec, value, out, ctx, err);
}

/* ---- state ---- */

static void *table_get(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	struct leat_instance *instance = instance_of(ctx);
	void *nowhere;

	if (may_change(instance, table, LEAT_TABLE_FIXED))
		return leat_tables_get(instance->tables, table, key);
	if (instance->scratch == NULL)
		instance->scratch = leat_arena_create();
	nowhere = leat_arena_allocate(instance->scratch, LARGEST_ENTRY);
	memset(nowhere, 0, LARGEST_ENTRY);
	return nowhere;
}

static const void *table_peek(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return has_table(instance_of(ctx), table, LEAT_TABLE_FIXED) ? leat_tables_peek(instance_of(ctx)->tables, table, key) : NULL;
}

static void table_expect(struct leat_context *ctx, uint32_t table, const struct leat_value *key, size_t n)
{
	struct leat_instance *instance = instance_of(ctx);

	if (!has_table(instance, table, table < instance->n_specs ? instance->spec[table].kind : LEAT_TABLE_FIXED))
		return;
	leat_tables_expect(instance->tables, table, key, n);
	instance->has_expected = true;
}

static void table_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	struct leat_instance *instance = instance_of(ctx);

	if (may_change(instance, table, table < instance->n_specs ? instance->spec[table].kind : LEAT_TABLE_FIXED))
		leat_tables_erase(instance->tables, table, key);
}

static const struct leat_value *table_value(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return has_table(instance_of(ctx), table, LEAT_TABLE_VALUE) ? leat_tables_value(instance_of(ctx)->tables, table, key) : NULL;
}

static void table_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_value *value)
{
	if (may_change(instance_of(ctx), table, LEAT_TABLE_VALUE))
		leat_tables_put(instance_of(ctx)->tables, table, key, value);
}

static void table_ttl(struct leat_context *ctx, uint32_t table, int64_t ttl_us)
{
	struct leat_instance *instance = instance_of(ctx);

	if (instance->ttl_us == NULL || instance->tables != NULL)
		breach(instance, "it sets a table's TTL outside create()");
	else if (table >= instance->n_specs)
		breach(instance, "it sets the TTL of a state table that it does not have");
	else
		instance->ttl_us[table] = ttl_us;
}

static void ordered_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_ordered_entry *entry)
{
	if (may_change(instance_of(ctx), table, LEAT_TABLE_ORDERED))
		leat_tables_ordered_put(instance_of(ctx)->tables, table, key, entry);
}

static void ordered_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until)
{
	if (may_change(instance_of(ctx), table, LEAT_TABLE_ORDERED))
		leat_tables_ordered_erase(instance_of(ctx)->tables, table, key, from, until);
}

static size_t ordered_take(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                           const struct leat_ordered_entry **entries)
{
	struct leat_instance *instance = instance_of(ctx);

	if (may_change(instance, table, LEAT_TABLE_ORDERED))
		return leat_tables_ordered_take(instance->tables, table, key, from, until, arena_of(instance), entries);
	*entries = NULL;
	return 0;
}

static size_t ordered_scan(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                           const struct leat_ordered_entry **entries)
{
	if (has_table(instance_of(ctx), table, LEAT_TABLE_ORDERED))
		return leat_tables_ordered_scan(instance_of(ctx)->tables, table, key, from, until, entries);
	*entries = NULL;
	return 0;
}

static bool ordered_last(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                         struct leat_ordered_entry *entry)
{
	return has_table(instance_of(ctx), table, LEAT_TABLE_ORDERED)
	       && leat_tables_ordered_last(instance_of(ctx)->tables, table, key, from, until, entry);
}

static int64_t watermark(struct leat_context *ctx)
{
	return instance_of(ctx)->watermark_us;
}

static enum leat_status timer_set(struct leat_context *ctx, const struct leat_timer *timer, struct leat_error *err)
{
	struct leat_instance *instance = instance_of(ctx);

	if (!is_in_event(instance, "it sets a timer outside process(), timer() and end()"))
		return leat_error_set(err, LEAT_FATAL, 0, "cannot set a timer here");
	if (instance->node->plugin->op->timer == NULL) {
		breach(instance, "it sets a timer, but has no timer()");
		return leat_error_set(err, LEAT_FATAL, 0, "cannot set a timer without timer()");
	}
	if (timer->clock != LEAT_PROCESSING_TIME && timer->clock != LEAT_EVENT_TIME && timer->clock != LEAT_ENDLESS_TIME)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot set a timer of clock %d", (int)timer->clock);
	(void)leat_instance_timers(instance);
	if (!instance->has_timers_open) {
		leat_timers_begin(instance->timers);
		instance->has_timers_open = true;
	}
	leat_timers_set(instance->timers, timer);
	return LEAT_OK;
}

static void timer_cancel(struct leat_context *ctx, const struct leat_timer *timer)
{
	struct leat_instance *instance = instance_of(ctx);

	if (is_in_event(instance, "it cancels a timer outside process(), timer() and end()") && instance->timers != NULL)
		leat_timers_cancel(instance->timers, timer);
}

/* ---- sources ---- */

/* A copy as text where it is UTF-8, else as bytes. */
static struct leat_value copy_bytes(struct leat_arena *arena, const void *bytes, size_t n)
{
	struct leat_value v = leat_borrow(leat_arena_text(arena, bytes, n), n);

	if (!leat_utf8_is_valid(v.as.text, n))
		v.type = LEAT_BYTES;
	return v;
}

static const struct leat_headers *copy_headers(struct leat_arena *arena, const struct leat_headers *headers)
{
	struct leat_headers *copy;
	struct leat_header *item;
	size_t i;

	if (headers == NULL || headers->n == 0)
		return NULL;
	copy = leat_arena_allocate(arena, sizeof *copy);
	item = leat_arena_allocate(arena, headers->n * sizeof *item);
	for (i = 0; i < headers->n; i++) {
		item[i].name = leat_arena_text(arena, headers->item[i].name, strlen(headers->item[i].name) + 1);
		/* A header without value is not one with an empty value. */
		if (headers->item[i].bytes == NULL)
			item[i].bytes = NULL;
		else
			item[i].bytes = leat_arena_text(arena, headers->item[i].bytes, headers->item[i].n);
		item[i].n = headers->item[i].n;
	}
	copy->n = headers->n;
	copy->item = item;
	return copy;
}

/* Copies the payload with the padding that codecs may read. */
static const char *copy_payload(struct leat_arena *arena, const struct leat_message *message)
{
	char *copy = leat_arena_allocate(arena, message->payload_n + LEAT_CODEC_PADDING);

	memcpy(copy, message->payload, message->payload_n);
	memset(copy + message->payload_n, 0, LEAT_CODEC_PADDING);
	return copy;
}

static enum leat_status decode(struct leat_instance *instance, const struct leat_message *message, struct leat_value *out,
                               struct leat_error *err)
{
	const struct leat_node *node = instance->node;

	if (message->payload == NULL) {
		*out = leat_null();
		return LEAT_OK;
	}
	if (message->payload_n > (size_t)node->max_bytes)
		return leat_error_set(err, LEAT_REJECT, 0, "event of %zu bytes is larger than max_bytes %lld", message->payload_n,
		                      (long long)node->max_bytes);
	return node->codec->codec->decode(instance->codec, copy_payload(instance->arena, message), message->payload_n, out,
	                                  &instance->context, err);
}

/* `schema:` and `time:` of a source: what a record has to meet that could be decoded. */
static enum leat_status judge(const struct leat_instance *instance, struct leat_record *record, struct leat_error *err)
{
	const struct leat_node *node = instance->node;
	enum leat_status status = LEAT_OK;

	if (node->schema != NULL)
		status = leat_schema_judge(node->schema, &record->value, err);
	if (status == LEAT_OK && node->time.is_given)
		status = leat_time_of(&node->time, record, err);
	return status;
}

/* `record` has all but its value. */
static void take_message(struct leat_instance *instance, struct leat_record *record, const struct leat_message *message)
{
	struct leat_value payload;
	enum leat_status status;
	struct leat_error err;

	leat_error_clear(&err);
	status = decode(instance, message, &record->value, &err);
	if (status == LEAT_OK)
		status = judge(instance, record, &err);
	if (status == LEAT_OK) {
		leat_instance_emit(instance, 0, record);
		return;
	}
	if (status != LEAT_REJECT)
		breach(instance, "the codec of its format neither decodes nor rejects");
	payload = copy_bytes(instance->arena, message->payload, message->payload_n);
	leat_instance_bury(instance, record, &payload, &err);
}

/* One that a source has decoded by itself. */
static void take_record(struct leat_instance *instance, struct leat_record *record)
{
	struct leat_error err;

	leat_error_clear(&err);
	if (judge(instance, record, &err) == LEAT_OK)
		leat_instance_emit(instance, 0, record);
	else
		leat_instance_bury(instance, record, &record->value, &err);
}

void leat_instance_decode(struct leat_instance *instance, const struct leat_record *record)
{
	const struct leat_message message = { .payload = record->value.as.text, .payload_n = record->value.n };
	struct leat_record copy = *record;

	if (instance->codec == NULL)
		take_record(instance, &copy);
	else
		take_message(instance, &copy, &message);
}

static void push(struct leat_context *ctx, const struct leat_message *message)
{
	struct leat_instance *instance = instance_of(ctx);
	struct leat_record record = { .time_us = message->time_us, .arrival_us = instance->now_us };

	if (!is_role(instance, LEAT_ROLE_SOURCE, "it pushes a message outside poll()"))
		return;
	if (instance->codec == NULL) {
		breach(instance, "it pushes encoded messages, but declares that its records are decoded");
		return;
	}
	record.origin = (struct leat_origin){ .source = instance->node->index, .partition = instance->partition, .offset = message->offset };
	if (message->key != NULL)
		record.key = copy_bytes(instance->arena, message->key, message->key_n);
	record.headers = copy_headers(instance->arena, message->headers);
	instance->next = message->next;
	instance->n_pushed++;
	leat_counter_add(&instance->counters.records_in, 1);
	leat_counter_add(&instance->counters.bytes_in, message->payload_n + message->key_n);
	take_message(instance, &record, message);
}

static void push_record(struct leat_context *ctx, const struct leat_record *record, int64_t next)
{
	struct leat_instance *instance = instance_of(ctx);
	struct leat_record copy = *record;

	if (!is_role(instance, LEAT_ROLE_SOURCE, "it pushes a record outside poll()"))
		return;
	copy.arrival_us = instance->now_us;
	copy.origin.source = instance->node->index;
	copy.origin.partition = instance->partition;
	instance->next = next;
	instance->n_pushed++;
	leat_counter_add(&instance->counters.records_in, 1);
	take_record(instance, &copy);
}

static void wait_for(struct leat_context *ctx, int64_t wait_us)
{
	if (is_role(instance_of(ctx), LEAT_ROLE_SOURCE, "it calls leat_wait() outside poll()"))
		instance_of(ctx)->wait_us = wait_us;
}

static struct leat_waker *waker(struct leat_context *ctx)
{
	static struct leat_waker nobody = { .is_woken = true };

	if (instance_of(ctx)->waker != NULL)
		return instance_of(ctx)->waker;
	breach(instance_of(ctx), "it asks for a waker, but is no reader");
	return &nobody;
}

static void partition(struct leat_context *ctx, int32_t number)
{
	(void)number;
	breach(instance_of(ctx), "it calls leat_partition() outside partitions()");
}

/* ---- sinks ---- */

static void refuse(struct leat_context *ctx, size_t effect, const struct leat_error *err)
{
	struct leat_instance *instance = instance_of(ctx);

	if (instance->refuse == NULL)
		breach(instance, "it refuses an effect outside deliver()");
	else
		instance->refuse(instance, effect, err);
}

static void committing(struct leat_context *ctx)
{
	struct leat_instance *instance = instance_of(ctx);

	if (instance->node->role != LEAT_ROLE_SINK)
		breach(instance, "it calls leat_committing() outside deliver()");
	else if (instance->note_commit != NULL) /* nobody counts what visit.c delivers */
		instance->note_commit(instance);
}

const struct leat_api leat_instance_api = {
	.size = sizeof(struct leat_api),
	.abi = LEAT_ABI,
	.log = log_line,
	.name = name,
	.now = now,
	.random = random_number,
	.worker = worker,
	.intern = intern,
	.port = port,
	.allocate = allocate,
	.list = list,
	.map_with = map_with,
	.emit = emit,
	.evaluate = evaluate,
	.render = render,
	.encode_value = encode_value,
	.table_get = table_get,
	.table_peek = table_peek,
	.table_erase = table_erase,
	.table_value = table_value,
	.table_put = table_put,
	.table_ttl = table_ttl,
	.ordered_put = ordered_put,
	.ordered_erase = ordered_erase,
	.ordered_scan = ordered_scan,
	.timer_set = timer_set,
	.timer_cancel = timer_cancel,
	.push = push,
	.push_record = push_record,
	.wait = wait_for,
	.waker = waker,
	.wake = leat_waker_wake,
	.partition = partition,
	.refuse = refuse,
	.watermark = watermark,
	.input = input,
	.copy = copy_value,
	.key_field = key_field,
	.ordered_last = ordered_last,
	.committing = committing,
	.table_expect = table_expect,
	.ordered_take = ordered_take,
};
