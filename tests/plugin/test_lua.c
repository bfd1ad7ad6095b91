/* SPDX-License-Identifier: Apache-2.0 */
/* The lua operator on the runtime's own instance: options, ports, keyed state and dead letters as in a pipeline. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "plugin/harness.h"
#include "unit/unit.h"

static char folder[] = "/tmp/leat-lua-XXXXXX";

static char *write_script(const char *script)
{
	char *path;
	FILE *out;

	memcpy(folder, "/tmp/leat-lua-XXXXXX", sizeof folder);
	ck_assert_ptr_nonnull(mkdtemp(folder));
	path = leat_format_text("%s/rule.lua", folder);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(script, out);
	ck_assert_int_eq(fclose(out), 0);
	return path;
}

static void remove_script(char *path)
{
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(folder), 0);
	free(path);
}

START_TEST(a_rule_runs_in_a_pipeline)
{
	char *path = write_script("ports = {'big'}\n"
	                          "function process(event, state)\n"
	                          "  state.n = (state.n or 0) + 1\n"
	                          "  event.n = state.n\n"
	                          "  emit(event)\n"
	                          "  if event.amount > settings.limit then emit('big', event) end\n"
	                          "end\n");
	char *options = leat_format_text("key: user\nscript: %s\nsettings: {limit: 2.5}", path);
	struct leat_harness *h = leat_harness_create("lua", options);

	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"ann\",\"amount\":1}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"bob\",\"amount\":\"x\"}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"bob\",\"amount\":3}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"ann\",\"amount\":2}"), LEAT_OK);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"user\":\"ann\",\"amount\":1,\"n\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"user\":\"bob\",\"amount\":3,\"n\":1}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"user\":\"ann\",\"amount\":2,\"n\":2}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_str_eq(leat_harness_pull(h, "big"), "{\"user\":\"bob\",\"amount\":3,\"n\":1}");
	ck_assert_ptr_nonnull(strstr(leat_harness_pull(h, "dead"), "\"where\":\"rule.lua:6\""));
	ck_assert_uint_eq(leat_harness_state_entries(h), 2);
	leat_harness_destroy(h);
	free(options);
	remove_script(path);
}
END_TEST

START_TEST(timers_of_a_rule_fire)
{
	char *path = write_script("function process(e, s) s.n = (s.n or 0) + 1 set_timer(60, 5) end\n"
	                          "function timer(key, s, tag) emit{user=key, n=s.n, tag=tag} s.n = nil end\n");
	char *options = leat_format_text("key: user\nscript: %s", path);
	struct leat_harness *h = leat_harness_create("lua", options);

	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"ann\"}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push(h, "{\"user\":\"ann\"}"), LEAT_OK);
	leat_harness_set_time(h, INT64_C(1000000000000000) + 60 * 1000000);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"n\":2,\"tag\":5,\"user\":\"ann\"}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
	free(options);
	remove_script(path);
}
END_TEST

START_TEST(a_mistake_in_a_rule_is_named_with_its_line)
{
	char *path = write_script("local x = 1\nfunction process(e)\n  x = = 2\nend\n");
	char *options = leat_format_text("script: %s", path);
	char *printed = leat_harness_refused("lua", options);

	ck_assert_msg(strstr(printed, "rule.lua:3") != NULL && strstr(printed, "unexpected symbol near '='") != NULL, "%s", printed);
	free(printed);
	free(options);
	remove_script(path);
}
END_TEST

START_TEST(timers_of_event_time_fire_when_the_watermark_says_so)
{
	char *path = write_script("function process(e, s) s.n = (s.n or 0) + 1 set_event_timer(e.due, e.tag)\n"
	                          "  emit{late = watermark() ~= nil and event_time() < watermark()} end\n"
	                          "function timer(key, s, tag) emit{user=key, n=s.n, tag=tag, due=event_time(), at=watermark()} end\n");
	char *options = leat_format_text("script: %s\nkey: user", path);
	struct leat_harness *h = leat_harness_create("lua", options);

	ck_assert_int_eq(leat_harness_push_at(h, 5, "{\"user\": \"ann\", \"due\": 30, \"tag\": 1}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push_at(h, 5, "{\"user\": \"ann\", \"due\": 20, \"tag\": 2}"), LEAT_OK);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"late\":false}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"late\":false}");
	leat_harness_set_watermark(h, 19);
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	leat_harness_set_watermark(h, 30);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"at\":30,\"due\":20,\"n\":2,\"tag\":2,\"user\":\"ann\"}");
	ck_assert_int_eq(leat_harness_pulled_time(h), 20);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"at\":30,\"due\":30,\"n\":2,\"tag\":1,\"user\":\"ann\"}");
	ck_assert_int_eq(leat_harness_push_at(h, 29, "{\"user\": \"bob\", \"due\": 40}"), LEAT_OK);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"late\":true}");
	leat_harness_set_watermark(h, 10); /* never back */
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_int_eq(leat_harness_end(h), LEAT_OK);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"at\":9223372036854775807,\"due\":40,\"n\":1,\"tag\":0,\"user\":\"bob\"}");
	leat_harness_destroy(h);
	free(options);
	remove_script(path);
}
END_TEST

START_TEST(timers_that_only_forget_fire_among_the_others_but_not_at_the_end)
{
	char *path = write_script("function process(e, s) s.n = (s.n or 0) + 1 set_endless_timer(e.due, 1) set_event_timer(e.due, 2) end\n"
	                          "function timer(key, s, tag) emit{user=key, n=s.n, tag=tag} if tag == 1 then s.n = nil end end\n");
	char *options = leat_format_text("script: %s\nkey: user", path);
	struct leat_harness *h = leat_harness_create("lua", options);

	ck_assert_int_eq(leat_harness_push_at(h, 5, "{\"user\": \"ann\", \"due\": 20}"), LEAT_OK);
	ck_assert_int_eq(leat_harness_push_at(h, 5, "{\"user\": \"bob\", \"due\": 30}"), LEAT_OK);
	leat_harness_set_watermark(h, 20);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"n\":1,\"tag\":1,\"user\":\"ann\"}");
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"tag\":2,\"user\":\"ann\"}");
	ck_assert_int_eq(leat_harness_end(h), LEAT_OK);
	ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"n\":1,\"tag\":2,\"user\":\"bob\"}");
	ck_assert_ptr_null(leat_harness_pull(h, "out"));
	ck_assert_uint_eq(leat_harness_state_entries(h), 1);
	leat_harness_destroy(h);
	free(options);
	remove_script(path);
}
END_TEST

int main(void)
{
	return leat_test_main("lua", (const TTest *[]){a_rule_runs_in_a_pipeline, timers_of_a_rule_fire,
	                                               timers_of_event_time_fire_when_the_watermark_says_so,
	                                               timers_that_only_forget_fire_among_the_others_but_not_at_the_end,
	                                               a_mistake_in_a_rule_is_named_with_its_line, NULL});
}
