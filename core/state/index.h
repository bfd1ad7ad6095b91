/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_INDEX_H
#define LEAT_STATE_INDEX_H

#include <stddef.h>
#include <stdint.h>

/*
 * From the hash of a key to the numbers of the items that may have it. Open addressing in segments (extendible hashing: R.
 * Fagin and others, 1979): a full segment is split in two by the next bit of its tags, so growth never stops the world and
 * never looks at an item. A segment is a power of two of slots, probed in line, at most 70 % full.
 *
 *     for (struct leat_probe p = leat_index_probe(index, tag); p.slot[p.i].number != 0; leat_probe_next(&p))
 *             if (p.slot[p.i].tag == tag && ... the item of that number has the key ...)
 *
 * I1  An item stands in the segment of the first `depth` bits of its tag.
 * I2  From the slot that its last bits name to the one it stands in, no slot is empty.
 */

struct leat_slot {
	uint32_t tag;
	uint32_t number; /* 0: empty */
};

struct leat_segment {
	uint32_t n_used;
	uint32_t depth; /* bits of the tag that all its items share */
	struct leat_slot slot[];
};

struct leat_index_entry {
	struct leat_segment *segment;
	uint32_t mask; /* slots of the segment - 1 */
};

struct leat_index {
	struct leat_index_entry *directory; /* 1 << depth of them; segments of less depth stand there several times */
	uint32_t depth;
	size_t n;
	size_t bytes;
};

void leat_index_init(struct leat_index *index);
void leat_index_finish(struct leat_index *index);
void leat_index_insert(struct leat_index *index, uint32_t tag, uint32_t number);
/* It has to be there. Items of the same tag and number are as good as each other. */
void leat_index_remove(struct leat_index *index, uint32_t tag, uint32_t number);

/* Multiplied so that the tag depends on all bits: shards are chosen by some bits of the hash, which are then the same for
 * all keys of a table. */
static inline uint32_t leat_index_tag(uint64_t hash)
{
	return (uint32_t)((hash * UINT64_C(0x9e3779b97f4a7c15)) >> 32);
}

struct leat_probe {
	const struct leat_slot *slot;
	uint32_t mask;
	uint32_t i;
};

static inline struct leat_probe leat_index_probe(const struct leat_index *index, uint32_t tag)
{
	const struct leat_index_entry *e = &index->directory[((uint64_t)tag << index->depth) >> 32];

	return (struct leat_probe){ .slot = e->segment->slot, .mask = e->mask, .i = tag & e->mask };
}

/* Hint that the tag is about to be inserted, removed or looked for. GCC 12 takes a call of a function that only prefetches for one
 * without effect and drops it, so it must not see one. */
static inline __attribute__((always_inline)) void leat_index_expect(const struct leat_index *index, uint32_t tag)
{
	struct leat_probe p = leat_index_probe(index, tag);

	__builtin_prefetch(&p.slot[p.i]);
}

static inline void leat_probe_next(struct leat_probe *p)
{
	p->i = (p->i + 1) & p->mask;
}

/* The number of the first item with the tag, or 0. */
static inline uint32_t leat_index_first(const struct leat_index *index, uint32_t tag)
{
	struct leat_probe p = leat_index_probe(index, tag);

	while (p.slot[p.i].number != 0 && p.slot[p.i].tag != tag)
		leat_probe_next(&p);
	return p.slot[p.i].number;
}

#endif
