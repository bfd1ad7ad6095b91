/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A walk over a schema file, before it is made into anything. What it finds wrong is told with a JSON Pointer into the file.
 *
 * References are looked at last, when all that is a schema has been seen: each has to lead to one of those, and a chain of them
 * has to end.
 */
#include "schema/keywords.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/value.h"

enum kind { SCHEMA, SCHEMAS, NAMED_SCHEMAS, PATTERN_SCHEMAS, NUMBER, POSITIVE, COUNT, BOOL, TEXT, PATTERN, TYPE, NAMES, VALUES, ANY };

static const struct keyword {
	const char *name;
	enum kind kind;
	bool is_annotation; /* may stand beside a $ref */
} keywords[] = {
	{ "$comment", ANY, true },
	{ "$defs", NAMED_SCHEMAS, true },
	{ "$id", TEXT, true },
	{ "$ref", TEXT, true },
	{ "$schema", TEXT, true },
	{ "additionalProperties", SCHEMA, false },
	{ "allOf", SCHEMAS, false },
	{ "anyOf", SCHEMAS, false },
	{ "const", ANY, false },
	{ "contains", SCHEMA, false },
	{ "contentEncoding", ANY, true },
	{ "contentMediaType", ANY, true },
	{ "default", ANY, true },
	{ "definitions", NAMED_SCHEMAS, true },
	{ "deprecated", ANY, true },
	{ "description", TEXT, true },
	{ "else", SCHEMA, false },
	{ "enum", VALUES, false },
	{ "examples", ANY, true },
	{ "exclusiveMaximum", NUMBER, false },
	{ "exclusiveMinimum", NUMBER, false },
	{ "format", TEXT, true },
	{ "if", SCHEMA, false },
	{ "items", SCHEMA, false },
	{ "maxItems", COUNT, false },
	{ "maxLength", COUNT, false },
	{ "maxProperties", COUNT, false },
	{ "maximum", NUMBER, false },
	{ "minItems", COUNT, false },
	{ "minLength", COUNT, false },
	{ "minProperties", COUNT, false },
	{ "minimum", NUMBER, false },
	{ "multipleOf", POSITIVE, false },
	{ "not", SCHEMA, false },
	{ "oneOf", SCHEMAS, false },
	{ "pattern", PATTERN, false },
	{ "patternProperties", PATTERN_SCHEMAS, false },
	{ "properties", NAMED_SCHEMAS, false },
	{ "readOnly", ANY, true },
	{ "required", NAMES, false },
	{ "then", SCHEMA, false },
	{ "title", TEXT, true },
	{ "type", TYPE, false },
	{ "uniqueItems", BOOL, false },
	{ "writeOnly", ANY, true },
};
enum { N_KEYWORDS = sizeof keywords / sizeof keywords[0] };

struct reference {
	const struct leat_value *from; /* the schema that it stands in */
	const struct leat_value *text;
};

struct walk {
	const struct leat_value *root;
	const struct leat_keywords_patterns *patterns;
	struct leat_error *err;
	char pointer[512]; /* to where the walk is; cut off when it is longer */
	size_t pointer_n;
	const struct leat_value **schema; /* all that were seen */
	size_t n_schemas, schema_capacity;
	struct reference *reference;
	size_t n_references, reference_capacity;
};

static enum leat_status check_schema(struct walk *w, const struct leat_value *v);

/* ---- where the walk is ------------------------------------------------------------------------------------------- */

static void append(struct walk *w, char c)
{
	if (w->pointer_n + 1 < sizeof w->pointer)
		w->pointer[w->pointer_n++] = c;
}

/* Returns what leave() has to be given. */
static size_t enter(struct walk *w, const char *name, size_t n)
{
	size_t before = w->pointer_n;

	append(w, '/');
	for (size_t i = 0; i < n; i++) {
		if (name[i] == '~' || name[i] == '/')
			append(w, '~');
		append(w, name[i] == '~' ? '0' : name[i] == '/' ? '1' : name[i]);
	}
	w->pointer[w->pointer_n] = '\0';
	return before;
}

static size_t enter_item(struct walk *w, uint32_t index)
{
	char number[16];
	int n = snprintf(number, sizeof number, "%u", index);

	return enter(w, number, (size_t)n);
}

static void leave(struct walk *w, size_t before)
{
	w->pointer_n = before;
	w->pointer[before] = '\0';
}

static enum leat_status refuse(struct walk *w, const char *format, ...) LEAT_PRINTF(2, 3);

static enum leat_status refuse(struct walk *w, const char *format, ...)
{
	char text[LEAT_ERROR_TEXT / 2];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return leat_error_set(w->err, LEAT_FATAL, 0, "%.240s: %s", w->pointer_n == 0 ? "/" : w->pointer, text);
}

/* ---- values of each kind ----------------------------------------------------------------------------------------- */

static enum leat_status check_schemas(struct walk *w, const struct leat_value *v)
{
	enum leat_status status = LEAT_OK;

	if (v->type != LEAT_LIST || v->n == 0)
		return refuse(w, "expected a list of schemas that is not empty");
	for (uint32_t i = 0; i < v->n && status == LEAT_OK; i++) {
		size_t before = enter_item(w, i);

		status = check_schema(w, &v->as.list->item[i]);
		leave(w, before);
	}
	return status;
}

static enum leat_status check_pattern(struct walk *w, const char *pattern, size_t n)
{
	struct leat_error err = { .status = LEAT_OK };

	if (w->patterns->add(w->patterns->opaque, pattern, n, &err) != LEAT_OK)
		return refuse(w, "\"%.*s\" is no regular expression that is supported: %.80s", (int)(n < 60 ? n : 60), pattern, err.text);
	return LEAT_OK;
}

static enum leat_status check_named_schemas(struct walk *w, const struct leat_value *v, bool are_patterns)
{
	enum leat_status status = LEAT_OK;

	if (v->type != LEAT_MAP)
		return refuse(w, "expected an object with schemas");
	for (uint32_t i = 0; i < v->n && status == LEAT_OK; i++) {
		const struct leat_member *member = &v->as.map->member[i];
		size_t before = enter(w, member->name, member->name_n);

		if (leat_map_find(v, member->name, member->name_n) != &member->value)
			status = refuse(w, "it is there twice");
		if (status == LEAT_OK && are_patterns)
			status = check_pattern(w, member->name, member->name_n);
		if (status == LEAT_OK)
			status = check_schema(w, &member->value);
		leave(w, before);
	}
	return status;
}

static bool is_type(const struct leat_value *v)
{
	static const char *const types[] = { "array", "boolean", "integer", "null", "number", "object", "string" };

	for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
		if (leat_text_equals(v, types[i]))
			return true;
	return false;
}

static enum leat_status check_type(struct walk *w, const struct leat_value *v)
{
	bool is_right = v->type == LEAT_LIST ? v->n > 0 : is_type(v);

	for (uint32_t i = 0; v->type == LEAT_LIST && i < v->n; i++)
		is_right = is_right && is_type(&v->as.list->item[i]);
	return is_right ? LEAT_OK : refuse(w, "expected array, boolean, integer, null, number, object or string, or a list of these");
}

static enum leat_status check_names(struct walk *w, const struct leat_value *v)
{
	bool is_right = v->type == LEAT_LIST;

	for (uint32_t i = 0; is_right && i < v->n; i++)
		is_right = v->as.list->item[i].type == LEAT_TEXT && memchr(v->as.list->item[i].as.text, '\0', v->as.list->item[i].n) == NULL;
	return is_right ? LEAT_OK : refuse(w, "expected a list of names");
}

/* valijson keeps a bound as a double: one that it would round would be another bound than the file's. */
static enum leat_status check_bound(struct walk *w, const struct leat_value *v, double number)
{
	const struct leat_value kept = leat_real(number);

	if (v->type != LEAT_INTEGER || leat_value_compare(v, &kept) == 0)
		return LEAT_OK;
	return refuse(w, "%" PRId64 " cannot be held exactly, expected an integer that a double can hold", v->as.integer);
}

static enum leat_status check_number(struct walk *w, const struct leat_value *v, enum kind kind)
{
	double number;

	if (kind == COUNT)
		return v->type == LEAT_INTEGER && v->as.integer >= 0 ? LEAT_OK : refuse(w, "expected an integer of 0 or more");
	if (!leat_as_real(v, &number))
		return refuse(w, "expected a number");
	if (kind == NUMBER)
		return check_bound(w, v, number);
	return number > 0 ? LEAT_OK : refuse(w, "expected a number of more than 0");
}

static enum leat_status check_value(struct walk *w, const struct leat_value *v, enum kind kind)
{
	switch (kind) {
	case SCHEMA:
		return check_schema(w, v);
	case SCHEMAS:
		return check_schemas(w, v);
	case NAMED_SCHEMAS:
	case PATTERN_SCHEMAS:
		return check_named_schemas(w, v, kind == PATTERN_SCHEMAS);
	case NUMBER:
	case POSITIVE:
	case COUNT:
		return check_number(w, v, kind);
	case BOOL:
		return v->type == LEAT_BOOL ? LEAT_OK : refuse(w, "expected true or false");
	case TEXT:
		return v->type == LEAT_TEXT ? LEAT_OK : refuse(w, "expected a string");
	case PATTERN:
		return v->type != LEAT_TEXT ? refuse(w, "expected a string") : check_pattern(w, v->as.text, v->n);
	case TYPE:
		return check_type(w, v);
	case NAMES:
		return check_names(w, v);
	case VALUES:
		return v->type == LEAT_LIST && v->n > 0 ? LEAT_OK : refuse(w, "expected a list that is not empty");
	case ANY:
		break;
	}
	return LEAT_OK;
}

/* ---- a schema ---------------------------------------------------------------------------------------------------- */

static const struct keyword *find_keyword(const struct leat_member *member)
{
	for (size_t i = 0; i < N_KEYWORDS; i++)
		if (strlen(keywords[i].name) == member->name_n && memcmp(keywords[i].name, member->name, member->name_n) == 0)
			return &keywords[i];
	return NULL;
}

static enum leat_status check_dialect(struct walk *w, const struct leat_value *v)
{
	static const char *const dialects[] = { "https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema",
		                                "http://json-schema.org/draft-07/schema#", "http://json-schema.org/draft-07/schema" };

	for (size_t i = 0; i < sizeof dialects / sizeof dialects[0]; i++)
		if (leat_text_equals(v, dialects[i]))
			return LEAT_OK;
	return refuse(w, "expected \"%s\"; 2019-09 and draft-07 are read as well", dialects[0]);
}

static enum leat_status check_keyword(struct walk *w, const struct leat_value *schema, const struct leat_member *member)
{
	const struct keyword *keyword = find_keyword(member);
	const struct leat_value *reference = leat_map_find(schema, "$ref", 4);

	if (keyword == NULL)
		return refuse(w, "this keyword is not supported");
	if (leat_map_find(schema, member->name, member->name_n) != &member->value)
		return refuse(w, "it is there twice");
	if (reference != NULL && !keyword->is_annotation)
		return refuse(w, "it stands beside \"$ref\", expected both in an \"allOf\"");
	if (strcmp(keyword->name, "$id") == 0 && schema != w->root)
		return refuse(w, "only the whole file can have an \"$id\"");
	if ((strcmp(keyword->name, "then") == 0 || strcmp(keyword->name, "else") == 0) && leat_map_find(schema, "if", 2) == NULL)
		return refuse(w, "there is no \"if\" that it could belong to");
	if (strcmp(keyword->name, "$schema") == 0)
		return check_dialect(w, &member->value);
	return check_value(w, &member->value, keyword->kind);
}

static void note_schema(struct walk *w, const struct leat_value *v)
{
	const struct leat_value *text = leat_map_find(v, "$ref", 4);

	w->schema = leat_grow(w->schema, w->n_schemas, &w->schema_capacity, sizeof *w->schema);
	w->schema[w->n_schemas++] = v;
	if (text == NULL)
		return;
	w->reference = leat_grow(w->reference, w->n_references, &w->reference_capacity, sizeof *w->reference);
	w->reference[w->n_references++] = (struct reference){ v, text };
}

static enum leat_status check_schema(struct walk *w, const struct leat_value *v)
{
	enum leat_status status = LEAT_OK;

	note_schema(w, v);
	if (v->type == LEAT_BOOL)
		return LEAT_OK;
	if (v->type != LEAT_MAP)
		return refuse(w, "expected a schema, which is an object, true or false");
	for (uint32_t i = 0; i < v->n && status == LEAT_OK; i++) {
		const struct leat_member *member = &v->as.map->member[i];
		size_t before = enter(w, member->name, member->name_n);

		status = check_keyword(w, v, member);
		leave(w, before);
	}
	return status;
}

/* ---- references -------------------------------------------------------------------------------------------------- */

/* What a token of a JSON Pointer names in `v`, or NULL. */
static const struct leat_value *step(const struct leat_value *v, const char *token, size_t n)
{
	char *name = leat_allocate_bytes(n + 1);
	size_t name_n = 0;

	for (size_t i = 0; i < n; i++) {
		bool is_escape = token[i] == '~' && i + 1 < n && (token[i + 1] == '0' || token[i + 1] == '1');

		name[name_n++] = !is_escape ? token[i] : token[i + 1] == '0' ? '~' : '/';
		i += is_escape;
	}
	name[name_n] = '\0';
	if (v->type == LEAT_LIST) {
		char *end;
		unsigned long index = strtoul(name, &end, 10);

		v = name_n > 0 && *end == '\0' && index < v->n ? &v->as.list->item[index] : NULL;
	} else {
		v = leat_map_find(v, name, name_n);
	}
	free(name);
	return v;
}

static const struct leat_value *follow(const struct walk *w, const struct leat_value *text)
{
	const struct leat_value *v = w->root;
	const char *at = text->as.text + 1, *end = text->as.text + text->n;

	while (v != NULL && at < end) {
		const char *token = ++at;

		while (at < end && *at != '/')
			at++;
		v = step(v, token, (size_t)(at - token));
	}
	return v;
}

static bool is_schema(const struct walk *w, const struct leat_value *v)
{
	for (size_t i = 0; i < w->n_schemas; i++)
		if (w->schema[i] == v)
			return true;
	return false;
}

static enum leat_status check_reference(struct walk *w, const struct reference *reference)
{
	const struct leat_value *text = reference->text, *v = reference->from;
	int n = (int)(text->n < 80 ? text->n : 80);

	for (size_t i = 0; text != NULL; i++) {
		/* Percent signs are for URLs with odd characters; nobody needs them here, and a pointer read two ways is none. */
		if (text->n == 0 || text->as.text[0] != '#' || (text->n > 1 && text->as.text[1] != '/')
		    || memchr(text->as.text, '%', text->n) != NULL)
			return refuse(w, "\"$ref\": \"%.*s\" is not within the file, expected one like \"#/$defs/name\"", n, text->as.text);
		v = follow(w, text);
		if (v == NULL || !is_schema(w, v))
			return refuse(w, "\"$ref\": \"%.*s\" leads to no schema", n, text->as.text);
		if (i > w->n_references)
			return refuse(w, "\"$ref\": \"%.*s\" leads back to itself", n, text->as.text);
		text = leat_map_find(v, "$ref", 4);
	}
	return LEAT_OK;
}

enum leat_status leat_keywords_check(const struct leat_value *schema, const struct leat_keywords_patterns *patterns, struct leat_error *err)
{
	struct walk w = { .root = schema, .patterns = patterns, .err = err };
	enum leat_status status = check_schema(&w, schema);

	for (size_t i = 0; i < w.n_references && status == LEAT_OK; i++)
		status = check_reference(&w, &w.reference[i]);
	free(w.schema);
	free(w.reference);
	return status;
}
