/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_LETTER_H
#define LEAT_STATE_LETTER_H

#include <leat/buffer.h>
#include <leat/record.h>

#include "base/arena.h"
#include "data/symbol.h"
#include "state/letters.h"

/* A dead letter at rest: what could not be processed, as it was, with what someone needs to understand it and to have it
 * processed again. */

enum leat_letter_kind {
	LEAT_LETTER_MESSAGE, /* of a source: bytes that cannot be decoded; the payload is these */
	LEAT_LETTER_EVENT,   /* into an operator or a sink; the payload is its value */
	LEAT_LETTER_EFFECT,  /* of a sink, after a restart, when the event is gone; the payload is its bytes */
	LEAT_LETTER_TIMER    /* of an operator, or its end(): there is no payload, and nothing that could be done again */
};

struct leat_letter {
	uint64_t number, epoch; /* the store's; not packed */
	const char *node;
	enum leat_letter_kind kind;
	int64_t time_us; /* when it died */
	const char *reason;
	const char *where;  /* file and line of a rule; "" */
	const char *detail; /* more lines; "" */
	const char *input;  /* the name of the operator's input that it came by; NULL: its inputs have none */
	const char *source; /* NULL: of none. Its number in record.origin means nothing at rest */
	struct leat_record record; /* its value is the payload */
};

/* Appends. */
void leat_letter_pack(const struct leat_letter *letter, struct leat_buffer *out);
/* All of it goes into the arena. `symbols` may be NULL. False: damaged. */
bool leat_letter_unpack(struct leat_arena *arena, const struct leat_symbols *symbols, const struct leat_letter_row *row,
                        struct leat_letter *out);
/* "message", "event", ... */
const char *leat_letter_kind_name(enum leat_letter_kind kind);
/* Appends an object without a line end, for programs. */
void leat_letter_print_json(const struct leat_letter *letter, struct leat_buffer *out);

#endif
