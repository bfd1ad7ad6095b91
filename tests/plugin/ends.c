/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/ends.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/json.h"
#include "plugin/setup.h"
#include "run/instance.h"
#include "run/json_codec.h"

struct leat_ends {
	struct leat_registry *registry;
	struct leat_description *description;
	const struct leat_node *node;
	struct leat_setup setup;
	struct leat_instance *instance;
	struct leat_reader *reader;
	struct leat_json *json;
	struct leat_arena *arena; /* of the last poll */
	struct leat_error err;
	int64_t now_us;
	size_t taken; /* of the records in instance->out[0] */
	struct leat_buffer text;
};

static struct leat_registry *make_registry(void)
{
	struct leat_registry *registry = leat_registry_create();

	leat_registry_add(registry, &leat_json_plugin);
	if (getenv("LEAT_PLUGIN_PATH") != NULL)
		leat_registry_load_folders(registry, getenv("LEAT_PLUGIN_PATH"));
	return registry;
}

/* The other end is the simplest that there is. The report borrows the path until it is printed. */
static struct leat_description *describe(const struct leat_registry *registry, const char *section, const char *type,
                                         const char *options, struct leat_report *report)
{
	static const struct leat_description_options none = { .dead_letters = NULL };
	const char *folder = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
	bool is_source = strcmp(section, "source") == 0;
	static char path[4096];
	struct leat_description *d;
	FILE *out;

	(void)snprintf(path, sizeof path, "%s/leat-ends-%d.yaml", folder, (int)getpid());
	out = fopen(path, "w");
	ck_assert_msg(out != NULL, "cannot write %s", path);
	fprintf(out, "pipeline: ends\ndelivery: at-least-once\nsources:\n  in:\n    type: %s\n", is_source ? type : "generate");
	if (is_source)
		fprintf(out, "%s", options);
	fprintf(out, "sinks:\n  rest: {type: discard, input: in.dead}\n  out:\n    type: %s\n    input: in\n", is_source ? "discard" : type);
	if (!is_source)
		fprintf(out, "%s", options);
	ck_assert_int_eq(fclose(out), 0);
	d = leat_description_read(registry, path, &none, report);
	unlink(path);
	return d;
}

char *leat_ends_refused(const char *section, const char *type, const char *options)
{
	struct leat_registry *registry = make_registry();
	struct leat_report *report = leat_report_create();
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	leat_description_destroy(describe(registry, section, type, options, report));
	if (leat_report_errors(report) > 0)
		leat_report_print(report, out);
	fclose(out);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	return text;
}

static struct leat_ends *create(const char *section, enum leat_role role, const char *type, const char *options)
{
	struct leat_ends *ends = leat_allocate_zeroed(1, sizeof *ends);
	struct leat_report *report = leat_report_create();
	void *self;

	ends->registry = make_registry();
	ends->description = describe(ends->registry, section, type, options, report);
	if (ends->description == NULL)
		leat_report_print(report, stderr);
	ck_assert_msg(ends->description != NULL, "the options of %s are refused", type);
	leat_report_destroy(report);
	for (size_t i = 0; i < ends->description->n_nodes; i++)
		if (ends->description->node[i].role == role && strcmp(ends->description->node[i].plugin->name, type) == 0)
			ends->node = &ends->description->node[i];
	self = leat_allocate_zeroed(1, ends->node->instance_size + 1);
	if (ends->node->instance_size > 0)
		memcpy(self, ends->node->image, ends->node->instance_size);
	leat_setup_init(&ends->setup, "ends", ends->node->name, ends->description->symbols);
	if (leat_plugin_create(ends->node->plugin, role, self, &ends->setup.context, &ends->err) != LEAT_OK)
		ck_abort_msg("%s", ends->err.text);
	leat_symbols_freeze(ends->description->symbols);
	if (leat_instance_attach(ends->description, ends->node, 0, 0, self, &ends->instance, &ends->err) != LEAT_OK)
		ck_abort_msg("%s", ends->err.text);
	for (uint32_t i = 0; i < ends->instance->n_out; i++)
		ends->instance->out[i].is_wired = true;
	ends->json = leat_json_create(ends->description->symbols);
	ends->now_us = INT64_C(1000000000000000);
	return ends;
}

struct leat_ends *leat_ends_source(const char *type, const char *options)
{
	return create("source", LEAT_ROLE_SOURCE, type, options);
}

struct leat_ends *leat_ends_sink(const char *type, const char *options)
{
	return create("sink", LEAT_ROLE_SINK, type, options);
}

void leat_ends_destroy(struct leat_ends *ends)
{
	if (ends->reader != NULL)
		ends->node->plugin->source->close(ends->instance->self, ends->reader);
	leat_plugin_destroy(ends->node->plugin, ends->node->role, ends->instance->self);
	free(ends->instance->self);
	leat_instance_destroy(ends->instance);
	leat_setup_finish(&ends->setup);
	leat_json_destroy(ends->json);
	leat_arena_unref(ends->arena);
	leat_description_destroy(ends->description);
	leat_registry_destroy(ends->registry);
	leat_buffer_finish(&ends->text);
	free(ends);
}

const struct leat_error *leat_ends_error(const struct leat_ends *ends)
{
	return &ends->err;
}

void leat_ends_set_time(struct leat_ends *ends, int64_t now_us)
{
	ends->now_us = now_us;
}

enum leat_status leat_ends_check(struct leat_ends *ends)
{
	return leat_plugin_check(ends->node->plugin, ends->node->role, ends->instance->self, &ends->setup.context, &ends->err);
}

static void enter(struct leat_ends *ends)
{
	leat_arena_unref(ends->arena);
	ends->arena = leat_arena_create();
	leat_instance_enter(ends->instance, ends->arena, ends->now_us);
	ends->taken = 0;
}

char *leat_ends_identity(const struct leat_ends *ends)
{
	return leat_node_identity(ends->node);
}

/* ---- sources ----------------------------------------------------------------------------------------------------- */

enum leat_status leat_ends_list(struct leat_ends *ends, int32_t *partition, size_t capacity, size_t *n)
{
	enum leat_status status;
	struct leat_setup setup;

	leat_setup_init(&setup, "ends", ends->node->name, ends->description->symbols);
	status = ends->node->plugin->source->partitions(ends->instance->self, &setup.context, &ends->err);
	*n = setup.n_partitions;
	for (size_t i = 0; i < setup.n_partitions && i < capacity; i++)
		partition[i] = setup.partition[i];
	leat_setup_finish(&setup);
	return status;
}

size_t leat_ends_partitions(struct leat_ends *ends)
{
	size_t n;

	ck_assert_int_eq(leat_ends_list(ends, NULL, 0, &n), LEAT_OK);
	return n;
}

int64_t leat_ends_begin(struct leat_ends *ends)
{
	struct leat_position position = { .offset = -1 };

	ends->node->plugin->source->begin(ends->instance->self, ends->reader, &position);
	return position.offset;
}

enum leat_status leat_ends_open(struct leat_ends *ends, int32_t partition, int64_t offset, const char *note)
{
	const struct leat_source_ops *ops = ends->node->plugin->source;
	struct leat_position from = { .offset = offset };
	enum leat_status status;

	if (ends->reader != NULL)
		ops->close(ends->instance->self, ends->reader);
	ends->reader = NULL;
	if (note != NULL)
		(void)snprintf(from.note, sizeof from.note, "%s", note);
	enter(ends);
	ends->instance->partition = partition;
	ends->instance->next = offset;
	status = ops->open(ends->instance->self, partition, offset < 0 ? NULL : &from, &ends->reader, &ends->instance->context, &ends->err);
	return status;
}

enum leat_status leat_ends_poll(struct leat_ends *ends, size_t max_bytes)
{
	enter(ends);
	ends->instance->wait_us = -1;
	return ends->node->plugin->source->poll(ends->instance->self, ends->reader, max_bytes, &ends->instance->context, &ends->err);
}

const char *leat_ends_pull(struct leat_ends *ends)
{
	struct leat_output *out = ends->instance->out, *dead = &ends->instance->out[ends->node->n_ports];
	const struct leat_record *record = NULL;

	if (ends->taken < out->n)
		record = &out->record[ends->taken++];
	else if (ends->taken - out->n < dead->n)
		record = &dead->record[ends->taken++ - out->n];
	if (record == NULL)
		return NULL;
	ends->text.n = 0;
	if (ends->taken > out->n)
		leat_buffer_text(&ends->text, "dead: ");
	ck_assert_int_eq(leat_json_encode(&record->value, &ends->text, &ends->err), LEAT_OK);
	leat_buffer_byte(&ends->text, '\0');
	return ends->text.data;
}

char *leat_ends_read_all(struct leat_ends *ends, size_t max_bytes)
{
	struct leat_buffer all = { 0 };
	const char *text;
	enum leat_status status;

	do {
		status = leat_ends_poll(ends, max_bytes);
		ck_assert_msg(status <= LEAT_END, "%s", ends->err.text);
		while ((text = leat_ends_pull(ends)) != NULL) {
			leat_buffer_text(&all, text);
			leat_buffer_byte(&all, '\n');
		}
	} while (status == LEAT_OK || (status == LEAT_AGAIN && ends->instance->wait_us == 0));
	leat_buffer_byte(&all, '\0');
	return all.data;
}

int64_t leat_ends_next(const struct leat_ends *ends)
{
	return ends->instance->next;
}

int64_t leat_ends_wait(const struct leat_ends *ends)
{
	return ends->instance->wait_us;
}

const char *leat_ends_commit(struct leat_ends *ends, int64_t offset)
{
	static struct leat_position position;

	memset(&position, 0, sizeof position);
	position.offset = offset;
	ck_assert_int_eq(ends->node->plugin->source->commit(ends->instance->self, ends->reader, &position, &ends->instance->context,
	                                                    &ends->err), LEAT_OK);
	return position.note;
}

int64_t leat_ends_lag(struct leat_ends *ends)
{
	return ends->node->plugin->source->lag(ends->instance->self, ends->reader);
}

/* ---- sinks ------------------------------------------------------------------------------------------------------- */

enum leat_guarantee leat_ends_guarantee(const struct leat_ends *ends)
{
	const struct leat_sink_ops *ops = ends->node->plugin->sink;

	return ops->guarantee == NULL ? LEAT_AT_LEAST_ONCE : ops->guarantee(ends->instance->self);
}

static enum leat_status encode(struct leat_ends *ends, const char *json, struct leat_buffer *effect)
{
	struct leat_record record = { .time_us = LEAT_NO_TIME, .arrival_us = ends->now_us };
	size_t n = strlen(json);
	char *copy = leat_arena_allocate(ends->arena, n + LEAT_CODEC_PADDING);

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, json, n);
	if (leat_json_decode(ends->json, ends->arena, copy, n, &record.value, &ends->err) != LEAT_OK)
		ck_abort_msg("%s: %s", json, ends->err.text);
	return ends->node->plugin->sink->encode(ends->instance->self, &record, effect, &ends->instance->context, &ends->err);
}

static enum leat_status deliver(struct leat_ends *ends, struct leat_delivery delivery, const char *const *json)
{
	struct leat_effect effect[64];
	struct leat_buffer bytes[64] = { { 0 } };
	enum leat_status status = LEAT_OK;

	enter(ends);
	delivery.effect = effect;
	for (; json[delivery.n] != NULL && status == LEAT_OK; delivery.n++) {
		status = encode(ends, json[delivery.n], &bytes[delivery.n]);
		effect[delivery.n] = (struct leat_effect){ bytes[delivery.n].data, bytes[delivery.n].n };
	}
	if (status == LEAT_OK)
		status = ends->node->plugin->sink->deliver(ends->instance->self, &delivery, &ends->instance->context, &ends->err);
	for (size_t i = 0; i < 64; i++)
		leat_buffer_finish(&bytes[i]);
	return status;
}

enum leat_status leat_ends_deliver(struct leat_ends *ends, const char *const *json)
{
	return deliver(ends, (struct leat_delivery){ .is_fenced = false }, json);
}

enum leat_status leat_ends_deliver_fenced(struct leat_ends *ends, const struct leat_fence *expected, const struct leat_fence *next,
                                          const char *const *json)
{
	return deliver(ends, (struct leat_delivery){ .is_fenced = true, .expected = *expected, .next = *next }, json);
}

enum leat_status leat_ends_claim(struct leat_ends *ends, uint64_t incarnation, struct leat_fence *found)
{
	struct leat_claim claim = { .pipeline = "ends", .sink = "out", .is_fenced = found != NULL, .incarnation = incarnation };
	struct leat_fence unused;

	enter(ends);
	return ends->node->plugin->sink->claim(ends->instance->self, &claim, found != NULL ? found : &unused, &ends->instance->context,
	                                       &ends->err);
}
