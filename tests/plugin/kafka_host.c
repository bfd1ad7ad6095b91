/* SPDX-License-Identifier: Apache-2.0 */

/* The host's side of the fixture: every call that the plugin makes, in its simplest form. */

#include <dlfcn.h>
#include <stdatomic.h>
#include <time.h>

#include "base/arena.h"
#include "base/report.h"
#include "data/json.h"
#include "data/symbol.h"
#include "data/template.h"
#include "plugin/kafka_fixture.h"
#include "plugin/options.h"
#include "unit/unit.h"

static struct host *host_of(struct leat_context *ctx)
{
	return (struct host *)(void *)ctx;
}

double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what the plugin may call --------------------------------------------------------------------------------------- */

static void host_log(struct leat_context *ctx, enum leat_level level, const char *text)
{
	struct host *h = host_of(ctx);
	size_t n = strlen(h->log);

	(void)snprintf(h->log + n, sizeof h->log - n, "%d %s\n", (int)level, text);
}

static const char *host_name(struct leat_context *ctx, const char **pipeline)
{
	(void)ctx;
	if (pipeline != NULL)
		*pipeline = "test";
	return "node";
}

static void host_push(struct leat_context *ctx, const struct leat_message *m)
{
	struct host *h = host_of(ctx);
	struct seen *s;
	size_t n = 0;

	h->n_bytes += m->payload_n;
	h->n_seen++;
	if (h->only_counts)
		return;
	if (h->n_seen > h->seen_capacity) {
		h->seen_capacity = 2 * h->n_seen;
		h->seen = (struct seen *)realloc(h->seen, h->seen_capacity * sizeof *h->seen);
	}
	s = &h->seen[h->n_seen - 1];
	*s = (struct seen){ .partition = h->current, .offset = m->offset, .time_us = m->time_us, .value_n = m->payload_n };
	(void)snprintf(s->key, sizeof s->key, "%.*s", m->key == NULL ? 1 : (int)m->key_n, m->key == NULL ? "-" : (const char *)m->key);
	(void)snprintf(s->value, sizeof s->value, "%.*s", m->payload == NULL ? 1 : (int)m->payload_n,
	               m->payload == NULL ? "-" : (const char *)m->payload);
	for (size_t i = 0; m->headers != NULL && i < m->headers->n; i++) {
		const struct leat_header *header = &m->headers->item[i];

		n += (size_t)snprintf(s->headers + n, sizeof s->headers - n, "%s=%.*s;", header->name,
		                      header->bytes == NULL ? 1 : (int)header->n,
		                      header->bytes == NULL ? "-" : header->bytes);
	}
	ck_assert_int_eq(m->next, m->offset + 1);
}

static void host_wait(struct leat_context *ctx, int64_t wait_us)
{
	host_of(ctx)->again_s[host_of(ctx)->current] = now_s() + (double)wait_us / 1e6;
}

static struct leat_waker *host_waker(struct leat_context *ctx)
{
	return &host_of(ctx)->waker[host_of(ctx)->current];
}

static void host_wake(struct leat_waker *waker)
{
	waker->n_woken++;
}

static void host_partition(struct leat_context *ctx, int32_t partition)
{
	if (partition >= host_of(ctx)->n_partitions)
		host_of(ctx)->n_partitions = partition + 1;
}

static void host_refuse(struct leat_context *ctx, size_t effect, const struct leat_error *err)
{
	struct host *h = host_of(ctx);

	ck_assert_uint_lt(h->n_refusals, HOST_REFUSALS);
	h->refused[h->n_refusals++] = effect;
	(void)snprintf(h->refusal, sizeof h->refusal, "%s", err->text);
}

static void host_committing(struct leat_context *ctx)
{
	host_of(ctx)->n_commits++;
}

static enum leat_status host_render(struct leat_context *ctx, const struct leat_template *t, const struct leat_record *record,
                                    struct leat_buffer *out, struct leat_error *err)
{
	(void)ctx;
	return leat_template_render(t, record, out, err);
}

static enum leat_status host_encode_value(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
                                          struct leat_error *err)
{
	(void)ctx;
	return leat_json_encode(value, out, err);
}

static const struct leat_api api = {
	.size = sizeof api,
	.abi = LEAT_ABI,
	.log = host_log,
	.name = host_name,
	.push = host_push,
	.wait = host_wait,
	.waker = host_waker,
	.wake = host_wake,
	.partition = host_partition,
	.refuse = host_refuse,
	.committing = host_committing,
	.render = host_render,
	.encode_value = host_encode_value,
};

/* ---- instances -------------------------------------------------------------------------------------------------------- */

const struct leat_plugin *plugin(void)
{
	static const struct leat_plugin *loaded;
	const char *folder = getenv("LEAT_PLUGIN_PATH");
	char path[1024];
	void *handle;

	if (loaded != NULL)
		return loaded;
	(void)snprintf(path, sizeof path, "%s/kafka.so", folder == NULL ? "plugins/.libs" : folder);
	handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	ck_assert_msg(handle != NULL, "%s", dlerror());
	loaded = (const struct leat_plugin *)dlsym(handle, "leat_plugin");
	ck_assert_ptr_nonnull(loaded);
	return loaded;
}

static struct leat_setting setting_of(struct leat_arena *arena, const char *name, const char *text)
{
	const struct leat_place place = { "test.yaml", 1, 1 };
	struct leat_setting setting = { .kind = LEAT_SETTING_SCALAR, .place = place, .name = name, .name_place = place, .text = text };
	const char *equals = strchr(text, '=');
	struct leat_setting *item;
	char *inner;

	if ((strcmp(name, "client") != 0 && strcmp(name, "headers") != 0) || equals == NULL)
		return setting;
	inner = (char *)leat_arena_allocate(arena, (size_t)(equals - text) + 1);
	memcpy(inner, text, (size_t)(equals - text));
	inner[equals - text] = '\0';
	item = (struct leat_setting *)leat_arena_allocate(arena, sizeof *item);
	*item = setting;
	item->name = inner;
	item->text = equals + 1;
	setting.kind = LEAT_SETTING_MAP;
	setting.text = NULL;
	setting.n = 1;
	setting.item = item;
	return setting;
}

static bool fill(struct host *h, const struct leat_option *table, const char *const *options)
{
	struct leat_setting items[16];
	struct leat_setting map = { .kind = LEAT_SETTING_MAP, .place = { "test.yaml", 1, 1 }, .item = items };
	struct leat_report *report = leat_report_create();
	const struct leat_option_fill how = {
		.arena = h->arena, .symbols = h->symbols, .report = report, .folder = ".", .owner = "kafka",
	};
	FILE *out = fmemopen(h->settings_error, sizeof h->settings_error, "w");
	bool is_filled;

	for (; options[2 * map.n] != NULL; map.n++)
		items[map.n] = setting_of(h->arena, options[2 * map.n], options[2 * map.n + 1]);
	is_filled = leat_options_fill(h->self, table, &map, &how);
	leat_report_print(report, out);
	(void)fclose(out);
	leat_report_destroy(report);
	return is_filled;
}

static struct host *host_create(const struct leat_option *table, size_t instance_size, const char *const *options,
                                enum leat_status (*create)(void *, struct leat_context *, struct leat_error *),
                                void (*destroy)(void *))
{
	struct host *h = (struct host *)calloc(1, sizeof *h);

	h->context.api = &api;
	h->self = calloc(1, instance_size);
	h->arena = leat_arena_create();
	h->symbols = leat_symbols_create();
	if (!fill(h, table, options)) {
		free(h->self);
		h->self = NULL;
	} else if (create(h->self, &h->context, &h->err) != LEAT_OK) {
		destroy(h->self);
		free(h->self);
		h->self = NULL;
	}
	return h;
}

struct host *source_create(const char *const *options)
{
	const struct leat_source_ops *ops = plugin()->source;

	return host_create(ops->options, ops->instance_size, options, ops->create, ops->destroy);
}

struct host *sink_create(const char *const *options)
{
	const struct leat_sink_ops *ops = plugin()->sink;
	struct host *h = host_create(ops->options, ops->instance_size, options, ops->create, ops->destroy);

	h->current = -1; /* marks a sink */
	return h;
}

void host_destroy(struct host *h)
{
	if (h->current < 0 && h->self != NULL)
		plugin()->sink->destroy(h->self);
	if (h->current >= 0 && h->self != NULL) {
		source_close_all(h);
		plugin()->source->destroy(h->self);
	}
	leat_symbols_destroy(h->symbols);
	leat_arena_unref(h->arena);
	free(h->self);
	free(h->seen);
	free(h);
}

/* ---- sources ----------------------------------------------------------------------------------------------------------- */

enum leat_status source_partitions(struct host *h)
{
	h->n_partitions = 0;
	return plugin()->source->partitions(h->self, &h->context, &h->err);
}

enum leat_status source_open(struct host *h, int32_t partition, const struct leat_position *from)
{
	ck_assert_int_lt(partition, HOST_PARTITIONS);
	h->current = partition;
	h->waker[partition].n_woken = 1;
	return plugin()->source->open(h->self, partition, from, &h->reader[partition], &h->context, &h->err);
}

enum leat_status source_open_all(struct host *h)
{
	enum leat_status status = source_partitions(h);

	for (int32_t i = 0; status == LEAT_OK && i < h->n_partitions; i++)
		if (h->reader[i] == NULL)
			status = source_open(h, i, NULL);
	return status;
}

static bool is_due(struct host *h, int32_t i)
{
	return atomic_exchange(&h->waker[i].n_woken, 0) > 0 || (h->again_s[i] > 0 && now_s() >= h->again_s[i]);
}

enum leat_status source_read(struct host *h, size_t n, int idle_ms)
{
	double last = now_s();

	while (h->n_seen < n && now_s() - last < idle_ms / 1e3) {
		bool is_idle = true;

		for (int32_t i = 0; i < HOST_PARTITIONS; i++) {
			enum leat_status status;

			if (h->reader[i] == NULL || !is_due(h, i))
				continue;
			h->current = i;
			h->again_s[i] = 0;
			status = plugin()->source->poll(h->self, h->reader[i], 256 * 1024, &h->context, &h->err);
			if (status != LEAT_OK && status != LEAT_AGAIN)
				return status;
			if (status == LEAT_OK) {
				h->waker[i].n_woken++; /* there may be more */
				is_idle = false;
				last = now_s();
			}
		}
		if (is_idle)
			(void)nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	}
	return LEAT_OK;
}

/* Asks for the partitions now and then, as the host does: that is what heals a reader whose topic was thought missing, and a
 * broker may say so of a topic that was just made. */
enum leat_status source_read_all(struct host *h, size_t n)
{
	enum leat_status status = LEAT_OK;

	for (int i = 0; i < 5 && h->n_seen < n && status == LEAT_OK; i++) {
		if (i > 0)
			status = source_partitions(h);
		if (status == LEAT_OK)
			status = source_read(h, n, 2500);
	}
	return status;
}

void source_close_all(struct host *h)
{
	for (int32_t i = 0; i < HOST_PARTITIONS; i++) {
		if (h->reader[i] != NULL)
			plugin()->source->close(h->self, h->reader[i]);
		h->reader[i] = NULL;
	}
}

/* ---- sinks ------------------------------------------------------------------------------------------------------------- */

enum leat_status sink_claim(struct host *h)
{
	const struct leat_claim claim = { .pipeline = "test", .sink = "node" };
	struct leat_fence found = { 0 };

	return plugin()->sink->claim(h->self, &claim, &found, &h->context, &h->err);
}

enum leat_status sink_claim_fenced(struct host *h, const char *pipeline, uint64_t incarnation, struct leat_fence *found)
{
	const struct leat_claim claim = { .pipeline = pipeline, .sink = "node", .is_fenced = true, .incarnation = incarnation };

	return plugin()->sink->claim(h->self, &claim, found, &h->context, &h->err);
}

/* Fills in the delivery's effects. */
static enum leat_status write_records(struct host *h, struct leat_delivery *delivery, const struct leat_record *records, size_t n)
{
	struct leat_buffer bytes = { 0 };
	struct leat_effect *effects = (struct leat_effect *)calloc(n + 1, sizeof *effects);
	enum leat_status status = LEAT_OK;
	size_t at = 0;

	for (size_t i = 0; i < n && status == LEAT_OK; i++) {
		size_t before = bytes.n;

		status = plugin()->sink->encode(h->self, &records[i], &bytes, &h->context, &h->err);
		effects[i].n = bytes.n - before;
	}
	for (size_t i = 0; i < n; i++) {
		effects[i].bytes = bytes.data + at;
		at += effects[i].n;
	}
	delivery->n = n;
	delivery->effect = effects;
	h->n_refusals = 0;
	if (status == LEAT_OK)
		status = plugin()->sink->deliver(h->self, delivery, &h->context, &h->err);
	free(effects);
	leat_buffer_finish(&bytes);
	return status;
}

enum leat_status sink_write(struct host *h, const struct leat_record *records, size_t n)
{
	struct leat_delivery delivery = { .is_fenced = false };

	return write_records(h, &delivery, records, n);
}

enum leat_status sink_write_fenced(struct host *h, const struct leat_fence *expected, const struct leat_fence *next,
                                   const struct leat_record *records, size_t n)
{
	struct leat_delivery delivery = { .is_fenced = true, .expected = *expected, .next = *next };

	return write_records(h, &delivery, records, n);
}

struct leat_record text_record(const char *key, const char *value)
{
	return (struct leat_record){ .key = key == NULL ? leat_null() : leat_borrow(key, strlen(key)),
		                     .value = value == NULL ? leat_null() : leat_borrow(value, strlen(value)),
		                     .time_us = LEAT_NO_TIME };
}
