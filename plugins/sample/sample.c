/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lets a part of the events through, and the same part again in a replay: every so-many-th of a key, or those whose field has a
 * hash in the lower part of the range. The latter keeps or drops all events of a user together, and needs no state.
 */
#include <leat/plugin.h>

#include "../shared/value.h"

struct sample {
	int64_t every, forget;
	double rate;
	const struct leat_path *by;
	const char *seed;

	uint64_t salt, limit; /* a hash below the limit is let through */
};

enum { OUT, OTHER };

static const char *const ports[] = { "out", "other", NULL };

struct count {
	int64_t events;
};

static const struct leat_field count_fields[] = { LEAT_FIELD(struct count, events, INT64), { 0 } };

static const struct leat_table_spec tables[] = {
	{ .name = "counts", .version = 1, .size = sizeof(struct count), .fields = count_fields, .prose = "Events of a key so far." },
	{ 0 },
};

static enum leat_status refuse(struct leat_error *err, const char *option, const char *text)
{
	leat_error_set(err, LEAT_FATAL, 0, "%s", text);
	return leat_error_at(err, option);
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct sample *self = self_;
	struct leat_value seed;

	if (self->every == 0 && self->rate <= 0)
		return leat_error_set(err, LEAT_FATAL, 0, "sample has nothing to go by, expected every or rate");
	if (self->every > 0 && self->rate > 0)
		return refuse(err, "rate", "every and rate exclude each other");
	if (self->every > 0 && self->by != NULL)
		return refuse(err, "by", "by belongs to rate; every counts the events of a key");
	if (self->rate > 0 && self->forget > 0)
		return refuse(err, "forget", "forget belongs to every; rate remembers nothing");
	leat_table_ttl(ctx, 0, self->forget);
	seed = leat_borrow(self->seed, strlen(self->seed));
	self->salt = value_hash(&seed);
	/* 2^64 is no uint64: a rate of 1 is told apart where it is compared. */
	self->limit = self->rate >= 1 ? UINT64_MAX : (uint64_t)(self->rate * 18446744073709551616.0);
	return LEAT_OK;
}

static enum leat_status choose_by_hash(const struct sample *self, const struct leat_record *record, bool *is_chosen, struct leat_error *err)
{
	const struct leat_value *by = self->by == NULL ? &record->key : leat_path_get(self->by, &record->value);
	struct leat_value both[2];
	struct leat_list list = { .item = both, .n = 2 };
	struct leat_value pair = { .type = LEAT_LIST, .n = 2, .as.list = &list };

	if (self->by == NULL && by->type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no key to choose it by");
	if (by == NULL || by->type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing", self->by->text);
	both[0] = leat_integer((int64_t)self->salt);
	both[1] = *by;
	*is_chosen = self->rate >= 1 || value_hash(&pair) < self->limit;
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct sample *self = self_;
	bool is_chosen = false;
	enum leat_status status = LEAT_OK;

	if (self->every > 0) {
		struct count *count = leat_table_get(ctx, 0, &record->key);

		is_chosen = count->events++ % self->every == 0;
	} else {
		status = choose_by_hash(self, record, &is_chosen, err);
	}
	if (status == LEAT_OK)
		leat_emit(ctx, is_chosen ? OUT : OTHER, record);
	return status;
}

static const struct leat_option options[] = {
	LEAT_OPTION(INTEGER, struct sample, every, "every", "Lets the first event of a key through and then each so-many-th.", .minimum = 1,
	            .maximum = 1e15),
	LEAT_OPTION(REAL, struct sample, rate, "rate", "Share of the values of `by` whose events are let through, chosen by a hash.",
	            .minimum = 1e-9, .maximum = 1),
	LEAT_OPTION(FIELD, struct sample, by, "by", "Field that rate chooses by; without it, the key."),
	LEAT_OPTION(TEXT, struct sample, seed, "seed", "Another text chooses others; samples with the same one agree.", .preset = ""),
	LEAT_OPTION(DURATION, struct sample, forget, "forget", "Forgets the count of a key that had no event for so long; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct sample),
	.options = options,
	.tables = tables,
	.ports = ports,
	.create = create,
	.process = process,
	.keeps_records = true,
};

LEAT_PLUGIN(.name = "sample", .version = "1.0", .summary = "Lets a part of the events through, the same part each time.",
            .licence = "Apache-2.0", .op = &ops);
