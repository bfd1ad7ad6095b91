/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <stdio.h>

/* Up to 127 each number is a bucket of its own; above, the six bits below the highest one choose the step. */
static unsigned find_bucket(uint64_t us)
{
	unsigned shift, bucket;

	if (us < 2 * HISTOGRAM_STEPS)
		return (unsigned)us;
	shift = 63u - (unsigned)__builtin_clzll(us) - 6;
	bucket = shift * HISTOGRAM_STEPS + (unsigned)(us >> shift);
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static uint64_t largest_of(unsigned bucket)
{
	unsigned shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;

	return ((uint64_t)(bucket - shift * HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t us)
{
	h->n++;
	h->bucket[find_bucket(us)]++;
	if (us > h->max)
		h->max = us;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
	uint64_t below = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += h->bucket[i];
		if (h->bucket[i] > 0 && (double)below >= share * (double)h->n) {
			uint64_t us = largest_of(i);

			return us < h->max && i + 1 < HISTOGRAM_BUCKETS ? us : h->max; /* the last one has no end */
		}
	}
	return h->max;
}

void histogram_print(const struct histogram *h, const char *prefix)
{
	static const struct {
		const char *name;
		double share;
	} quantiles[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 }, { "p999", 0.999 } };

	for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
		(void)printf("%s_%s_ms %.3f\n", prefix, quantiles[i].name, (double)histogram_quantile(h, quantiles[i].share) / 1e3);
	(void)printf("%s_max_ms %.3f\n", prefix, (double)h->max / 1e3);
}
