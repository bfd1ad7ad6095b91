/* SPDX-License-Identifier: Apache-2.0 */
/* The forms that scalars have in pipeline files. */
#include "plugin/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit durations[] = {
	{ "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 }, { "h", 3600000000 }, { "d", 86400000000 }, { NULL, 0 },
};
static const struct unit sizes[] = {
	{ "B", 1 },
	{ "KB", 1000 },
	{ "KiB", 1024 },
	{ "MB", 1000000 },
	{ "MiB", 1 << 20 },
	{ "GB", 1000000000 },
	{ "GiB", 1 << 30 },
	{ "TB", 1000000000000 },
	{ "TiB", INT64_C(1) << 40 },
	{ NULL, 0 },
};

bool leat_parse_bool(const char *text, bool *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "off", "on" };

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i % 2 == 1;
			return true;
		}
	}
	return false;
}

bool leat_parse_integer(const char *text, int64_t *out)
{
	const char *digits = text + (*text == '-' || *text == '+');
	long long value;
	char *end;

	if (!isdigit((unsigned char)*digits))
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0)
		return false;
	*out = value;
	return true;
}

bool leat_parse_real(const char *text, double *out)
{
	double value;
	char *end;

	/* strtod also reads hexadecimal, infinities and leading blanks. */
	if (*text == '\0' || strspn(text, "+-.0123456789eE") != strlen(text))
		return false;
	errno = 0;
	value = strtod(text, &end);
	if (*end != '\0' || !isfinite(value))
		return false;
	*out = value;
	return true;
}

/* Digits and a unit; without one only where `plain` allows it. */
static bool parse_with_unit(const char *text, const struct unit *units, bool plain, int64_t *out)
{
	char digits[24];
	size_t n = strspn(text, "0123456789");
	const char *suffix = text + n;
	int64_t factor = 0;
	int64_t value;

	if (n == 0 || n >= sizeof digits)
		return false;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (!leat_parse_integer(digits, &value))
		return false;
	if (*suffix == '\0' && (plain || value == 0))
		factor = 1;
	for (; factor == 0 && units->name != NULL; units++)
		if (strcmp(units->name, suffix) == 0)
			factor = units->factor;
	if (factor == 0 || value > INT64_MAX / factor)
		return false;
	*out = value * factor;
	return true;
}

bool leat_parse_duration(const char *text, int64_t *us)
{
	return parse_with_unit(text, durations, false, us);
}

bool leat_parse_size(const char *text, int64_t *bytes)
{
	return parse_with_unit(text, sizes, true, bytes);
}

/* In the largest unit that leaves a whole number. */
static void format_with_unit(const struct unit *units, const char *none, int64_t value, char *out, size_t n)
{
	const struct unit *best = NULL;

	for (; units->name != NULL; units++)
		if (units->factor > 1 && value >= units->factor && value % units->factor == 0)
			best = units;
	if (best != NULL)
		(void)snprintf(out, n, "%lld%s", (long long)(value / best->factor), best->name);
	else
		(void)snprintf(out, n, "%lld%s", (long long)value, value == 0 ? "" : none);
}

void leat_format_duration(int64_t us, char *out, size_t n)
{
	format_with_unit(durations, "us", us, out, n);
}

void leat_format_size(int64_t bytes, char *out, size_t n)
{
	format_with_unit(sizes, "", bytes, out, n);
}
