/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Half-space trees (Tan, Ting and Liu 2011, "Fast anomaly detection for streaming data", IJCAI): trees of one depth that halve the
 * space of the fields at random, made before any event is seen, and count how many events of a window fall into each node. An event
 * is scored by the masses of the window before its own:
 *
 *     s = sum over trees of mass(node) 2^depth(node),  node: the first on the event's way whose mass is at most a tenth of the window
 *
 * There s is small for anomalies, and of no certain size. Here it is held against the mean that it has over the events of that
 * window, which follows from the masses: score = 1 / (1 + s / mean) is 1/2 for such events, and close to 1 far from all of them.
 *
 * The trees want fields in [0, 1]. A field's range is its mean -3 to +3 deviations in the window before the one that is counted,
 * and goes along with the masses: the first `warmup` events only give the first range, the next `window` events the first masses.
 *
 * The trees follow from the seed alone, so that only masses are state. A tree is an array: node i has the children 2 i + 1, 2 i + 2.
 */
#include <stdlib.h>

#include "anomaly.h"

enum { RANGE_DEVIATIONS = 3 };

struct split {
	double at; /* the left child has what is less */
	size_t field;
};

/* ---- trees ------------------------------------------------------------------------------------------------------- */

static size_t count_nodes(const struct anomaly *self)
{
	return ((size_t)2 << self->depth) - 1;
}

static double draw_unit(uint64_t *state)
{
	return (double)(mix(*state += UINT64_C(0x9e3779b97f4a7c15)) >> 11) * 0x1p-53;
}

struct space {
	double from[MAX_FIELDS];
	double until[MAX_FIELDS];
};

/* Around a random point of the unit cube, far enough to have all of it inside. */
static void draw_space(const struct anomaly *self, struct space *space, uint64_t *chance)
{
	for (size_t i = 0; i < self->fields.n; i++) {
		double at = draw_unit(chance), reach = 2 * (at > 1 - at ? at : 1 - at);

		space->from[i] = at - reach;
		space->until[i] = at + reach;
	}
}

static void split_node(const struct anomaly *self, struct split *split, size_t node, struct space *space, uint64_t *chance)
{
	size_t field = (size_t)(draw_unit(chance) * (double)self->fields.n);
	double from = space->from[field], until = space->until[field], middle = from + (until - from) / 2;

	split[node].field = field;
	split[node].at = middle;
	if (2 * node + 1 >= count_nodes(self) / 2)
		return;
	space->until[field] = middle;
	split_node(self, split, 2 * node + 1, space, chance);
	space->until[field] = until;
	space->from[field] = middle;
	split_node(self, split, 2 * node + 2, space, chance);
	space->from[field] = from;
}

static enum leat_status create(struct anomaly *self, struct leat_error *err)
{
	size_t n_nodes = count_nodes(self), n_masses = 2 * (size_t)self->trees * n_nodes;
	uint64_t chance = (uint64_t)self->seed;
	struct split *split;

	if (!choose_table(self, FOREST_TABLES, N_TABLES, sizeof(struct forest_state) + n_masses * sizeof(uint16_t))) {
		leat_error_set(err, LEAT_FATAL, 0, "%lld trees of depth %lld have %zu nodes, expected at most %d", (long long)self->trees,
		               (long long)self->depth, n_masses / 2, FOREST_MASSES / 2);
		return leat_error_at(err, "trees");
	}
	add_to_shape(self, self->window);
	add_to_shape(self, self->trees);
	add_to_shape(self, self->depth);
	add_to_shape(self, self->seed);
	split = malloc((size_t)self->trees * (n_nodes / 2) * sizeof *split);
	if (split == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get memory for %lld trees", (long long)self->trees);
	self->work = split;
	for (int64_t i = 0; i < self->trees; i++, split += n_nodes / 2) {
		struct space space;

		draw_space(self, &space, &chance);
		split_node(self, split, 0, &space, &chance);
	}
	return LEAT_OK;
}

/* ---- masses ------------------------------------------------------------------------------------------------------ */

/* Into [0, 1] where it is in the range; not farther than [-2, 3], where no tree has anything but a side. */
static void normalise(const struct anomaly *self, const struct range *range, const double *value, double *out)
{
	for (size_t i = 0; i < self->fields.n; i++) {
		double n = count_deviations(value[i], range->expected[i], range->deviation[i]);
		double x = 0.5 + copysign(n, value[i] - range->expected[i]) / (2 * RANGE_DEVIATIONS);

		out[i] = x < -2 ? -2 : x > 3 ? 3 : x;
	}
}

static size_t descend(const struct split *split, size_t node, const double *x)
{
	return 2 * node + (x[split[node].field] < split[node].at ? 1 : 2);
}

static void count_mass(const struct anomaly *self, struct forest_state *s, const double *x)
{
	size_t n_nodes = count_nodes(self), n_splits = n_nodes / 2;
	const struct split *split = self->work;
	uint16_t *mass = s->mass + (size_t)self->trees * n_nodes;

	for (int64_t i = 0; i < self->trees; i++, split += n_splits, mass += n_nodes) {
		size_t node = 0;

		for (mass[0]++; node < n_splits; mass[node]++)
			node = descend(split, node, x);
	}
}

static bool is_terminal(const struct anomaly *self, size_t node, uint16_t mass)
{
	return node >= count_nodes(self) / 2 || 10 * mass <= self->window;
}

static double sum_masses(const struct anomaly *self, const struct forest_state *s, const double *x)
{
	size_t n_nodes = count_nodes(self);
	const struct split *split = self->work;
	const uint16_t *mass = s->mass;
	double sum = 0;

	for (int64_t i = 0; i < self->trees; i++, split += n_nodes / 2, mass += n_nodes) {
		size_t node = 0, times = 1;

		for (; !is_terminal(self, node, mass[node]); times *= 2)
			node = descend(split, node, x);
		sum += (double)(mass[node] * times);
	}
	return sum;
}

/* The sum of that over the events of the window: mass(node) of them end in a node. */
static double sum_below(const struct anomaly *self, const uint16_t *mass, size_t node, double times)
{
	if (is_terminal(self, node, mass[node]))
		return (double)mass[node] * (double)mass[node] * times;
	return sum_below(self, mass, 2 * node + 1, 2 * times) + sum_below(self, mass, 2 * node + 2, 2 * times);
}

static double find_mean(const struct anomaly *self, const struct forest_state *s)
{
	double sum = 0;

	for (int64_t i = 0; i < self->trees; i++)
		sum += sum_below(self, s->mass + (size_t)i * count_nodes(self), 0, 1);
	return sum / (double)self->window;
}

/* ---- the detector ------------------------------------------------------------------------------------------------ */

static void judge(const struct anomaly *self, void *state, const struct observation *seen, struct verdict *out)
{
	const struct forest_state *s = state;
	const struct range *range = &s->reference;
	double x[MAX_FIELDS], farthest = -1;

	if (s->stage < 2)
		return;
	normalise(self, range, seen->value, x);
	for (size_t i = 0; i < self->fields.n; i++) {
		double n = count_deviations(seen->value[i], range->expected[i], range->deviation[i]);

		if (n > farthest) {
			farthest = n;
			out->field = i;
		}
	}
	set_verdict(self, out, 1 / (1 + sum_masses(self, s, x) / s->mean), range->expected[out->field], range->deviation[out->field]);
	out->is_below = seen->value[out->field] < range->expected[out->field];
}

static void turn_window(const struct anomaly *self, struct forest_state *s)
{
	size_t n = (size_t)self->trees * count_nodes(self);

	if (s->stage > 0) {
		s->reference = s->latest;
		memcpy(s->mass, s->mass + n, n * sizeof *s->mass);
		memset(s->mass + n, 0, n * sizeof *s->mass);
		s->mean = find_mean(self, s);
	}
	for (size_t i = 0; i < self->fields.n; i++) {
		s->latest.expected[i] = s->gathered[i].mean;
		s->latest.deviation[i] = raise_to_floor(self, estimate_deviation(&s->gathered[i]), s->gathered[i].mean);
	}
	memset(s->gathered, 0, sizeof s->gathered);
	s->n = 0;
	s->stage += s->stage < 2;
}

static void damp(const struct anomaly *self, const void *state, const struct verdict *verdict, struct observation *seen)
{
	const struct forest_state *s = state;

	(void)verdict;
	for (size_t i = 0; i < self->fields.n; i++)
		seen->value[i] = pull_back(seen->value[i], s->reference.expected[i], RANGE_DEVIATIONS * s->reference.deviation[i]);
}

static void learn(const struct anomaly *self, void *state, const struct observation *seen)
{
	struct forest_state *s = state;
	double x[MAX_FIELDS];

	if (s->stage > 0) {
		normalise(self, &s->latest, seen->value, x);
		count_mass(self, s, x);
	}
	for (size_t i = 0; i < self->fields.n; i++)
		estimate_add(&s->gathered[i], seen->value[i], 0);
	s->n++;
	if (s->n >= (s->stage == 0 ? self->warmup : self->window))
		turn_window(self, s);
}

const struct detector forest = {
	.name = "forest", .threshold = 0.97, .most_fields = MAX_FIELDS, .create = create, .judge = judge, .damp = damp, .learn = learn,
};
