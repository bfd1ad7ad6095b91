/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/driver.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/json.h"
#include "run/instance.h"
#include "run/json_codec.h"

enum { PULLED = 4096 };

struct effect {
	size_t at;
	size_t n;
};

struct leat_driver {
	struct leat_registry *registry;
	struct leat_description *description;
	const struct leat_node *node;
	struct leat_instance *instance;
	void *self; /* a sink's */
	struct leat_json *json;
	struct leat_error err;
	int64_t now_us;
	struct leat_arena *arena;
	/* sinks */
	struct leat_buffer bytes;
	struct effect *effect;
	size_t n_effects, capacity;
	char **refusal; /* by effect of the last delivery */
	size_t n_delivered;
	/* operators */
	char *out[PULLED];
	size_t n_out, n_pulled;
};

static enum leat_status end_poll(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                 struct leat_error *err)
{
	(void)self, (void)reader, (void)max_bytes, (void)ctx, (void)err;
	return LEAT_END;
}

static enum leat_status no_open(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)partition, (void)from, (void)reader, (void)ctx;
	return leat_error_set(err, LEAT_FATAL, 0, "cannot be opened");
}

static enum leat_status no_partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)ctx, (void)err;
	return LEAT_OK;
}

static void no_close(void *self, struct leat_reader *reader)
{
	(void)self, (void)reader;
}

static enum leat_status no_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                                  struct leat_context *ctx,
                                  struct leat_error *err)
{
	(void)self, (void)record, (void)effect, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status no_claim(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                                 struct leat_error *err)
{
	(void)self, (void)claim, (void)found, (void)ctx, (void)err;
	return LEAT_OK;
}

static enum leat_status no_deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx,
                                   struct leat_error *err)
{
	(void)self, (void)delivery, (void)ctx, (void)err;
	return LEAT_OK;
}

static const struct leat_source_ops source_ops = {
	.size = sizeof source_ops, .partitions = no_partitions, .open = no_open, .poll = end_poll, .close = no_close,
};
static const struct leat_sink_ops sink_ops = {
	.size = sizeof sink_ops, .encode = no_encode, .claim = no_claim, .deliver = no_deliver,
};
static const struct leat_plugin nowhere = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof nowhere, .layout = LEAT_LAYOUT, .name = "nowhere", .version = "1",
	.summary = "Stands where the test looks at nothing.", .source = &source_ops, .sink = &sink_ops,
};

static void write_file(FILE *out, bool is_sink, const char *type, const char *options)
{
	const char *line, *end;

	fprintf(out, "pipeline: driver\ndelivery: at-least-once\nsources:\n  in: {type: nowhere}\n%s:\n  it:\n    type: %s\n    input: in\n",
	        is_sink ? "sinks" : "operators", type);
	for (line = options; *line != '\0'; line = *end == '\0' ? end : end + 1) {
		end = line + strcspn(line, "\n");
		fprintf(out, "    %.*s\n", (int)(end - line), line);
	}
	fprintf(out, "%s  rejected: {type: nowhere, input: [in.dead, it.dead]}\n", is_sink ? ""
	        : "sinks:\n  result: {type: nowhere, input: it}\n");
}

static struct leat_description *describe(struct leat_registry *registry, bool is_sink, const char *type, const char *options,
                                         struct leat_report *report)
{
	static const struct leat_description_options none = { .dead_letters = NULL };
	char path[] = "/tmp/leat-driver-XXXXXX";
	int fd = mkstemp(path);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	struct leat_description *d;

	ck_assert_ptr_nonnull(out);
	write_file(out, is_sink, type, options);
	ck_assert_int_eq(fclose(out), 0);
	d = leat_description_read(registry, path, &none, report);
	unlink(path);
	return d;
}

static struct leat_registry *make_registry(void)
{
	struct leat_registry *registry = leat_registry_create();

	leat_registry_add(registry, &leat_json_plugin);
	leat_registry_add(registry, &nowhere);
	ck_assert_ptr_nonnull(getenv("LEAT_PLUGIN_PATH"));
	leat_registry_load_folders(registry, getenv("LEAT_PLUGIN_PATH"));
	return registry;
}

char *leat_driver_findings(bool is_sink, const char *type, const char *options)
{
	struct leat_registry *registry = make_registry();
	struct leat_report *report = leat_report_create();
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	leat_description_destroy(describe(registry, is_sink, type, options, report));
	if (leat_report_errors(report) > 0)
		leat_report_print(report, out);
	(void)fclose(out);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	return text;
}

static void refuse(struct leat_instance *instance, size_t effect, const struct leat_error *err)
{
	struct leat_driver *d = instance->opaque;

	ck_assert_uint_lt(effect, d->n_effects);
	ck_assert_ptr_null(d->refusal[effect]);
	d->refusal[effect] = leat_copy_text(err->text);
}

static struct leat_driver *create(bool is_sink, const char *type, const char *options)
{
	struct leat_driver *d = leat_allocate_zeroed(1, sizeof *d);
	struct leat_report *report = leat_report_create();
	enum leat_status status;
	size_t i;

	d->registry = make_registry();
	d->description = describe(d->registry, is_sink, type, options, report);
	if (d->description == NULL)
		leat_report_print(report, stderr);
	ck_assert_ptr_nonnull(d->description);
	leat_report_destroy(report);
	for (i = 0; i < d->description->n_nodes; i++)
		if (strcmp(d->description->node[i].name, "it") == 0)
			d->node = &d->description->node[i];
	leat_symbols_freeze(d->description->symbols);
	if (is_sink) {
		d->self = leat_allocate_zeroed(1, d->node->instance_size);
		memcpy(d->self, d->node->image, d->node->instance_size);
		status = leat_instance_attach(d->description, d->node, 0, 0, d->self, &d->instance, &d->err);
	} else {
		status = leat_instance_create(d->description, d->node, 0, 0, &d->instance, &d->err);
	}
	ck_assert_int_eq(status, LEAT_OK);
	if (is_sink)
		ck_assert_int_eq(d->node->plugin->sink->create(d->self, &d->instance->context, &d->err), LEAT_OK);
	for (i = 0; i < d->instance->n_out; i++)
		d->instance->out[i].is_wired = true;
	d->instance->refuse = refuse;
	d->instance->opaque = d;
	d->json = leat_json_create(d->description->symbols);
	d->now_us = INT64_C(1000000000000000);
	d->arena = leat_arena_create();
	leat_instance_enter(d->instance, d->arena, d->now_us);
	return d;
}

struct leat_driver *leat_driver_create_sink(const char *type, const char *options)
{
	return create(true, type, options);
}

struct leat_driver *leat_driver_create_operator(const char *type, const char *options)
{
	return create(false, type, options);
}

static void forget_refusals(struct leat_driver *d)
{
	size_t i;

	for (i = 0; i < d->n_delivered; i++)
		free(d->refusal[i]);
	free(d->refusal);
	d->refusal = NULL;
	d->n_delivered = 0;
}

void leat_driver_destroy(struct leat_driver *d)
{
	size_t i;

	if (d->self != NULL)
		d->node->plugin->sink->destroy(d->self);
	forget_refusals(d);
	for (i = 0; i < d->n_out; i++)
		free(d->out[i]);
	leat_instance_destroy(d->instance);
	free(d->self);
	leat_json_destroy(d->json);
	leat_description_destroy(d->description);
	leat_registry_destroy(d->registry);
	leat_arena_unref(d->arena);
	leat_buffer_finish(&d->bytes);
	free(d->effect);
	free(d);
}

const char *leat_driver_reason(const struct leat_driver *d)
{
	return d->err.text;
}

enum leat_status leat_driver_check(struct leat_driver *d)
{
	return leat_plugin_check(d->node->plugin, d->node->role, d->instance->self, &d->instance->context, &d->err);
}

enum leat_status leat_driver_claim(struct leat_driver *d)
{
	const struct leat_claim claim = { .pipeline = "driver", .sink = "it" };
	struct leat_fence found;

	return d->node->plugin->sink->claim(d->self, &claim, &found, &d->instance->context, &d->err);
}

enum leat_status leat_driver_claim_fenced(struct leat_driver *d, const char *pipeline, uint64_t incarnation,
                                          struct leat_fence *found)
{
	const struct leat_claim claim = { .pipeline = pipeline, .sink = "it", .is_fenced = true, .incarnation = incarnation };

	memset(found, 0xff, sizeof *found);
	return d->node->plugin->sink->claim(d->self, &claim, found, &d->instance->context, &d->err);
}

static struct leat_record make_record(struct leat_driver *d, const char *json)
{
	struct leat_record record = { .time_us = LEAT_NO_TIME, .arrival_us = d->now_us };
	size_t n = strlen(json);
	char *copy = leat_arena_allocate(d->arena, n + LEAT_CODEC_PADDING);

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, json, n);
	if (leat_json_decode(d->json, d->arena, copy, n, &record.value, &d->err) != LEAT_OK)
		ck_abort_msg("%s: %s", json, d->err.text);
	return record;
}

static enum leat_status encode(struct leat_driver *d, const struct leat_record *record)
{
	size_t at = d->bytes.n;
	enum leat_status status = d->node->plugin->sink->encode(d->self, record, &d->bytes, &d->instance->context, &d->err);

	if (status != LEAT_OK) {
		ck_assert_uint_eq(d->bytes.n, at);
		return status;
	}
	d->effect = leat_grow(d->effect, d->n_effects, &d->capacity, sizeof *d->effect);
	d->effect[d->n_effects++] = (struct effect){ .at = at, .n = d->bytes.n - at };
	return LEAT_OK;
}

enum leat_status leat_driver_encode(struct leat_driver *d, const char *json)
{
	const struct leat_record record = make_record(d, json);

	return encode(d, &record);
}

enum leat_status leat_driver_encode_value(struct leat_driver *d, const char *name, struct leat_value value)
{
	const struct leat_member member = { .name = name, .name_n = (uint32_t)strlen(name), .value = value };
	struct leat_record record = make_record(d, "{\"id\": 1}");

	record.value = leat_map_with(&d->instance->context, &record.value, &member, 1);
	return encode(d, &record);
}

void leat_driver_drop(struct leat_driver *d)
{
	d->n_effects = 0;
	d->bytes.n = 0;
}

static enum leat_status deliver(struct leat_driver *d, struct leat_delivery delivery)
{
	struct leat_effect *effect = leat_allocate_zeroed(d->n_effects + 1, sizeof *effect);
	enum leat_status status;
	size_t i;

	forget_refusals(d);
	d->refusal = leat_allocate_zeroed(d->n_effects + 1, sizeof *d->refusal);
	d->n_delivered = d->n_effects;
	for (i = 0; i < d->n_effects; i++)
		effect[i] = (struct leat_effect){ .bytes = d->bytes.data + d->effect[i].at, .n = d->effect[i].n };
	delivery.n = d->n_effects;
	delivery.effect = effect;
	status = d->node->plugin->sink->deliver(d->self, &delivery, &d->instance->context, &d->err);
	free(effect);
	ck_assert_ptr_null(d->instance->breach);
	if (status == LEAT_OK)
		leat_driver_drop(d);
	else
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
	return status;
}

enum leat_status leat_driver_deliver(struct leat_driver *d)
{
	return deliver(d, (struct leat_delivery){ .is_fenced = false });
}

enum leat_status leat_driver_deliver_fenced(struct leat_driver *d, struct leat_fence expected, struct leat_fence next)
{
	return deliver(d, (struct leat_delivery){ .is_fenced = true, .expected = expected, .next = next });
}

size_t leat_driver_refusals(const struct leat_driver *d)
{
	size_t i, n = 0;

	for (i = 0; i < d->n_delivered; i++)
		n += d->refusal[i] != NULL;
	return n;
}

const char *leat_driver_refusal(const struct leat_driver *d, size_t effect)
{
	return effect < d->n_delivered ? d->refusal[effect] : NULL;
}

void leat_driver_set_time(struct leat_driver *d, int64_t now_us)
{
	d->now_us = now_us;
}

static void collect(struct leat_driver *d)
{
	struct leat_buffer text;
	uint32_t port;
	size_t i;

	for (port = 0; port < d->instance->n_out; port++) {
		for (i = 0; i < d->instance->out[port].n; i++) {
			text = (struct leat_buffer){ 0 };
			leat_buffer_text(&text, port == 0 ? "" : "dead: ");
			ck_assert_int_eq(leat_json_encode(&d->instance->out[port].record[i].value, &text, &d->err), LEAT_OK);
			leat_buffer_byte(&text, '\0');
			ck_assert_uint_lt(d->n_out, PULLED);
			d->out[d->n_out++] = text.data;
		}
		d->instance->out[port].n = 0;
	}
}

enum leat_status leat_driver_push(struct leat_driver *d, const char *const *json)
{
	const struct leat_operator_ops *op = d->node->plugin->op;
	struct leat_record *record;
	struct leat_batch batch = { .n = 0 };
	enum leat_status status;
	size_t i, n = 0;

	leat_arena_unref(d->arena);
	d->arena = leat_arena_create();
	leat_instance_enter(d->instance, d->arena, d->now_us);
	while (json[n] != NULL)
		n++;
	record = leat_arena_allocate(d->arena, (n + 1) * sizeof *record);
	for (i = 0; i < n; i++)
		record[i] = make_record(d, json[i]);
	batch = (struct leat_batch){ .n = n, .record = record };
	status = op->prepare(d->instance->self, &batch, &d->instance->context, &d->err);
	for (i = 0; i < n && status == LEAT_OK; i++)
		status = leat_instance_process(d->instance, &record[i], &d->err);
	collect(d);
	return status;
}

const char *leat_driver_pull(struct leat_driver *d)
{
	if (d->n_pulled > 0 && d->n_pulled <= d->n_out) {
		free(d->out[d->n_pulled - 1]);
		d->out[d->n_pulled - 1] = NULL;
	}
	if (d->n_pulled == d->n_out) {
		d->n_pulled = d->n_out = 0;
		return NULL;
	}
	return d->out[d->n_pulled++];
}

int leat_driver_port(const char *variable, int preset)
{
	const char *text = getenv(variable);

	return text != NULL ? atoi(text) : preset;
}

bool leat_driver_has_server(const char *name, int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
	                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool is_there = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
	const char *ci = getenv("CI");

	(void)close(fd);
	if (is_there)
		return true;
	if (ci != NULL && strcmp(ci, "true") == 0)
		ck_abort_msg("no %s on 127.0.0.1:%d: scripts/services start %s", name, port, name);
	fprintf(stderr, "skipped: no %s on 127.0.0.1:%d\n", name, port);
	return false;
}

double leat_driver_seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}
