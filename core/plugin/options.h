/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_OPTIONS_H
#define LEAT_PLUGIN_OPTIONS_H

#include <leat/buffer.h>
#include <leat/error.h>
#include <leat/option.h>

#include "base/arena.h"
#include "base/report.h"
#include "data/symbol.h"
#include "plugin/setting.h"

/* What filling needs besides the table. */
struct leat_option_fill {
	struct leat_arena *arena; /* where what members point to is made; lives as long as the pipeline */
	struct leat_symbols *symbols;
	struct leat_report *report;
	const char *folder;         /* of the pipeline file: relative paths in `*_file` options start here */
	const char *owner;          /* for messages: "kafka source" */
	const char *const *common;  /* names that the host itself reads from the same map (type, input, ...), NULL-terminated */
};

/*
 * Fills `self` (zeroed, of the size that the table belongs to) from the map `settings`: presets first, then what the
 * file says. All mistakes go to the report with their places: an unknown option with the nearest name (of `table` and of
 * `common`), a wrong type, a value out of range, a required option that is missing (at the node's name), an option given
 * twice, a text and its `_file` both. Returns false when it reported an error.
 * A table of NULL has no options.
 */
bool leat_options_fill(void *self, const struct leat_option *table, const struct leat_setting *settings,
                       const struct leat_option_fill *fill);

/* Scalars in the forms that options use, for the few keys that the host itself reads. False: not of that form. */
bool leat_parse_bool(const char *text, bool *out);             /* true false yes no on off */
bool leat_parse_duration(const char *text, int64_t *us);       /* 250us 20ms 5s 10m 2h 7d */
bool leat_parse_size(const char *text, int64_t *bytes);        /* 512 64KiB 10MB 1GiB */

/* Words for the type of an option, with its range: "duration, 1ms to 1h". */
void leat_option_describe(const struct leat_option *option, struct leat_buffer *out);

/* True when there is a mistake in the plugin's own table (no prose, a preset that its type does not read, a member outside
 * the instance); which one, in *err. Checked when a plugin is loaded. */
bool leat_options_fault(const struct leat_option *table, size_t instance_size, struct leat_error *err);

#endif
