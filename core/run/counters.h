/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_COUNTERS_H
#define LEAT_RUN_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

/* Figures that one thread writes and others read now and then: no locked instruction, no torn value. */
typedef _Atomic uint64_t leat_counter;

static inline void leat_counter_add(leat_counter *c, uint64_t n)
{
	atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void leat_counter_set(leat_counter *c, uint64_t n)
{
	atomic_store_explicit(c, n, memory_order_relaxed);
}

static inline uint64_t leat_counter_get(const leat_counter *c)
{
	return atomic_load_explicit(c, memory_order_relaxed);
}

struct leat_counters {
	leat_counter records_in, records_out, bytes_in, bytes_out, errors, dead_letters, retries, busy_ns;
	leat_counter watermark_us; /* a signed number */
	leat_counter idle;         /* sources: 1 when the partition holds nothing back */
	leat_counter late;         /* sources: behind the watermark of their partition */
	leat_counter state_entries, state_bytes, state_fetched, state_evicted;
};

#endif
