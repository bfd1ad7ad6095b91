/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_FOLD_KIND_H
#define LEAT_PLUGINS_FOLD_KIND_H

#include "fold.h"
#include "order.h"

/*
 * What each function is made of. A state is one cell for each aggregate, zeroed when empty. Private to fold*.c.
 *
 * Cells of fixed size are packed into bytes, one behind the other; all others become a value of their own. What a cell points to may
 * be shared with another cell or with the table it was loaded from, and is never written unless the cell is its owner.
 */

enum { FOLD_PACKED = 64 }; /* bytes that a cell of fixed size packs to at most */

#if defined(__GNUC__)
__extension__ typedef __int128 fold_wide; /* sums of up to 2^63 integers */
__extension__ typedef unsigned __int128 fold_wide_bits;
#else
#error "sums need integers of 128 bits"
#endif

struct fold_input {
	struct leat_value value; /* not null */
	struct leat_value label; /* of topn */
	int64_t time_us;
};

/* Bytes being read; past their end everything is 0 and `is_broken`. */
struct fold_reader {
	const unsigned char *at, *end;
	bool is_broken;
};

struct fold_kind {
	size_t size; /* of the cell */
	bool needs_number;
	bool needs_order; /* a number or a time */
	enum leat_status (*add)(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
	                        struct leat_error *err);
	void (*merge)(const struct fold_item *item, void *into, const void *from, struct leat_context *ctx);
	bool (*can_subtract)(const void *from); /* NULL: never */
	void (*subtract)(void *into, const void *from);
	enum leat_status (*result)(const struct fold_item *item, const void *cell, struct leat_value *out, struct leat_context *ctx,
	                           struct leat_error *err);
	/* Of fixed size. pack() returns where it ended. */
	unsigned char *(*pack)(const void *cell, unsigned char *at);
	void (*unpack)(void *cell, struct fold_reader *r);
	/* All others. load() is false for what store() never made. */
	struct leat_value (*store)(const struct fold_item *item, const void *cell, struct leat_context *ctx);
	bool (*load)(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx);
};

struct fold_item {
	const struct leat_aggregate *aggregate;
	const struct fold_kind *kind;
	size_t offset; /* of its cell in a state */
	uint32_t most; /* topn, collect */
	leat_symbol label, value;
};

/* fold_number.c */
extern const struct fold_kind fold_count, fold_sum, fold_avg, fold_min, fold_max, fold_var, fold_stddev;

/* fold_pick.c, fold_distinct.c, fold_quantile.c */
extern const struct fold_kind fold_first, fold_last, fold_collect, fold_topn, fold_distinct, fold_quantile;

/* fold_bytes.c */
unsigned char *fold_put_count(unsigned char *at, uint64_t n);
unsigned char *fold_put_wide(unsigned char *at, fold_wide n);
unsigned char *fold_put_real(unsigned char *at, double real);
uint64_t fold_take_count(struct fold_reader *r);
fold_wide fold_take_wide(struct fold_reader *r);
double fold_take_real(struct fold_reader *r);

#endif
