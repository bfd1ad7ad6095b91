/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_DELTA_H
#define LEAT_STATE_DELTA_H

#include <leat/buffer.h>

#include <stdbool.h>

/*
 * What has changed in the state of an instance, as operations on rows of bytes, to be applied in their order. Zeroed, it is
 * empty. rows.h says what the rows are; the store does not look into them.
 */

struct leat_delta {
	struct leat_buffer bytes;
	size_t n; /* operations */
};

enum leat_delta_kind {
	LEAT_DELTA_PUT,         /* over the row of that key, if there is one */
	LEAT_DELTA_ERASE,       /* there may be none */
	LEAT_DELTA_ERASE_PREFIX /* all rows of the table whose keys begin with `key` */
};

#define LEAT_DELTA_TIMERS UINT16_MAX /* the `table` of timers */

struct leat_delta_op {
	enum leat_delta_kind kind;
	bool is_new; /* PUT only: there is no row of that key */
	uint16_t table;
	const char *key;
	size_t key_n;
	const char *value; /* PUT only */
	size_t value_n;
};

void leat_delta_add(struct leat_delta *delta, const struct leat_delta_op *op);
/* Appends what another one holds. */
void leat_delta_append(struct leat_delta *delta, const struct leat_delta *other);
/* *at begins at 0. Key and value point into the delta, until it is added to. False: that was the last one, or the
 * bytes are damaged, and *at is not at their end. */
bool leat_delta_next(const struct leat_delta *delta, size_t *at, struct leat_delta_op *op);
/* Empties it and keeps the memory. */
void leat_delta_clear(struct leat_delta *delta);
void leat_delta_finish(struct leat_delta *delta);

#endif
