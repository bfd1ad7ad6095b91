/* SPDX-License-Identifier: Apache-2.0 */
/* Constraints of arrays and objects. A value of another type meets them. */
#include "schema/judge.hpp"

#include <algorithm>
#include <cstring>

namespace leat_schemas {

namespace {

size_t count_members(const leat_value *v)
{
	leat_members sorted;
	size_t n;

	leat_members_sort(&sorted, v->as.map);
	n = sorted.n;
	leat_members_finish(&sorted);
	return n;
}

} // namespace

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
		if (judge(whole, &v->as.list->item[i], at, depth + 1, nullptr).meets(*constraint.getSubschema()))
			return true;
	return refuse("must have an item that meets the schema of \"contains\"");
}

/* An event may have very many items: sorted, not each with each. */
bool judge::visit(const UniqueItemsConstraint &)
{
	std::vector<const leat_value *> item;

	if (v->type != LEAT_LIST)
		return true;
	spend(v->n);
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

} // namespace leat_schemas
