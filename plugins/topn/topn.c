/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The largest n of each key, kept up as events come.
 *
 * A ranking is a list of entries in the order of their ranks, an entry two values: what it is ranked by, and the item or event. With
 * `of`, an item is ranked by the largest value that it ever had: values of an item only grow, so one that fell out and comes back has to
 * come with more than the last one has, and nothing has to be known about those below.
 */
#include <math.h>

#include "../shared/clash.h"
#include "../shared/order.h"

enum { MOST_KEYS = 16, VALUE = 0, THING = 1, WIDTH = 2 };
enum { ROWS, LIST };
enum { RANKING };

static const char *const emissions[] = { "rows", "list", NULL };

struct topn {
	const struct leat_expression *by;
	const struct leat_path *of;
	int64_t n;
	int emission;
	int64_t forget;

	size_t n_keys;
	leat_symbol key[MOST_KEYS];
	leat_symbol rank, item, value, ranking;
};

/* Borrowed, from a table or the batch. */
struct ranking {
	size_t n;
	const struct leat_value *entry; /* WIDTH values each */
};

static const struct leat_table_spec tables[] = {
	[RANKING] = { .name = "ranking", .version = 1, .kind = LEAT_TABLE_VALUE, .prose = "Value and item of each rank of a key." },
	{ 0 },
};

/* ---- options ----------------------------------------------------------------------------------------------------- */

static bool is_own_name(const struct topn *self, leat_symbol name)
{
	if (self->emission == LIST)
		return name == self->ranking;
	return name == self->rank || (self->of != NULL && (name == self->item || name == self->value));
}

/* Where rows have no key, it does not matter. */
static bool is_taken(const struct topn *self, leat_symbol name)
{
	for (size_t i = 0; i < self->n_keys; i++)
		if (self->key[i] == name)
			return self->of != NULL || self->emission == LIST;
	return false;
}

static enum leat_status name_key(struct topn *self, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_path *field;

	for (size_t i = 0; (field = leat_key_field(ctx, i)) != NULL; i++) {
		leat_symbol name = field->symbol[field->n - 1];

		if (i == MOST_KEYS)
			leat_error_set(err, LEAT_FATAL, 0, "a key of more than %d fields", (int)MOST_KEYS);
		else if (is_own_name(self, name))
			leat_error_set(err, LEAT_FATAL, 0, "rows have a field of that name besides \"%s\", expected another name for it", field->text);
		else if (is_taken(self, name))
			return clash(err, "key", field->text);
		else {
			self->key[self->n_keys++] = name;
			continue;
		}
		return leat_error_at(err, "key");
	}
	return LEAT_OK;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct topn *self = self_;

	leat_table_ttl(ctx, RANKING, self->forget);
	self->rank = leat_intern(ctx, "rank");
	self->item = leat_intern(ctx, "item");
	self->value = leat_intern(ctx, "value");
	self->ranking = leat_intern(ctx, "ranking");
	return name_key(self, ctx, err);
}

/* ---- what comes -------------------------------------------------------------------------------------------------- */

static enum leat_status read_value(const struct topn *self, const struct leat_record *record, struct leat_value *out,
                                   struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = leat_evaluate(ctx, self->by, record, out, err);
	double real = 0;

	if (status != LEAT_OK)
		return status;
	if (out->type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "what the event is ranked by is missing or null");
	if (out->type != LEAT_TIME && !leat_as_real(out, &real))
		return leat_error_set(err, LEAT_REJECT, 0, "what the event is ranked by is neither a number nor a time");
	if (!isfinite(real))
		return leat_error_set(err, LEAT_REJECT, 0, "what the event is ranked by is no finite number");
	*out = order_plain(out);
	return LEAT_OK;
}

static enum leat_status read_thing(const struct topn *self, const struct leat_record *record, struct leat_value *out,
                                   struct leat_error *err)
{
	const struct leat_value *found = &record->value;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (self->of != NULL)
		found = leat_path_get(self->of, &record->value);
	if (found == NULL || found->type == LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing or null", self->of->text);
	if (self->of != NULL && (found->type == LEAT_LIST || found->type == LEAT_MAP))
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is a %s, which cannot be told from others", self->of->text,
		                      found->type == LEAT_LIST ? "list" : "map");
	*out = *found;
	return LEAT_OK;
}

/* ---- ranks, counted from 0 here and from 1 outside ------------------------------------------------------------------ */

static bool is_number(const struct leat_value *v)
{
	return v->type == LEAT_INTEGER || v->type == LEAT_REAL;
}

/* Neither is null, a list or a map. */
static bool is_same(const struct leat_value *a, const struct leat_value *b)
{
	if (is_number(a) && is_number(b))
		return order_compare(a, b) == 0;
	if (a->type != b->type)
		return false;
	if (a->type == LEAT_BOOL)
		return a->as.boolean == b->as.boolean;
	if (a->type == LEAT_TIME)
		return a->as.time_us == b->as.time_us;
	return a->n == b->n && memcmp(a->as.text, b->as.text, a->n) == 0;
}

/* ranking->n when it is not there. */
static size_t find_item(const struct ranking *ranking, const struct leat_value *item)
{
	size_t i = 0;

	while (i < ranking->n && !is_same(&ranking->entry[i * WIDTH + THING], item))
		i++;
	return i;
}

/* Behind all that are as large: they came first. */
static size_t find_rank(const struct ranking *ranking, const struct leat_value *value)
{
	size_t i = ranking->n;

	while (i > 0 && order_compare(&ranking->entry[(i - 1) * WIDTH + VALUE], value) < 0)
		i--;
	return i;
}

/* `is` becomes `was` with `entry` at `rank`, and without the one at `gone`; both may be the same. */
static void insert(const struct ranking *was, size_t rank, const struct leat_value *entry, size_t gone, struct ranking *is,
                   struct leat_context *ctx)
{
	struct leat_value *copy = leat_allocate(ctx, (was->n + 1) * WIDTH * sizeof *copy);
	size_t rest = gone < was->n ? gone + 1 : gone;

	memcpy(copy, was->entry, rank * WIDTH * sizeof *copy);
	memcpy(copy + rank * WIDTH, entry, WIDTH * sizeof *copy);
	memcpy(copy + (rank + 1) * WIDTH, was->entry + rank * WIDTH, (gone - rank) * WIDTH * sizeof *copy);
	memcpy(copy + (gone + 1) * WIDTH, was->entry + rest * WIDTH, (was->n - rest) * WIDTH * sizeof *copy);
	is->n = was->n + 1 - (rest - gone);
	is->entry = copy;
}

/* ---- what goes --------------------------------------------------------------------------------------------------- */

/* The fields that tell an entry in a row or in a list. */
static size_t put_entry(const struct topn *self, const struct leat_value *entry, struct leat_member *out)
{
	out[0] = (struct leat_member){ .symbol = self->item, .value = entry[THING] };
	out[1] = (struct leat_member){ .symbol = self->value, .value = entry[VALUE] };
	return 2;
}

static size_t put_key(const struct topn *self, const struct leat_record *record, struct leat_member *out)
{
	for (size_t i = 0; i < self->n_keys; i++)
		out[i] = (struct leat_member){ .symbol = self->key[i],
			                       .value = self->n_keys == 1 ? record->key : record->key.as.list->item[i] };
	return self->n_keys;
}

/* The ranks that changed, from the one that was taken to the one that was left. */
static void emit_rows(const struct topn *self, const struct leat_record *record, const struct ranking *ranking, size_t from, size_t until,
                      struct leat_context *ctx)
{
	for (size_t i = from; i < until; i++) {
		const struct leat_value *entry = &ranking->entry[i * WIDTH];
		struct leat_member member[MOST_KEYS + 3];
		size_t n = self->of == NULL ? 0 : put_key(self, record, member);

		member[n++] = (struct leat_member){ .symbol = self->rank, .value = leat_integer((int64_t)i + 1) };
		if (self->of != NULL)
			n += put_entry(self, entry, member + n);
		leat_emit_value(ctx, 0, record, leat_map_with(ctx, self->of == NULL ? &entry[THING] : NULL, member, n));
	}
}

static void emit_list(const struct topn *self, const struct leat_record *record, const struct ranking *ranking, struct leat_context *ctx)
{
	struct leat_value *item = leat_allocate(ctx, ranking->n * sizeof *item);
	struct leat_member member[MOST_KEYS + 1];
	size_t n = put_key(self, record, member);

	for (size_t i = 0; i < ranking->n; i++) {
		const struct leat_value *entry = &ranking->entry[i * WIDTH];
		struct leat_member pair[2];

		item[i] = self->of == NULL ? entry[THING] : leat_map_with(ctx, NULL, pair, put_entry(self, entry, pair));
	}
	member[n++] = (struct leat_member){ .symbol = self->ranking, .value = leat_list_of(ctx, item, ranking->n) };
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, NULL, member, n));
}

static void change(const struct topn *self, const struct leat_record *record, const struct ranking *was, size_t rank,
                   const struct leat_value *entry, size_t gone, struct leat_context *ctx)
{
	const struct leat_value key = self->n_keys > 0 ? record->key : leat_null();
	struct leat_value stored;
	struct ranking is;

	insert(was, rank, entry, gone, &is, ctx);
	is.n = is.n > (size_t)self->n ? (size_t)self->n : is.n;
	stored = leat_list_of(ctx, is.entry, is.n * WIDTH);
	stored = leat_copy(ctx, &stored); /* `was` is gone once it is put */
	leat_table_put(ctx, RANKING, &key, &stored);
	is.entry = stored.as.list->item;
	if (self->emission == LIST)
		emit_list(self, record, &is, ctx);
	else
		emit_rows(self, record, &is, rank, gone < is.n ? gone + 1 : is.n, ctx);
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct topn *self = self_;
	const struct leat_value key = self->n_keys > 0 ? record->key : leat_null(), *stored;
	struct leat_value entry[WIDTH];
	struct ranking was = { 0, entry };
	enum leat_status status = read_thing(self, record, &entry[THING], err);
	size_t rank, gone;

	if (status == LEAT_OK)
		status = read_value(self, record, &entry[VALUE], ctx, err);
	if (status != LEAT_OK)
		return status;
	stored = leat_table_value(ctx, RANKING, &key);
	if (stored != NULL)
		was = (struct ranking){ stored->as.list->n / WIDTH, stored->as.list->item };
	if (was.n > (size_t)self->n) /* `n` was larger when it was stored */
		was.n = (size_t)self->n;
	gone = self->of == NULL ? was.n : find_item(&was, &entry[THING]);
	if (gone < was.n && order_compare(&was.entry[gone * WIDTH + VALUE], &entry[VALUE]) >= 0)
		return LEAT_OK;
	rank = find_rank(&was, &entry[VALUE]);
	if (rank < (size_t)self->n)
		change(self, record, &was, rank, entry, gone, ctx);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(EXPRESSION, struct topn, by, "by", "What to rank by, the largest first: a number or a time, such as amount or price * pieces.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(INTEGER, struct topn, n, "n", "How many ranks there are.", .preset = "10", .minimum = 1, .maximum = 1000),
	LEAT_OPTION(FIELD, struct topn, of, "of", "What is ranked: each value of this field once, by the largest that came with it; without it, each event."),
	LEAT_OPTION(CHOICE, struct topn, emission, "emit", "Sends a row for each rank that changed, or the whole ranking as one list.",
	            .preset = "rows", .choices = emissions),
	LEAT_OPTION(DURATION, struct topn, forget, "forget", "Forgets a key whose ranking did not change for so long; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct topn),
	.options = options,
	.tables = tables,
	.create = create,
	.process = process,
	.is_whole = true,
};

LEAT_PLUGIN(.name = "topn", .version = "1.0", .summary = "Keeps the ranking of the largest of each key.", .licence = "Apache-2.0",
            .op = &ops);
