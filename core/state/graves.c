/* SPDX-License-Identifier: Apache-2.0 */
#include "state/graves.h"

#include "base/memory.h"

struct grave {
	uint64_t event; /* the last one it was buried in; the pool's while it is not in use */
	uint32_t tag;
	struct leat_packed_key key;
};

static struct grave *grave_at(const struct leat_graves *graves, uint32_t number)
{
	return leat_pool_at(&graves->pool, number);
}

void leat_graves_init(struct leat_graves *graves)
{
	leat_index_init(&graves->index);
	leat_pool_init(&graves->pool, sizeof(struct grave));
}

void leat_graves_finish(struct leat_graves *graves)
{
	leat_graves_release(graves, UINT64_MAX);
	leat_index_finish(&graves->index);
	leat_pool_finish(&graves->pool);
	free(graves->burial);
}

static uint32_t find(const struct leat_graves *graves, const char *key, size_t key_n, uint32_t tag)
{
	for (struct leat_probe p = leat_index_probe(&graves->index, tag); p.slot[p.i].number != 0; leat_probe_next(&p)) {
		const struct leat_packed_key *buried = &grave_at(graves, p.slot[p.i].number)->key;

		if (p.slot[p.i].tag == tag && buried->n == key_n && memcmp(leat_packed_key_bytes(buried), key, key_n) == 0)
			return p.slot[p.i].number;
	}
	return 0;
}

static uint32_t dig(struct leat_graves *graves, const struct leat_packed_key *key, uint32_t tag)
{
	uint32_t number = leat_pool_take(&graves->pool);
	struct grave *grave = grave_at(graves, number);

	grave->tag = tag;
	leat_packed_key_init(&grave->key, leat_packed_key_bytes(key), key->n);
	graves->bytes += leat_packed_key_outside(&grave->key);
	leat_index_insert(&graves->index, tag, number);
	return number;
}

static void fill(struct leat_graves *graves, uint32_t number)
{
	struct grave *grave = grave_at(graves, number);

	leat_index_remove(&graves->index, grave->tag, number);
	graves->bytes -= leat_packed_key_outside(&grave->key);
	leat_packed_key_finish(&grave->key);
	leat_pool_give(&graves->pool, number);
}

/* What is in front and done with makes room before the array grows. */
static void add_burial(struct leat_graves *graves, struct leat_burial burial)
{
	if (graves->first + graves->n == graves->capacity && graves->first > graves->n) {
		memcpy(graves->burial, graves->burial + graves->first, graves->n * sizeof *graves->burial);
		graves->first = 0;
	}
	graves->burial = leat_grow(graves->burial, graves->first + graves->n, &graves->capacity, sizeof *graves->burial);
	graves->burial[graves->first + graves->n++] = burial;
}

void leat_graves_bury(struct leat_graves *graves, const struct leat_packed_key *key, uint32_t tag, uint64_t event)
{
	uint32_t number = find(graves, leat_packed_key_bytes(key), key->n, tag);

	if (number == 0)
		number = dig(graves, key, tag);
	grave_at(graves, number)->event = event;
	add_burial(graves, (struct leat_burial){ .event = event, .number = number });
}

bool leat_graves_hold(const struct leat_graves *graves, const char *key, size_t key_n, uint32_t tag)
{
	return graves->index.n > 0 && find(graves, key, key_n, tag) != 0;
}

void leat_graves_release(struct leat_graves *graves, uint64_t event)
{
	while (graves->n > 0 && graves->burial[graves->first].event <= event) {
		const struct leat_burial *burial = &graves->burial[graves->first];

		/* Else it was buried again, and that burial is to come. */
		if (grave_at(graves, burial->number)->event == burial->event)
			fill(graves, burial->number);
		graves->first++;
		graves->n--;
	}
}

size_t leat_graves_bytes(const struct leat_graves *graves)
{
	return graves->bytes + graves->index.bytes + graves->index.n * graves->pool.stride + graves->capacity * sizeof *graves->burial;
}
