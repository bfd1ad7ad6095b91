/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_OUTCOME_H
#define LEAT_KIT_OUTCOME_H

#include "kit/solo.h"

/* What a script came to: the rows that came out, in their order, and the state in the end. As text, so that it can be shown. */

struct leat_row {
	char *port;
	char *key;   /* "null" where there is none */
	char *text;  /* port, value, key and event time */
};

struct leat_outcome {
	struct leat_row *row;
	size_t n, capacity;
	char *state;          /* a line for each row of it */
	unsigned char *is_rejected; /* by step */
	size_t n_rejected;
	enum leat_status status; /* of the first call that was not LEAT_OK, */
	struct leat_error err;   /* and its reason */
};

void leat_outcome_add(struct leat_outcome *outcome, const struct leat_solo *solo, uint32_t port, const struct leat_record *record);
void leat_outcome_finish(struct leat_outcome *outcome);
/* Which rows are left out, and in what order the others are compared. */
enum leat_outcome_order {
	LEAT_ORDER_ALL,    /* every port's rows as they came */
	LEAT_ORDER_BY_KEY, /* those of a key as they came, those without one in any order; state under a key */
	LEAT_ORDER_ALIVE   /* as they came, but for dead letters */
};
/* The first difference as text, to be freed; NULL: there is none. */
char *leat_outcome_compare(const struct leat_outcome *expected, const struct leat_outcome *got, enum leat_outcome_order order);

#endif
