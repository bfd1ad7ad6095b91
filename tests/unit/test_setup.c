/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "plugin/setup.h"
#include "unit/unit.h"

START_TEST(a_plugin_can_ask_for_its_name_its_ports_and_symbols)
{
	static const char *const ports[] = { "out", "late", NULL };
	static const struct leat_path user = { .text = "user" };
	static const struct leat_path *const key[] = { &user };
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_setup setup;
	const char *pipeline;

	leat_setup_init(&setup, "orders", "scored", symbols);
	ck_assert_str_eq(leat_name(&setup.context, &pipeline), "scored");
	ck_assert_str_eq(pipeline, "orders");
	ck_assert_uint_eq(leat_port(&setup.context, "out"), 0);
	ck_assert_uint_eq(leat_port(&setup.context, "late"), LEAT_NO_PORT);
	ck_assert_ptr_null(leat_key_field(&setup.context, 0));
	setup.key = key;
	setup.n_keys = 1;
	ck_assert_str_eq(leat_key_field(&setup.context, 0)->text, "user");
	ck_assert_ptr_null(leat_key_field(&setup.context, 1));
	setup.ports = ports;
	setup.worker = 3;
	ck_assert_uint_eq(leat_port(&setup.context, "late"), 1);
	ck_assert_uint_eq(leat_worker(&setup.context), 3);
	ck_assert_uint_eq(leat_intern(&setup.context, "amount"), leat_symbols_find(symbols, "amount", 6));
	/* Instances are made again while the pipeline runs: what was interned is still found. */
	leat_symbols_freeze(symbols);
	ck_assert_uint_eq(leat_intern(&setup.context, "amount"), leat_symbols_find(symbols, "amount", 6));
	leat_setup_finish(&setup);
	leat_symbols_destroy(symbols);
}
END_TEST

START_TEST(times_to_live_and_partitions_are_collected)
{
	int64_t ttl_us[2] = { 0, 0 };
	struct leat_setup setup;

	leat_setup_init(&setup, "orders", "scored", NULL);
	leat_table_ttl(&setup.context, 1, 5); /* nobody wants to know */
	setup.ttl_us = ttl_us;
	setup.n_tables = 2;
	leat_table_ttl(&setup.context, 1, 600);
	ck_assert_int_eq(ttl_us[1], 600);
	for (int32_t i = 0; i < 100; i++)
		leat_partition(&setup.context, i * 2);
	ck_assert_uint_eq(setup.n_partitions, 100);
	ck_assert_int_eq(setup.partition[99], 198);
	leat_setup_finish(&setup);
}
END_TEST

START_TEST(a_call_that_has_no_meaning_during_setup_is_the_plugins_fault_and_ends_nothing)
{
	const struct leat_record record = { .time_us = 0 };
	struct leat_error err = { .text = "" };
	struct leat_value key = leat_integer(1);
	int64_t ttl_us[1] = { 0 };
	struct leat_setup setup;
	char *entry;

	leat_setup_init(&setup, "orders", "scored", NULL);
	ck_assert_int_eq(leat_setup_judge(&setup, LEAT_OK, "score", &err), LEAT_OK);
	entry = leat_table_get(&setup.context, 0, &key);
	memset(entry, 1, 64 << 10); /* the plugin goes on with what it got */
	memset(leat_allocate(&setup.context, 100), 1, 100);
	leat_emit(&setup.context, 0, &record);
	ck_assert_int_eq(leat_setup_judge(&setup, LEAT_OK, "score", &err), LEAT_FATAL);
	ck_assert_str_eq(err.text, "plugin \"score\" broke its contract: it called leat_table_get() during set-up");
	leat_setup_finish(&setup);
	leat_setup_init(&setup, "orders", "scored", NULL);
	setup.ttl_us = ttl_us;
	setup.n_tables = 1;
	leat_table_ttl(&setup.context, 1, 600);
	ck_assert_int_eq(leat_setup_judge(&setup, LEAT_OK, "score", &err), LEAT_FATAL);
	leat_setup_finish(&setup);
	leat_setup_init(&setup, "orders", "scored", NULL);
	err.text[0] = '\0';
	ck_assert_int_eq(leat_setup_judge(&setup, LEAT_RETRY, "score", &err), LEAT_RETRY);
	ck_assert_str_eq(err.text, "plugin \"score\" gave no reason");
	leat_setup_finish(&setup);
}
END_TEST

START_TEST(every_function_of_the_interface_is_there)
{
	struct leat_setup setup;
	const struct leat_api *api;
	const char *at;

	leat_setup_init(&setup, "orders", "scored", NULL);
	api = setup.context.api;
	ck_assert_uint_eq(api->size, sizeof *api);
	for (at = (const char *)&api->log; at < (const char *)(api + 1); at += sizeof(void *)) {
		void *function;

		memcpy(&function, at, sizeof function);
		ck_assert_ptr_nonnull(function);
	}
}
END_TEST

int main(void)
{
	return leat_test_main("setup", (const TTest *[]){ a_plugin_can_ask_for_its_name_its_ports_and_symbols,
	                                                 times_to_live_and_partitions_are_collected,
	                                                 a_call_that_has_no_meaning_during_setup_is_the_plugins_fault_and_ends_nothing,
	                                                 every_function_of_the_interface_is_there, NULL });
}
