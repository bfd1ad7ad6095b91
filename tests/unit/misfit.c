/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that breaks its contract: `in` names the function, `by` what it does there. */
#include <stdlib.h>

#include "base/memory.h"
#include "unit/run_kit.h"

struct misfit {
	const char *in, *by;
};

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct misfit, in, "in", "The function.", .preset = "none"),
	LEAT_OPTION(TEXT, struct misfit, by, "by", "What it does.", .preset = "none"),
	{ 0 },
};

struct entry {
	int64_t n;
};

static const struct leat_field fields[] = { LEAT_FIELD(struct entry, n, INT64), { 0 } };
static const struct leat_table_spec tables[] = {
	{ .name = "fixed", .version = 1, .size = sizeof(struct entry), .fields = fields, .prose = "One kind." },
	{ .name = "value", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "Another." },
	{ 0 },
};

static void use_state(const char *by, struct leat_context *ctx)
{
	struct leat_value key = leat_integer(1), value = leat_text(ctx, "x", 1);
	const struct leat_ordered_entry *found, entry = { .value = value };

	if (strcmp(by, "get") == 0)
		((struct entry *)leat_table_get(ctx, 0, &key))->n++;
	else if (strcmp(by, "no table") == 0)
		memset(leat_table_get(ctx, 99, &key), 1, 64 << 10);
	else if (strcmp(by, "other kind") == 0)
		memset(leat_table_get(ctx, 1, &key), 1, sizeof(struct entry));
	else if (strcmp(by, "put") == 0)
		leat_table_put(ctx, 1, &key, &value);
	else if (strcmp(by, "erase") == 0)
		leat_table_erase(ctx, 99, &key);
	else if (strcmp(by, "peek") == 0)
		(void)leat_table_peek(ctx, 1, &key);
	else if (strcmp(by, "expect") == 0)
		leat_table_expect(ctx, 99, &key, 1);
	else if (strcmp(by, "value") == 0)
		(void)leat_table_value(ctx, 0, &key);
	else if (strcmp(by, "scan") == 0)
		(void)leat_ordered_scan(ctx, 0, &key, 0, 1, &found);
	else if (strcmp(by, "ordered") == 0)
		leat_ordered_put(ctx, 0, &key, &entry);
	else if (strcmp(by, "ordered erase") == 0)
		leat_ordered_erase(ctx, 0, &key, 0, 1);
	else if (strcmp(by, "ttl") == 0)
		leat_table_ttl(ctx, 0, 1);
}

static void use_host(const char *by, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = { .clock = LEAT_PROCESSING_TIME, .due_us = 1 };
	const struct leat_record record = { .time_us = LEAT_NO_TIME };
	const struct leat_message message = { .payload = "{}", .payload_n = 2, .next = 1 };
	const struct leat_member member = { .name = "a", .name_n = 1 };
	struct leat_value item = leat_null();

	if (strcmp(by, "allocate") == 0)
		memset(leat_allocate(ctx, 1000), 1, 1000);
	else if (strcmp(by, "list") == 0)
		(void)leat_list_of(ctx, &item, 1);
	else if (strcmp(by, "map") == 0)
		(void)leat_map_with(ctx, NULL, &member, 1);
	else if (strcmp(by, "emit") == 0)
		leat_emit(ctx, 0, &record);
	else if (strcmp(by, "port") == 0)
		leat_emit(ctx, 99, &record);
	else if (strcmp(by, "timer") == 0)
		(void)leat_timer_set(ctx, &timer, err);
	else if (strcmp(by, "cancel") == 0)
		leat_timer_cancel(ctx, &timer);
	else if (strcmp(by, "push") == 0)
		leat_push(ctx, &message);
	else if (strcmp(by, "push record") == 0)
		leat_push_record(ctx, &record, 1);
	else if (strcmp(by, "wait") == 0)
		leat_wait(ctx, 1);
	else if (strcmp(by, "waker") == 0)
		leat_wake(ctx->api, leat_waker(ctx));
	else if (strcmp(by, "partition") == 0)
		leat_partition(ctx, 1);
	else if (strcmp(by, "refuse") == 0)
		leat_refuse(ctx, 1000000, err);
	else if (strcmp(by, "committing") == 0)
		leat_committing(ctx);
	else if (strcmp(by, "intern") == 0)
		(void)leat_intern(ctx, "a name that is nowhere else");
}

/* In the function that is named, does it, and returns what that gives; elsewhere LEAT_OK. */
static enum leat_status act(const void *self, const char *function, struct leat_context *ctx, struct leat_error *err)
{
	const struct misfit *misfit = self;
	const char *by = misfit->by;

	if (strcmp(misfit->in, function) != 0)
		return LEAT_OK;
	if (strncmp(by, "status ", 7) == 0)
		return (enum leat_status)atoi(by + 7);
	if (strncmp(by, "state ", 6) == 0)
		use_state(by + 6, ctx);
	else
		use_host(by, ctx, err);
	return LEAT_OK;
}

/* ---- operator ---- */

static enum leat_status prepare(void *self, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	(void)batch;
	return act(self, "prepare", ctx, err);
}

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_timer timer = { .clock = LEAT_PROCESSING_TIME, .due_us = leat_now(ctx) + 1000 };

	leat_emit(ctx, 0, record);
	if (leat_timer_set(ctx, &timer, err) != LEAT_OK)
		return LEAT_FATAL;
	return act(self, "process", ctx, err);
}

static enum leat_status fire(void *self, const struct leat_timer *timer, struct leat_context *ctx, struct leat_error *err)
{
	(void)timer;
	return act(self, "timer", ctx, err);
}

static enum leat_status end(void *self, struct leat_context *ctx, struct leat_error *err)
{
	return act(self, "end", ctx, err);
}

static const struct leat_operator_ops op = {
	.size = sizeof op,
	.instance_size = sizeof(struct misfit),
	.options = options,
	.tables = tables,
	.prepare = prepare,
	.process = process,
	.timer = fire,
	.end = end,
	.keeps_records = true,
};

/* ---- source: some records, then a pause long enough for a timer, then the end ---- */

struct leat_reader {
	int64_t next;
};

static enum leat_status partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	leat_partition(ctx, 0);
	return act(self, "partitions", ctx, err);
}

static enum leat_status open(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                             struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = act(self, "open", ctx, err);

	(void)partition;
	(void)from;
	if (status == LEAT_OK)
		*reader = leat_allocate_zeroed(1, sizeof **reader);
	return status;
}

static enum leat_status poll(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_message message = { .payload = "{\"i\": 1}", .payload_n = 8, .time_us = LEAT_NO_TIME, .next = reader->next + 1 };

	(void)max_bytes;
	if (reader->next++ < 3) {
		leat_push(ctx, &message);
		return act(self, "poll", ctx, err);
	}
	leat_wait(ctx, 20000);
	return reader->next < 6 ? LEAT_AGAIN : LEAT_END;
}

static enum leat_status commit(void *self, struct leat_reader *reader, struct leat_position *position, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)reader;
	(void)position;
	return act(self, "commit", ctx, err);
}

static void close(void *self, struct leat_reader *reader)
{
	(void)self;
	free(reader);
}

static const struct leat_source_ops source = {
	.size = sizeof source,
	.instance_size = sizeof(struct misfit),
	.options = options,
	.partitions = partitions,
	.open = open,
	.poll = poll,
	.commit = commit,
	.close = close,
};

/* ---- sink ---- */

static enum leat_status encode(const void *self, const struct leat_record *record, struct leat_buffer *effect, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)record;
	leat_buffer_byte(effect, 'x');
	return act(self, "encode", ctx, err);
}

static enum leat_status claim(void *self, const struct leat_claim *of, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	(void)of;
	(void)found;
	return act(self, "claim", ctx, err);
}

static enum leat_status deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err)
{
	(void)delivery;
	return act(self, "deliver", ctx, err);
}

static const struct leat_sink_ops sink = {
	.size = sizeof sink,
	.instance_size = sizeof(struct misfit),
	.options = options,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
};

const struct leat_plugin run_kit_misfit = {
	.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT,
	.name = "misfit", .version = "1", .summary = "Breaks its contract.", .source = &source, .op = &op, .sink = &sink,
};
