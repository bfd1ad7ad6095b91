/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_FETCH_H
#define LEAT_CLI_FETCH_H

#include <leat/buffer.h>
#include <leat/error.h>

/* The body of a page of another leat, in place of what `out` had. LEAT_RETRY when nobody answers in two seconds, LEAT_FATAL when
 * what answers is not what was asked for. */
enum leat_status leat_fetch(const char *url, struct leat_buffer *out, struct leat_error *err);

#endif
