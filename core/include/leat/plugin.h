/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_H
#define LEAT_PLUGIN_H

/*
 * The one header that a plugin includes, and the one symbol that it exports.
 *
 *     #include <leat/plugin.h>
 *     static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, ...)
 *     static const struct leat_operator_ops ops = { .size = sizeof ops, .process = process };
 *     LEAT_PLUGIN(.name = "mine", .version = "1.0", .summary = "What it does, in a line.", .op = &ops);
 *
 * Compile with `cc -shared -fPIC -o mine.so mine.c $(pkg-config --cflags leat)` and drop the file into the folder that
 * `pkg-config --variable=plugindir leat` names. A plugin links against nothing of leat's. It is loaded once and never
 * unloaded. `type: mine` in a pipeline file means the role that the section asks for: `source` under sources, `op` under
 * operators, `sink` under sinks; `codec` by `format: mine`.
 *
 * Journal of the interface. It is not frozen before its first release; from then on structs grow at their end only.
 *   1  the first. While it is not frozen, it has grown by: leat_watermark() and timers of event time, named inputs of operators with
 *      leat_input(), null keys for who takes them, leat_copy(), leat_key_field(), leat_ordered_last(), .reads_watermark, .is_whole,
 *      .keeps_records, options of aggregates, timers of endless time, leat_run_out(), leat_committing(),
 *      leat_table_expect(), leat_ordered_take().
 */

#include <leat/codec.h>
#include <leat/operator.h>
#include <leat/sink.h>
#include <leat/source.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_ABI 1u
#define LEAT_MAGIC 0x7461656cu /* "leat" */

/* What the plugin was compiled with: the loader compares it with its own and says what differs. */
struct leat_layout {
	size_t api;
	size_t value;
	size_t record;
	size_t option;
	size_t table_spec;
	size_t error;
};

#define LEAT_LAYOUT                                                                                                       \
	{                                                                                                                 \
		sizeof(struct leat_api), sizeof(struct leat_value), sizeof(struct leat_record), sizeof(struct leat_option),   \
			sizeof(struct leat_table_spec), sizeof(struct leat_error)                                             \
	}

struct leat_plugin {
	uint32_t magic;
	uint32_t abi;
	size_t size; /* sizeof (struct leat_plugin) */
	struct leat_layout layout;
	const char *name;    /* [a-z][a-z0-9_]*, as in `type:` */
	const char *version; /* the plugin's own */
	const char *summary; /* one line */
	const char *licence; /* SPDX, or NULL */
	const struct leat_source_ops *source;
	const struct leat_operator_ops *op;
	const struct leat_sink_ops *sink;
	const struct leat_codec_ops *codec;
};

#if defined(__GNUC__)
#define LEAT_EXPORT __attribute__((visibility("default")))
#else
#define LEAT_EXPORT
#endif

/* C only: C++17 has no designated initialisers, so there the struct is filled by a constructor or in order. */
#define LEAT_PLUGIN(...)                                                                                                  \
	LEAT_EXPORT extern const struct leat_plugin leat_plugin;                                                          \
	LEAT_EXPORT const struct leat_plugin leat_plugin = {                                                              \
		.magic = LEAT_MAGIC, .abi = LEAT_ABI, .size = sizeof(struct leat_plugin), .layout = LEAT_LAYOUT, __VA_ARGS__ }

#ifdef __cplusplus
}
#endif

#endif
