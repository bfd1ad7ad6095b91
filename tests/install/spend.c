/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody outside the tree might write: counts and sums what each user spends. */
#include <leat/plugin.h>

struct spend {
	int64_t count;
	double sum;
};

static const struct leat_field spend_fields[] = {
	LEAT_FIELD(struct spend, count, INT64), LEAT_FIELD(struct spend, sum, DOUBLE), { 0 },
};

static const struct leat_table_spec tables[] = {
	{ .name = "spend", .version = 1, .size = sizeof(struct spend), .fields = spend_fields, .prose = "What a user has spent." }, { 0 },
};

struct self {
	double minimum;
	leat_symbol user, amount, count, sum;
};

static const struct leat_option options[] = {
	LEAT_OPTION(REAL, struct self, minimum, "minimum", "Smaller amounts are rejected.", .preset = "0"), { 0 },
};

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct self *self = self_;

	(void)err;
	self->user = leat_intern(ctx, "user");
	self->amount = leat_intern(ctx, "amount");
	self->count = leat_intern(ctx, "count");
	self->sum = leat_intern(ctx, "sum");
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct self *self = self_;
	struct spend *spend = leat_table_get(ctx, 0, &record->key);
	double amount;

	if (!leat_as_real(leat_map_get(&record->value, self->amount), &amount))
		return leat_error_set(err, LEAT_REJECT, 0, "field \"amount\" is missing or not a number");
	spend->count++;
	spend->sum += amount;
	/* Too late on purpose: the host takes the change back. */
	if (amount < self->minimum)
		return leat_error_set(err, LEAT_REJECT, 0, "amount %g is below the minimum %g", amount, self->minimum);
	const struct leat_member members[] = {
		{ .symbol = self->user, .value = record->key },
		{ .symbol = self->count, .value = leat_integer(spend->count) },
		{ .symbol = self->sum, .value = leat_real(spend->sum) },
	};
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, NULL, members, sizeof members / sizeof *members));
	return LEAT_OK;
}

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct self),
	.options = options,
	.tables = tables,
	.create = create,
	.process = process,
};

LEAT_PLUGIN(.name = "spend", .version = "1.0", .summary = "Count and sum per key.", .licence = "Apache-2.0", .op = &ops);
