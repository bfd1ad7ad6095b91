/* SPDX-License-Identifier: Apache-2.0 */
/* The right side is a table: a row for each key, as the last event of it said. Left rows are joined with what it has. */
#include "join.h"

static enum leat_status is_deleted(const struct join *self, const struct leat_record *record, bool *out, struct leat_context *ctx,
                                   struct leat_error *err)
{
	struct leat_value value;
	enum leat_status status;

	*out = record->value.type == LEAT_NULL; /* a tombstone */
	if (*out || self->deleted == NULL)
		return LEAT_OK;
	status = leat_evaluate(ctx, self->deleted, record, &value, err);
	if (status == LEAT_OK)
		*out = value.type == LEAT_BOOL && value.as.boolean;
	return status;
}

static enum leat_status change(const struct join *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	bool is_gone;
	enum leat_status status = is_deleted(self, record, &is_gone, ctx, err);

	if (status != LEAT_OK)
		return status;
	if (is_gone)
		leat_table_erase(ctx, JOIN_LATEST, &record->key);
	else
		leat_table_put(ctx, JOIN_LATEST, &record->key, &record->value);
	return LEAT_OK;
}

enum leat_status join_table_process(const struct join *self, enum join_side side, const struct leat_record *record,
                                    struct leat_context *ctx, struct leat_error *err)
{
	const struct leat_value *found;
	struct leat_value right;

	if (side == JOIN_RIGHT)
		return change(self, record, ctx, err);
	found = leat_table_value(ctx, JOIN_LATEST, &record->key);
	if (found == NULL && self->kind == JOIN_INNER)
		return LEAT_OK;
	if (found != NULL)
		right = leat_copy(ctx, found);
	leat_emit_value(ctx, JOIN_OUT, record, join_pair(self, &record->value, found == NULL ? NULL : &right, ctx));
	return LEAT_OK;
}
