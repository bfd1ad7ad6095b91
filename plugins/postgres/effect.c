/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An effect: a version byte, a kind byte, the number of cells, then for each its column (by name, or as an index into the
 * option `columns`), the type of the value, and its text. Texts are not yet fitted to a column, as encode() does not know
 * the table: that needs a connection.
 */
#include "../shared/text.h"
#include "sink.h"

enum { EFFECT_VERSION = 1, EFFECT_NAMED = 'n', EFFECT_INDEXED = 'i' };

static void put_u32(struct leat_buffer *out, size_t at, size_t n)
{
	uint32_t value = (uint32_t)n;

	memcpy(out->data + at, &value, sizeof value);
}

/* PostgreSQL stores no NUL, in no type of text. */
static enum leat_status check_text(const struct leat_value *value, const char *column, size_t column_n, struct leat_error *err)
{
	const char *nul = value->n > 0 ? (const char *)memchr(value->as.text, '\0', value->n) : NULL;

	if (nul == NULL)
		return LEAT_OK;
	return leat_error_set(err, LEAT_REJECT, 0, "column \"%.*s\" cannot hold a text with a NUL character at byte %zu",
	                      (int)column_n, column, (size_t)(nul - value->as.text));
}

static enum leat_status append_text(struct leat_buffer *out, const struct leat_value *value, const char *column, size_t column_n,
                                    struct leat_context *ctx, struct leat_error *err)
{
	if (value->type == LEAT_LIST || value->type == LEAT_MAP)
		return leat_encode(ctx, value, out, err);
	if (value->type == LEAT_TEXT && check_text(value, column, column_n, err) != LEAT_OK)
		return LEAT_REJECT;
	if (value->type == LEAT_BYTES)
		text_append_hex(out, value->as.text, value->n);
	else if (!text_append_scalar(out, value))
		return leat_error_set(err, LEAT_REJECT, 0, "column \"%.*s\" cannot hold a time outside of the years 0 to 9999",
		                      (int)column_n, column);
	return LEAT_OK;
}

static enum leat_status append_cell(struct leat_buffer *out, const struct leat_value *value, const char *column, size_t column_n,
                                    struct leat_context *ctx, struct leat_error *err)
{
	size_t at;
	enum leat_status status = LEAT_OK;

	leat_buffer_byte(out, (char)value->type);
	at = out->n;
	leat_buffer_u32(out, 0);
	if (value->type != LEAT_NULL)
		status = append_text(out, value, column, column_n, ctx, err);
	put_u32(out, at, out->n - at - sizeof(uint32_t));
	return status;
}

/* All members: which of them are columns is known at delivery. Of equal names the last one counts, there as here. */
static enum leat_status encode_members(const struct leat_record *record, struct leat_buffer *out, struct leat_context *ctx,
                                       struct leat_error *err)
{
	const struct leat_member *member;
	enum leat_status status = LEAT_OK;
	uint32_t i, n;

	if (record->value.type != LEAT_MAP)
		return leat_error_set(err, LEAT_REJECT, 0, "value is no map: it has no fields to make columns of");
	n = record->value.as.map->n;
	leat_buffer_byte(out, EFFECT_NAMED);
	leat_buffer_u32(out, n);
	for (i = 0; i < n && status == LEAT_OK; i++) {
		member = &record->value.as.map->member[i];
		leat_buffer_u32(out, member->name_n);
		leat_buffer_append(out, member->name, member->name_n);
		status = append_cell(out, &member->value, member->name, member->name_n, ctx, err);
	}
	return status;
}

static enum leat_status encode_columns(const struct sink *sink, const struct leat_record *record, struct leat_buffer *out,
                                       struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_named_expression *column = sink->columns.item;
	struct leat_value value;
	enum leat_status status = LEAT_OK;
	size_t i;

	leat_buffer_byte(out, EFFECT_INDEXED);
	leat_buffer_u32(out, (uint32_t)sink->columns.n);
	for (i = 0; i < sink->columns.n && status == LEAT_OK; i++, column++) {
		status = leat_evaluate(ctx, column->value, record, &value, err);
		if (status != LEAT_OK)
			break;
		leat_buffer_u32(out, (uint32_t)i);
		status = append_cell(out, &value, column->text, strlen(column->text), ctx, err);
	}
	return status;
}

enum leat_status sink_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                             struct leat_context *ctx,
                             struct leat_error *err)
{
	const struct sink *sink = (const struct sink *)self;
	size_t before = effect->n;
	enum leat_status status;

	leat_buffer_byte(effect, EFFECT_VERSION);
	status = sink->columns.n > 0 ? encode_columns(sink, record, effect, ctx, err) : encode_members(record, effect, ctx, err);
	if (status != LEAT_OK)
		effect->n = before;
	return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

struct reader {
	const char *at;
	const char *end;
	bool is_short;
};

static const char *take(struct reader *r, size_t n)
{
	const char *at = r->at;

	if ((size_t)(r->end - r->at) < n) {
		r->is_short = true;
		r->at = r->end;
		return NULL;
	}
	r->at += n;
	return at;
}

static uint32_t take_u32(struct reader *r)
{
	const char *at = take(r, sizeof(uint32_t));
	uint32_t n = 0;

	if (at != NULL)
		memcpy(&n, at, sizeof n);
	return n;
}

/* Fields mostly come in the order of the columns, so the search begins behind the last one found. */
static size_t find_target(const struct sink *sink, const char *name, size_t n, size_t from)
{
	size_t i, at;

	for (i = 0; i < sink->n_targets; i++) {
		at = (from + i) % sink->n_targets;
		if (strncmp(sink->target[at].name, name, n) == 0 && sink->target[at].name[n] == '\0')
			return at;
	}
	return sink->n_targets;
}

static void read_cells(const struct sink *sink, struct reader *r, bool is_named, struct cell *cell, size_t *n_found)
{
	uint32_t i, n = take_u32(r), name_n;
	size_t at = 0, from = 0;
	const char *name, *type;
	struct cell found;

	for (i = 0; i < n && !r->is_short; i++) {
		if (is_named) {
			name_n = take_u32(r);
			name = take(r, name_n);
			at = sink->n_targets;
			if (name != NULL && name_n < sizeof sink->target->name)
				at = find_target(sink, name, name_n, from);
		} else {
			at = take_u32(r);
		}
		type = take(r, 1);
		found.type = type != NULL ? (uint8_t)*type : LEAT_NULL;
		found.state = found.type == LEAT_NULL ? CELL_NULL : CELL_VALUE;
		found.n = take_u32(r);
		found.text = take(r, found.n);
		if (r->is_short || at >= sink->n_targets)
			continue;
		cell[at] = found;
		from = at + 1;
		(*n_found)++;
	}
}

enum leat_status effect_read(const struct sink *sink, const struct leat_effect *effect, struct cell *cell, struct leat_error *err)
{
	struct reader r = { .at = effect->bytes, .end = effect->bytes + effect->n };
	const char *head = take(&r, 2);
	size_t n_found = 0;

	if (head == NULL || head[0] != EFFECT_VERSION || (head[1] != EFFECT_NAMED && head[1] != EFFECT_INDEXED))
		return leat_error_set(err, LEAT_REJECT, 0, "effect is of version %d, this plugin reads %d",
		                      head != NULL ? head[0] : 0, EFFECT_VERSION);
	memset(cell, 0, sink->n_targets * sizeof *cell);
	read_cells(sink, &r, head[1] == EFFECT_NAMED, cell, &n_found);
	if (r.is_short)
		return leat_error_set(err, LEAT_REJECT, 0, "effect is truncated after %zu bytes", effect->n);
	if (n_found == 0)
		return leat_error_set(err, LEAT_REJECT, 0, "record has no field that is a column of table \"%s\"",
		                      sink->table_text);
	return LEAT_OK;
}
