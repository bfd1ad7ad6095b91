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

struct leat_pattern {
	std::regex regex; /* to be matched from the text's first byte on: it begins with what skips the rest */
	bool looks_ahead;
};

/* Immutable once it is read. */
struct leat_schema {
	leat_arena *arena = nullptr; /* of the file's values, to which constraints point */
	valijson::Schema root;
	std::unordered_map<std::string, leat_pattern> pattern; /* all that the file has */

	~leat_schema() { leat_arena_unref(arena); }
};

#endif
