/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_POSTGRES_LOOKUP_H
#define LEAT_PLUGINS_POSTGRES_LOOKUP_H

#include "../shared/cache.h"
#include "postgres.h"

struct lookup_column {
	char name[64];
	Oid type;
	leat_symbol symbol; /* when the options name it, else LEAT_NO_SYMBOL */
};

/* ---- row.c ---- */

/* The first row of the result, into `out`. */
void row_write(const PGresult *result, struct leat_buffer *out);
/* The members that the row becomes, in the arena; all null for a row of NULL. */
struct leat_member *row_read(struct leat_context *ctx, const struct lookup_column *column, size_t n, const char *row);

/* A parameter's text. LEAT_REJECT for what no column equals: lists, maps, texts with NUL. */
enum leat_status row_append_param(struct leat_buffer *out, const struct leat_value *value, size_t i, struct leat_error *err);

#endif
