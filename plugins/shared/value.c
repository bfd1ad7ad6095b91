/* SPDX-License-Identifier: Apache-2.0 */
#include "value.h"

/* FNV-1a over the bytes, mixed at the end as MurmurHash3 does; both are in the public domain. */

static uint64_t mix(uint64_t h)
{
	h ^= h >> 33;
	h *= UINT64_C(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64_C(0xc4ceb9fe1a85ec53);
	return h ^ (h >> 33);
}

static uint64_t hash_bytes(enum leat_type type, const void *bytes, size_t n)
{
	const unsigned char *byte = bytes;
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)type;

	for (size_t i = 0; i < n; i++)
		h = (h ^ byte[i]) * UINT64_C(0x100000001b3);
	return mix(h ^ n);
}

/* Byte by byte, so that the order in which a machine keeps them does not matter. */
static uint64_t hash_number(enum leat_type type, uint64_t number)
{
	unsigned char byte[8];

	for (int i = 0; i < 8; i++)
		byte[i] = (unsigned char)(number >> (8 * i));
	return hash_bytes(type, byte, sizeof byte);
}

static uint64_t hash_real(const struct leat_value *value)
{
	int64_t integer;
	uint64_t bits;
	double real = 0;

	if (leat_as_integer(value, &integer))
		return hash_number(LEAT_INTEGER, (uint64_t)integer);
	(void)leat_as_real(value, &real);
	memcpy(&bits, &real, sizeof bits);
	return hash_number(LEAT_REAL, bits);
}

static uint64_t hash_list(const struct leat_list *list)
{
	uint64_t h = hash_number(LEAT_LIST, list->n);

	for (uint32_t i = 0; i < list->n; i++)
		h = mix(h * 31 + value_hash(&list->item[i]));
	return h;
}

/* Of equal names the last one counts. */
static bool is_last_of_name(const struct leat_map *map, uint32_t i)
{
	const struct leat_member *m = &map->member[i];

	while (++i < map->n)
		if (map->member[i].name_n == m->name_n && memcmp(map->member[i].name, m->name, m->name_n) == 0)
			return false;
	return true;
}

/* A sum, as the order of members does not count. */
static uint64_t hash_map(const struct leat_map *map)
{
	uint64_t h = 0;

	for (uint32_t i = 0; i < map->n; i++)
		if (is_last_of_name(map, i))
			h += mix(hash_bytes(LEAT_TEXT, map->member[i].name, map->member[i].name_n) * 31 + value_hash(&map->member[i].value));
	return hash_number(LEAT_MAP, h);
}

uint64_t value_hash(const struct leat_value *value)
{
	switch ((enum leat_type)value->type) {
	case LEAT_BOOL:
		return hash_number(LEAT_BOOL, value->as.boolean);
	case LEAT_INTEGER:
	case LEAT_REAL:
		return hash_real(value);
	case LEAT_TEXT:
	case LEAT_BYTES:
		return hash_bytes(value->type, value->as.text, value->n);
	case LEAT_TIME:
		return hash_number(LEAT_TIME, (uint64_t)value->as.time_us);
	case LEAT_LIST:
		return hash_list(value->as.list);
	case LEAT_MAP:
		return hash_map(value->as.map);
	case LEAT_NULL:
		break;
	}
	return hash_number(LEAT_NULL, 0);
}
