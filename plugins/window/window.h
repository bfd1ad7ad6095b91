/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_WINDOW_H
#define LEAT_PLUGINS_WINDOW_H

/*
 * Aggregates of a key's events over windows of event time.
 *
 * A window is [start, end). Windows of fixed length are cut into panes, the longest pieces that no window splits; an event goes
 * into the accumulator of one pane, and a window's is merged from those of its panes. A sliding window ends behind each event; its
 * panes are single microseconds. Sessions are accumulators of their own. What all files rely on:
 *
 * W1  What a window has in it is decided as events come: those that came when watermark < end + allow. An event that no window
 *     takes goes to the port `late` and counts nowhere; a sliding window's events are those that had a row of their own.
 * W2  A window ends once, by the key's timer, at watermark >= end, and in order of end. Until then its rows are not final. An event
 *     that comes for it later, within `allow`, has its row sent again at once.
 * W3  A key has a timer that is due no later than the end of the first window that has not ended and is not empty. A key that has
 *     anything has it, or one that is due soon after the last of it is not needed any more, which is not cancelled when there is more.
 * W4  When nothing of a key is needed any more, no table has anything of it.
 */

#include <leat/plugin.h>

#include "../shared/fold.h"

enum kind { TUMBLING, HOPPING, CUMULATING, SLIDING, SESSIONS };
enum emission { FINAL, UPDATES };
enum port { OUT, LATE };
enum table { KEYS, PANES, TAILS, BACKS, HELD, ROWS, CHANGED, RUNS };
enum tag { DUE, EARLY, LEFT_OUT, FORGET }; /* of timers */

enum { MAX_KEYS = 16 };

struct window {
	/* options */
	int64_t size, slide, step, sliding, session, offset, allow, early;
	int emission;
	struct leat_aggregates aggregate;
	/* made of them */
	enum kind kind;
	int64_t length;  /* of the longest window */
	int64_t every;   /* between the ends of two windows */
	int64_t pane;    /* length of one */
	bool is_ordered; /* there are totals in which the order of merging shows */
	bool is_counted; /* there can be several rows of a window: they have `revision` and `is_final` */
	struct fold fold;
	leat_symbol key[MAX_KEYS], start, end, revision, is_final, is_gone;
	size_t n_keys;
};

/* In KEYS. Times mean nothing where their flag is not set. */
struct keyed {
	int64_t due_us;  /* of the timer, W3 */
	int64_t flip_us; /* of the stack (stack.c): TAILS before, BACKS from here up to until_us */
	int64_t until_us;
	bool has_timer;
	bool has_stack;
	bool has_early; /* the timer of processing time is set */
};

/* ---- assign.c: windows of fixed length --------------------------------------------------------------------------- */

void assign_init(struct window *self);
int64_t assign_pane(const struct window *self, int64_t time_us);
/* The first end of a window behind the time: of the windows that the time is in, the one that ends first. */
int64_t assign_first_end(const struct window *self, int64_t time_us);
int64_t assign_last_end(const struct window *self, int64_t time_us);
int64_t assign_start(const struct window *self, int64_t end_us);

/* ---- row.c ------------------------------------------------------------------------------------------------------- */

/* Key and event live as long as the batch. */
struct row {
	const struct leat_value *key;
	const struct leat_value *base; /* a sliding window's event, or NULL */
	int64_t start_us, end_us;
	int64_t revision; /* from 1; where rows are counted */
	bool is_final;
	bool is_gone; /* a session that has become part of another */
};

/* LEAT_REJECT: a total does not fit. */
enum leat_status row_emit(const struct window *self, const struct row *row, const struct fold_state *totals, struct leat_context *ctx,
                          struct leat_error *err);
/* A timer that came to LEAT_REJECT would be taken back, and the key's windows would never end. So the row is left out, and a timer
 * that does nothing else makes the dead letter. */
enum leat_status row_forgive(enum leat_status status, const struct leat_value *key, int64_t end_us, struct leat_context *ctx,
                             struct leat_error *err);

/* ---- window.c ---------------------------------------------------------------------------------------------------- */

/* W3: the timer is due then, whatever it was. */
enum leat_status key_set_timer(struct keyed *keyed, const struct leat_value *key, int64_t due_us, struct leat_context *ctx,
                               struct leat_error *err);
/* The timer is to be due by then, and before the time that it is set to now. `known` is what KEYS has of the key, or NULL. */
enum leat_status key_wake(const struct keyed *known, const struct leat_value *key, int64_t due_us, struct leat_context *ctx,
                          struct leat_error *err);
/* For a key of panes that nothing is going to end of: what it has is needed until then. */
enum leat_status key_forget_at(const struct window *self, const struct leat_value *key, int64_t us, struct leat_context *ctx,
                               struct leat_error *err);
enum leat_status key_wake_early(const struct window *self, const struct keyed *known, const struct leat_value *key,
                                struct leat_context *ctx, struct leat_error *err);
/* W4 */
void key_forget(const struct leat_value *key, struct leat_context *ctx);

/* ---- panes.c, sessions.c ----------------------------------------------------------------------------------------- */

/* What is in PANES of a key, or in TAILS, in order. */
struct panes {
	const struct leat_ordered_entry *item;
	size_t n;
};

/* The first one that is not before the time, or n; looked for from the beginning, and from the end. */
size_t panes_find_early(const struct panes *panes, int64_t from_us);
size_t panes_find_late(const struct panes *panes, int64_t from_us);
/* Those of the table before the time are needed no more: they go, several at a time. Returns the position of the first that is needed. */
size_t panes_let_go(uint32_t table, const struct leat_value *key, const struct panes *panes, int64_t until_us, struct leat_context *ctx);
/* `keyed`: what KEYS has of the key; NULL for an event: nothing. */
enum leat_status panes_process(const struct window *self, const struct keyed *keyed, const struct leat_value *key,
                               const struct leat_record *record, struct leat_context *ctx, struct leat_error *err);
enum leat_status panes_timer(const struct window *self, struct keyed *keyed, const struct leat_value *key, int64_t due_us,
                             struct leat_context *ctx, struct leat_error *err);
/* The timer of key_forget_at(). */
enum leat_status panes_forget(const struct window *self, const struct leat_value *key, int64_t now_us, struct leat_context *ctx,
                              struct leat_error *err);
enum leat_status panes_early(const struct window *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err);
/* The row of one window; of a sliding one, the rows of the events that it ends behind. */
enum leat_status panes_emit(const struct window *self, const struct leat_value *key, int64_t end_us, bool is_final,
                            const struct fold_state *totals, struct leat_context *ctx, struct leat_error *err);

enum leat_status sessions_process(const struct window *self, const struct keyed *keyed, const struct leat_value *key,
                                  const struct leat_record *record, struct leat_context *ctx, struct leat_error *err);
enum leat_status sessions_timer(const struct window *self, struct keyed *keyed, const struct leat_value *key, int64_t due_us,
                                struct leat_context *ctx, struct leat_error *err);
enum leat_status sessions_early(const struct window *self, const struct leat_value *key, struct leat_context *ctx, struct leat_error *err);

/* ---- stack.c: the windows of a key as they end, one after the other ---------------------------------------------- */

/* The totals of the window that ends now, which is not empty. */
enum leat_status stack_end(const struct window *self, struct keyed *keyed, const struct leat_value *key, const struct panes *panes,
                           int64_t end_us, struct fold_state **totals, struct leat_context *ctx, struct leat_error *err);
/* An event came into a pane that the stack may have. */
enum leat_status stack_add(const struct window *self, const struct keyed *keyed, const struct leat_value *key, int64_t pane_us,
                           const struct leat_record *record, struct leat_context *ctx, struct leat_error *err);

/* ---- sweep.c: windows that are wanted out of turn ---------------------------------------------------------------- */

/* Sends the rows of those with an end in first_us..last_us. */
enum leat_status sweep(const struct window *self, const struct leat_value *key, int64_t first_us, int64_t last_us, bool is_final,
                       struct leat_context *ctx, struct leat_error *err);

#endif
