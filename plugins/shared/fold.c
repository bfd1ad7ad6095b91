/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A state is the cells of all aggregates in one piece of memory; each function looks after its own (fold_kind.h). Here is what they
 * have in common: arguments, layout, and the form in which a state is stored.
 *
 * Stored are bytes: version, signature of the functions, the cells of fixed size one behind the other. Where there are others, it is
 * a list: those bytes, then the value of each other cell.
 */
#include "fold_kind.h"

enum { VERSION = 1, HEAD = 1 + sizeof(uint32_t), MOST = 100 };

static const struct fold_kind *const kinds[] = {
	[LEAT_AGGREGATE_COUNT] = &fold_count,       [LEAT_AGGREGATE_SUM] = &fold_sum,
	[LEAT_AGGREGATE_MIN] = &fold_min,           [LEAT_AGGREGATE_MAX] = &fold_max,
	[LEAT_AGGREGATE_AVG] = &fold_avg,           [LEAT_AGGREGATE_VAR] = &fold_var,
	[LEAT_AGGREGATE_STDDEV] = &fold_stddev,     [LEAT_AGGREGATE_FIRST] = &fold_first,
	[LEAT_AGGREGATE_LAST] = &fold_last,         [LEAT_AGGREGATE_DISTINCT] = &fold_distinct,
	[LEAT_AGGREGATE_QUANTILE] = &fold_quantile, [LEAT_AGGREGATE_TOPN] = &fold_topn,
	[LEAT_AGGREGATE_COLLECT] = &fold_collect,
};

static void *cell_of(struct fold_state *state, const struct fold_item *item)
{
	return (char *)state + item->offset;
}

static const void *read_cell(const struct fold_state *state, const struct fold_item *item)
{
	return (const char *)state + item->offset;
}

/* ---- made from options ------------------------------------------------------------------------------------------- */

/* FNV-1a of what a stored state depends on: the functions and whether values have labels; neither what they are of nor their constants.
 * So a state may hold more values than `most` says now, and load() leaves out what is too much. */
static uint32_t sign(uint32_t hash, const struct leat_aggregate *a)
{
	unsigned char byte[2] = { (unsigned char)a->function, a->label != NULL };

	for (size_t i = 0; i < sizeof byte; i++)
		hash = (hash ^ byte[i]) * UINT32_C(16777619);
	return hash;
}

static bool is_there_twice(const struct leat_aggregates *aggregates, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (aggregates->item[k].name == aggregates->item[i].name)
			return true;
	return false;
}

enum leat_status fold_open(struct fold *fold, const struct leat_aggregates *aggregates, struct leat_context *ctx, struct leat_error *err)
{
	struct fold made = { .n = aggregates->n, .is_fixed = true, .is_invertible = true, .signature = UINT32_C(2166136261) };

	if (aggregates->n == 0 || aggregates->n > MOST)
		return leat_error_set(err, LEAT_FATAL, 0, "there are %zu aggregates, expected 1 to %d", aggregates->n, (int)MOST);
	made.item = calloc(aggregates->n, sizeof *made.item);
	if (made.item == NULL)
		leat_run_out();
	for (size_t i = 0; i < made.n; i++) {
		struct fold_item *item = &made.item[i];

		if (is_there_twice(aggregates, i)) {
			fold_close(&made);
			return leat_error_set(err, LEAT_FATAL, 0, "aggregate \"%s\" is there twice", aggregates->item[i].text);
		}
		item->aggregate = &aggregates->item[i];
		item->kind = kinds[item->aggregate->function];
		item->most = (uint32_t)item->aggregate->constant;
		item->offset = made.size;
		item->label = leat_intern(ctx, "label");
		item->value = leat_intern(ctx, "value");
		made.size += (item->kind->size + 15) / 16 * 16;
		made.is_fixed &= item->kind->pack != NULL;
		made.is_invertible &= item->kind->subtract != NULL;
		made.signature = sign(made.signature, item->aggregate);
	}
	*fold = made;
	return LEAT_OK;
}

void fold_close(struct fold *fold)
{
	free(fold->item);
	memset(fold, 0, sizeof *fold);
}

struct fold_state *fold_make(const struct fold *fold, struct leat_context *ctx)
{
	struct fold_state *state = leat_allocate(ctx, fold->size);

	fold_init(fold, state);
	return state;
}

void fold_init(const struct fold *fold, struct fold_state *state)
{
	memset((void *)state, 0, fold->size);
}

/* ---- adding a record --------------------------------------------------------------------------------------------- */

static const char *type_name(const struct leat_value *v)
{
	static const char *const names[] = { "null", "a bool", "an integer", "a real", "a text", "bytes", "a time", "a list", "a map" };

	return v->type < sizeof names / sizeof names[0] ? names[v->type] : "unknown";
}

static enum leat_status reject_type(const struct leat_aggregate *a, const struct leat_value *v, const char *wanted, struct leat_error *err)
{
	if (a->field != NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is %s, %s needs %s", a->field->text, type_name(v), a->source, wanted);
	return leat_error_set(err, LEAT_REJECT, 0, "%s needs %s, not %s", a->source, wanted, type_name(v));
}

static enum leat_status evaluate(const struct leat_aggregate *a, const struct leat_expression *expression,
                                 const struct leat_record *record, struct leat_value *out, struct leat_context *ctx,
                                 struct leat_error *err)
{
	struct leat_error why;
	enum leat_status status = leat_evaluate(ctx, expression, record, out, &why);

	if (status != LEAT_OK)
		return leat_error_set(err, status, why.code, "%s: %s", a->source, why.text);
	return LEAT_OK;
}

/* Null where the record does not count (F1). */
static enum leat_status read_argument(const struct fold_item *item, const struct leat_record *record, struct leat_value *out,
                                      struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_aggregate *a = item->aggregate;
	const struct leat_value *found;
	enum leat_status status;

	*out = leat_null();
	if (a->field == NULL) {
		status = evaluate(a, a->argument, record, out, ctx, err);
		if (status != LEAT_OK)
			return status;
	} else if ((found = leat_path_get(a->field, &record->value)) != NULL) {
		*out = *found;
	} else if (a->function != LEAT_AGGREGATE_COUNT) {
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is missing, %s needs it", a->field->text, a->source);
	}
	if (out->type == LEAT_NULL || out->type == LEAT_INTEGER || out->type == LEAT_REAL)
		return LEAT_OK;
	if (item->kind->needs_number)
		return reject_type(a, out, "a number", err);
	if (item->kind->needs_order && out->type != LEAT_TIME)
		return reject_type(a, out, "a number or a time", err);
	return LEAT_OK;
}

static bool is_finite(const struct leat_value *v)
{
	double real = 0;

	return !leat_as_real(v, &real) || (real - real >= 0 && real - real <= 0);
}

static enum leat_status add_item(const struct fold_item *item, struct fold_state *state, const struct leat_record *record,
                                 struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_aggregate *a = item->aggregate;
	struct fold_input in = { .time_us = record->time_us };
	enum leat_status status = LEAT_OK;

	if (a->argument != NULL)
		status = read_argument(item, record, &in.value, ctx, err);
	if (status != LEAT_OK || (a->argument != NULL && in.value.type == LEAT_NULL))
		return status;
	if (!is_finite(&in.value))
		return leat_error_set(err, LEAT_REJECT, 0, "%s of a number that is not finite", a->source);
	if (a->label != NULL)
		status = evaluate(a, a->label, record, &in.label, ctx, err);
	return status != LEAT_OK ? status : item->kind->add(item, cell_of(state, item), &in, ctx, err);
}

enum leat_status fold_add(const struct fold *fold, struct fold_state *state, const struct leat_record *record, struct leat_context *ctx,
                          struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < fold->n && status == LEAT_OK; i++)
		status = add_item(&fold->item[i], state, record, ctx, err);
	return status;
}

/* ---- states with states ------------------------------------------------------------------------------------------ */

void fold_merge(const struct fold *fold, struct fold_state *into, const struct fold_state *from, struct leat_context *ctx)
{
	for (size_t i = 0; i < fold->n; i++) {
		const struct fold_item *item = &fold->item[i];

		item->kind->merge(item, cell_of(into, item), read_cell(from, item), ctx);
	}
}

bool fold_subtract(const struct fold *fold, struct fold_state *into, const struct fold_state *from)
{
	for (size_t i = 0; i < fold->n; i++) {
		const struct fold_item *item = &fold->item[i];

		if (item->kind->can_subtract == NULL || !item->kind->can_subtract(read_cell(from, item)))
			return false;
	}
	for (size_t i = 0; i < fold->n; i++)
		fold->item[i].kind->subtract(cell_of(into, &fold->item[i]), read_cell(from, &fold->item[i]));
	return true;
}

enum leat_status fold_result(const struct fold *fold, const struct fold_state *state, struct leat_member *out, struct leat_context *ctx,
                             struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; i < fold->n && status == LEAT_OK; i++) {
		const struct fold_item *item = &fold->item[i];

		memset(&out[i], 0, sizeof out[i]);
		out[i].symbol = item->aggregate->name;
		status = item->kind->result(item, read_cell(state, item), &out[i].value, ctx, err);
		if (status == LEAT_OK && item->kind->store != NULL) /* it may be the table's, out of which it was loaded */
			out[i].value = leat_copy(ctx, &out[i].value);
	}
	return status;
}

/* ---- stored ------------------------------------------------------------------------------------------------------ */

static struct leat_value store_fixed(const struct fold *fold, const struct fold_state *state, struct leat_context *ctx)
{
	unsigned char *bytes = leat_allocate(ctx, HEAD + fold->n * FOLD_PACKED), *at = bytes;
	struct leat_value v = leat_null();

	*at++ = VERSION;
	memcpy(at, &fold->signature, sizeof fold->signature);
	at += sizeof fold->signature;
	for (size_t i = 0; i < fold->n; i++)
		if (fold->item[i].kind->pack != NULL)
			at = fold->item[i].kind->pack(read_cell(state, &fold->item[i]), at);
	v.type = LEAT_BYTES;
	v.n = (uint32_t)(at - bytes);
	v.as.text = (const char *)bytes;
	return v;
}

struct leat_value fold_store(const struct fold *fold, const struct fold_state *state, struct leat_context *ctx)
{
	struct leat_value *part;
	size_t n = 0;

	if (fold->is_fixed)
		return store_fixed(fold, state, ctx);
	part = leat_allocate(ctx, (fold->n + 1) * sizeof *part);
	part[n++] = store_fixed(fold, state, ctx);
	for (size_t i = 0; i < fold->n; i++)
		if (fold->item[i].kind->store != NULL)
			part[n++] = fold->item[i].kind->store(&fold->item[i], read_cell(state, &fold->item[i]), ctx);
	return leat_list_of(ctx, part, n);
}

static bool load_fixed(const struct fold *fold, struct fold_state *state, const struct leat_value *stored)
{
	const unsigned char *bytes = (const unsigned char *)stored->as.text;
	struct fold_reader r = { 0 };

	if (stored->type != LEAT_BYTES || stored->n < HEAD || bytes[0] != VERSION ||
	    memcmp(bytes + 1, &fold->signature, sizeof fold->signature) != 0)
		return false;
	r.at = bytes + HEAD;
	r.end = bytes + stored->n;
	for (size_t i = 0; i < fold->n; i++)
		if (fold->item[i].kind->unpack != NULL)
			fold->item[i].kind->unpack(cell_of(state, &fold->item[i]), &r);
	return !r.is_broken && r.at == r.end;
}

static bool load(const struct fold *fold, struct fold_state *state, const struct leat_value *stored, struct leat_context *ctx)
{
	const struct leat_value *part;
	uint32_t n = 0;

	if (fold->is_fixed)
		return load_fixed(fold, state, stored);
	if (stored->type != LEAT_LIST || stored->as.list->n == 0 || !load_fixed(fold, state, stored->as.list->item))
		return false;
	part = stored->as.list->item + 1;
	for (size_t i = 0; i < fold->n; i++) {
		const struct fold_item *item = &fold->item[i];

		if (item->kind->load == NULL)
			continue;
		if (n + 1 == stored->as.list->n || !item->kind->load(item, cell_of(state, item), &part[n], ctx))
			return false;
		n++;
	}
	return n + 1 == stored->as.list->n;
}

enum leat_status fold_load(const struct fold *fold, struct fold_state *state, const struct leat_value *stored, struct leat_context *ctx,
                           struct leat_error *err)
{
	fold_init(fold, state);
	if (stored == NULL || load(fold, state, stored, ctx))
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, 0, "its state was stored by other aggregates than those in the pipeline file");
}
