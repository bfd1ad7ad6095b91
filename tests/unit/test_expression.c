/* SPDX-License-Identifier: Apache-2.0 */
/* Expressions, by tables: what a text comes to over one record, as JSON-like text, or the reason why it does not. */
#include <inttypes.h>

#include "data/expression.h"
#include "data/expression_node.h"
#include "data/value.h"
#include "unit/unit.h"

struct expression_case {
	const char *expression;
	const char *expected; /* the value, or "error: ..." at compile time, or "reject: ..." */
};

static struct leat_arena *arena;
static struct leat_symbols *symbols;

static struct leat_value text(const char *s)
{
	return leat_borrow(s, strlen(s));
}

static struct leat_member member(const char *name, struct leat_value value)
{
	return (struct leat_member){ name, (uint32_t)strlen(name), leat_symbols_intern(symbols, name, strlen(name)), value };
}

static struct leat_value make_map(const struct leat_member *members, size_t n)
{
	return leat_value_map_with(arena, symbols, NULL, members, n);
}

static struct leat_value make_decimal(double real, const char *source)
{
	struct leat_number *number = leat_arena_allocate(arena, sizeof *number);
	struct leat_value v = leat_real(real);

	*number = (struct leat_number){ real, (uint32_t)strlen(source), source };
	v.flags = LEAT_VALUE_SOURCED;
	v.as.number = number;
	return v;
}

/* amount 150, decimal 0.10, user {name Ann, country DE}, tags [a, b, null], and so on. */
static struct leat_record make_record(void)
{
	struct leat_value tags[] = { text("a"), text("b"), leat_null() };
	struct leat_member address[] = { member("city", text("Berlin")), member("in", text("side")) };
	struct leat_member user[] = { member("name", text("Ann")), member("country", text("DE")), member("address", make_map(address, 2)) };
	struct leat_member fields[] = {
		member("amount", leat_integer(150)),
		member("decimal", make_decimal(0.10, "0.10")),
		member("huge", make_decimal(12345678901234567890.0, "12345678901234567890")),
		member("most", leat_integer(INT64_MAX)),
		member("least", leat_integer(INT64_MIN)),
		member("odd", leat_integer(9007199254740993)),
		member("ratio", leat_real(2.5)),
		member("yes", leat_bool(true)),
		member("no", leat_bool(false)),
		member("nothing", leat_null()),
		member("name", text("Zoë")),
		member("empty", text("")),
		member("user", make_map(user, 3)),
		member("tags", leat_value_list(arena, tags, 3)),
		member("odd name", leat_integer(7)),
		member("ts", leat_time(INT64_C(1700000000123456))),
		member("größe", leat_integer(3)),
	};
	struct leat_record record = { .key = text("k1"), .time_us = 1000000, .origin = { 0, 4, 99 } };

	record.value = make_map(fields, sizeof fields / sizeof fields[0]);
	return record;
}

static void print_value(const struct leat_value *v, char *out, size_t n)
{
	double d = 0;

	if (v->type == LEAT_NULL)
		snprintf(out, n, "null");
	else if (v->type == LEAT_BOOL)
		snprintf(out, n, "%s", v->as.boolean ? "true" : "false");
	else if (v->type == LEAT_INTEGER)
		snprintf(out, n, "%" PRId64, v->as.integer);
	else if (v->type == LEAT_REAL && (v->flags & LEAT_VALUE_SOURCED))
		snprintf(out, n, "source %.*s", (int)v->as.number->source_n, v->as.number->source);
	else if (leat_as_real(v, &d))
		snprintf(out, n, "%.17g real", d);
	else if (v->type == LEAT_TEXT)
		snprintf(out, n, "'%.*s'", (int)v->n, v->as.text);
	else if (v->type == LEAT_TIME)
		snprintf(out, n, "%" PRId64 " us", v->as.time_us);
	else
		snprintf(out, n, "%s of %u", leat_type_name(v->type), v->n);
}

static void run_case(const char *expression_text, char *out, size_t n)
{
	const struct leat_expression *expression = NULL;
	struct leat_record record = make_record();
	struct leat_error err = { 0 };
	struct leat_value value;
	enum leat_status status = leat_expression_compile(arena, symbols, expression_text, &expression, &err);

	if (status != LEAT_OK) {
		ck_assert_int_eq(status, LEAT_FATAL);
		ck_assert_int_eq(err.status, LEAT_FATAL);
		snprintf(out, n, "error: %s", err.text);
		return;
	}
	status = leat_expression_evaluate(expression, &record, arena, &value, &err);
	if (status == LEAT_OK) {
		print_value(&value, out, n);
		return;
	}
	ck_assert_int_eq(status, LEAT_REJECT);
	snprintf(out, n, "reject: %s", err.text);
}

static void run_cases(const struct expression_case *cases, size_t n)
{
	arena = leat_arena_create();
	symbols = leat_symbols_create();
	for (size_t i = 0; i < n; i++) {
		char found[LEAT_ERROR_TEXT + 16];

		run_case(cases[i].expression, found, sizeof found);
		ck_assert_msg(strcmp(found, cases[i].expected) == 0, "%s\n    gives    %s\n    expected %s", cases[i].expression, found,
		              cases[i].expected);
	}
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}

#define RUN_CASES(cases_) run_cases(cases_, sizeof(cases_) / sizeof(cases_)[0])

START_TEST(literals_are_what_they_say)
{
	static const struct expression_case cases[] = {
		{ "1", "1" },
		{ "  1\n", "1" },
		{ "1.5", "1.5 real" },
		{ "1e3", "1000 real" },
		{ "2.5E-1", "0.25 real" },
		{ "9223372036854775807", "9223372036854775807" },
		{ "-9223372036854775808", "-9223372036854775808" },
		{ "- 9223372036854775808", "-9223372036854775808" },
		{ "'text'", "'text'" },
		{ "\"text\"", "'text'" },
		{ "'it''s'", "'it's'" },
		{ "\"say \"\"x\"\"\"", "'say \"x\"'" },
		{ "'a\\n'", "'a\\n'" },
		{ "''", "''" },
		{ "true", "true" },
		{ "FALSE", "false" },
		{ "Null", "null" },
		{ "[]", "list of 0" },
		{ "[1, 'a', null]", "list of 3" },
		{ "[amount, [1]]", "list of 2" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(fields_are_found_by_path_and_null_when_missing)
{
	static const struct expression_case cases[] = {
		{ "amount", "150" },
		{ "user.country", "'DE'" },
		{ "user . address . city", "'Berlin'" },
		{ "user.address.in", "'side'" },
		{ "`odd name`", "7" },
		{ "user.`name`", "'Ann'" },
		{ "größe + 1", "4" },
		{ "missing", "null" },
		{ "user.missing.deeper", "null" },
		{ "amount.deeper", "null" },
		{ "nothing", "null" },
		{ "decimal", "source 0.10" },
		{ "huge", "source 12345678901234567890" },
		{ "@key", "'k1'" },
		{ "@time", "1000000 us" },
		{ "@offset", "99" },
		{ "@partition + 1", "5" },
		{ "length", "null" },
		{ "`length`", "null" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(logic_has_three_values)
{
	static const struct expression_case cases[] = {
		{ "yes and yes", "true" },       { "yes and no", "false" },      { "yes and nothing", "null" },
		{ "no and yes", "false" },       { "no and no", "false" },       { "no and nothing", "false" },
		{ "nothing and yes", "null" },   { "nothing and no", "false" },  { "nothing and nothing", "null" },
		{ "yes or yes", "true" },        { "yes or no", "true" },        { "yes or nothing", "true" },
		{ "no or yes", "true" },         { "no or no", "false" },        { "no or nothing", "null" },
		{ "nothing or yes", "true" },    { "nothing or no", "null" },    { "nothing or nothing", "null" },
		{ "not yes", "false" },          { "not no", "true" },           { "not nothing", "null" },
		{ "not missing", "null" },       { "amount = null", "null" },    { "null = null", "null" },
		{ "null != null", "null" },      { "missing < 1", "null" },      { "1 + nothing", "null" },
		{ "missing is null", "true" },   { "nothing IS NULL", "true" },  { "amount is null", "false" },
		{ "amount is not null", "true" },{ "missing is not null", "false" },
		{ "nothing in [1]", "null" },    { "nothing in []", "false" },   { "1 in [1, null]", "true" },
		{ "2 in [1, null]", "null" },    { "2 not in [1, null]", "null" }, { "2 not in [1]", "true" },
		{ "1 in nothing", "null" },      { "lower(nothing)", "null" },   { "min(1, nothing)", "null" },
		{ "no and 1 + 'a' = 2", "error: \"+\" takes no integer and text at column 10" },
		{ "no and amount + name = 2", "false" },
		{ "yes or amount + name = 2", "true" },
		{ "nothing or amount + name = 2", "reject: \"+\" takes no integer and text at column 19" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(precedence_is_as_in_sql)
{
	static const struct expression_case cases[] = {
		{ "1 + 2 * 3", "7" },
		{ "(1 + 2) * 3", "9" },
		{ "10 - 4 - 3", "3" },
		{ "2 * 3 % 4", "2" },
		{ "100 // 10 // 3", "3" },
		{ "-2 * -3", "6" },
		{ "- -2", "2" },
		{ "-(2 + 3)", "-5" },
		{ "-amount", "-150" },
		{ "5 - -3", "8" },
		{ "5-3", "2" },
		{ "yes or no and no", "true" },
		{ "(yes or no) and no", "false" },
		{ "not no and no", "false" },
		{ "not (no and no)", "true" },
		{ "not amount > 100", "false" },
		{ "not not yes", "true" },
		{ "1 + 1 = 2", "true" },
		{ "1 + 1 in [2]", "true" },
		{ "not 1 in [2]", "true" },
		{ "amount > 100 and user.country in ['DE', 'FR'] or no", "true" },
		{ "no or no or no or yes", "true" },
		{ "(1 < 2) = yes", "true" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(numbers_are_exact_or_refused)
{
	static const struct expression_case cases[] = {
		{ "most + 1", "reject: \"+\" overflows an integer of 64 bits at column 6" },
		{ "least - 1", "reject: \"-\" overflows an integer of 64 bits at column 7" },
		{ "most * 2", "reject: \"*\" overflows an integer of 64 bits at column 6" },
		{ "-least", "reject: \"-\" overflows an integer of 64 bits at column 1" },
		{ "least // -1", "reject: \"//\" overflows an integer of 64 bits at column 7" },
		{ "least % -1", "0" },
		{ "abs(least)", "reject: abs() overflows an integer of 64 bits at column 1" },
		{ "most + 0", "9223372036854775807" },
		{ "most - 1 + 1", "9223372036854775807" },
		{ "odd * 1", "9007199254740993" },
		{ "7 / 2", "3.5 real" },
		{ "6 / 2", "3 real" },
		{ "7 // 2", "3" },
		{ "-7 // 2", "-4" },
		{ "7 // -2", "-4" },
		{ "-7 % 3", "2" },
		{ "7 % -3", "-2" },
		{ "-6 % 3", "0" },
		{ "7.5 // 2", "3 real" },
		{ "7.5 % 2", "1.5 real" },
		{ "-7.5 % 2", "0.5 real" },
		{ "1 / 0", "error: \"/\" by zero at column 3" },
		{ "amount / 0", "reject: \"/\" by zero at column 8" },
		{ "amount // 0", "reject: \"//\" by zero at column 8" },
		{ "amount % 0", "reject: \"%\" by zero at column 8" },
		{ "ratio * 1e307 * 10", "reject: \"*\" has no finite result at column 15" },
		{ "ratio + 1", "3.5 real" },
		{ "decimal * 10", "1 real" },
		{ "odd = 9007199254740992.0", "false" },
		{ "odd > 9007199254740992.0", "true" },
		{ "9007199254740992.0 < odd", "true" },
		{ "odd <= 9007199254740992.0", "false" },
		{ "most < 9223372036854775808.0", "true" },
		{ "most = 9223372036854775808.0", "false" },
		{ "least = -9223372036854775808.0", "true" },
		{ "least >= -1e300", "true" },
		{ "most < huge", "true" },
		{ "huge > most", "true" },
		{ "1 = 1.0", "true" },
		{ "1 < 1.5", "true" },
		{ "-1 > -1.5", "true" },
		{ "2 > 1.5 and 1.5 > 1", "true" },
		{ "0.1 = decimal", "true" },
		{ "1 in [0, 1.0]", "true" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(comparisons_know_their_types)
{
	static const struct expression_case cases[] = {
		{ "amount > 100", "true" },     { "amount >= 150", "true" },   { "amount < 150", "false" },
		{ "amount <= 150", "true" },    { "amount == 150", "true" },   { "amount <> 150", "false" },
		{ "amount != 151", "true" },    { "name = 'Zoë'", "true" },    { "'a' < 'b'", "true" },
		{ "'F' > 'D'", "true" },         { "'F' < 'D'", "false" },
		{ "'a' < 'ab'", "true" },       { "'b' >= 'ab'", "true" },     { "'' < 'a'", "true" },
		{ "1 = '1'", "false" },         { "1 != '1'", "true" },        { "yes = 1", "false" },
		{ "tags = ['a', 'b', null]", "true" },
		{ "ts > time('2023-11-14T22:13:20Z')", "true" },
		{ "ts = @time", "false" },
		{ "name < 1", "reject: cannot order text and integer at column 6" },
		{ "yes < no", "reject: cannot order bool and bool at column 5" },
		{ "tags > 1", "reject: cannot order list and integer at column 6" },
		{ "1 in 'abc'", "error: \"in\" needs a list on its right, not text at column 3" },
		{ "'b' in tags", "true" },
		{ "'c' in tags", "null" },
		{ "'c' in [name, 'c']", "true" },
		{ "amount and yes", "reject: \"and\" needs true or false, not integer at column 8" },
		{ "no or name", "reject: \"or\" needs true or false, not text at column 4" },
		{ "not name", "reject: \"not\" needs true or false, not text at column 1" },
		{ "name + 1", "reject: \"+\" takes no text and integer at column 6" },
		{ "yes * 2", "reject: \"*\" takes no bool and integer at column 5" },
		{ "-name", "reject: \"-\" takes no text at column 1" },
		{ "name + '!' + name", "'Zoë!Zoë'" },
		{ "empty + empty", "''" },
		{ "ts + 1", "1700000000123457 us" },
		{ "ts - 1000000", "1699999999123456 us" },
		{ "ts - ts", "0" },
		{ "ts + ts", "reject: \"+\" takes no time and time at column 4" },
		{ "1 - ts", "reject: \"-\" takes no integer and time at column 3" },
		{ "name like 'Z_ë'", "true" },  { "name like 'Z%'", "true" },  { "name not like '%o'", "true" },
		{ "name like 'Z__'", "true" },  { "name like 'Z___'", "false" }, { "'a%b' like 'a\\%b'", "true" },
		{ "'axb' like 'a\\%b'", "false" }, { "'' like '%'", "true" },  { "'' like '_'", "false" },
		{ "'aXbXc' like '%X%X%'", "true" }, { "'mississippi' like '%iss%ppi'", "true" },
		{ "'mississippi' like '%iss%ppx'", "false" }, { "'abc' like 'abc'", "true" }, { "'abc' like 'ab'", "false" },
		{ "amount like 'x'", "reject: \"like\" takes no integer and text at column 8" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(functions_give_what_the_docs_say)
{
	static const struct expression_case cases[] = {
		{ "abs(-3)", "3" }, { "abs(-2.5)", "2.5 real" }, { "abs(decimal)", "source 0.10" },
		{ "min(3, 1, 2)", "1" }, { "max(3, 1.5)", "3" }, { "max('a', 'b')", "'b'" }, { "min(7)", "7" },
		{ "max(amount, 'x')", "reject: cannot order text and integer at column 1" },
		{ "round(2.5)", "3" }, { "round(-2.5)", "-3" }, { "round(7)", "7" }, { "round(2.345, 1)", "2.2999999999999998 real" },
		{ "round(1e300)", "1.0000000000000001e+300 real" }, { "round(7, 2)", "7" },
		{ "round(ratio, 99)", "reject: round() takes 0 to 15 digits as an integer at column 1" },
		{ "floor(-1.5)", "-2" }, { "ceil(-1.5)", "-1" }, { "floor(ratio)", "2" }, { "ceil(ratio)", "3" },
		{ "floor(name)", "reject: floor() takes no text at column 1" },
		{ "sqrt(9)", "3 real" }, { "sqrt(-amount)", "reject: sqrt() takes no negative number at column 1" },
		{ "ln(1)", "0 real" }, { "ln(amount - 150)", "reject: ln() takes positive numbers only at column 1" },
		{ "length(name)", "3" }, { "length(tags)", "3" }, { "length(user)", "3" }, { "length(empty)", "0" },
		{ "length(amount)", "reject: length() takes no integer at column 1" },
		{ "lower('AbC-É')", "'abc-É'" }, { "upper(name)", "'ZOë'" }, { "trim('  a b\t')", "'a b'" }, { "trim('  ')", "''" },
		{ "substr('hello', 2)", "'ello'" }, { "substr('hello', 2, 3)", "'ell'" }, { "substr('hello', -3)", "'llo'" },
		{ "substr('hello', -99, 2)", "'he'" }, { "substr('hello', 99)", "''" }, { "substr(name, 3, 1)", "'ë'" },
		{ "substr('hello', 1, -1)", "''" }, { "substr('hello', 0, 1)", "'h'" },
		{ "contains('hello', 'ell')", "true" }, { "contains('hello', 'elx')", "false" }, { "contains('aab', 'ab')", "true" },
		{ "contains('', '')", "true" }, { "contains('a', 'aa')", "false" },
		{ "contains(tags, 'b')", "true" }, { "contains(tags, 'x')", "false" },
		{ "contains(amount, 'x')", "reject: contains() takes no integer and text at column 1" },
		{ "starts_with(name, 'Zo')", "true" }, { "starts_with('a', 'ab')", "false" },
		{ "ends_with(name, 'ë')", "true" }, { "ends_with('ab', 'a')", "false" },
		{ "coalesce(missing, nothing, 5, 6)", "5" }, { "coalesce(missing)", "null" }, { "coalesce(1, amount + name)", "1" },
		{ "if(yes, 1, 2)", "1" }, { "if(nothing, 1, 2)", "2" }, { "if(no, 1)", "null" }, { "if(no, amount + name, 2)", "2" },
		{ "if(amount, 1, 2)", "reject: if() needs true or false, not integer at column 1" },
		{ "text(12)", "'12'" }, { "text(0.1)", "'0.1'" }, { "text(decimal)", "'0.10'" }, { "text(yes)", "'true'" },
		{ "text(ts)", "'2023-11-14T22:13:20.123456Z'" }, { "text(name)", "'Zoë'" },
		{ "text(tags)", "reject: text() takes no list at column 1" },
		{ "integer('42')", "42" }, { "integer('-42')", "-42" }, { "integer(2.9)", "2" }, { "integer(-2.9)", "-2" },
		{ "integer(true)", "1" }, { "integer(ts)", "1700000000123456" },
		{ "integer(name)", "reject: integer() cannot read the text \"Zoë\" at column 1" },
		{ "integer(' 1')", "error: integer() cannot read the text \" 1\" at column 1" },
		{ "integer('9223372036854775808')", "error: integer() cannot read the text \"9223372036854775808\" at column 1" },
		{ "integer(huge)", "reject: integer() overflows an integer of 64 bits at column 1" },
		{ "real('2.5')", "2.5 real" }, { "real(2)", "2 real" }, { "real(decimal)", "source 0.10" },
		{ "real('nan')", "error: real() cannot read the text \"nan\" at column 1" },
		{ "time('1970-01-01T00:00:01Z')", "1000000 us" }, { "time('1970-01-01T01:00:00.5+01:00')", "500000 us" },
		{ "time('2024-02-29 00:00:00Z')", "1709164800000000 us" }, { "time(1700000000, 's')", "1700000000000000 us" },
		{ "time(1500, 'ms')", "1500000 us" }, { "time(1500, 'ns')", "1 us" }, { "time(5)", "5 us" },
		{ "time('1969-12-31T23:59:59Z')", "-1000000 us" },
		{ "time('2023-02-29T00:00:00Z')",
		  "error: time() cannot read the text \"2023-02-29T00:00:00Z\", expected one like 2026-01-31T12:00:00Z at column 1" },
		{ "time(amount, 'h')", "reject: time() knows the units s, ms, us and ns at column 1" },
		{ "time(most, 's')", "reject: time() overflows an integer of 64 bits at column 1" },
		{ "text(time('1600-02-29T12:34:56.000001Z'))", "'1600-02-29T12:34:56.000001Z'" },
		{ "hour(ts)", "22" }, { "hour(time('1969-12-31T23:00:00Z'))", "23" }, { "weekday(ts)", "2" }, { "weekday(@time)", "4" },
		{ "weekday(time('1969-12-28T00:00:00Z'))", "7" }, { "hour(amount)", "reject: hour() takes no integer at column 1" },
		{ "type(amount)", "'integer'" }, { "type(missing)", "null" }, { "type(tags)", "'list'" },
	};

	RUN_CASES(cases);
}
END_TEST

START_TEST(mistakes_are_told_with_their_column)
{
	static const struct expression_case cases[] = {
		{ "", "error: expected a value at column 1, found the end" },
		{ "amount >", "error: expected a value at column 9, found the end" },
		{ "amount > )", "error: expected a value at column 10, found )" },
		{ "amount 100", "error: expected an operator at column 8, found 100" },
		{ "(1 + 2", "error: expected \")\" at column 7, found the end" },
		{ "[1, 2", "error: expected \",\" or \"]\" at column 6, found the end" },
		{ "[1,]", "error: expected a value at column 4, found ]" },
		{ "min(1 2)", "error: expected \",\" or \")\" at column 7, found 2" },
		{ "1 < 2 < 3", "error: expected \"and\" or \"or\", since comparisons cannot be chained, at column 7, found <" },
		{ "name is 5", "error: expected \"null\" or \"not null\" at column 9, found 5" },
		{ "name is not 5", "error: expected \"null\" at column 13, found 5" },
		{ "name not 5", "error: expected \"in\" or \"like\" at column 10, found 5" },
		{ "user.", "error: expected a field's name behind \".\" at column 6, found the end" },
		{ "user.'x'", "error: expected a field's name behind \".\" at column 6, found 'x'" },
		{ "``", "error: expected a field's name in the backticks at column 1, found ``" },
		{ "'open", "error: text at column 1 has no closing '" },
		{ "1 = `open", "error: name at column 5 has no closing `" },
		{ "12abc", "error: \"12abc\" at column 1 is not a number" },
		{ "9223372036854775808", "error: expected an integer up to 9223372036854775807 at column 1, found 9223372036854775808" },
		{ "99999999999999999999", "error: integer 99999999999999999999 at column 1 is out of range, 64 bits at most" },
		{ "1e999", "error: real 1e999 at column 1 is out of range, 64 bits at most" },
		{ "a && b", "error: unexpected \"&&\" at column 3; write \"and\"" },
		{ "a || b", "error: unexpected \"||\" at column 3; write \"or\"" },
		{ "!a", "error: unexpected \"!\" at column 1; write \"not\"" },
		{ "a ? b", "error: unexpected \"?\" at column 3" },
		{ "@nope", "error: expected @key, @time, @offset or @partition at column 1, found @nope" },
		{ "@ key", "error: expected a name behind \"@\" at column 1" },
		{ "lenght(name)", "error: there is no function \"lenght\" at column 1; did you mean \"length\"?" },
		{ "zzzzzz(name)", "error: there is no function \"zzzzzz\" at column 1" },
		{ "abs()", "error: abs() at column 1 has 0 arguments, it takes 1" },
		{ "if(yes)", "error: if() at column 1 has 1 arguments, it takes 2 to 3" },
		{ "`abs`(1)", "error: expected an operator at column 6, found (" },
		{ "größe +", "error: expected a value at column 8, found the end" },
		{ "'ë' + 'ë' )", "error: expected an operator at column 11, found )" },
		{ "1 + 'a'", "error: \"+\" takes no integer and text at column 3" },
		{ "and", "error: expected a value at column 1, found and" },
	};

	RUN_CASES(cases);
}
END_TEST

static void repeat(char *out, const char *s, int times)
{
	for (*out = '\0'; times > 0; times--)
		out = stpcpy(out, s);
}

START_TEST(size_and_depth_have_limits)
{
	static char long_text[40000];
	char found[LEAT_ERROR_TEXT + 16];

	arena = leat_arena_create();
	symbols = leat_symbols_create();
	repeat(long_text, "(", 65);
	run_case(long_text, found, sizeof found);
	ck_assert_str_eq(found, "error: nested deeper than 64 at column 66");
	repeat(long_text, "not ", 65);
	run_case(long_text, found, sizeof found);
	ck_assert_str_eq(found, "error: nested deeper than 64 at column 261");
	repeat(long_text, "-(", 40);
	run_case(long_text, found, sizeof found);
	ck_assert_ptr_nonnull(strstr(found, "nested deeper than 64"));
	repeat(long_text, "amount + ", 300);
	strcat(long_text, "1");
	run_case(long_text, found, sizeof found);
	ck_assert_ptr_nonnull(strstr(found, "more than 256 operations on top of each other"));
	repeat(long_text, "amount + ", 200);
	strcat(long_text, "1");
	run_case(long_text, found, sizeof found);
	ck_assert_str_eq(found, "30001");
	repeat(long_text, "no or ", 2000);
	strcat(long_text, "yes");
	run_case(long_text, found, sizeof found);
	ck_assert_str_eq(found, "true");
	repeat(long_text, " ", 16385);
	run_case(long_text, found, sizeof found);
	ck_assert_str_eq(found, "error: expression of 16385 bytes is too long, 16384 at most");
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_record_without_origin_or_time_has_null_pseudo_fields)
{
	const struct leat_expression *expression;
	struct leat_record record = { .time_us = LEAT_NO_TIME, .origin = { LEAT_NO_SOURCE, 0, 0 } };
	struct leat_value value;

	arena = leat_arena_create();
	symbols = leat_symbols_create();
	ck_assert_int_eq(leat_expression_compile(arena, symbols,
	                                         "@key is null and @time is null and @offset is null and @partition is null and x is null",
	                                         &expression, NULL), LEAT_OK);
	ck_assert_int_eq(leat_expression_evaluate(expression, &record, arena, &value, NULL), LEAT_OK);
	ck_assert(value.type == LEAT_BOOL && value.as.boolean);
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}
END_TEST

/* Any bytes at all: an answer, or a reason that names a column, and never a crash. */
START_TEST(no_text_makes_the_compiler_stumble)
{
	static const char *const pieces[] = { "(", ")", "[", "]", ",", ".", "1", "9e9", "'a'", "a", "@key", " and ", " or ", " not ", "-",
		                              "*", "/", "//", "%", "=", "<", " in ", " is ", " null ", " like ", "if(", "min(", "`x`",
		                              "'", "\"", "`", "\xff", "$", "!" };
	uint64_t state = 1;
	int n_good = 0;

	arena = leat_arena_create();
	symbols = leat_symbols_create();
	for (int i = 0; i < 100000; i++) {
		const struct leat_expression *expression = NULL;
		struct leat_error err = { 0 };
		char program[256] = "";
		enum leat_status status;

		state = state * 6364136223846793005u + 1442695040888963407u;
		for (uint64_t n = (state >> 33) % 12 + 1; n > 0; n--) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			strcat(program, pieces[(state >> 33) % (sizeof pieces / sizeof pieces[0])]);
		}
		status = leat_expression_compile(arena, symbols, program, &expression, &err);
		n_good += status == LEAT_OK;
		ck_assert_msg(status == LEAT_OK || (status == LEAT_FATAL && strstr(err.text, "column ") != NULL), "%s: %s", program, err.text);
	}
	ck_assert_int_gt(n_good, 1000);
	leat_symbols_destroy(symbols);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(every_function_is_in_the_docs)
{
	char path[4096], docs[65536], word[64];
	FILE *in;
	size_t n;

	ck_assert_ptr_nonnull(getenv("LEAT_SOURCE"));
	(void)snprintf(path, sizeof path, "%s/docs/expressions.md", getenv("LEAT_SOURCE"));
	in = fopen(path, "r");
	ck_assert_ptr_nonnull(in);
	n = fread(docs, 1, sizeof docs - 1, in);
	fclose(in);
	docs[n] = '\0';
	for (const struct leat_function *f = leat_functions; f->name != NULL; f++) {
		(void)snprintf(word, sizeof word, "`%s(", f->name);
		ck_assert_msg(strstr(docs, word) != NULL, "the docs lack %s()", f->name);
	}
}
END_TEST

int main(void)
{
	return leat_test_main("expression", (const TTest *[]){ literals_are_what_they_say,
	                                                       fields_are_found_by_path_and_null_when_missing,
	                                                       logic_has_three_values,
	                                                       precedence_is_as_in_sql,
	                                                       numbers_are_exact_or_refused,
	                                                       comparisons_know_their_types,
	                                                       functions_give_what_the_docs_say,
	                                                       mistakes_are_told_with_their_column,
	                                                       size_and_depth_have_limits,
	                                                       a_record_without_origin_or_time_has_null_pseudo_fields,
	                                                       no_text_makes_the_compiler_stumble,
	                                                       every_function_is_in_the_docs,
	                                                       NULL });
}
