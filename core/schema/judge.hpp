/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_JUDGE_HPP
#define LEAT_SCHEMA_JUDGE_HPP

/*
 * A walk over valijson's constraints and a value at once. It is ours and not the library's, as that compares integers as doubles,
 * cannot say what a violation is, and matches patterns in a way that an event could end the process with.
 *
 * Each visit() says whether its constraint is met. The first that is not writes its fault, and no more are visited.
 */
#include <stdexcept>
#include <string>
#include <vector>

#include "schema/internal.hpp"

#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/constraints/constraint_visitor.hpp>
#include <valijson/subschema.hpp>

namespace leat_schemas {

using namespace valijson::constraints;
using valijson::Subschema;

/* A schema may lead to itself without going deeper into the value. */
const unsigned DEEPEST = 512;
/* Bytes. What looks ahead may do so at each byte to the end of the text, which is quadratic. */
const size_t LONGEST_LOOKED_AHEAD = 1024;

/* Where in the value: on the stack, from the inside out. */
struct place {
	const place *up;
	const char *name;
	size_t name_n;
	size_t index; /* when there is no name */
};

/* A schema on a value, or as much work. Schemas that refer to themselves may ask for 2^n of an event that is n deep, or of any. */
const size_t MOST_STEPS = 4000000;

/* What all judges of an event share. */
struct judgement {
	const leat_schema *schema;
	size_t n_steps;
};

/* ---- words ---- */

void append_place(std::string *out, const place *at);
/* As JSON, cut off where it is long. */
std::string show(const leat_value *v);
std::string show(double number);
std::string show(uint64_t n, const char *one, const char *many);
/* What is written as a JSON string: times and bytes become one. */
bool is_string(const leat_value *v);
std::string text_of(const leat_value *v);
bool is_number(const leat_value *v);

class judge : public ConstraintVisitor {
public:
	judge(judgement *whole_, const leat_value *v_, const place *at_, unsigned depth_, std::string *fault_)
	    : whole(whole_), v(v_), at(at_), depth(depth_), fault(fault_)
	{
	}

	bool meets(const Subschema &subschema)
	{
		Subschema::ApplyFunction visit_one = [this](const Constraint &constraint) { return constraint.accept(*this); };

		spend(1);
		if (subschema.getAlwaysInvalid())
			return refuse("must not be there");
		if (depth > DEEPEST)
			return refuse("is nested deeper than a schema can go");
		return subschema.applyStrict(visit_one);
	}

	bool visit(const AllOfConstraint &) override;
	bool visit(const AnyOfConstraint &) override;
	bool visit(const ConditionalConstraint &) override;
	bool visit(const ConstConstraint &) override;
	bool visit(const ContainsConstraint &) override;
	bool visit(const EnumConstraint &) override;
	bool visit(const MaximumConstraint &) override;
	bool visit(const MaxItemsConstraint &) override;
	bool visit(const MaxLengthConstraint &) override;
	bool visit(const MaxPropertiesConstraint &) override;
	bool visit(const MinimumConstraint &) override;
	bool visit(const MinItemsConstraint &) override;
	bool visit(const MinLengthConstraint &) override;
	bool visit(const MinPropertiesConstraint &) override;
	bool visit(const MultipleOfDoubleConstraint &) override;
	bool visit(const MultipleOfIntConstraint &) override;
	bool visit(const NotConstraint &) override;
	bool visit(const OneOfConstraint &) override;
	bool visit(const PatternConstraint &) override;
	bool visit(const PropertiesConstraint &) override;
	bool visit(const RequiredConstraint &) override;
	bool visit(const SingularItemsConstraint &) override;
	bool visit(const TypeConstraint &) override;
	bool visit(const UniqueItemsConstraint &) override;

	/* keywords.c lets none of these through, but `format`, which says nothing about what is right. */
	bool visit(const FormatConstraint &) override { return true; }
	bool visit(const DependenciesConstraint &) override { return refuse("cannot be judged"); }
	bool visit(const LinearItemsConstraint &) override { return refuse("cannot be judged"); }
	bool visit(const PolyConstraint &) override { return refuse("cannot be judged"); }
	bool visit(const PropertyNamesConstraint &) override { return refuse("cannot be judged"); }

private:
	bool refuse(const std::string &text) { return refuse_at(at, text); }

	/* `fault` is NULL where only the verdict counts. */
	bool refuse_at(const place *where, const std::string &text)
	{
		if (fault == nullptr)
			return false;
		fault->clear();
		append_place(fault, where);
		if (fault->empty())
			*fault = "the event";
		*fault += " " + text;
		return false;
	}

	/* Thrown, as a verdict would be turned round by a "not". */
	void spend(size_t n)
	{
		whole->n_steps += n;
		if (whole->n_steps > MOST_STEPS)
			throw std::length_error("it takes more than " + std::to_string(MOST_STEPS) + " steps");
	}

	/* For a fault: a value may be long, and what nobody reads costs nothing. */
	std::string shown() const { return fault == nullptr ? std::string() : show(v); }

	/* Of a string. */
	std::string text()
	{
		spend(v->type == LEAT_TEXT ? v->n / 64 : 1);
		return text_of(v);
	}

	bool refuse_size(size_t n, const char *bound, uint64_t limit, const char *one, const char *many)
	{
		return refuse(std::string("must have at ") + bound + " " + show(limit, one, many) + ", has " + std::to_string(n));
	}

	/* The same value, without a word about it. */
	bool would_meet(const Subschema &subschema) { return judge(whole, v, at, depth + 1, nullptr).meets(subschema); }

	bool meets_inside(const Subschema &subschema, const leat_value *inner, const place &where)
	{
		return judge(whole, inner, &where, depth + 1, fault).meets(subschema);
	}

	size_t count_met(const std::vector<const Subschema *> &subschemas)
	{
		size_t n = 0;

		for (const Subschema *subschema : subschemas)
			n += would_meet(*subschema);
		return n;
	}

	bool matches(const std::string &pattern, const char *text, size_t n)
	{
		const leat_pattern &compiled = whole->schema->pattern.at(pattern);

		if (compiled.looks_ahead && n > LONGEST_LOOKED_AHEAD)
			throw std::length_error("a pattern that looks ahead is tried on at most 1024 bytes, there are " + std::to_string(n));
		spend(n / 4);
		return std::regex_search(text, text + n, compiled.regex, std::regex_constants::match_continuous);
	}

	bool meets_member(const PropertiesConstraint &, const leat_member *);

	judgement *whole;
	const leat_value *v;
	const place *at;
	unsigned depth;
	std::string *fault;
};

} // namespace leat_schemas

#endif
