/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets the first event of its kind through and sends the others elsewhere, for a while. Events are of a kind when their key
 * is the same, and with `by` that field as well: `key: user, by: id` keeps the order of a user's events, which `key: id`
 * would spread over all shards.
 */
#include <leat/plugin.h>

struct dedup {
	const struct leat_path *by;
	int64_t within;
};

enum { OUT, DUPLICATES };

static const char *const ports[] = { "out", "duplicates", NULL };

struct seen {
	int64_t first_us;
};

static const struct leat_field seen_fields[] = { LEAT_FIELD(struct seen, first_us, INT64), { 0 } };

static const struct leat_table_spec tables[] = {
	{ .name = "seen", .version = 1, .size = sizeof(struct seen), .fields = seen_fields, .prose = "When a kind was first seen." },
	{ 0 },
};

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	const struct dedup *self = self_;

	(void)err;
	leat_table_ttl(ctx, 0, self->within);
	return LEAT_OK;
}

static enum leat_status find_kind(const struct dedup *self, const struct leat_record *record, struct leat_value *out,
                                  struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_value *by;

	*out = record->key;
	if (self->by != NULL) {
		by = leat_path_get(self->by, &record->value);
		if (by == NULL || by->type == LEAT_NULL)
			return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing", self->by->text);
		/* Both together, or the number of shards would make a difference. */
		*out = record->key.type == LEAT_NULL ? *by : leat_list_of(ctx, (struct leat_value[]){ record->key, *by }, 2);
	} else if (record->key.type == LEAT_NULL) {
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no key to tell duplicates by");
	}
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_value kind;
	enum leat_status status = find_kind(self_, record, &kind, ctx, err);

	if (status != LEAT_OK)
		return status;
	/* An entry is written once, so it expires `within` after the first of its events, not the last. */
	if (leat_table_peek(ctx, 0, &kind) != NULL) {
		leat_emit(ctx, DUPLICATES, record);
		return LEAT_OK;
	}
	((struct seen *)leat_table_get(ctx, 0, &kind))->first_us = leat_now(ctx);
	leat_emit(ctx, OUT, record);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELD, struct dedup, by, "by", "Field that tells the events of a key apart; without one, a key has one event."),
	LEAT_OPTION(DURATION, struct dedup, within, "within", "How long an event is remembered after it first came.",
	            .preset = "10m", .minimum = 1000, .maximum = 31536e9),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct dedup),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
};

LEAT_PLUGIN(.name = "dedup", .version = "1.0", .summary = "Sets apart events that came before.", .licence = "Apache-2.0",
            .op = &ops);
