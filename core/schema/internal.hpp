/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_INTERNAL_HPP
#define LEAT_SCHEMA_INTERNAL_HPP

#include <regex>
#include <string>
#include <unordered_map>

#include "schema/adapter.hpp"
#include "schema/schema.h"

#include "base/arena.h"

#include <valijson/schema.hpp>

/* Immutable once it is read. */
struct leat_schema {
	leat_arena *arena = nullptr; /* of the file's values, to which constraints point */
	valijson::Schema root;
	std::unordered_map<std::string, std::regex> pattern; /* all that the file has */

	~leat_schema() { leat_arena_unref(arena); }
};

#endif
