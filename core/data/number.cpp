/* SPDX-License-Identifier: Apache-2.0 */
/* C++ for <charconv> alone: shortest output, exact input, no locale. Nothing here throws or allocates. */
#include "data/number.h"

#include <charconv>
#include <cmath>
#include <limits>

/* Power of ten of the first digit that is not zero: above 0 for what is too large, below for what is too small. */
static long magnitude(const char *s, const char *end)
{
	const long far = 100000000;
	long point = 0, first = -1, n_digits = 0, exponent = 0;
	bool is_whole = true, is_negative = false;

	for (; s < end && *s != 'e' && *s != 'E'; s++) {
		if (*s == '.')
			is_whole = false;
		if (*s < '0' || *s > '9')
			continue;
		point += is_whole;
		if (*s != '0' && first < 0)
			first = n_digits;
		n_digits++;
	}
	for (; s < end; s++) {
		if (*s == '-')
			is_negative = true;
		if (*s >= '0' && *s <= '9' && exponent < far)
			exponent = exponent * 10 + (*s - '0');
	}
	return point - first - 1 + (is_negative ? -exponent : exponent);
}

extern "C" size_t leat_number_write_integer(char *out, int64_t i)
{
	return static_cast<size_t>(std::to_chars(out, out + LEAT_NUMBER_TEXT, i).ptr - out);
}

extern "C" size_t leat_number_write_real(char *out, double d)
{
	double size = std::fabs(d);
	bool is_plain = d == 0 || (size >= 1e-6 && size < 1e21);
	std::chars_format format = is_plain ? std::chars_format::fixed : std::chars_format::scientific;

	return static_cast<size_t>(std::to_chars(out, out + LEAT_NUMBER_TEXT, d, format).ptr - out);
}

extern "C" size_t leat_number_write_fixed(char *out, double d, unsigned decimals)
{
	std::to_chars_result result =
		std::to_chars(out, out + LEAT_NUMBER_TEXT, d, std::chars_format::fixed, static_cast<int>(decimals));

	return std::isfinite(d) && result.ec == std::errc() ? static_cast<size_t>(result.ptr - out) : 0;
}

extern "C" double leat_number_read_real(const char *s, size_t n)
{
	double d = 0;
	std::from_chars_result result = std::from_chars(s, s + n, d);

	if (result.ec == std::errc::result_out_of_range) {
		d = magnitude(s, s + n) > 0 ? std::numeric_limits<double>::infinity() : 0;
		return *s == '-' ? -d : d;
	}
	return d;
}
