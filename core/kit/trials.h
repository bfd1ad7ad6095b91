/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_TRIALS_H
#define LEAT_KIT_TRIALS_H

#include "kit/conform.h"

/*
 * An operator tried with each set of options of a file: a list of maps, or one map, of
 *
 *     name     what it is called in what is printed
 *     options  as under the node in a pipeline file, without type and input
 *     events   a map of fields to lists of values to choose from
 *     sample   a list of events, instead
 *     except   a map of properties to why they do not hold
 */
struct leat_trials {
	const char *file;   /* of options; NULL: one trial without any */
	const char *sample; /* a file of JSON lines, for trials without their own; or NULL */
	uint64_t seed;
	size_t n_events;
	const char *only;   /* see conform.h */
};

/* Mistakes in the files go to the report. The registry has leat_nowhere_plugin. */
void leat_trials_run(const struct leat_trials *trials, const struct leat_registry *registry, const struct leat_plugin *plugin, FILE *out,
                     struct leat_report *report, struct leat_conform_result *result);

#endif
