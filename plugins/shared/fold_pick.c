/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that keep some of the values as they are: first, last, topn, collect. Values are borrowed from the record or from the
 * stored state; what is kept is bounded in number, and each is as large as an event can be at most.
 */
#include "fold_kind.h"

/* ---- first, last: by event time, of equal times by arrival --------------------------------------------------------- */

struct pick {
	int64_t time_us;
	struct leat_value value; /* null: nothing yet */
};

static void keep_first(struct pick *p, int64_t time_us, const struct leat_value *v)
{
	if (v->type != LEAT_NULL && (p->value.type == LEAT_NULL || time_us < p->time_us))
		*p = (struct pick){ time_us, *v };
}

static void keep_last(struct pick *p, int64_t time_us, const struct leat_value *v)
{
	if (v->type != LEAT_NULL && (p->value.type == LEAT_NULL || time_us >= p->time_us))
		*p = (struct pick){ time_us, *v };
}

static enum leat_status add_first(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                  struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	keep_first(cell, in->time_us, &in->value);
	return LEAT_OK;
}

static enum leat_status add_last(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                 struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	keep_last(cell, in->time_us, &in->value);
	return LEAT_OK;
}

static void merge_first(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct pick *p = from;

	(void)item;
	(void)ctx;
	keep_first(into, p->time_us, &p->value);
}

static void merge_last(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct pick *p = from;

	(void)item;
	(void)ctx;
	keep_last(into, p->time_us, &p->value);
}

static enum leat_status result_pick(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                    struct leat_error *err)
{
	(void)item;
	(void)ctx;
	(void)err;
	*out = ((const struct pick *)cell)->value;
	return LEAT_OK;
}

static struct leat_value store_pick(const struct fold_item *item, const void *cell, struct leat_context *ctx)
{
	const struct pick *p = cell;
	struct leat_value pair[2] = { leat_integer(p->time_us), p->value };

	(void)item;
	return p->value.type == LEAT_NULL ? leat_null() : leat_list_of(ctx, pair, 2);
}

static bool load_pick(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx)
{
	struct pick *p = cell;

	(void)item;
	(void)ctx;
	if (stored->type == LEAT_NULL)
		return true;
	if (stored->type != LEAT_LIST || stored->as.list->n != 2 || stored->as.list->item[0].type != LEAT_INTEGER)
		return false;
	*p = (struct pick){ stored->as.list->item[0].as.integer, stored->as.list->item[1] };
	return true;
}

const struct fold_kind fold_first = {
	.size = sizeof(struct pick),
	.add = add_first,
	.merge = merge_first,
	.result = result_pick,
	.store = store_pick,
	.load = load_pick,
};

const struct fold_kind fold_last = {
	.size = sizeof(struct pick),
	.add = add_last,
	.merge = merge_last,
	.result = result_pick,
	.store = store_pick,
	.load = load_pick,
};

/* ---- rows of values, as many as `most` ----------------------------------------------------------------------------- */

struct rows {
	uint32_t n; /* values; of topn with labels, a value and its label are two */
	uint32_t room;
	const struct leat_value *value;
	struct leat_value *own; /* the same, when this cell is its owner */
};

/* Room for `more` values; the row is this cell's own then. */
static void make_room(struct rows *rows, uint32_t more, struct leat_context *ctx)
{
	struct leat_value *own;
	uint32_t room = rows->n + more;

	if (rows->own != NULL && room <= rows->room)
		return;
	room += room / 4;
	own = leat_allocate(ctx, room * sizeof *own);
	if (rows->n > 0)
		memcpy(own, rows->value, rows->n * sizeof *own);
	*rows = (struct rows){ .n = rows->n, .room = room, .value = own, .own = own };
}

static struct leat_value store_rows(const struct fold_item *item, const void *cell, struct leat_context *ctx)
{
	const struct rows *rows = cell;

	(void)item;
	return leat_list_of(ctx, rows->value, rows->n);
}

/* No more than `most` of them, which may have been made less since they were stored: the last ones are left out. */
static bool load_rows(const struct leat_value *stored, struct rows *rows, uint32_t most)
{
	if (stored->type != LEAT_LIST)
		return false;
	*rows = (struct rows){ .n = stored->as.list->n < most ? stored->as.list->n : most, .value = stored->as.list->item };
	return true;
}

/* ---- collect: the first `most`, as they arrived -------------------------------------------------------------------- */

static void append_rows(struct rows *rows, uint32_t most, const struct leat_value *value, uint32_t n, struct leat_context *ctx)
{
	if (rows->n >= most || n == 0)
		return;
	n = n > most - rows->n ? most - rows->n : n;
	make_room(rows, n, ctx);
	memcpy(rows->own + rows->n, value, n * sizeof *value);
	rows->n += n;
}

static enum leat_status add_collect(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                    struct leat_error *err)
{
	(void)err;
	append_rows(cell, item->most, &in->value, 1, ctx);
	return LEAT_OK;
}

static void merge_collect(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct rows *rows = from;

	append_rows(into, item->most, rows->value, rows->n, ctx);
}

static enum leat_status result_collect(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                       struct leat_error *err)
{
	(void)err;
	*out = store_rows(item, cell, ctx);
	return LEAT_OK;
}

static bool load_collect(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx)
{
	(void)ctx;
	return load_rows(stored, cell, item->most);
}

const struct fold_kind fold_collect = {
	.size = sizeof(struct rows),
	.add = add_collect,
	.merge = merge_collect,
	.result = result_collect,
	.store = store_rows,
	.load = load_collect,
};

/* ---- topn: the largest `most`, the largest first, of equal ones the one that came first ----------------------------- */

static uint32_t width_of(const struct fold_item *item)
{
	return item->aggregate->label == NULL ? 1 : 2;
}

/* How many entries stand before one that comes now. */
static uint32_t find_rank(const struct rows *rows, uint32_t width, const struct leat_value *v)
{
	uint32_t from = 0, until = rows->n / width;

	while (from < until) {
		uint32_t middle = from + (until - from) / 2;

		if (order_compare(&rows->value[middle * width], v) >= 0)
			from = middle + 1;
		else
			until = middle;
	}
	return from;
}

/* `entry`: a value and, where the width is 2, its label. False: it is not among them. */
static bool insert_entry(const struct fold_item *item, struct rows *rows, const struct leat_value *entry, struct leat_context *ctx)
{
	uint32_t width = width_of(item), rank = find_rank(rows, width, entry), n_after;

	if (rank >= item->most)
		return false;
	make_room(rows, width, ctx);
	if (rows->n / width == item->most)
		rows->n -= width;
	n_after = rows->n - rank * width;
	memmove(rows->own + (rank + 1) * width, rows->own + rank * width, n_after * sizeof *rows->own);
	memcpy(rows->own + rank * width, entry, width * sizeof *entry);
	rows->n += width;
	return true;
}

static enum leat_status add_topn(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                 struct leat_error *err)
{
	struct leat_value entry[2] = { order_plain(&in->value), in->label };

	(void)err;
	(void)insert_entry(item, cell, entry, ctx);
	return LEAT_OK;
}

static void merge_topn(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx)
{
	const struct rows *rows = from;
	uint32_t width = width_of(item);

	for (uint32_t i = 0; i < rows->n; i += width)
		if (!insert_entry(item, into, &rows->value[i], ctx))
			break;
}

/* Values, or maps of label and value. */
static enum leat_status result_topn(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
                                    struct leat_error *err)
{
	const struct rows *rows = cell;
	struct leat_value *map;

	(void)err;
	*out = store_rows(item, cell, ctx);
	if (width_of(item) == 1)
		return LEAT_OK;
	map = leat_allocate(ctx, (rows->n / 2 + 1) * sizeof *map);
	for (uint32_t i = 0; i + 1 < rows->n; i += 2) {
		struct leat_member member[2] = { { .symbol = item->label, .value = rows->value[i + 1] },
			                         { .symbol = item->value, .value = rows->value[i] } };

		map[i / 2] = leat_map_with(ctx, NULL, member, 2);
	}
	*out = leat_list_of(ctx, map, rows->n / 2);
	return LEAT_OK;
}

static bool load_topn(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx)
{
	uint32_t width = width_of(item);

	(void)ctx;
	return load_rows(stored, cell, item->most * width) && stored->as.list->n % width == 0;
}

const struct fold_kind fold_topn = {
	.size = sizeof(struct rows),
	.needs_order = true,
	.add = add_topn,
	.merge = merge_topn,
	.result = result_topn,
	.store = store_rows,
	.load = load_topn,
};
