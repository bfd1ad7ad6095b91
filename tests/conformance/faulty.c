/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the events of each key, with one fault at a time, each of which `leat test-plugin` has to find. */
#include <leat/plugin.h>

enum fault { NONE, SELF, GLOBAL, FIELD, BATCH, REJECT, KEYS, LEAK, HUNGRY, ASSERTING, GIVING_UP, CRASH, DUE };
static const char *const faults[] = { "none",   "self", "global", "field", "batch", "reject",
	                              "keys", "leak", "hungry", "asserting", "giving_up", "crash", "due", NULL };

struct faulty {
	int fault;
	leat_symbol count, what;
	int64_t n; /* for those who keep something here */
	void *taken;
};

static const struct leat_option options[] = {
	LEAT_OPTION(CHOICE, struct faulty, fault, "fault", "What is wrong with it.", .preset = "none", .choices = faults),
	{ 0 },
};

struct entry {
	int64_t count;
	int64_t forgotten; /* not declared */
};

static const struct leat_field entry_fields[] = { LEAT_FIELD(struct entry, count, INT64), { 0 } };
static const struct leat_table_spec tables[] = {
	{ .name = "entries", .version = 1, .size = sizeof(struct entry), .fields = entry_fields, .prose = "How many of a key." },
	{ 0 },
};

static int64_t n_in_all;
static void *volatile leaked;

static enum leat_status create(void *opaque, struct leat_context *ctx, struct leat_error *err)
{
	struct faulty *self = opaque;

	(void)err;
	self->count = leat_intern(ctx, "count");
	self->what = leat_intern(ctx, "what");
	if (self->fault == LEAK)
		leaked = malloc(100);
	if (self->fault == HUNGRY || self->fault == ASSERTING) {
		self->taken = malloc(100);
		if (self->taken == NULL && self->fault == ASSERTING)
			abort();
		memset(self->taken, 1, 100);
	}
	if (self->fault == GIVING_UP) { /* which is none: it ends as the host would */
		struct leat_buffer buffer = { .n = 0 };

		leat_buffer_text(&buffer, "text");
		leat_buffer_finish(&buffer);
	}
	leaked = NULL;
	return LEAT_OK;
}

static void destroy(void *opaque)
{
	free(((struct faulty *)opaque)->taken);
}

static enum leat_status prepare(void *opaque, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	struct faulty *self = opaque;

	(void)ctx, (void)err;
	if (self->fault == BATCH)
		self->n = (int64_t)batch->n;
	return LEAT_OK;
}

static int64_t count_faultily(struct faulty *self, const struct leat_record *record, struct leat_context *ctx, struct entry *entry)
{
	const struct leat_value all = leat_integer(0);

	switch ((enum fault)self->fault) {
	case SELF:
		return ++self->n;
	case GLOBAL:
		return ++n_in_all;
	case FIELD:
		return ++entry->forgotten;
	case BATCH:
	case REJECT:
		return self->n;
	case KEYS:
		return ((struct entry *)leat_table_get(ctx, 0, &all))->count++;
	case CRASH:
		return *(const volatile char *)record->value.as.text + *(volatile char *)self->taken;
	case NONE:
	case LEAK:
	case HUNGRY:
	case ASSERTING:
	case GIVING_UP:
	case DUE:
		break;
	}
	return entry->count;
}

static enum leat_status process(void *opaque, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct faulty *self = opaque;
	struct entry *entry = leat_table_get(ctx, 0, &record->key);
	struct leat_member member = { .symbol = self->count };

	entry->count++;
	if (record->value.type != LEAT_MAP || leat_map_get(&record->value, self->what) == NULL) {
		self->n += self->fault == REJECT;
		return leat_error_set(err, LEAT_REJECT, 0, "field \"what\" is missing");
	}
	member.value = leat_integer(count_faultily(self, record, ctx, entry));
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, &member, 1));
	if (self->fault != DUE)
		return LEAT_OK;
	return leat_timer_set(ctx, &(struct leat_timer){ .clock = LEAT_EVENT_TIME, .due_us = INT64_MIN + 1, .key = record->key }, err);
}

static enum leat_status timer(void *opaque, const struct leat_timer *due, struct leat_context *ctx, struct leat_error *err)
{
	(void)opaque, (void)err;
	leat_emit(ctx, 0, &(struct leat_record){ .key = due->key, .value = due->key, .time_us = due->due_us });
	return LEAT_OK;
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct faulty),
	.options = options,
	.tables = tables,
	.create = create,
	.prepare = prepare,
	.process = process,
	.timer = timer,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "faulty", .version = "1.0", .summary = "Counts, with a fault of your choice.", .licence = "Apache-2.0", .op = &ops);
