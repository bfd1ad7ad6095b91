/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_JSON_H
#define LEAT_DATA_JSON_H

#include <leat/buffer.h>
#include <leat/error.h>

#include "data/value.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * JSON (RFC 8259) through simdjson. Integers that fit are exact int64; any other number keeps its source text; maps and
 * lists keep theirs. Texts without escapes point into the input. Of equal names in a map all are kept and the last one
 * counts. A byte order mark at the very start is skipped. A number too large for a double is infinite, and still keeps its
 * source text.
 */

enum { LEAT_JSON_DEPTH = 128 };

struct leat_json; /* a decoder: buffers, and the shape of the last map, by which names find their symbols fast */

struct leat_json *leat_json_create(const struct leat_symbols *symbols);
void leat_json_destroy(struct leat_json *json);

/* `bytes` live as long as `arena` and have LEAT_CODEC_PADDING readable bytes behind them. LEAT_REJECT with position and
 * reason: "invalid UTF-8 at byte 17", "nested deeper than 128 at byte 130", "truncated after byte 93", ... The first byte is
 * byte 1. */
enum leat_status leat_json_decode(struct leat_json *json, struct leat_arena *arena, const char *bytes, size_t n,
                                  struct leat_value *out, struct leat_error *err);

/* Appends. Times are written as RFC 3339 text in UTC with microseconds, bytes as base64, reals in the shortest form that
 * reads back; LEAT_REJECT for infinities and NaN, which JSON cannot say, for times outside the years 0 to 9999 and for what
 * is nested deeper than LEAT_JSON_DEPTH. The text is one line: breaks between the tokens of a source text become spaces.
 * Appends nothing unless LEAT_OK. */
enum leat_status leat_json_encode(const struct leat_value *value, struct leat_buffer *out, struct leat_error *err);
/* A quoted and escaped JSON text. Bytes that are not UTF-8 become U+FFFD. */
void leat_json_quote(struct leat_buffer *out, const char *s, size_t n);

#ifdef __cplusplus
}
#endif

#endif
