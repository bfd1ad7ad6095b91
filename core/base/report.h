/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_REPORT_H
#define LEAT_BASE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Findings about a pipeline file, collected so that all of them are told in one run:
 * `payments.yaml:12:5: error: kafka source has no option "topc"; did you mean "topic"?`
 */

struct leat_place {
	const char *file; /* borrowed; outlives the report's printing */
	unsigned line;    /* from 1; 0: the file as a whole */
	unsigned column;  /* from 1 */
};

struct leat_report;

struct leat_report *leat_report_create(void);
void leat_report_destroy(struct leat_report *report);
void leat_report_error(struct leat_report *report, struct leat_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void leat_report_warning(struct leat_report *report, struct leat_place place, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t leat_report_errors(const struct leat_report *report);
/* Sorted by file, line, column; the same finding twice is printed once. */
void leat_report_print(struct leat_report *report, FILE *out);
/* [{"file":..,"line":..,"column":..,"severity":"error","message":..}] */
void leat_report_print_json(struct leat_report *report, FILE *out);

/* The candidate nearest to `word` when it is near enough to be meant (Damerau-Levenshtein, at most a third of its
 * length), else NULL. `candidates` ends with NULL. */
const char *leat_nearest(const char *word, const char *const *candidates);

#endif
