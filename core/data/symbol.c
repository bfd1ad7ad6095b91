/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing over a cheap hash of the length and the first and last eight bytes. The names are the pipeline's, few and
 * chosen by its author, so nobody can aim for collisions; a lookup of a name that is not there mostly ends at an empty slot.
 */
#include "data/symbol.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"

struct slot {
	uint32_t hash;
	leat_symbol symbol; /* LEAT_NO_SYMBOL: empty */
};

struct name {
	const char *bytes;
	size_t n;
};

struct leat_symbols {
	struct slot *slot;
	uint32_t mask;
	bool is_frozen;
	struct name *name; /* [0] stands for LEAT_NO_SYMBOL */
	size_t n;
	size_t capacity;
	struct leat_arena *arena;
};

enum { FIRST_SLOTS = 64 };

static uint32_t hash_name(const char *name, size_t n)
{
	uint64_t head = 0, tail = 0;

	if (n >= 8) {
		memcpy(&head, name, 8);
		memcpy(&tail, name + n - 8, 8);
	} else if (n >= 4) {
		memcpy(&head, name, 4);
		memcpy(&tail, name + n - 4, 4);
	} else if (n > 0) {
		const unsigned char *b = (const unsigned char *)name;

		head = (uint64_t)b[0] | (uint64_t)b[n / 2] << 8 | (uint64_t)b[n - 1] << 16;
	}
	head = (head ^ n) * UINT64_C(0x9e3779b97f4a7c15);
	head = (head ^ (head >> 29) ^ tail) * UINT64_C(0xbf58476d1ce4e5b9);
	return (uint32_t)(head >> 32);
}

struct leat_symbols *leat_symbols_create(void)
{
	struct leat_symbols *symbols = leat_allocate_zeroed(1, sizeof *symbols);

	symbols->slot = leat_allocate_zeroed(FIRST_SLOTS, sizeof *symbols->slot);
	symbols->mask = FIRST_SLOTS - 1;
	symbols->arena = leat_arena_create();
	symbols->name = leat_grow(NULL, 0, &symbols->capacity, sizeof *symbols->name);
	symbols->name[0] = (struct name){.bytes = "", .n = 0};
	symbols->n = 1;
	return symbols;
}

void leat_symbols_destroy(struct leat_symbols *symbols)
{
	if (symbols == NULL)
		return;
	leat_arena_unref(symbols->arena);
	free(symbols->slot);
	free(symbols->name);
	free(symbols);
}

/* The slot that holds the name, or the empty one where it would go. */
static struct slot *find_slot(const struct leat_symbols *symbols, uint32_t hash, const char *name, size_t n)
{
	uint32_t i;

	for (i = hash & symbols->mask;; i = (i + 1) & symbols->mask) {
		struct slot *slot = &symbols->slot[i];

		if (slot->symbol == LEAT_NO_SYMBOL)
			return slot;
		if (slot->hash == hash && symbols->name[slot->symbol].n == n && memcmp(symbols->name[slot->symbol].bytes, name, n) == 0)
			return slot;
	}
}

static void grow_slots(struct leat_symbols *symbols)
{
	struct slot *old = symbols->slot;
	size_t n_old = (size_t)symbols->mask + 1;
	size_t i;

	symbols->slot = leat_allocate_zeroed(n_old * 2, sizeof *symbols->slot);
	symbols->mask = (uint32_t)(n_old * 2 - 1);
	for (i = 0; i < n_old; i++)
		if (old[i].symbol != LEAT_NO_SYMBOL) {
			const struct name *name = &symbols->name[old[i].symbol];

			*find_slot(symbols, old[i].hash, name->bytes, name->n) = old[i];
		}
	free(old);
}

leat_symbol leat_symbols_intern(struct leat_symbols *symbols, const char *name, size_t n)
{
	uint32_t hash = hash_name(name, n);
	struct slot *slot = find_slot(symbols, hash, name, n);
	char *copy;

	if (slot->symbol != LEAT_NO_SYMBOL)
		return slot->symbol;
	leat_check(!symbols->is_frozen);
	leat_check(symbols->n < UINT32_MAX / 4);
	/* A third full at most: misses are the common case for names that only arrive in data. */
	if (symbols->n * 3 > symbols->mask) {
		grow_slots(symbols);
		slot = find_slot(symbols, hash, name, n);
	}
	copy = leat_arena_allocate(symbols->arena, n + 1);
	memcpy(copy, name, n);
	copy[n] = '\0';
	symbols->name = leat_grow(symbols->name, symbols->n, &symbols->capacity, sizeof *symbols->name);
	symbols->name[symbols->n] = (struct name){.bytes = copy, .n = n};
	slot->hash = hash;
	slot->symbol = (leat_symbol)symbols->n++;
	return slot->symbol;
}

void leat_symbols_freeze(struct leat_symbols *symbols)
{
	symbols->is_frozen = true;
}

leat_symbol leat_symbols_find(const struct leat_symbols *symbols, const char *name, size_t n)
{
	return find_slot(symbols, hash_name(name, n), name, n)->symbol;
}

leat_symbol leat_symbols_last(const struct leat_symbols *symbols)
{
	return (leat_symbol)(symbols->n - 1);
}

const char *leat_symbols_name(const struct leat_symbols *symbols, leat_symbol symbol, size_t *n)
{
	leat_check(symbol != LEAT_NO_SYMBOL && symbol < symbols->n);
	if (n != NULL)
		*n = symbols->name[symbol].n;
	return symbols->name[symbol].bytes;
}
