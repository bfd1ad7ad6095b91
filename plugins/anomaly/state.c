/* SPDX-License-Identifier: Apache-2.0 */
/* The tables. Arrays are bytes to the host, which are the same again on the machines that leat runs on: little-endian ones. */
#include "state.h"

_Static_assert(sizeof(struct estimate) == 32, "no padding, as it is kept as bytes");

#define ESTIMATE(struct_, member_)                                                                                          \
	LEAT_FIELD(struct_, member_.n, INT64), LEAT_FIELD(struct_, member_.mean, DOUBLE),                                   \
		LEAT_FIELD(struct_, member_.variance, DOUBLE), LEAT_FIELD(struct_, member_.squares, DOUBLE)

static const struct leat_field zscore_fields[] = {
	LEAT_FIELD(struct zscore_state, shape, INT64),
	ESTIMATE(struct zscore_state, values),
	{ 0 },
};

static const struct leat_field ewma_fields[] = {
	LEAT_FIELD(struct ewma_state, shape, INT64),
	ESTIMATE(struct ewma_state, values),
	LEAT_FIELD(struct ewma_state, average, DOUBLE),
	LEAT_FIELD(struct ewma_state, decay, DOUBLE),
	LEAT_FIELD(struct ewma_state, is_begun, BOOL),
	{ 0 },
};

static const struct leat_field cusum_fields[] = {
	LEAT_FIELD(struct cusum_state, shape, INT64),
	ESTIMATE(struct cusum_state, values),
	LEAT_FIELD(struct cusum_state, above, DOUBLE),
	LEAT_FIELD(struct cusum_state, below, DOUBLE),
	{ 0 },
};

/* A struct that ends with an array of as many items as an entry of the table has. */
#define ARRAY(struct_, member_, n_)                                                                                         \
	{ #member_, LEAT_FIELD_BYTES, offsetof(struct_, member_), (n_) * sizeof(((struct_ *)0)->member_[0]) }
#define ARRAY_SIZE(struct_, member_, n_) (offsetof(struct_, member_) + (n_) * sizeof(((struct_ *)0)->member_[0]))
#define BYTES(struct_, member_)                                                                                             \
	{ #member_, LEAT_FIELD_BYTES, offsetof(struct_, member_), sizeof(((struct_ *)0)->member_) }

#define MAD_FIELDS(n_)                                                                                                      \
	static const struct leat_field mad_##n_##_fields[] = {                                                              \
		LEAT_FIELD(struct mad_state, shape, INT64),                                                                 \
		LEAT_FIELD(struct mad_state, learned, INT64),                                                               \
		ARRAY(struct mad_state, value, n_),                                                                         \
		{ 0 },                                                                                                      \
	}

#define SEASONAL_FIELDS(n_)                                                                                                 \
	static const struct leat_field seasonal_##n_##_fields[] = {                                                         \
		LEAT_FIELD(struct seasonal_state, shape, INT64),                                                            \
		LEAT_FIELD(struct seasonal_state, first, INT64),                                                            \
		LEAT_FIELD(struct seasonal_state, slot, INT64),                                                             \
		LEAT_FIELD(struct seasonal_state, closed, INT64),                                                           \
		LEAT_FIELD(struct seasonal_state, n, INT64),                                                                \
		LEAT_FIELD(struct seasonal_state, sum, DOUBLE),                                                             \
		LEAT_FIELD(struct seasonal_state, level, DOUBLE),                                                           \
		LEAT_FIELD(struct seasonal_state, trend, DOUBLE),                                                           \
		LEAT_FIELD(struct seasonal_state, n_errors, INT64),                                                         \
		LEAT_FIELD(struct seasonal_state, square, DOUBLE),                                                          \
		LEAT_FIELD(struct seasonal_state, is_begun, BOOL),                                                          \
		LEAT_FIELD(struct seasonal_state, is_ready, BOOL),                                                          \
		ARRAY(struct seasonal_state, season, n_),                                                                   \
		{ 0 },                                                                                                      \
	}

#define FOREST_FIELDS(n_)                                                                                                   \
	static const struct leat_field forest_##n_##_fields[] = {                                                           \
		LEAT_FIELD(struct forest_state, shape, INT64),                                                              \
		LEAT_FIELD(struct forest_state, stage, INT64),                                                              \
		LEAT_FIELD(struct forest_state, n, INT64),                                                                  \
		LEAT_FIELD(struct forest_state, mean, DOUBLE),                                                              \
		BYTES(struct forest_state, latest),                                                                         \
		BYTES(struct forest_state, reference),                                                                      \
		BYTES(struct forest_state, gathered),                                                                       \
		ARRAY(struct forest_state, mass, n_),                                                                       \
		{ 0 },                                                                                                      \
	}

MAD_FIELDS(32);
MAD_FIELDS(128);
MAD_FIELDS(512);
MAD_FIELDS(2048);
SEASONAL_FIELDS(32);
SEASONAL_FIELDS(256);
SEASONAL_FIELDS(1024);
SEASONAL_FIELDS(2304);
FOREST_FIELDS(2048);
FOREST_FIELDS(8192);
FOREST_FIELDS(32256);

#define TABLE(struct_, name_, prose_)                                                                                       \
	{ .name = #name_, .version = 1, .size = sizeof(struct_), .fields = name_##_fields, .prose = (prose_) }
#define SIZED_TABLE(struct_, name_, n_, member_, prose_)                                                                    \
	{                                                                                                                   \
		.name = #name_ "_" #n_, .version = 1, .size = ARRAY_SIZE(struct_, member_, n_),                             \
		.fields = name_##_##n_##_fields, .prose = (prose_)                                                          \
	}

const struct leat_table_spec anomaly_tables[] = {
	[ZSCORE_TABLE] = TABLE(struct zscore_state, zscore, "Mean and deviation of a key."),
	[EWMA_TABLE] = TABLE(struct ewma_state, ewma, "Mean and deviation of a key, and its moving average."),
	[CUSUM_TABLE] = TABLE(struct cusum_state, cusum, "Mean and deviation of a key, and its sums."),
	[MAD_TABLES] = SIZED_TABLE(struct mad_state, mad, 32, value, "The last values of a key."),
	SIZED_TABLE(struct mad_state, mad, 128, value, "The last values of a key."),
	SIZED_TABLE(struct mad_state, mad, 512, value, "The last values of a key."),
	SIZED_TABLE(struct mad_state, mad, 2048, value, "The last values of a key."),
	[SEASONAL_TABLES] = SIZED_TABLE(struct seasonal_state, seasonal, 32, season, "Level, trend and season of a key."),
	SIZED_TABLE(struct seasonal_state, seasonal, 256, season, "Level, trend and season of a key."),
	SIZED_TABLE(struct seasonal_state, seasonal, 1024, season, "Level, trend and season of a key."),
	SIZED_TABLE(struct seasonal_state, seasonal, 2304, season, "Level, trend and season of a key."),
	[FOREST_TABLES] = SIZED_TABLE(struct forest_state, forest, 2048, mass, "Masses of the trees of a key."),
	SIZED_TABLE(struct forest_state, forest, 8192, mass, "Masses of the trees of a key."),
	SIZED_TABLE(struct forest_state, forest, 32256, mass, "Masses of the trees of a key."),
	[N_TABLES] = { 0 },
};
