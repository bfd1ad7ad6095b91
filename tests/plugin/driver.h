/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_DRIVER_H
#define LEAT_TESTS_DRIVER_H

#include <leat/plugin.h>

/*
 * One sink or lookup, alone, on a real system: made from a pipeline file by the host's own code, called by the test. What a
 * sink refuses is kept until the next delivery.
 */

struct leat_driver;

/* `options`: one YAML entry a line. Ends the test with the findings when they are refused. */
struct leat_driver *leat_driver_create_sink(const char *type, const char *options);
struct leat_driver *leat_driver_create_operator(const char *type, const char *options);
/* What is printed when a sink's or an operator's options are refused, "" when they are not. Freed by the caller. */
char *leat_driver_findings(bool is_sink, const char *type, const char *options);
void leat_driver_destroy(struct leat_driver *d);

enum leat_status leat_driver_check(struct leat_driver *d);
/* The reason of the last call that was not LEAT_OK. */
const char *leat_driver_reason(const struct leat_driver *d);

/* ---- sinks ---- */

enum leat_status leat_driver_claim(struct leat_driver *d);
/* A fenced claim under a pipeline's name that is the test's own, so that nobody else has its fence. *found is set to all ones
 * before, so a sink that forgets to fill it shows. */
enum leat_status leat_driver_claim_fenced(struct leat_driver *d, const char *pipeline, uint64_t incarnation,
                                          struct leat_fence *found);
/* Another effect for the next delivery. */
enum leat_status leat_driver_encode(struct leat_driver *d, const char *json);
/* The same, of a map with that one field. */
enum leat_status leat_driver_encode_value(struct leat_driver *d, const char *name, struct leat_value value);
/* Everything encoded since the last LEAT_OK. */
enum leat_status leat_driver_deliver(struct leat_driver *d);
enum leat_status leat_driver_deliver_fenced(struct leat_driver *d, struct leat_fence expected, struct leat_fence next);
/* Forgets them instead. */
void leat_driver_drop(struct leat_driver *d);
size_t leat_driver_refusals(const struct leat_driver *d);
/* Why that effect was refused, NULL when it was not. */
const char *leat_driver_refusal(const struct leat_driver *d, size_t effect);

/* ---- operators ---- */

void leat_driver_set_time(struct leat_driver *d, int64_t now_us);
/* As one batch: texts, NULL at the end. */
enum leat_status leat_driver_push(struct leat_driver *d, const char *const *json);
/* The next record that came out, as JSON; dead letters are `dead: REASON`. NULL: none. Good until the next call. */
const char *leat_driver_pull(struct leat_driver *d);

/* ---- servers ---- */

/* False, with a word about it, when nothing listens there; ends the test instead when CI=true. */
bool leat_driver_has_server(const char *name, int port);
/* PORT of the environment, or the preset. */
int leat_driver_port(const char *variable, int preset);
double leat_driver_seconds(void);

#endif
