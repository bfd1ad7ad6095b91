/* SPDX-License-Identifier: Apache-2.0 */
/* `leat inspect --format json`. */
#include <string.h>

#include "plugin/inspect.h"
#include "plugin/json_writer.h"
#include "plugin/option_words.h"
#include "plugin/roles.h"

static const char *const type_names[] = {
	[LEAT_OPTION_BOOL] = "bool",
	[LEAT_OPTION_INTEGER] = "integer",
	[LEAT_OPTION_REAL] = "real",
	[LEAT_OPTION_TEXT] = "text",
	[LEAT_OPTION_DURATION] = "duration",
	[LEAT_OPTION_SIZE] = "size",
	[LEAT_OPTION_CHOICE] = "choice",
	[LEAT_OPTION_TEXTS] = "texts",
	[LEAT_OPTION_PAIRS] = "pairs",
	[LEAT_OPTION_FIELD] = "field",
	[LEAT_OPTION_FIELDS] = "fields",
	[LEAT_OPTION_NAME] = "name",
	[LEAT_OPTION_TEMPLATE] = "template",
	[LEAT_OPTION_TEMPLATES] = "templates",
	[LEAT_OPTION_EXPRESSION] = "expression",
	[LEAT_OPTION_EXPRESSIONS] = "expressions",
	[LEAT_OPTION_AGGREGATES] = "aggregates",
};

static const char *const kind_names[] = {
	[LEAT_TABLE_FIXED] = "fixed",
	[LEAT_TABLE_VALUE] = "value",
	[LEAT_TABLE_ORDERED] = "ordered",
};

static const char *const field_names[] = {
	[LEAT_FIELD_INT64] = "int64", [LEAT_FIELD_DOUBLE] = "double", [LEAT_FIELD_BOOL] = "bool",
	[LEAT_FIELD_INT32] = "int32", [LEAT_FIELD_BYTES] = "bytes",
};

static void write_names(struct leat_json_writer *w, const char *name, const char *const *names)
{
	leat_json_writer_open(w, name, '[');
	for (; names != NULL && *names != NULL; names++)
		leat_json_writer_text(w, NULL, *names);
	leat_json_writer_close(w, ']');
}

static void write_option(struct leat_json_writer *w, const struct leat_option *o)
{
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_text(w, "name", o->name);
	leat_json_writer_text(w, "type", type_names[o->type]);
	leat_json_writer_bool(w, "required", (o->flags & LEAT_OPTION_REQUIRED) != 0);
	leat_json_writer_bool(w, "secret", (o->flags & LEAT_OPTION_SECRET) != 0);
	if (o->flags & LEAT_OPTION_PATH)
		leat_json_writer_bool(w, "path", true);
	leat_json_writer_text(w, "default", o->preset);
	if (leat_option_is_ranged(o)) {
		leat_json_writer_number(w, "minimum", o->minimum);
		leat_json_writer_number(w, "maximum", o->maximum);
	}
	if (o->type == LEAT_OPTION_CHOICE)
		write_names(w, "choices", o->choices);
	leat_json_writer_text(w, "description", o->prose);
	leat_json_writer_close(w, '}');
}

static void write_table(struct leat_json_writer *w, const struct leat_table_spec *t)
{
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_text(w, "name", t->name);
	leat_json_writer_text(w, "kind", kind_names[t->kind]);
	leat_json_writer_number(w, "version", t->version);
	leat_json_writer_text(w, "description", t->prose);
	if (t->kind == LEAT_TABLE_FIXED) {
		leat_json_writer_number(w, "size", (double)t->size);
		leat_json_writer_open(w, "fields", '[');
		for (const struct leat_field *f = t->fields; f->name != NULL; f++) {
			leat_json_writer_open(w, NULL, '{');
			leat_json_writer_text(w, "name", f->name);
			leat_json_writer_text(w, "type", field_names[f->type]);
			leat_json_writer_number(w, "offset", (double)f->offset);
			leat_json_writer_number(w, "size", (double)f->size);
			leat_json_writer_close(w, '}');
		}
		leat_json_writer_close(w, ']');
		leat_json_writer_open(w, "migrates", '[');
		for (const struct leat_table_spec *older = t->older; older != NULL && older->name != NULL; older++)
			leat_json_writer_number(w, NULL, older->version);
		leat_json_writer_close(w, ']');
	}
	leat_json_writer_close(w, '}');
}

static void write_operator(struct leat_json_writer *w, const struct leat_operator_ops *ops)
{
	static const char *const out[] = { "out", NULL };

	/* null: its options say which. */
	if (ops->list_ports != NULL)
		leat_json_writer_text(w, "ports", NULL);
	else
		write_names(w, "ports", ops->ports != NULL ? ops->ports : out);
	if (ops->inputs != NULL)
		write_names(w, "inputs", ops->inputs);
	leat_json_writer_open(w, "tables", '[');
	for (const struct leat_table_spec *t = ops->tables; t != NULL && t->name != NULL; t++)
		write_table(w, t);
	leat_json_writer_close(w, ']');
}

static void write_plugin(struct leat_json_writer *w, const struct leat_loaded *loaded)
{
	const struct leat_plugin *plugin = loaded->plugin;
	struct leat_role_view view[LEAT_ROLES];
	size_t n = leat_plugin_roles(plugin, view);

	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_text(w, "name", plugin->name);
	leat_json_writer_text(w, "version", plugin->version);
	leat_json_writer_text(w, "summary", plugin->summary);
	leat_json_writer_text(w, "licence", plugin->licence);
	leat_json_writer_text(w, "path", loaded->path);
	leat_json_writer_open(w, "roles", '{');
	for (size_t i = 0; i < n; i++) {
		leat_json_writer_open(w, view[i].name, '{');
		if (view[i].section != NULL && strcmp(view[i].name, "operator") != 0)
			leat_json_writer_bool(w, "format", view[i].has_format);
		if (strcmp(view[i].name, "source") == 0)
			leat_json_writer_bool(w, "can_replay", plugin->source->can_replay);
		leat_json_writer_open(w, "options", '[');
		for (const struct leat_option *o = view[i].options; o != NULL && o->name != NULL; o++)
			write_option(w, o);
		leat_json_writer_close(w, ']');
		if (strcmp(view[i].name, "operator") == 0)
			write_operator(w, plugin->op);
		leat_json_writer_close(w, '}');
	}
	leat_json_writer_close(w, '}');
	leat_json_writer_close(w, '}');
}

static void print(struct leat_json_writer *w, FILE *out)
{
	(void)fwrite(w->out.data, 1, w->out.n, out);
	leat_buffer_finish(&w->out);
}

void leat_inspect_plugin_json(const struct leat_loaded *loaded, FILE *out)
{
	struct leat_json_writer w = { .depth = 0 };

	write_plugin(&w, loaded);
	print(&w, out);
}

void leat_inspect_list_json(const struct leat_registry *registry, FILE *out)
{
	struct leat_json_writer w = { .depth = 0 };
	const struct leat_loaded *items;
	const struct leat_refused *refused;
	size_t n = leat_registry_loaded(registry, &items);
	size_t n_refused = leat_registry_refused(registry, &refused);

	leat_json_writer_open(&w, NULL, '{');
	leat_json_writer_open(&w, "plugins", '[');
	for (size_t i = 0; i < n; i++)
		write_plugin(&w, &items[i]);
	leat_json_writer_close(&w, ']');
	leat_json_writer_open(&w, "refused", '[');
	for (size_t i = 0; i < n_refused; i++) {
		leat_json_writer_open(&w, NULL, '{');
		leat_json_writer_text(&w, "path", refused[i].path);
		leat_json_writer_text(&w, "reason", refused[i].reason);
		leat_json_writer_close(&w, '}');
	}
	leat_json_writer_close(&w, ']');
	leat_json_writer_close(&w, '}');
	print(&w, out);
}
