/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_ROWS_H
#define LEAT_STATE_ROWS_H

#include <leat/buffer.h>

/*
 * What a row of a delta is. K is the key, packed (data/pack.h), as an entry keeps it (packed_key.h); numbers are 8 bytes.
 *
 *     table            key                             value
 *     fixed            K                               changed_us, then the declared fields in the spec's order
 *     value            K                               changed_us, then the packed value
 *     ordered, head    K 0                             changed_us
 *     ordered, item    K 1 order sequence              the packed value
 *     timers           clock due_us tag K              sequence of setting
 *
 * R1  What stands in keys beside K is sortable: big-endian with the sign bit flipped, so that rows in the order of their bytes
 *     are items of a key in their order, and timers by clock and due time.
 * R2  What stands in values beside packed ones is little-endian: the fields as they are in memory, at their declared sizes and
 *     without the struct's padding. Members that are not declared come back zeroed.
 * R3  A key's rows in an ordered table are those that begin with K. Of two different keys no K is the beginning of the other,
 *     because a packed value says how long it is: read from its first byte on, both would have to end at the same byte, and
 *     would then be the same. So erasing the prefix K takes its head and all its items and nothing else.
 * R4  Of tables, K is packed as a key: what is equal, as 1 and 1.0 are, has the same rows. So what was put is what is erased,
 *     what somebody asks for is found, and what is read packs again to the same bytes or is damaged. Timers are never looked
 *     for, and hand their key out again: theirs is packed as it was given.
 */

enum { LEAT_ROW_HEAD = 0, LEAT_ROW_ITEM = 1, LEAT_ROW_NUMBER = 8 };

/* R1 */
static inline void leat_row_sortable(struct leat_buffer *row, int64_t number)
{
	uint64_t bits = (uint64_t)number ^ (UINT64_C(1) << 63);

	for (int i = 56; i >= 0; i -= 8)
		leat_buffer_byte(row, (char)(bits >> i));
}

static inline int64_t leat_row_read_sortable(const char *bytes)
{
	uint64_t bits = 0;

	for (int i = 0; i < LEAT_ROW_NUMBER; i++)
		bits = bits << 8 | (unsigned char)bytes[i];
	return (int64_t)(bits ^ (UINT64_C(1) << 63));
}

/* R2 */
static inline void leat_row_number(struct leat_buffer *row, uint64_t number)
{
	char *bytes = leat_buffer_reserve(row, LEAT_ROW_NUMBER);

	for (int i = 0; i < LEAT_ROW_NUMBER; i++)
		bytes[i] = (char)(number >> (8 * i));
	row->n += LEAT_ROW_NUMBER;
}

static inline uint64_t leat_row_read_number(const char *bytes)
{
	uint64_t number = 0;

	for (int i = LEAT_ROW_NUMBER; i-- > 0;)
		number = number << 8 | (unsigned char)bytes[i];
	return number;
}

#endif
