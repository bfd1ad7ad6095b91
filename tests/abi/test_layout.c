/* SPDX-License-Identifier: Apache-2.0 */
/* The public structs as they lie in memory on x86-64. See README.md for what to do when this fails. */
#include <leat/plugin.h>

#include "unit/unit.h"

struct layout {
	const char *name;
	size_t found, expected;
};

#define SIZE(struct_, expected_) { "sizeof " #struct_, sizeof(struct struct_), expected_ }
#define AT(struct_, member_, expected_) { #struct_ "." #member_, offsetof(struct struct_, member_), expected_ }

#if defined(__x86_64__) && defined(__LP64__)
static const struct layout layouts[] = {
	SIZE(leat_value, 16),
	AT(leat_value, type, 0),
	AT(leat_value, flags, 1),
	AT(leat_value, reserved, 2),
	AT(leat_value, n, 4),
	AT(leat_value, as, 8),

	SIZE(leat_number, 24),
	AT(leat_number, real, 0),
	AT(leat_number, source_n, 8),
	AT(leat_number, source, 16),

	SIZE(leat_list, 24),
	AT(leat_list, item, 0),
	AT(leat_list, n, 8),
	AT(leat_list, source_n, 12),
	AT(leat_list, source, 16),

	SIZE(leat_member, 32),
	AT(leat_member, name, 0),
	AT(leat_member, name_n, 8),
	AT(leat_member, symbol, 12),
	AT(leat_member, value, 16),

	SIZE(leat_map, 24),
	AT(leat_map, member, 0),
	AT(leat_map, n, 8),
	AT(leat_map, source_n, 12),
	AT(leat_map, source, 16),

	SIZE(leat_path, 24),
	AT(leat_path, text, 0),
	AT(leat_path, n, 8),
	AT(leat_path, symbol, 16),

	SIZE(leat_error, 1672),
	AT(leat_error, status, 0),
	AT(leat_error, code, 4),
	AT(leat_error, where, 8),
	AT(leat_error, text, 136),
	AT(leat_error, detail, 648),

	SIZE(leat_buffer, 24),
	AT(leat_buffer, data, 0),
	AT(leat_buffer, n, 8),
	AT(leat_buffer, capacity, 16),

	SIZE(leat_texts, 16),
	AT(leat_texts, n, 0),
	AT(leat_texts, item, 8),

	SIZE(leat_pair, 16),
	AT(leat_pair, name, 0),
	AT(leat_pair, text, 8),

	SIZE(leat_pairs, 16),
	AT(leat_pairs, n, 0),
	AT(leat_pairs, item, 8),

	SIZE(leat_paths, 16),
	AT(leat_paths, n, 0),
	AT(leat_paths, item, 8),

	SIZE(leat_named_template, 16),
	AT(leat_named_template, name, 0),
	AT(leat_named_template, value, 8),

	SIZE(leat_templates, 16),
	AT(leat_templates, n, 0),
	AT(leat_templates, item, 8),

	SIZE(leat_named_expression, 24),
	AT(leat_named_expression, name, 0),
	AT(leat_named_expression, text, 8),
	AT(leat_named_expression, value, 16),

	SIZE(leat_expressions, 16),
	AT(leat_expressions, n, 0),
	AT(leat_expressions, item, 8),

	SIZE(leat_aggregate, 56),
	AT(leat_aggregate, name, 0),
	AT(leat_aggregate, function, 4),
	AT(leat_aggregate, text, 8),
	AT(leat_aggregate, source, 16),
	AT(leat_aggregate, argument, 24),
	AT(leat_aggregate, field, 32),
	AT(leat_aggregate, constant, 40),
	AT(leat_aggregate, label, 48),

	SIZE(leat_aggregates, 16),
	AT(leat_aggregates, n, 0),
	AT(leat_aggregates, item, 8),

	SIZE(leat_option, 64),
	AT(leat_option, name, 0),
	AT(leat_option, type, 8),
	AT(leat_option, flags, 12),
	AT(leat_option, offset, 16),
	AT(leat_option, preset, 24),
	AT(leat_option, minimum, 32),
	AT(leat_option, maximum, 40),
	AT(leat_option, choices, 48),
	AT(leat_option, prose, 56),

	SIZE(leat_origin, 16),
	AT(leat_origin, source, 0),
	AT(leat_origin, partition, 4),
	AT(leat_origin, offset, 8),

	SIZE(leat_header, 24),
	AT(leat_header, name, 0),
	AT(leat_header, bytes, 8),
	AT(leat_header, n, 16),

	SIZE(leat_headers, 16),
	AT(leat_headers, n, 0),
	AT(leat_headers, item, 8),

	SIZE(leat_record, 72),
	AT(leat_record, key, 0),
	AT(leat_record, value, 16),
	AT(leat_record, time_us, 32),
	AT(leat_record, arrival_us, 40),
	AT(leat_record, headers, 48),
	AT(leat_record, origin, 56),

	SIZE(leat_batch, 16),
	AT(leat_batch, n, 0),
	AT(leat_batch, record, 8),

	SIZE(leat_field, 32),
	AT(leat_field, name, 0),
	AT(leat_field, type, 8),
	AT(leat_field, offset, 16),
	AT(leat_field, size, 24),

	SIZE(leat_table_spec, 56),
	AT(leat_table_spec, name, 0),
	AT(leat_table_spec, version, 8),
	AT(leat_table_spec, kind, 12),
	AT(leat_table_spec, size, 16),
	AT(leat_table_spec, fields, 24),
	AT(leat_table_spec, prose, 32),
	AT(leat_table_spec, migrate, 40),
	AT(leat_table_spec, older, 48),

	SIZE(leat_ordered_entry, 32),
	AT(leat_ordered_entry, order, 0),
	AT(leat_ordered_entry, sequence, 8),
	AT(leat_ordered_entry, value, 16),

	SIZE(leat_timer, 40),
	AT(leat_timer, clock, 0),
	AT(leat_timer, due_us, 8),
	AT(leat_timer, tag, 16),
	AT(leat_timer, key, 24),

	SIZE(leat_message, 64),
	AT(leat_message, payload, 0),
	AT(leat_message, payload_n, 8),
	AT(leat_message, key, 16),
	AT(leat_message, key_n, 24),
	AT(leat_message, headers, 32),
	AT(leat_message, time_us, 40),
	AT(leat_message, offset, 48),
	AT(leat_message, next, 56),

	SIZE(leat_api, 336),
	AT(leat_api, size, 0),
	AT(leat_api, abi, 8),
	AT(leat_api, log, 16),
	AT(leat_api, name, 24),
	AT(leat_api, now, 32),
	AT(leat_api, random, 40),
	AT(leat_api, worker, 48),
	AT(leat_api, intern, 56),
	AT(leat_api, port, 64),
	AT(leat_api, allocate, 72),
	AT(leat_api, list, 80),
	AT(leat_api, map_with, 88),
	AT(leat_api, emit, 96),
	AT(leat_api, evaluate, 104),
	AT(leat_api, render, 112),
	AT(leat_api, encode_value, 120),
	AT(leat_api, table_get, 128),
	AT(leat_api, table_peek, 136),
	AT(leat_api, table_erase, 144),
	AT(leat_api, table_value, 152),
	AT(leat_api, table_put, 160),
	AT(leat_api, table_ttl, 168),
	AT(leat_api, ordered_put, 176),
	AT(leat_api, ordered_erase, 184),
	AT(leat_api, ordered_scan, 192),
	AT(leat_api, timer_set, 200),
	AT(leat_api, timer_cancel, 208),
	AT(leat_api, push, 216),
	AT(leat_api, push_record, 224),
	AT(leat_api, wait, 232),
	AT(leat_api, waker, 240),
	AT(leat_api, wake, 248),
	AT(leat_api, partition, 256),
	AT(leat_api, refuse, 264),
	AT(leat_api, watermark, 272),
	AT(leat_api, input, 280),
	AT(leat_api, copy, 288),
	AT(leat_api, key_field, 296),
	AT(leat_api, ordered_last, 304),
	AT(leat_api, committing, 312),
	AT(leat_api, table_expect, 320),
	AT(leat_api, ordered_take, 328),

	SIZE(leat_context, 8),
	AT(leat_context, api, 0),

	SIZE(leat_operator_ops, 120),
	AT(leat_operator_ops, size, 0),
	AT(leat_operator_ops, instance_size, 8),
	AT(leat_operator_ops, options, 16),
	AT(leat_operator_ops, tables, 24),
	AT(leat_operator_ops, ports, 32),
	AT(leat_operator_ops, create, 40),
	AT(leat_operator_ops, check, 48),
	AT(leat_operator_ops, list_ports, 56),
	AT(leat_operator_ops, prepare, 64),
	AT(leat_operator_ops, process, 72),
	AT(leat_operator_ops, timer, 80),
	AT(leat_operator_ops, end, 88),
	AT(leat_operator_ops, destroy, 96),
	AT(leat_operator_ops, reads_watermark, 104),
	AT(leat_operator_ops, takes_null_keys, 105),
	AT(leat_operator_ops, is_whole, 106),
	AT(leat_operator_ops, keeps_records, 107),
	AT(leat_operator_ops, inputs, 112),

	SIZE(leat_position, 64),
	AT(leat_position, offset, 0),
	AT(leat_position, note, 8),

	SIZE(leat_source_ops, 120),
	AT(leat_source_ops, size, 0),
	AT(leat_source_ops, instance_size, 8),
	AT(leat_source_ops, options, 16),
	AT(leat_source_ops, can_replay, 24),
	AT(leat_source_ops, is_decoded, 25),
	AT(leat_source_ops, create, 32),
	AT(leat_source_ops, check, 40),
	AT(leat_source_ops, partitions, 48),
	AT(leat_source_ops, open, 56),
	AT(leat_source_ops, poll, 64),
	AT(leat_source_ops, commit, 72),
	AT(leat_source_ops, lag, 80),
	AT(leat_source_ops, close, 88),
	AT(leat_source_ops, destroy, 96),
	AT(leat_source_ops, begin, 104),
	AT(leat_source_ops, identity, 112),

	SIZE(leat_effect, 16),
	AT(leat_effect, bytes, 0),
	AT(leat_effect, n, 8),

	SIZE(leat_fence, 24),
	AT(leat_fence, incarnation, 0),
	AT(leat_fence, epoch, 8),
	AT(leat_fence, digest, 16),

	SIZE(leat_claim, 56),
	AT(leat_claim, pipeline, 0),
	AT(leat_claim, sink, 8),
	AT(leat_claim, is_fenced, 16),
	AT(leat_claim, incarnation, 24),
	AT(leat_claim, delivered, 32),

	SIZE(leat_delivery, 72),
	AT(leat_delivery, is_fenced, 0),
	AT(leat_delivery, expected, 8),
	AT(leat_delivery, next, 32),
	AT(leat_delivery, n, 56),
	AT(leat_delivery, effect, 64),

	SIZE(leat_sink_ops, 104),
	AT(leat_sink_ops, size, 0),
	AT(leat_sink_ops, instance_size, 8),
	AT(leat_sink_ops, options, 16),
	AT(leat_sink_ops, is_encoded, 24),
	AT(leat_sink_ops, create, 32),
	AT(leat_sink_ops, check, 40),
	AT(leat_sink_ops, guarantee, 48),
	AT(leat_sink_ops, encode, 56),
	AT(leat_sink_ops, claim, 64),
	AT(leat_sink_ops, deliver, 72),
	AT(leat_sink_ops, destroy, 80),
	AT(leat_sink_ops, identity, 88),
	AT(leat_sink_ops, retention, 96),

	SIZE(leat_codec_ops, 56),
	AT(leat_codec_ops, size, 0),
	AT(leat_codec_ops, instance_size, 8),
	AT(leat_codec_ops, options, 16),
	AT(leat_codec_ops, create, 24),
	AT(leat_codec_ops, decode, 32),
	AT(leat_codec_ops, encode, 40),
	AT(leat_codec_ops, destroy, 48),

	SIZE(leat_layout, 48),
	AT(leat_layout, api, 0),
	AT(leat_layout, value, 8),
	AT(leat_layout, record, 16),
	AT(leat_layout, option, 24),
	AT(leat_layout, table_spec, 32),
	AT(leat_layout, error, 40),

	SIZE(leat_plugin, 128),
	AT(leat_plugin, magic, 0),
	AT(leat_plugin, abi, 4),
	AT(leat_plugin, size, 8),
	AT(leat_plugin, layout, 16),
	AT(leat_plugin, name, 64),
	AT(leat_plugin, version, 72),
	AT(leat_plugin, summary, 80),
	AT(leat_plugin, licence, 88),
	AT(leat_plugin, source, 96),
	AT(leat_plugin, op, 104),
	AT(leat_plugin, sink, 112),
	AT(leat_plugin, codec, 120),
};

START_TEST(public_structs_lie_in_memory_as_before)
{
	for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
		ck_assert_msg(layouts[i].found == layouts[i].expected, "%s is %zu, expected %zu", layouts[i].name, layouts[i].found,
		              layouts[i].expected);
}
END_TEST
#endif

START_TEST(numbers_that_plugins_were_compiled_with_stay)
{
	ck_assert_uint_eq(LEAT_ABI, 1);
	ck_assert_uint_eq(LEAT_MAGIC, 0x7461656c);
	ck_assert_int_eq(LEAT_REJECT, 5);
	ck_assert_int_eq(LEAT_FATAL, 6);
	ck_assert_int_eq(LEAT_MAP, 8);
	ck_assert_int_eq(LEAT_OPTION_AGGREGATES, 17);
	ck_assert_int_eq(LEAT_AGGREGATE_COLLECT, 13);
	ck_assert_int_eq(LEAT_FIELD_BYTES, 5);
	ck_assert_int_eq(LEAT_TABLE_ORDERED, 2);
	ck_assert_int_eq(LEAT_TRANSACTIONAL, 2);
}
END_TEST

int main(void)
{
	return leat_test_main("layout", (const TTest *[]){
#if defined(__x86_64__) && defined(__LP64__)
		public_structs_lie_in_memory_as_before,
#endif
		numbers_that_plugins_were_compiled_with_stay,
		NULL,
	});
}
