/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BENCH_SCORE_H
#define LEAT_BENCH_SCORE_H

/* The work of bench/pipelines/score.yaml with nothing around it, for bench/limit. */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct score;

struct score *score_create(void);
void score_destroy(struct score *s);
/*
 * The event with its score in JSON, borrowed until the next call. NULL when it is none, or when it has come within ten minutes
 * before `now_us`, which never goes back.
 */
const char *score_event(struct score *s, const void *text, size_t n, int64_t now_us, size_t *n_result);

#ifdef __cplusplus
}
#endif

#endif
