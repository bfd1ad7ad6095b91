/* SPDX-License-Identifier: Apache-2.0 */
#include "data/path.h"
#include "unit/unit.h"

static const struct {
	const char *text;
	const char *names[4];
} good[] = {
	{"user", {"user"}},
	{"user.address.city", {"user", "address", "city"}},
	{"_x-1.y$2", {"_x-1", "y$2"}},
	{"\"a.b\".c", {"a.b", "c"}},
	{"a.\"quote \\\" and \\\\ slash\"", {"a", "quote \" and \\ slash"}},
	{"\"\"", {""}},
	{"stra\xc3\x9f"
	 "e.x",
	 {"stra\xc3\x9f"
	  "e",
	  "x"}},
	{"\"\\n\"", {"\\n"}},
};

static const struct {
	const char *text;
	const char *reason;
} bad[] = {
	{"", "field \"\": a name is missing at column 1"},
	{".", "field \".\": a name is missing at column 1"},
	{"a.", "field \"a.\": a name is missing at column 3"},
	{"a..b", "field \"a..b\": a name is missing at column 3"},
	{"a b", "field \"a b\": something that is neither a name nor a dot (odd names go in quotes) at column 2"},
	{" a", "field \" a\": a name is missing at column 1"},
	{"$", "field \"$\": a name is missing at column 1"},
	{"1a", "field \"1a\": a name is missing at column 1"},
	{"a[0]", "field \"a[0]\": something that is neither a name nor a dot (odd names go in quotes) at column 2"},
	{"a.\"b", "field \"a.\"b\": a quote that is not closed at column 3"},
	{"a.\"b\\\"", "field \"a.\"b\\\"\": a quote that is not closed at column 3"},
	{"\"a\"b", "field \"\"a\"b\": something that is neither a name nor a dot (odd names go in quotes) at column 4"},
	{"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a",
	 "field \"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a\": more than 32 names at column 65"},
};

START_TEST(a_path_is_the_symbols_of_its_names)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_arena *arena = leat_arena_create();
	const struct leat_path *path;
	struct leat_error err;
	size_t i;
	uint32_t j;

	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		ck_assert_msg(leat_path_compile(arena, symbols, good[i].text, &path, &err) == LEAT_OK, "%s", err.text);
		ck_assert_str_eq(path->text, good[i].text);
		for (j = 0; j < path->n; j++)
			ck_assert_str_eq(leat_symbols_name(symbols, path->symbol[j], NULL), good[i].names[j]);
		ck_assert_ptr_null(good[i].names[j]);
	}
	leat_arena_unref(arena);
	leat_symbols_destroy(symbols);
}
END_TEST

START_TEST(what_is_no_path_is_refused_with_its_column)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_arena *arena = leat_arena_create();
	const struct leat_path *path = NULL;
	struct leat_error err;
	size_t i;

	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		ck_assert_int_eq(leat_path_compile(arena, symbols, bad[i].text, &path, &err), LEAT_FATAL);
		ck_assert_str_eq(err.text, bad[i].reason);
		ck_assert_ptr_null(path);
	}
	leat_arena_unref(arena);
	leat_symbols_destroy(symbols);
}
END_TEST

int main(void)
{
	return leat_test_main("path", (const TTest *[]){
		a_path_is_the_symbols_of_its_names,
		what_is_no_path_is_refused_with_its_column,
		NULL,
	});
}
