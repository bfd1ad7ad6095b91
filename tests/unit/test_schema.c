/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Schema, by tables: what a schema says of a value, and what is wrong with a schema. */
#include <leat/codec.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "data/json.h"
#include "schema/schema.h"
#include "unit/unit.h"

struct schema_case {
	const char *schema;
	const char *value;
	const char *expected; /* "ok", or the reason behind "schema: " */
};

static enum leat_status read_schema(const char *text, struct leat_schema **out, struct leat_error *err)
{
	char path[64];
	enum leat_status status;
	FILE *file;

	(void)snprintf(path, sizeof path, "/tmp/leat-test-schema-%d.json", (int)getpid());
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	status = leat_schema_read(path, "s.json", out, err);
	unlink(path);
	return status;
}

static struct leat_value read_value(struct leat_arena *arena, const char *text)
{
	struct leat_json *json = leat_json_create(NULL);
	size_t n = strlen(text);
	char *copy = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_error err;
	struct leat_value v;

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, text, n);
	ck_assert_msg(leat_json_decode(json, arena, copy, n, &v, &err) == LEAT_OK, "%s", text);
	leat_json_destroy(json);
	return v;
}

static void run_case(const struct schema_case *c)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_error err = { 0 };
	struct leat_schema *schema = NULL;
	struct leat_value value = read_value(arena, c->value);

	ck_assert_msg(read_schema(c->schema, &schema, &err) == LEAT_OK, "%s: %s", c->schema, err.text);
	if (leat_schema_judge(schema, &value, &err) == LEAT_OK)
		ck_assert_msg(strcmp(c->expected, "ok") == 0, "%s of %s: ok, not %s", c->schema, c->value, c->expected);
	else
		ck_assert_msg(strncmp(err.text, "schema: ", 8) == 0 && strcmp(err.text + 8, c->expected) == 0, "%s of %s: %s, not %s", c->schema,
		              c->value, err.text, c->expected);
	leat_schema_destroy(schema);
	leat_arena_unref(arena);
}

static void run_cases(const struct schema_case *c)
{
	for (; c->schema != NULL; c++)
		run_case(c);
}

START_TEST(a_type_is_what_json_has)
{
	static const struct schema_case cases[] = {
		{ "{\"properties\":{\"amount\":{\"type\":\"number\"}}}", "{\"amount\":\"x\"}", "/amount must be a number, is \"x\"" },
		{ "{\"properties\":{\"amount\":{\"type\":\"number\"}}}", "{\"amount\":1.5}", "ok" },
		{ "{\"properties\":{\"amount\":{\"type\":\"number\"}}}", "{}", "ok" },
		{ "{\"type\":\"object\"}", "[1]", "the event must be an object, is an array" },
		{ "{\"type\":\"array\"}", "{}", "the event must be an array, is an object" },
		{ "{\"type\":\"integer\"}", "1.0", "ok" },
		{ "{\"type\":\"integer\"}", "1e30", "ok" },
		{ "{\"type\":\"integer\"}", "1.5", "the event must be an integer, is 1.5" },
		{ "{\"type\":[\"string\",\"null\"]}", "null", "ok" },
		{ "{\"type\":[\"string\",\"null\"]}", "7", "the event must be null or a string, is 7" },
		{ "{\"type\":\"boolean\"}", "0", "the event must be true or false, is 0" },
		{ "{\"type\":\"string\"}", "true", "the event must be a string, is true" },
		{ "{\"type\":\"null\"}", "\"äääääääääääääääääääääääääääääääääää\"",
		  "the event must be null, is \"äääääääääääääääääääääää..." },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(numbers_are_compared_exactly)
{
	static const struct schema_case cases[] = {
		{ "{\"minimum\":0}", "0", "ok" },
		{ "{\"minimum\":0}", "-1", "the event must be at least 0, is -1" },
		{ "{\"exclusiveMinimum\":0}", "0", "the event must be more than 0, is 0" },
		{ "{\"maximum\":2.5}", "2.5", "ok" },
		{ "{\"maximum\":2.5}", "3", "the event must be at most 2.5, is 3" },
		{ "{\"exclusiveMaximum\":10}", "10.0", "the event must be less than 10, is 10.0" },
		{ "{\"maximum\":9007199254740992}", "9007199254740993", "the event must be at most 9007199254740992, is 9007199254740993" },
		{ "{\"minimum\":-9223372036854775808}", "-9223372036854775808", "ok" },
		{ "{\"maximum\":1152921504606846976}", "1152921504606846976", "ok" },
		{ "{\"multipleOf\":5}", "15", "ok" },
		{ "{\"multipleOf\":5}", "7", "the event must be a multiple of 5, is 7" },
		{ "{\"multipleOf\":0.01}", "19.99", "ok" },
		{ "{\"multipleOf\":0.01}", "19.995", "the event must be a multiple of 0.01, is 19.995" },
		{ "{\"multipleOf\":0.01}", "9999999.99", "ok" },
		{ "{\"multipleOf\":0.01}", "9999999.995", "the event must be a multiple of 0.01, is 9999999.995" },
		{ "{\"multipleOf\":0.01}", "10000000000.01", "ok" },
		{ "{\"multipleOf\":0.01}", "10000000000.015", "the event must be a multiple of 0.01, is 10000000000.015" },
		{ "{\"minimum\":5}", "\"x\"", "ok" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(strings_have_characters_and_patterns)
{
	static const struct schema_case cases[] = {
		{ "{\"minLength\":3}", "\"äö\"", "the event must have at least 3 characters, has 2" },
		{ "{\"maxLength\":2}", "\"äö\"", "ok" },
		{ "{\"maxLength\":1}", "\"äö\"", "the event must have at most 1 character, has 2" },
		{ "{\"pattern\":\"^[a-z]+$\"}", "\"abc\"", "ok" },
		{ "{\"pattern\":\"b\"}", "\"abc\"", "ok" },
		{ "{\"pattern\":\"^[a-z]+$\"}", "\"a1\"", "the event must match the pattern \"^[a-z]+$\", is \"a1\"" },
		{ "{\"pattern\":\"^\\\\d{3}$\"}", "\"123\"", "ok" },
		{ "{\"pattern\":\"a|^b\"}", "\"xb\"", "the event must match the pattern \"a|^b\", is \"xb\"" },
		{ "{\"pattern\":\"^a|b$\"}", "\"\\n\\nb\"", "ok" },
		{ "{\"pattern\":\"\\\\bfoo\\\\b\"}", "\"a foo b\"", "ok" },
		{ "{\"pattern\":\"\"}", "\"\"", "ok" },
		{ "{\"pattern\":\"^(?=.*[0-9])(?!x)\"}", "\"a1\"", "ok" },
		{ "{\"minLength\":3}", "7", "ok" },
		{ "{\"format\":\"date\"}", "\"no date\"", "ok" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(values_are_equal_as_json_has_it)
{
	static const struct schema_case cases[] = {
		{ "{\"enum\":[\"DE\",\"FR\",null]}", "\"FR\"", "ok" },
		{ "{\"enum\":[\"DE\",\"FR\",null]}", "\"US\"", "the event must be one of \"DE\", \"FR\", null, is \"US\"" },
		{ "{\"const\":1}", "1.0", "ok" },
		{ "{\"const\":{\"a\":[1]}}", "{\"a\":[1.0]}", "ok" },
		{ "{\"const\":\"a\"}", "\"b\"", "the event must be \"a\", is \"b\"" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(arrays_have_items)
{
	static const struct schema_case cases[] = {
		{ "{\"items\":{\"type\":\"integer\"}}", "[1,2]", "ok" },
		{ "{\"items\":{\"type\":\"integer\"}}", "[1,\"x\"]", "/1 must be an integer, is \"x\"" },
		{ "{\"properties\":{\"l\":{\"items\":{\"required\":[\"id\"]}}}}", "{\"l\":[{\"id\":1},{}]}", "/l/1/id is missing" },
		{ "{\"items\":false}", "[1]", "/0 must not be there" },
		{ "{\"minItems\":1}", "[]", "the event must have at least 1 item, has 0" },
		{ "{\"maxItems\":1}", "[1,2]", "the event must have at most 1 item, has 2" },
		{ "{\"uniqueItems\":true}", "[1,2,1]", "the event must have no item twice, has 1" },
		{ "{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},{\"b\":2,\"a\":1}]", "the event must have no item twice, has an object" },
		{ "{\"uniqueItems\":true}", "[1,\"1\",true]", "ok" },
		{ "{\"uniqueItems\":false}", "[1,1]", "ok" },
		{ "{\"contains\":{\"const\":7}}", "[1,7]", "ok" },
		{ "{\"contains\":{\"const\":7}}", "[1]", "the event must have an item that meets the schema of \"contains\"" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(objects_have_fields)
{
	static const struct schema_case cases[] = {
		{ "{\"required\":[\"id\"]}", "{\"id\":null}", "ok" },
		{ "{\"required\":[\"id\",\"a/b\"]}", "{\"id\":1}", "/a~1b is missing" },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1}", "ok" },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":false}", "{\"a\":1,\"b\":2}", "/b must not be there" },
		{ "{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"null\"}}", "{\"a\":1,\"b\":2}", "/b must be null, is 2" },
		{ "{\"patternProperties\":{\"^x_\":{\"type\":\"string\"}},\"additionalProperties\":false}", "{\"x_a\":\"1\"}", "ok" },
		{ "{\"patternProperties\":{\"^x_\":{\"type\":\"string\"}},\"additionalProperties\":false}", "{\"x_a\":1}",
		  "/x_a must be a string, is 1" },
		{ "{\"properties\":{\"x\":{\"type\":\"integer\"}},\"patternProperties\":{\"x\":{\"minimum\":5}}}", "{\"x\":1}",
		  "/x must be at least 5, is 1" },
		{ "{\"minProperties\":2}", "{\"a\":1,\"a\":2}", "the event must have at least 2 fields, has 1" },
		{ "{\"maxProperties\":1}", "{\"a\":1,\"b\":2}", "the event must have at most 1 field, has 2" },
		{ "{\"properties\":{\"a\":false}}", "{\"a\":1}", "/a must not be there" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(schemas_are_put_together)
{
	static const struct schema_case cases[] = {
		{ "{\"allOf\":[{\"minimum\":1},{\"maximum\":3}]}", "4", "the event must be at most 3, is 4" },
		{ "{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":3}]}", "2", "the event must meet a schema of \"anyOf\", is 2" },
		{ "{\"anyOf\":[{\"type\":\"null\"},{\"minimum\":3}]}", "3", "ok" },
		{ "{\"oneOf\":[{\"minimum\":1},{\"minimum\":3}]}", "2", "ok" },
		{ "{\"oneOf\":[{\"minimum\":1},{\"minimum\":3}]}", "4", "the event must meet exactly one schema of \"oneOf\", meets 2, is 4" },
		{ "{\"not\":{\"type\":\"null\"}}", "null", "the event must not meet the schema of \"not\", is null" },
		{ "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]}}", "{\"a\":1}", "/b is missing" },
		{ "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]},\"else\":{\"required\":[\"c\"]}}", "{}", "/c is missing" },
		{ "{\"if\":{\"required\":[\"a\"]},\"then\":{\"required\":[\"b\"]}}", "{}", "ok" },
		{ "{\"properties\":{\"a\":{\"$ref\":\"#/$defs/id\"}},\"$defs\":{\"id\":{\"type\":\"integer\"}}}", "{\"a\":\"1\"}",
		  "/a must be an integer, is \"1\"" },
		{ "{\"$id\":\"https://example.com/s\",\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
		  "\"properties\":{\"a\":{\"$ref\":\"#/$defs/a~1b\"}},\"$defs\":{\"a/b\":{\"type\":\"integer\"}}}",
		  "{\"a\":\"1\"}", "/a must be an integer, is \"1\"" },
		{ "{\"properties\":{\"next\":{\"$ref\":\"#\"},\"n\":{\"type\":\"integer\"}}}", "{\"n\":1,\"next\":{\"n\":2,\"next\":{\"n\":\"x\"}}}",
		  "/next/next/n must be an integer, is \"x\"" },
		{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"type\":\"null\"}}}", "1",
		  "the event must be null, is 1" },
		{ "{\"allOf\":[{\"$ref\":\"#\"}]}", "1", "the event is nested deeper than a schema can go" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

START_TEST(what_is_not_supported_is_refused_with_its_place)
{
	static const struct {
		const char *schema, *expected;
	} cases[] = {
		{ "{\"properties\":{\"a\":{\"tpye\":\"string\"}}}", "/properties/a/tpye: this keyword is not supported" },
		{ "{\"prefixItems\":[{}]}", "/prefixItems: this keyword is not supported" },
		{ "{\"unevaluatedProperties\":false}", "/unevaluatedProperties: this keyword is not supported" },
		{ "{\"items\":[{}]}", "/items: expected a schema, which is an object, true or false" },
		{ "{\"type\":\"text\"}", "/type: expected array, boolean, integer, null, number, object or string, or a list of these" },
		{ "{\"minLength\":-1}", "/minLength: expected an integer of 0 or more" },
		{ "{\"minimum\":\"1\"}", "/minimum: expected a number" },
		{ "{\"maximum\":9007199254740993}", "/maximum: 9007199254740993 cannot be held exactly, expected an integer that a double can hold" },
		{ "{\"minimum\":-9007199254740993}", "/minimum: -9007199254740993 cannot be held exactly" },
		{ "{\"exclusiveMaximum\":9223372036854775807}", "/exclusiveMaximum: 9223372036854775807 cannot be held exactly" },
		{ "{\"multipleOf\":0}", "/multipleOf: expected a number of more than 0" },
		{ "{\"required\":\"id\"}", "/required: expected a list of names" },
		{ "{\"enum\":[]}", "/enum: expected a list that is not empty" },
		{ "{\"anyOf\":[]}", "/anyOf: expected a list of schemas that is not empty" },
		{ "{\"allOf\":[{},{\"x\":1}]}", "/allOf/1/x: this keyword is not supported" },
		{ "{\"properties\":{\"a/b\":7}}", "/properties/a~1b: expected a schema, which is an object, true or false" },
		{ "{\"pattern\":\"(\"}", "/pattern: \"(\" is no regular expression that is supported: " },
		{ "{\"pattern\":\"(a)\\\\1\"}", "/pattern: \"(a)\\1\" is no regular expression that is supported: " },
		{ "{\"pattern\":\"a)|(b\"}", "/pattern: \"a)|(b\" is no regular expression that is supported: " },
		{ "{\"pattern\":\"(?=a(b|(?!c)))\"}", "is no regular expression that is supported: it looks ahead within what looks ahead" },
		{ "{\"patternProperties\":{\"[\":{}}}", "/patternProperties/[: \"[\" is no regular expression that is supported: " },
		{ "{\"then\":{}}", "/then: there is no \"if\" that it could belong to" },
		{ "{\"$schema\":\"http://json-schema.org/draft-04/schema#\"}",
		  "/$schema: expected \"https://json-schema.org/draft/2020-12/schema\"" },
		{ "{\"$ref\":\"#/$defs/a\",\"type\":\"null\",\"$defs\":{\"a\":{}}}",
		  "/type: it stands beside \"$ref\", expected both in an \"allOf\"" },
		{ "{\"$ref\":\"other.json\"}", "\"$ref\": \"other.json\" is not within the file" },
		{ "{\"$ref\":\"#/$defs/a\"}", "\"$ref\": \"#/$defs/a\" leads to no schema" },
		{ "{\"$ref\":\"#/properties\",\"$defs\":{}}", "leads to no schema" },
		{ "{\"$ref\":\"#\"}", "\"$ref\": \"#\" leads back to itself" },
		{ "{\"$ref\":\"#/$defs/a\",\"$defs\":{\"a\":{\"$ref\":\"#/$defs/b\"},\"b\":{\"$ref\":\"#/$defs/a\"}}}", "leads back to itself" },
		{ "{\"properties\":{\"a\":{},\"a\":{}}}", "/properties/a: it is there twice" },
		{ "{\"properties\":{\"a\":{\"$id\":\"x\"}}}", "/properties/a/$id: only the whole file can have an \"$id\"" },
		{ "[1]", "schema \"s.json\" must be a JSON object" },
		{ "{\"a\":", "schema \"s.json\" is not JSON: " },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct leat_schema *schema = NULL;
		struct leat_error err = { 0 };

		ck_assert_msg(read_schema(cases[i].schema, &schema, &err) == LEAT_FATAL, "%s is taken", cases[i].schema);
		ck_assert_msg(strstr(err.text, cases[i].expected) != NULL, "%s: %s, not %s", cases[i].schema, err.text, cases[i].expected);
		ck_assert_ptr_nonnull(strstr(err.text, "schema \"s.json\""));
	}
}
END_TEST

START_TEST(an_event_cannot_take_the_process_down_by_a_pattern)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_schema *schema = NULL;
	struct leat_error err = { 0 };
	const size_t n = 200000;
	char *text = leat_arena_allocate(arena, n);
	struct leat_value value = leat_borrow(text, n);

	/* The usual way takes a frame of the stack for each byte of the one, and 2^n steps for the other. */
	memset(text, 'a', n);
	ck_assert_int_eq(read_schema("{\"pattern\":\"^(a|b)*$\"}", &schema, &err), LEAT_OK);
	ck_assert_int_eq(leat_schema_judge(schema, &value, &err), LEAT_OK);
	leat_schema_destroy(schema);
	text[40] = '!';
	value.n = 41;
	ck_assert_int_eq(read_schema("{\"pattern\":\"^(a+)+$\"}", &schema, &err), LEAT_OK);
	ck_assert_int_eq(leat_schema_judge(schema, &value, &err), LEAT_REJECT);
	leat_schema_destroy(schema);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(the_time_of_a_match_is_linear_in_the_text)
{
	static const char *const patterns[] = { "[a-z]+@[a-z]+", "(a|b)*c$", "a.*b.*c@" };
	struct leat_arena *arena = leat_arena_create();
	struct leat_schema *schema = NULL;
	struct leat_error err = { 0 };
	const size_t n = 200000;
	char *text = leat_arena_allocate(arena, n);
	struct leat_value value = leat_borrow(text, n);
	char file[64];

	/* Quadratic would be an hour each, so the test's own time limit tells. */
	memset(text, 'a', n);
	for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
		(void)snprintf(file, sizeof file, "{\"pattern\":\"%s\"}", patterns[i]);
		ck_assert_int_eq(read_schema(file, &schema, &err), LEAT_OK);
		ck_assert_int_eq(leat_schema_judge(schema, &value, &err), LEAT_REJECT);
		leat_schema_destroy(schema);
	}
	/* What looks ahead is quadratic whatever is done: neither it nor its opposite holds. */
	ck_assert_int_eq(read_schema("{\"not\":{\"pattern\":\"(?=.*b)c\"}}", &schema, &err), LEAT_OK);
	ck_assert_int_eq(leat_schema_judge(schema, &value, &err), LEAT_REJECT);
	ck_assert_ptr_nonnull(strstr(err.text, "a pattern that looks ahead is tried on at most 1024 bytes, there are 200000"));
	value.n = 1024;
	ck_assert_int_eq(leat_schema_judge(schema, &value, &err), LEAT_OK);
	leat_schema_destroy(schema);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_schema_that_doubles_at_each_step_is_given_up)
{
	static const struct schema_case cases[] = {
		{ "{\"anyOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}", "1", "cannot be judged: it takes more than 4000000 steps" },
		{ "{\"not\":{\"oneOf\":[{\"$ref\":\"#\"},{\"$ref\":\"#\"}]}}", "1", "cannot be judged: it takes more than 4000000 steps" },
		{ "{\"type\":\"array\",\"anyOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"}}]}",
		  "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]", "cannot be judged: it takes more than 4000000 steps" },
		{ "{\"type\":\"array\",\"anyOf\":[{\"items\":{\"$ref\":\"#\"}},{\"items\":{\"$ref\":\"#\"}}]}", "[[[[[[]]]]]]", "ok" },
		{ NULL, NULL, NULL },
	};

	run_cases(cases);
}
END_TEST

int main(void)
{
	return leat_test_main("schema", (const TTest *[]){ a_type_is_what_json_has,
	                                                   numbers_are_compared_exactly,
	                                                   strings_have_characters_and_patterns,
	                                                   values_are_equal_as_json_has_it,
	                                                   arrays_have_items,
	                                                   objects_have_fields,
	                                                   schemas_are_put_together,
	                                                   what_is_not_supported_is_refused_with_its_place,
	                                                   an_event_cannot_take_the_process_down_by_a_pattern,
	                                                   the_time_of_a_match_is_linear_in_the_text,
	                                                   a_schema_that_doubles_at_each_step_is_given_up,
	                                                   NULL });
}
