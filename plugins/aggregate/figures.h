/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_AGGREGATE_FIGURES_H
#define LEAT_PLUGINS_AGGREGATE_FIGURES_H

#include <leat/plugin.h>

/* All figures of one number, in a row of fixed size. */

enum { COUNT, SUM, MIN, MAX, MEAN, DEVIATION, N_FIGURES };

struct figures {
	int64_t count;
	int64_t whole; /* sum of the integers */
	double real;   /* sum of the reals, and what rounding took from it */
	double lost;
	double mean;
	double squares; /* sum of squared distances from the mean */
	int64_t min_integer;
	int64_t max_integer;
	double min_real;
	double max_real;
	bool has_real;
	bool is_min_real;
	bool is_max_real;
};

/* `v` is a number. LEAT_REJECT: the sum would overflow, and nothing is changed. */
enum leat_status figures_add(struct figures *f, const struct leat_value *v, struct leat_error *err);
struct leat_value figures_read(const struct figures *f, int figure);

#endif
