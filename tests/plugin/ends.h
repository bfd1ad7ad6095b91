/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_ENDS_H
#define LEAT_TESTS_ENDS_H

#include <leat/plugin.h>

/*
 * One source or one sink, alone, with a clock that the test sets: for what a whole pipeline does in its own time. Made from
 * a pipeline file like the harness of operators, with the runtime's own instances. Plugins come from LEAT_PLUGIN_PATH.
 */

struct leat_ends;

/* `options`: indented lines of YAML, "    count: 10\n    keys: 3\n". Ends the test with the findings when they are refused. */
struct leat_ends *leat_ends_source(const char *type, const char *options);
struct leat_ends *leat_ends_sink(const char *type, const char *options);
void leat_ends_destroy(struct leat_ends *ends);
/* What is printed when the options are refused ("" when they are not). Freed by the caller. */
char *leat_ends_refused(const char *section, const char *type, const char *options);

const struct leat_error *leat_ends_error(const struct leat_ends *ends);
void leat_ends_set_time(struct leat_ends *ends, int64_t now_us); /* starts at 1,000,000,000,000,000 */
enum leat_status leat_ends_check(struct leat_ends *ends);
/* What the host tells it by (leat_node_identity). Freed by the caller. */
char *leat_ends_identity(const struct leat_ends *ends);

/* ---- sources ----------------------------------------------------------------------------------------------------- */

size_t leat_ends_partitions(struct leat_ends *ends);
/* The same, with their numbers, `capacity` at most; and it may fail. */
enum leat_status leat_ends_list(struct leat_ends *ends, int32_t *partition, size_t capacity, size_t *n);
/* Where the reader begins that was opened without a position. */
int64_t leat_ends_begin(struct leat_ends *ends);
/* One reader at a time: closes the one before. `note` may be NULL; offset -1: without a position. */
enum leat_status leat_ends_open(struct leat_ends *ends, int32_t partition, int64_t offset, const char *note);
enum leat_status leat_ends_poll(struct leat_ends *ends, size_t max_bytes);
/* The next record, as JSON; a dead letter is `dead: ` and its reason. NULL when there is none. Good until the next call. */
const char *leat_ends_pull(struct leat_ends *ends);
/* Polls until the source ends or has nothing; all that comes, one in a line. Freed by the caller. */
char *leat_ends_read_all(struct leat_ends *ends, size_t max_bytes);
int64_t leat_ends_next(const struct leat_ends *ends); /* the position behind what was pushed last */
int64_t leat_ends_wait(const struct leat_ends *ends); /* what the last poll passed to leat_wait(); -1: nothing */
const char *leat_ends_commit(struct leat_ends *ends, int64_t offset); /* the note */
int64_t leat_ends_lag(struct leat_ends *ends);

/* ---- sinks ------------------------------------------------------------------------------------------------------- */

enum leat_guarantee leat_ends_guarantee(const struct leat_ends *ends);
/* Encodes records in JSON, NULL at the end, and delivers them as one delivery. */
enum leat_status leat_ends_deliver(struct leat_ends *ends, const char *const *json);
/* The same, fenced. */
enum leat_status leat_ends_deliver_fenced(struct leat_ends *ends, const struct leat_fence *expected, const struct leat_fence *next,
                                          const char *const *json);
/* Of pipeline "ends" and sink "out"; `found` NULL: not fenced. */
enum leat_status leat_ends_claim(struct leat_ends *ends, uint64_t incarnation, struct leat_fence *found);

#endif
