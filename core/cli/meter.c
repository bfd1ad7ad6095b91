/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/meter.h"

#include "base/check.h"

enum { RATE_US = 2000000, LATENCY_US = 10000000 };

void leat_meter_add(struct leat_meter *meter, int64_t now_us, const struct leat_totals *totals)
{
	size_t i = meter->n++ % LEAT_METER_SAMPLES;

	meter->sample[i].at_us = now_us;
	meter->sample[i].totals = *totals;
}

/* Index of the oldest sample that is at most so old; the one before the last where that is older, for lines every 10 s. */
static size_t sample_since(const struct leat_meter *meter, int64_t age_us)
{
	size_t last = meter->n - 1, i = last;
	int64_t now_us = meter->sample[last % LEAT_METER_SAMPLES].at_us;

	while (i > 0 && last - i + 1 < LEAT_METER_SAMPLES &&
	       (i == last || now_us - meter->sample[(i - 1) % LEAT_METER_SAMPLES].at_us <= age_us))
		i--;
	return i % LEAT_METER_SAMPLES;
}

static double rate(uint64_t now, uint64_t before, int64_t us)
{
	return us <= 0 ? 0 : (double)(now - before) * 1e6 / (double)us;
}

void leat_meter_read(const struct leat_meter *meter, struct leat_reading *out)
{
	uint64_t bucket[LEAT_LATENCY_BUCKETS], n = 0;
	size_t last, first;
	int64_t us;

	leat_check(meter->n > 0);
	last = (meter->n - 1) % LEAT_METER_SAMPLES;
	first = sample_since(meter, RATE_US);
	us = meter->sample[last].at_us - meter->sample[first].at_us;
	out->totals = meter->sample[last].totals;
	out->in_per_s = rate(out->totals.in, meter->sample[first].totals.in, us);
	out->out_per_s = rate(out->totals.out, meter->sample[first].totals.out, us);
	first = sample_since(meter, LATENCY_US);
	for (size_t i = 0; i < LEAT_LATENCY_BUCKETS; i++) {
		bucket[i] = out->totals.latency[i] - meter->sample[first].totals.latency[i];
		n += bucket[i];
	}
	out->p99_us = n == 0 ? -1 : leat_latency_quantile(bucket, 0.99);
}
