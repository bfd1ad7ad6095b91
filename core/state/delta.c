/* SPDX-License-Identifier: Apache-2.0 */
#include "state/delta.h"

#include "base/check.h"

enum { IS_NEW = 0x100 }; /* beside the kind */

/* Before the bytes of key and value. */
struct head {
	uint16_t kind;
	uint16_t table;
	uint32_t key_n;
	uint32_t value_n;
};

void leat_delta_add(struct leat_delta *delta, const struct leat_delta_op *op)
{
	struct head head = { .kind = (uint16_t)((unsigned)op->kind | (op->is_new ? IS_NEW : 0u)),
		             .table = op->table,
		             .key_n = (uint32_t)op->key_n,
		             .value_n = (uint32_t)op->value_n };

	leat_check(op->key_n <= UINT32_MAX && op->value_n <= UINT32_MAX);
	leat_buffer_append(&delta->bytes, &head, sizeof head);
	leat_buffer_append(&delta->bytes, op->key, op->key_n);
	leat_buffer_append(&delta->bytes, op->value, op->value_n);
	delta->n++;
}

void leat_delta_append(struct leat_delta *delta, const struct leat_delta *other)
{
	leat_buffer_append(&delta->bytes, other->bytes.data, other->bytes.n);
	delta->n += other->n;
}

bool leat_delta_next(const struct leat_delta *delta, size_t *at, struct leat_delta_op *op)
{
	struct head head;
	const char *bytes;

	if (*at == delta->bytes.n)
		return false;
	if (delta->bytes.n - *at < sizeof head)
		return false;
	bytes = delta->bytes.data + *at;
	memcpy(&head, bytes, sizeof head);
	if (delta->bytes.n - *at - sizeof head < (size_t)head.key_n + head.value_n)
		return false;
	*at += sizeof head;
	*op = (struct leat_delta_op){ .kind = (enum leat_delta_kind)(head.kind & ~IS_NEW),
		                      .is_new = (head.kind & IS_NEW) != 0,
		                      .table = head.table,
		                      .key = bytes + sizeof head,
		                      .key_n = head.key_n,
		                      .value = bytes + sizeof head + head.key_n,
		                      .value_n = head.value_n };
	*at += (size_t)head.key_n + head.value_n;
	return true;
}

void leat_delta_clear(struct leat_delta *delta)
{
	delta->bytes.n = 0;
	delta->n = 0;
}

void leat_delta_finish(struct leat_delta *delta)
{
	leat_buffer_finish(&delta->bytes);
	delta->n = 0;
}
