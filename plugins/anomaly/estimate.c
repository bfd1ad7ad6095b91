/* SPDX-License-Identifier: Apache-2.0 */
#include "estimate.h"

#include <math.h>

double estimate_share(int64_t n, int64_t memory)
{
	double even = 1 / (double)n, fading = memory > 0 ? 2 / ((double)memory + 1) : 0;

	return even > fading ? even : fading;
}

void estimate_add(struct estimate *e, double value, int64_t memory)
{
	double share, distance = value - e->mean;

	e->n++;
	share = estimate_share(e->n, memory);
	e->mean += share * distance;
	e->variance = (1 - share) * (e->variance + share * distance * distance);
	e->squares = (1 - share) * (1 - share) * e->squares + share * share;
}

double estimate_deviation(const struct estimate *e)
{
	return e->n < 2 ? 0 : sqrt(e->variance / (1 - e->squares));
}
