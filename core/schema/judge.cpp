/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints of schemas and of any value; the way in. */
#include "schema/judge.hpp"

#include <cmath>

namespace leat_schemas {

namespace {

template <typename C> std::vector<const Subschema *> subschemas_of(const C &constraint)
{
	std::vector<const Subschema *> all;

	constraint.applyToSubschemas([&all](unsigned, const Subschema *subschema) {
		all.push_back(subschema);
		return true;
	});
	return all;
}

const leat_value *thaw(const valijson::adapters::FrozenValue &value)
{
	return static_cast<const leat_schemas::frozen &>(value).value;
}

bool is_integer(const leat_value *v)
{
	double d;

	return v->type == LEAT_INTEGER || (v->type == LEAT_REAL && leat_as_real(v, &d) && std::floor(d) == d && std::isfinite(d));
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

} // namespace

/* ---- of schemas ---- */

bool judge::visit(const AllOfConstraint &constraint)
{
	for (const Subschema *subschema : subschemas_of(constraint))
		if (!judge(whole, v, at, depth + 1, fault).meets(*subschema))
			return false;
	return true;
}

bool judge::visit(const AnyOfConstraint &constraint)
{
	for (const Subschema *subschema : subschemas_of(constraint))
		if (would_meet(*subschema))
			return true;
	return refuse("must meet a schema of \"anyOf\", is " + shown());
}

bool judge::visit(const OneOfConstraint &constraint)
{
	size_t n = count_met(subschemas_of(constraint));

	return n == 1 || refuse("must meet exactly one schema of \"oneOf\", meets " + std::to_string(n) + ", is " + shown());
}

bool judge::visit(const NotConstraint &constraint)
{
	return !would_meet(*constraint.getSubschema()) || refuse("must not meet the schema of \"not\", is " + shown());
}

bool judge::visit(const ConditionalConstraint &constraint)
{
	const Subschema *then = would_meet(*constraint.getIfSubschema()) ? constraint.getThenSubschema() : constraint.getElseSubschema();

	return then == nullptr || judge(whole, v, at, depth + 1, fault).meets(*then);
}

/* ---- of any value ---- */

bool judge::visit(const ConstConstraint &constraint)
{
	const leat_value *wanted = thaw(*constraint.getValue());

	return leat_value_equals(v, wanted) || refuse("must be " + show(wanted) + ", is " + shown());
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
	return is_one || refuse("must be one of " + all + ", is " + shown());
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
	return is_one || refuse("must be " + all + ", is " + shown());
}

} // namespace leat_schemas

extern "C" enum leat_status leat_schema_judge(const struct leat_schema *schema, const struct leat_value *value, struct leat_error *err)
{
	try {
		leat_schemas::judgement whole = { schema, 0 };
		std::string fault;

		if (leat_schemas::judge(&whole, value, nullptr, 0, &fault).meets(*schema->root.root()))
			return LEAT_OK;
		return leat_error_set(err, LEAT_REJECT, 0, "schema: %s", fault.c_str());
	} catch (const std::exception &e) {
		return leat_error_set(err, LEAT_REJECT, 0, "schema: cannot be judged: %s", e.what());
	}
}
