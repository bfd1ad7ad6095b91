/* SPDX-License-Identifier: Apache-2.0 */
#include "state/changelog.h"

#include "base/bug.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/rows.h"

/* Before the numbers of the tables and the bytes of the delta. */
struct section {
	uint64_t bytes_n;
	uint64_t n; /* operations */
	uint32_t shard;
	uint32_t timers;
	uint32_t n_numbers;
	uint32_t padding;
};

enum { SHARE_OF_ROWS = 4 };

size_t leat_changelog_limit(uint64_t rows)
{
	uint64_t wanted = rows / SHARE_OF_ROWS;

	return wanted < LEAT_CHANGELOG_LEAST ? LEAT_CHANGELOG_LEAST : wanted > LEAT_CHANGELOG_MOST ? LEAT_CHANGELOG_MOST : (size_t)wanted;
}

void leat_changelog_add(struct leat_buffer *blob, const struct leat_delta_place *place, const struct leat_delta *delta)
{
	const struct section section = { .bytes_n = delta->bytes.n, .n = delta->n, .shard = place->shard, .timers = place->timers,
		                             .n_numbers = place->n_numbers };

	if (delta->n == 0)
		return;
	leat_buffer_append(blob, &section, sizeof section);
	leat_buffer_append(blob, place->number, place->n_numbers * sizeof *place->number);
	leat_buffer_append(blob, delta->bytes.data, delta->bytes.n);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static bool is_before(const struct leat_shard_changes *s, uint32_t number, uint32_t shard)
{
	return s->number != number ? s->number < number : s->shard < shard;
}

/* Those of the shard, entered if need be. */
static struct leat_shard_changes *find_shard(struct leat_changes *changes, uint32_t number, uint32_t shard)
{
	size_t from = 0, until = changes->n;

	while (from < until) {
		size_t i = (from + until) / 2;

		if (is_before(&changes->of[i], number, shard))
			from = i + 1;
		else
			until = i;
	}
	if (from < changes->n && changes->of[from].number == number && changes->of[from].shard == shard)
		return &changes->of[from];
	changes->of = leat_grow(changes->of, changes->n, &changes->capacity, sizeof *changes->of);
	memmove(changes->of + from + 1, changes->of + from, (changes->n++ - from) * sizeof *changes->of);
	changes->of[from] = (struct leat_shard_changes){ .number = number, .shard = shard };
	return &changes->of[from];
}

static void add_op(struct leat_changes *changes, uint32_t number, uint32_t shard, const struct leat_delta_op *op)
{
	struct leat_shard_changes *to = find_shard(changes, number, shard);

	to->change = leat_grow(to->change, to->n, &to->capacity, sizeof *to->change);
	to->change[to->n] = (struct leat_change){ .key = op->key, .key_n = (uint32_t)op->key_n, .value = op->value,
		                                      .value_n = (uint32_t)op->value_n, .at = (uint32_t)to->n, .kind = (uint8_t)op->kind,
		                                      .was_absent = op->is_new };
	to->n++;
}

static bool read_section(struct leat_changes *changes, const struct section *section, const char *bytes, uint32_t only)
{
	/* Read only, so the buffer's bytes may be somebody else's. */
	const struct leat_delta delta = { .bytes = { .data = (char *)(uintptr_t)(bytes + section->n_numbers * sizeof(uint32_t)),
		                                         .n = section->bytes_n } };
	struct leat_delta_op op;
	uint64_t n = 0;

	for (size_t at = 0; leat_delta_next(&delta, &at, &op); n++) {
		uint32_t number = section->timers;

		if (op.table != LEAT_DELTA_TIMERS && op.table >= section->n_numbers)
			return false;
		if (op.table != LEAT_DELTA_TIMERS)
			memcpy(&number, bytes + op.table * sizeof number, sizeof number);
		if (only == 0 || number == only)
			add_op(changes, number, section->shard, &op);
	}
	return n == section->n;
}

bool leat_changes_read(struct leat_changes *changes, const char *blob, size_t n, uint32_t only)
{
	struct section section;

	for (size_t at = 0; at < n; at += section.n_numbers * sizeof(uint32_t) + section.bytes_n) {
		if (n - at < sizeof section)
			return false;
		memcpy(&section, blob + at, sizeof section);
		at += sizeof section;
		if ((n - at) / sizeof(uint32_t) < section.n_numbers || n - at - section.n_numbers * sizeof(uint32_t) < section.bytes_n ||
		    !read_section(changes, &section, blob + at, only))
			return false;
	}
	return true;
}

/* ---- L1 ------------------------------------------------------------------------------------------------------------- */

/* Of the changes that are left, by key; 0: none, else a place + 1. */
struct places {
	uint32_t *slot;
	size_t mask;
};

static uint32_t *find_place(const struct places *places, const struct leat_shard_changes *s, const char *key, size_t key_n, uint8_t kind)
{
	bool is_prefix = kind == LEAT_DELTA_ERASE_PREFIX;
	size_t i = (size_t)leat_hash(key, key_n) & places->mask;

	for (; places->slot[i] != 0; i = (i + 1) & places->mask) {
		const struct leat_change *c = &s->change[places->slot[i] - 1];

		if (c->key_n == key_n && (c->kind == LEAT_DELTA_ERASE_PREFIX) == is_prefix && memcmp(c->key, key, key_n) == 0)
			break;
	}
	return &places->slot[i];
}

/* L2: the head that stands behind the prefix was new, and nothing before it was erased. */
static bool had_no_rows(const struct places *places, const struct leat_shard_changes *s, const struct leat_change *prefix,
                        struct leat_buffer *head)
{
	uint32_t place;

	head->n = 0;
	leat_buffer_append(head, prefix->key, prefix->key_n);
	leat_buffer_byte(head, LEAT_ROW_HEAD);
	place = *find_place(places, s, head->data, head->n, LEAT_DELTA_PUT);
	return place != 0 && s->change[place - 1].was_absent;
}

static void keep_last(struct leat_shard_changes *s)
{
	struct places places = { .mask = 15 };
	struct leat_buffer head = { 0 };
	size_t n = s->n;

	while (places.mask < 2 * n)
		places.mask = places.mask * 2 + 1;
	places.slot = leat_allocate_zeroed(places.mask + 1, sizeof *places.slot);
	s->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct leat_change c = s->change[i];
		uint32_t *place = find_place(&places, s, c.key, c.key_n, c.kind);

		if (*place != 0) {
			c.was_absent = s->change[*place - 1].was_absent;
			if (!LEAT_BUG("changelog-first-wins"))
				s->change[*place - 1] = c;
			continue;
		}
		if (c.kind == LEAT_DELTA_ERASE_PREFIX)
			c.was_absent = had_no_rows(&places, s, &c, &head);
		s->change[s->n++] = c;
		*place = (uint32_t)s->n;
	}
	leat_buffer_finish(&head);
	free(places.slot);
}

/* ---- order ---------------------------------------------------------------------------------------------------------- */

static size_t common_bytes(const struct leat_change *a, const struct leat_change *b, size_t most)
{
	size_t n = 0;

	while (n < most && n < a->key_n && n < b->key_n && a->key[n] == b->key[n])
		n++;
	return n;
}

/* Looking at the bytes that differ, in one register, is most of a comparison. */
static void note_what_differs(struct leat_shard_changes *s)
{
	size_t common = s->change[0].key_n;

	for (size_t i = 1; i < s->n; i++)
		common = common_bytes(&s->change[0], &s->change[i], common);
	for (size_t i = 0; i < s->n; i++) {
		struct leat_change *c = &s->change[i];

		c->sorts_by = 0;
		for (size_t b = 0; b < sizeof c->sorts_by; b++)
			c->sorts_by = c->sorts_by << 8 | (common + b < c->key_n ? (unsigned char)c->key[common + b] : 0);
	}
}

/* What is equal is a prefix and a row of the same bytes. */
static int compare_changes(const void *x, const void *y)
{
	const struct leat_change *a = x, *b = y;
	size_t n = a->key_n < b->key_n ? a->key_n : b->key_n;
	int order;

	if (a->sorts_by != b->sorts_by)
		return a->sorts_by < b->sorts_by ? -1 : 1;
	order = memcmp(a->key, b->key, n);
	if (order != 0)
		return order;
	if (a->key_n != b->key_n)
		return a->key_n < b->key_n ? -1 : 1;
	return (b->kind == LEAT_DELTA_ERASE_PREFIX) - (a->kind == LEAT_DELTA_ERASE_PREFIX);
}

static bool begins_with(const struct leat_change *c, const struct leat_change *prefix)
{
	return c->key_n >= prefix->key_n && memcmp(c->key, prefix->key, prefix->key_n) == 0;
}

/* Drops what was erased with its prefix later, and what leaves nothing. */
static void drop_erased(struct leat_shard_changes *s)
{
	struct leat_change prefix = { .key = NULL };
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct leat_change c = s->change[i];
		bool is_under = prefix.key != NULL && begins_with(&c, &prefix);
		bool is_needed;

		if (c.kind == LEAT_DELTA_ERASE_PREFIX) {
			prefix = c;
			is_needed = !c.was_absent;
		} else if (is_under) {
			is_needed = c.kind == LEAT_DELTA_PUT && c.at > prefix.at;
		} else {
			is_needed = c.kind == LEAT_DELTA_PUT || !c.was_absent;
		}
		if (is_needed)
			s->change[n++] = c;
	}
	s->n = n;
}

void leat_changes_resolve(struct leat_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		struct leat_shard_changes *s = &changes->of[i];

		leat_check(s->n > 0 && s->n < UINT32_MAX / 4);
		keep_last(s);
		note_what_differs(s);
		qsort(s->change, s->n, sizeof *s->change, compare_changes);
		drop_erased(s);
	}
}

void leat_changes_finish(struct leat_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		free(changes->of[i].change);
	free(changes->of);
	*changes = (struct leat_changes){ .n = 0 };
}
