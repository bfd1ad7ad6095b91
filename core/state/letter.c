/* SPDX-License-Identifier: Apache-2.0 */
/* A letter is a list (pack.h), in the order of enum below; longer ones of a later version are read by what we know, and those from
 * before there was an INPUT as without. */
#include "state/letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "data/json.h"
#include "data/pack.h"

enum { KIND, TIME, REASON, WHERE, DETAIL, SOURCE, PARTITION, OFFSET, EVENT_TIME, KEY, HEADERS, PAYLOAD, INPUT, MEMBERS };

static const char *const kinds[] = { "message", "event", "effect", "timer" };

const char *leat_letter_kind_name(enum leat_letter_kind kind)
{
	return kinds[kind];
}

/* ---- packing -------------------------------------------------------------------------------------------------------- */

static struct leat_value text_or_null(const char *text)
{
	return text == NULL ? leat_null() : leat_borrow(text, strlen(text));
}

static struct leat_value bytes_or_null(const char *bytes, size_t n)
{
	struct leat_value v = bytes == NULL ? leat_null() : leat_borrow(bytes, n);

	if (bytes != NULL)
		v.type = LEAT_BYTES;
	return v;
}

/* [name, bytes, name, bytes, ...] */
static struct leat_value list_headers(struct leat_arena *arena, const struct leat_headers *headers)
{
	size_t n = headers == NULL ? 0 : headers->n;
	struct leat_value *item = leat_arena_allocate(arena, (2 * n + 1) * sizeof *item);

	for (size_t i = 0; i < n; i++) {
		item[2 * i] = bytes_or_null(headers->item[i].name, strlen(headers->item[i].name));
		item[2 * i + 1] = bytes_or_null(headers->item[i].bytes, headers->item[i].n);
	}
	return leat_value_list(arena, item, 2 * n);
}

void leat_letter_pack(const struct leat_letter *letter, struct leat_buffer *out)
{
	struct leat_arena *arena = leat_arena_create();
	const struct leat_value item[MEMBERS] = {
		[KIND] = leat_integer(letter->kind),
		[TIME] = leat_integer(letter->time_us),
		[REASON] = text_or_null(letter->reason),
		[WHERE] = text_or_null(letter->where),
		[DETAIL] = text_or_null(letter->detail),
		[SOURCE] = text_or_null(letter->source),
		[PARTITION] = leat_integer(letter->record.origin.partition),
		[OFFSET] = leat_integer(letter->record.origin.offset),
		[EVENT_TIME] = leat_integer(letter->record.time_us),
		[KEY] = letter->record.key,
		[HEADERS] = list_headers(arena, letter->record.headers),
		[PAYLOAD] = letter->record.value,
		[INPUT] = text_or_null(letter->input),
	};
	struct leat_value list = leat_value_list(arena, item, MEMBERS);

	leat_pack_value(&list, out);
	leat_arena_unref(arena);
}

/* ---- unpacking ------------------------------------------------------------------------------------------------------ */

static const char *terminate(struct leat_arena *arena, const struct leat_value *v)
{
	char *text;

	if (v->type != LEAT_TEXT && v->type != LEAT_BYTES)
		return NULL;
	text = leat_arena_text(arena, v->as.text, (size_t)v->n + 1);
	text[v->n] = '\0';
	return text;
}

static const struct leat_headers *read_headers(struct leat_arena *arena, const struct leat_value *list)
{
	struct leat_headers *headers;
	struct leat_header *item;

	if (list->type != LEAT_LIST || list->as.list->n < 2)
		return NULL;
	headers = leat_arena_allocate(arena, sizeof *headers);
	headers->n = list->as.list->n / 2;
	headers->item = item = leat_arena_allocate(arena, headers->n * sizeof *item);
	for (size_t i = 0; i < headers->n; i++) {
		const struct leat_value *pair = &list->as.list->item[2 * i];
		const char *name = terminate(arena, &pair[0]);

		item[i] = (struct leat_header){ .name = name == NULL ? "" : name };
		if (pair[1].type == LEAT_BYTES) {
			item[i].bytes = pair[1].as.text;
			item[i].n = pair[1].n;
		}
	}
	return headers;
}

static const char *text_of(struct leat_arena *arena, const struct leat_value *v)
{
	const char *text = terminate(arena, v);

	return text == NULL ? "" : text;
}

bool leat_letter_unpack(struct leat_arena *arena, const struct leat_symbols *symbols, const struct leat_letter_row *row,
                        struct leat_letter *out)
{
	const struct leat_value node = leat_borrow(row->node, row->node_n);
	const struct leat_value *item;
	struct leat_value list;

	if (!leat_unpack_value(arena, symbols, row->bytes, row->n, &list) || list.type != LEAT_LIST || list.as.list->n < INPUT)
		return false;
	item = list.as.list->item;
	for (int i = KIND; i < INPUT; i++)
		if ((i == KIND || i == TIME || (i >= PARTITION && i <= EVENT_TIME)) && item[i].type != LEAT_INTEGER)
			return false;
	if (item[KIND].as.integer < LEAT_LETTER_MESSAGE || item[KIND].as.integer > LEAT_LETTER_TIMER)
		return false;
	*out = (struct leat_letter){
		.number = row->number,
		.epoch = row->epoch,
		.node = terminate(arena, &node),
		.kind = (enum leat_letter_kind)item[KIND].as.integer,
		.time_us = item[TIME].as.integer,
		.reason = text_of(arena, &item[REASON]),
		.where = text_of(arena, &item[WHERE]),
		.detail = text_of(arena, &item[DETAIL]),
		.input = list.as.list->n > INPUT ? terminate(arena, &item[INPUT]) : NULL,
		.source = terminate(arena, &item[SOURCE]),
		.record = { .key = item[KEY], .value = item[PAYLOAD], .time_us = item[EVENT_TIME].as.integer,
		            .headers = read_headers(arena, &item[HEADERS]) },
	};
	out->record.origin = (struct leat_origin){ .source = LEAT_NO_SOURCE, .partition = (int32_t)item[PARTITION].as.integer,
		                                       .offset = item[OFFSET].as.integer };
	return true;
}

/* ---- printing ------------------------------------------------------------------------------------------------------- */

static void put_name(struct leat_buffer *out, const char *name)
{
	if (out->data[out->n - 1] != '{')
		leat_buffer_byte(out, ',');
	leat_json_quote(out, name, strlen(name));
	leat_buffer_byte(out, ':');
}

static void put_number(struct leat_buffer *out, const char *name, int64_t number)
{
	char text[32];

	(void)snprintf(text, sizeof text, "%" PRId64, number);
	put_name(out, name);
	leat_buffer_text(out, text);
}

static void put_text(struct leat_buffer *out, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	put_name(out, name);
	leat_json_quote(out, text, strlen(text));
}

/* The encoder refuses what JSON cannot say; a line that says so is of more use than none. */
static void put_value(struct leat_buffer *out, const char *name, const struct leat_value *value)
{
	struct leat_error err;

	put_name(out, name);
	if (leat_json_encode(value, out, &err) != LEAT_OK)
		leat_json_quote(out, err.text, strlen(err.text));
}

static void put_headers(struct leat_buffer *out, const struct leat_headers *headers)
{
	put_name(out, "headers");
	leat_buffer_byte(out, '{');
	for (size_t i = 0; i < headers->n; i++) {
		put_name(out, headers->item[i].name);
		if (headers->item[i].bytes == NULL)
			leat_buffer_text(out, "null");
		else
			leat_json_quote(out, headers->item[i].bytes, headers->item[i].n);
	}
	leat_buffer_byte(out, '}');
}

void leat_letter_print_json(const struct leat_letter *letter, struct leat_buffer *out)
{
	const struct leat_value time = leat_time(letter->time_us), event_time = leat_time(letter->record.time_us);

	leat_buffer_byte(out, '{');
	put_number(out, "number", (int64_t)letter->number);
	put_number(out, "epoch", (int64_t)letter->epoch);
	put_value(out, "time", &time);
	put_text(out, "node", letter->node);
	put_text(out, "input", letter->input);
	put_text(out, "failed", leat_letter_kind_name(letter->kind));
	put_text(out, "reason", letter->reason);
	put_text(out, "where", letter->where);
	put_text(out, "detail", letter->detail);
	if (letter->source != NULL) {
		put_text(out, "source", letter->source);
		put_number(out, "partition", letter->record.origin.partition);
		put_number(out, "offset", letter->record.origin.offset);
	}
	if (letter->record.time_us != LEAT_NO_TIME)
		put_value(out, "event_time", &event_time);
	if (letter->record.key.type != LEAT_NULL)
		put_value(out, "key", &letter->record.key);
	if (letter->record.headers != NULL)
		put_headers(out, letter->record.headers);
	if (letter->kind != LEAT_LETTER_TIMER)
		put_value(out, "payload", &letter->record.value);
	leat_buffer_byte(out, '}');
}
