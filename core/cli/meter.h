/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_METER_H
#define LEAT_CLI_METER_H

#include "service/snapshot.h"

/*
 * Rates from totals that are looked at now and then: events per second over about the last two seconds, latency over about the
 * last ten, so that the figures are calm and still show what happens now.
 */

enum { LEAT_METER_SAMPLES = 64 };

struct leat_meter {
	size_t n; /* samples taken so far */
	struct {
		int64_t at_us;
		struct leat_totals totals;
	} sample[LEAT_METER_SAMPLES];
};

struct leat_reading {
	struct leat_totals totals;
	double in_per_s, out_per_s;
	double p99_us; /* -1: nothing was delivered */
};

void leat_meter_add(struct leat_meter *meter, int64_t now_us, const struct leat_totals *totals);
/* After at least one sample. */
void leat_meter_read(const struct leat_meter *meter, struct leat_reading *out);

#endif
