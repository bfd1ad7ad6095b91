/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control chart of an exponentially weighted moving average (Roberts 1959; NIST/SEMATECH e-Handbook 6.3.2.4): small shifts that
 * last add up in the average, while noise does not.
 *
 *     average += lambda (x - average),  width^2 = deviation^2 lambda / (2 - lambda) (1 - (1 - lambda)^(2 t))
 *
 * begun at the mean, again after each anomaly, as one that is out of control would stay so for long.
 */
#include "anomaly.h"


static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	(void)err;
	self->table = EWMA_TABLE;
	return LEAT_OK;
}

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	struct ewma_state *s = state;
	double lambda = self->lambda, deviation = raise_to_floor(self, estimate_deviation(&s->values), s->values.mean), width;

	if (s->values.n < self->warmup)
		return;
	if (!s->is_begun) {
		s->is_begun = true;
		s->average = s->values.mean;
		s->decay = 1;
	}
	s->average += lambda * (seen->value[0] - s->average);
	s->decay *= (1 - lambda) * (1 - lambda);
	width = deviation * sqrt(lambda / (2 - lambda) * (1 - s->decay));
	set_verdict(self, out, count_deviations(s->average, s->values.mean, width), s->values.mean, deviation);
	out->has_average = true;
	out->average = s->average;
	out->is_below = s->average < s->values.mean;
	s->is_begun = !out->is_anomaly;
}

static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct ewma_state *s = state;

	estimate_add(&s->values, seen->value[0], self->memory);
}

const struct detector ewma = {
	.name = "ewma", .threshold = 4, .limit = 3, .most_fields = 1, .create = create, .judge = judge, .learn = learn,
};
