/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/report.h"
#include "plugin/options.h"

/* The program's own name stands for itself: "leat run", but "leatd". */
static const char *program_of(const struct leat_verb *verb)
{
	return strcmp(verb->name, "leatd") == 0 ? "" : "leat ";
}

static void print_complaint(const struct leat_verb *verb, const char *format, va_list args) __attribute__((format(printf, 2, 0)));

static void print_complaint(const struct leat_verb *verb, const char *format, va_list args)
{
	(void)fprintf(stderr, "%s%s: ", program_of(verb), verb->name);
	(void)vfprintf(stderr, format, args);
	(void)fputc('\n', stderr);
}

void leat_verb_complain(const struct leat_verb *verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_complaint(verb, format, args);
	va_end(args);
}

enum leat_exit leat_usage_error(const struct leat_verb *verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_complaint(verb, format, args);
	va_end(args);
	(void)fprintf(stderr, "%s%s --help tells more\n", program_of(verb), verb->name);
	return LEAT_EXIT_USAGE;
}

static const char *nearest_option(const char *name, const struct option *options)
{
	const char *names[64];
	size_t n = 0;

	while (options[n].name != NULL && n + 1 < sizeof names / sizeof *names) {
		names[n] = options[n].name;
		n++;
	}
	names[n] = NULL;
	return leat_nearest(name, names);
}

static void complain_of_unknown(const struct leat_verb *verb, const char *word, const struct option *options)
{
	char *name;
	const char *nearest;

	if (word[0] != '-' || word[1] != '-') {
		(void)leat_usage_error(verb, "unknown option \"-%c\"", optopt);
		return;
	}
	name = leat_copy_bytes_as_text(word + 2, strcspn(word + 2, "="));
	nearest = nearest_option(name, options);
	if (nearest != NULL)
		(void)leat_usage_error(verb, "unknown option \"--%s\"; did you mean \"--%s\"?", name, nearest);
	else
		(void)leat_usage_error(verb, "unknown option \"--%s\"", name);
	free(name);
}

static const char *name_of(int value, const struct option *options)
{
	for (; options->name != NULL; options++)
		if (options->val == value)
			return options->name;
	return NULL;
}

int leat_argument_next(const struct leat_verb *verb, int argc, char **argv, const char *letters, const struct option *options)
{
	char all[32];
	int value;

	opterr = 0;
	(void)snprintf(all, sizeof all, ":h%s", letters);
	value = getopt_long(argc, argv, all, options, NULL);
	if (value == LEAT_ARGUMENT_HELP)
		(void)fputs(verb->help, stdout);
	if (value == ':') {
		(void)leat_usage_error(verb, "option \"--%s\" needs a value", name_of(optopt, options));
		return LEAT_ARGUMENT_WRONG;
	}
	if (value == '?') {
		if (optopt != 0 && name_of(optopt, options) != NULL)
			(void)leat_usage_error(verb, "option \"--%s\" takes no value", name_of(optopt, options));
		else
			complain_of_unknown(verb, argv[optind - 1], options);
	}
	return value;
}

bool leat_argument_duration(const struct leat_verb *verb, const char *option, const char *text, int64_t *us)
{
	if (leat_parse_duration(text, us) && *us > 0)
		return true;
	(void)leat_usage_error(verb, "option \"--%s\" is \"%s\", expected a duration such as 500ms, 20s or 10m", option, text);
	return false;
}

bool leat_argument_size(const struct leat_verb *verb, const char *option, const char *text, const char *least, size_t *bytes)
{
	int64_t n, from = 0;

	leat_check(leat_parse_size(least, &from));
	if (leat_parse_size(text, &n) && n >= from) {
		*bytes = (size_t)n;
		return true;
	}
	(void)leat_usage_error(verb, "option \"--%s\" is \"%s\", expected a size of %s or more, such as 64MiB", option, text, least);
	return false;
}

bool leat_argument_number(const struct leat_verb *verb, const char *option, const char *text, uint32_t maximum, uint32_t *n)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*text != '\0' && *end == '\0' && value >= 1 && value <= (long)maximum) {
		*n = (uint32_t)value;
		return true;
	}
	(void)leat_usage_error(verb, "option \"--%s\" is \"%s\", expected a number from 1 to %u", option, text, maximum);
	return false;
}

bool leat_argument_choice(const struct leat_verb *verb, const char *option, const char *text, const char *const *choices, int *n)
{
	char list[256] = "";

	for (int i = 0; choices[i] != NULL; i++) {
		size_t used = strlen(list);

		if (strcmp(text, choices[i]) == 0) {
			*n = i;
			return true;
		}
		(void)snprintf(list + used, sizeof list - used, "%s%s", i == 0 ? "" : choices[i + 1] == NULL ? " or " : ", ", choices[i]);
	}
	(void)leat_usage_error(verb, "option \"--%s\" is \"%s\", expected %s", option, text, list);
	return false;
}

bool leat_argument_format(const struct leat_verb *verb, const char *text, int *format)
{
	static const char *const formats[] = {[LEAT_FORMAT_TEXT] = "text", [LEAT_FORMAT_JSON] = "json", NULL};

	return leat_argument_choice(verb, "format", text, formats, format);
}
