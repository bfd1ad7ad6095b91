/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as the lookup keeps them (text, as the server sends it) and the values that they become in a record.
 */
#include "../shared/text.h"
#include "lookup.h"

/* Of pg_type, fixed for ever. */
enum { TYPE_BOOL = 16, TYPE_BYTEA = 17, TYPE_INT8 = 20, TYPE_INT2 = 21, TYPE_INT4 = 23, TYPE_OID = 26, TYPE_FLOAT4 = 700,
       TYPE_FLOAT8 = 701, TYPE_TIMESTAMP = 1114, TYPE_TIMESTAMPTZ = 1184, TYPE_NUMERIC = 1700 };

void row_write(const PGresult *result, struct leat_buffer *out)
{
	int i, n = PQnfields(result);

	out->n = 0;
	for (i = 0; i < n; i++) {
		if (PQgetisnull(result, 0, i)) {
			leat_buffer_u32(out, UINT32_MAX);
			continue;
		}
		leat_buffer_u32(out, (uint32_t)PQgetlength(result, 0, i));
		leat_buffer_append(out, PQgetvalue(result, 0, i), (size_t)PQgetlength(result, 0, i));
		leat_buffer_byte(out, '\0');
	}
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static struct leat_value read_bytes(struct leat_context *ctx, const char *text, size_t n)
{
	char *bytes = (char *)leat_allocate(ctx, n / 2);
	struct leat_value value;
	size_t i;

	n = n > 2 ? (n - 2) / 2 : 0;
	for (i = 0; i < n; i++)
		bytes[i] = (char)(hex_digit(text[2 + 2 * i]) << 4 | hex_digit(text[3 + 2 * i]));
	value = leat_borrow(bytes, n);
	value.type = LEAT_BYTES;
	return value;
}

/* What has no type of its own here stays a text: dates, json, arrays, and numbers that JSON does not know. */
static struct leat_value read_value(struct leat_context *ctx, Oid type, const char *text, size_t n)
{
	struct leat_value value;
	int64_t time_us;

	switch (type) {
	case TYPE_BOOL:
		return leat_bool(text[0] == 't');
	case TYPE_BYTEA:
		return read_bytes(ctx, text, n);
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_OID:
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
	case TYPE_NUMERIC:
		if (text_parse_number(ctx, text, n, &value))
			return value;
		break;
	case TYPE_TIMESTAMP:
	case TYPE_TIMESTAMPTZ:
		if (text_parse_time(text, &time_us))
			return leat_time(time_us);
		break;
	default:
		break;
	}
	return leat_text(ctx, text, n);
}

static void name_member(struct leat_context *ctx, const struct lookup_column *column, struct leat_member *member)
{
	struct leat_value name = leat_text(ctx, column->name, strlen(column->name));

	*member = (struct leat_member){ .name = name.as.text, .name_n = name.n, .symbol = column->symbol, .value = leat_null() };
}

struct leat_member *row_read(struct leat_context *ctx, const struct lookup_column *column, size_t n, const char *row)
{
	struct leat_member *member = (struct leat_member *)leat_allocate(ctx, n * sizeof *member);
	uint32_t length;
	size_t i;

	for (i = 0; i < n; i++) {
		name_member(ctx, &column[i], &member[i]);
		if (row == NULL)
			continue;
		memcpy(&length, row, sizeof length);
		row += sizeof length;
		if (length == UINT32_MAX)
			continue;
		member[i].value = read_value(ctx, column[i].type, row, length);
		row += length + 1;
	}
	return member;
}

enum leat_status row_append_param(struct leat_buffer *out, const struct leat_value *value, size_t i, struct leat_error *err)
{
	if (value->type == LEAT_TEXT && value->n > 0 && memchr(value->as.text, '\0', value->n) != NULL)
		return leat_error_set(err, LEAT_REJECT, 0, "parameter $%zu cannot hold a text with a NUL character", i + 1);
	if (value->type == LEAT_BYTES)
		text_append_hex(out, value->as.text, value->n);
	else if (!text_append_scalar(out, value))
		return leat_error_set(err, LEAT_REJECT, 0,
		                      "parameter $%zu cannot be a list, a map, or a time outside of the years 0 to 9999", i + 1);
	return LEAT_OK;
}
