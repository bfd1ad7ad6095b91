/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_HARNESS_H
#define LEAT_TESTS_HARNESS_H

#include <leat/plugin.h>

/*
 * One operator, alone: push records in, pull what comes out, with a clock that the test sets. It is the runtime's own
 * instance, made from a pipeline file like any other, so that options, ports, state and rejections are the real ones; a record
 * without the node's key is buried as there.
 *
 *     struct leat_harness *h = leat_harness_create("filter", "where: amount > 100");
 *     leat_harness_push(h, "{\"amount\": 200}");
 *     ck_assert_str_eq(leat_harness_pull(h, "out"), "{\"amount\": 200}");
 *     ck_assert_ptr_null(leat_harness_pull(h, "out"));
 *     leat_harness_destroy(h);
 *
 * Plugins are looked for in LEAT_PLUGIN_PATH, which `make check` sets.
 */

struct leat_harness;

/* `options`: the node's options, one YAML entry a line (such as "key: user\nwithin: 10m"). Ends the test with the findings
 * when the options are refused; leat_harness_refused() is for testing just that. */
struct leat_harness *leat_harness_create(const char *type, const char *options);
/* What is printed when the options are refused ("" when they are not). Freed by the caller. */
char *leat_harness_refused(const char *type, const char *options);
void leat_harness_destroy(struct leat_harness *h);

/* leat_now() of what is pushed from here on; due timers fire at once. Microseconds; starts at 1,000,000,000,000,000. */
void leat_harness_set_time(struct leat_harness *h, int64_t now_us);
/* leat_watermark() of what is pushed from here on; timers of event time that are due fire at once. It starts at LEAT_NO_TIME; one
 * that is less than the former is ignored, as the host's never goes back. */
void leat_harness_set_watermark(struct leat_harness *h, int64_t watermark_us);
/* The same, but timers that are due have still to fire, as when very many are due at once: they do behind the next thing pushed. */
void leat_harness_raise_watermark(struct leat_harness *h, int64_t watermark_us);
/* By which of the operator's named inputs comes what is pushed from here on; the first one until then. */
void leat_harness_set_input(struct leat_harness *h, const char *input);
/* The key that records come with from their source, NULL: none. Not copied. */
void leat_harness_set_key(struct leat_harness *h, const char *key);
/* One record in JSON, without event time; the key is taken from it by the node's `key:`, as an exchange does. What the plugin's function came to:
 * LEAT_OK, also where the record was rejected (see the port "dead"). */
enum leat_status leat_harness_push(struct leat_harness *h, const char *json);
/* The same with an event time. */
enum leat_status leat_harness_push_at(struct leat_harness *h, int64_t time_us, const char *json);
/* Many at once, as one batch: texts, NULL at the end. */
enum leat_status leat_harness_push_batch(struct leat_harness *h, const char *const *json);
/* All input has ended: the watermark becomes INT64_MAX, then end(). */
enum leat_status leat_harness_end(struct leat_harness *h);
/* The next record that came out of a port ("dead" too), as JSON; NULL when there is none. Good until the next call. */
const char *leat_harness_pull(struct leat_harness *h, const char *port);
/* Event time of the record that was pulled last. */
int64_t leat_harness_pulled_time(const struct leat_harness *h);
/* The reason of the last call that was not LEAT_OK. */
const struct leat_error *leat_harness_error(const struct leat_harness *h);
size_t leat_harness_state_entries(const struct leat_harness *h);
size_t leat_harness_state_bytes(const struct leat_harness *h);

#endif
