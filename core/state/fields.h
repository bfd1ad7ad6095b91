/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_FIELDS_H
#define LEAT_STATE_FIELDS_H

#include <leat/buffer.h>
#include <leat/state.h>

/* The declared fields of a fixed entry between memory and a row (R2 in rows.h). `fields` may be NULL: none. */

/* Appends them. */
void leat_fields_write(const struct leat_field *fields, const char *data, struct leat_buffer *row);
/* Whether the bytes are exactly these fields. */
bool leat_fields_fit(const struct leat_field *fields, const char *bytes, size_t n);
/* They fit. */
void leat_fields_read(const struct leat_field *fields, const char *bytes, char *data);

#endif
