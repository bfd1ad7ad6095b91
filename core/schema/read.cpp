/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a file to constraints: leat's JSON reads it, keywords.c refuses what is not supported, and valijson resolves the references
 * and makes the constraints. It tells what it does not like by exceptions; none leaves this file.
 */
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" /* gcc 12 has it wrong in <regex>, with sanitizers */
#endif
#include "schema/internal.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <vector>

#include "data/json.h"
#include "schema/keywords.h"

#include <valijson/schema_parser.hpp>

namespace {

const size_t LARGEST = 1024 * 1024;
const size_t PADDING = 64; /* LEAT_CODEC_PADDING */

/* The file's bytes with the padding that the decoder wants, NULL with errno set. */
char *read_bytes(leat_arena *arena, const char *path, size_t *n)
{
	FILE *file = fopen(path, "re");
	char *bytes;

	if (file == nullptr)
		return nullptr;
	bytes = static_cast<char *>(leat_arena_allocate(arena, LARGEST + 1 + PADDING));
	memset(bytes, 0, LARGEST + 1 + PADDING);
	*n = fread(bytes, 1, LARGEST + 1, file);
	if (ferror(file) != 0) {
		bytes = nullptr;
	} else if (*n > LARGEST) {
		errno = EFBIG;
		bytes = nullptr;
	}
	(void)fclose(file);
	return bytes;
}

leat_status read_value(leat_arena *arena, const char *path, const char *name, leat_value *out, leat_error *err)
{
	leat_error fault = {};
	size_t n = 0;
	char *bytes = read_bytes(arena, path, &n);
	leat_json *json;
	leat_status status;

	if (bytes == nullptr)
		return leat_error_set(err, LEAT_FATAL, errno, "could not read schema \"%s\": %s", name, strerror(errno));
	json = leat_json_create(nullptr);
	status = leat_json_decode(json, arena, bytes, n, out, &fault);
	leat_json_destroy(json);
	if (status != LEAT_OK)
		return leat_error_set(err, LEAT_FATAL, 0, "schema \"%s\" is not JSON: %.300s", name, fault.text);
	if (out->type != LEAT_MAP)
		return leat_error_set(err, LEAT_FATAL, 0, "schema \"%s\" must be a JSON object", name);
	return LEAT_OK;
}

/* Whether a pattern has (?= or (?!. In one that has another inside, the times multiply: that is refused. */
bool looks_ahead(const std::string &pattern)
{
	std::vector<bool> group; /* those open: whether it looks ahead */
	bool is_in_class = false, is_found = false;

	for (size_t i = 0; i < pattern.size(); i++) {
		if (pattern[i] == '\\') {
			i++;
		} else if (is_in_class || pattern[i] == '[') {
			is_in_class = pattern[i] != ']';
		} else if (pattern[i] == '(') {
			bool is_ahead = pattern.compare(i, 3, "(?=") == 0 || pattern.compare(i, 3, "(?!") == 0;

			if (is_ahead && std::find(group.begin(), group.end(), true) != group.end())
				throw std::invalid_argument("it looks ahead within what looks ahead");
			group.push_back(is_ahead);
			is_found = is_found || is_ahead;
		} else if (pattern[i] == ')' && !group.empty()) {
			group.pop_back();
		}
	}
	return is_found;
}

/* Events come from anywhere, so patterns are matched breadth first where the library can: the other way takes time without bound, and
 * a frame of the stack for each byte. What cannot be matched so (references back) is refused.
 *
 * A search would start such a match anew at each byte, which is quadratic. So the pattern itself skips what is before it, and is matched
 * from the first byte on only. Without that it is compiled as well, as "a)|(b" becomes right by the parentheses. */
leat_pattern make_pattern(const std::string &pattern)
{
	std::regex::flag_type flags = std::regex::ECMAScript | std::regex::optimize;

#ifdef __GLIBCXX__
	flags |= std::regex_constants::__polynomial;
#endif
	(void)std::regex(pattern, flags);
	return { std::regex("[\\s\\S]*(?:" + pattern + ")", flags | std::regex::nosubs), looks_ahead(pattern) };
}

leat_status add_pattern(void *opaque, const char *pattern, size_t n, leat_error *err)
{
	leat_schema *schema = static_cast<leat_schema *>(opaque);

	try {
		std::string text(pattern, n);

		schema->pattern.emplace(text, make_pattern(text));
	} catch (const std::exception &e) {
		return leat_error_set(err, LEAT_FATAL, 0, "%s", e.what());
	}
	return LEAT_OK;
}

leat_status make_constraints(leat_schema *schema, const leat_value *value, const char *name, leat_error *err)
{
	try {
		valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);

		parser.populateSchema(leat_schemas::adapter(*value), schema->root);
	} catch (const std::exception &e) {
		return leat_error_set(err, LEAT_FATAL, 0, "cannot use schema \"%s\": %s", name, e.what());
	}
	return LEAT_OK;
}

} // namespace

extern "C" enum leat_status leat_schema_read(const char *path, const char *name, struct leat_schema **out, struct leat_error *err)
{
	std::unique_ptr<leat_schema> schema(new leat_schema());
	leat_keywords_patterns patterns = { add_pattern, schema.get() };
	leat_value *value;
	leat_error fault = {};
	leat_status status;

	schema->arena = leat_arena_create();
	value = static_cast<leat_value *>(leat_arena_allocate(schema->arena, sizeof *value));
	status = read_value(schema->arena, path, name, value, err);
	if (status != LEAT_OK)
		return status;
	if (leat_keywords_check(value, &patterns, &fault) != LEAT_OK)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot use schema \"%s\": %.380s", name, fault.text);
	status = make_constraints(schema.get(), value, name, err);
	if (status == LEAT_OK)
		*out = schema.release();
	return status;
}

extern "C" void leat_schema_destroy(struct leat_schema *schema)
{
	delete schema;
}
