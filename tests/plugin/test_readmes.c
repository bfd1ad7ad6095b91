/* SPDX-License-Identifier: Apache-2.0 */
/* The option table in a plugin's README is the one that `leat inspect` prints. */
#include <string.h>

#include "base/memory.h"
#include "plugin/inspect.h"
#include "unit/unit.h"

static const char *const plugins[] = {
	"aggregate", "anomaly", "dedup", "discard", "file", "filter", "flatten", "generate", "join",
	"map", "route", "sample", "sessionize", "sort", "stdout", "template", "throttle", "topn",
	"window", NULL,
};
static const char *const plugins[] = { "aggregate", "dedup",    "discard", "file",     "filter",
	                               "flatten",   "generate", "map",     "route",    "sample",
	                               "sessionize", "sort",    "stdout",  "template", "throttle", NULL };
	                               "generate",  "join",     "map",      "stdout",  "template",
	                               "window",    NULL };
static const char *const plugins[] = { "aggregate", "dedup",    "discard", "enrich", "file",     "filter",
	                               "generate",  "join",     "map",      "stdout",  "template", NULL };
static const char *const plugins[] = { "aggregate", "dedup", "discard", "file", "filter", "flatten",
	                               "generate", "join", "map", "route", "sample", "sessionize", "sort",
	                               "stdout", "template", "throttle", "window", NULL };
/* Those that a build may leave out; kafka's README has no table. */
static const char *const optional[] = { "postgres", "redis", NULL };

static char *read_file(const char *path)
{
	FILE *in = fopen(path, "r");
	char *text = leat_allocate_bytes(65536);
	size_t n;

	ck_assert_msg(in != NULL, "cannot read %s", path);
	n = fread(text, 1, 65535, in);
	text[n] = '\0';
	fclose(in);
	return text;
}

static void compare(const struct leat_loaded *loaded, const char *name)
{
	char *path = leat_format_text("%s/plugins/%s/README.md", getenv("LEAT_SOURCE"), name), *table = NULL, *readme;
	size_t n = 0;
	FILE *out = open_memstream(&table, &n);

	leat_inspect_plugin_markdown(loaded, out);
	fclose(out);
	readme = read_file(path);
	ck_assert_msg(strstr(readme, table) != NULL, "%s lacks this table:\n%s", path, table);
	free(readme);
	free(table);
	free(path);
}

START_TEST(the_table_of_options_is_that_of_leat_inspect)
{
	struct leat_registry *registry = leat_registry_create();

	ck_assert_ptr_nonnull(getenv("LEAT_SOURCE"));
	ck_assert_ptr_nonnull(getenv("LEAT_PLUGIN_PATH"));
	leat_registry_load_folders(registry, getenv("LEAT_PLUGIN_PATH"));
	for (const char *const *name = plugins; *name != NULL; name++) {
		const struct leat_loaded *loaded = leat_registry_find(registry, *name);

		ck_assert_msg(loaded != NULL, "plugin %s is not there", *name);
		compare(loaded, *name);
	}
	for (const char *const *name = optional; *name != NULL; name++)
		if (leat_registry_find(registry, *name) != NULL)
			compare(leat_registry_find(registry, *name), *name);
	leat_registry_destroy(registry);
}
END_TEST

int main(void)
{
	return leat_test_main("readmes", (const TTest *[]){ the_table_of_options_is_that_of_leat_inspect, NULL });
}
