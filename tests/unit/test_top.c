/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/top_view.h"

#include <leat/codec.h>

#include "data/json.h"
#include "sample.h"
#include "service/listing.h"
#include "unit.h"

static struct leat_arena *arena;

static struct leat_top_look look(const char *json, size_t n, int64_t at_us)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_json *decoder = leat_json_create(symbols);
	struct leat_top_look made = { .at_us = at_us };
	char *bytes = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_error err;

	memcpy(bytes, json, n);
	memset(bytes + n, 0, LEAT_CODEC_PADDING);
	ck_assert_msg(leat_json_decode(decoder, arena, bytes, n, &made.page, &err) == LEAT_OK, "%s", err.text);
	leat_json_destroy(decoder);
	leat_symbols_destroy(symbols);
	return made;
}

static struct leat_top_look text_look(const char *json, int64_t at_us)
{
	return look(json, strlen(json), at_us);
}

static const char *render(struct leat_top_look before, struct leat_top_look now, size_t rows, size_t columns)
{
	static char text[4096];
	struct leat_buffer out = { 0 };

	leat_top_render(&out, &before, &now, rows, columns, false);
	ck_assert_uint_lt(out.n, sizeof text);
	if (out.n > 0)
		memcpy(text, out.data, out.n);
	text[out.n] = '\0';
	leat_buffer_finish(&out);
	return text;
}

static const char early[] = "{\"pipelines\":[{\"pipeline\":\"p\",\"state\":\"running\",\"guarantee\":\"exactly-once\",\"epoch\":7,"
                            "\"latency_buckets\":[[1000,50]],\"nodes\":["
                            "{\"node\":\"in\",\"role\":\"source\",\"type\":\"kafka\",\"ready\":true,\"lag\":40,\"records_in\":1000,"
                            "\"records_out\":1000,\"dead_letters\":0,\"busy_seconds\":1}]}]}";
static const char late[] = "{\"pipelines\":[{\"pipeline\":\"p\",\"state\":\"running\",\"guarantee\":\"exactly-once\",\"epoch\":9,"
                           "\"latency_buckets\":[[1000,50],[32768,10]],\"nodes\":["
                           "{\"node\":\"in\",\"role\":\"source\",\"type\":\"kafka\",\"ready\":true,\"lag\":20,\"records_in\":5000,"
                           "\"records_out\":4999,\"dead_letters\":1,\"busy_seconds\":1.5,\"trouble\":\"could not read\"},"
                           "{\"node\":\"new\",\"role\":\"operator\",\"type\":\"lua\",\"ready\":true,\"records_in\":3,"
                           "\"records_out\":3,\"dead_letters\":0,\"busy_seconds\":0,\"state_entries\":12000,\"state_bytes\":3145728}]}]}";

START_TEST(rates_are_what_came_between_two_looks)
{
	const char *screen;

	arena = leat_arena_create();
	screen = render(text_look(early, 10000000), text_look(late, 12000000), 100, 200);
	ck_assert_str_eq(screen, "p  running  exactly-once  epoch 9  p50 31 ms  p99 33 ms\n"
	                         "  NODE                 TYPE                    IN/s   OUT/s  BUSY     LAG  BEHIND QUEUE ENTRIES    STATE   DEAD\n"
	                         "  in                   kafka source            2.0k    2.0k   25%      20                                     1\n"
	                         "    could not read\n"
	                         "  new                  lua operator               -       -     -                         12.0k  3.0 MiB      0");
	leat_arena_unref(arena);
}
END_TEST

/* Two sinks, of which one tells its commits apart: 200 and 100 events between the looks. */
static const char phases_early[] = "{\"pipelines\":[{\"pipeline\":\"p\",\"nodes\":["
	"{\"node\":\"a\",\"records_in\":100,\"phases\":[{\"phase\":\"queue\",\"events\":100,\"sum_us\":1000000}]},"
	"{\"node\":\"b\",\"records_in\":0,\"phases\":[]}]}]}";
static const char phases_late[] = "{\"pipelines\":[{\"pipeline\":\"p\",\"nodes\":["
	"{\"node\":\"a\",\"records_in\":300,\"phases\":[{\"phase\":\"source\",\"events\":10,\"sum_us\":20000},"
	"{\"phase\":\"queue\",\"events\":300,\"sum_us\":1060000},{\"phase\":\"operators\",\"events\":300,\"sum_us\":3},"
	"{\"phase\":\"commit\",\"events\":200,\"sum_us\":300000}]},"
	"{\"node\":\"b\",\"records_in\":100,\"phases\":[{\"phase\":\"queue\",\"events\":100,\"sum_us\":0},{\"phase\":\"epoch\",\"events\":100,"
	"\"sum_us\":900000},{\"phase\":\"what\",\"events\":1,\"sum_us\":7}]}]}]}";

START_TEST(phases_are_means_over_the_events_of_all_sinks_between_two_looks)
{
	const char *screen;

	arena = leat_arena_create();
	screen = render(text_look(phases_early, 10000000), text_look(phases_late, 12000000), 100, 200);
	ck_assert_ptr_nonnull(strstr(screen, "\n  mean  source 2.0 ms | queue 200 us | epoch 3.0 ms | commit 1.0 ms\n"));
	screen = render(text_look(phases_late, 10000000), text_look(phases_late, 12000000), 100, 200);
	ck_assert_ptr_null(strstr(screen, "mean"));
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_first_look_and_a_restart_show_no_rates)
{
	const char *screen;

	arena = leat_arena_create();
	screen = render((struct leat_top_look){ .page = leat_null(), .at_us = 5 }, text_look(early, 5), 100, 200);
	ck_assert_ptr_nonnull(strstr(screen, "kafka source               -       -     -      40"));
	screen = render(text_look(late, 5), text_look(early, 1000005), 100, 200);
	ck_assert_ptr_nonnull(strstr(screen, "kafka source               -       -     -      40"));
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_small_screen_is_never_overrun)
{
	arena = leat_arena_create();
	for (size_t rows = 0; rows < 8; rows++)
		for (size_t columns = 1; columns < 120; columns += 7) {
			const char *line = render(text_look(early, 1), text_look(late, 2), rows, columns);
			size_t n = *line != '\0';

			for (; *line != '\0'; line += strcspn(line, "\n"), n += *line == '\n', line += *line == '\n')
				ck_assert_uint_le(strcspn(line, "\n"), columns);
			ck_assert_uint_le(n, rows);
		}
	leat_arena_unref(arena);
}
END_TEST

START_TEST(what_the_page_has_is_what_is_shown)
{
	struct leat_buffer page = { 0 };
	struct sample s;
	const char *screen;

	arena = leat_arena_create();
	sample_init(&s);
	leat_listing_render(&page, &s.snapshot, 1);
	screen = render((struct leat_top_look){ .page = leat_null(), .at_us = 5 }, look(page.data, page.n, 5), 100, 200);
	ck_assert_ptr_nonnull(strstr(screen, "pay  running  at-least-once"));
	ck_assert_ptr_nonnull(strstr(screen, "in flight 1%  alerts 7\n"));
	ck_assert_ptr_nonnull(strstr(screen, "p50 "));
	ck_assert_ptr_nonnull(strstr(screen, "  mean  queue 1.0 ms | operators 2.0 ms | epoch 3.0 ms | store 4.0 ms | outbox 5.0 ms | delivery 6.0 ms\n"));
	ck_assert_ptr_nonnull(strstr(screen, "  30% ")); /* of out's queue */
	ck_assert_ptr_nonnull(strstr(screen, "     120 "));
	leat_buffer_finish(&page);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(a_page_of_something_else_is_no_trouble)
{
	arena = leat_arena_create();
	ck_assert_str_eq(render(text_look("[]", 1), text_look("{\"pipelines\":3}", 2), 10, 80), "no pipelines");
	ck_assert_ptr_nonnull(render(text_look("1", 1), text_look("{\"pipelines\":[{\"nodes\":[7,{}],\"latency_buckets\":[1,[2,\"a\"]]}]}", 2), 10, 80));
	leat_arena_unref(arena);
}
END_TEST

int main(void)
{
	return leat_test_main("top", (const TTest *[]){
		rates_are_what_came_between_two_looks,
		phases_are_means_over_the_events_of_all_sinks_between_two_looks,
		a_first_look_and_a_restart_show_no_rates,
		a_small_screen_is_never_overrun,
		what_the_page_has_is_what_is_shown,
		a_page_of_something_else_is_no_trouble,
		NULL });
}
