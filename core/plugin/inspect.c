/* SPDX-License-Identifier: Apache-2.0 */
/* `leat inspect` for people: texts and the Markdown of READMEs. */
#include "plugin/inspect.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plugin/options.h"
#include "plugin/roles.h"

enum { WIDTH = 100, INDENT = 24 };

static int by_name(const void *a, const void *b)
{
	const struct leat_loaded *left = a;
	const struct leat_loaded *right = b;

	return strcmp(left->plugin->name, right->plugin->name);
}

/* ---- list ----------------------------------------------------------------------------------------------------------- */

static void print_roles(const struct leat_plugin *plugin, char *out, size_t size)
{
	struct leat_role_view view[LEAT_ROLES];
	size_t n = leat_plugin_roles(plugin, view);
	size_t used = 0;

	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(out + used, size - used, "%s%s", i > 0 ? ", " : "", view[i].name);
}

void leat_inspect_list(const struct leat_registry *registry, FILE *out)
{
	const struct leat_loaded *items;
	const struct leat_refused *refused;
	size_t n = leat_registry_loaded(registry, &items);
	size_t n_refused = leat_registry_refused(registry, &refused);
	struct leat_loaded *sorted = leat_allocate_zeroed(n, sizeof *sorted);
	char roles[64];

	if (n > 0)
		memcpy(sorted, items, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, by_name);
	for (size_t i = 0; i < n; i++) {
		print_roles(sorted[i].plugin, roles, sizeof roles);
		(void)fprintf(out, "%-12s %-8s %-22s %s\n", sorted[i].plugin->name, sorted[i].plugin->version, roles,
		              sorted[i].plugin->summary);
	}
	free(sorted);
	if (n == 0)
		(void)fputs("no plugins\n", out);
	if (n_refused > 0)
		(void)fputs("\nrefused:\n", out);
	for (size_t i = 0; i < n_refused; i++)
		(void)fprintf(out, "%s: %s\n", refused[i].path, refused[i].reason);
}

/* ---- one plugin ----------------------------------------------------------------------------------------------------- */

/* Broken at blanks, each line indented; the first one goes on where the cursor is. */
static void print_wrapped(FILE *out, const char *text)
{
	size_t column = INDENT;

	while (*text != '\0') {
		size_t n = strcspn(text, " ");

		if (column > INDENT && column + 1 + n > WIDTH) {
			(void)fprintf(out, "\n%*s", INDENT, "");
			column = INDENT;
		} else if (column > INDENT) {
			(void)fputc(' ', out);
			column++;
		}
		(void)fwrite(text, 1, n, out);
		column += n;
		text += n + (text[n] == ' ');
	}
	(void)fputc('\n', out);
}

/* "text, required", "duration, 1ms to 1h; default 20ms" */
static void describe_all(const struct leat_option *option, struct leat_buffer *out)
{
	leat_option_describe(option, out);
	if (option->flags & LEAT_OPTION_SECRET) {
		leat_buffer_text(out, ", secret: or the path of a file that holds it as ");
		leat_buffer_text(out, option->name);
		leat_buffer_text(out, "_file");
	}
	if (option->flags & LEAT_OPTION_PATH)
		leat_buffer_text(out, ", a path beside the pipeline file");
	if (option->flags & LEAT_OPTION_REQUIRED)
		leat_buffer_text(out, "; required");
	if (option->preset != NULL) {
		leat_buffer_text(out, "; default ");
		leat_buffer_text(out, option->preset[0] != '\0' ? option->preset : "\"\"");
	}
	leat_buffer_byte(out, '\0');
}

static void print_options(FILE *out, const struct leat_option *options)
{
	for (const struct leat_option *o = options; o != NULL && o->name != NULL; o++) {
		struct leat_buffer words = { 0 };

		describe_all(o, &words);
		(void)fprintf(out, "    %-*s", INDENT - 4, o->name);
		if (strlen(o->name) > INDENT - 5)
			(void)fprintf(out, "\n%*s", INDENT, "");
		print_wrapped(out, o->prose);
		(void)fprintf(out, "%*s", INDENT, "");
		print_wrapped(out, words.data);
		leat_buffer_finish(&words);
	}
	if (options == NULL || options->name == NULL)
		(void)fputs("    none\n", out);
}

static const char *name_of_kind(enum leat_table_kind kind)
{
	return kind == LEAT_TABLE_FIXED ? "fixed" : kind == LEAT_TABLE_VALUE ? "value" : "ordered";
}

static void print_table(FILE *out, const struct leat_table_spec *t)
{
	struct leat_buffer words = { 0 };

	if (t->prose != NULL)
		leat_buffer_text(&words, t->prose);
	else
		leat_buffer_text(&words, name_of_kind(t->kind));
	leat_buffer_byte(&words, '\0');
	(void)fprintf(out, "    %-*s", INDENT - 4, t->name);
	if (strlen(t->name) > INDENT - 5)
		(void)fprintf(out, "\n%*s", INDENT, "");
	print_wrapped(out, words.data);
	(void)fprintf(out, "%*s%s, version %u", INDENT, "", name_of_kind(t->kind), t->version);
	if (t->kind == LEAT_TABLE_FIXED) {
		(void)fprintf(out, ", %zu bytes:", t->size);
		for (const struct leat_field *f = t->fields; f->name != NULL; f++)
			(void)fprintf(out, " %s", f->name);
	}
	for (const struct leat_table_spec *older = t->older; older != NULL && older->name != NULL; older++)
		(void)fprintf(out, "%s %u", older == t->older ? "; migrates version" : ",", older->version);
	(void)fputc('\n', out);
	leat_buffer_finish(&words);
}

static void print_operator(FILE *out, const struct leat_operator_ops *ops)
{
	(void)fputs("  ports\n    ", out);
	if (ops->list_ports != NULL)
		(void)fputs("by its options", out);
	else if (ops->ports == NULL)
		(void)fputs("out", out);
	for (size_t i = 0; ops->list_ports == NULL && ops->ports != NULL && ops->ports[i] != NULL; i++)
		(void)fprintf(out, "%s%s", i > 0 ? ", " : "", ops->ports[i]);
	(void)fputs("; dead\n", out);
	for (size_t i = 0; ops->inputs != NULL && ops->inputs[i] != NULL; i++)
		(void)fprintf(out, "%s%s%s", i > 0 ? ", " : "  inputs\n    ", ops->inputs[i], ops->inputs[i + 1] == NULL ? "\n" : "");
	if (ops->tables == NULL || ops->tables->name == NULL)
		return;
	(void)fputs("  tables\n", out);
	for (const struct leat_table_spec *t = ops->tables; t->name != NULL; t++)
		print_table(out, t);
}

static void print_role(FILE *out, const struct leat_plugin *plugin, const struct leat_role_view *role)
{
	(void)fprintf(out, "\n%s %s\n", plugin->name, role->name);
	if (strcmp(role->name, "source") == 0)
		(void)fprintf(out, "  %s; %s\n", plugin->source->can_replay ? "can be replayed" : "cannot be replayed",
		              role->has_format ? "reads records by the node's format" : "makes records itself, without format");
	if (strcmp(role->name, "sink") == 0)
		(void)fprintf(out, "  %s\n", role->has_format ? "writes records by the node's format"
		                                               : "writes records its own way, without format");
	(void)fputs("  options\n", out);
	print_options(out, role->options);
	if (strcmp(role->name, "operator") == 0)
		print_operator(out, plugin->op);
}

void leat_inspect_plugin(const struct leat_loaded *loaded, FILE *out)
{
	const struct leat_plugin *plugin = loaded->plugin;
	struct leat_role_view view[LEAT_ROLES];
	size_t n = leat_plugin_roles(plugin, view);

	(void)fprintf(out, "%s %s: %s\n", plugin->name, plugin->version, plugin->summary);
	(void)fprintf(out, "  file     %s\n", loaded->path != NULL ? loaded->path : "built in");
	if (plugin->licence != NULL)
		(void)fprintf(out, "  licence  %s\n", plugin->licence);
	for (size_t i = 0; i < n; i++)
		print_role(out, plugin, &view[i]);
}

/* ---- Markdown ------------------------------------------------------------------------------------------------------- */

/* A bar would end the cell. */
static void print_cell(FILE *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			(void)fputc('\\', out);
		(void)fputc(*text, out);
	}
}

static void print_row(FILE *out, const struct leat_option *o)
{
	struct leat_buffer words = { 0 };

	leat_option_describe(o, &words);
	leat_buffer_byte(&words, '\0');
	(void)fprintf(out, "| `%s`", o->name);
	if (o->flags & LEAT_OPTION_SECRET)
		(void)fprintf(out, " or `%s_file`", o->name);
	(void)fputs(" | ", out);
	print_cell(out, words.data);
	leat_buffer_finish(&words);
	(void)fputs(" | ", out);
	if (o->flags & LEAT_OPTION_REQUIRED) {
		(void)fputs("required", out);
	} else if (o->preset != NULL) {
		(void)fputc('`', out);
		print_cell(out, o->preset[0] != '\0' ? o->preset : "\"\"");
		(void)fputc('`', out);
	}
	(void)fputs(" | ", out);
	print_cell(out, o->prose);
	(void)fputs(" |\n", out);
}

void leat_inspect_plugin_markdown(const struct leat_loaded *loaded, FILE *out)
{
	struct leat_role_view view[LEAT_ROLES];
	size_t n = leat_plugin_roles(loaded->plugin, view);

	for (size_t i = 0; i < n; i++) {
		const struct leat_option *o = view[i].options;

		if (i > 0)
			(void)fputc('\n', out);
		if (n > 1)
			(void)fprintf(out, "As a %s:\n\n", view[i].name);
		if (o == NULL || o->name == NULL) {
			(void)fputs("It has no options.\n", out);
			continue;
		}
		(void)fputs("| option | type | default | what it does |\n|---|---|---|---|\n", out);
		for (; o->name != NULL; o++)
			print_row(out, o);
	}
}
