/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/lua_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "lua/lua_plugin.h"

_Noreturn static void give_up(const char *format, ...) LEAT_PRINTF(1, 2);

/* Not Check's: a benchmark uses this too. */
_Noreturn static void give_up(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static struct kit *kit_of(struct leat_context *ctx)
{
	return (struct kit *)(void *)ctx;
}

static void take_log(struct leat_context *ctx, enum leat_level level, const char *text)
{
	struct kit *kit = kit_of(ctx);

	(void)level;
	(void)snprintf(kit->logged, sizeof kit->logged, "%s", text);
	kit->n_logged++;
}

static const char *name(struct leat_context *ctx, const char **pipeline)
{
	if (pipeline != NULL)
		*pipeline = kit_of(ctx)->path;
	return "scored";
}

static int64_t watermark(struct leat_context *ctx)
{
	(void)ctx;
	return LEAT_NO_TIME;
}

static int64_t now(struct leat_context *ctx)
{
	return kit_of(ctx)->now_us;
}

static uint64_t random_number(struct leat_context *ctx)
{
	kit_of(ctx)->random = kit_of(ctx)->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return kit_of(ctx)->random ^ kit_of(ctx)->random >> 29;
}

static uint32_t worker(struct leat_context *ctx)
{
	return kit_of(ctx)->worker;
}

static void *allocate(struct leat_context *ctx, size_t n)
{
	return leat_arena_allocate(kit_of(ctx)->arena, n);
}

static struct leat_value map_with(struct leat_context *ctx, const struct leat_value *base, const struct leat_member *member,
	size_t n)
{
	return leat_value_map_with(kit_of(ctx)->arena, kit_of(ctx)->symbols, base, member, n);
}

static char *to_json(const struct leat_value *value)
{
	struct leat_buffer text = {0};
	struct leat_error err;
	char *copy;

	if (leat_json_encode(value, &text, &err) != LEAT_OK)
		give_up("%s", err.text);
	copy = leat_copy_bytes_as_text(text.data, text.n);
	leat_buffer_finish(&text);
	return copy;
}

static void emit(struct leat_context *ctx, uint32_t port, const struct leat_record *record)
{
	struct kit *kit = kit_of(ctx);

	if (kit->n_emissions < KIT_EMISSIONS)
		kit->emission[kit->n_emissions++] = (struct kit_emission){port, to_json(&record->value)};
}

static enum leat_status encode_value(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
                                     struct leat_error *err)
{
	(void)ctx;
	return leat_json_encode(value, out, err);
}

static const struct leat_value *table_value(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return leat_tables_value(kit_of(ctx)->tables, table, key);
}

static void table_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_value *value)
{
	kit_of(ctx)->n_puts++;
	leat_tables_put(kit_of(ctx)->tables, table, key, value);
}

static void table_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	leat_tables_erase(kit_of(ctx)->tables, table, key);
}

static enum leat_status timer_set(struct leat_context *ctx, const struct leat_timer *timer, struct leat_error *err)
{
	(void)err;
	leat_timers_set(kit_of(ctx)->timers, timer);
	return LEAT_OK;
}

static const struct leat_api api = {
	.size = sizeof api,
	.abi = LEAT_ABI,
	.log = take_log,
	.name = name,
	.now = now,
	.watermark = watermark,
	.random = random_number,
	.worker = worker,
	.allocate = allocate,
	.map_with = map_with,
	.emit = emit,
	.encode_value = encode_value,
	.table_value = table_value,
	.table_put = table_put,
	.table_erase = table_erase,
	.timer_set = timer_set,
};

/* ---- making ---- */

static void write_script(struct kit *kit, const char *script, size_t n)
{
	FILE *out;

	(void)snprintf(kit->path, sizeof kit->path, "/tmp/leat-lua-XXXXXX");
	leat_check(mkdtemp(kit->path) != NULL);
	strcat(kit->path, "/score.lua");
	out = fopen(kit->path, "w");
	leat_check(out != NULL);
	leat_check(fwrite(script, 1, n, out) == n);
	leat_check(fclose(out) == 0);
}

static void remove_script(struct kit *kit)
{
	leat_check(unlink(kit->path) == 0);
	*strrchr(kit->path, '/') = '\0';
	leat_check(rmdir(kit->path) == 0);
}

/* By the option's place in the table, as the host fills it. */
static void *option(struct kit *kit, const char *wanted)
{
	const struct leat_option *o;

	for (o = leat_lua_plugin.op->options; o->name != NULL; o++)
		if (strcmp(o->name, wanted) == 0)
			return (char *)kit->self + o->offset;
	give_up("no option %s", wanted);
}

static struct kit *make(const char *script, size_t n, const struct kit_options *options)
{
	struct kit *kit = leat_allocate_zeroed(1, sizeof *kit);
	const char *path = kit->path;
	int64_t instructions = options->instructions > 0 ? options->instructions : 1000000;
	int64_t memory = options->memory > 0 ? options->memory : 16 << 20;

	write_script(kit, script, n);
	kit->context.api = &api;
	kit->worker = options->worker;
	kit->now_us = INT64_C(1000000000000000);
	kit->random = 42;
	kit->symbols = leat_symbols_create();
	(void)leat_symbols_intern(kit->symbols, "amount", 6);
	leat_symbols_freeze(kit->symbols);
	kit->json = leat_json_create(kit->symbols);
	kit->tables = leat_tables_create(leat_lua_plugin.op->tables, NULL);
	kit->timers = leat_timers_create();
	kit->self = leat_allocate_zeroed(1, leat_lua_plugin.op->instance_size);
	memcpy(option(kit, "script"), &path, sizeof path);
	memcpy(option(kit, "instructions"), &instructions, sizeof instructions);
	memcpy(option(kit, "memory"), &memory, sizeof memory);
	memcpy(option(kit, "settings"), &options->settings, sizeof options->settings);
	return kit;
}

struct kit *kit_open_with(const char *script, size_t n, const struct kit_options *options)
{
	struct kit *kit = make(script, n, options);

	if (leat_lua_plugin.op->create(kit->self, &kit->context, &kit->err) != LEAT_OK)
		give_up("%s: %s\n%s", kit->err.where, kit->err.text, kit->err.detail);
	return kit;
}

struct kit *kit_open(const char *script)
{
	return kit_open_with(script, strlen(script), &(struct kit_options){0});
}

struct kit *kit_try(const char *script)
{
	struct kit *kit = make(script, strlen(script), &(struct kit_options){0});

	(void)leat_lua_plugin.op->create(kit->self, &kit->context, &kit->err);
	return kit;
}

struct kit *kit_refused(const char *script)
{
	struct kit *kit = kit_try(script);

	leat_check(kit->err.status == LEAT_FATAL);
	return kit;
}

void kit_close(struct kit *kit)
{
	size_t i;

	leat_lua_plugin.op->destroy(kit->self);
	for (i = 0; i < kit->n_emissions; i++)
		free(kit->emission[i].json);
	remove_script(kit);
	leat_timers_destroy(kit->timers);
	leat_tables_destroy(kit->tables);
	leat_json_destroy(kit->json);
	leat_symbols_destroy(kit->symbols);
	free(kit->self);
	free(kit);
}

/* ---- running ---- */

void kit_key(struct kit *kit, const char *key)
{
	kit->key = key == NULL ? leat_null() : leat_borrow(key, strlen(key));
}

static void begin(struct kit *kit)
{
	kit->arena = leat_arena_create();
	leat_tables_begin(kit->tables, kit->now_us);
	leat_timers_begin(kit->timers);
}

static void end(struct kit *kit, enum leat_status status, size_t n_before)
{
	if (status == LEAT_OK) {
		leat_tables_commit(kit->tables);
		leat_timers_commit(kit->timers);
	} else {
		leat_tables_abort(kit->tables);
		leat_timers_abort(kit->timers);
		while (kit->n_emissions > n_before)
			free(kit->emission[--kit->n_emissions].json);
	}
	leat_arena_unref(kit->arena);
	kit->arena = NULL;
}

enum leat_status kit_push(struct kit *kit, const char *json)
{
	struct leat_record record = {.key = kit->key, .time_us = 1700000000000000, .origin = {.partition = 3, .offset = 77}};
	size_t n = strlen(json), n_before = kit->n_emissions;
	enum leat_status status;
	char *copy;

	begin(kit);
	copy = leat_arena_allocate(kit->arena, n + LEAT_CODEC_PADDING);
	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, json, n);
	if (leat_json_decode(kit->json, kit->arena, copy, n, &record.value, &kit->err) != LEAT_OK)
		give_up("%s: %s", json, kit->err.text);
	memset(&kit->err, 0, sizeof kit->err);
	status = leat_lua_plugin.op->process(kit->self, &record, &kit->context, &kit->err);
	end(kit, status, n_before);
	return status;
}

const char *kit_pull(struct kit *kit, uint32_t port)
{
	if (kit->n_taken >= kit->n_emissions || kit->emission[kit->n_taken].port != port)
		return NULL;
	return kit->emission[kit->n_taken++].json;
}

const char *kit_state(struct kit *kit)
{
	static char *text;
	const struct leat_value *value;

	free(text);
	text = NULL;
	leat_tables_begin(kit->tables, kit->now_us);
	value = leat_tables_value(kit->tables, 0, &kit->key);
	if (value != NULL)
		text = to_json(value);
	leat_tables_commit(kit->tables);
	return text != NULL ? text : "null";
}

void kit_fire(struct kit *kit, int64_t now_us)
{
	struct leat_timer timer;

	kit->now_us = now_us;
	while (leat_timers_pop(kit->timers, LEAT_PROCESSING_TIME, now_us, &timer)) {
		size_t n_before = kit->n_emissions;

		begin(kit);
		end(kit, leat_lua_plugin.op->timer(kit->self, &timer, &kit->context, &kit->err), n_before);
	}
}
