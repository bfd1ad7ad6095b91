/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over valijson's constraints and a value at once. It is ours and not the library's, as that compares integers as doubles,
 * cannot say what a violation is, and matches patterns in a way that an event could end the process with.
 *
 * Each visit() says whether its constraint is met. The first that is not writes its fault, and no more are visited.
 */
#include "schema/internal.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>

#include <valijson/constraints/concrete_constraints.hpp>
#include <valijson/constraints/constraint_visitor.hpp>
#include <valijson/subschema.hpp>

#include "data/json.h"
#include "data/value.h"

namespace {

using namespace valijson::constraints;
using valijson::Subschema;

/* A schema may lead to itself without going deeper into the value. */
const unsigned DEEPEST = 512;
const size_t SHOWN = 48;

/* Where in the value: on the stack, from the inside out. */
struct place {
	const place *up;
	const char *name;
	size_t name_n;
	size_t index; /* when there is no name */
};

void append_place(std::string *out, const place *at)
{
	if (at == nullptr)
		return;
	append_place(out, at->up);
	*out += '/';
	if (at->name == nullptr)
		*out += std::to_string(at->index);
	for (size_t i = 0; at->name != nullptr && i < at->name_n; i++)
		at->name[i] == '~' ? *out += "~0" : at->name[i] == '/' ? *out += "~1" : *out += at->name[i];
}

/* As JSON, cut off where it is long. */
std::string show(const leat_value *v)
{
	leat_buffer buffer = { nullptr, 0, 0 };
	std::string text;

	if (v->type == LEAT_MAP)
		return "an object";
	if (v->type == LEAT_LIST)
		return "an array";
	if (leat_json_encode(v, &buffer, nullptr) == LEAT_OK)
		text.assign(buffer.data, buffer.n);
	leat_buffer_finish(&buffer);
	if (text.size() > SHOWN) {
		size_t n = SHOWN;

		while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xc0) == 0x80)
			n--;
		text = text.substr(0, n) + "...";
	}
	return text;
}

std::string show(double number)
{
	const leat_value v = number == std::floor(number) && std::fabs(number) < 9e15 ? leat_integer(static_cast<int64_t>(number)) : leat_real(number);

	return show(&v);
}

std::string show(uint64_t n, const char *one, const char *many)
{
	return std::to_string(n) + " " + (n == 1 ? one : many);
}

/* What is written as a JSON string: times and bytes become one. */
bool is_string(const leat_value *v)
{
	return v->type == LEAT_TEXT || v->type == LEAT_TIME || v->type == LEAT_BYTES;
}

std::string text_of(const leat_value *v)
{
	leat_buffer buffer = { nullptr, 0, 0 };
	std::string text;

	if (v->type == LEAT_TEXT)
		return std::string(v->as.text, v->n);
	if (leat_json_encode(v, &buffer, nullptr) == LEAT_OK && buffer.n >= 2)
		text.assign(buffer.data + 1, buffer.n - 2);
	leat_buffer_finish(&buffer);
	return text;
}

bool is_number(const leat_value *v)
{
	return v->type == LEAT_INTEGER || v->type == LEAT_REAL;
}

bool is_integer(const leat_value *v)
{
	double d;

	return v->type == LEAT_INTEGER || (v->type == LEAT_REAL && leat_as_real(v, &d) && std::floor(d) == d && std::isfinite(d));
}

int compare(const leat_value *v, double bound)
{
	const leat_value other = leat_real(bound);

	return leat_value_compare(v, &other);
}

size_t count_members(const leat_value *v)
{
	leat_members sorted;
	size_t n;

	leat_members_sort(&sorted, v->as.map);
	n = sorted.n;
	leat_members_finish(&sorted);
	return n;
}

class judge : public ConstraintVisitor {
public:
	judge(const leat_schema *schema_, const leat_value *v_, const place *at_, unsigned depth_, std::string *fault_)
	    : schema(schema_), v(v_), at(at_), depth(depth_), fault(fault_)
	{
	}

	bool meets(const Subschema &subschema)
	{
		Subschema::ApplyFunction visit_one = [this](const Constraint &constraint) { return constraint.accept(*this); };

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

	bool refuse_size(size_t n, const char *bound, uint64_t limit, const char *one, const char *many)
	{
		return refuse(std::string("must have at ") + bound + " " + show(limit, one, many) + ", has " + std::to_string(n));
	}

	/* The same value, without a word about it. */
	bool would_meet(const Subschema &subschema) { return judge(schema, v, at, depth + 1, nullptr).meets(subschema); }

	bool meets_inside(const Subschema &subschema, const leat_value *inner, const place &where)
	{
		return judge(schema, inner, &where, depth + 1, fault).meets(subschema);
	}

	size_t count_met(const std::vector<const Subschema *> &subschemas)
	{
		size_t n = 0;

		for (const Subschema *subschema : subschemas)
			n += would_meet(*subschema);
		return n;
	}

	bool matches(const std::string &pattern, const char *text, size_t n) const
	{
		return std::regex_search(text, text + n, schema->pattern.at(pattern));
	}

	bool meets_member(const PropertiesConstraint &, const leat_member *);

	const leat_schema *schema;
	const leat_value *v;
	const place *at;
	unsigned depth;
	std::string *fault;
};

template <typename C> std::vector<const Subschema *> subschemas_of(const C &constraint)
{
	std::vector<const Subschema *> all;

	constraint.applyToSubschemas([&all](unsigned, const Subschema *subschema) {
		all.push_back(subschema);
		return true;
	});
	return all;
}

/* ---- of schemas ---- */

bool judge::visit(const AllOfConstraint &constraint)
{
	for (const Subschema *subschema : subschemas_of(constraint))
		if (!judge(schema, v, at, depth + 1, fault).meets(*subschema))
			return false;
	return true;
}

bool judge::visit(const AnyOfConstraint &constraint)
{
	for (const Subschema *subschema : subschemas_of(constraint))
		if (would_meet(*subschema))
			return true;
	return refuse("must meet a schema of \"anyOf\", is " + show(v));
}

bool judge::visit(const OneOfConstraint &constraint)
{
	size_t n = count_met(subschemas_of(constraint));

	return n == 1 || refuse("must meet exactly one schema of \"oneOf\", meets " + std::to_string(n) + ", is " + show(v));
}

bool judge::visit(const NotConstraint &constraint)
{
	return !would_meet(*constraint.getSubschema()) || refuse("must not meet the schema of \"not\", is " + show(v));
}

bool judge::visit(const ConditionalConstraint &constraint)
{
	const Subschema *then = would_meet(*constraint.getIfSubschema()) ? constraint.getThenSubschema() : constraint.getElseSubschema();

	return then == nullptr || judge(schema, v, at, depth + 1, fault).meets(*then);
}

/* ---- of any value ---- */

const leat_value *thaw(const valijson::adapters::FrozenValue &value)
{
	return static_cast<const leat_schemas::frozen &>(value).value;
}

bool judge::visit(const ConstConstraint &constraint)
{
	const leat_value *wanted = thaw(*constraint.getValue());

	return leat_value_equals(v, wanted) || refuse("must be " + show(wanted) + ", is " + show(v));
}

bool judge::visit(const EnumConstraint &constraint)
{
	std::string all;
	bool is_one = false;

	constraint.applyToValues([&](const valijson::adapters::FrozenValue &value) {
		is_one = leat_value_equals(v, thaw(value));
		if (fault != nullptr && all.size() < 120)
			all += (all.empty() ? "" : ", ") + show(thaw(value));
		else if (fault != nullptr && all.back() != '.')
			all += ", ...";
		return !is_one;
	});
	return is_one || refuse("must be one of " + all + ", is " + show(v));
}

const char *type_name(TypeConstraint::JsonType type)
{
	switch (type) {
	case TypeConstraint::kArray: return "an array";
	case TypeConstraint::kBoolean: return "true or false";
	case TypeConstraint::kInteger: return "an integer";
	case TypeConstraint::kNull: return "null";
	case TypeConstraint::kNumber: return "a number";
	case TypeConstraint::kObject: return "an object";
	case TypeConstraint::kString: return "a string";
	case TypeConstraint::kAny: break;
	}
	return "anything";
}

bool is_of_type(const leat_value *v, TypeConstraint::JsonType type)
{
	switch (type) {
	case TypeConstraint::kArray: return v->type == LEAT_LIST;
	case TypeConstraint::kBoolean: return v->type == LEAT_BOOL;
	case TypeConstraint::kInteger: return is_integer(v);
	case TypeConstraint::kNull: return v->type == LEAT_NULL;
	case TypeConstraint::kNumber: return is_number(v);
	case TypeConstraint::kObject: return v->type == LEAT_MAP;
	case TypeConstraint::kString: return is_string(v);
	case TypeConstraint::kAny: break;
	}
	return true;
}

bool judge::visit(const TypeConstraint &constraint)
{
	std::string all;
	bool is_one = false;

	constraint.applyToNamedTypes([&](TypeConstraint::JsonType type) {
		is_one = is_of_type(v, type);
		if (fault != nullptr)
			all += std::string(all.empty() ? "" : " or ") + type_name(type);
		return !is_one;
	});
	return is_one || refuse("must be " + all + ", is " + show(v));
}

/* ---- of numbers ---- */

bool judge::visit(const MinimumConstraint &constraint)
{
	double bound = constraint.getMinimum();
	bool is_exclusive = constraint.getExclusiveMinimum();

	if (!is_number(v) || compare(v, bound) > (is_exclusive ? 0 : -1))
		return true;
	return refuse(std::string("must be ") + (is_exclusive ? "more than " : "at least ") + show(bound) + ", is " + show(v));
}

bool judge::visit(const MaximumConstraint &constraint)
{
	double bound = constraint.getMaximum();
	bool is_exclusive = constraint.getExclusiveMaximum();

	if (!is_number(v) || compare(v, bound) < (is_exclusive ? 0 : 1))
		return true;
	return refuse(std::string("must be ") + (is_exclusive ? "less than " : "at most ") + show(bound) + ", is " + show(v));
}

bool judge::visit(const MultipleOfIntConstraint &constraint)
{
	double d = 0;

	if (!is_number(v))
		return true;
	if (v->type == LEAT_INTEGER ? v->as.integer % constraint.getDivisor() == 0
	                            : leat_as_real(v, &d) && std::fmod(d, static_cast<double>(constraint.getDivisor())) == 0)
		return true;
	return refuse("must be a multiple of " + std::to_string(constraint.getDivisor()) + ", is " + show(v));
}

/* To nine digits: 19.99 is a multiple of 0.01, though the quotient of the doubles is none. */
bool judge::visit(const MultipleOfDoubleConstraint &constraint)
{
	double d, quotient;

	if (!leat_as_real(v, &d))
		return true;
	quotient = d / constraint.getDivisor();
	if (std::fabs(quotient - std::round(quotient)) <= 1e-9 * std::fmax(1, std::fabs(quotient)))
		return true;
	return refuse("must be a multiple of " + show(constraint.getDivisor()) + ", is " + show(v));
}

/* ---- of strings ---- */

size_t count_characters(const std::string &text)
{
	size_t n = 0;

	for (char c : text)
		n += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
	return n;
}

bool judge::visit(const MinLengthConstraint &constraint)
{
	size_t n = is_string(v) ? count_characters(text_of(v)) : 0;

	return !is_string(v) || n >= constraint.getMinLength() || refuse_size(n, "least", constraint.getMinLength(), "character", "characters");
}

bool judge::visit(const MaxLengthConstraint &constraint)
{
	size_t n = is_string(v) ? count_characters(text_of(v)) : 0;

	return n <= constraint.getMaxLength() || refuse_size(n, "most", constraint.getMaxLength(), "character", "characters");
}

bool judge::visit(const PatternConstraint &constraint)
{
	std::string pattern = constraint.getPattern<std::string::allocator_type>(), text;

	if (!is_string(v))
		return true;
	text = text_of(v);
	return matches(pattern, text.data(), text.size()) || refuse("must match the pattern \"" + pattern + "\", is " + show(v));
}

/* ---- of arrays ---- */

bool judge::visit(const MinItemsConstraint &constraint)
{
	return v->type != LEAT_LIST || v->n >= constraint.getMinItems()
	       || refuse_size(v->n, "least", constraint.getMinItems(), "item", "items");
}

bool judge::visit(const MaxItemsConstraint &constraint)
{
	return v->type != LEAT_LIST || v->n <= constraint.getMaxItems()
	       || refuse_size(v->n, "most", constraint.getMaxItems(), "item", "items");
}

bool judge::visit(const SingularItemsConstraint &constraint)
{
	const Subschema *subschema = constraint.getItemsSubschema();

	if (v->type != LEAT_LIST || subschema == nullptr)
		return true;
	for (uint32_t i = 0; i < v->n; i++)
		if (!meets_inside(*subschema, &v->as.list->item[i], place{ at, nullptr, 0, i }))
			return false;
	return true;
}

bool judge::visit(const ContainsConstraint &constraint)
{
	if (v->type != LEAT_LIST)
		return true;
	for (uint32_t i = 0; i < v->n; i++)
		if (judge(schema, &v->as.list->item[i], at, depth + 1, nullptr).meets(*constraint.getSubschema()))
			return true;
	return refuse("must have an item that meets the schema of \"contains\"");
}

/* An event may have very many items: sorted, not each with each. */
bool judge::visit(const UniqueItemsConstraint &)
{
	std::vector<const leat_value *> item;

	if (v->type != LEAT_LIST)
		return true;
	for (uint32_t i = 0; i < v->n; i++)
		item.push_back(&v->as.list->item[i]);
	std::sort(item.begin(), item.end(), [](const leat_value *a, const leat_value *b) { return leat_value_compare(a, b) < 0; });
	for (size_t i = 1; i < item.size(); i++)
		if (leat_value_equals(item[i - 1], item[i]))
			return refuse("must have no item twice, has " + show(item[i]));
	return true;
}

/* ---- of objects ---- */

bool judge::visit(const MinPropertiesConstraint &constraint)
{
	size_t n = v->type == LEAT_MAP ? count_members(v) : 0;

	return v->type != LEAT_MAP || n >= constraint.getMinProperties()
	       || refuse_size(n, "least", constraint.getMinProperties(), "field", "fields");
}

bool judge::visit(const MaxPropertiesConstraint &constraint)
{
	size_t n = v->type == LEAT_MAP ? count_members(v) : 0;

	return n <= constraint.getMaxProperties() || refuse_size(n, "most", constraint.getMaxProperties(), "field", "fields");
}

bool judge::visit(const RequiredConstraint &constraint)
{
	bool has_all = true;

	if (v->type != LEAT_MAP)
		return true;
	constraint.applyToRequiredProperties([&](const auto &name) {
		place where = { at, name.data(), name.size(), 0 };

		has_all = leat_map_find(v, name.data(), name.size()) != nullptr || refuse_at(&where, "is missing");
		return has_all;
	});
	return has_all;
}

/* One that neither `properties` nor `patternProperties` speaks of. */
bool judge::meets_member(const PropertiesConstraint &constraint, const leat_member *member)
{
	const Subschema *rest = constraint.getAdditionalPropertiesSubschema();
	place where = { at, member->name, member->name_n, 0 };
	bool is_met = true, is_known = false;

	constraint.applyToProperties([&](const auto &name, const Subschema *subschema) {
		if (name.size() != member->name_n || memcmp(name.data(), member->name, member->name_n) != 0)
			return true;
		is_known = true;
		is_met = meets_inside(*subschema, &member->value, where);
		return false;
	});
	constraint.applyToPatternProperties([&](const auto &pattern, const Subschema *subschema) {
		if (is_met && matches(std::string(pattern.data(), pattern.size()), member->name, member->name_n)) {
			is_known = true;
			is_met = meets_inside(*subschema, &member->value, where);
		}
		return is_met;
	});
	if (is_known)
		return is_met;
	return rest == nullptr ? refuse_at(&where, "must not be there") : meets_inside(*rest, &member->value, where);
}

bool judge::visit(const PropertiesConstraint &constraint)
{
	if (v->type != LEAT_MAP)
		return true;
	for (uint32_t i = 0; i < v->n; i++)
		if (!meets_member(constraint, &v->as.map->member[i]))
			return false;
	return true;
}

} // namespace

extern "C" enum leat_status leat_schema_judge(const struct leat_schema *schema, const struct leat_value *value, struct leat_error *err)
{
	try {
		std::string fault;

		if (judge(schema, value, nullptr, 0, &fault).meets(*schema->root.root()))
			return LEAT_OK;
		return leat_error_set(err, LEAT_REJECT, 0, "schema: %s", fault.c_str());
	} catch (const std::exception &e) {
		return leat_error_set(err, LEAT_REJECT, 0, "schema: cannot be judged: %s", e.what());
	}
}
