/* SPDX-License-Identifier: Apache-2.0 */
/* Lets events through for which an expression is true. Unknown (null) is not true, so those go to `other` as well. */
#include <leat/plugin.h>

struct filter {
	const struct leat_expression *where;
};

enum { OUT, OTHER };

static const char *const ports[] = { "out", "other", NULL };

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct filter *self = self_;
	struct leat_value verdict;
	enum leat_status status = leat_evaluate(ctx, self->where, record, &verdict, err);

	if (status != LEAT_OK)
		return status;
	if (verdict.type != LEAT_BOOL && verdict.type != LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "the condition gives neither true nor false nor null");
	leat_emit(ctx, verdict.type == LEAT_BOOL && verdict.as.boolean ? OUT : OTHER, record);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(EXPRESSION, struct filter, where, "where", "Condition that an event has to meet.", .flags = LEAT_OPTION_REQUIRED),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct filter),
	.options = options,
	.ports = ports,
	.process = process,
	.keeps_records = true,
};

LEAT_PLUGIN(.name = "filter", .version = "1.0", .summary = "Lets events through that meet a condition.", .licence = "Apache-2.0",
            .op = &ops);
