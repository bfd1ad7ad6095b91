/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/harness.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/json.h"
#include "kit/solo.h"
#include "lua/lua_plugin.h"
#include "run/json_codec.h"
#include "schema/schema_plugin.h"

enum { MAX_PORTS = 16 };

struct item {
	char *json;
	int64_t time_us;
};

struct queue {
	struct item *item;
	size_t head, n, capacity;
};

struct leat_harness {
	struct leat_registry *registry;
	struct leat_description *description;
	struct leat_solo solo;
	struct leat_json *json;
	struct leat_error err;
	uint32_t input;
	const char *key;
	struct queue queue[MAX_PORTS];
	char *pulled;
	int64_t pulled_us;
};

/* ---- making ---- */

/* By every input that it has, the same source. */
static void write_inputs(FILE *out, const struct leat_registry *registry, const char *type)
{
	const struct leat_loaded *loaded = leat_registry_find(registry, type);
	const char *const *name = loaded == NULL || loaded->plugin->op == NULL ? NULL : loaded->plugin->op->inputs;

	fprintf(out, "    type: %s\n    input: %s", type, name == NULL ? "in\n" : "{");
	for (; name != NULL && *name != NULL; name++)
		fprintf(out, "%s: in%s", *name, name[1] == NULL ? "}\n" : ", ");
}

static void write_file(FILE *out, const struct leat_registry *registry, const char *type, const char *options)
{
	const char *line = options, *end;

	fprintf(out, "pipeline: harness\ndelivery: at-least-once\nsources:\n  in: {type: nowhere}\noperators:\n  op:\n");
	write_inputs(out, registry, type);
	for (; line != NULL && *line != '\0'; line = *end == '\0' ? NULL : end + 1) {
		end = strchr(line, '\n');
		if (end == NULL)
			end = line + strlen(line);
		fprintf(out, "    %.*s\n", (int)(end - line), line);
	}
	fprintf(out, "sinks:\n  result: {type: nowhere, input: op}\n  rejected: {type: nowhere, input: [in.dead, op.dead]}\n");
}

static struct leat_description *describe(struct leat_registry *registry, const char *type, const char *options, struct leat_report *report)
{
	static const struct leat_description_options none = { .dead_letters = NULL };
	static char path[4096]; /* the report borrows it until it is printed */
	const char *folder = getenv("LEAT_HARNESS_FOLDER");
	struct leat_description *d;
	FILE *out;

	(void)snprintf(path, sizeof path, "%s/leat-harness-%d.yaml", folder != NULL ? folder : "/tmp", (int)getpid());
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	write_file(out, registry, type, options);
	ck_assert_int_eq(fclose(out), 0);
	d = leat_description_read(registry, path, &none, report);
	if (d == NULL)
		ck_assert_ptr_nonnull(getenv("LEAT_PLUGIN_PATH"));
	unlink(path);
	return d;
}

static struct leat_registry *make_registry(void)
{
	struct leat_registry *registry = leat_registry_create();

	leat_registry_add(registry, &leat_json_plugin);
	leat_registry_add(registry, &leat_lua_plugin);
	leat_registry_add(registry, &leat_schema_plugin);
	leat_registry_add(registry, &leat_nowhere_plugin);
	if (getenv("LEAT_PLUGIN_PATH") != NULL)
		leat_registry_load_folders(registry, getenv("LEAT_PLUGIN_PATH"));
	return registry;
}

char *leat_harness_refused(const char *type, const char *options)
{
	struct leat_registry *registry = make_registry();
	struct leat_report *report = leat_report_create();
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	leat_description_destroy(describe(registry, type, options, report));
	if (leat_report_errors(report) > 0)
		leat_report_print(report, out);
	fclose(out);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	return text;
}

static void emitted(void *opaque, const struct leat_solo *solo, uint32_t port, const struct leat_record *record)
{
	struct leat_harness *h = opaque;
	struct queue *queue = &h->queue[port];
	struct leat_buffer text = { NULL, 0, 0 };

	(void)solo;
	ck_assert_int_eq(leat_json_encode(&record->value, &text, &h->err), LEAT_OK);
	queue->item = leat_grow(queue->item, queue->n, &queue->capacity, sizeof *queue->item);
	queue->item[queue->n].json = leat_copy_bytes_as_text(text.data, text.n);
	queue->item[queue->n++].time_us = record->time_us;
	leat_buffer_finish(&text);
}

struct leat_harness *leat_harness_create(const char *type, const char *options)
{
	struct leat_harness *h = leat_allocate_zeroed(1, sizeof *h);
	struct leat_report *report = leat_report_create();
	const struct leat_node *node;

	h->registry = make_registry();
	h->description = describe(h->registry, type, options, report);
	if (h->description == NULL)
		leat_report_print(report, stderr);
	ck_assert_ptr_nonnull(h->description);
	leat_report_destroy(report);
	node = leat_solo_node(h->description);
	ck_assert_uint_lt(node->n_ports, MAX_PORTS);
	leat_symbols_freeze(h->description->symbols);
	h->solo = (struct leat_solo){ .now_us = INT64_C(1000000000000000), .is_volatile = true, .emitted = emitted, .opaque = h };
	if (leat_solo_init(&h->solo, h->description, node, 0, &h->err) != LEAT_OK)
		ck_abort_msg("%s", h->err.text);
	h->json = leat_json_create(h->description->symbols);
	return h;
}

void leat_harness_destroy(struct leat_harness *h)
{
	size_t i;

	for (i = 0; i < MAX_PORTS; i++) {
		while (h->queue[i].head < h->queue[i].n)
			free(h->queue[i].item[h->queue[i].head++].json);
		free(h->queue[i].item);
	}
	free(h->pulled);
	leat_json_destroy(h->json);
	leat_solo_finish(&h->solo);
	leat_description_destroy(h->description);
	leat_registry_destroy(h->registry);
	free(h);
}

/* ---- running ---- */

static struct leat_record read_record(struct leat_harness *h, struct leat_arena *arena, int64_t time_us, const char *json, int64_t offset)
{
	struct leat_record record = { .time_us = time_us, .arrival_us = h->solo.now_us, .origin = { .offset = offset } };
	size_t n = strlen(json);
	char *copy = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, json, n);
	if (leat_json_decode(h->json, arena, copy, n, &record.value, &h->err) != LEAT_OK)
		ck_abort_msg("%s: %s", json, h->err.text);
	if (h->key != NULL)
		record.key = leat_borrow(h->key, strlen(h->key));
	return record;
}

static enum leat_status push(struct leat_harness *h, int64_t time_us, const char *const *json)
{
	struct leat_arena *arena = leat_arena_create();
	enum leat_status status;
	struct leat_record *record;
	size_t n = 0, i;

	while (json[n] != NULL)
		n++;
	record = leat_arena_allocate(arena, (n + 1) * sizeof *record);
	for (i = 0; i < n; i++)
		record[i] = read_record(h, arena, time_us, json[i], (int64_t)i);
	status = leat_solo_push(&h->solo, h->input, arena, record, n, &h->err);
	leat_arena_unref(arena);
	return status;
}

enum leat_status leat_harness_push_batch(struct leat_harness *h, const char *const *json)
{
	return push(h, LEAT_NO_TIME, json);
}

enum leat_status leat_harness_push(struct leat_harness *h, const char *json)
{
	return push(h, LEAT_NO_TIME, (const char *const[]){ json, NULL });
}

enum leat_status leat_harness_push_at(struct leat_harness *h, int64_t time_us, const char *json)
{
	return push(h, time_us, (const char *const[]){ json, NULL });
}

void leat_harness_set_watermark(struct leat_harness *h, int64_t watermark_us)
{
	ck_assert_int_eq(leat_solo_set_watermark(&h->solo, watermark_us, &h->err), LEAT_OK);
}

void leat_harness_raise_watermark(struct leat_harness *h, int64_t watermark_us)
{
	if (watermark_us > h->solo.instance->watermark_us)
		h->solo.instance->watermark_us = watermark_us;
}

void leat_harness_set_input(struct leat_harness *h, const char *input)
{
	h->input = leat_node_find_input(h->solo.node, input);
	ck_assert_msg(h->input < h->solo.node->n_named, "no input \"%s\"", input);
}

void leat_harness_set_key(struct leat_harness *h, const char *key)
{
	h->key = key;
}

void leat_harness_set_time(struct leat_harness *h, int64_t now_us)
{
	ck_assert_int_eq(leat_solo_set_time(&h->solo, now_us, &h->err), LEAT_OK);
}

enum leat_status leat_harness_end(struct leat_harness *h)
{
	return leat_solo_end(&h->solo, &h->err);
}

const char *leat_harness_pull(struct leat_harness *h, const char *port)
{
	const struct leat_node *node = h->solo.node;
	struct queue *queue = NULL;
	uint32_t i;

	if (strcmp(port, "dead") == 0)
		queue = &h->queue[node->n_ports];
	for (i = 0; i < node->n_ports; i++)
		if (strcmp(node->ports[i], port) == 0)
			queue = &h->queue[i];
	ck_assert_msg(queue != NULL, "no port \"%s\"", port);
	free(h->pulled);
	h->pulled = NULL;
	if (queue->head < queue->n) {
		h->pulled_us = queue->item[queue->head].time_us;
		h->pulled = queue->item[queue->head++].json;
	}
	return h->pulled;
}

int64_t leat_harness_pulled_time(const struct leat_harness *h)
{
	return h->pulled_us;
}

const struct leat_error *leat_harness_error(const struct leat_harness *h)
{
	return &h->err;
}

size_t leat_harness_state_entries(const struct leat_harness *h)
{
	return h->solo.instance->tables == NULL ? 0 : leat_tables_entries(h->solo.instance->tables);
}

size_t leat_harness_state_bytes(const struct leat_harness *h)
{
	return h->solo.instance->tables == NULL ? 0 : leat_tables_bytes(h->solo.instance->tables);
}
