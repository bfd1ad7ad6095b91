/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_OPTION_H
#define LEAT_OPTION_H

/*
 * Options: one table per role, from which the host fills the instance, prints `leat inspect`, writes the JSON Schema
 * and the table in a plugin's README, and finds every mistake in a pipeline file with its place. There is no other way
 * to read an option, so there is no second parser to disagree with the table.
 *
 * The host zeroes the instance and then fills each member at its offset. What members point to (texts, paths, compiled
 * templates and expressions) lives as long as the pipeline.
 */

#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_option_type {
	LEAT_OPTION_BOOL = 1,        /* bool */
	LEAT_OPTION_INTEGER = 2,     /* int64_t, within minimum..maximum */
	LEAT_OPTION_REAL = 3,        /* double, within minimum..maximum */
	LEAT_OPTION_TEXT = 4,        /* const char *, terminated; NULL when absent */
	LEAT_OPTION_DURATION = 5,    /* int64_t microseconds, written as 250us, 20ms, 5s, 10m, 2h, 7d */
	LEAT_OPTION_SIZE = 6,        /* int64_t bytes, written as 512, 64KiB, 10MB, 1GiB */
	LEAT_OPTION_CHOICE = 7,      /* int, the index into `choices` */
	LEAT_OPTION_TEXTS = 8,       /* struct leat_texts; a single text counts as a list of one */
	LEAT_OPTION_PAIRS = 9,       /* struct leat_pairs: a map of texts */
	LEAT_OPTION_FIELD = 10,      /* const struct leat_path *; NULL when absent */
	LEAT_OPTION_FIELDS = 11,     /* struct leat_paths; a single field counts as a list of one */
	LEAT_OPTION_NAME = 12,       /* leat_symbol of a field to be written; LEAT_NO_SYMBOL when absent */
	LEAT_OPTION_TEMPLATE = 13,   /* const struct leat_template *, such as "user:{user}"; see leat_render() */
	LEAT_OPTION_TEMPLATES = 14,  /* struct leat_templates: a map of names to templates */
	LEAT_OPTION_EXPRESSION = 15, /* const struct leat_expression *, such as "amount > 100"; see leat_evaluate() */
	LEAT_OPTION_EXPRESSIONS = 16, /* struct leat_expressions: a map of names to expressions, in file order */
	LEAT_OPTION_AGGREGATES = 17   /* struct leat_aggregates: a map of names to aggregates such as sum(amount), in file order */
};

/* In leat_option.flags. */
#define LEAT_OPTION_REQUIRED 1u
#define LEAT_OPTION_SECRET 2u /* TEXT only: never printed, and `<name>_file` names a file that holds it */
#define LEAT_OPTION_PATH 4u   /* TEXT only: a file that is read; a relative path starts at the pipeline file's folder */

struct leat_template;   /* opaque */
struct leat_expression; /* opaque */

struct leat_texts {
	size_t n;
	const char *const *item;
};

struct leat_pair {
	const char *name;
	const char *text;
};

struct leat_pairs {
	size_t n;
	const struct leat_pair *item;
};

struct leat_paths {
	size_t n;
	const struct leat_path *const *item;
};

struct leat_named_template {
	const char *name;
	const struct leat_template *value;
};

struct leat_templates {
	size_t n;
	const struct leat_named_template *item;
};

struct leat_named_expression {
	leat_symbol name;
	const char *text; /* the name as text */
	const struct leat_expression *value;
};

struct leat_expressions {
	size_t n;
	const struct leat_named_expression *item;
};

enum leat_aggregate_function {
	LEAT_AGGREGATE_COUNT = 1,
	LEAT_AGGREGATE_SUM = 2,
	LEAT_AGGREGATE_MIN = 3,
	LEAT_AGGREGATE_MAX = 4,
	LEAT_AGGREGATE_AVG = 5,
	LEAT_AGGREGATE_VAR = 6,
	LEAT_AGGREGATE_STDDEV = 7,
	LEAT_AGGREGATE_FIRST = 8,
	LEAT_AGGREGATE_LAST = 9,
	LEAT_AGGREGATE_DISTINCT = 10,
	LEAT_AGGREGATE_QUANTILE = 11,
	LEAT_AGGREGATE_TOPN = 12,
	LEAT_AGGREGATE_COLLECT = 13
};

/* A function over many records, as it is written; what it comes to is the plugin's business. See docs/aggregates.md. */
struct leat_aggregate {
	leat_symbol name; /* of the field to be written */
	enum leat_aggregate_function function;
	const char *text;                       /* the name as text */
	const char *source;                     /* "sum(amount)", as it is written */
	const struct leat_expression *argument; /* NULL: count() */
	const struct leat_path *field;          /* the argument, where it is a field and nothing else; or NULL */
	double constant;                        /* quantile: which, 0 to 1; topn, collect: how many */
	const struct leat_expression *label;    /* topn: what goes with the value; or NULL */
};

struct leat_aggregates {
	size_t n;
	const struct leat_aggregate *item;
};

struct leat_option {
	const char *name; /* NULL ends the table */
	enum leat_option_type type;
	uint32_t flags;
	size_t offset;              /* of the member in the instance */
	const char *preset;         /* the default, written as in a pipeline file; NULL: zero, or absent */
	double minimum;             /* INTEGER, REAL, DURATION (us), SIZE (bytes): inclusive bounds, */
	double maximum;             /* ... unchecked when both are 0 */
	const char *const *choices; /* CHOICE: names, NULL at the end */
	const char *prose;          /* what it does, one sentence in plain words; required */
};

/* LEAT_OPTION(SIZE, struct mine, limit, "limit", "What it does, in a sentence.", .preset = "1MiB"): the prose and what may
 * follow it are one variable argument, as C11 asks for at least one. */
#define LEAT_OPTION(type_, struct_, member_, name_, ...)                                                                  \
	{ .name = (name_), .type = LEAT_OPTION_##type_, .offset = offsetof(struct_, member_), .prose = __VA_ARGS__ }

#ifdef __cplusplus
}
#endif

#endif
