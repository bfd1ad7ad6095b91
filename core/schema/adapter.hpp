/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_ADAPTER_HPP
#define LEAT_SCHEMA_ADAPTER_HPP

/*
 * leat's value as valijson reads it, while it makes constraints of a schema file. Nothing is copied: what is kept of a value
 * (`enum`, `const`) points into the arena of the file, which lives as long as the constraints.
 */
#include <cstdint>
#include <iterator>
#include <stdexcept>
#include <string>
#include <utility>

#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/internal/adapter.hpp>
#include <valijson/internal/basic_adapter.hpp>
#include <valijson/internal/frozen_value.hpp>

#include <leat/value.h>

#include "data/value.h"

namespace leat_schemas {

class adapter;
typedef std::pair<std::string, adapter> member_type;

/* Over the items of a list and the members of a map alike: T is what is stored, V what it is handed out as. */
template <typename T, typename V> class iterator {
public:
	typedef std::bidirectional_iterator_tag iterator_category;
	typedef V value_type;
	typedef std::ptrdiff_t difference_type;
	typedef V *pointer;
	typedef V &reference;

	explicit iterator(const T *at_) : at(at_) {}
	V operator*() const;
	valijson::adapters::DerefProxy<V> operator->() const { return valijson::adapters::DerefProxy<V>(**this); }
	bool operator==(const iterator &other) const { return at == other.at; }
	bool operator!=(const iterator &other) const { return at != other.at; }
	const iterator &operator++() { at++; return *this; }
	iterator operator++(int) { return iterator(at++); }
	const iterator &operator--() { at--; return *this; }
	void advance(std::ptrdiff_t n) { at += n; }

private:
	const T *at;
};

class array {
public:
	typedef iterator<leat_value, adapter> const_iterator;

	array() : list() {}
	explicit array(const leat_list *list_) : list(list_) {}
	const_iterator begin() const { return const_iterator(list == nullptr ? nullptr : list->item); }
	const_iterator end() const { return const_iterator(list == nullptr ? nullptr : list->item + list->n); }
	size_t size() const { return list == nullptr ? 0 : list->n; }

private:
	const leat_list *list;
};

class object {
public:
	typedef iterator<leat_member, member_type> const_iterator;

	object() : map() {}
	explicit object(const leat_map *map_) : map(map_) {}
	const_iterator begin() const { return const_iterator(map == nullptr ? nullptr : map->member); }
	const_iterator end() const { return const_iterator(map == nullptr ? nullptr : map->member + map->n); }
	size_t size() const { return map == nullptr ? 0 : map->n; }
	const_iterator find(const std::string &name) const;

private:
	const leat_map *map;
};

/* A value of `enum` or `const`. valijson compares nothing here: judge.cpp takes the value out. */
class frozen : public valijson::adapters::FrozenValue {
public:
	explicit frozen(const leat_value *value_) : value(value_) {}
	valijson::adapters::FrozenValue *clone() const override { return new frozen(value); }
	bool equalTo(const valijson::adapters::Adapter &, bool) const override { throw std::logic_error("not compared here"); }

	const leat_value *const value;
};

class value {
public:
	value() : v(&nothing()) {}
	explicit value(const leat_value *v_) : v(v_) {}

	valijson::adapters::FrozenValue *freeze() const { return new frozen(v); }
	opt::optional<array> getArrayOptional() const { return isArray() ? opt::make_optional(array(v->as.list)) : opt::optional<array>(); }
	opt::optional<object> getObjectOptional() const { return isObject() ? opt::make_optional(object(v->as.map)) : opt::optional<object>(); }
	bool getArraySize(size_t &n) const { n = v->n; return isArray(); }
	bool getObjectSize(size_t &n) const { n = v->n; return isObject(); }
	bool getBool(bool &b) const { b = v->as.boolean; return isBool(); }
	bool getDouble(double &d) const { return isDouble() && leat_as_real(v, &d); }
	bool getInteger(int64_t &i) const { i = v->as.integer; return isInteger(); }
	bool getString(std::string &s) const
	{
		if (isString())
			s.assign(v->as.text, v->n);
		return isString();
	}
	static bool hasStrictTypes() { return true; }
	bool isArray() const { return v->type == LEAT_LIST; }
	bool isBool() const { return v->type == LEAT_BOOL; }
	bool isDouble() const { return v->type == LEAT_REAL; }
	bool isInteger() const { return v->type == LEAT_INTEGER; }
	bool isNull() const { return v->type == LEAT_NULL; }
	bool isNumber() const { return isDouble() || isInteger(); }
	bool isObject() const { return v->type == LEAT_MAP; }
	bool isString() const { return v->type == LEAT_TEXT; }

private:
	static const leat_value &nothing()
	{
		static const leat_value null = leat_null();
		return null;
	}

	const leat_value *v;
};

class adapter : public valijson::adapters::BasicAdapter<adapter, array, member_type, object, value> {
public:
	adapter() : BasicAdapter() {}
	explicit adapter(const leat_value &v) : BasicAdapter(value(&v)) {}
};

template <> inline adapter iterator<leat_value, adapter>::operator*() const
{
	return adapter(*at);
}

template <> inline member_type iterator<leat_member, member_type>::operator*() const
{
	return member_type(std::string(at->name, at->name_n), adapter(at->value));
}

inline object::const_iterator object::find(const std::string &name) const
{
	for (size_t i = 0; i < size(); i++)
		if (name.size() == map->member[i].name_n && name.compare(0, name.size(), map->member[i].name, map->member[i].name_n) == 0)
			return const_iterator(&map->member[i]);
	return end();
}

} // namespace leat_schemas

namespace valijson {
namespace adapters {

template <> struct AdapterTraits<leat_schemas::adapter> {
	typedef leat_value DocumentType;
	static std::string adapterName() { return "leat_schemas::adapter"; }
};

} // namespace adapters
} // namespace valijson

#endif
