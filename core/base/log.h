/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_LOG_H
#define LEAT_BASE_LOG_H

#include <leat/host.h>
#include <stdbool.h>

/*
 * The log: one line per event to standard error, `2026-01-31T12:00:00.123Z warning pipeline "p": node "n": ...`. Under
 * systemd (JOURNAL_STREAM names our standard error) the line has a <priority> instead of time and level. Thread-safe.
 */

void leat_log_set_level(enum leat_level level); /* below it nothing is printed; LEAT_INFO at the start */
void leat_log_line(enum leat_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Called around every line while it is set, under the log's lock: the live status line moves out of the way. */
void leat_log_set_hooks(void (*before)(void *), void (*after)(void *), void *opaque);

#endif
