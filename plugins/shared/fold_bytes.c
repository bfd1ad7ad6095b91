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

	if (r->at != r->end && *r->at < 0x80) /* mostly */
		return *r->at++;
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
