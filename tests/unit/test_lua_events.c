/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/memory.h"
#include "unit/lua_kit.h"
#include "unit/unit.h"

#define assert_out(kit, json) ck_assert_pstr_eq(kit_pull((kit), 0), (json))
#define assert_rejected(kit, event, where_, text_)                                                                        \
	do {                                                                                                              \
		ck_assert_int_eq(kit_push((kit), (event)), LEAT_REJECT);                                                  \
		ck_assert_str_eq((kit)->err.where, (where_));                                                             \
		ck_assert_str_eq((kit)->err.text, (text_));                                                               \
	} while (0)

/* Runs one event through a script whose process() has that body. */
static struct kit *run(const char *body, const char *event)
{
	char script[2048];
	struct kit *kit;

	(void)snprintf(script, sizeof script, "ports = {\"alerts\"}\nfunction process(event, state)\n%s\nend\n", body);
	kit = kit_open(script);
	if (kit_push(kit, event) != LEAT_OK)
		ck_abort_msg("%s: %s\n%s", kit->err.where, kit->err.text, kit->err.detail);
	return kit;
}

static void check_run(const char *body, const char *event, const char *expected)
{
	struct kit *kit = run(body, event);

	assert_out(kit, expected);
	ck_assert_uint_eq(kit->n_taken, kit->n_emissions);
	kit_close(kit);
}

START_TEST(an_untouched_event_is_emitted_from_its_source_text)
{
	check_run("emit(event)", "{ \"a\" : 0.10,\"b\":[1, 2],  \"c\":12345678901234567890}", "{ \"a\" : "
		"0.10,\"b\":[1, 2],  \"c\":12345678901234567890}");
}
END_TEST

START_TEST(nothing_is_emitted_without_emit)
{
	struct kit *kit = run("return event", "{\"a\":1}");

	ck_assert_uint_eq(kit->n_emissions, 0);
	kit_close(kit);
}
END_TEST

START_TEST(fields_are_read_with_their_types)
{
	check_run("emit{a=math.type(event.a), b=math.type(event.b), c=event.c, d=type(event.d), e=event.e == nil, "
		"f=event.f == nil, g=event[1] == nil}",
	          "{\"a\":1,\"b\":1.0,\"c\":\"x\\ny\",\"d\":true,\"e\":null}",
	          "{\"a\":\"integer\",\"b\":\"float\",\"c\":\"x\\ny\",\"d\":\"boolean\",\"e\":true,\"f\":true,\"g\":true}");
}
END_TEST

START_TEST(integers_of_64_bits_stay_exact)
{
	check_run("event.b = event.a - 1 emit(event)", "{\"a\":9223372036854775807}",
		"{\"a\":9223372036854775807,\"b\":9223372036854775806}");
}
END_TEST

START_TEST(a_number_that_is_written_back_as_it_was_keeps_its_source_text)
{
	check_run("event.a = event.a event.n = 1 emit(event)", "{\"a\":0.10}", "{\"a\":0.10,\"n\":1}");
}
END_TEST

START_TEST(a_number_that_was_changed_is_written_anew)
{
	check_run("event.a = event.a * 2 emit(event)", "{\"a\":0.10}", "{\"a\":0.2}");
}
END_TEST

START_TEST(fields_are_added_and_replaced_in_place)
{
	check_run("event.z = 'new' event.a = {x=1} emit(event)", "{\"a\":1,\"b\":2}",
		"{\"a\":{\"x\":1},\"b\":2,\"z\":\"new\"}");
}
END_TEST

START_TEST(nil_removes_a_field)
{
	check_run("event.a = nil event.q = nil emit(event)", "{\"a\":1,\"b\":2}", "{\"b\":2}");
	check_run("event.n = 1 event.n = nil event.m = 2 emit(event)", "{\"b\":2}", "{\"b\":2,\"m\":2}");
	check_run("event.a = nil event.a = 3 emit(event)", "{\"a\":1,\"b\":2}", "{\"a\":3,\"b\":2}");
}
END_TEST

START_TEST(what_was_written_is_read)
{
	check_run("event.a = 5 event.b = nil event.t = {k={1,2}} emit{a=event.a, b=event.b == nil, t=event.t.k[2]}",
		"{\"a\":1,\"b\":2}",
	          "{\"a\":5,\"b\":true,\"t\":2}");
}
END_TEST

START_TEST(of_equal_names_the_last_one_is_read_and_replaced)
{
	check_run("event.b = event.a event.a = 9 emit(event)", "{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":9,\"b\":2}");
}
END_TEST

START_TEST(nested_maps_and_lists_are_read)
{
	check_run("emit{city=event.user.address.city, second=event.items[2].sku, none=event.items[3] == nil, "
		"n=#event.items, m=#event.user}",
	          "{\"user\":{\"address\":{\"city\":\"Ulm\"}},\"items\":[{\"sku\":\"a\"},{\"sku\":\"b\"}]}",
	          "{\"city\":\"Ulm\",\"m\":1,\"n\":2,\"none\":true,\"second\":\"b\"}");
}
END_TEST

START_TEST(writing_into_a_nested_map_copies_only_the_way_there)
{
	check_run("event.user.address.city = 'Bonn' emit(event)",
	          "{\"user\":{\"address\":{\"city\":\"Ulm\",\"zip\":1e3},\"n\":1.50},\"x\":[1,  2]}",
	          "{\"user\":{\"address\":{\"city\":\"Bonn\",\"zip\":1e3},\"n\":1.50},\"x\":[1,  2]}");
}
END_TEST

START_TEST(a_write_through_one_reference_is_seen_through_another)
{
	check_run("local p, q = event.user, event.user p.n = 7 emit{same=p == q, n=q.n, again=event.user.n}",
		"{\"user\":{\"n\":1}}",
	          "{\"again\":7,\"n\":7,\"same\":true}");
}
END_TEST

START_TEST(a_part_that_was_replaced_takes_no_more_writes)
{
	check_run("local p = event.user event.user = 5 p.n = 7 emit(event)", "{\"user\":{\"n\":1}}", "{\"user\":5}");
}
END_TEST

START_TEST(a_part_can_be_put_elsewhere)
{
	check_run("event.user.n = 2 event.copy = event.user event.user.n = 3 event.list = {event.user} emit(event)",
		"{\"user\":{\"n\":1}}",
	          "{\"user\":{\"n\":3},\"copy\":{\"n\":2},\"list\":[{\"n\":3}]}");
}
END_TEST

START_TEST(a_part_that_was_replaced_can_be_put_back)
{
	check_run("local p = event.user event.user = 5 event.user = p emit(event)", "{\"user\":{\"n\":1.0}}",
		"{\"user\":{\"n\":1.0}}");
	check_run("event.user = event.user event.user.n = 2 event.user = event.user emit(event)", "{\"user\":{\"n\":1.0}}",
		"{\"user\":{\"n\":2}}");
}
END_TEST

START_TEST(two_fields_that_share_a_part_are_changed_apart)
{
	check_run("event.copy = event.user event.copy.n = 2 emit(event)", "{\"user\":{\"n\":1}}",
		"{\"user\":{\"n\":1},\"copy\":{\"n\":2}}");
}
END_TEST

START_TEST(lists_are_changed_item_by_item)
{
	check_run("local l = event.l l[1] = 10 l[#l + 1] = 'end' l[2].x = 5 emit(event)", "{\"l\":[1,{\"x\":1}]}",
		"{\"l\":[10,{\"x\":5},\"end\"]}");
	check_run("event.l[2] = nil emit(event)", "{\"l\":[1,2]}", "{\"l\":[1]}");
	check_run("local m = event.l[1] m.x = 2 event.l[2] = 3 m.y = 4 emit(event)", "{\"l\":[{\"x\":1}]}",
		"{\"l\":[{\"x\":2,\"y\":4},3]}");
}
END_TEST

START_TEST(pairs_visits_fields_in_order_with_what_was_written)
{
	check_run("event.b = nil event.z = 3 event.a = 9 local s = '' for k, v in pairs(event) do s = s .. k .. '=' "
		".. tostring(v) .. ' ' end emit{s=s}",
	          "{\"a\":1,\"b\":2,\"c\":null}", "{\"s\":\"a=9 c=nil z=3 \"}");
	check_run("local s = '' for i, v in ipairs(event.l) do s = s .. i .. v end for i, v in pairs(event.l) do s = "
		"s .. i .. v end emit{s=s}",
	          "{\"l\":[\"x\",\"y\"]}", "{\"s\":\"1x2y1x2y\"}");
}
END_TEST

START_TEST(tables_become_lists_or_maps)
{
	check_run("emit{a={1,2}, b={}, c=list{}, d=list{1}, e={x={}}, f=list{list{}}}", "{}",
	          "{\"a\":[1,2],\"b\":{},\"c\":[],\"d\":[1],\"e\":{\"x\":{}},\"f\":[[]]}");
}
END_TEST

START_TEST(tables_made_while_loading_are_written_like_others)
{
	struct kit *kit = kit_open("local tags, none, m = {'a','b'}, list{}, {x={1}} function process(e) emit{t=tags, "
		"n=none, m=m, len=#tags} end");

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"len\":2,\"m\":{\"x\":[1]},\"n\":[],\"t\":[\"a\",\"b\"]}");
	kit_close(kit);
}
END_TEST

START_TEST(what_is_emitted_is_what_the_event_was_then)
{
	struct kit *kit = run("emit(event) event.a = 2 emit(event) emit(event) event.a = 3", "{\"a\":1}");

	assert_out(kit, "{\"a\":1}");
	assert_out(kit, "{\"a\":2}");
	assert_out(kit, "{\"a\":2}");
	ck_assert_uint_eq(kit->n_emissions, 3);
	kit_close(kit);
}
END_TEST

START_TEST(what_is_emitted_later_has_what_was_written_deep_inside_since)
{
	struct kit *kit = run("event.user.a.n = 2 emit(event) event.user.a.n = 3 emit(event)", "{\"user\":{\"a\":{\"n\":1}}}");

	assert_out(kit, "{\"user\":{\"a\":{\"n\":2}}}");
	assert_out(kit, "{\"user\":{\"a\":{\"n\":3}}}");
	kit_close(kit);
}
END_TEST

START_TEST(items_that_share_a_part_are_changed_apart)
{
	check_run("local l = event.l for i = 1, 200 do l[i] = event.user end for i = 1, 200 do l[i].n = i end\n"
	          "local sum = 0 for i = 1, 200 do sum = sum + l[i].n end emit{sum=sum, user=event.user.n}",
	          "{\"l\":[],\"user\":{\"n\":0}}", "{\"sum\":20100,\"user\":0}");
}
END_TEST

START_TEST(ports_are_the_ones_that_the_script_lists)
{
	struct kit *kit = run("emit('alerts', {why='big'}) emit('out', event) emit('alerts', event)", "{\"a\":1}");
	struct kit *other = kit_open("ports = {'b', 'a', 'b', 'out'} function process() end");

	ck_assert_pstr_eq(kit_pull(kit, 1), "{\"why\":\"big\"}");
	assert_out(kit, "{\"a\":1}");
	ck_assert_pstr_eq(kit_pull(kit, 1), "{\"a\":1}");
	kit_close(kit);
	kit_close(other);
}
END_TEST

START_TEST(what_cannot_be_written_is_named_with_its_line)
{
	struct kit *kit = kit_open("function process(e)\nif e.n == 1 then e.z = 0/0 end\nif e.n == 2 then "
		"emit{a={f=print}} end\n"
	                           "if e.n == 3 then emit{[5]=1} end\nif e.n == 4 then e[1] = 2 end\nif e.n == 5 then "
	                           	"emit('no', e) end\n"
	                           "if e.n == 6 then e.l[4] = 2 end\nif e.n == 7 then emit{1,2,x=1} end\n"
	                           "if e.n == 8 then local t = {} t.t = t emit(t) end\nif e.n == 9 then emit() "
	                           	"end\nif e.n == 10 then emit('alerts') end end");

	assert_rejected(kit, "{\"n\":1}", "score.lua:2", "cannot write \"z\": it is nan");
	assert_rejected(kit, "{\"n\":1,\"z\":0.5}", "score.lua:2", "cannot write \"z\": it is nan");
	assert_rejected(kit, "{\"n\":2}", "score.lua:3", "cannot write \"f\": it is a function");
	assert_rejected(kit, "{\"n\":3}", "score.lua:4", "cannot write \"value\": a key of a map is a number, not a "
		"text (tostring() makes one)");
	assert_rejected(kit, "{\"n\":4}", "score.lua:5", "cannot write a field whose name is a number, not a text");
	assert_rejected(kit, "{\"n\":5}", "score.lua:6", "script has no port \"no\": add it to \"ports\"");
	assert_rejected(kit, "{\"n\":6,\"l\":[1]}", "score.lua:7", "cannot write item 4 of a list of 1");
	assert_rejected(kit, "{\"n\":7}", "score.lua:8", "cannot write \"value\": a table with items from 1 on and "
		"other keys is neither list nor map");
	assert_rejected(kit, "{\"n\":8}", "score.lua:9", "cannot write \"t\": it is nested deeper than 64");
	assert_rejected(kit, "{\"n\":9}", "score.lua:10", "bad argument #1 to 'emit' (nothing to emit: an event or a "
		"table is needed)");
	assert_rejected(kit, "{\"n\":10}", "score.lua:11", "cannot emit a text alone: write emit(\"out\", text), or "
		"emit(port, event)");
	ck_assert_int_eq(kit_push(kit, "{\"n\":0}"), LEAT_OK);
	ck_assert_uint_eq(kit->n_emissions, 0);
	kit_close(kit);
}
END_TEST

START_TEST(an_error_has_line_reason_and_traceback)
{
	struct kit *kit = kit_open("local function deep(e)\n  return e.user.name.first\nend\nfunction process(e)\n  "
		"return deep(e) + 1\nend\n");

	assert_rejected(kit, "{\"user\":{}}", "score.lua:2", "attempt to index a nil value (field 'name')");
	ck_assert_ptr_nonnull(strstr(kit->err.detail, "score.lua:2: in "));
	ck_assert_ptr_nonnull(strstr(kit->err.detail, "score.lua:5: in "));
	kit_close(kit);
}
END_TEST

START_TEST(errors_without_a_place_get_the_line_that_ran)
{
	struct kit *kit = kit_open("function process(e)\n  if e.n == 1 then error('plain', 0) end\n  if e.n == 2 then "
		"error({}) end\n"
	                           "  if e.n == 3 then error('a\\nb\\xff', 0) end\n  error()\nend\n");

	assert_rejected(kit, "{\"n\":1}", "score.lua:2", "plain");
	assert_rejected(kit, "{\"n\":2}", "score.lua:3", "raised an error that is no text but a table");
	assert_rejected(kit, "{\"n\":3}", "score.lua:4", "a b?");
	assert_rejected(kit, "{\"n\":4}", "score.lua:5", "raised an error that is no text but a nil");
	kit_close(kit);
}
END_TEST

START_TEST(reject_sends_the_event_away_with_its_reason)
{
	struct kit *kit = kit_open("function process(e, s)\n  s.n = 1\n  emit(e)\n  pcall(reject, 'too big: ' .. "
		"e.a)\n  s.n = 2\nend\n");

	assert_rejected(kit, "{\"a\":5}", "score.lua:4", "too big: 5");
	ck_assert_uint_eq(kit->n_emissions, 0);
	ck_assert_str_eq(kit_state(kit), "null");
	kit_close(kit);
}
END_TEST

START_TEST(reject_counts_though_nothing_comes_after_it)
{
	struct kit *kit = kit_open("function process(e, s)\n  emit(e)\n  return pcall(reject, 'no')\nend\n");

	assert_rejected(kit, "{\"a\":5}", "score.lua:3", "no");
	kit_close(kit);
}
END_TEST

START_TEST(state_is_kept_for_each_key)
{
	struct kit *kit = kit_open("function process(e, s) s.n = (s.n or 0) + 1 s.last = e.a emit{n=s.n, key=key()} end");

	kit_key(kit, "ann");
	ck_assert_int_eq(kit_push(kit, "{\"a\":1}"), LEAT_OK);
	kit_key(kit, "bob");
	ck_assert_int_eq(kit_push(kit, "{\"a\":\"x\"}"), LEAT_OK);
	kit_key(kit, "ann");
	ck_assert_int_eq(kit_push(kit, "{\"a\":2}"), LEAT_OK);
	assert_out(kit, "{\"key\":\"ann\",\"n\":1}");
	assert_out(kit, "{\"key\":\"bob\",\"n\":1}");
	assert_out(kit, "{\"key\":\"ann\",\"n\":2}");
	ck_assert_str_eq(kit_state(kit), "{\"last\":2,\"n\":2}");
	kit_key(kit, "bob");
	ck_assert_str_eq(kit_state(kit), "{\"last\":\"x\",\"n\":1}");
	kit_close(kit);
}
END_TEST

START_TEST(no_field_of_one_key_is_seen_under_another)
{
	struct kit *kit = kit_open("function process(e, s) local names = {} for k in pairs(s) do names[#names + 1] = "
		"k end table.sort(names) "
	                           "emit{seen=table.concat(names, ' ')} for k, v in pairs(e) do s[k] = v end end");
	const char *const keys[] = {"a", "b", "c"};
	size_t i;

	for (i = 0; i < 3; i++) {
		kit_key(kit, keys[i]);
		ck_assert_int_eq(kit_push(kit, i == 0 ? "{\"x\":1,\"y\":2}" : i == 1 ? "{\"y\":3}" : "{\"z\":{\"q\":1}}"),
			LEAT_OK);
		assert_out(kit, "{\"seen\":\"\"}");
	}
	kit_key(kit, "a");
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"seen\":\"x y\"}");
	kit_key(kit, "c");
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"seen\":\"z\"}");
	kit_key(kit, "b");
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"seen\":\"y\"}");
	kit_close(kit);
}
END_TEST

START_TEST(state_holds_nested_tables_and_parts_of_events)
{
	struct kit *kit = kit_open("function process(e, s) s.w = s.w or {} s.w[#s.w + 1] = e.a s.part = e.part "
		"s.empty = s.empty or list{} s.big = math.huge "
	                           "if s.ok == nil then s.ok = false end emit{n=#s.w, deep=s.part.x[1]} s.big = nil end");

	ck_assert_int_eq(kit_push(kit, "{\"a\":1,\"part\":{\"x\":[1.50]}}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{\"a\":2,\"part\":{\"x\":[2]}}"), LEAT_OK);
	assert_out(kit, "{\"deep\":1.5,\"n\":1}");
	assert_out(kit, "{\"deep\":2,\"n\":2}");
	ck_assert_str_eq(kit_state(kit), "{\"empty\":[],\"ok\":false,\"part\":{\"x\":[2]},\"w\":[1,2]}");
	kit_close(kit);
}
END_TEST

START_TEST(nil_removes_a_field_of_state_and_the_last_one_the_entry)
{
	struct kit *kit = kit_open("function process(e, s) s.a = e.a s.b = e.b end");

	ck_assert_int_eq(kit_push(kit, "{\"a\":1,\"b\":2}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"a\":1,\"b\":2}");
	ck_assert_int_eq(kit_push(kit, "{\"b\":2}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"b\":2}");
	ck_assert_uint_eq(leat_tables_entries(kit->tables), 1);
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	ck_assert_uint_eq(leat_tables_entries(kit->tables), 0);
	kit_close(kit);
}
END_TEST

START_TEST(fields_are_added_to_state_that_was_there)
{
	struct kit *kit = kit_open("function process(e, s) for k, v in pairs(e) do s[k] = v end end");

	ck_assert_int_eq(kit_push(kit, "{\"b\":1,\"d\":2}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{\"b\":3}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{\"c\":4}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"b\":3,\"c\":4,\"d\":2}");
	ck_assert_int_eq(kit_push(kit, "{\"a\":5,\"d\":6}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"a\":5,\"b\":3,\"c\":4,\"d\":6}");
	kit_close(kit);
}
END_TEST

START_TEST(state_is_stored_only_when_it_changed)
{
	struct kit *kit = kit_open("function process(e, s) s.a = e.a s.t = {1, {x=e.a}} end");

	ck_assert_int_eq(kit_push(kit, "{\"a\":1}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{\"a\":1}"), LEAT_OK);
	ck_assert_uint_eq(kit->n_puts, 1);
	ck_assert_int_eq(kit_push(kit, "{\"a\":1.0}"), LEAT_OK);
	ck_assert_uint_eq(kit->n_puts, 2);
	kit_close(kit);
}
END_TEST

START_TEST(an_error_leaves_nothing_in_state_or_emitted)
{
	struct kit *kit = kit_open("function process(e, s) s.n = (s.n or 0) + 1 s.t = s.t or {} s.t[#s.t + 1] = e.a "
		"emit(e) if e.bad then error('no') end end");

	ck_assert_int_eq(kit_push(kit, "{\"a\":1}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{\"a\":2,\"bad\":true}"), LEAT_REJECT);
	ck_assert_str_eq(kit_state(kit), "{\"n\":1,\"t\":[1]}");
	ck_assert_int_eq(kit_push(kit, "{\"a\":3}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"n\":2,\"t\":[1,3]}");
	ck_assert_uint_eq(kit->n_emissions, 2);
	kit_close(kit);
}
END_TEST

START_TEST(a_function_cannot_be_kept_in_state)
{
	struct kit *kit = kit_open("\nfunction process(e, s)\n s[e.k] = e.k == 'f' and print or 1\n s[1] = e.one\nend");

	assert_rejected(kit, "{\"k\":\"f\"}", "score.lua:2", "cannot write \"f\": it is a function");
	assert_rejected(kit, "{\"k\":\"g\",\"one\":1}", "score.lua:2", "cannot keep a field of state whose name is a "
		"number, not a text");
	ck_assert_int_eq(kit_push(kit, "{\"k\":\"g\"}"), LEAT_OK);
	ck_assert_str_eq(kit_state(kit), "{\"g\":1}");
	kit_close(kit);
}
END_TEST

START_TEST(many_fields_of_state_come_back)
{
	struct kit *kit = kit_open("function process(e, s) for i = 1, 300 do local k = 'f' .. i s[k] = (s[k] or 0) + "
		"i end emit{x=s.f300} end");

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"x\":300}");
	assert_out(kit, "{\"x\":600}");
	kit_close(kit);
}
END_TEST

START_TEST(a_script_asks_the_host)
{
	struct kit *kit = run("local o, p = offset() emit{k=key() == nil, t=event_time(), now=now(), o=o, p=p} "
		"log('n', 1, event, {a=1})", "{\"a\":1}");

	assert_out(kit, "{\"k\":true,\"now\":1000000000000000,\"o\":77,\"p\":3,\"t\":1700000000000000}");
	ck_assert_str_eq(kit->logged, "n\t1\t{\"a\":1}\t{\"a\":1}");
	kit_close(kit);
}
END_TEST

START_TEST(log_lines_are_limited)
{
	struct kit *kit = run("for i = 1, 100 do log(i) end", "{}");

	ck_assert_uint_eq(kit->n_logged, 20);
	kit->now_us += 1000000;
	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	ck_assert_uint_eq(kit->n_logged, 41); /* one says how many there were */
	kit_close(kit);
}
END_TEST

START_TEST(timers_call_the_script_with_key_state_and_tag)
{
	struct kit *kit = kit_open("function process(e, s) s.n = (s.n or 0) + 1 set_timer(1.5, e.tag) end\n"
	                           "function timer(k, s, tag) emit{k=k, n=s.n, tag=tag, t=event_time()} s.n = nil end");

	kit_key(kit, "ann");
	ck_assert_int_eq(kit_push(kit, "{\"tag\":7}"), LEAT_OK);
	kit_fire(kit, kit->now_us + 1499999);
	ck_assert_ptr_null(kit_pull(kit, 0));
	kit_fire(kit, kit->now_us + 1);
	assert_out(kit, "{\"k\":\"ann\",\"n\":1,\"t\":1000000001500000,\"tag\":7}");
	ck_assert_str_eq(kit_state(kit), "null");
	kit_close(kit);
}
END_TEST

START_TEST(settings_are_numbers_where_they_look_like_it)
{
	static const struct leat_pair pairs[] = {{"limit", "2.5"}, {"n", "7"}, {"on", "true"}, {"name", "x y"}};
	const char *script = "local l <const> = settings.limit function process(e) emit{l=l, n=math.type(settings.n), "
		"on=settings.on, name=settings.name} end";
	struct kit *kit = kit_open_with(script, strlen(script), &(struct kit_options){.settings = {4, pairs}});

	ck_assert_int_eq(kit_push(kit, "{}"), LEAT_OK);
	assert_out(kit, "{\"l\":2.5,\"n\":\"integer\",\"name\":\"x y\",\"on\":true}");
	kit_close(kit);
}
END_TEST

START_TEST(an_event_that_is_no_map_is_its_value)
{
	struct kit *kit = kit_open("function process(e) emit('out', type(e) == 'userdata' and e[2] or e) end");

	ck_assert_int_eq(kit_push(kit, "\"text\""), LEAT_OK);
	ck_assert_int_eq(kit_push(kit, "[1,2]"), LEAT_OK);
	assert_out(kit, "\"text\"");
	assert_out(kit, "2");
	kit_close(kit);
}
END_TEST

START_TEST(bytes_that_are_no_text_are_bytes)
{
	check_run("emit{a='\\xff\\x00', b='\\xc3\\xa4'}", "{}", "{\"a\":\"/wA=\",\"b\":\"\xc3\xa4\"}");
}
END_TEST

START_TEST(members_of_written_maps_are_in_order_of_name)
{
	check_run("local t = {} for i = 40, 1, -1 do t[string.format('k%02d', i)] = i end local e = {} e.m = t "
		"emit{first=1, m={b=1, a=2, ab=3}}", "{}",
	          "{\"first\":1,\"m\":{\"a\":2,\"ab\":3,\"b\":1}}");
}
END_TEST

START_TEST(mistakes_in_a_script_are_found_when_it_is_loaded)
{
	static const struct {
		const char *script, *where, *text;
	} cases[] = {
		{"x = 1\ny = = 2\n", "score.lua:2", "unexpected symbol near '='"},
		{"function proces() end", "score.lua", "script has no function \"process\""},
		{"process = 5", "score.lua", "\"process\" is a number, not a function of the script"},
		{"process = print", "score.lua", "\"process\" is a function, not a function of the script"},
		{"ports = {'A'} function process() end", "score.lua", "name 1 in \"ports\" is not of the form "
			"[a-z][a-z0-9_]*, or is \"dead\""},
		{"\n\nlocal x = nil + 1", "score.lua:3", "attempt to perform arithmetic on a nil value"},
		{"\nemit{a=1}", "score.lua:2", "\"emit\" can be called while an event is processed, not while the "
			"script is loaded"},
		{"while true do end", "score.lua:1", "used more than 10000000 instructions"},
		{"local n = 0\nfunction process()\n  n = n + 1\nend", "score.lua:3",
		 "cannot assign to \"n\" here, a local of the file that all keys share: keep it in state"},
		{"local n, m = 0, {}\nfunction m.add()\n  return function()\n    n = 1\n  end\nend\nfunction "
			"process() m.add() end", "score.lua:4",
		 "cannot assign to \"n\" here, a local of the file that all keys share: keep it in state"},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct kit *kit = kit_refused(cases[i].script);

		ck_assert_str_eq(kit->err.where, cases[i].where);
		ck_assert_str_eq(kit->err.text, cases[i].text);
		ck_assert_int_eq(kit->err.status, LEAT_FATAL);
		kit_close(kit);
	}
}
END_TEST

START_TEST(functions_may_assign_to_locals_of_their_own)
{
	struct kit *kit = kit_open("local function sum(l) local s = 0 local function add(x) s = s + x end for i = 1, "
		"#l do add(l[i]) end return s end\n"
	                           "local function fact(n) return n < 2 and 1 or n * fact(n - 1) end\nlocal limit, "
	                           	"unit = 5, 'EUR'\n"
	                           "function process(e) emit{s=sum(e.l), f=fact(5), l=limit, u=unit} end");

	ck_assert_int_eq(kit_push(kit, "{\"l\":[1,2,3]}"), LEAT_OK);
	assert_out(kit, "{\"f\":120,\"l\":5,\"s\":6,\"u\":\"EUR\"}");
	kit_close(kit);
}
END_TEST

/* The first block of Lua in the guide for analysts, terminated. */
static char *read_guide(void)
{
	char *path = leat_format_text("%s/docs/lua-rules.md", getenv("LEAT_SOURCE"));
	char *text = calloc(1, 1 << 16);
	FILE *file = fopen(path, "r");
	char *from, *end;

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_lt(fread(text, 1, (1 << 16) - 1, file), (1 << 16) - 1);
	(void)fclose(file);
	free(path);
	from = strstr(text, "```lua\n");
	end = strstr(from + 1, "```\n");
	ck_assert_ptr_nonnull(end);
	*end = '\0';
	memmove(text, from + 7, strlen(from + 7) + 1);
	return text;
}

START_TEST(the_rule_in_the_guide_works)
{
	struct kit *kit;
	char *script;
	int i;

	if (getenv("LEAT_SOURCE") == NULL)
		return;
	script = read_guide();
	kit = kit_open(script);
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(kit_push(kit, i % 2 == 0 ? "{\"amount\":10.5}" : "{\"amount\":9.5}"), LEAT_OK);
	ck_assert_uint_eq(kit->n_emissions, 40);
	kit->n_taken = 40;
	ck_assert_int_eq(kit_push(kit, "{\"amount\":1000}"), LEAT_OK);
	ck_assert_ptr_nonnull(kit_pull(kit, 1));
	ck_assert_ptr_nonnull(kit_pull(kit, 0));
	kit_close(kit);
	free(script);
}
END_TEST

int main(void)
{
	return leat_test_main("lua_events", (const TTest *[]){
						    an_untouched_event_is_emitted_from_its_source_text,
						    nothing_is_emitted_without_emit,
						    fields_are_read_with_their_types,
						    integers_of_64_bits_stay_exact,
						    a_number_that_is_written_back_as_it_was_keeps_its_source_text,
						    a_number_that_was_changed_is_written_anew,
						    fields_are_added_and_replaced_in_place,
						    nil_removes_a_field,
						    what_was_written_is_read,
						    of_equal_names_the_last_one_is_read_and_replaced,
						    nested_maps_and_lists_are_read,
						    writing_into_a_nested_map_copies_only_the_way_there,
						    a_write_through_one_reference_is_seen_through_another,
						    a_part_that_was_replaced_takes_no_more_writes,
						    a_part_can_be_put_elsewhere,
						    a_part_that_was_replaced_can_be_put_back,
						    two_fields_that_share_a_part_are_changed_apart,
						    lists_are_changed_item_by_item,
						    pairs_visits_fields_in_order_with_what_was_written,
						    tables_become_lists_or_maps,
						    tables_made_while_loading_are_written_like_others,
						    what_is_emitted_is_what_the_event_was_then,
						    what_is_emitted_later_has_what_was_written_deep_inside_since,
						    items_that_share_a_part_are_changed_apart,
						    ports_are_the_ones_that_the_script_lists,
						    what_cannot_be_written_is_named_with_its_line,
						    an_error_has_line_reason_and_traceback,
						    errors_without_a_place_get_the_line_that_ran,
						    reject_sends_the_event_away_with_its_reason,
						    reject_counts_though_nothing_comes_after_it,
						    state_is_kept_for_each_key,
						    no_field_of_one_key_is_seen_under_another,
						    state_holds_nested_tables_and_parts_of_events,
						    nil_removes_a_field_of_state_and_the_last_one_the_entry,
						    fields_are_added_to_state_that_was_there,
						    state_is_stored_only_when_it_changed,
						    an_error_leaves_nothing_in_state_or_emitted,
						    a_function_cannot_be_kept_in_state,
						    many_fields_of_state_come_back,
						    a_script_asks_the_host,
						    log_lines_are_limited,
						    timers_call_the_script_with_key_state_and_tag,
						    settings_are_numbers_where_they_look_like_it,
						    an_event_that_is_no_map_is_its_value,
						    bytes_that_are_no_text_are_bytes,
						    members_of_written_maps_are_in_order_of_name,
						    mistakes_in_a_script_are_found_when_it_is_loaded,
						    functions_may_assign_to_locals_of_their_own,
						    the_rule_in_the_guide_works,
						    NULL });
}
