/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_PACK_H
#define LEAT_DATA_PACK_H

#include <leat/buffer.h>

#include "data/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Values at rest: MessagePack. What was packed comes back equal, is encoded as the same JSON text, and packs to the same bytes.
 *
 *     null, bool          as they are
 *     integer             the shortest integer
 *     real                float 64, with the bits it has
 *     text, bytes         str, bin
 *     list, map           array, map; members in their order, equal names too
 *     time                ext 1: microseconds, 8 bytes, big-endian
 *     real with source    ext 2: the double, 8 bytes, big-endian; the source text
 *     list, map with one  ext 3: the source text, which says all that the tree does
 *
 * A packed value says how long it is, so none is the beginning of another: what follows one can be told from it.
 */

/* What is read is nested 128 deep at most, what a rule makes 64 more. A checkpoint that could not be read would be worse than
 * a process that ends, so a deeper value is our bug. */
enum { LEAT_PACK_DEPTH = 1024 };

/* Appends. */
void leat_pack_value(const struct leat_value *value, struct leat_buffer *out);
/* As leat_pack_value(), but what is equal packs to the same bytes: reals that are whole as integers, no source texts, members of
 * maps sorted by name. What comes back is equal; it need not be encoded as the same text. */
void leat_pack_key(const struct leat_value *key, struct leat_buffer *out);
/* Whether it would pack to these bytes, so whether it is equal to what did. */
bool leat_pack_key_is(const struct leat_value *key, const char *bytes, size_t n);
/* All of it goes into the arena. `symbols` may be NULL. False: the bytes are damaged, or are not exactly one value. */
bool leat_unpack_value(struct leat_arena *arena, const struct leat_symbols *symbols, const char *bytes, size_t n,
                       struct leat_value *out);
/* Bytes of the value that begins here, whether or not it is one that unpacks; 0 when it does not end within them. */
size_t leat_packed_size(const char *bytes, size_t n);

#ifdef __cplusplus
}
#endif

#endif
