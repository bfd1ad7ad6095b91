/* SPDX-License-Identifier: Apache-2.0 */
#include "state/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/utf8.h"
#include "data/json.h"
#include "data/pack.h"
#include "state/rows.h"

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static struct leat_value real_or_text(double real)
{
	const char *text = isnan(real) ? "NaN" : real > 0 ? "Infinity" : "-Infinity";

	return isfinite(real) ? leat_real(real) : leat_borrow(text, strlen(text));
}

/* A text with nothing but zeroes behind it, or else bytes. */
static struct leat_value text_or_bytes(struct leat_arena *arena, const char *bytes, size_t size)
{
	size_t n = strnlen(bytes, size), end = n;
	struct leat_value value;
	bool is_text;

	while (end < size && bytes[end] == '\0')
		end++;
	is_text = end == size && leat_utf8_is_valid(bytes, n);
	n = is_text ? n : size;
	value = leat_borrow(leat_arena_text(arena, bytes, n), n);
	value.type = is_text ? LEAT_TEXT : LEAT_BYTES;
	return value;
}

static uint64_t read_little(const char *bytes, size_t n)
{
	uint64_t number = 0;

	while (n-- > 0)
		number = number << 8 | (unsigned char)bytes[n];
	return number;
}

/* R2 */
static struct leat_value read_field(struct leat_arena *arena, const struct leat_field *field, const char *bytes)
{
	uint64_t bits = read_little(bytes, field->type == LEAT_FIELD_BYTES ? 0 : field->size);
	double real;

	switch (field->type) {
	case LEAT_FIELD_INT64:
		return leat_integer((int64_t)bits);
	case LEAT_FIELD_INT32:
		return leat_integer((int32_t)bits);
	case LEAT_FIELD_BOOL:
		return leat_bool(bits != 0);
	case LEAT_FIELD_DOUBLE:
		memcpy(&real, &bits, sizeof real);
		return real_or_text(real);
	case LEAT_FIELD_BYTES:
		break;
	}
	return text_or_bytes(arena, bytes, field->size);
}

static struct leat_value map_of(struct leat_arena *arena, const struct leat_member *member, uint32_t n)
{
	struct leat_map *map = leat_arena_allocate(arena, sizeof *map);
	struct leat_value value = leat_null();

	*map = (struct leat_map){ .member = member, .n = n };
	value.type = LEAT_MAP;
	value.n = n;
	value.as.map = map;
	return value;
}

static bool read_fixed(const struct leat_table_spec *spec, const char *bytes, size_t n, struct leat_arena *arena,
                       struct leat_value *out)
{
	struct leat_member *member;
	uint32_t n_fields = 0;
	size_t size = 0;

	for (const struct leat_field *f = spec->fields; f != NULL && f->name != NULL; f++, n_fields++)
		size += f->size;
	if (n != size)
		return false;
	member = leat_arena_allocate(arena, (n_fields + 1) * sizeof *member);
	for (uint32_t i = 0; i < n_fields; bytes += spec->fields[i].size, i++) {
		const struct leat_field *f = &spec->fields[i];

		member[i] = (struct leat_member){ .name = f->name, .name_n = (uint32_t)strlen(f->name), .value = read_field(arena, f, bytes) };
	}
	*out = map_of(arena, member, n_fields);
	return true;
}

static bool read_ordered(const struct leat_delta_op *row, size_t packed_n, struct leat_arena *arena, struct leat_shown_row *out)
{
	const char *suffix = row->key + packed_n;
	size_t n = row->key_n - packed_n;

	if (n == 1 && *suffix == LEAT_ROW_HEAD && row->value_n == LEAT_ROW_NUMBER) {
		out->is_head = true;
		out->changed_us = (int64_t)leat_row_read_number(row->value);
		return true;
	}
	if (n != 1 + 2 * LEAT_ROW_NUMBER || *suffix != LEAT_ROW_ITEM)
		return false;
	out->is_item = true;
	out->order = leat_row_read_sortable(suffix + 1);
	out->sequence = leat_row_read_sortable(suffix + 1 + LEAT_ROW_NUMBER);
	return leat_unpack_value(arena, NULL, row->value, row->value_n, &out->value);
}

static bool read_timer(const struct leat_delta_op *row, struct leat_arena *arena, struct leat_shown_row *out)
{
	enum { KEY_AT = 1 + 2 * LEAT_ROW_NUMBER };

	if (row->key_n < KEY_AT || (unsigned char)row->key[0] > LEAT_ENDLESS_TIME)
		return false;
	out->is_timer = true;
	out->timer.clock = (enum leat_clock)row->key[0];
	out->timer.due_us = leat_row_read_sortable(row->key + 1);
	out->timer.tag = leat_row_read_sortable(row->key + 1 + LEAT_ROW_NUMBER);
	return leat_unpack_value(arena, NULL, row->key + KEY_AT, row->key_n - KEY_AT, &out->key);
}

bool leat_row_show(const struct leat_table_spec *spec, const struct leat_delta_op *row, struct leat_arena *arena,
                   struct leat_shown_row *out)
{
	size_t packed_n;

	memset(out, 0, sizeof *out);
	if (spec == NULL)
		return read_timer(row, arena, out);
	packed_n = leat_packed_size(row->key, row->key_n);
	if (!leat_unpack_value(arena, NULL, row->key, packed_n, &out->key))
		return false;
	if (spec->kind == LEAT_TABLE_ORDERED)
		return read_ordered(row, packed_n, arena, out);
	if (row->value_n < LEAT_ROW_NUMBER || packed_n != row->key_n)
		return false;
	out->changed_us = (int64_t)leat_row_read_number(row->value);
	if (spec->kind == LEAT_TABLE_FIXED)
		return read_fixed(spec, row->value + LEAT_ROW_NUMBER, row->value_n - LEAT_ROW_NUMBER, arena, &out->value);
	return leat_unpack_value(arena, NULL, row->value + LEAT_ROW_NUMBER, row->value_n - LEAT_ROW_NUMBER, &out->value);
}

/* ---- printing ------------------------------------------------------------------------------------------------------- */

static void put_number(struct leat_buffer *out, const char *name, int64_t number)
{
	char text[64];

	(void)snprintf(text, sizeof text, ",\"%s\":%" PRId64, name, number);
	leat_buffer_text(out, text);
}

/* The encoder refuses what JSON cannot say; a line that says so is of more use than none. */
static void put_value(struct leat_buffer *out, const char *name, const struct leat_value *value)
{
	struct leat_error err;

	leat_buffer_text(out, ",\"");
	leat_buffer_text(out, name);
	leat_buffer_text(out, "\":");
	if (leat_json_encode(value, out, &err) != LEAT_OK)
		leat_json_quote(out, err.text, strlen(err.text));
}

/* A time beyond the calendar stays a number. */
static void put_time(struct leat_buffer *out, const char *name, int64_t time_us)
{
	const struct leat_value value = leat_time(time_us);
	struct leat_error err;
	size_t n = out->n;

	leat_buffer_text(out, ",\"");
	leat_buffer_text(out, name);
	leat_buffer_text(out, "\":");
	if (leat_json_encode(&value, out, &err) == LEAT_OK)
		return;
	out->n = n;
	put_number(out, name, time_us);
}

static const char *const clocks[] = {
	[LEAT_EVENT_TIME] = "event", [LEAT_PROCESSING_TIME] = "processing", [LEAT_ENDLESS_TIME] = "endless",
};

void leat_row_print_json(const char *node, const char *table, uint32_t shard, const struct leat_shown_row *row, struct leat_buffer *out)
{
	leat_buffer_text(out, "{\"node\":");
	leat_json_quote(out, node, strlen(node));
	leat_buffer_text(out, ",\"table\":");
	leat_json_quote(out, table, strlen(table));
	put_number(out, "shard", shard);
	put_value(out, "key", &row->key);
	if (row->is_timer) {
		leat_buffer_text(out, ",\"clock\":\"");
		leat_buffer_text(out, clocks[row->timer.clock]);
		leat_buffer_byte(out, '"');
		put_time(out, "due", row->timer.due_us);
		put_number(out, "tag", row->timer.tag);
	}
	if (row->is_item) {
		put_number(out, "order", row->order);
		put_number(out, "sequence", row->sequence);
	}
	if (!row->is_timer && !row->is_head)
		put_value(out, "value", &row->value);
	if (!row->is_timer && !row->is_item)
		put_time(out, "changed", row->changed_us);
	leat_buffer_byte(out, '}');
}
