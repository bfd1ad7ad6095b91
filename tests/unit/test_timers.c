/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "state/timers.h"
#include "data/value.h"
#include "unit/random.h"
#include "unit/unit.h"

static struct leat_timer timer_of(enum leat_clock clock, int64_t due_us, const char *key, int64_t tag)
{
	return (struct leat_timer){ .clock = clock, .due_us = due_us, .tag = tag, .key = leat_borrow(key, strlen(key)) };
}

static void set(struct leat_timers *timers, int64_t due_us, const char *key, int64_t tag)
{
	struct leat_timer timer = timer_of(LEAT_EVENT_TIME, due_us, key, tag);

	leat_timers_set(timers, &timer);
}

START_TEST(timers_come_by_due_time_and_then_in_the_order_they_were_set)
{
	struct leat_timers *timers = leat_timers_create();
	struct leat_timer out;

	leat_timers_begin(timers);
	set(timers, 30, "c", 1);
	set(timers, 10, "a", 2);
	set(timers, 10, "a", 1);
	set(timers, 20, "a key that is longer than what a timer has room for", 0);
	leat_timers_commit(timers);
	ck_assert_int_eq(leat_timers_next(timers, LEAT_EVENT_TIME), 10);
	ck_assert_int_eq(leat_timers_next(timers, LEAT_PROCESSING_TIME), INT64_MAX);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 25, &out) && out.due_us == 10 && out.tag == 2);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 25, &out) && out.due_us == 10 && out.tag == 1);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 25, &out) && out.due_us == 20);
	ck_assert(leat_text_equals(&out.key, "a key that is longer than what a timer has room for"));
	ck_assert(!leat_timers_pop(timers, LEAT_EVENT_TIME, 25, &out));
	ck_assert_uint_eq(leat_timers_count(timers), 1);
	leat_timers_destroy(timers);
}
END_TEST

START_TEST(endless_timers_fire_among_those_of_event_time_but_not_at_its_end)
{
	struct leat_timers *timers = leat_timers_create();
	struct leat_timer out, endless = { .clock = LEAT_ENDLESS_TIME, .due_us = 10, .tag = 7, .key = leat_borrow("a", 1) };

	leat_timers_begin(timers);
	set(timers, 5, "a", 1);
	leat_timers_set(timers, &endless);
	set(timers, 10, "a", 2);
	endless.due_us = 20;
	leat_timers_set(timers, &endless);
	set(timers, 30, "a", 3);
	leat_timers_commit(timers);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 15, &out) && out.tag == 1);
	ck_assert(leat_timers_is_due(timers, LEAT_EVENT_TIME, 15));
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 15, &out) && out.tag == 7 && out.clock == LEAT_ENDLESS_TIME);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 15, &out) && out.tag == 2 && out.clock == LEAT_EVENT_TIME);
	ck_assert(!leat_timers_pop(timers, LEAT_EVENT_TIME, 15, &out));
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, INT64_MAX, &out) && out.tag == 3);
	ck_assert(!leat_timers_is_due(timers, LEAT_EVENT_TIME, INT64_MAX));
	ck_assert(!leat_timers_pop(timers, LEAT_EVENT_TIME, INT64_MAX, &out));
	ck_assert(!leat_timers_pop(timers, LEAT_PROCESSING_TIME, INT64_MAX, &out));
	ck_assert_uint_eq(leat_timers_count(timers), 1);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 20, &out) && out.due_us == 20);
	leat_timers_destroy(timers);
}
END_TEST

START_TEST(the_same_timer_set_twice_is_one)
{
	struct leat_timers *timers = leat_timers_create();

	leat_timers_begin(timers);
	set(timers, 10, "a", 1);
	set(timers, 10, "a", 1);
	ck_assert_uint_eq(leat_timers_count(timers), 1);
	set(timers, 10, "a", 2);
	set(timers, 10, "b", 1);
	set(timers, 11, "a", 1);
	leat_timers_set(timers, &(struct leat_timer){ .clock = LEAT_PROCESSING_TIME, .due_us = 10, .tag = 1,
	                .key = leat_borrow("a", 1) });
	ck_assert_uint_eq(leat_timers_count(timers), 5);
	leat_timers_abort(timers);
	ck_assert_uint_eq(leat_timers_count(timers), 0);
	leat_timers_destroy(timers);
}
END_TEST

START_TEST(a_key_that_was_popped_is_good_while_the_event_sets_timers)
{
	struct leat_timers *timers = leat_timers_create();
	struct leat_timer out;

	leat_timers_begin(timers);
	set(timers, 10, "the first key, which is long", 0);
	leat_timers_commit(timers);
	ck_assert(leat_timers_pop(timers, LEAT_EVENT_TIME, 10, &out));
	leat_timers_begin(timers);
	for (int64_t i = 0; i < 1000; i++)
		set(timers, 20 + i, "another key, which is as long", i);
	set(timers, 10, "the first key, which is long", 0);
	ck_assert(leat_text_equals(&out.key, "the first key, which is long"));
	leat_timers_abort(timers);
	ck_assert(leat_text_equals(&out.key, "the first key, which is long"));
	ck_assert_uint_eq(leat_timers_count(timers), 0);
	leat_timers_destroy(timers);
}
END_TEST

/* ---- against a model ------------------------------------------------------------------------------------------------ */

enum { MOST = 512, EVENTS = 40000 };

struct model_timer {
	struct leat_timer timer;
	uint64_t sequence;
};

struct model {
	size_t n;
	uint64_t sequence;
	struct model_timer item[MOST];
};

static char names[8][48];

static struct leat_timer random_timer(uint64_t *seed, int64_t now_us)
{
	size_t k = random_below(seed, 8);

	(void)snprintf(names[k], sizeof names[k], k % 2 == 0 ? "k%zu" : "key number %zu, too long for a timer to hold", k);
	return timer_of((enum leat_clock)random_below(seed, 2), now_us + (int64_t)random_below(seed, 12), names[k],
	                (int64_t)random_below(seed, 2));
}

static size_t find(const struct model *m, const struct leat_timer *timer)
{
	size_t i;

	for (i = 0; i < m->n; i++) {
		const struct leat_timer *other = &m->item[i].timer;

		if (other->clock == timer->clock && other->due_us == timer->due_us && other->tag == timer->tag &&
		    leat_value_equals(&other->key, &timer->key))
			break;
	}
	return i;
}

static void model_set(struct model *m, const struct leat_timer *timer)
{
	if (find(m, timer) < m->n)
		return;
	ck_assert_uint_lt(m->n, MOST);
	m->item[m->n++] = (struct model_timer){ .timer = *timer, .sequence = m->sequence++ };
}

static void model_remove(struct model *m, size_t i)
{
	if (i < m->n)
		m->item[i] = m->item[--m->n];
}

static size_t model_first(const struct model *m, enum leat_clock clock)
{
	size_t best = m->n;

	for (size_t i = 0; i < m->n; i++) {
		const struct model_timer *t = &m->item[i];

		if (t->timer.clock == clock &&
		    (best == m->n || t->timer.due_us < m->item[best].timer.due_us ||
		     (t->timer.due_us == m->item[best].timer.due_us && t->sequence < m->item[best].sequence)))
			best = i;
	}
	return best;
}

static void pop_both(struct leat_timers *timers, struct model *m, enum leat_clock clock, int64_t now_us)
{
	struct leat_timer out;

	for (;;) {
		size_t first = model_first(m, clock);
		bool is_due = first < m->n && m->item[first].timer.due_us <= now_us;

		ck_assert_int_eq(leat_timers_next(timers, clock), first < m->n ? m->item[first].timer.due_us : INT64_MAX);
		ck_assert_int_eq(leat_timers_pop(timers, clock, now_us, &out), is_due);
		if (!is_due)
			break;
		ck_assert_int_eq(out.due_us, m->item[first].timer.due_us);
		ck_assert_int_eq(out.tag, m->item[first].timer.tag);
		ck_assert(leat_value_equals(&out.key, &m->item[first].timer.key));
		model_remove(m, first);
	}
}

START_TEST(random_events_leave_the_timers_as_a_model_says)
{
	static struct model m, before;
	struct leat_timers *timers = leat_timers_create();
	uint64_t seed = 1;
	int64_t now_us = 0;

	for (size_t event = 0; event < EVENTS; event++) {
		size_t n_steps = random_below(&seed, 10);

		now_us += (int64_t)random_below(&seed, 3);
		pop_both(timers, &m, LEAT_EVENT_TIME, now_us);
		pop_both(timers, &m, LEAT_PROCESSING_TIME, now_us - 2);
		before = m;
		leat_timers_begin(timers);
		for (size_t i = 0; i < n_steps; i++) {
			struct leat_timer timer = random_timer(&seed, now_us);

			if (random_below(&seed, 3) > 0) {
				leat_timers_set(timers, &timer);
				model_set(&m, &timer);
			} else {
				leat_timers_cancel(timers, &timer);
				model_remove(&m, find(&m, &timer));
			}
		}
		if (random_below(&seed, 3) == 0) {
			leat_timers_abort(timers);
			before.sequence = m.sequence;
			m = before;
		} else {
			leat_timers_commit(timers);
		}
		ck_assert_uint_eq(leat_timers_count(timers), m.n);
	}
	leat_timers_destroy(timers);
}
END_TEST

int main(void)
{
	return leat_test_main("timers", (const TTest *[]){
		timers_come_by_due_time_and_then_in_the_order_they_were_set,
		endless_timers_fire_among_those_of_event_time_but_not_at_its_end,
		the_same_timer_set_twice_is_one,
		a_key_that_was_popped_is_good_while_the_event_sets_timers,
		random_events_leave_the_timers_as_a_model_says,
		NULL,
	});
}
