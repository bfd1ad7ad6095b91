/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_TIME_TEXT_H
#define LEAT_DATA_TIME_TEXT_H

#include <leat/value.h>

/* Times as texts; expression_time.c. */
enum { LEAT_TIME_TEXT = 40 };
/* RFC 3339 in UTC with microseconds; returns its length. */
size_t leat_time_print(char out[LEAT_TIME_TEXT], int64_t time_us);
/* False: the text is no time of RFC 3339. */
bool leat_time_read(const struct leat_value *text, int64_t *time_us);

#endif
