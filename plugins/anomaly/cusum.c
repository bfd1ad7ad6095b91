/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cumulative sums on both sides (Page 1954; NIST/SEMATECH e-Handbook 6.3.2.3) of values standardised by the mean and deviation of
 * those before them: a value counts with how much farther than `slack` deviations it lies on that side.
 *
 *     above = max(0, above + z - slack),  below = max(0, below - z - slack)
 *
 * Both begin at 0, again after each anomaly.
 */
#include "anomaly.h"

static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	(void)err;
	self->table = CUSUM_TABLE;
	return LEAT_OK;
}

static double add_to_sum(double sum, double more)
{
	return sum + more > 0 ? sum + more : 0;
}

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	struct cusum_state *s = state;
	double deviation = raise_to_floor(self, estimate_deviation(&s->values), s->values.mean), z;

	if (s->values.n < self->warmup)
		return;
	z = copysign(count_deviations(seen->value[0], s->values.mean, deviation), seen->value[0] - s->values.mean);
	s->above = add_to_sum(s->above, z - self->slack);
	s->below = add_to_sum(s->below, -z - self->slack);
	set_verdict(self, out, s->above > s->below ? s->above : s->below, s->values.mean, deviation);
	out->is_below = s->below > s->above;
	if (out->is_anomaly)
		s->above = s->below = 0;
}

static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct cusum_state *s = state;

	estimate_add(&s->values, seen->value[0], self->memory);
}

const struct detector cusum = {
	.name = "cusum", .threshold = 8, .limit = 3, .most_fields = 1, .create = create, .judge = judge, .learn = learn,
};
