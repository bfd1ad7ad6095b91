/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many different values there were: HyperLogLog with 4096 registers, standard error 1.04 / sqrt(4096) = 1.6 %.
 *
 * Up to 500 values their hashes are kept, sorted, and the count is exact (but for two that share all 64 bits). Registers after
 * Flajolet et al. (2007) with hashes of 64 bits as in Heule, Nunkesser, Hall (2013); estimated after Ertl, "New cardinality estimation
 * algorithms for HyperLogLog sketches" (2017), algorithm 6, which has no tables and no bias at small or large numbers. What a state
 * comes to depends on the set of values alone: not on their order, nor on how they were split.
 */
#include <math.h>

#include "fold_kind.h"
#include "value.h"

enum { PRECISION = 12, REGISTERS = 1 << PRECISION, RANKS = 64 - PRECISION, FEW = 500 };

struct distinct {
	uint32_t n;    /* hashes, while there are few */
	uint32_t room; /* for hashes, in `own` */
	bool is_dense;
	const char *bytes; /* n hashes, or as many bytes as registers; may be anyone's, and unaligned */
	char *own;         /* the same, when this cell is its owner */
};

static uint64_t read_hash(const char *bytes, uint32_t i)
{
	uint64_t hash;

	memcpy(&hash, bytes + i * sizeof hash, sizeof hash);
	return hash;
}

static void make_own(struct distinct *d, size_t bytes_n, size_t room_n, struct leat_context *ctx)
{
	char *own = leat_allocate(ctx, room_n);

	if (bytes_n > 0)
		memcpy(own, d->bytes, bytes_n);
	d->own = own;
	d->bytes = own;
}

/* ---- registers --------------------------------------------------------------------------------------------------- */

static char rank_of(uint64_t hash)
{
	uint64_t rest = hash << PRECISION;

	return (char)(rest == 0 ? RANKS + 1 : __builtin_clzll(rest) + 1);
}

/* The largest rank of each register. */
static void set_register(struct distinct *d, uint64_t hash, struct leat_context *ctx)
{
	size_t at = (size_t)(hash >> (64 - PRECISION));

	if (d->bytes[at] >= rank_of(hash))
		return;
	if (d->own == NULL)
		make_own(d, REGISTERS, REGISTERS, ctx);
	d->own[at] = rank_of(hash);
}

static void become_dense(struct distinct *d, struct leat_context *ctx)
{
	const struct distinct was = *d;

	*d = (struct distinct){ .is_dense = true };
	make_own(d, 0, REGISTERS, ctx);
	memset(d->own, 0, REGISTERS);
	for (uint32_t i = 0; i < was.n; i++)
		set_register(d, read_hash(was.bytes, i), ctx);
}

/* ---- few hashes -------------------------------------------------------------------------------------------------- */

static uint32_t find_hash(const struct distinct *d, uint64_t hash)
{
	uint32_t from = 0, until = d->n;

	while (from < until) {
		uint32_t middle = from + (until - from) / 2;

		if (read_hash(d->bytes, middle) < hash)
			from = middle + 1;
		else
			until = middle;
	}
	return from;
}

static void insert_hash(struct distinct *d, uint64_t hash, struct leat_context *ctx)
{
	uint32_t at = find_hash(d, hash);

	if (at < d->n && read_hash(d->bytes, at) == hash)
		return;
	if (d->n == FEW) {
		become_dense(d, ctx);
		set_register(d, hash, ctx);
		return;
	}
	if (d->own == NULL || d->n == d->room) {
		d->room = d->n + d->n / 4 + 4;
		make_own(d, d->n * sizeof hash, d->room * sizeof hash, ctx);
	}
	memmove(d->own + (at + 1) * sizeof hash, d->own + at * sizeof hash, (d->n - at) * sizeof hash);
	memcpy(d->own + at * sizeof hash, &hash, sizeof hash);
	d->n++;
}

static void insert(struct distinct *d, uint64_t hash, struct leat_context *ctx)
{
	if (d->is_dense)
		set_register(d, hash, ctx);
	else
		insert_hash(d, hash, ctx);
}

/* ---- the estimate ------------------------------------------------------------------------------------------------ */

/* x + x^2 + 2 x^4 + 4 x^8 + ... for registers that are still empty. */
static double sigma(double x)
{
	double y = 1, z = x, before;

	if (x >= 1)
		return (double)INFINITY;
	do {
		before = z;
		x *= x;
		z += x * y;
		y += y;
	} while (z > before);
	return z;
}

/* The same for those that are full. */
static double tau(double x)
{
	double y = 1, z = 1 - x, before;

	if (x <= 0 || x >= 1)
		return 0;
	do {
		before = z;
		x = sqrt(x);
		y *= 0.5;
		z -= (1 - x) * (1 - x) * y;
	} while (z < before);
	return z / 3;
}

static double estimate(const char *registers)
{
	uint32_t count[RANKS + 2] = { 0 };
	double m = REGISTERS, z;

	for (size_t i = 0; i < REGISTERS; i++)
		count[(unsigned char)registers[i]]++;
	z = m * tau((m - count[RANKS + 1]) / m);
	for (size_t k = RANKS; k >= 1; k--)
		z = 0.5 * (z + count[k]);
	z += m * sigma(count[0] / m);
	return m * m / (2 * log(2) * z);
}

/* ---- the function ------------------------------------------------------------------------------------------------ */

static enum leat_status add_distinct(const struct fold_item *item, void *cell, const struct fold_input *in, struct leat_context *ctx,
                                     struct leat_error *err)
{
	(void)item;
	(void)err;
	insert(cell, value_hash(&in->value), ctx);
	return LEAT_OK;
}

static void merge_registers(struct distinct *into, const char *from, struct leat_context *ctx)
{
	if (!into->is_dense)
		become_dense(into, ctx);
	else if (into->own == NULL)
		make_own(into, REGISTERS, REGISTERS, ctx);
	for (size_t i = 0; i < REGISTERS; i++)
		if (from[i] > into->own[i])
			into->own[i] = from[i];
}

static void merge_distinct(const struct fold_item *item, void *into_, const void *from_, struct leat_context *ctx)
{
	const struct distinct *from = from_;
	struct distinct *into = into_;

	(void)item;
	if (!into->is_dense && into->n == 0) {
		*into = (struct distinct){ .n = from->n, .is_dense = from->is_dense, .bytes = from->bytes };
		return;
	}
	if (from->is_dense)
		merge_registers(into, from->bytes, ctx);
	for (uint32_t i = 0; !from->is_dense && i < from->n; i++)
		insert(into, read_hash(from->bytes, i), ctx);
}

static enum leat_status result_distinct(const struct fold_item *item, const void *cell, struct leat_value *out,
                                        struct leat_context *ctx, struct leat_error *err)
{
	const struct distinct *d = cell;

	(void)item;
	(void)ctx;
	(void)err;
	*out = leat_integer(d->is_dense ? llround(estimate(d->bytes)) : (int64_t)d->n);
	return LEAT_OK;
}

static struct leat_value store_distinct(const struct fold_item *item, const void *cell, struct leat_context *ctx)
{
	const struct distinct *d = cell;
	struct leat_value v = leat_borrow(d->bytes, d->is_dense ? (size_t)REGISTERS : d->n * sizeof(uint64_t));

	(void)item;
	(void)ctx;
	v.type = LEAT_BYTES;
	return v;
}

/* Few hashes are fewer bytes than registers, so the size tells. */
static bool load_distinct(const struct fold_item *item, void *cell, const struct leat_value *stored, struct leat_context *ctx)
{
	struct distinct *d = cell;
	bool is_dense = stored->n == REGISTERS;

	(void)item;
	(void)ctx;
	if (stored->type != LEAT_BYTES || (!is_dense && (stored->n % sizeof(uint64_t) != 0 || stored->n > FEW * sizeof(uint64_t))))
		return false;
	for (size_t i = 0; is_dense && i < REGISTERS; i++)
		if ((unsigned char)stored->as.text[i] > RANKS + 1)
			return false;
	*d = (struct distinct){ .is_dense = is_dense, .bytes = stored->as.text };
	d->n = is_dense ? 0 : stored->n / (uint32_t)sizeof(uint64_t);
	return true;
}

const struct fold_kind fold_distinct = {
	.size = sizeof(struct distinct),
	.add = add_distinct,
	.merge = merge_distinct,
	.result = result_distinct,
	.store = store_distinct,
	.load = load_distinct,
};
