/* SPDX-License-Identifier: Apache-2.0 */
#include "state/fields.h"

/* A field on its way to or from little-endian (R2). */
static void copy_field(char *to, const char *from, const struct leat_field *field)
{
	bool is_turned = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ && field->type != LEAT_FIELD_BYTES;

	for (size_t i = 0; is_turned && i < field->size; i++)
		to[i] = from[field->size - 1 - i];
	if (!is_turned)
		memcpy(to, from, field->size);
}

void leat_fields_write(const struct leat_field *fields, const char *data, struct leat_buffer *row)
{
	for (const struct leat_field *field = fields; field != NULL && field->name != NULL; field++) {
		copy_field(leat_buffer_reserve(row, field->size), data + field->offset, field);
		row->n += field->size;
	}
}

/* A bool that is neither 0 nor 1 must not come into memory as one. */
bool leat_fields_fit(const struct leat_field *fields, const char *bytes, size_t n)
{
	size_t at = 0;

	for (const struct leat_field *field = fields; field != NULL && field->name != NULL; at += field->size, field++)
		if (field->size > n - at || (field->type == LEAT_FIELD_BOOL && (bytes[at] & ~1) != 0))
			return false;
	return at == n;
}

void leat_fields_read(const struct leat_field *fields, const char *bytes, char *data)
{
	for (const struct leat_field *field = fields; field != NULL && field->name != NULL; bytes += field->size, field++)
		copy_field(data + field->offset, bytes, field);
}
