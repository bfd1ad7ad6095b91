/* SPDX-License-Identifier: Apache-2.0 */
/* How many deviations a value lies from the mean of those before it. */
#include "anomaly.h"

static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	(void)err;
	self->table = ZSCORE_TABLE;
	return LEAT_OK;
}

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	const struct zscore_state *s = state;
	double deviation = raise_to_floor(self, estimate_deviation(&s->values), s->values.mean);

	if (s->values.n < self->warmup)
		return;
	set_verdict(self, out, count_deviations(seen->value[0], s->values.mean, deviation), s->values.mean, deviation);
	out->is_below = seen->value[0] < s->values.mean;
}

static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct zscore_state *s = state;

	estimate_add(&s->values, seen->value[0], self->memory);
}

const struct detector zscore = {
	.name = "zscore", .threshold = 4, .most_fields = 1, .create = create, .judge = judge, .learn = learn,
};
