/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows against a model that keeps every event and computes each row anew, by the words of the README: random windows, events
 * and watermarks. Rows of a key have to be the same in the same order. Lengths are microseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "plugin/harness.h"
#include "unit/unit.h"

enum { N_KEYS = 3, N_EVENTS = 400, N_ENDS = 4000, N_TIMERS = 64, N_LINES = 20000, ROUNDS = 150, STEPS = 220 };
enum kind { TUMBLING, HOPPING, CUMULATING, SLIDING, SESSIONS, N_KINDS };

struct event {
	int64_t time, value, watermark; /* that it came at */
	int session;                    /* the number of its session, or -1 when that is gone */
};

struct session {
	int64_t start, end, revision;
	bool is_open_in_model, has_ended, is_changed;
};

struct key {
	struct event event[N_EVENTS];
	size_t n;
	struct session session[N_EVENTS];
	size_t n_sessions;
	int64_t revision[N_ENDS]; /* by end, from -N_ENDS / 2 */
	bool is_changed[N_ENDS];
	int64_t timer[N_TIMERS];
	size_t n_timers;
	bool has_early;
	char expected[N_LINES], found[N_LINES];
};

struct model {
	enum kind kind;
	int64_t size, every, offset, allow, early;
	bool has_updates, is_counted;
	int64_t watermark, now;
	size_t n_late;
	struct key key[N_KEYS];
};

static uint64_t seed;

static int64_t below(int64_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (int64_t)((seed >> 33) % (uint64_t)n);
}

/* ---- what a window is, by the words ------------------------------------------------------------------------------- */

static int64_t modulo(int64_t a, int64_t b)
{
	return (a % b + b) % b;
}

/* Is [start, end) one of the windows, for the right start? */
static bool is_end(const struct model *m, int64_t end, int64_t *start)
{
	if (m->kind == CUMULATING) {
		if (modulo(end - m->offset, m->every) != 0)
			return false;
		for (*start = end - 1; modulo(*start - m->offset, m->size) != 0;)
			(*start)--;
		return true;
	}
	*start = end - m->size;
	return m->kind == SLIDING || modulo(*start - m->offset, m->every) == 0;
}

static bool is_taken(const struct model *m, const struct event *e, int64_t end)
{
	return e->watermark == LEAT_NO_TIME || e->watermark < end + m->allow;
}

static bool is_in(const struct model *m, const struct event *e, int64_t start, int64_t end)
{
	return e->time >= start && e->time < end && is_taken(m, e, end);
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static void add_line(char *to, const char *line)
{
	ck_assert_uint_lt(strlen(to) + strlen(line) + 2, N_LINES);
	(void)strcat(strcat(to, line), "\n");
}

struct totals {
	int64_t n, sum, max;
};

static void count(struct totals *t, const struct event *e)
{
	t->max = t->n == 0 || e->value > t->max ? e->value : t->max;
	t->n++;
	t->sum += e->value;
}

static void expect_row(const struct model *m, struct key *k, int64_t start, int64_t end, const struct totals *t, int64_t revision,
                       bool is_final, bool is_gone)
{
	char line[256];

	if (m->kind == SLIDING)
		start = 0; /* its rows do not say */
	if (t->n == 0)
		(void)snprintf(line, sizeof line, "%ld-%ld n=0 s=null m=null", (long)start, (long)end);
	else
		(void)snprintf(line, sizeof line, "%ld-%ld n=%ld s=%ld m=%ld", (long)start, (long)end, (long)t->n, (long)t->sum, (long)t->max);
	if (m->is_counted)
		(void)sprintf(line + strlen(line), " r%ld%s%s", (long)revision, is_final ? " final" : "", is_gone ? " gone" : "");
	add_line(k->expected, line);
}

static int64_t *revision_of(struct key *k, int64_t end)
{
	ck_assert(end > -N_ENDS / 2 && end < N_ENDS / 2);
	return &k->revision[end + N_ENDS / 2];
}

/* The rows of the window, unless it is empty. */
static void expect_window(const struct model *m, struct key *k, int64_t end, bool is_final)
{
	struct totals t = { 0 };
	size_t n_rows = m->kind == SLIDING ? 0 : 1;
	int64_t start;

	if (!is_end(m, end, &start))
		return;
	for (size_t i = 0; i < k->n; i++) {
		if (m->kind == SLIDING ? k->event[i].time >= start && k->event[i].time < end : is_in(m, &k->event[i], start, end))
			count(&t, &k->event[i]);
		n_rows += m->kind == SLIDING && k->event[i].time == end - 1;
	}
	if (t.n == 0 || n_rows == 0)
		return;
	++*revision_of(k, end);
	for (size_t i = 0; i < n_rows; i++)
		expect_row(m, k, start, end, &t, *revision_of(k, end), is_final, false);
}

/* ---- windows of fixed length --------------------------------------------------------------------------------------- */

static void wake_early(const struct model *m, struct key *k)
{
	if (k->has_early)
		return;
	k->has_early = true;
	ck_assert_uint_lt(k->n_timers, N_TIMERS);
	k->timer[k->n_timers++] = m->now + m->early;
}

static bool push_to_windows(struct model *m, struct key *k, const struct event *e)
{
	bool is_known = m->watermark != LEAT_NO_TIME, is_late = true;
	int64_t start;

	if (m->kind == SLIDING)
		is_late = !is_taken(m, e, e->time + 1);
	for (int64_t end = e->time + 1; m->kind != SLIDING && end <= e->time + m->size; end++)
		if (is_end(m, end, &start) && start <= e->time)
			is_late = is_late && !is_taken(m, e, end);
	if (is_late)
		return false;
	k->event[k->n++] = *e;
	for (int64_t end = e->time + 1; end <= e->time + m->size; end++) {
		if (!is_end(m, end, &start) || start > e->time)
			continue;
		if (is_known && m->watermark >= end) {
			if (m->watermark < end + m->allow)
				expect_window(m, k, end, true);
		} else if (m->has_updates) {
			expect_window(m, k, end, false);
		} else if (m->early > 0) {
			k->is_changed[end + N_ENDS / 2] = true;
			wake_early(m, k);
		}
	}
	return true;
}

/* Nothing of it is needed any more. */
static void forget_windows(const struct model *m, struct key *k)
{
	int64_t start;

	for (size_t i = 0; i < k->n; i++)
		for (int64_t end = k->event[i].time + 1; end <= k->event[i].time + m->size; end++)
			if (is_end(m, end, &start) && start <= k->event[i].time && end + m->allow > m->watermark)
				return;
	k->has_early = false;
}

/* ---- sessions ------------------------------------------------------------------------------------------------------ */

static void expect_session(const struct model *m, struct key *k, struct session *s, bool is_gone)
{
	struct totals t = { 0 };

	for (size_t i = 0; i < k->n && !is_gone; i++)
		if (k->event[i].session == s - k->session)
			count(&t, &k->event[i]);
	expect_row(m, k, s->start, s->end, &t, ++s->revision, s->has_ended, is_gone);
}

static bool push_to_sessions(struct model *m, struct key *k, struct event *e)
{
	struct session *mine = &k->session[k->n_sessions];
	bool is_alone = true;

	*mine = (struct session){ .start = e->time, .end = e->time + m->size, .is_open_in_model = true };
	for (size_t i = 0; i < k->n_sessions; i++) {
		const struct session *s = &k->session[i];

		if (!s->is_open_in_model || s->start >= e->time + m->size || s->end <= e->time)
			continue;
		is_alone = false;
		if (s->start < mine->start)
			mine->start = s->start;
		if (s->end > mine->end)
			mine->end = s->end;
	}
	if (is_alone && m->watermark != LEAT_NO_TIME && m->watermark >= mine->end + m->allow)
		return false;
	/* In order of their starts. */
	for (int64_t start = mine->start; start < e->time + m->size; start++) {
		for (size_t i = 0; i < k->n_sessions; i++) {
			struct session *s = &k->session[i];

			if (!s->is_open_in_model || s->start != start || s->end <= e->time)
				continue;
			s->is_open_in_model = false;
			if (s->start == mine->start)
				mine->revision = s->revision;
			else if (s->revision > 0)
				expect_session(m, k, s, true);
			for (size_t j = 0; j < k->n; j++)
				if (k->event[j].session == (int)i)
					k->event[j].session = (int)k->n_sessions;
		}
	}
	e->session = (int)k->n_sessions++;
	k->event[k->n++] = *e;
	mine->has_ended = m->watermark != LEAT_NO_TIME && m->watermark >= mine->end;
	if (mine->has_ended || m->has_updates)
		expect_session(m, k, mine, false);
	if (!mine->has_ended && m->early > 0) {
		mine->is_changed = true;
		wake_early(m, k);
	}
	return true;
}

static void end_sessions(const struct model *m, struct key *k)
{
	bool is_any = false;

	for (int64_t end = -N_ENDS / 2; end <= m->watermark && end < N_ENDS / 2; end++) {
		for (size_t i = 0; i < k->n_sessions; i++) {
			struct session *s = &k->session[i];

			if (!s->is_open_in_model || s->end != end)
				continue;
			if (!s->has_ended) {
				s->has_ended = true;
				expect_session(m, k, s, false);
			}
			if (s->end + m->allow <= m->watermark)
				s->is_open_in_model = false;
		}
	}
	for (size_t i = 0; i < k->n_sessions; i++)
		is_any = is_any || k->session[i].is_open_in_model;
	k->has_early = k->has_early && is_any;
}

/* ---- time goes on --------------------------------------------------------------------------------------------------- */

static void move_watermark(struct model *m, int64_t watermark)
{
	int64_t before = m->watermark == LEAT_NO_TIME ? -N_ENDS / 2 : m->watermark;

	if (watermark <= m->watermark)
		return;
	m->watermark = watermark;
	for (size_t i = 0; i < N_KEYS; i++) {
		struct key *k = &m->key[i];

		if (m->kind == SESSIONS) {
			end_sessions(m, k);
			continue;
		}
		for (int64_t end = before + 1; end <= watermark && end < N_ENDS / 2; end++)
			expect_window(m, k, end, true);
		forget_windows(m, k);
	}
}

static void send_early(struct model *m, struct key *k)
{
	k->has_early = false;
	for (int64_t end = -N_ENDS / 2; m->kind != SESSIONS && end < N_ENDS / 2; end++) {
		bool *is_changed = &k->is_changed[end + N_ENDS / 2];

		if (*is_changed && (m->watermark == LEAT_NO_TIME || end > m->watermark))
			expect_window(m, k, end, false);
		*is_changed = false;
	}
	for (int64_t start = -N_ENDS / 2; m->kind == SESSIONS && start < N_ENDS / 2; start++) {
		for (size_t i = 0; i < k->n_sessions; i++) {
			struct session *s = &k->session[i];

			if (!s->is_open_in_model || s->has_ended || !s->is_changed || s->start != start)
				continue;
			s->is_changed = false;
			expect_session(m, k, s, false);
		}
	}
}

static void move_now(struct model *m, int64_t by)
{
	m->now += by;
	for (size_t i = 0; i < N_KEYS; i++) {
		struct key *k = &m->key[i];

		for (size_t j = 0; j < k->n_timers; j++) {
			if (k->timer[j] > m->now)
				continue;
			memmove(&k->timer[j], &k->timer[j + 1], (k->n_timers - j - 1) * sizeof k->timer[j]);
			k->n_timers--;
			j--;
			send_early(m, k);
		}
	}
}

/* ---- against the plugin ---------------------------------------------------------------------------------------------- */

static const char *find(const char *json, const char *name)
{
	char quoted[64];
	const char *at;

	(void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
	at = strstr(json, quoted);
	return at == NULL ? "" : at + strlen(quoted);
}

static int64_t read_time(const char *at)
{
	struct tm tm = { 0 };
	int us = 0;

	ck_assert_msg(sscanf(at, "\"%d-%d-%dT%d:%d:%d.%6d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us) == 7,
	              "no time: %s", at);
	tm.tm_year -= 1900;
	tm.tm_mon--;
	return (int64_t)timegm(&tm) * 1000000 + us;
}

static void note_row(const struct model *m, struct key *k, const char *json, int64_t time)
{
	const char *s = find(json, "s"), *max = find(json, "m");
	int64_t start = 0, end = time + 1;
	char line[256];

	if (m->kind != SLIDING) {
		start = read_time(find(json, "window_start"));
		end = read_time(find(json, "window_end"));
		ck_assert_int_eq(end, time + 1);
	}
	(void)snprintf(line, sizeof line, "%ld-%ld n=%d s=%.*s m=%.*s", (long)start, (long)end, atoi(find(json, "n")), (int)strcspn(s, ",}"), s,
	               (int)strcspn(max, ",}"), max);
	if (*find(json, "revision") != '\0')
		(void)sprintf(line + strlen(line), " r%d%s%s", atoi(find(json, "revision")), *find(json, "is_final") == 't' ? " final" : "",
		              *find(json, "is_gone") == 't' ? " gone" : "");
	add_line(k->found, line);
}

static void compare(struct model *m, struct leat_harness *h, const char *options)
{
	const char *json;

	while ((json = leat_harness_pull(h, "out")) != NULL)
		note_row(m, &m->key[atoi(find(json, "k"))], json, leat_harness_pulled_time(h));
	for (size_t i = 0; i < N_KEYS; i++) {
		struct key *k = &m->key[i];

		ck_assert_msg(strcmp(k->expected, k->found) == 0, "seed %llu\n%s\nkey %zu, watermark %ld: expected\n%sfound\n%s", (unsigned long long)seed,
		              options, i, (long)m->watermark, k->expected, k->found);
		k->expected[0] = k->found[0] = '\0';
	}
	while (leat_harness_pull(h, "late") != NULL)
		m->n_late--;
	ck_assert_msg(m->n_late == 0, "%s: %zd more are late than were found", options, (ssize_t)m->n_late);
	ck_assert_ptr_null(leat_harness_pull(h, "dead"));
}

static void choose(struct model *m, char *options, size_t n)
{
	int64_t unit = 1 + below(6), emission = below(4);

	memset(m, 0, sizeof *m);
	m->kind = (enum kind)below(N_KINDS);
	m->watermark = LEAT_NO_TIME;
	m->now = INT64_C(1000000000000000);
	m->every = m->kind == HOPPING ? 1 + below(8) : m->kind == CUMULATING ? unit : 1;
	m->size = m->kind == CUMULATING ? unit * (1 + below(6)) : m->every + below(20);
	if (m->kind == TUMBLING)
		m->every = m->size;
	m->offset = m->kind == SLIDING || m->kind == SESSIONS ? 0 : below(2) * below(50);
	m->allow = below(2) * below(30);
	m->early = emission == 1 ? 1 + below(5) : 0;
	m->has_updates = emission == 2;
	m->is_counted = m->allow > 0 || m->early > 0 || m->has_updates;
	(void)snprintf(options, n, "key: k\n%s: %ldus\nallow: %ldus\nearly: %ldus\nemit: %s\naggregate: {n: count(), s: sum(v), m: max(v)}",
	               m->kind == SLIDING ? "sliding" : m->kind == SESSIONS ? "session" : "size", (long)m->size, (long)m->allow, (long)m->early,
	               m->has_updates ? "updates" : "final");
	if (m->kind == HOPPING || m->kind == CUMULATING)
		(void)sprintf(options + strlen(options), "\n%s: %ldus", m->kind == HOPPING ? "slide" : "step", (long)m->every);
	if (m->offset > 0)
		(void)sprintf(options + strlen(options), "\noffset: %ldus", (long)m->offset);
}

static void push(struct model *m, struct leat_harness *h, int64_t about)
{
	struct event e = { .time = about - below(25) + below(5), .value = below(100), .watermark = m->watermark };
	size_t i = (size_t)below(N_KEYS);
	char json[64];

	(void)snprintf(json, sizeof json, "{\"k\":%zu,\"v\":%ld}", i, (long)e.value);
	ck_assert_int_eq(leat_harness_push_at(h, e.time, json), LEAT_OK);
	m->n_late += !(m->kind == SESSIONS ? push_to_sessions(m, &m->key[i], &e) : push_to_windows(m, &m->key[i], &e));
}

static void play(struct model *m)
{
	int64_t time = below(40) - 20, disorder = below(20);
	char options[512];
	struct leat_harness *h;

	choose(m, options, sizeof options);
	h = leat_harness_create("window", options);
	for (int step = 0; step < STEPS; step++) {
		int64_t what = below(20);

		time += below(3) + (below(30) == 0 ? below(60) : 0);
		if (what < 13) {
			push(m, h, time);
		} else if (what < 18) {
			leat_harness_set_watermark(h, time - disorder);
			move_watermark(m, time - disorder);
		} else if (m->early > 0) {
			move_now(m, 2);
			leat_harness_set_time(h, m->now);
		}
		compare(m, h, options);
	}
	leat_harness_set_watermark(h, N_ENDS);
	move_watermark(m, N_ENDS);
	compare(m, h, options);
	ck_assert_uint_eq(leat_harness_state_entries(h), 0);
	leat_harness_destroy(h);
}

START_TEST(rows_are_those_of_a_model_that_forgets_nothing)
{
	struct model *m = calloc(1, sizeof *m);

	for (int round = 0; round < ROUNDS; round++) {
		seed = (uint64_t)round;
		play(m);
	}
	free(m);
}
END_TEST

int main(void)
{
	return leat_test_main("windows against a model", (const TTest *[]){ rows_are_those_of_a_model_that_forgets_nothing, NULL });
}
