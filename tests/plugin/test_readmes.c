/* SPDX-License-Identifier: Apache-2.0 */
/* The option table in a plugin's README is the one that `leat inspect` prints. */
#include <glob.h>
#include <string.h>

#include "base/memory.h"
#include "plugin/inspect.h"
#include "unit/unit.h"

/* What a build may leave out. */
static const char *const optional[] = { "kafka", "postgres", "redis", NULL };
/* kafka's README has no table, shared is no plugin. */
static const char *const without_table[] = { "kafka", "shared", NULL };

static bool is_among(const char *const *names, const char *name)
{
	while (*names != NULL && strcmp(*names, name) != 0)
		names++;
	return *names != NULL;
}

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

static void compare(const struct leat_loaded *loaded, const char *path)
{
	char *table = NULL, *readme;
	size_t n = 0;
	FILE *out = open_memstream(&table, &n);

	leat_inspect_plugin_markdown(loaded, out);
	fclose(out);
	readme = read_file(path);
	ck_assert_msg(strstr(readme, table) != NULL, "%s lacks this table:\n%s", path, table);
	free(readme);
	free(table);
}

/* plugins/NAME/README.md */
static void look_at(const struct leat_registry *registry, const char *path, size_t name_at)
{
	char name[64];
	const struct leat_loaded *loaded;

	(void)snprintf(name, sizeof name, "%.*s", (int)strcspn(path + name_at, "/"), path + name_at);
	loaded = leat_registry_find(registry, name);
	if (is_among(without_table, name))
		return;
	ck_assert_msg(loaded != NULL || is_among(optional, name), "plugin %s is not there", name);
	if (loaded != NULL)
		compare(loaded, path);
}

START_TEST(the_table_of_options_is_that_of_leat_inspect)
{
	struct leat_registry *registry = leat_registry_create();
	char *pattern = leat_format_text("%s/plugins/*/README.md", getenv("LEAT_SOURCE"));
	glob_t found;

	ck_assert_ptr_nonnull(getenv("LEAT_SOURCE"));
	ck_assert_ptr_nonnull(getenv("LEAT_PLUGIN_PATH"));
	leat_registry_load_folders(registry, getenv("LEAT_PLUGIN_PATH"));
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	ck_assert_uint_gt(found.gl_pathc, 10);
	for (size_t i = 0; i < found.gl_pathc; i++)
		look_at(registry, found.gl_pathv[i], strlen(getenv("LEAT_SOURCE")) + strlen("/plugins/"));
	globfree(&found);
	free(pattern);
	leat_registry_destroy(registry);
}
END_TEST

int main(void)
{
	return leat_test_main("readmes", (const TTest *[]){ the_table_of_options_is_that_of_leat_inspect, NULL });
}
