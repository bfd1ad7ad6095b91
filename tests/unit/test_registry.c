/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin/registry.h"
#include "plugin/validate.h"
#include "unit/fixture.h"
#include "unit/unit.h"

static char folder[] = "/tmp/leat-test-XXXXXX";

static void copy_file(const char *from, const char *to, mode_t mode)
{
	FILE *in = fopen(from, "rb");
	FILE *out = fopen(to, "wb");
	char bytes[8192];
	size_t n;

	ck_assert_ptr_nonnull(in);
	ck_assert_ptr_nonnull(out);
	while ((n = fread(bytes, 1, sizeof bytes, in)) > 0)
		ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
	(void)fclose(in);
	ck_assert_int_eq(fclose(out), 0);
	ck_assert_int_eq(chmod(to, mode), 0);
}

/* Copies a fixture into the scratch folder under another name. */
static const char *copy_fixture(const char *name, const char *as, mode_t mode)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, as);
	copy_file(fixture(name), path, mode);
	return path;
}

static void assert_refused(const char *path, const char *reason)
{
	struct leat_registry *registry = leat_registry_create();
	const struct leat_refused *refused;
	struct leat_error err;
	char expected[LEAT_ERROR_TEXT];

	ck_assert_int_ne(leat_registry_load(registry, path, &err), LEAT_OK);
	(void)snprintf(expected, sizeof expected, "could not load plugin \"%s\": ", strrchr(path, '/') + 1);
	ck_assert_msg(strncmp(err.text, expected, strlen(expected)) == 0, "%s", err.text);
	ck_assert_msg(strstr(err.text, reason) != NULL, "%s", err.text);
	ck_assert_uint_eq(leat_registry_refused(registry, &refused), 1);
	ck_assert_str_eq(refused->path, path);
	ck_assert_str_eq(refused->reason, err.text + strlen(expected));
	leat_registry_destroy(registry);
}

START_TEST(a_good_plugin_is_loaded_and_found)
{
	struct leat_registry *registry = leat_registry_create();
	const struct leat_loaded *loaded;
	struct leat_error err;

	ck_assert_msg(leat_registry_load(registry, fixture("good"), &err) == LEAT_OK, "%s", err.text);
	loaded = leat_registry_find(registry, "good");
	ck_assert_ptr_nonnull(loaded);
	ck_assert_str_eq(loaded->path, fixture("good"));
	ck_assert_str_eq(loaded->plugin->version, "1.0");
	ck_assert_ptr_null(leat_registry_find(registry, "bad"));
	leat_registry_destroy(registry);
}
END_TEST

START_TEST(a_plugin_of_another_interface_or_size_is_refused_with_both_numbers)
{
	char expected[128];

	assert_refused(fixture("wrong_abi"), "its interface is version 99, this host speaks 1");
	(void)snprintf(expected, sizeof expected, "its struct leat_record has 40 bytes, this host's has %zu",
	               sizeof(struct leat_record));
	assert_refused(fixture("wrong_size"), expected);
}
END_TEST

START_TEST(a_file_that_is_no_plugin_is_refused_in_the_words_of_the_loader)
{
	char path[64];
	FILE *out;

	assert_refused(fixture("no_symbol"), "it exports no symbol \"leat_plugin\" (");
	assert_refused(fixture("unresolved"), "undefined symbol: a_function_that_is_nowhere");
	assert_refused("/nowhere/x.so", "could not find it: No such file or directory");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(path, sizeof path, "%s/text.so", folder);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	for (size_t i = 0; i < 100; i++)
		(void)fputs("this is a text, long enough to look for a header in\n", out);
	(void)fclose(out);
	ck_assert_int_eq(chmod(path, 0644), 0);
	assert_refused(path, "invalid ELF header");
	remove_scratch(folder);
}
END_TEST

START_TEST(a_plugin_with_a_faulty_table_is_refused)
{
	assert_refused(fixture("no_prose"), "its operator's option \"most\" has no prose");
	assert_refused(fixture("no_callback"), "its sink has no claim()");
}
END_TEST

START_TEST(a_file_that_others_may_write_is_refused)
{
	ck_assert_ptr_nonnull(mkdtemp(folder));
	assert_refused(copy_fixture("good", "world.so", 0646), "it may be written by others (mode 0646)");
	assert_refused(copy_fixture("good", "group.so", 0664), "it may be written by its group (mode 0664)");
	remove_scratch(folder);
}
END_TEST

START_TEST(a_folder_that_others_may_write_is_refused_even_when_it_is_sticky)
{
	const char *path;
	char expected[128];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = copy_fixture("good", "good.so", 0644);
	ck_assert_int_eq(chmod(folder, 01777), 0);
	(void)snprintf(expected, sizeof expected, "its folder \"%s\" may be written by others (mode 1777)", folder);
	assert_refused(path, expected);
	remove_scratch(folder);
}
END_TEST

START_TEST(a_folder_further_up_is_refused_unless_it_is_sticky)
{
	struct leat_registry *registry = leat_registry_create();
	struct leat_error err;
	char inner[64];
	char path[80];
	char expected[128];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(inner, sizeof inner, "%s/inner", folder);
	(void)snprintf(path, sizeof path, "%s/good.so", inner);
	ck_assert_int_eq(mkdir(inner, 0755), 0);
	copy_file(fixture("good"), path, 0644);
	ck_assert_int_eq(chmod(folder, 0777), 0);
	(void)snprintf(expected, sizeof expected, "its folder \"%s\" may be written by others (mode 0777)", folder);
	assert_refused(path, expected);
	ck_assert_int_eq(chmod(folder, 01777), 0);
	ck_assert_msg(leat_registry_load(registry, path, &err) == LEAT_OK, "%s", err.text);
	leat_registry_destroy(registry);
	remove_scratch(folder);
}
END_TEST

START_TEST(a_file_of_another_user_is_refused)
{
	const char *path;

	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = copy_fixture("good", "theirs.so", 0644);
	ck_assert_int_eq(chown(path, 65534, (gid_t)-1), 0);
	assert_refused(path, "it belongs to user 65534, who is neither root nor us (0)");
	remove_scratch(folder);
}
END_TEST

START_TEST(a_link_is_judged_by_what_it_leads_to)
{
	char link_path[64];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)snprintf(link_path, sizeof link_path, "%s/link.so", folder);
	ck_assert_int_eq(symlink(copy_fixture("good", "world.so", 0666), link_path), 0);
	assert_refused(link_path, "it may be written by others (mode 0666)");
	remove_scratch(folder);
}
END_TEST

START_TEST(folders_are_loaded_in_order_and_the_first_of_a_name_is_taken)
{
	struct leat_registry *registry = leat_registry_create();
	const struct leat_loaded *loaded;
	const struct leat_refused *refused;
	char path[PATH_MAX];
	char expected[128];

	ck_assert_ptr_nonnull(mkdtemp(folder));
	(void)copy_fixture("good", "b.so", 0644);
	(void)copy_fixture("good", "a.so", 0644);
	(void)copy_fixture("wrong_abi", "c.so", 0644);
	(void)copy_fixture("good", "d.txt", 0644);
	(void)snprintf(path, sizeof path, ":/nowhere:%s::", folder);
	leat_registry_load_folders(registry, path);
	ck_assert_uint_eq(leat_registry_loaded(registry, &loaded), 1);
	(void)snprintf(path, sizeof path, "%s/a.so", folder);
	ck_assert_str_eq(loaded->path, path);
	ck_assert_uint_eq(leat_registry_refused(registry, &refused), 2);
	(void)snprintf(expected, sizeof expected, "there is a plugin \"good\" already, from \"%s/a.so\"", folder);
	ck_assert_str_eq(refused[0].reason, expected);
	ck_assert_str_eq(refused[1].reason, "its interface is version 99, this host speaks 1");
	ck_assert_ptr_eq(leat_registry_find_refused(registry, "c"), &refused[1]);
	ck_assert_ptr_null(leat_registry_find_refused(registry, "a"));
	leat_registry_destroy(registry);
	remove_scratch(folder);
}
END_TEST

/* ---- validation of what no compiler would let pass by itself --------------------------------------------------------- */

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	(void)self, (void)record, (void)ctx, (void)err;
	return LEAT_OK;
}

static struct leat_plugin plugin_of(const struct leat_operator_ops *ops)
{
	return (struct leat_plugin){ .magic = LEAT_MAGIC,
		                     .abi = LEAT_ABI,
		                     .size = sizeof(struct leat_plugin),
		                     .layout = LEAT_LAYOUT,
		                     .name = "mine",
		                     .version = "1",
		                     .summary = "A test.",
		                     .op = ops };
}

static void assert_invalid(struct leat_plugin plugin, const char *reason)
{
	struct leat_error err;

	ck_assert_int_eq(leat_plugin_validate(&plugin, &err), LEAT_FATAL);
	ck_assert_str_eq(err.text, reason);
}

START_TEST(names_sizes_and_roles_are_checked)
{
	const struct leat_operator_ops ops = { .size = sizeof ops, .process = process };
	const struct leat_operator_ops short_ops = { .size = 8, .process = process };
	struct leat_plugin plugin = plugin_of(&ops);
	struct leat_error err;
	char expected[128];

	ck_assert_int_eq(leat_plugin_validate(&plugin, &err), LEAT_OK);
	plugin.name = "Mine";
	assert_invalid(plugin, "its name \"Mine\" is not of the form [a-z][a-z0-9_]*");
	plugin.name = NULL;
	assert_invalid(plugin, "it has no name");
	plugin = plugin_of(NULL);
	assert_invalid(plugin, "it is neither source, operator, sink nor codec");
	plugin = plugin_of(&ops);
	plugin.magic = 1;
	assert_invalid(plugin, "its leat_plugin begins with 0x00000001, not with 0x7461656c");
	(void)snprintf(expected, sizeof expected, "its operator's struct has 8 bytes, this host's has %zu", sizeof ops);
	assert_invalid(plugin_of(&short_ops), expected);
}
END_TEST

static void assert_invalid_table(struct leat_table_spec table, const char *reason)
{
	const struct leat_table_spec tables[] = { table, { 0 } };
	const struct leat_operator_ops ops = { .size = sizeof ops, .process = process, .tables = tables };

	assert_invalid(plugin_of(&ops), reason);
}

static enum leat_status migrate(uint32_t version, const struct leat_value *key, const void *was, void *is, struct leat_error *why)
{
	(void)version;
	(void)key;
	(void)was;
	(void)is;
	(void)why;
	return LEAT_OK;
}

START_TEST(older_versions_of_tables_are_checked)
{
	const struct leat_field good[] = { { "n", LEAT_FIELD_INT64, 0, 8 }, { 0 } };
	const struct leat_field narrow[] = { { "n", LEAT_FIELD_INT64, 0, 4 }, { 0 } };
	struct leat_table_spec older[] = { { .name = "t", .version = 1, .size = 8, .fields = good }, { 0 } };
	struct leat_table_spec table = { .name = "t", .version = 2, .size = 8, .fields = good, .migrate = migrate, .older = older };
	const struct leat_table_spec tables[] = { table, { 0 } };
	const struct leat_operator_ops ops = { .size = sizeof ops, .process = process, .tables = tables };
	struct leat_plugin plugin = plugin_of(&ops);
	struct leat_error err;

	ck_assert_int_eq(leat_plugin_validate(&plugin, &err), LEAT_OK);
	older[0].version = 2;
	assert_invalid_table(table, "its table \"t\" has an older version 2, expected 1 to 1");
	older[0].version = 1;
	older[0].fields = narrow;
	assert_invalid_table(table, "field \"n\" of its table \"t\" is not of its type: 4 bytes");
	table.migrate = NULL;
	assert_invalid_table(table, "its table \"t\" has to have both migrate() and older versions");
	table.kind = LEAT_TABLE_VALUE;
	assert_invalid_table(table, "its table \"t\" has migrate(), which only fixed tables have");
}
END_TEST

START_TEST(tables_and_ports_are_checked)
{
	const struct leat_field outside[] = { { "n", LEAT_FIELD_INT64, 4, 8 }, { 0 } };
	const struct leat_field narrow[] = { { "n", LEAT_FIELD_INT64, 0, 4 }, { 0 } };
	const struct leat_field good[] = { { "n", LEAT_FIELD_INT64, 0, 8 }, { 0 } };
	const char *const dead[] = { "out", "dead", NULL };
	const char *const twice[] = { "out", "out", NULL };
	const struct leat_operator_ops dead_ops = { .size = sizeof dead_ops, .process = process, .ports = dead };
	const char *const none[] = { NULL };
	const struct leat_operator_ops same_ops = { .size = sizeof same_ops, .process = process, .inputs = twice };
	const struct leat_operator_ops empty_ops = { .size = sizeof empty_ops, .process = process, .inputs = none };
	const struct leat_operator_ops twice_ops = { .size = sizeof twice_ops, .process = process, .ports = twice };

	assert_invalid_table((struct leat_table_spec){ .name = "t", .version = 1, .size = 8, .fields = outside },
	                     "field \"n\" of its table \"t\" ends outside the struct of 8 bytes");
	assert_invalid_table((struct leat_table_spec){ .name = "t", .version = 1, .size = 8, .fields = narrow },
	                     "field \"n\" of its table \"t\" is not of its type: 4 bytes");
	assert_invalid_table((struct leat_table_spec){ .name = "t", .version = 0, .size = 8, .fields = good },
	                     "its table \"t\" has version 0, expected 1 or more");
	assert_invalid_table((struct leat_table_spec){ .name = "t", .version = 1, .size = 65537, .fields = good },
	                     "the struct of its table \"t\" has 65537 bytes, expected 1 to 65536");
	assert_invalid_table((struct leat_table_spec){ .name = "t", .version = 1, .size = 8 }, "its table \"t\" has no fields");
	assert_invalid(plugin_of(&dead_ops), "it has a port \"dead\", which is the host's");
	assert_invalid(plugin_of(&twice_ops), "its port \"out\" is there twice");
	assert_invalid(plugin_of(&same_ops), "its input \"out\" is there twice");
	assert_invalid(plugin_of(&empty_ops), "its table of inputs is empty; leave it out");
}
END_TEST

int main(void)
{
	return leat_test_main("registry", (const TTest *[]){
		a_good_plugin_is_loaded_and_found,
		a_plugin_of_another_interface_or_size_is_refused_with_both_numbers,
		a_file_that_is_no_plugin_is_refused_in_the_words_of_the_loader,
		a_plugin_with_a_faulty_table_is_refused,
		a_file_that_others_may_write_is_refused,
		a_folder_that_others_may_write_is_refused_even_when_it_is_sticky,
		a_folder_further_up_is_refused_unless_it_is_sticky,
		a_file_of_another_user_is_refused,
		a_link_is_judged_by_what_it_leads_to,
		folders_are_loaded_in_order_and_the_first_of_a_name_is_taken,
		names_sizes_and_roles_are_checked,
		older_versions_of_tables_are_checked,
		tables_and_ports_are_checked,
		NULL,
	});
}
