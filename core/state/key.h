/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_KEY_H
#define LEAT_STATE_KEY_H

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "data/value.h"

/* A key that is kept: short texts within, longer ones and trees in a block of their own. Must not move. */

enum { LEAT_KEY_INLINE = 24 };

struct leat_key {
	struct leat_value value;
	union {
		char text[LEAT_KEY_INLINE];
		struct {
			struct leat_value *clone;
			size_t bytes;
		} block;
	} as;
};

static inline bool leat_key_is_inline(const struct leat_value *v)
{
	if (v->type == LEAT_TEXT || v->type == LEAT_BYTES)
		return v->n <= LEAT_KEY_INLINE;
	return v->type != LEAT_LIST && v->type != LEAT_MAP && !(v->type == LEAT_REAL && (v->flags & LEAT_VALUE_SOURCED));
}

static inline void leat_key_init(struct leat_key *key, const struct leat_value *value)
{
	if (!leat_key_is_inline(value)) {
		key->as.block.clone = leat_value_clone(value, &key->as.block.bytes);
		key->value = *key->as.block.clone;
		return;
	}
	key->value = *value;
	if (value->type == LEAT_TEXT || value->type == LEAT_BYTES) {
		if (value->n > 0)
			memcpy(key->as.text, value->as.text, value->n);
		key->value.as.text = key->as.text;
	}
}

static inline void leat_key_finish(struct leat_key *key)
{
	if (!leat_key_is_inline(&key->value))
		free(key->as.block.clone);
	key->value = leat_null();
}

static inline bool leat_key_equals(const struct leat_key *key, const struct leat_value *value)
{
	if (value->type == LEAT_TEXT && key->value.type == LEAT_TEXT)
		return value->n == key->value.n && memcmp(value->as.text, key->value.as.text, value->n) == 0;
	return leat_value_equals(&key->value, value);
}

static inline uint64_t leat_key_hash(const struct leat_value *value)
{
	return value->type == LEAT_TEXT ? leat_hash(value->as.text, value->n) : leat_value_hash(value);
}

#endif
