/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 64 bits of a value, the same for values that are equal: 1 and 1.0, maps whose members stand in another order. The bits have to be
 * as good as random, which is what distinct() lives on: words are mixed as in MurmurHash64A, and stirred at the end by its finalizer.
 */
#include "fold_kind.h"

static uint64_t stir(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ h >> 33;
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	const uint64_t m = UINT64_C(0xc6a4a7935bd1e995);

	word *= m;
	word ^= word >> 47;
	return (h ^ word * m) * m;
}

static uint64_t hash_bytes(uint64_t h, const char *bytes, size_t n)
{
	uint64_t word;

	h = mix(h, n);
	for (; n >= sizeof word; bytes += sizeof word, n -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		h = mix(h, word);
	}
	word = 0;
	if (n > 0)
		memcpy(&word, bytes, n);
	return n > 0 ? mix(h, word) : h;
}

static uint64_t hash_number(uint64_t h, const struct leat_value *v)
{
	double real = 0;
	uint64_t bits;
	int64_t whole;

	if (leat_as_integer(v, &whole))
		return mix(h, (uint64_t)whole);
	(void)leat_as_real(v, &real);
	memcpy(&bits, &real, sizeof bits);
	return mix(h ^ LEAT_REAL, bits);
}

/* The last of equal names counts, and order does not. */
static uint64_t hash_map(const struct leat_map *map)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < map->n; i++) {
		const struct leat_member *m = &map->member[i];
		bool is_last = true;

		for (uint32_t k = i + 1; k < map->n && is_last; k++)
			is_last = map->member[k].name_n != m->name_n || memcmp(map->member[k].name, m->name, m->name_n) != 0;
		if (is_last)
			sum += stir(hash_bytes(fold_hash(&m->value), m->name, m->name_n));
	}
	return sum;
}

uint64_t fold_hash(const struct leat_value *v)
{
	uint64_t h = v->type == LEAT_REAL ? LEAT_INTEGER : v->type;

	if (v->type == LEAT_BOOL)
		h = mix(h, v->as.boolean);
	else if (v->type == LEAT_INTEGER || v->type == LEAT_REAL)
		h = hash_number(h, v);
	else if (v->type == LEAT_TIME)
		h = mix(h, (uint64_t)v->as.time_us);
	else if (v->type == LEAT_TEXT || v->type == LEAT_BYTES)
		h = hash_bytes(h, v->as.text, v->n);
	else if (v->type == LEAT_MAP)
		h = mix(h, hash_map(v->as.map));
	for (uint32_t i = 0; v->type == LEAT_LIST && i < v->as.list->n; i++)
		h = mix(h, fold_hash(&v->as.list->item[i]));
	return stir(h);
}
