/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints of numbers and strings. A value of another type meets them. */
#include "schema/judge.hpp"

#include <cmath>

namespace leat_schemas {

namespace {

int compare(const leat_value *v, double bound)
{
	const leat_value other = leat_real(bound);

	return leat_value_compare(v, &other);
}

size_t count_characters(const std::string &text)
{
	size_t n = 0;

	for (char c : text)
		n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
	return n;
}

} // namespace

/* ---- of numbers ---- */

bool judge::visit(const MinimumConstraint &constraint)
{
	double bound = constraint.getMinimum();
	bool is_exclusive = constraint.getExclusiveMinimum();

	if (!is_number(v) || compare(v, bound) > (is_exclusive ? 0 : -1))
		return true;
	return refuse(std::string("must be ") + (is_exclusive ? "more than " : "at least ") + show(bound) + ", is " + shown());
}

bool judge::visit(const MaximumConstraint &constraint)
{
	double bound = constraint.getMaximum();
	bool is_exclusive = constraint.getExclusiveMaximum();

	if (!is_number(v) || compare(v, bound) < (is_exclusive ? 0 : 1))
		return true;
	return refuse(std::string("must be ") + (is_exclusive ? "less than " : "at most ") + show(bound) + ", is " + shown());
}

bool judge::visit(const MultipleOfIntConstraint &constraint)
{
	double d = 0;

	if (!is_number(v))
		return true;
	if (v->type == LEAT_INTEGER ? v->as.integer % constraint.getDivisor() == 0
	                            : leat_as_real(v, &d) && std::fmod(d, static_cast<double>(constraint.getDivisor())) == 0)
		return true;
	return refuse("must be a multiple of " + std::to_string(constraint.getDivisor()) + ", is " + shown());
}

/* To nine digits: 19.99 is a multiple of 0.01, though the quotient of the doubles is none. Of a large quotient that would be more than a
 * half, with which all is a multiple. */
bool judge::visit(const MultipleOfDoubleConstraint &constraint)
{
	double d, quotient;

	if (!leat_as_real(v, &d))
		return true;
	quotient = d / constraint.getDivisor();
	if (std::fabs(quotient - std::round(quotient)) <= std::fmin(1e-9 * std::fmax(1, std::fabs(quotient)), 1e-3))
		return true;
	return refuse("must be a multiple of " + show(constraint.getDivisor()) + ", is " + shown());
}

/* ---- of strings ---- */

bool judge::visit(const MinLengthConstraint &constraint)
{
	size_t n = is_string(v) ? count_characters(text()) : 0;

	return !is_string(v) || n >= constraint.getMinLength() || refuse_size(n, "least", constraint.getMinLength(), "character", "characters");
}

bool judge::visit(const MaxLengthConstraint &constraint)
{
	size_t n = is_string(v) ? count_characters(text()) : 0;

	return n <= constraint.getMaxLength() || refuse_size(n, "most", constraint.getMaxLength(), "character", "characters");
}

bool judge::visit(const PatternConstraint &constraint)
{
	std::string pattern = constraint.getPattern<std::string::allocator_type>(), whole_text;

	if (!is_string(v))
		return true;
	whole_text = text();
	return matches(pattern, whole_text.data(), whole_text.size()) || refuse("must match the pattern \"" + pattern + "\", is " + shown());
}

} // namespace leat_schemas
