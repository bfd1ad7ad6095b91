/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "data/json.h"
#include "plugin/inspect.h"
#include "unit/fixture.h"
#include "unit/unit.h"

static struct leat_registry *load(void)
{
	struct leat_registry *registry = leat_registry_create();
	struct leat_error err;

	ck_assert_msg(leat_registry_load(registry, fixture("good"), &err) == LEAT_OK, "%s", err.text);
	ck_assert_int_ne(leat_registry_load(registry, fixture("wrong_abi"), &err), LEAT_OK);
	return registry;
}

typedef void print_registry(const struct leat_registry *registry, FILE *out);
typedef void print_plugin(const struct leat_loaded *loaded, FILE *out);

static char *print_all(print_registry *print)
{
	struct leat_registry *registry = load();
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(out);
	print(registry, out);
	(void)fclose(out);
	leat_registry_destroy(registry);
	return text;
}

/* Its path is where this tree was built, which is another place every time. */
static char *print_good(print_plugin *print)
{
	struct leat_registry *registry = load();
	struct leat_loaded loaded = *leat_registry_find(registry, "good");
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(out);
	loaded.path = "/usr/lib/leat/plugins/good.so";
	print(&loaded, out);
	(void)fclose(out);
	leat_registry_destroy(registry);
	return text;
}

START_TEST(a_plugin_is_told_about_in_text)
{
	char *text = print_good(leat_inspect_plugin);

	ck_assert_str_eq(text, "good 1.0: Does nothing, without fault.\n"
	                       "  file     /usr/lib/leat/plugins/good.so\n"
	                       "  licence  Apache-2.0\n"
	                       "\n"
	                       "good operator\n"
	                       "  options\n"
	                       "    most                How many | at most.\n"
	                       "                        integer, 1 to 100; default 10\n"
	                       "    password            What opens the door.\n"
	                       "                        text, secret: or the path of a file that holds it as password_file; required\n"
	                       "    start               Where to begin.\n"
	                       "                        one of earliest, latest; default latest\n"
	                       "  ports\n"
	                       "    out, late; dead\n"
	                       "  tables\n"
	                       "    sums                Sums by key.\n"
	                       "                        fixed, version 2, 16 bytes: count total\n"
	                       "    last                value\n"
	                       "                        value, version 1\n");
	free(text);
}
END_TEST

START_TEST(the_table_of_a_readme_has_a_row_for_every_option)
{
	char *text = print_good(leat_inspect_plugin_markdown);

	ck_assert_str_eq(text, "| option | type | default | what it does |\n"
	                       "|---|---|---|---|\n"
	                       "| `most` | integer, 1 to 100 | `10` | How many \\| at most. |\n"
	                       "| `password` or `password_file` | text | required | What opens the door. |\n"
	                       "| `start` | one of earliest, latest | `latest` | Where to begin. |\n");
	free(text);
}
END_TEST

START_TEST(the_list_names_what_was_refused_and_why)
{
	char *text = print_all(leat_inspect_list);

	ck_assert_ptr_nonnull(strstr(text, "good         1.0      operator               Does nothing, without fault.\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nrefused:\n"));
	ck_assert_ptr_nonnull(strstr(text, "wrong_abi.so: its interface is version 99, this host speaks 1\n"));
	free(text);
}
END_TEST

/* ---- JSON ----------------------------------------------------------------------------------------------------------- */

struct parsed {
	struct leat_arena *arena;
	struct leat_symbols *symbols;
	struct leat_json *json;
	struct leat_value value;
};

static struct parsed parse(char *text)
{
	struct parsed p = { .arena = leat_arena_create(), .symbols = leat_symbols_create() };
	size_t n = strlen(text);
	char *padded = leat_arena_allocate(p.arena, n + LEAT_CODEC_PADDING);
	struct leat_error err;

	memcpy(padded, text, n);
	memset(padded + n, 0, LEAT_CODEC_PADDING);
	p.json = leat_json_create(p.symbols);
	ck_assert_msg(leat_json_decode(p.json, p.arena, padded, n, &p.value, &err) == LEAT_OK, "%s in\n%s", err.text, text);
	free(text);
	return p;
}

static void finish(struct parsed *p)
{
	leat_json_destroy(p->json);
	leat_symbols_destroy(p->symbols);
	leat_arena_unref(p->arena);
}

/* Follows names and, in lists, numbers. */
static const struct leat_value *at(const struct leat_value *v, const char *path)
{
	char part[64];

	while (v != NULL && *path != '\0') {
		size_t n = strcspn(path, "/");

		memcpy(part, path, n);
		part[n] = '\0';
		path += n + (path[n] == '/');
		if (v->type == LEAT_LIST)
			v = (uint32_t)atoi(part) < v->as.list->n ? &v->as.list->item[atoi(part)] : NULL;
		else
			v = leat_map_find(v, part, n);
	}
	return v;
}

START_TEST(a_plugin_is_told_about_in_json)
{
	struct parsed p = parse(print_good(leat_inspect_plugin_json));
	const struct leat_value *options = at(&p.value, "roles/operator/options");

	ck_assert(leat_text_equals(at(&p.value, "name"), "good"));
	ck_assert_ptr_nonnull(options);
	ck_assert_uint_eq(options->n, 3);
	ck_assert(leat_text_equals(at(options, "0/name"), "most"));
	ck_assert_int_eq(at(options, "0/maximum")->as.integer, 100);
	ck_assert(at(options, "1/secret")->as.boolean);
	ck_assert(leat_text_equals(at(options, "2/choices/1"), "latest"));
	ck_assert(leat_text_equals(at(&p.value, "roles/operator/ports/1"), "late"));
	ck_assert_int_eq(at(&p.value, "roles/operator/tables/0/fields/1/offset")->as.integer, 8);
	finish(&p);
}
END_TEST

START_TEST(the_list_in_json_holds_plugins_and_refused_files)
{
	struct parsed p = parse(print_all(leat_inspect_list_json));

	ck_assert(leat_text_equals(at(&p.value, "plugins/0/name"), "good"));
	ck_assert(leat_text_equals(at(&p.value, "refused/0/reason"), "its interface is version 99, this host speaks 1"));
	finish(&p);
}
END_TEST

START_TEST(the_schema_knows_the_options_of_every_plugin)
{
	struct parsed p = parse(print_all(leat_inspect_schema));
	const struct leat_value *good = at(&p.value, "$defs/operator.good");

	ck_assert_ptr_nonnull(good);
	ck_assert(leat_text_equals(at(good, "properties/type/const"), "good"));
	ck_assert_ptr_nonnull(at(good, "properties/password_file"));
	ck_assert_int_eq(at(good, "properties/most/default")->as.integer, 10);
	ck_assert(!at(good, "additionalProperties")->as.boolean);
	ck_assert(leat_text_equals(at(&p.value, "properties/operators/additionalProperties/allOf/0/then/$ref"),
	                           "#/$defs/operator.good"));
	finish(&p);
}
END_TEST

/* For tests/unit/schema.py, which asks an independent validator. Not a test, so nothing of Check's works here. */
static int print_schema(void)
{
	struct leat_registry *registry = leat_registry_create();
	struct leat_error err;
	enum leat_status status = leat_registry_load(registry, fixture("good"), &err);

	if (status == LEAT_OK)
		leat_inspect_schema(registry, stdout);
	else
		(void)fprintf(stderr, "%s\n", err.text);
	leat_registry_destroy(registry);
	return status == LEAT_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "schema") == 0)
		return print_schema();
	return leat_test_main("inspect", (const TTest *[]){
		a_plugin_is_told_about_in_text,
		the_table_of_a_readme_has_a_row_for_every_option,
		the_list_names_what_was_refused_and_why,
		a_plugin_is_told_about_in_json,
		the_list_in_json_holds_plugins_and_refused_files,
		the_schema_knows_the_options_of_every_plugin,
		NULL,
	});
}
