/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_CONFORM_H
#define LEAT_KIT_CONFORM_H

#include "kit/play.h"

/*
 * The conformance kit: what every operator owes the host, tried on one operator with one set of options. The script is put
 * through it once as it is, which is the reference; then in other ways that have to come to the same rows and the same state.
 * Each property is tried in a process of its own, so that a plugin that crashes is a finding.
 */

enum leat_verdict_kind { LEAT_PASSED, LEAT_FAILED, LEAT_SKIPPED };

struct leat_property {
	const char *name;
	const char *prose; /* what holds when it does */
};
/* NULL at the end. */
extern const struct leat_property leat_properties[];

struct leat_conform_options {
	const char *only;                   /* the name of a property; NULL: all */
	const struct leat_setting *except;  /* a map of names of properties to why they do not hold; or NULL */
};

struct leat_conform_result {
	size_t n_passed, n_failed, n_skipped;
};

/* Prints a line for each property, adds to *result. */
void leat_conform(const struct leat_trial *trial, const struct leat_conform_options *options, FILE *out, struct leat_conform_result *result);

#endif
