/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running figures of a field for each key. Every event goes on with its key's figures in it.
 *
 * Mean and deviation by Welford's method, sums of reals by Neumaier's, sums of integers exactly: a sum is an integer until
 * the first real comes.
 */
#include <math.h>

#include <leat/plugin.h>

enum { COUNT, SUM, MIN, MAX, MEAN, DEVIATION, N_FIGURES };
enum { AFTER, BEFORE };

static const char *const figure_names[N_FIGURES] = { "count", "sum", "min", "max", "mean", "deviation" };
static const char *const moments[] = { "after", "before", NULL };

struct aggregate {
	const struct leat_path *field;
	struct leat_pairs figures;
	const char *prefix;
	int moment;
	int64_t every, forget;

	size_t n;
	struct leat_member member[N_FIGURES]; /* n of them, without values */
	int figure[N_FIGURES];
};

struct figures {
	int64_t count;
	int64_t whole; /* sum of the integers */
	double real;   /* sum of the reals, and what rounding took from it */
	double lost;
	double mean;
	double squares; /* sum of squared distances from the mean */
	int64_t min_integer;
	int64_t max_integer;
	double min_real;
	double max_real;
	bool has_real;
	bool is_min_real;
	bool is_max_real;
};

static const struct leat_field figures_fields[] = {
	LEAT_FIELD(struct figures, count, INT64),       LEAT_FIELD(struct figures, whole, INT64),
	LEAT_FIELD(struct figures, real, DOUBLE),       LEAT_FIELD(struct figures, lost, DOUBLE),
	LEAT_FIELD(struct figures, mean, DOUBLE),       LEAT_FIELD(struct figures, squares, DOUBLE),
	LEAT_FIELD(struct figures, min_integer, INT64), LEAT_FIELD(struct figures, max_integer, INT64),
	LEAT_FIELD(struct figures, min_real, DOUBLE),   LEAT_FIELD(struct figures, max_real, DOUBLE),
	LEAT_FIELD(struct figures, has_real, BOOL),     LEAT_FIELD(struct figures, is_min_real, BOOL),
	LEAT_FIELD(struct figures, is_max_real, BOOL),
	{ 0 },
};

static const struct leat_table_spec tables[] = {
	{
		.name = "figures",
		.version = 1,
		.size = sizeof(struct figures),
		.fields = figures_fields,
		.prose = "Figures of a key so far.",
	},
	{ 0 },
};

static enum leat_status add_figure(struct aggregate *self, const char *name, const char *figure, struct leat_context *ctx,
                                   struct leat_error *err)
{
	for (int i = 0; i < N_FIGURES; i++) {
		char text[256];

		if (strcmp(figure_names[i], figure) != 0)
			continue;
		if (i != COUNT && self->field == NULL) {
			leat_error_set(err, LEAT_FATAL, 0, "%s needs a field to be the %s of", figure, figure);
			return leat_error_at(err, "figures");
		}
		(void)snprintf(text, sizeof text, "%s%s", self->prefix, name);
		self->member[self->n].symbol = leat_intern(ctx, text);
		self->figure[self->n++] = i;
		return LEAT_OK;
	}
	leat_error_set(err, LEAT_FATAL, 0, "there is no figure \"%s\", expected count, sum, min, max, mean or deviation", figure);
	return leat_error_at(err, "figures");
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct aggregate *self = self_;
	size_t n = self->figures.n;
	enum leat_status status = LEAT_OK;

	leat_table_ttl(ctx, 0, self->forget);
	if (n > N_FIGURES) {
		leat_error_set(err, LEAT_FATAL, 0, "%zu figures are too many, there are %d", n, (int)N_FIGURES);
		return leat_error_at(err, "figures");
	}
	if (n == 0)
		n = self->field == NULL ? 1 : N_FIGURES;
	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		status = self->figures.n == 0 ? add_figure(self, figure_names[i], figure_names[i], ctx, err)
		                              : add_figure(self, self->figures.item[i].name, self->figures.item[i].text, ctx, err);
	return status;
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

/* Exact between an int64 and a double: a long double has 64 bits of mantissa or more. */
static bool is_less(bool is_a_real, int64_t a_integer, double a_real, bool is_b_real, int64_t b_integer, double b_real)
{
	return (is_a_real ? (long double)a_real : (long double)a_integer) < (is_b_real ? (long double)b_real : (long double)b_integer);
}

static void update_extremes(struct figures *f, bool is_real, int64_t integer, double real)
{
	if (f->count == 0 || is_less(is_real, integer, real, f->is_min_real, f->min_integer, f->min_real)) {
		f->is_min_real = is_real;
		f->min_integer = integer;
		f->min_real = real;
	}
	if (f->count == 0 || is_less(f->is_max_real, f->max_integer, f->max_real, is_real, integer, real)) {
		f->is_max_real = is_real;
		f->max_integer = integer;
		f->max_real = real;
	}
}

static void add_real(struct figures *f, double real)
{
	double sum = f->real + real;

	f->lost += fabs(f->real) >= fabs(real) ? (f->real - sum) + real : (real - sum) + f->real;
	f->real = sum;
	f->has_real = true;
}

static enum leat_status update(struct figures *f, const struct leat_value *v, struct leat_error *err)
{
	bool is_real = v->type == LEAT_REAL;
	int64_t integer = is_real ? 0 : v->as.integer, whole = f->whole;
	double real = 0, distance;

	(void)leat_as_real(v, &real);
	if (!is_real && __builtin_add_overflow(f->whole, integer, &whole))
		return leat_error_set(err, LEAT_REJECT, 0, "the sum overflows an integer of 64 bits");
	if (!isfinite(f->real + real))
		return leat_error_set(err, LEAT_REJECT, 0, "the sum is no finite number");
	update_extremes(f, is_real, integer, real);
	f->whole = whole;
	if (is_real)
		add_real(f, real);
	f->count++;
	distance = real - f->mean;
	f->mean += distance / (double)f->count;
	f->squares += distance * (real - f->mean);
	return LEAT_OK;
}

static struct leat_value read_figure(const struct figures *f, int figure)
{
	if (figure == COUNT)
		return leat_integer(f->count);
	if (figure == SUM)
		return f->has_real ? leat_real((double)f->whole + (f->real + f->lost)) : leat_integer(f->whole);
	if (f->count == 0 || (figure == DEVIATION && f->count == 1))
		return leat_null();
	if (figure == MIN)
		return f->is_min_real ? leat_real(f->min_real) : leat_integer(f->min_integer);
	if (figure == MAX)
		return f->is_max_real ? leat_real(f->max_real) : leat_integer(f->max_integer);
	return leat_real(figure == MEAN ? f->mean : sqrt(f->squares / (double)(f->count - 1)));
}

static void read_figures(const struct aggregate *self, const struct figures *f, struct leat_member *out)
{
	for (size_t i = 0; i < self->n; i++) {
		out[i] = self->member[i];
		out[i].value = read_figure(f, self->figure[i]);
	}
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	static const struct leat_value one = { .type = LEAT_INTEGER, .as.integer = 1 };
	const struct aggregate *self = self_;
	const struct leat_value *v = self->field == NULL ? &one : leat_path_get(self->field, &record->value);
	struct leat_member member[N_FIGURES];
	struct figures *f;
	enum leat_status status;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (v != NULL && v->type != LEAT_NULL && v->type != LEAT_INTEGER && v->type != LEAT_REAL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is no number", self->field == NULL ? "" : self->field->text);
	f = leat_table_get(ctx, 0, &record->key);
	if (self->moment == BEFORE)
		read_figures(self, f, member);
	if (v != NULL && v->type != LEAT_NULL && (status = update(f, v, err)) != LEAT_OK)
		return status;
	if (self->moment == AFTER)
		read_figures(self, f, member);
	if (f->count % self->every == 0)
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, self->n));
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELD, struct aggregate, field, "field", "Number to take figures of; without one, events are only counted."),
	LEAT_OPTION(PAIRS, struct aggregate, figures, "figures",
	            "Fields to add, as name: figure, of count, sum, min, max, mean and deviation; without any, all under their own names."),
	LEAT_OPTION(TEXT, struct aggregate, prefix, "prefix", "Put in front of the names of added fields.", .preset = ""),
	LEAT_OPTION(CHOICE, struct aggregate, moment, "moment", "Whether an event's figures are those after it or those before it.",
	            .preset = "after", .choices = moments),
	LEAT_OPTION(INTEGER, struct aggregate, every, "every", "Sends on only each so-many-th event of a key.", .preset = "1",
	            .minimum = 1, .maximum = 1e15),
	LEAT_OPTION(DURATION, struct aggregate, forget, "forget", "Forgets a key that had no event for so long; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct aggregate),
	.options = options,
	.tables = tables,
	.create = create,
	.process = process,
};

LEAT_PLUGIN(.name = "aggregate", .version = "1.0", .summary = "Adds the running figures of each key to its events.",
            .licence = "Apache-2.0", .op = &ops);
