/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_ANOMALY_ESTIMATE_H
#define LEAT_PLUGINS_ANOMALY_ESTIMATE_H

#include <stdint.h>

/*
 * Mean and deviation of a stream in one pass, all values alike or the older ones fading.
 *
 * The n-th value gets the share a = max(1/n, 2/(memory + 1)), or 1/n where the memory is 0, and what was there keeps 1 - a:
 *
 *     d = x - mean,  mean += a d,  variance = (1 - a) (variance + a d^2)
 *
 * With a = 1/n that is Welford (1962), with a constant a it is Finch (2009), section 9. `squares` is the sum of the squared weights
 * that the values have by now, and variance / (1 - squares) the estimate without bias for such weights; with a = 1/n it is the sum
 * of squared distances over n - 1.
 */
struct estimate {
	int64_t n;
	double mean;
	double variance;
	double squares;
};

double estimate_share(int64_t n, int64_t memory);
void estimate_add(struct estimate *e, double value, int64_t memory);
/* 0 for less than two values. */
double estimate_deviation(const struct estimate *e);

#endif
