/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host as create(), check() and partitions() see it. Most of leat_api has no meaning there: the first of those calls is
 * noted, and the plugin is handed something harmless, so that it comes back and its node can be refused.
 */
#include "plugin/setup.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

/* Fixed entries are no larger (see state.h). */
enum { LARGEST_ENTRY = 64 << 10 };

static struct leat_setup *setup_of(struct leat_context *ctx)
{
	return (struct leat_setup *)(void *)ctx;
}

static void refuse_call(struct leat_context *ctx, const char *call)
{
	if (setup_of(ctx)->breach == NULL)
		setup_of(ctx)->breach = call;
}

/* ---- what may be called ------------------------------------------------------------------------------------------- */

static void log_line(struct leat_context *ctx, enum leat_level level, const char *text)
{
	const struct leat_setup *setup = setup_of(ctx);

	leat_log_line(level, "pipeline \"%s\": node \"%s\": %s", setup->pipeline, setup->node, text);
}

static const char *name(struct leat_context *ctx, const char **pipeline)
{
	if (pipeline != NULL)
		*pipeline = setup_of(ctx)->pipeline;
	return setup_of(ctx)->node;
}

static int64_t now(struct leat_context *ctx)
{
	(void)ctx;
	return leat_clock_now_us();
}

static const struct leat_path *key_field(struct leat_context *ctx, size_t i)
{
	const struct leat_setup *setup = setup_of(ctx);

	return i < setup->n_keys ? setup->key[i] : NULL;
}

static uint32_t worker(struct leat_context *ctx)
{
	return setup_of(ctx)->worker;
}

static leat_symbol intern(struct leat_context *ctx, const char *text, size_t n)
{
	return leat_symbols_intern(setup_of(ctx)->symbols, text, n);
}

static uint32_t port(struct leat_context *ctx, const char *text)
{
	const char *const *ports = setup_of(ctx)->ports;

	if (ports == NULL)
		return strcmp(text, "out") == 0 ? 0 : LEAT_NO_PORT;
	for (uint32_t i = 0; ports[i] != NULL; i++)
		if (strcmp(ports[i], text) == 0)
			return i;
	return LEAT_NO_PORT;
}

static void table_ttl(struct leat_context *ctx, uint32_t table, int64_t ttl_us)
{
	const struct leat_setup *setup = setup_of(ctx);

	if (setup->ttl_us != NULL && table >= setup->n_tables)
		refuse_call(ctx, "leat_table_ttl");
	else if (setup->ttl_us != NULL)
		setup->ttl_us[table] = ttl_us;
}

static void partition(struct leat_context *ctx, int32_t number)
{
	struct leat_setup *setup = setup_of(ctx);

	setup->partition = leat_grow(setup->partition, setup->n_partitions, &setup->partition_capacity, sizeof *setup->partition);
	setup->partition[setup->n_partitions++] = number;
}

/* ---- what may not ------------------------------------------------------------------------------------------------- */

static struct leat_arena *scratch_of(struct leat_context *ctx)
{
	struct leat_setup *setup = setup_of(ctx);

	if (setup->scratch == NULL)
		setup->scratch = leat_arena_create();
	return setup->scratch;
}

static uint64_t no_random(struct leat_context *ctx)
{
	refuse_call(ctx, "leat_random");
	return 0;
}

static void *no_allocate(struct leat_context *ctx, size_t n)
{
	refuse_call(ctx, "leat_allocate");
	return leat_arena_allocate(scratch_of(ctx), n);
}

static struct leat_value no_list(struct leat_context *ctx, const struct leat_value *item, size_t n)
{
	(void)item, (void)n;
	refuse_call(ctx, "leat_list_of");
	return leat_null();
}

static struct leat_value no_map_with(struct leat_context *ctx, const struct leat_value *base,
                                     const struct leat_member *member, size_t n)
{
	(void)base, (void)member, (void)n;
	refuse_call(ctx, "leat_map_with");
	return leat_null();
}

static void no_emit(struct leat_context *ctx, uint32_t number, const struct leat_record *record)
{
	(void)number, (void)record;
	refuse_call(ctx, "leat_emit");
}

static enum leat_status no_evaluate(struct leat_context *ctx, const struct leat_expression *expression,
                                    const struct leat_record *record,
                                    struct leat_value *out, struct leat_error *err)
{
	(void)expression, (void)record, (void)out;
	refuse_call(ctx, "leat_evaluate");
	return leat_error_set(err, LEAT_FATAL, 0, "cannot evaluate during set-up");
}

static enum leat_status no_render(struct leat_context *ctx, const struct leat_template *t, const struct leat_record *record,
                                  struct leat_buffer *out, struct leat_error *err)
{
	(void)t, (void)record, (void)out;
	refuse_call(ctx, "leat_render");
	return leat_error_set(err, LEAT_FATAL, 0, "cannot render during set-up");
}

static enum leat_status no_encode_value(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
                                        struct leat_error *err)
{
	(void)value, (void)out;
	refuse_call(ctx, "leat_encode");
	return leat_error_set(err, LEAT_FATAL, 0, "cannot encode during set-up");
}

static void *no_table_get(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	(void)table, (void)key;
	refuse_call(ctx, "leat_table_get");
	return memset(leat_arena_allocate(scratch_of(ctx), LARGEST_ENTRY), 0, LARGEST_ENTRY);
}

static const void *no_table_peek(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	(void)table, (void)key;
	refuse_call(ctx, "leat_table_peek");
	return NULL;
}

static void no_table_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	(void)table, (void)key;
	refuse_call(ctx, "leat_table_erase");
}

static const struct leat_value *no_table_value(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	(void)table, (void)key;
	refuse_call(ctx, "leat_table_value");
	return NULL;
}

static void no_table_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_value *value)
{
	(void)table, (void)key, (void)value;
	refuse_call(ctx, "leat_table_put");
}

static void no_ordered_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key,
                           const struct leat_ordered_entry *entry)
{
	(void)table, (void)key, (void)entry;
	refuse_call(ctx, "leat_ordered_put");
}

static void no_ordered_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until)
{
	(void)table, (void)key, (void)from, (void)until;
	refuse_call(ctx, "leat_ordered_erase");
}

static size_t no_ordered_scan(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                              const struct leat_ordered_entry **entries)
{
	(void)table, (void)key, (void)from, (void)until;
	refuse_call(ctx, "leat_ordered_scan");
	*entries = NULL;
	return 0;
}

static size_t no_ordered_take(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                              const struct leat_ordered_entry **entries)
{
	(void)table, (void)key, (void)from, (void)until;
	refuse_call(ctx, "leat_ordered_take");
	*entries = NULL;
	return 0;
}

static int64_t no_watermark(struct leat_context *ctx)
{
	refuse_call(ctx, "leat_watermark");
	return LEAT_NO_TIME;
}

static bool no_ordered_last(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                            struct leat_ordered_entry *entry)
{
	(void)table, (void)key, (void)from, (void)until, (void)entry;
	refuse_call(ctx, "leat_ordered_last");
	return false;
}

static void no_table_expect(struct leat_context *ctx, uint32_t table, const struct leat_value *key, size_t n)
{
	(void)table, (void)key, (void)n;
	refuse_call(ctx, "leat_table_expect");
}

static enum leat_status no_timer_set(struct leat_context *ctx, const struct leat_timer *timer, struct leat_error *err)
{
	(void)timer;
	refuse_call(ctx, "leat_timer_set");
	return leat_error_set(err, LEAT_FATAL, 0, "cannot set a timer during set-up");
}

static void no_timer_cancel(struct leat_context *ctx, const struct leat_timer *timer)
{
	(void)timer;
	refuse_call(ctx, "leat_timer_cancel");
}

static void no_push(struct leat_context *ctx, const struct leat_message *message)
{
	(void)message;
	refuse_call(ctx, "leat_push");
}

static void no_push_record(struct leat_context *ctx, const struct leat_record *record, int64_t next)
{
	(void)record, (void)next;
	refuse_call(ctx, "leat_push_record");
}

static void no_wait(struct leat_context *ctx, int64_t wait_us)
{
	(void)wait_us;
	refuse_call(ctx, "leat_wait");
}

static struct leat_waker *no_waker(struct leat_context *ctx)
{
	refuse_call(ctx, "leat_waker");
	return NULL;
}

static void no_wake(struct leat_waker *waker)
{
	(void)waker; /* there is none yet */
}

static void no_refuse(struct leat_context *ctx, size_t effect, const struct leat_error *err)
{
	(void)effect, (void)err;
	refuse_call(ctx, "leat_refuse");
}

static void no_committing(struct leat_context *ctx)
{
	refuse_call(ctx, "leat_committing");
}

static uint32_t no_input(struct leat_context *ctx)
{
	refuse_call(ctx, "leat_input");
	return 0;
}

static struct leat_value no_copy(struct leat_context *ctx, const struct leat_value *value)
{
	(void)value;
	refuse_call(ctx, "leat_copy");
	return leat_null();
}

static const struct leat_api setup_api = {
	.size = sizeof setup_api,
	.abi = LEAT_ABI,
	.log = log_line,
	.name = name,
	.now = now,
	.random = no_random,
	.worker = worker,
	.intern = intern,
	.port = port,
	.allocate = no_allocate,
	.list = no_list,
	.map_with = no_map_with,
	.emit = no_emit,
	.evaluate = no_evaluate,
	.render = no_render,
	.encode_value = no_encode_value,
	.table_get = no_table_get,
	.table_peek = no_table_peek,
	.table_expect = no_table_expect,
	.table_erase = no_table_erase,
	.table_value = no_table_value,
	.table_put = no_table_put,
	.table_ttl = table_ttl,
	.ordered_put = no_ordered_put,
	.ordered_erase = no_ordered_erase,
	.ordered_scan = no_ordered_scan,
	.ordered_take = no_ordered_take,
	.timer_set = no_timer_set,
	.timer_cancel = no_timer_cancel,
	.push = no_push,
	.push_record = no_push_record,
	.wait = no_wait,
	.waker = no_waker,
	.wake = no_wake,
	.partition = partition,
	.refuse = no_refuse,
	.input = no_input,
	.copy = no_copy,
	.watermark = no_watermark,
	.key_field = key_field,
	.ordered_last = no_ordered_last,
	.committing = no_committing,
};

void leat_setup_init(struct leat_setup *setup, const char *pipeline, const char *node, struct leat_symbols *symbols)
{
	*setup = (struct leat_setup){
		.context = { .api = &setup_api },
		.pipeline = pipeline,
		.node = node,
		.symbols = symbols,
	};
}

enum leat_status leat_setup_judge(const struct leat_setup *setup, enum leat_status status, const char *plugin, struct leat_error *err)
{
	if (setup->breach != NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "plugin \"%s\" broke its contract: it called %s() during set-up", plugin, setup->breach);
	if (status != LEAT_OK && err->text[0] == '\0')
		return leat_error_set(err, status, 0, "plugin \"%s\" gave no reason", plugin);
	return status;
}

void leat_setup_finish(struct leat_setup *setup)
{
	free(setup->partition);
	leat_arena_unref(setup->scratch);
	*setup = (struct leat_setup){ 0 };
}
