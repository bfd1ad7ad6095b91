/* SPDX-License-Identifier: Apache-2.0 */
/* The operator: options, the events' way through a detector, and what is added to them. */
#include "anomaly.h"

#include <stdlib.h>

#include "../shared/clash.h"

static const struct detector *const detectors[] = { &zscore, &ewma, &mad, &cusum, &seasonal, &forest };
static const char *const method_names[] = { "zscore", "ewma", "mad", "cusum", "seasonal", "forest", NULL };
static const char *const learn_names[] = { "damped", "all", "none", NULL };
static const char *const season_names[] = { "day", "week", "both", NULL };
static const char *const figure_names[N_FIGURES] = { "score", "expected", "deviation", "is_anomaly" };
static const char *const reason_names[N_REASONS] = { "method",    "field", "value",     "expected", "deviation",
	                                             "score",     "threshold", "side",  "average" };

enum { OUT, ALERTS };

static const char *const ports[] = { "out", "alerts", NULL };

/* ---- options ----------------------------------------------------------------------------------------------------- */

uint64_t mix(uint64_t x)
{
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

void add_to_shape(struct anomaly *self, int64_t part)
{
	self->shape = (int64_t)mix((uint64_t)self->shape + (uint64_t)part + UINT64_C(0x9e3779b97f4a7c15));
}

/* With the end of the text, so that two of them are not one. */
static void add_text_to_shape(struct anomaly *self, const char *text)
{
	do
		add_to_shape(self, (unsigned char)*text);
	while (*text++ != '\0');
}

bool choose_table(struct anomaly *self, uint32_t from, uint32_t until, size_t size)
{
	for (uint32_t i = from; i < until; i++) {
		if (anomaly_tables[i].size < size)
			continue;
		self->table = i;
		return true;
	}
	return false;
}

static enum leat_status add_figure(struct anomaly *self, const char *name, const char *figure, struct leat_context *ctx,
                                   struct leat_error *err)
{
	for (int i = 0; i < N_FIGURES; i++) {
		char text[256];

		if (strcmp(figure_names[i], figure) != 0)
			continue;
		(void)snprintf(text, sizeof text, "%s%s", self->prefix, name);
		self->added[self->n_added].symbol = leat_intern(ctx, text);
		self->figure[self->n_added++] = i;
		return LEAT_OK;
	}
	leat_error_set(err, LEAT_FATAL, 0, "there is no figure \"%s\", expected score, expected, deviation or is_anomaly", figure);
	return leat_error_at(err, "figures");
}

static enum leat_status add_figures(struct anomaly *self, struct leat_context *ctx, struct leat_error *err)
{
	size_t n = self->figures.n;
	enum leat_status status = LEAT_OK;

	if (n > N_FIGURES) {
		leat_error_set(err, LEAT_FATAL, 0, "%zu figures are too many, there are %d", n, (int)N_FIGURES);
		return leat_error_at(err, "figures");
	}
	for (size_t i = 0; i < N_FIGURES && n == 0 && status == LEAT_OK; i++)
		status = add_figure(self, figure_names[i], figure_names[i], ctx, err);
	for (size_t i = 0; i < n && status == LEAT_OK; i++)
		status = add_figure(self, self->figures.item[i].name, self->figures.item[i].text, ctx, err);
	return status;
}

static void add_reasons(struct anomaly *self, struct leat_context *ctx)
{
	char text[256];

	(void)snprintf(text, sizeof text, "%swhy", self->prefix);
	self->why.symbol = leat_intern(ctx, text);
	for (size_t i = 0; i < N_REASONS; i++)
		self->reason[i].symbol = leat_intern(ctx, reason_names[i]);
}

/* An alert has `why` besides the figures, and none of them may take the place of the key. */
static enum leat_status check_names(const struct anomaly *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_path *field;

	for (size_t i = 0; i < self->n_added; i++)
		if (self->added[i].symbol == self->why.symbol)
			return clash(err, "figures", self->figures.item[i].name);
	for (size_t k = 0; (field = leat_key_field(ctx, k)) != NULL; k++)
		for (size_t i = 0; i < self->n_added && field->n == 1; i++)
			if (self->added[i].symbol == field->symbol[0])
				return clash(err, "key", field->text);
	return LEAT_OK;
}

static enum leat_status check_options(const struct anomaly *self, struct leat_error *err)
{
	if (self->fields.n > self->detector->most_fields) {
		leat_error_set(err, LEAT_FATAL, 0, "%s takes %zu field%s, found %zu", self->detector->name, self->detector->most_fields,
		               self->detector->most_fields == 1 ? "" : "s at most", self->fields.n);
		return leat_error_at(err, "field");
	}
	if (self->memory == 1) {
		leat_error_set(err, LEAT_FATAL, 0, "a memory of 1 value has no deviation, expected 0 or 2 and more");
		return leat_error_at(err, "memory");
	}
	return LEAT_OK;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct anomaly *self = self_;
	enum leat_status status;

	self->detector = detectors[self->method];
	status = check_options(self, err);
	if (status != LEAT_OK)
		return status;
	if (self->threshold == 0)
		self->threshold = self->detector->threshold;
	for (size_t i = 0; i < self->fields.n; i++)
		add_text_to_shape(self, self->fields.item[i]->text);
	status = self->detector->create(self, err);
	if (status != LEAT_OK)
		return status;
	self->shape |= 1; /* 0 is a new entry */
	self->state_size = anomaly_tables[self->table].size;
	for (uint32_t i = 0; i < N_TABLES; i++) /* what other options have left in the others goes the same way */
		leat_table_ttl(ctx, i, self->forget_us);
	add_reasons(self, ctx);
	status = add_figures(self, ctx, err);
	return status == LEAT_OK ? check_names(self, ctx, err) : status;
}

static void destroy(void *self_)
{
	struct anomaly *self = self_;

	free(self->work);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

static enum leat_status observe_field(const struct leat_path *field, const struct leat_record *record, double *out,
                                      struct leat_error *err)
{
	const struct leat_value *v = leat_path_get(field, &record->value);

	if (v == NULL || v->type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing", field->text);
	if (!leat_as_real(v, out))
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is no number", field->text);
	if (!(fabs(*out) <= VALUE_MAX))
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is %g, expected %g at most in size", field->text, *out, VALUE_MAX);
	return LEAT_OK;
}

static enum leat_status observe(const struct anomaly *self, const struct leat_record *record, struct observation *out,
                                struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (self->detector->needs_time && record->time_us == LEAT_NO_TIME)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no time, which its season is found by");
	out->time_us = record->time_us;
	for (size_t i = 0; i < self->fields.n && status == LEAT_OK; i++)
		status = observe_field(self->fields.item[i], record, &out->value[i], err);
	return status;
}

/* The state of the key, begun anew where it was made with other options. */
static void *open_state(const struct anomaly *self, const struct leat_value *key, struct leat_context *ctx)
{
	int64_t *shape = leat_table_get(ctx, self->table, key);

	if (*shape != self->shape) {
		memset(shape, 0, self->state_size);
		*shape = self->shape;
	}
	return shape;
}

static void learn(const struct anomaly *self, void *state, const struct verdict *verdict, struct observation seen)
{
	double limit = self->detector->limit > 0 ? self->detector->limit : self->threshold;

	if (verdict->is_anomaly && self->learn == LEARN_NONE)
		return;
	if (verdict->is_anomaly && self->learn == LEARN_DAMPED) {
		if (self->detector->damp != NULL)
			self->detector->damp(self, state, verdict, &seen);
		else
			seen.value[0] = pull_back(seen.value[0], verdict->expected, limit * verdict->deviation);
	}
	self->detector->learn(self, state, &seen);
}

static struct leat_value read_figure(const struct verdict *verdict, int figure)
{
	if (figure == IS_ANOMALY)
		return leat_bool(verdict->is_anomaly);
	if (!verdict->has_score)
		return leat_null();
	return leat_real(figure == SCORE ? verdict->score : figure == EXPECTED ? verdict->expected : verdict->deviation);
}

static struct leat_value explain(const struct anomaly *self, const struct verdict *verdict, const struct leat_record *record,
                                 struct leat_context *ctx)
{
	const struct leat_path *field = self->fields.item[verdict->field];
	const struct leat_value *value = leat_path_get(field, &record->value);
	struct leat_member reason[N_REASONS];

	memcpy(reason, self->reason, sizeof reason);
	reason[METHOD].value = leat_borrow(self->detector->name, strlen(self->detector->name));
	reason[FIELD].value = leat_borrow(field->text, strlen(field->text));
	reason[VALUE].value = value != NULL ? *value : leat_null();
	reason[REASON_EXPECTED].value = leat_real(verdict->expected);
	reason[REASON_DEVIATION].value = leat_real(verdict->deviation);
	reason[REASON_SCORE].value = leat_real(verdict->score);
	reason[THRESHOLD].value = leat_real(self->threshold);
	reason[SIDE].value = leat_borrow(verdict->is_below ? "below" : "above", 5);
	reason[AVERAGE].value = leat_real(verdict->average);
	return leat_map_with(ctx, NULL, reason, verdict->has_average ? N_REASONS : AVERAGE);
}

static void emit(const struct anomaly *self, const struct verdict *verdict, const struct leat_record *record,
                 struct leat_context *ctx)
{
	struct leat_member added[N_FIGURES], why = self->why;
	struct leat_value value;

	memcpy(added, self->added, sizeof added);
	for (size_t i = 0; i < self->n_added; i++)
		added[i].value = read_figure(verdict, self->figure[i]);
	value = leat_map_with(ctx, &record->value, added, self->n_added);
	leat_emit_value(ctx, OUT, record, value);
	if (!verdict->is_anomaly)
		return;
	why.value = explain(self, verdict, record, ctx);
	leat_emit_value(ctx, ALERTS, record, leat_map_with(ctx, &value, &why, 1));
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct anomaly *self = self_;
	struct observation seen = { .time_us = LEAT_NO_TIME };
	struct verdict verdict = { .has_score = false };
	enum leat_status status = observe(self, record, &seen, err);
	void *state;

	if (status != LEAT_OK)
		return status;
	state = open_state(self, &record->key, ctx);
	self->detector->judge(self, state, &seen, &verdict);
	learn(self, state, &verdict, seen);
	emit(self, &verdict, record, ctx);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELDS, struct anomaly, fields, "field", "Number to judge events by; forest takes up to eight.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(CHOICE, struct anomaly, method, "method", "Detector.", .preset = "zscore", .choices = method_names),
	LEAT_OPTION(REAL, struct anomaly, threshold, "threshold",
	            "Score above which an event is an anomaly; 0: zscore and ewma 4, mad and seasonal 5, cusum 8, forest 0.97.",
	            .preset = "0", .minimum = 0, .maximum = 1e6),
	LEAT_OPTION(INTEGER, struct anomaly, warmup, "warmup", "Events of a key that are only learned.", .preset = "30", .minimum = 2,
	            .maximum = 1e6),
	LEAT_OPTION(CHOICE, struct anomaly, learn, "learn",
	            "What is learned of an anomaly: its value pulled back to where anomalies begin, all of it, or nothing.",
	            .preset = "damped", .choices = learn_names),
	LEAT_OPTION(INTEGER, struct anomaly, memory, "memory",
	            "Values after which older ones have faded, for all but mad and forest; 0: all count alike.", .preset = "0",
	            .minimum = 0, .maximum = 1e9),
	LEAT_OPTION(REAL, struct anomaly, floor, "floor", "Deviations that are smaller count as this.", .preset = "0", .minimum = 0,
	            .maximum = VALUE_MAX),
	LEAT_OPTION(INTEGER, struct anomaly, window, "window",
	            "Of mad: values that the median is taken of; of forest: events that masses are counted for.", .preset = "100",
	            .minimum = 3, .maximum = 2048),
	LEAT_OPTION(REAL, struct anomaly, lambda, "lambda", "Of ewma: share of the newest value in the moving average.",
	            .preset = "0.2", .minimum = 0.001, .maximum = 1),
	LEAT_OPTION(REAL, struct anomaly, slack, "slack", "Of cusum: deviations by which a value may be off without counting.",
	            .preset = "0.5", .minimum = 0, .maximum = 100),
	LEAT_OPTION(CHOICE, struct anomaly, season, "season", "Of seasonal: the season, by event time in UTC.", .preset = "day",
	            .choices = season_names),
	LEAT_OPTION(DURATION, struct anomaly, slot_us, "slot", "Of seasonal: the step of the season, which has to divide a day.",
	            .preset = "1h", .minimum = 300e6, .maximum = 43200e6),
	LEAT_OPTION(REAL, struct anomaly, alpha, "alpha", "Of seasonal: share of a slot's error that the level takes.", .preset = "0.1",
	            .minimum = 0, .maximum = 1),
	LEAT_OPTION(REAL, struct anomaly, beta, "beta", "Of seasonal: share of the level's change that the trend takes.",
	            .preset = "0", .minimum = 0, .maximum = 1),
	LEAT_OPTION(REAL, struct anomaly, gamma, "gamma", "Of seasonal: share of a slot's error that the season takes.",
	            .preset = "0.2", .minimum = 0, .maximum = 1),
	LEAT_OPTION(INTEGER, struct anomaly, trees, "trees", "Of forest: number of trees.", .preset = "25", .minimum = 1, .maximum = 1000),
	LEAT_OPTION(INTEGER, struct anomaly, depth, "depth", "Of forest: depth of the trees.", .preset = "6", .minimum = 1, .maximum = 12),
	LEAT_OPTION(INTEGER, struct anomaly, seed, "seed", "Of forest: another seed, other trees.", .preset = "1", .minimum = 0,
	            .maximum = 1e15),
	LEAT_OPTION(PAIRS, struct anomaly, figures, "figures",
	            "Fields to add, as name: figure, of score, expected, deviation and is_anomaly; without any, all under their own names."),
	LEAT_OPTION(TEXT, struct anomaly, prefix, "prefix", "Put in front of the names of added fields.", .preset = ""),
	LEAT_OPTION(DURATION, struct anomaly, forget_us, "forget", "Forgets a key that had no event for so long; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct anomaly),
	.options = options,
	.tables = anomaly_tables,
	.ports = ports,
	.create = create,
	.process = process,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "anomaly", .version = "1.0", .summary = "Scores events by how unlike those of their key before them they are.",
            .licence = "Apache-2.0", .op = &ops);
