/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_TEXT_H
#define LEAT_PLUGINS_TEXT_H

#include <leat/plugin.h>

/* Values as the text that other systems speak, and back. Shared by the plugins for databases. */

/* Appends a scalar: numbers exactly as they were written, times as RFC 3339 in UTC with microseconds, bools as true and
 * false, texts and bytes as they are. False, with nothing appended: null, a list, a map, or a time outside the years 0 to 9999. */
bool text_append_scalar(struct leat_buffer *out, const struct leat_value *value);

/* Bytes as PostgreSQL reads them: \x0aff. */
void text_append_hex(struct leat_buffer *out, const char *bytes, size_t n);

/* Reads 2024-01-31 23:59:59.123456+00, the form of PostgreSQL's ISO date style, also without a zone (UTC then). */
bool text_parse_time(const char *s, int64_t *time_us);

/* An integer where it is one that fits 64 bits, else a real that keeps its source text in the arena. False: not a number
 * as JSON writes it. */
bool text_parse_number(struct leat_context *ctx, const char *s, size_t n, struct leat_value *out);

bool text_is_utf8(const char *s, size_t n);

/* Copies a library's message: the first line only, without a capital in front or a full stop behind. */
void text_copy_message(char *out, size_t out_n, const char *message);

#endif
