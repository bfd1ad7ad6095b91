/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_FORMAT_H
#define LEAT_SERVICE_FORMAT_H

#include <leat/buffer.h>
#include <stdint.h>

/* Text for people and machines, appended to a buffer. */

void leat_format_put(struct leat_buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void leat_format_json(struct leat_buffer *out, const char *s); /* quoted; NULL gives null */
void leat_format_count(struct leat_buffer *out, double n);     /* 7, 950, 15.0k, 1.23M */
void leat_format_latency(struct leat_buffer *out, double us);  /* 250 us, 1.5 ms, 12 ms, 3.1 s */
void leat_format_elapsed(struct leat_buffer *out, int64_t us); /* 12s, 3m05s, 2h07m, 3d04h */
void leat_format_behind(struct leat_buffer *out, double us);   /* as a latency, from a minute on as what has elapsed */

#endif
