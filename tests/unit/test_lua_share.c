/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "lua/lua_plugin.h"
#include "lua/vm.h"
#include "unit/lua_kit.h"
#include "unit/unit.h"

static const char script[] = "function process(e, s) s.n = (s.n or 0) + 1 emit{n=s.n} end";

static struct leat_lua_config config = {.path = "score.lua", .source = script, .source_n = sizeof script - 1,
	.instructions = 1000000, .memory = 1 << 20};

START_TEST(instances_of_a_worker_share_a_vm)
{
	struct kit *kit = kit_open(script);
	struct leat_lua_config other = config;
	struct leat_lua_vm *a = leat_lua_share_take(&config, &kit->context, &kit->err);
	struct leat_lua_vm *b = leat_lua_share_take(&config, &kit->context, &kit->err);
	struct leat_lua_vm *c, *d;

	ck_assert_ptr_eq(a, b);
	kit->worker = 1;
	c = leat_lua_share_take(&config, &kit->context, &kit->err);
	ck_assert_ptr_ne(a, c);
	other.settings = (struct leat_pairs){1, &(struct leat_pair){"limit", "5"}};
	d = leat_lua_share_take(&other, &kit->context, &kit->err);
	ck_assert_ptr_ne(c, d);
	leat_lua_share_give_back(a);
	leat_lua_share_give_back(c);
	leat_lua_share_give_back(d);
	kit->worker = 0;
	ck_assert_ptr_eq(leat_lua_share_take(&config, &kit->context, &kit->err), b);
	leat_lua_share_give_back(b);
	leat_lua_share_give_back(b);
	leat_lua_share_give_back(NULL);
	kit_close(kit);
}
END_TEST

START_TEST(shards_that_share_a_vm_have_states_of_their_own)
{
	struct kit *kit = kit_open(script);
	struct leat_tables *other = leat_tables_create(leat_lua_plugin.op->tables, NULL);
	struct leat_tables *own = kit->tables;
	int i;

	for (i = 0; i < 3; i++) {
		kit->tables = i == 1 ? other : own;
		ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	}
	kit->tables = own;
	ck_assert_pstr_eq(kit_pull(kit, 0), "{\"n\":1}");
	ck_assert_pstr_eq(kit_pull(kit, 0), "{\"n\":1}");
	ck_assert_pstr_eq(kit_pull(kit, 0), "{\"n\":2}");
	leat_tables_destroy(other);
	kit_close(kit);
}
END_TEST

START_TEST(a_vm_that_stays_full_is_built_again)
{
	static const char hungry[] = "local base = {} for i = 1, 3000 do base[i] = {i} end\n"
	                             "function process(e) if e.eat then local t = {} while true do t[#t + 1] = {} end end emit{n=#base} end";
	struct kit *kit =
		kit_open_with(hungry, sizeof hungry - 1, &(struct kit_options){.memory = 2 << 20, .instructions = 100000000});
	struct leat_lua_config same = {
		.path = kit->path, .source = hungry, .source_n = sizeof hungry - 1, .instructions = 100000000, .memory = 2 << 20};
	struct leat_lua_vm *vm = leat_lua_share_take(&same, &kit->context, &kit->err);
	int i;

	ck_assert_uint_gt(vm->bytes, vm->bytes_limit / 2);
	for (i = 0; i < 5; i++) {
		size_t before = vm->n_built;

		ck_assert_int_eq(kit_push(kit, "{\"eat\":true}"), LEAT_REJECT);
		ck_assert_str_eq(kit->err.text, "needs more than 2097152 bytes of memory");
		ck_assert_uint_eq(vm->n_built, before + 1);
		ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
		ck_assert_uint_eq(vm->n_built, before + 1);
		ck_assert_pstr_eq(kit_pull(kit, 0), "{\"n\":3000}");
	}
	leat_lua_share_give_back(vm);
	kit_close(kit);
}
END_TEST

static void *run_worker(void *opaque)
{
	struct kit *kit = opaque;
	int i;

	for (i = 0; i < 2000; i++) {
		struct leat_error err;
		struct leat_lua_vm *vm = leat_lua_share_take(&config, &kit->context, &err);

		ck_assert_ptr_nonnull(vm);
		if (i % 100 == 0)
			ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
		leat_lua_share_give_back(vm);
	}
	return NULL;
}

START_TEST(workers_take_and_give_back_at_the_same_time)
{
	struct kit *kit[4];
	pthread_t thread[4];
	uint32_t i;

	for (i = 0; i < 4; i++)
		kit[i] = kit_open_with(script, sizeof script - 1, &(struct kit_options){.worker = i});
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&thread[i], NULL, run_worker, kit[i]), 0);
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
		ck_assert_str_eq(kit_state(kit[i]), "{\"n\":20}");
		kit_close(kit[i]);
	}
}
END_TEST

START_TEST(a_script_that_is_not_there_is_named)
{
	struct leat_error err;
	struct kit *kit = kit_open(script);
	struct {
		const char *script;
		char rest[256];
	} self = {.script = "/nowhere/score.lua"};

	ck_assert_uint_le(leat_lua_plugin.op->instance_size, sizeof self);
	ck_assert_int_eq(leat_lua_plugin.op->create(&self, &kit->context, &err), LEAT_FATAL);
	ck_assert_str_eq(err.where, "script");
	ck_assert_str_eq(err.text, "cannot read script \"/nowhere/score.lua\": No such file or directory");
	leat_lua_plugin.op->destroy(&self);
	self.script = "/";
	ck_assert_int_eq(leat_lua_plugin.op->create(&self, &kit->context, &err), LEAT_FATAL);
	kit_close(kit);
}
END_TEST

int main(void)
{
	return leat_test_main("lua_share", (const TTest *[]){instances_of_a_worker_share_a_vm,
		shards_that_share_a_vm_have_states_of_their_own,
	                                                     a_vm_that_stays_full_is_built_again,
	                                                     	workers_take_and_give_back_at_the_same_time,
	                                                     a_script_that_is_not_there_is_named, NULL});
}
