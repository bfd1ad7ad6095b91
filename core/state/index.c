/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing: a segment doubles until it has LARGEST slots and is split from then on. Splitting needs bits that differ: keys
 * that somebody made to collide would double the directory without end, so it is never larger than the items justify, and
 * a segment that may not be split doubles beyond LARGEST.
 */
#include "state/index.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

enum {
	SMALLEST = 16,
	LARGEST = 4096,
	ITEMS_PER_ENTRY = 256 /* of the directory, at least on average */
};

static size_t segment_bytes(uint32_t n_slots)
{
	return sizeof(struct leat_segment) + n_slots * sizeof(struct leat_slot);
}

static struct leat_segment *make_segment(struct leat_index *index, uint32_t n_slots, uint32_t depth)
{
	struct leat_segment *segment = leat_allocate_zeroed(1, segment_bytes(n_slots));

	segment->depth = depth;
	index->bytes += segment_bytes(n_slots);
	return segment;
}

static void free_segment(struct leat_index *index, struct leat_segment *segment, uint32_t mask)
{
	index->bytes -= segment_bytes(mask + 1);
	free(segment);
}

static size_t entry_of(const struct leat_index *index, uint32_t tag)
{
	return (size_t)(((uint64_t)tag << index->depth) >> 32);
}

/* Entries of the directory that name a segment of that depth. */
static size_t aliases(const struct leat_index *index, uint32_t depth)
{
	return (size_t)1 << (index->depth - depth);
}

void leat_index_init(struct leat_index *index)
{
	*index = (struct leat_index){ .depth = 0 };
	index->directory = leat_allocate_bytes(sizeof *index->directory);
	index->bytes = sizeof *index->directory;
	index->directory[0] = (struct leat_index_entry){ .segment = make_segment(index, SMALLEST, 0), .mask = SMALLEST - 1 };
}

void leat_index_finish(struct leat_index *index)
{
	size_t n = index->directory != NULL ? (size_t)1 << index->depth : 0;

	for (size_t i = 0; i < n;) {
		struct leat_segment *segment = index->directory[i].segment;

		i += aliases(index, segment->depth);
		free(segment);
	}
	free(index->directory);
	*index = (struct leat_index){ .depth = 0 };
}

/* I2 */
static void place(struct leat_segment *segment, uint32_t mask, struct leat_slot item)
{
	uint32_t i = item.tag & mask;

	while (segment->slot[i].number != 0)
		i = (i + 1) & mask;
	segment->slot[i] = item;
	segment->n_used++;
}

static void set_aliases(struct leat_index *index, size_t first, size_t n, struct leat_segment *segment, uint32_t mask)
{
	for (size_t i = first; i < first + n; i++)
		index->directory[i] = (struct leat_index_entry){ .segment = segment, .mask = mask };
}

static void double_segment(struct leat_index *index, size_t first, struct leat_index_entry old)
{
	uint32_t mask = old.mask * 2 + 1;
	struct leat_segment *segment = make_segment(index, mask + 1, old.segment->depth);

	for (uint32_t i = 0; i <= old.mask; i++)
		if (old.segment->slot[i].number != 0)
			place(segment, mask, old.segment->slot[i]);
	set_aliases(index, first, aliases(index, segment->depth), segment, mask);
	free_segment(index, old.segment, old.mask);
}

static void double_directory(struct leat_index *index)
{
	size_t n = (size_t)1 << index->depth;
	struct leat_index_entry *directory = leat_allocate_bytes(2 * n * sizeof *directory);

	for (size_t i = 0; i < 2 * n; i++)
		directory[i] = index->directory[i / 2];
	free(index->directory);
	index->bytes += n * sizeof *directory;
	index->directory = directory;
	index->depth++;
}

/* I1: the next bit decides which of the two an item goes to. */
static void split_segment(struct leat_index *index, size_t first, struct leat_index_entry old)
{
	uint32_t depth = old.segment->depth + 1;
	size_t n = aliases(index, depth);
	struct leat_segment *half[2];

	for (int i = 0; i < 2; i++) {
		half[i] = make_segment(index, old.mask + 1, depth);
		set_aliases(index, first + (size_t)i * n, n, half[i], old.mask);
	}
	for (uint32_t i = 0; i <= old.mask; i++)
		if (old.segment->slot[i].number != 0)
			place(half[(old.segment->slot[i].tag >> (32 - depth)) & 1], old.mask, old.segment->slot[i]);
	free_segment(index, old.segment, old.mask);
}

static bool is_full(const struct leat_index_entry *e)
{
	return (uint64_t)(e->segment->n_used + 1) * 10 > (uint64_t)(e->mask + 1) * 7;
}

static bool may_double_directory(const struct leat_index *index)
{
	return index->depth < 24 && ((size_t)2 << index->depth) <= index->n / ITEMS_PER_ENTRY;
}

static void grow(struct leat_index *index, uint32_t tag)
{
	size_t at = entry_of(index, tag);
	struct leat_index_entry e = index->directory[at];
	bool may_split = e.mask + 1 >= LARGEST && (e.segment->depth < index->depth || may_double_directory(index));

	if (may_split && e.segment->depth == index->depth) {
		double_directory(index);
		at = entry_of(index, tag);
	}
	at &= ~(aliases(index, e.segment->depth) - 1); /* the first of its entries */
	if (may_split)
		split_segment(index, at, e);
	else
		double_segment(index, at, e);
}

void leat_index_insert(struct leat_index *index, uint32_t tag, uint32_t number)
{
	struct leat_index_entry *e = &index->directory[entry_of(index, tag)];

	/* Again when all items went to the same half. */
	while (is_full(e)) {
		grow(index, tag);
		e = &index->directory[entry_of(index, tag)];
	}
	place(e->segment, e->mask, (struct leat_slot){ .tag = tag, .number = number });
	index->n++;
}

/* Closes the gap, so that there are no tombstones: items behind it move up as long as I2 lets them (Knuth 6.4, algorithm R). */
static void close_gap(struct leat_slot *slot, uint32_t mask, uint32_t gap)
{
	for (uint32_t i = (gap + 1) & mask; slot[i].number != 0; i = (i + 1) & mask) {
		uint32_t wanted = slot[i].tag & mask;

		if (((i - wanted) & mask) >= ((i - gap) & mask)) {
			slot[gap] = slot[i];
			gap = i;
		}
	}
	slot[gap] = (struct leat_slot){ 0 };
}

void leat_index_remove(struct leat_index *index, uint32_t tag, uint32_t number)
{
	struct leat_index_entry *e = &index->directory[entry_of(index, tag)];
	struct leat_slot *slot = e->segment->slot;
	uint32_t i = tag & e->mask;

	while (slot[i].number != number || slot[i].tag != tag) {
		leat_check(slot[i].number != 0);
		i = (i + 1) & e->mask;
	}
	close_gap(slot, e->mask, i);
	e->segment->n_used--;
	index->n--;
}
