/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_PACKED_KEY_H
#define LEAT_STATE_PACKED_KEY_H

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/pack.h"

/*
 * A key that is kept as it stands in rows (R4): a user and the id of an event take 22 bytes so, where the list with its texts took
 * 80 and an allocation. Short ones are within, longer ones in a block of their own. Must not move.
 */

enum { LEAT_PACKED_INLINE = 36 }; /* makes a leat_entry 64 bytes */

struct leat_packed_key {
	uint32_t n;
	char bytes[LEAT_PACKED_INLINE]; /* or where they are */
};

static inline const char *leat_packed_key_bytes(const struct leat_packed_key *key)
{
	const char *block;

	if (key->n <= LEAT_PACKED_INLINE)
		return key->bytes;
	memcpy(&block, key->bytes, sizeof block);
	return block;
}

/* Bytes outside the key itself. */
static inline size_t leat_packed_key_outside(const struct leat_packed_key *key)
{
	return key->n <= LEAT_PACKED_INLINE ? 0 : key->n;
}

static inline void leat_packed_key_init(struct leat_packed_key *key, const char *bytes, size_t n)
{
	char *to = key->bytes;

	key->n = (uint32_t)n;
	if (n > LEAT_PACKED_INLINE) {
		to = leat_allocate_bytes(n);
		memcpy(key->bytes, &to, sizeof to);
	}
	memcpy(to, bytes, n);
}

static inline void leat_packed_key_finish(struct leat_packed_key *key)
{
	char *block;

	if (key->n > LEAT_PACKED_INLINE) {
		memcpy(&block, key->bytes, sizeof block);
		free(block);
	}
	key->n = 0;
}

static inline bool leat_packed_key_is(const struct leat_packed_key *key, const struct leat_value *value)
{
	enum { SHORT_TEXT = 0xa0, SHORT = 32 }; /* the one byte in front of a text of less than so many */

	if (value->type == LEAT_TEXT && value->n < SHORT)
		return key->n == value->n + 1 && (unsigned char)key->bytes[0] == (SHORT_TEXT | value->n) &&
		       memcmp(key->bytes + 1, value->as.text, value->n) == 0;
	return leat_pack_key_is(value, leat_packed_key_bytes(key), key->n);
}

#endif
