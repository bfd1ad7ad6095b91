/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_RECORD_H
#define LEAT_PLUGINS_RECORD_H

#include <leat/plugin.h>

/* Records that are held back: as a value for a table, with all that a record has but its time; and back, from one that lives as long
 * as the batch. */
struct leat_value record_pack(const struct leat_record *record, struct leat_context *ctx);
struct leat_record record_unpack(const struct leat_value *packed, int64_t time_us, struct leat_context *ctx);

#endif
