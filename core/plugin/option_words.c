/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds of options are called, with their ranges: for messages, `leat inspect` and READMEs. */
#include <float.h>

#include "plugin/option_words.h"
#include "plugin/scalar.h"

struct words {
	const char *kind;
	const char *expectation;
};

static const struct words words[] = {
	[LEAT_OPTION_BOOL] = { "bool", "true or false" },
	[LEAT_OPTION_INTEGER] = { "integer", "an integer" },
	[LEAT_OPTION_REAL] = { "number", "a number" },
	[LEAT_OPTION_TEXT] = { "text", "a text" },
	[LEAT_OPTION_DURATION] = { "duration", "a duration such as 20ms or 5s" },
	[LEAT_OPTION_SIZE] = { "size", "a size such as 64KiB or 10MB" },
	[LEAT_OPTION_CHOICE] = { "one of ", "one of " },
	[LEAT_OPTION_TEXTS] = { "list of texts", "a text or a list of texts" },
	[LEAT_OPTION_PAIRS] = { "map of texts", "a map of texts" },
	[LEAT_OPTION_FIELD] = { "field", "a field such as user.country" },
	[LEAT_OPTION_FIELDS] = { "list of fields", "a field or a list of fields" },
	[LEAT_OPTION_NAME] = { "name of a field", "the name of a field" },
	[LEAT_OPTION_TEMPLATE] = { "template", "a template such as user:{id}" },
	[LEAT_OPTION_TEMPLATES] = { "map of templates", "a map of names to templates" },
	[LEAT_OPTION_EXPRESSION] = { "expression", "an expression such as amount > 100" },
	[LEAT_OPTION_EXPRESSIONS] = { "map of expressions", "a map of names to expressions" },
	[LEAT_OPTION_AGGREGATES] = { "map of aggregates", "a map of names to aggregates such as sum(amount)" },
};

bool leat_option_type_is_known(enum leat_option_type type)
{
	return type >= LEAT_OPTION_BOOL && type <= LEAT_OPTION_AGGREGATES;
}

bool leat_option_is_ranged(const struct leat_option *option)
{
	bool is_number = option->type == LEAT_OPTION_INTEGER || option->type == LEAT_OPTION_REAL || option->type == LEAT_OPTION_DURATION ||
	                 option->type == LEAT_OPTION_SIZE;

	/* Exactly zero is how a table says that there are no bounds. */
	return is_number && !(option->minimum >= 0 && option->minimum <= 0 && option->maximum >= 0 && option->maximum <= 0);
}

static void append_bound(struct leat_buffer *out, const struct leat_option *option, double bound)
{
	char text[40];

	if (option->type == LEAT_OPTION_DURATION)
		leat_format_duration((int64_t)bound, text, sizeof text);
	else if (option->type == LEAT_OPTION_SIZE)
		leat_format_size((int64_t)bound, text, sizeof text);
	else
		(void)snprintf(text, sizeof text, "%.15g", bound);
	leat_buffer_text(out, text);
}

/* A bound at the end of what the type holds is none. */
static bool is_open(const struct leat_option *option, double bound)
{
	double end = option->type == LEAT_OPTION_REAL ? DBL_MAX : 9.2e18;

	return bound >= end || bound <= -end;
}

static void append_range(struct leat_buffer *out, const struct leat_option *option, const char *before)
{
	bool has_minimum = !is_open(option, option->minimum);
	bool has_maximum = !is_open(option, option->maximum);

	if (!leat_option_is_ranged(option) || (!has_minimum && !has_maximum))
		return;
	if (has_minimum && has_maximum) {
		leat_buffer_text(out, before);
		append_bound(out, option, option->minimum);
		leat_buffer_text(out, " to ");
		append_bound(out, option, option->maximum);
	} else {
		leat_buffer_text(out, has_minimum ? ", at least " : ", at most ");
		append_bound(out, option, has_minimum ? option->minimum : option->maximum);
	}
}

static void append_choices(struct leat_buffer *out, const struct leat_option *option)
{
	for (size_t i = 0; option->choices != NULL && option->choices[i] != NULL; i++) {
		if (i > 0)
			leat_buffer_text(out, ", ");
		leat_buffer_text(out, option->choices[i]);
	}
}

void leat_option_describe(const struct leat_option *option, struct leat_buffer *out)
{
	leat_buffer_text(out, words[option->type].kind);
	if (option->type == LEAT_OPTION_CHOICE)
		append_choices(out, option);
	append_range(out, option, ", ");
}

void leat_option_expect(const struct leat_option *option, struct leat_buffer *out)
{
	leat_buffer_text(out, words[option->type].expectation);
	if (option->type == LEAT_OPTION_CHOICE)
		append_choices(out, option);
	append_range(out, option, " from ");
}
