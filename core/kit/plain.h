/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_PLAIN_H
#define LEAT_KIT_PLAIN_H

#include <leat/buffer.h>
#include <stdbool.h>
#include <stdint.h>

#include "plugin/setting.h"

/* What YAML says as JSON: a scalar without quotes is a number, true, false or null if JSON has it so, and else a text. Appends. */
void leat_plain_json(const struct leat_setting *setting, struct leat_buffer *out);
/* Printf to a buffer. */
void leat_plain_put(struct leat_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Chance that is the same each time (SplitMix64, as leat_random()). */
struct leat_dice {
	uint64_t state;
};
uint64_t leat_dice_throw(struct leat_dice *dice);
/* From 0 to n - 1. */
size_t leat_dice_below(struct leat_dice *dice, size_t n);
/* Once in n times. */
bool leat_dice_once_in(struct leat_dice *dice, size_t n);

#endif
