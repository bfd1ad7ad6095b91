/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_CAP_H
#define LEAT_RUN_CAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * E12: how much an epoch may have before it has to end. Two rounds gather at a time, that of the shards which have not passed
 * the barrier under way and that of the others; so whatever belongs to a round stands at its number's last bit.
 */
struct leat_cap {
	uint64_t records, bytes; /* that are enough */
	_Atomic uint64_t n_records[2], n_bytes[2];
};

static inline void leat_cap_init(struct leat_cap *cap, uint64_t records, uint64_t bytes)
{
	cap->records = records;
	cap->bytes = bytes;
}

/* Before anybody adds to the round. */
static inline void leat_cap_open(struct leat_cap *cap, uint64_t round)
{
	atomic_store(&cap->n_records[round & 1], 0);
	atomic_store(&cap->n_bytes[round & 1], 0);
}

/* True: with this it has as much as it may have. */
static inline bool leat_cap_add(struct leat_cap *cap, uint64_t round, uint64_t records, uint64_t bytes)
{
	uint64_t n = atomic_fetch_add(&cap->n_records[round & 1], records) + records;
	uint64_t n_bytes = atomic_fetch_add(&cap->n_bytes[round & 1], bytes) + bytes;

	return n >= cap->records || n_bytes >= cap->bytes;
}

#endif
