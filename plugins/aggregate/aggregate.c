/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running figures for each key. Every event goes on with its key's figures in it.
 *
 * There are two ways to keep them. Figures of one number have a row of fixed size that is changed in place; aggregates of any
 * kind are folded (plugins/shared/fold.h) and stored anew with each event, which takes about twice as long.
 */
#include "../shared/clash.h"
#include "../shared/fold.h"
#include "figures.h"

enum { AFTER, BEFORE };
enum { FIGURES, AGGREGATES, EVENTS };

static const char *const figure_names[N_FIGURES] = { "count", "sum", "min", "max", "mean", "deviation" };
static const char *const moments[] = { "after", "before", NULL };

struct aggregate {
	const struct leat_path *field;
	struct leat_pairs figures;
	const char *prefix;
	struct leat_aggregates aggregates;
	int moment;
	int64_t every, forget;

	size_t n;
	struct leat_member member[N_FIGURES]; /* n of them, without values */
	int figure[N_FIGURES];
	struct fold fold; /* of `aggregates`, or zeroed */
};

struct events {
	int64_t count;
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

static const struct leat_field events_fields[] = { LEAT_FIELD(struct events, count, INT64), { 0 } };

static const struct leat_table_spec tables[] = {
	[FIGURES] = {
		.name = "figures",
		.version = 1,
		.size = sizeof(struct figures),
		.fields = figures_fields,
		.prose = "Figures of a key so far.",
	},
	[AGGREGATES] = { .name = "aggregates", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "Aggregates of a key so far." },
	[EVENTS] = {
		.name = "events",
		.version = 1,
		.size = sizeof(struct events),
		.fields = events_fields,
		.prose = "Events of a key so far, where not each is sent on and the figures do not count them all.",
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

static enum leat_status choose_figures(struct aggregate *self, struct leat_context *ctx, struct leat_error *err)
{
	size_t n = self->figures.n;
	enum leat_status status = LEAT_OK;

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

/* What is added may not take the place of the key. */
static enum leat_status check_key(const struct aggregate *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_path *field;

	for (size_t k = 0; (field = leat_key_field(ctx, k)) != NULL; k++) {
		if (field->n > 1)
			continue;
		for (size_t i = 0; i < self->n; i++)
			if (self->member[i].symbol == field->symbol[0])
				return clash(err, "key", field->text);
		for (size_t i = 0; i < self->aggregates.n; i++)
			if (self->aggregates.item[i].name == field->symbol[0])
				return clash(err, "key", field->text);
	}
	return LEAT_OK;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct aggregate *self = self_;
	enum leat_status status;

	for (uint32_t table = FIGURES; table <= EVENTS; table++)
		leat_table_ttl(ctx, table, self->forget);
	if (self->aggregates.item == NULL) {
		status = choose_figures(self, ctx, err);
		return status == LEAT_OK ? check_key(self, ctx, err) : status;
	}
	if (self->field != NULL || self->figures.n > 0 || self->prefix[0] != '\0') {
		leat_error_set(err, LEAT_FATAL, 0, "aggregates say themselves what they are of, and go without field, figures and prefix");
		return leat_error_at(err, "aggregate");
	}
	status = check_key(self, ctx, err);
	if (status != LEAT_OK)
		return status;
	return fold_open(&self->fold, &self->aggregates, ctx, err) == LEAT_OK ? LEAT_OK : leat_error_at(err, "aggregate");
}

static void destroy(void *self_)
{
	struct aggregate *self = self_;

	fold_close(&self->fold);
}

/* By the events of the key, whatever is in them: the figures count those that have the field. */
static bool is_sent_on(const struct aggregate *self, const struct leat_record *record, struct leat_context *ctx)
{
	struct events *events;

	if (self->every == 1)
		return true;
	events = leat_table_get(ctx, EVENTS, &record->key);
	return ++events->count % self->every == 0;
}

/* ---- figures of one number ---------------------------------------------------------------------------------------- */

static void read_figures(const struct aggregate *self, const struct figures *f, struct leat_member *out)
{
	for (size_t i = 0; i < self->n; i++) {
		out[i] = self->member[i];
		out[i].value = figures_read(f, self->figure[i]);
	}
}

static enum leat_status process_figures(const struct aggregate *self, const struct leat_record *record, struct leat_context *ctx,
                                        struct leat_error *err)
{
	static const struct leat_value one = { .type = LEAT_INTEGER, .as.integer = 1 };
	const struct leat_value *v = self->field == NULL ? &one : leat_path_get(self->field, &record->value);
	struct leat_member member[N_FIGURES];
	struct figures *f;
	enum leat_status status;

	if (v != NULL && v->type != LEAT_NULL && v->type != LEAT_INTEGER && v->type != LEAT_REAL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is no number", self->field == NULL ? "" : self->field->text);
	f = leat_table_get(ctx, FIGURES, &record->key);
	if (self->moment == BEFORE)
		read_figures(self, f, member);
	if (v != NULL && v->type != LEAT_NULL && (status = figures_add(f, v, err)) != LEAT_OK)
		return status;
	if (self->moment == AFTER)
		read_figures(self, f, member);
	if (self->field == NULL ? f->count % self->every == 0 : is_sent_on(self, record, ctx))
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, self->n));
	return LEAT_OK;
}

/* ---- aggregates --------------------------------------------------------------------------------------------------- */

/* What they come to goes into `member`. */
static enum leat_status update_aggregates(const struct aggregate *self, const struct leat_record *record, struct leat_member *member,
                                          struct leat_context *ctx, struct leat_error *err)
{
	struct fold_state *state = fold_make(&self->fold, ctx);
	enum leat_status status = fold_load(&self->fold, state, leat_table_value(ctx, AGGREGATES, &record->key), ctx, err);
	struct leat_value stored;

	if (status == LEAT_OK && self->moment == BEFORE)
		status = fold_result(&self->fold, state, member, ctx, err);
	if (status == LEAT_OK)
		status = fold_add(&self->fold, state, record, ctx, err);
	if (status == LEAT_OK && self->moment == AFTER)
		status = fold_result(&self->fold, state, member, ctx, err);
	if (status != LEAT_OK)
		return status;
	stored = fold_store(&self->fold, state, ctx);
	leat_table_put(ctx, AGGREGATES, &record->key, &stored);
	return LEAT_OK;
}

static enum leat_status process_aggregates(const struct aggregate *self, const struct leat_record *record, struct leat_context *ctx,
                                           struct leat_error *err)
{
	struct leat_member *member = leat_allocate(ctx, self->fold.n * sizeof *member);
	enum leat_status status = update_aggregates(self, record, member, ctx, err);

	if (status == LEAT_OK && is_sent_on(self, record, ctx))
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, self->fold.n));
	return status;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct aggregate *self = self_;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	return self->fold.n > 0 ? process_aggregates(self, record, ctx, err) : process_figures(self, record, ctx, err);
}

static const struct leat_option options[] = {
	LEAT_OPTION(AGGREGATES, struct aggregate, aggregates, "aggregate",
	            "Fields to add, of any functions, such as {spent: sum(amount), shops: distinct(shop)}."),
	LEAT_OPTION(FIELD, struct aggregate, field, "field", "Without `aggregate`: number to take figures of; without that too, events are counted."),
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
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "aggregate", .version = "1.1", .summary = "Adds the running figures of each key to its events.",
            .licence = "Apache-2.0", .op = &ops);
