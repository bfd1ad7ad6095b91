/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "plugin/harness.h"
#include "unit/unit.h"

static char options[128];

/* A file with that text, as the option. */
static const char *schema_of(const char *text)
{
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof path, "/tmp/leat-test-gate-%d.json", (int)getpid());
	file = fopen(path, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
	(void)snprintf(options, sizeof options, "schema: %s", path);
	return options;
}

static void remove_schema(void)
{
	unlink(options + strlen("schema: "));
}

START_TEST(what_the_schema_allows_goes_on_and_the_rest_is_dead_with_its_place)
{
	struct leat_harness *h = leat_harness_create("schema", schema_of("{\"properties\":{\"amount\":{\"type\":\"number\"}}}"));
	const char *dead;

	remove_schema();
	leat_harness_push_batch(h, (const char *const[]){ "{\"amount\": 1.50, \"x\": []}", "{\"amount\":\"x\"}", "{}", NULL });
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"amount\": 1.50, \"x\": []}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	dead = leat_harness_pull(h, "dead");
	ck_assert_ptr_nonnull(dead);
	ck_assert_ptr_nonnull(strstr(dead, "schema: /amount must be a number, is \\\"x\\\""));
	leat_harness_destroy(h);
}
END_TEST

START_TEST(a_schema_that_cannot_be_used_is_refused_at_its_option)
{
	char *text = leat_harness_refused("schema", schema_of("{\"properties\":{\"amount\":{\"tpye\":\"number\"}}}"));
	char *missing;

	remove_schema();
	ck_assert_msg(strstr(text, "/properties/amount/tpye: this keyword is not supported") != NULL, "%s", text);
	ck_assert_msg(strstr(text, ":9:") != NULL, "%s", text);
	free(text);
	missing = leat_harness_refused("schema", "schema: nowhere.json");
	ck_assert_msg(strstr(missing, "could not read schema \"nowhere.json\": No such file or directory") != NULL, "%s", missing);
	free(missing);
}
END_TEST

int main(void)
{
	return leat_test_main("gate", (const TTest *[]){ what_the_schema_allows_goes_on_and_the_rest_is_dead_with_its_place,
	                                                 a_schema_that_cannot_be_used_is_refused_at_its_option,
	                                                 NULL });
}
