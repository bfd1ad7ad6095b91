/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_WHEN_H
#define LEAT_PLUGINS_WHEN_H

#include <leat/plugin.h>

/* The event time of a record that operators calculate with; LEAT_REJECT when it has none, or one so far out that adding or
 * taking away `margin_us` would overflow. */
static inline enum leat_status when_of(const struct leat_record *record, int64_t margin_us, int64_t *time_us, struct leat_error *err)
{
	if (record->time_us == LEAT_NO_TIME)
		return leat_error_set(err, LEAT_REJECT, 0, "the event has no time; the source's option \"time\" names the field with it");
	if (record->time_us > INT64_MAX - 1 - margin_us || record->time_us < INT64_MIN + 1 + margin_us)
		return leat_error_set(err, LEAT_REJECT, 0, "the event's time %lld is out of range", (long long)record->time_us);
	*time_us = record->time_us;
	return LEAT_OK;
}

#endif
