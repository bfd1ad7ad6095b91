/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives events another shape: keeps fields, takes fields out, renames, computes; in that order. Expressions see the event
 * as it came, so none depends on another.
 */
#include <stdlib.h>

#include <leat/plugin.h>

struct rename {
	leat_symbol from, to;
};

struct map {
	struct leat_paths select, remove;
	struct leat_pairs rename;
	struct leat_expressions set;
	const struct leat_expression *time;

	struct rename *renamed; /* rename.n of them */
	bool is_reshaped;       /* not only `set` */
};

static enum leat_status refuse(struct leat_error *err, const char *option, const char *name)
{
	leat_error_set(err, LEAT_FATAL, 0, "cannot %s \"%s\", only fields at the top of the event", option, name);
	return leat_error_at(err, option);
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct map *self = self_;

	if (self->select.n + self->remove.n + self->rename.n + self->set.n == 0 && self->time == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "map has nothing to do, expected select, remove, rename, set or time");
	for (size_t i = 0; i < self->remove.n; i++)
		if (self->remove.item[i]->n != 1)
			return refuse(err, "remove", self->remove.item[i]->text);
	for (size_t i = 0; i < self->rename.n; i++)
		if (strchr(self->rename.item[i].text, '.') != NULL)
			return refuse(err, "rename", self->rename.item[i].text);
	self->renamed = calloc(self->rename.n + 1, sizeof *self->renamed);
	if (self->renamed == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get memory for %zu names", self->rename.n);
	for (size_t i = 0; i < self->rename.n; i++) {
		self->renamed[i].to = leat_intern(ctx, self->rename.item[i].name);
		self->renamed[i].from = leat_intern(ctx, self->rename.item[i].text);
	}
	self->is_reshaped = self->select.n + self->remove.n + self->rename.n > 0;
	return LEAT_OK;
}

static void destroy(void *self_)
{
	struct map *self = self_;

	free(self->renamed);
}

static bool is_removed(const struct map *self, leat_symbol symbol)
{
	for (size_t i = 0; i < self->remove.n; i++)
		if (self->remove.item[i]->symbol[0] == symbol)
			return true;
	return false;
}

/* The member under its new name; host.h fills in the name of a symbol. */
static struct leat_member rename_member(const struct map *self, struct leat_member member)
{
	for (size_t i = 0; i < self->rename.n && member.symbol != LEAT_NO_SYMBOL; i++)
		if (self->renamed[i].from == member.symbol) {
			member.name = NULL;
			member.name_n = 0;
			member.symbol = self->renamed[i].to;
			break;
		}
	return member;
}

static size_t take_selected(const struct map *self, const struct leat_value *event, struct leat_member *out)
{
	size_t n = 0;

	for (size_t i = 0; i < self->select.n; i++) {
		const struct leat_path *path = self->select.item[i];
		const struct leat_value *v = leat_path_get(path, event);
		struct leat_member member = { 0 };

		member.symbol = path->symbol[path->n - 1];
		if (v == NULL || is_removed(self, member.symbol))
			continue;
		member.value = *v;
		out[n++] = rename_member(self, member);
	}
	return n;
}

static size_t take_others(const struct map *self, const struct leat_value *event, struct leat_member *out)
{
	size_t n = 0;

	for (uint32_t i = 0; i < event->as.map->n; i++) {
		const struct leat_member *member = &event->as.map->member[i];

		if (member->symbol == LEAT_NO_SYMBOL || !is_removed(self, member->symbol))
			out[n++] = rename_member(self, *member);
	}
	return n;
}

static enum leat_status explain(struct leat_error *err, enum leat_status status, const char *name)
{
	char reason[LEAT_ERROR_TEXT - 64];

	if (err == NULL)
		return status;
	(void)snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, err->text);
	return leat_error_set(err, status, err->code, "cannot compute \"%.40s\": %s", name, reason);
}

static enum leat_status compute(const struct map *self, const struct leat_record *record, struct leat_member *out,
                                struct leat_context *ctx, struct leat_error *err)
{
	for (size_t i = 0; i < self->set.n; i++) {
		enum leat_status status;

		memset(&out[i], 0, sizeof out[i]);
		out[i].symbol = self->set.item[i].name;
		status = leat_evaluate(ctx, self->set.item[i].value, record, &out[i].value, err);
		if (status != LEAT_OK)
			return explain(err, status, self->set.item[i].text);
	}
	return LEAT_OK;
}

static enum leat_status compute_time(const struct map *self, const struct leat_record *record, int64_t *time_us, struct leat_context *ctx,
                                     struct leat_error *err)
{
	struct leat_value value;
	enum leat_status status;

	if (self->time == NULL)
		return LEAT_OK;
	status = leat_evaluate(ctx, self->time, record, &value, err);
	if (status != LEAT_OK)
		return explain(err, status, "time");
	if (value.type == LEAT_TIME || value.type == LEAT_INTEGER)
		*time_us = value.type == LEAT_TIME ? value.as.time_us : value.as.integer;
	else if (value.type == LEAT_NULL)
		*time_us = LEAT_NO_TIME;
	else
		return leat_error_set(err, LEAT_REJECT, 0, "cannot compute \"time\": expected a time or an integer of microseconds");
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct map *self = self_;
	const struct leat_value *event = &record->value, *base = NULL;
	struct leat_record result = *record;
	struct leat_member *member;
	enum leat_status status;
	size_t n = 0;

	if (event->type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no fields");
	member = leat_allocate(ctx, (self->select.n + event->as.map->n + self->set.n) * sizeof *member);
	if (!self->is_reshaped)
		base = event;
	else if (self->select.n > 0)
		n = take_selected(self, event, member);
	else
		n = take_others(self, event, member);
	status = compute(self, record, member + n, ctx, err);
	if (status == LEAT_OK)
		status = compute_time(self, record, &result.time_us, ctx, err);
	if (status != LEAT_OK)
		return status;
	result.value = leat_map_with(ctx, base, member, n + self->set.n);
	leat_emit(ctx, 0, &result);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(FIELDS, struct map, select, "select", "Fields to keep, all when absent; one from inside a map comes to the top."),
	LEAT_OPTION(FIELDS, struct map, remove, "remove", "Fields to take out."),
	LEAT_OPTION(PAIRS, struct map, rename, "rename", "New names of fields, as new: old."),
	LEAT_OPTION(EXPRESSIONS, struct map, set, "set", "Fields to compute from the event as it came."),
	LEAT_OPTION(EXPRESSION, struct map, time, "time", "Event time from here on, computed from the event as it came.", .flags = 0),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct map),
	.options = options,
	.create = create,
	.process = process,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "map", .version = "1.0", .summary = "Keeps, takes out, renames and computes fields.", .licence = "Apache-2.0",
            .op = &ops);
