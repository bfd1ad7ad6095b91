/* SPDX-License-Identifier: Apache-2.0 */
/* A source and a sink that do nothing, so that one operator is a whole pipeline. */
#include "kit/solo.h"

static enum leat_status no_partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static enum leat_status no_open(void *self, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)partition;
	(void)from;
	(void)reader;
	(void)ctx;
	return leat_error_set(err, LEAT_FATAL, 0, "cannot be opened");
}

static enum leat_status no_poll(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)reader;
	(void)max_bytes;
	(void)ctx;
	(void)err;
	return LEAT_END;
}

static void no_close(void *self, struct leat_reader *reader)
{
	(void)self;
	(void)reader;
}

static enum leat_status no_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect, struct leat_context *ctx,
                                  struct leat_error *err)
{
	(void)self;
	(void)record;
	(void)effect;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static enum leat_status no_claim(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                                 struct leat_error *err)
{
	(void)self;
	(void)claim;
	(void)found;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static enum leat_status no_deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)delivery;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static const struct leat_source_ops source_ops = {
	.size = sizeof source_ops, .partitions = no_partitions, .open = no_open, .poll = no_poll, .close = no_close,
};

static const struct leat_sink_ops sink_ops = {
	.size = sizeof sink_ops, .encode = no_encode, .claim = no_claim, .deliver = no_deliver,
};

const struct leat_plugin leat_nowhere_plugin = {
	.magic = LEAT_MAGIC,
	.abi = LEAT_ABI,
	.size = sizeof leat_nowhere_plugin,
	.layout = LEAT_LAYOUT,
	.name = "nowhere",
	.version = "1",
	.summary = "Stands at both ends of an operator that is tried alone.",
	.source = &source_ops,
	.sink = &sink_ops,
};

static struct leat_setting make_text(const char *name, const char *text, struct leat_place place)
{
	return (struct leat_setting){ .place = place, .name = name, .name_place = place, .text = text };
}

static struct leat_setting make_map(struct leat_arena *arena, const char *name, struct leat_place place, const struct leat_setting *item, size_t n)
{
	struct leat_setting *copy = leat_arena_allocate(arena, (n + 1) * sizeof *copy);

	if (n > 0)
		memcpy(copy, item, n * sizeof *copy);
	return (struct leat_setting){ .kind = LEAT_SETTING_MAP, .place = place, .name = name, .name_place = place, .n = n, .item = copy };
}

static struct leat_setting make_inputs(struct leat_arena *arena, struct leat_place place)
{
	const struct leat_setting both[] = { make_text(NULL, "in.dead", place), make_text(NULL, "op.dead", place) };
	struct leat_setting list = make_map(arena, "input", place, both, 2);

	list.kind = LEAT_SETTING_LIST;
	return list;
}

static struct leat_setting make_named_inputs(struct leat_arena *arena, const char *const *name, struct leat_place place)
{
	struct leat_setting item[LEAT_INPUTS];
	size_t n = 0;

	if (name == NULL)
		return make_text("input", "in", place);
	for (; name[n] != NULL; n++)
		item[n] = make_text(name[n], "in", place);
	return make_map(arena, "input", place, item, n);
}

static struct leat_setting make_operator(struct leat_arena *arena, const struct leat_plugin *plugin, const struct leat_setting *options,
                                         struct leat_place place)
{
	size_t n = options == NULL ? 0 : options->n;
	struct leat_setting *item = leat_arena_allocate(arena, (n + 2) * sizeof *item);

	item[0] = make_text("type", plugin->name, place);
	item[1] = make_named_inputs(arena, plugin->op->inputs, place);
	if (n > 0)
		memcpy(item + 2, options->item, n * sizeof *item);
	return make_map(arena, "op", place, item, n + 2);
}

const struct leat_setting *leat_solo_pipeline(struct leat_arena *arena, const struct leat_plugin *plugin, const struct leat_setting *options)
{
	struct leat_place place = options == NULL ? (struct leat_place){ .file = "" } : options->place;
	const struct leat_setting nowhere = make_text("type", "nowhere", place);
	const struct leat_setting result[] = { nowhere, make_text("input", "op", place) };
	const struct leat_setting rejected[] = { nowhere, make_inputs(arena, place) };
	const struct leat_setting source = make_map(arena, "in", place, &nowhere, 1);
	const struct leat_setting op = make_operator(arena, plugin, options, place);
	const struct leat_setting sink[] = { make_map(arena, "result", place, result, 2), make_map(arena, "rejected", place, rejected, 2) };
	const struct leat_setting top[] = { make_text("pipeline", "solo", place), make_text("delivery", "at-least-once", place),
		                            make_map(arena, "sources", place, &source, 1), make_map(arena, "operators", place, &op, 1),
		                            make_map(arena, "sinks", place, sink, 2) };
	struct leat_setting *root = leat_arena_allocate(arena, sizeof *root);

	*root = make_map(arena, NULL, place, top, sizeof top / sizeof *top);
	return root;
}

const struct leat_node *leat_solo_node(const struct leat_description *d)
{
	return leat_description_find(d, LEAT_ROLE_OPERATOR, "op");
}
