/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars to text and back. Nothing is rounded on the way: a number that was read keeps its source text, a double is
 * written in the shortest form that reads back as the same double.
 */
#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>

static void append_real(struct leat_buffer *out, double d)
{
	char text[40];
	int digits;

	if (isnan(d) || isinf(d)) {
		leat_buffer_text(out, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
		return;
	}
	for (digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof text, "%.*g", digits, d);
		if (memcmp(&(double){ strtod(text, NULL) }, &d, sizeof d) == 0)
			break;
	}
	leat_buffer_text(out, text);
}

/* Days since 1970-01-01 to a date and back: H. Hinnant, "chrono-compatible low-level date algorithms". */
static void split_days(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	int64_t era;
	unsigned of_era, year_of_era, of_year, shifted;

	days += 719468;
	era = (days >= 0 ? days : days - 146096) / 146097;
	of_era = (unsigned)(days - era * 146097);
	year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	shifted = (5 * of_year + 2) / 153;
	*day = of_year - (153 * shifted + 2) / 5 + 1;
	*month = shifted < 10 ? shifted + 3 : shifted - 9;
	*year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

static int64_t join_days(int64_t year, unsigned month, unsigned day)
{
	int64_t era;
	unsigned year_of_era, of_year, of_era;

	year -= month <= 2;
	era = (year >= 0 ? year : year - 399) / 400;
	year_of_era = (unsigned)(year - era * 400);
	of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
	return era * 146097 + (int64_t)of_era - 719468;
}

static bool append_time(struct leat_buffer *out, int64_t time_us)
{
	int64_t days = time_us / 86400000000, rest = time_us % 86400000000, year;
	unsigned month, day;
	char text[64];

	if (rest < 0) {
		rest += 86400000000;
		days--;
	}
	split_days(days, &year, &month, &day);
	if (year < 0 || year > 9999)
		return false;
	(void)snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%06dZ", (int)year, month, day, (int)(rest / 3600000000),
	               (int)(rest / 60000000 % 60), (int)(rest / 1000000 % 60), (int)(rest % 1000000));
	leat_buffer_text(out, text);
	return true;
}

bool text_append_scalar(struct leat_buffer *out, const struct leat_value *value)
{
	char text[32];

	switch ((enum leat_type)value->type) {
	case LEAT_BOOL:
		leat_buffer_text(out, value->as.boolean ? "true" : "false");
		return true;
	case LEAT_INTEGER:
		leat_buffer_append(out, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)value->as.integer));
		return true;
	case LEAT_REAL:
		if (value->flags & LEAT_VALUE_SOURCED)
			leat_buffer_append(out, value->as.number->source, value->as.number->source_n);
		else
			append_real(out, value->as.real);
		return true;
	case LEAT_TEXT:
	case LEAT_BYTES:
		leat_buffer_append(out, value->as.text, value->n);
		return true;
	case LEAT_TIME:
		return append_time(out, value->as.time_us);
	case LEAT_NULL:
	case LEAT_LIST:
	case LEAT_MAP:
		break;
	}
	return false;
}

void text_append_hex(struct leat_buffer *out, const char *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	leat_buffer_text(out, "\\x");
	for (i = 0; i < n; i++) {
		leat_buffer_byte(out, digits[(unsigned char)bytes[i] >> 4]);
		leat_buffer_byte(out, digits[(unsigned char)bytes[i] & 15]);
	}
}

/* `+02`, `-03:30` or nothing, in seconds east of UTC. */
static bool parse_zone(const char *s, int64_t *seconds)
{
	int sign = *s == '-' ? -1 : 1;
	unsigned hours, minutes = 0;
	int n = 0;

	*seconds = 0;
	if (*s == '\0')
		return true;
	if ((*s != '+' && *s != '-') || sscanf(s + 1, "%2u%n", &hours, &n) != 1)
		return false;
	s += 1 + n;
	if (*s == ':' && sscanf(s, ":%2u%n", &minutes, &n) == 1)
		s += n;
	*seconds = sign * ((int64_t)hours * 3600 + (int64_t)minutes * 60);
	return *s == '\0';
}

bool text_parse_time(const char *s, int64_t *time_us)
{
	unsigned month, day, hour, minute, second;
	int64_t fraction = 0, scale = 1000000, zone;
	int year, n = 0;

	if (sscanf(s, "%5d-%2u-%2u%*1[ T]%2u:%2u:%2u%n", &year, &month, &day, &hour, &minute, &second, &n) != 6 || n == 0)
		return false;
	s += n;
	if (*s == '.')
		for (s++; isdigit((unsigned char)*s); s++)
			if (scale > 1) {
				scale /= 10;
				fraction += (*s - '0') * scale;
			}
	if (!parse_zone(s, &zone))
		return false;
	*time_us = ((join_days(year, month, day) * 86400 + (int64_t)hour * 3600 + (int64_t)minute * 60 + (int64_t)second) - zone) * 1000000 +
	           fraction;
	return true;
}

static size_t skip_digits(const char *s, size_t i, size_t n)
{
	while (i < n && isdigit((unsigned char)s[i]))
		i++;
	return i;
}

/* The grammar of RFC 8259: no sign plus, no leading zeros, digits on both sides of the point. */
static bool is_number(const char *s, size_t n, bool *is_integer)
{
	size_t i = n > 0 && s[0] == '-', from = i;

	*is_integer = true;
	i = skip_digits(s, i, n);
	if (i == from || (s[from] == '0' && i > from + 1))
		return false;
	if (i < n && s[i] == '.') {
		*is_integer = false;
		from = ++i;
		i = skip_digits(s, i, n);
		if (i == from)
			return false;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		*is_integer = false;
		i++;
		i += i < n && (s[i] == '+' || s[i] == '-');
		from = i;
		i = skip_digits(s, i, n);
		if (i == from)
			return false;
	}
	return i == n;
}

bool text_parse_number(struct leat_context *ctx, const char *s, size_t n, struct leat_value *out)
{
	struct leat_number *number;
	char *copy;
	bool is_integer;
	long long i;

	if (n > UINT32_MAX - 1 || !is_number(s, n, &is_integer))
		return false;
	copy = (char *)leat_allocate(ctx, n + 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	errno = 0;
	i = is_integer ? strtoll(copy, NULL, 10) : 0;
	if (is_integer && errno == 0 && strcmp(copy, "-0") != 0) {
		*out = leat_integer(i);
		return true;
	}
	number = (struct leat_number *)leat_allocate(ctx, sizeof *number);
	*number = (struct leat_number){ .real = strtod(copy, NULL), .source_n = (uint32_t)n, .source = copy };
	*out = leat_real(0);
	out->flags = LEAT_VALUE_SOURCED;
	out->as.number = number;
	return true;
}

/* Bytes of the sequence at `s`, 0 when it is none: no overlong forms, no surrogates, nothing beyond U+10FFFF. */
static size_t sequence_length(const unsigned char *s, size_t n)
{
	size_t length = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	size_t i;

	if (length > n)
		return 0;
	for (i = 1; i < length; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return length;
}

bool text_is_utf8(const char *s, size_t n)
{
	size_t length;

	for (; n > 0; s += length, n -= length) {
		length = sequence_length((const unsigned char *)s, n);
		if (length == 0)
			return false;
	}
	return true;
}

void text_copy_message(char *out, size_t out_n, const char *message)
{
	size_t n = strcspn(message, "\r\n");

	while (n > 0 && (message[n - 1] == '.' || message[n - 1] == ' '))
		n--;
	(void)snprintf(out, out_n, "%.*s", (int)n, message);
	if (isupper((unsigned char)out[0]) && islower((unsigned char)out[1]))
		out[0] = (char)tolower((unsigned char)out[0]);
}
