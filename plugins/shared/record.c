/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

/* The items of a packed record; names and bytes of headers follow in turn. */
enum { VALUE, KEY, ARRIVAL, SOURCE, PARTITION, OFFSET, HEADERS };

static struct leat_value pack_bytes(const char *bytes, size_t n)
{
	struct leat_value v = leat_borrow(bytes, n);

	v.type = LEAT_BYTES;
	return v;
}

struct leat_value record_pack(const struct leat_record *record, struct leat_context *ctx)
{
	size_t n_headers = record->headers == NULL ? 0 : record->headers->n, n = HEADERS;
	struct leat_value *item = leat_allocate(ctx, (HEADERS + 2 * n_headers) * sizeof *item);

	item[VALUE] = record->value;
	item[KEY] = record->key;
	item[ARRIVAL] = leat_integer(record->arrival_us);
	item[SOURCE] = leat_integer(record->origin.source);
	item[PARTITION] = leat_integer(record->origin.partition);
	item[OFFSET] = leat_integer(record->origin.offset);
	for (size_t i = 0; i < n_headers; i++) {
		const struct leat_header *header = &record->headers->item[i];

		item[n++] = pack_bytes(header->name, strlen(header->name));
		item[n++] = header->bytes == NULL ? leat_null() : pack_bytes(header->bytes, header->n);
	}
	return leat_list_of(ctx, item, n);
}

static const struct leat_headers *unpack_headers(const struct leat_value *item, size_t n, struct leat_context *ctx)
{
	struct leat_headers *headers;
	struct leat_header *header;

	if (n == 0)
		return NULL;
	headers = leat_allocate(ctx, sizeof *headers);
	header = leat_allocate(ctx, n * sizeof *header);
	for (size_t i = 0; i < n; i++, item += 2) {
		char *name = leat_allocate(ctx, item[0].n + (size_t)1);

		memcpy(name, item[0].as.text, item[0].n);
		name[item[0].n] = '\0';
		header[i].name = name;
		header[i].bytes = item[1].type == LEAT_NULL ? NULL : item[1].as.text;
		header[i].n = item[1].n;
	}
	headers->n = n;
	headers->item = header;
	return headers;
}

struct leat_record record_unpack(const struct leat_value *packed, int64_t time_us, struct leat_context *ctx)
{
	const struct leat_value *item = packed->as.list->item;
	struct leat_record record = { .time_us = time_us };

	record.value = item[VALUE];
	record.key = item[KEY];
	record.arrival_us = item[ARRIVAL].as.integer;
	record.origin.source = (uint32_t)item[SOURCE].as.integer;
	record.origin.partition = (int32_t)item[PARTITION].as.integer;
	record.origin.offset = item[OFFSET].as.integer;
	record.headers = unpack_headers(item + HEADERS, (packed->n - HEADERS) / 2, ctx);
	return record;
}
