/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>

#include "base/utf8.h"
#include "data/json.h"
#include "data/number.h"

static enum leat_status encode(const struct leat_value *value, unsigned depth, struct leat_buffer *out, struct leat_error *err);

/* A break can only stand between tokens, where it may as well be a space: so that a line of output is one record. */
static void append_line(struct leat_buffer *out, const char *source, size_t n)
{
	char *line = leat_buffer_reserve(out, n);
	char *at;

	memcpy(line, source, n);
	out->n += n;
	for (at = line; (at = memchr(at, '\n', n - (size_t)(at - line))) != NULL;)
		*at = ' ';
	for (at = line; (at = memchr(at, '\r', n - (size_t)(at - line))) != NULL;)
		*at = ' ';
}

/* A bit set in each byte of the word that cannot go into a text as it is: < 0x20, quote, backslash, not ASCII.
 * (Bit Twiddling Hacks, "determine if a word has a byte less than n"; a false alarm costs a closer look.) */
static uint64_t has_odd_byte(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
	uint64_t quote = word ^ ones * '"', backslash = word ^ ones * '\\';

	return (word | (word - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops;
}

static bool is_plain(char c)
{
	return (unsigned char)c >= 0x20 && (unsigned char)c < 0x80 && c != '"' && c != '\\';
}

/* Copies the bytes at the start that go in as they are, and returns how many; `to` has room for all n. The last word of a text
 * overlaps the one before it, and half words do so in a short one. */
static size_t copy_plain(char *to, const char *s, size_t n)
{
	uint64_t word;
	uint32_t half[2];
	size_t i;

	if (n >= sizeof *half && n < sizeof word) {
		memcpy(&half[0], s, sizeof *half);
		memcpy(&half[1], s + n - sizeof *half, sizeof *half);
		if (!has_odd_byte(half[0] | (uint64_t)half[1] << 32)) {
			memcpy(to, &half[0], sizeof *half);
			memcpy(to + n - sizeof *half, &half[1], sizeof *half);
			return n;
		}
	}
	for (i = 0; n - i >= sizeof word; i += sizeof word) {
		memcpy(&word, s + i, sizeof word);
		if (has_odd_byte(word))
			break;
		memcpy(to + i, &word, sizeof word);
	}
	if (i > 0 && n - i < sizeof word) {
		memcpy(&word, s + n - sizeof word, sizeof word);
		if (!has_odd_byte(word)) {
			memcpy(to + n - sizeof word, &word, sizeof word);
			return n;
		}
	}
	for (; i < n && is_plain(s[i]); i++)
		to[i] = s[i];
	return i;
}

/* The one character at the start; returns its bytes. */
static size_t quote_odd(struct leat_buffer *out, const char *s, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	static const char names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
	unsigned char c = (unsigned char)*s;
	size_t step;

	if (c >= 0x80) {
		step = leat_utf8_step(s, n);
		leat_buffer_append(out, step > 0 ? s : "\xef\xbf\xbd", step > 0 ? step : 3);
		return step > 0 ? step : 1;
	}
	leat_buffer_byte(out, '\\');
	if (c < sizeof names && names[c] != '\0') {
		leat_buffer_byte(out, names[c]);
	} else {
		leat_buffer_append(out, "u00", 3);
		leat_buffer_byte(out, digits[c >> 4]);
		leat_buffer_byte(out, digits[c & 15]);
	}
	return 1;
}

void leat_json_quote(struct leat_buffer *out, const char *s, size_t n)
{
	char *to = leat_buffer_reserve(out, n + 2);
	size_t i;

	*to = '"';
	i = copy_plain(to + 1, s, n);
	out->n += i + 1;
	while (i < n) {
		size_t run;

		i += quote_odd(out, s + i, n - i);
		run = copy_plain(leat_buffer_reserve(out, n - i), s + i, n - i);
		out->n += run;
		i += run;
	}
	leat_buffer_byte(out, '"');
}

static void encode_bytes(struct leat_buffer *out, const char *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *from = (const unsigned char *)bytes;
	char *to = leat_buffer_reserve(out, n / 3 * 4 + 6);
	char *start = to;

	*to++ = '"';
	for (; n >= 3; n -= 3, from += 3) {
		*to++ = digits[from[0] >> 2];
		*to++ = digits[(from[0] & 3) << 4 | from[1] >> 4];
		*to++ = digits[(from[1] & 15) << 2 | from[2] >> 6];
		*to++ = digits[from[2] & 63];
	}
	if (n > 0) {
		unsigned second = n > 1 ? from[1] : 0;

		*to++ = digits[from[0] >> 2];
		*to++ = digits[((unsigned)from[0] & 3) << 4 | second >> 4];
		*to++ = n > 1 ? digits[(second & 15) << 2] : '=';
		*to++ = '=';
	}
	*to++ = '"';
	out->n += (size_t)(to - start);
}

static char *write_padded(char *to, int64_t number, int n_digits)
{
	int i;

	for (i = n_digits; i-- > 0; number /= 10)
		to[i] = (char)('0' + number % 10);
	return to + n_digits;
}

/* Day of the proleptic Gregorian calendar from the days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date
 * algorithms", civil_from_days). */
static enum leat_status encode_time(int64_t time_us, struct leat_buffer *out, struct leat_error *err)
{
	const int64_t day_us = INT64_C(86400000000);
	int64_t days = time_us / day_us - (time_us % day_us < 0);
	int64_t us = time_us - days * day_us;
	int64_t z = days + 719468;
	int64_t era = (z >= 0 ? z : z - 146096) / 146097;
	int64_t day_of_era = z - era * 146097;
	int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64_t month = (5 * day_of_year + 2) / 153; /* from March */
	int64_t year = year_of_era + era * 400 + (month >= 10);
	char *to;

	if (year < 0 || year > 9999)
		return leat_error_set(err, LEAT_REJECT, 0, "time %lld us is not within the years 0 to 9999", (long long)time_us);
	to = leat_buffer_reserve(out, 32);
	*to++ = '"';
	to = write_padded(to, year, 4);
	*to++ = '-';
	to = write_padded(to, month < 10 ? month + 3 : month - 9, 2);
	*to++ = '-';
	to = write_padded(to, day_of_year - (153 * month + 2) / 5 + 1, 2);
	*to++ = 'T';
	to = write_padded(to, us / 3600000000, 2);
	*to++ = ':';
	to = write_padded(to, us / 60000000 % 60, 2);
	*to++ = ':';
	to = write_padded(to, us / 1000000 % 60, 2);
	*to++ = '.';
	to = write_padded(to, us % 1000000, 6);
	*to++ = 'Z';
	*to++ = '"';
	out->n = (size_t)(to - out->data);
	return LEAT_OK;
}

static enum leat_status encode_real(const struct leat_value *value, struct leat_buffer *out, struct leat_error *err)
{
	if (value->flags & LEAT_VALUE_SOURCED) {
		leat_buffer_append(out, value->as.number->source, value->as.number->source_n);
		return LEAT_OK;
	}
	if (!isfinite(value->as.real))
		return leat_error_set(err, LEAT_REJECT, 0, "JSON cannot say %s", isnan(value->as.real) ? "not-a-number" : "infinity");
	out->n += leat_number_write_real(leat_buffer_reserve(out, LEAT_NUMBER_TEXT), value->as.real);
	return LEAT_OK;
}

static enum leat_status encode_list(const struct leat_list *list, unsigned depth, struct leat_buffer *out, struct leat_error *err)
{
	uint32_t i;

	if (list->source != NULL) {
		append_line(out, list->source, list->source_n);
		return LEAT_OK;
	}
	leat_buffer_byte(out, '[');
	for (i = 0; i < list->n; i++) {
		enum leat_status status;

		if (i > 0)
			leat_buffer_byte(out, ',');
		status = encode(&list->item[i], depth, out, err);
		if (status != LEAT_OK)
			return status;
	}
	leat_buffer_byte(out, ']');
	return LEAT_OK;
}

static enum leat_status encode_map(const struct leat_map *map, unsigned depth, struct leat_buffer *out, struct leat_error *err)
{
	uint32_t i;

	if (map->source != NULL) {
		append_line(out, map->source, map->source_n);
		return LEAT_OK;
	}
	leat_buffer_byte(out, '{');
	for (i = 0; i < map->n; i++) {
		enum leat_status status;

		if (i > 0)
			leat_buffer_byte(out, ',');
		leat_json_quote(out, map->member[i].name, map->member[i].name_n);
		leat_buffer_byte(out, ':');
		status = encode(&map->member[i].value, depth, out, err);
		if (status != LEAT_OK)
			return status;
	}
	leat_buffer_byte(out, '}');
	return LEAT_OK;
}

static enum leat_status encode(const struct leat_value *value, unsigned depth, struct leat_buffer *out, struct leat_error *err)
{
	switch ((enum leat_type)value->type) {
	case LEAT_NULL:
		leat_buffer_append(out, "null", 4);
		return LEAT_OK;
	case LEAT_BOOL:
		leat_buffer_append(out, value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5);
		return LEAT_OK;
	case LEAT_INTEGER:
		out->n += leat_number_write_integer(leat_buffer_reserve(out, LEAT_NUMBER_TEXT), value->as.integer);
		return LEAT_OK;
	case LEAT_REAL:
		return encode_real(value, out, err);
	case LEAT_TEXT:
		leat_json_quote(out, value->as.text, value->n);
		return LEAT_OK;
	case LEAT_BYTES:
		encode_bytes(out, value->as.text, value->n);
		return LEAT_OK;
	case LEAT_TIME:
		return encode_time(value->as.time_us, out, err);
	case LEAT_LIST:
	case LEAT_MAP:
		break;
	}
	/* What is made here may be deep, and what reads it has the same bound. */
	if (depth == LEAT_JSON_DEPTH)
		return leat_error_set(err, LEAT_REJECT, 0, "nested deeper than %d", LEAT_JSON_DEPTH);
	if (value->type == LEAT_LIST)
		return encode_list(value->as.list, depth + 1, out, err);
	return encode_map(value->as.map, depth + 1, out, err);
}

enum leat_status leat_json_encode(const struct leat_value *value, struct leat_buffer *out, struct leat_error *err)
{
	size_t before = out->n;
	enum leat_status status = encode(value, 0, out, err);

	if (status != LEAT_OK)
		out->n = before;
	return status;
}
