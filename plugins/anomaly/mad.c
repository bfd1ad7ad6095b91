/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a value lies from the median of the last ones, in units of their median distance from it (Hampel 1974; Iglewicz and
 * Hoaglin 1993): up to half of them may be anomalies without moving either by much. Both are exact, over the window.
 */
#include <stdlib.h>

#include "anomaly.h"

/* What makes a deviation, as the normal distribution has it, of the median and of the mean distance: 1 / Phi^-1(3/4), sqrt(pi / 2). */
#define OF_MEDIAN 1.482602218505602
#define OF_MEAN 1.2533141373155001

static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	if (self->warmup > self->window) {
		leat_error_set(err, LEAT_FATAL, 0, "a warm-up of %lld values does not fit into a window of %lld", (long long)self->warmup,
		               (long long)self->window);
		return leat_error_at(err, "warmup");
	}
	(void)choose_table(self, MAD_TABLES, SEASONAL_TABLES, sizeof(struct mad_state) + (size_t)self->window * sizeof(double));
	add_to_shape(self, self->window);
	self->work = malloc((size_t)self->window * sizeof(double));
	return self->work != NULL ? LEAT_OK : leat_error_set(err, LEAT_FATAL, 0, "could not get memory for a window");
}

/* ---- medians ----------------------------------------------------------------------------------------------------- */

static void swap(double *a, double *b)
{
	double t = *a;

	*a = *b;
	*b = t;
}

/* Puts the k-th smallest in its place, with none larger before it and none smaller after it (Hoare 1961). */
static double select_kth(double *v, size_t n, size_t k)
{
	size_t low = 0, high = n - 1;

	while (low < high) {
		double pivot = v[low + (high - low) / 2];
		size_t i = low, j = high;

		for (;;) {
			while (v[i] < pivot)
				i++;
			while (v[j] > pivot)
				j--;
			if (i >= j)
				break;
			swap(&v[i++], &v[j--]);
		}
		/* [low, j] are at most the pivot, the others at least. */
		if (k <= j)
			high = j;
		else
			low = j + 1;
	}
	return v[k];
}

static double find_median(double *v, size_t n)
{
	double upper = select_kth(v, n, n / 2), lower = v[0];

	if (n % 2 == 1)
		return upper;
	for (size_t i = 1; i < n / 2; i++)
		lower = v[i] > lower ? v[i] : lower;
	return lower + (upper - lower) / 2;
}

/* Where more than half of the values are the same their median distance is 0: then the mean distance. */
static double find_deviation(double *v, size_t n, double median)
{
	double sum = 0, middle;

	for (size_t i = 0; i < n; i++) {
		v[i] = fabs(v[i] - median);
		sum += v[i];
	}
	middle = find_median(v, n);
	return middle > 0 ? OF_MEDIAN * middle : OF_MEAN * (sum / (double)n);
}

/* ---- the detector ------------------------------------------------------------------------------------------------ */

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	const struct mad_state *s = state;
	size_t n = (size_t)(s->learned < self->window ? s->learned : self->window);
	double median, deviation;

	if (s->learned < self->warmup)
		return;
	memcpy(self->work, s->value, n * sizeof s->value[0]);
	median = find_median(self->work, n);
	deviation = raise_to_floor(self, find_deviation(self->work, n, median), median);
	set_verdict(self, out, count_deviations(seen->value[0], median, deviation), median, deviation);
	out->is_below = seen->value[0] < median;
}

static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct mad_state *s = state;

	s->value[s->learned++ % self->window] = seen->value[0];
}

const struct detector mad = {
	.name = "mad", .threshold = 5, .most_fields = 1, .create = create, .judge = judge, .learn = learn,
};
