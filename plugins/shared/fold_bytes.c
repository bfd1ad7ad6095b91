/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in as few bytes as they need: seven bits a byte, the lowest first; signed ones with the sign in the lowest bit. */
#include "fold_kind.h"

static unsigned char *put_bits(unsigned char *at, fold_wide_bits n)
{
	while (n >= 0x80) {
		*at++ = (unsigned char)(n | 0x80);
		n >>= 7;
	}
	*at++ = (unsigned char)n;
	return at;
}

static fold_wide_bits take_bits(struct fold_reader *r, unsigned most)
{
	fold_wide_bits n = 0;

	for (unsigned shift = 0; shift < most; shift += 7) {
		unsigned char byte;

		if (r->at == r->end)
			break;
		byte = *r->at++;
		n |= (fold_wide_bits)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return n;
	}
	r->is_broken = true;
	r->at = r->end;
	return 0;
}

unsigned char *fold_put_count(unsigned char *at, uint64_t n)
{
	return put_bits(at, n);
}

uint64_t fold_take_count(struct fold_reader *r)
{
	return (uint64_t)take_bits(r, 64);
}

unsigned char *fold_put_wide(unsigned char *at, fold_wide n)
{
	return put_bits(at, (fold_wide_bits)n << 1 ^ (n < 0 ? ~(fold_wide_bits)0 : 0));
}

fold_wide fold_take_wide(struct fold_reader *r)
{
	fold_wide_bits n = take_bits(r, 128);

	return (fold_wide)(n >> 1 ^ (n & 1 ? ~(fold_wide_bits)0 : 0));
}

unsigned char *fold_put_real(unsigned char *at, double real)
{
	memcpy(at, &real, sizeof real);
	return at + sizeof real;
}

double fold_take_real(struct fold_reader *r)
{
	double real = 0;

	if ((size_t)(r->end - r->at) < sizeof real) {
		r->is_broken = true;
		r->at = r->end;
		return 0;
	}
	memcpy(&real, r->at, sizeof real);
	r->at += sizeof real;
	return real;
}

struct leat_value fold_plain(const struct leat_value *v)
{
	return v->type == LEAT_REAL && (v->flags & LEAT_VALUE_SOURCED) ? leat_real(v->as.number->real) : *v;
}

/* A long double holds every int64 and every double. */
static long double as_number(const struct leat_value *v)
{
	double real = 0;

	if (v->type == LEAT_INTEGER)
		return (long double)v->as.integer;
	(void)leat_as_real(v, &real);
	return (long double)real;
}

int fold_compare(const struct leat_value *a, const struct leat_value *b)
{
	bool is_a_time = a->type == LEAT_TIME, is_b_time = b->type == LEAT_TIME;

	if (is_a_time != is_b_time)
		return is_a_time ? 1 : -1;
	if (is_a_time)
		return (a->as.time_us > b->as.time_us) - (a->as.time_us < b->as.time_us);
	if (a->type == LEAT_INTEGER && b->type == LEAT_INTEGER)
		return (a->as.integer > b->as.integer) - (a->as.integer < b->as.integer);
	return (as_number(a) > as_number(b)) - (as_number(a) < as_number(b));
}
