/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_FOLD_KIT_H
#define LEAT_TESTS_FOLD_KIT_H

#include "shared/fold.h"

/* A host for plugins/shared/fold.h alone: an arena, and the few calls that it makes. One at a time. */

struct leat_context *fold_kit_create(void);
void fold_kit_destroy(void);

/* "sum(v); count()", named a, b, ... Ends the test when they are refused. */
void fold_kit_open(struct fold *fold, const char *aggregates);
/* Why a single aggregate is refused; "" when it is not. */
const char *fold_kit_refusal(const char *aggregate);
struct leat_record fold_kit_record(const char *json, int64_t time_us);
/* The results as one JSON map, or "reject: why". Good until destroy. */
const char *fold_kit_result(const struct fold *fold, const struct fold_state *state);
const char *fold_kit_json(const struct leat_value *value);
/* As a table would: through packed bytes. */
struct leat_value fold_kit_pass(const struct leat_value *stored);

#endif
