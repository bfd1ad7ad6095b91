/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes nested events flat: one event for each item of a list, and the fields of a map brought to the top; in that order, so the
 * map may be the item.
 */
#include <leat/plugin.h>

enum { APART, KEEP };
enum { OUT, EMPTY };

static const char *const empties[] = { "apart", "keep", NULL };
static const char *const ports[] = { "out", "empty", NULL };

struct flatten {
	const struct leat_path *list, *map;
	leat_symbol into, index;
	const char *prefix;
	bool drop;
	int empty;

	leat_symbol item; /* `into`, or the list's own name */
};

static enum leat_status refuse_option(struct leat_error *err, const char *option, const char *text)
{
	leat_error_set(err, LEAT_FATAL, 0, "%s", text);
	return leat_error_at(err, option);
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct flatten *self = self_;

	(void)ctx;
	if (self->list == NULL && self->map == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "flatten has nothing to do, expected list, map or both");
	if (self->list == NULL && (self->into != LEAT_NO_SYMBOL || self->index != LEAT_NO_SYMBOL))
		return refuse_option(err, self->into != LEAT_NO_SYMBOL ? "into" : "index", "there is no list whose items it could be for");
	if (self->list == NULL && self->empty == KEEP)
		return refuse_option(err, "empty", "there is no list that could be empty");
	if (self->map == NULL && self->prefix[0] != '\0')
		return refuse_option(err, "prefix", "there is no map whose fields it could be for");
	if (self->list != NULL)
		self->item = self->into != LEAT_NO_SYMBOL ? self->into : self->list->symbol[self->list->n - 1];
	return LEAT_OK;
}

/* The map without the field at the end of the path, which is there; maps on the way are made anew. */
static struct leat_value without(const struct leat_value *map, const leat_symbol *symbol, uint32_t n, struct leat_context *ctx)
{
	const struct leat_map *m = map->as.map;
	struct leat_member *member = leat_allocate(ctx, m->n * sizeof *member), inner = { .symbol = symbol[0] };
	const struct leat_value *at = leat_map_get(map, symbol[0]);
	size_t n_members = 0;

	if (n > 1 && at != NULL) {
		inner.value = without(at, symbol + 1, n - 1, ctx);
		return leat_map_with(ctx, map, &inner, 1);
	}
	for (uint32_t i = 0; i < m->n; i++)
		if (m->member[i].symbol != symbol[0])
			member[n_members++] = m->member[i];
	return leat_map_with(ctx, NULL, member, n_members);
}

/* ---- a map's fields at the top ----------------------------------------------------------------------------------- */

static struct leat_member prefixed(const struct flatten *self, const struct leat_member *from, struct leat_context *ctx)
{
	size_t n = strlen(self->prefix);
	struct leat_member member = { .name_n = (uint32_t)(n + from->name_n), .value = from->value };
	char *name;

	if (n == 0)
		return *from;
	name = leat_allocate(ctx, member.name_n);
	memcpy(name, self->prefix, n);
	memcpy(name + n, from->name, from->name_n);
	member.name = name;
	return member;
}

/* Null and missing are nothing to bring up; what else is no map is refused. */
static enum leat_status spread(const struct flatten *self, struct leat_value *event, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_value *map = self->map == NULL ? NULL : leat_path_get(self->map, event);
	struct leat_member *member;
	struct leat_value rest;

	if (map == NULL || map->type == LEAT_NULL)
		return LEAT_OK;
	if (map->type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is no map", self->map->text);
	member = leat_allocate(ctx, map->n * sizeof *member);
	for (uint32_t i = 0; i < map->n; i++)
		member[i] = prefixed(self, &map->as.map->member[i], ctx);
	rest = without(event, self->map->symbol, self->map->n, ctx);
	*event = leat_map_with(ctx, &rest, member, map->n);
	return LEAT_OK;
}

/* ---- a list's items, one event each ------------------------------------------------------------------------------ */

static enum leat_status emit_item(const struct flatten *self, const struct leat_record *record, const struct leat_value *rest,
                                  const struct leat_value *item, int64_t index, struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_member member[] = {
		{ .symbol = self->item, .value = *item },
		{ .symbol = self->index, .value = index < 0 ? leat_null() : leat_integer(index) },
	};
	struct leat_value event = leat_map_with(ctx, rest, member, self->index == LEAT_NO_SYMBOL ? 1 : 2);
	enum leat_status status = spread(self, &event, ctx, err);

	if (status == LEAT_OK)
		leat_emit_value(ctx, OUT, record, event);
	return status;
}

static enum leat_status emit_items(const struct flatten *self, const struct leat_record *record, const struct leat_value *list,
                                   struct leat_context *ctx, struct leat_error *err)
{
	static const struct leat_value none;
	bool is_empty = list == NULL || list->type == LEAT_NULL || list->n == 0;
	struct leat_value rest = record->value;
	enum leat_status status = LEAT_OK;

	if (is_empty && self->empty == APART) {
		leat_emit(ctx, EMPTY, record);
		return LEAT_OK;
	}
	if (list != NULL)
		rest = without(&rest, self->list->symbol, self->list->n, ctx);
	if (is_empty)
		return emit_item(self, record, self->drop ? NULL : &rest, &none, -1, ctx, err);
	for (uint32_t i = 0; i < list->n && status == LEAT_OK; i++)
		status = emit_item(self, record, self->drop ? NULL : &rest, &list->as.list->item[i], i, ctx, err);
	return status;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct flatten *self = self_;
	const struct leat_value *list;
	struct leat_value event = record->value;
	enum leat_status status;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	if (self->list == NULL) {
		status = spread(self, &event, ctx, err);
		if (status == LEAT_OK)
			leat_emit_value(ctx, OUT, record, event);
		return status;
	}
	list = leat_path_get(self->list, &record->value);
	if (list != NULL && list->type != LEAT_LIST && list->type != LEAT_NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is no list", self->list->text);
	return emit_items(self, record, list, ctx, err);
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELD, struct flatten, list, "list", "List of which each item becomes an event."),
	LEAT_OPTION(NAME, struct flatten, into, "into", "Field for the item; without it, the list's own name, at the top."),
	LEAT_OPTION(NAME, struct flatten, index, "index", "Field for the item's place in the list, from 0."),
	LEAT_OPTION(BOOL, struct flatten, drop, "drop", "Leaves the other fields of the event out.", .preset = "false"),
	LEAT_OPTION(CHOICE, struct flatten, empty, "empty",
	            "An event with an empty, null or missing list goes to port `empty` or is kept with null as its item.",
	            .preset = "apart", .choices = empties),
	LEAT_OPTION(FIELD, struct flatten, map, "map", "Map whose fields come to the top; it may be the item."),
	LEAT_OPTION(TEXT, struct flatten, prefix, "prefix", "Put in front of the names of the map's fields.", .preset = ""),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct flatten),
	.options = options,
	.ports = ports,
	.create = create,
	.process = process,
};

LEAT_PLUGIN(.name = "flatten", .version = "1.0", .summary = "Makes one event of each item of a list, and brings a map's fields to the top.",
            .licence = "Apache-2.0", .op = &ops);
