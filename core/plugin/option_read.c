/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a setting to a member, one reader for each type of option. A reader reports what is wrong at the setting's place and
 * writes the member only when nothing was.
 */
#include "plugin/option_read.h"

#include <stdlib.h>
#include <string.h>

#include "data/aggregate.h"
#include "data/expression.h"
#include "data/path.h"
#include "data/template.h"
#include "plugin/option_words.h"
#include "plugin/scalar.h"

typedef bool read_option(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                         void *member);

/* ---- what is wrong ------------------------------------------------------------------------------------------------ */

/* `option "rate" must be an integer from 1 to 10, not "fast"` */
static bool report_mismatch(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill)
{
	struct leat_buffer wanted = { 0 };
	const char *meant = NULL;

	leat_option_expect(option, &wanted);
	leat_buffer_byte(&wanted, '\0');
	if (s->kind == LEAT_SETTING_LIST)
		leat_report_error(fill->report, s->place, "option \"%s\" must be %s, not a list", option->name, wanted.data);
	else if (s->kind == LEAT_SETTING_MAP)
		leat_report_error(fill->report, s->place, "option \"%s\" must be %s, not a map", option->name, wanted.data);
	else if (s->text == NULL)
		leat_report_error(fill->report, s->place, "option \"%s\" must be %s, but has no value", option->name, wanted.data);
	else {
		if (option->type == LEAT_OPTION_CHOICE)
			meant = leat_nearest(s->text, option->choices);
		leat_report_error(fill->report, s->place, "option \"%s\" must be %s, not %s\"%s\"%s%s%s", option->name, wanted.data,
		                  s->is_quoted && option->type <= LEAT_OPTION_REAL ? "the text " : "", s->text,
		                  meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
	}
	leat_buffer_finish(&wanted);
	return false;
}

/* What a compiler refused. Where the text stands in the file as it is, the place is moved to the column that it names. */
static bool report_refusal(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                           const struct leat_error *err)
{
	static const char phrase[] = " at column ";
	struct leat_place place = s->place;
	const char *at = strstr(err->text, phrase);
	char *rest = NULL;
	unsigned long column = at != NULL ? strtoul(at + strlen(phrase), &rest, 10) : 0;

	if (column == 0 || s->is_quoted || place.column == 0 || strchr(s->text, '\n') != NULL) {
		leat_report_error(fill->report, place, "option \"%s\": %s", option->name, err->text);
	} else {
		place.column += (unsigned)column - 1;
		leat_report_error(fill->report, place, "option \"%s\": %.*s%s", option->name, (int)(at - err->text), err->text, rest);
	}
	return false;
}

static bool has_text(const struct leat_setting *s)
{
	return s->kind == LEAT_SETTING_SCALAR && s->text != NULL;
}

static const char *keep_text(const struct leat_option_fill *fill, const char *text)
{
	return leat_arena_text(fill->arena, text, strlen(text) + 1);
}

/* ---- scalars ------------------------------------------------------------------------------------------------------ */

static bool read_bool(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                      void *member)
{
	bool value;

	if (!has_text(s) || s->is_quoted || !leat_parse_bool(s->text, &value))
		return report_mismatch(option, s, fill);
	memcpy(member, &value, sizeof value);
	return true;
}

static bool is_in_range(const struct leat_option *option, double value)
{
	return !leat_option_is_ranged(option) || (value >= option->minimum && value <= option->maximum);
}

/* INTEGER, DURATION and SIZE. Only a number is told from the same in quotes: 5s and "5s" are both text to YAML. */
static bool read_whole(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                       void *member)
{
	int64_t value = 0;
	bool is_good = has_text(s);

	if (is_good && option->type == LEAT_OPTION_INTEGER)
		is_good = !s->is_quoted && leat_parse_integer(s->text, &value);
	else if (is_good && option->type == LEAT_OPTION_DURATION)
		is_good = leat_parse_duration(s->text, &value);
	else if (is_good)
		is_good = leat_parse_size(s->text, &value);
	if (!is_good || !is_in_range(option, (double)value))
		return report_mismatch(option, s, fill);
	memcpy(member, &value, sizeof value);
	return true;
}

static bool read_real(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                      void *member)
{
	double value;

	if (!has_text(s) || s->is_quoted || !leat_parse_real(s->text, &value) || !is_in_range(option, value))
		return report_mismatch(option, s, fill);
	memcpy(member, &value, sizeof value);
	return true;
}

static bool read_text(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                      void *member)
{
	const char *text;

	if (!has_text(s))
		return report_mismatch(option, s, fill);
	if ((option->flags & LEAT_OPTION_PATH) && s->text[0] != '/' && s->text[0] != '\0' && fill->folder != NULL) {
		size_t folder_n = strlen(fill->folder);
		size_t text_n = strlen(s->text) + 1;
		char *path = leat_arena_allocate(fill->arena, folder_n + 1 + text_n);

		memcpy(path, fill->folder, folder_n);
		path[folder_n] = '/';
		memcpy(path + folder_n + 1, s->text, text_n);
		text = path;
	} else {
		text = keep_text(fill, s->text);
	}
	memcpy(member, &text, sizeof text);
	return true;
}

static bool read_choice(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                        void *member)
{
	for (int i = 0; has_text(s) && option->choices[i] != NULL; i++) {
		if (strcmp(option->choices[i], s->text) == 0) {
			memcpy(member, &i, sizeof i);
			return true;
		}
	}
	return report_mismatch(option, s, fill);
}

static bool read_name(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                      void *member)
{
	leat_symbol symbol;

	if (!has_text(s) || s->text[0] == '\0')
		return report_mismatch(option, s, fill);
	symbol = leat_symbols_intern(fill->symbols, s->text, strlen(s->text));
	memcpy(member, &symbol, sizeof symbol);
	return true;
}

/* ---- what is compiled --------------------------------------------------------------------------------------------- */

static bool read_field(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                       void *member)
{
	const struct leat_path *path;
	struct leat_error err;

	if (!has_text(s))
		return report_mismatch(option, s, fill);
	if (leat_path_compile(fill->arena, fill->symbols, s->text, &path, &err) != LEAT_OK)
		return report_refusal(option, s, fill, &err);
	memcpy(member, &path, sizeof path);
	return true;
}

static bool read_template(const struct leat_option *option, const struct leat_setting *s,
                          const struct leat_option_fill *fill, void *member)
{
	const struct leat_template *t;
	struct leat_error err;

	if (!has_text(s))
		return report_mismatch(option, s, fill);
	if (leat_template_compile(fill->arena, fill->symbols, s->text, &t, &err) != LEAT_OK)
		return report_refusal(option, s, fill, &err);
	memcpy(member, &t, sizeof t);
	return true;
}

static bool read_expression(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                            void *member)
{
	const struct leat_expression *expression;
	struct leat_error err;

	if (!has_text(s))
		return report_mismatch(option, s, fill);
	if (leat_expression_compile(fill->arena, fill->symbols, s->text, &expression, &err) != LEAT_OK)
		return report_refusal(option, s, fill, &err);
	memcpy(member, &expression, sizeof expression);
	return true;
}

/* ---- lists and maps: every mistake in them is reported ------------------------------------------------------------- */

/* Reads each item with `read` into an array of pointers; a scalar counts as a list of one. NULL: reported. */
static void *read_items(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                        read_option *read, size_t *n)
{
	const struct leat_setting *item = s->kind == LEAT_SETTING_LIST ? s->item : s;
	const void **array;
	bool is_good = true;

	if (s->kind == LEAT_SETTING_MAP) {
		(void)report_mismatch(option, s, fill);
		return NULL;
	}
	*n = s->kind == LEAT_SETTING_LIST ? s->n : 1;
	array = leat_arena_allocate(fill->arena, *n * sizeof *array);
	for (size_t i = 0; i < *n; i++)
		is_good = read(option, &item[i], fill, &array[i]) && is_good;
	return is_good ? array : NULL;
}

static bool read_texts(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                       void *member)
{
	struct leat_texts texts;

	texts.item = read_items(option, s, fill, read_text, &texts.n);
	if (texts.item == NULL)
		return false;
	memcpy(member, &texts, sizeof texts);
	return true;
}

static bool read_fields(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                        void *member)
{
	struct leat_paths paths;

	paths.item = read_items(option, s, fill, read_field, &paths.n);
	if (paths.item == NULL)
		return false;
	memcpy(member, &paths, sizeof paths);
	return true;
}

static bool read_pairs(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                       void *member)
{
	struct leat_pairs pairs = { .n = s->n };
	struct leat_pair *item = leat_arena_allocate(fill->arena, s->n * sizeof *item);
	bool is_good = true;

	if (s->kind != LEAT_SETTING_MAP)
		return report_mismatch(option, s, fill);
	for (size_t i = 0; i < s->n; i++) {
		item[i].name = keep_text(fill, s->item[i].name);
		is_good = read_text(option, &s->item[i], fill, &item[i].text) && is_good;
	}
	pairs.item = item;
	if (is_good)
		memcpy(member, &pairs, sizeof pairs);
	return is_good;
}

static bool read_templates(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                           void *member)
{
	struct leat_templates templates = { .n = s->n };
	struct leat_named_template *item = leat_arena_allocate(fill->arena, s->n * sizeof *item);
	bool is_good = true;

	if (s->kind != LEAT_SETTING_MAP)
		return report_mismatch(option, s, fill);
	for (size_t i = 0; i < s->n; i++) {
		item[i].name = keep_text(fill, s->item[i].name);
		is_good = read_template(option, &s->item[i], fill, &item[i].value) && is_good;
	}
	templates.item = item;
	if (is_good)
		memcpy(member, &templates, sizeof templates);
	return is_good;
}

static bool read_expressions(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                             void *member)
{
	struct leat_expressions expressions = { .n = s->n };
	struct leat_named_expression *item = leat_arena_allocate(fill->arena, s->n * sizeof *item);
	bool is_good = true;

	if (s->kind != LEAT_SETTING_MAP)
		return report_mismatch(option, s, fill);
	for (size_t i = 0; i < s->n; i++) {
		item[i].text = keep_text(fill, s->item[i].name);
		item[i].name = leat_symbols_intern(fill->symbols, item[i].text, strlen(item[i].text));
		is_good = read_expression(option, &s->item[i], fill, &item[i].value) && is_good;
	}
	expressions.item = item;
	if (is_good)
		memcpy(member, &expressions, sizeof expressions);
	return is_good;
}

static bool read_aggregate(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                           void *member)
{
	struct leat_aggregate *aggregate = member;
	struct leat_error err;

	if (!has_text(s))
		return report_mismatch(option, s, fill);
	if (leat_aggregate_compile(fill->arena, fill->symbols, s->text, aggregate, &err) != LEAT_OK)
		return report_refusal(option, s, fill, &err);
	aggregate->text = keep_text(fill, s->name);
	aggregate->name = leat_symbols_intern(fill->symbols, s->name, strlen(s->name));
	return true;
}

static bool read_aggregates(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                            void *member)
{
	struct leat_aggregates aggregates = { .n = s->n };
	struct leat_aggregate *item = leat_arena_allocate(fill->arena, s->n * sizeof *item);
	bool is_good = true;

	if (s->kind != LEAT_SETTING_MAP)
		return report_mismatch(option, s, fill);
	for (size_t i = 0; i < s->n; i++)
		is_good = read_aggregate(option, &s->item[i], fill, &item[i]) && is_good;
	aggregates.item = item;
	if (is_good)
		memcpy(member, &aggregates, sizeof aggregates);
	return is_good;
}

/* ---- by type ------------------------------------------------------------------------------------------------------ */

static const struct {
	read_option *read;
	size_t size;
} types[] = {
	[LEAT_OPTION_BOOL] = { read_bool, sizeof(bool) },
	[LEAT_OPTION_INTEGER] = { read_whole, sizeof(int64_t) },
	[LEAT_OPTION_REAL] = { read_real, sizeof(double) },
	[LEAT_OPTION_TEXT] = { read_text, sizeof(const char *) },
	[LEAT_OPTION_DURATION] = { read_whole, sizeof(int64_t) },
	[LEAT_OPTION_SIZE] = { read_whole, sizeof(int64_t) },
	[LEAT_OPTION_CHOICE] = { read_choice, sizeof(int) },
	[LEAT_OPTION_TEXTS] = { read_texts, sizeof(struct leat_texts) },
	[LEAT_OPTION_PAIRS] = { read_pairs, sizeof(struct leat_pairs) },
	[LEAT_OPTION_FIELD] = { read_field, sizeof(const struct leat_path *) },
	[LEAT_OPTION_FIELDS] = { read_fields, sizeof(struct leat_paths) },
	[LEAT_OPTION_NAME] = { read_name, sizeof(leat_symbol) },
	[LEAT_OPTION_TEMPLATE] = { read_template, sizeof(const struct leat_template *) },
	[LEAT_OPTION_TEMPLATES] = { read_templates, sizeof(struct leat_templates) },
	[LEAT_OPTION_EXPRESSION] = { read_expression, sizeof(const struct leat_expression *) },
	[LEAT_OPTION_EXPRESSIONS] = { read_expressions, sizeof(struct leat_expressions) },
	[LEAT_OPTION_AGGREGATES] = { read_aggregates, sizeof(struct leat_aggregates) },
};

size_t leat_option_member_size(enum leat_option_type type)
{
	return types[type].size;
}

bool leat_option_read(const struct leat_option *option, const struct leat_setting *setting, const struct leat_option_fill *fill,
                      void *member)
{
	return types[option->type].read(option, setting, fill, member);
}

/* `[a, b]` as a list of scalars; anything else as a scalar. */
static struct leat_setting setting_of_preset(const char *preset, struct leat_place place, struct leat_arena *arena)
{
	struct leat_setting s = { .kind = LEAT_SETTING_SCALAR, .place = place, .text = preset };
	struct leat_setting *item;
	size_t n = strlen(preset);
	const char *end = preset + n;
	size_t n_items = 1;

	if (n < 2 || preset[0] != '[' || preset[n - 1] != ']')
		return s;
	for (const char *p = preset; *p != '\0'; p++)
		n_items += *p == ',';
	item = leat_arena_allocate(arena, n_items * sizeof *item);
	s.kind = LEAT_SETTING_LIST;
	for (const char *p = preset + 1; p < end - 1;) {
		size_t blank_n = strspn(p, " ");
		size_t text_n = strcspn(p + blank_n, ",]");
		const char *next = p + blank_n + text_n + 1;

		while (text_n > 0 && p[blank_n + text_n - 1] == ' ')
			text_n--;
		char *text = leat_arena_text(arena, p + blank_n, text_n + 1);
		text[text_n] = '\0';
		item[s.n++] = (struct leat_setting){ .kind = LEAT_SETTING_SCALAR, .place = place, .text = text };
		p = next;
	}
	s.item = item;
	s.text = NULL;
	return s;
}

bool leat_option_read_preset(const struct leat_option *option, struct leat_place place, const struct leat_option_fill *fill,
                             void *member)
{
	bool is_list = option->type == LEAT_OPTION_TEXTS || option->type == LEAT_OPTION_FIELDS;
	struct leat_setting s = { .kind = LEAT_SETTING_SCALAR, .place = place, .text = option->preset };

	if (is_list)
		s = setting_of_preset(option->preset, place, fill->arena);
	return leat_option_read(option, &s, fill, member);
}
