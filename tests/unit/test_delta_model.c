/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints against a model: random events on tables and timers, some aborted; what has changed is taken at random moments
 * and applied to rows in an array, the store. Now and then all that is not in the store is lost, as in a crash, and tables and
 * timers are made again from its rows: they have to be what the model was at the last take. The run goes on with them.
 *
 * In half of the runs the tables are put over the store, with more or less memory: entries come and go, rows are loaded
 * between events as they were at the crash, and what has expired is looked for in files, which have an older state than the store.
 */
#include <string.h>

#include "base/memory.h"
#include "state/store.h"
#include "state/timers.h"
#include "unit/random.h"
#include "unit/tables_kit.h"
#include "unit/unit.h"

enum { EVENTS = 12000, TTL_US = 400, ROWS = 4096, TIMERS = 48, TIMER_KEYS = 16 };

struct row {
	uint16_t table;
	char *key;
	size_t key_n;
	char *value;
	size_t value_n;
	uint64_t written; /* the take it came with */
	uint64_t gone;    /* and that with which it went, 0: it is there */
};

struct set_timer {
	struct leat_timer timer; /* without its key */
	size_t k;
};

/* In the order in which they were set. */
struct timer_model {
	struct set_timer item[TIMERS];
	size_t n;
};

struct run {
	struct world w;
	struct leat_timers *timers;
	struct timer_model set, set_before;
	struct row row[ROWS];
	size_t n_rows;
	struct row stale[ROWS]; /* gone, but perhaps not from files */
	size_t n_stale;
	uint32_t number[TABLES]; /* where the search in memory is */
	size_t n_expired;
	bool is_over_store;
	struct leat_memory memory;
	uint64_t n_taken, in_rows; /* as the store counts them */
	struct row loading[ROWS]; /* the store at the crash, */
	size_t n_loading;         /* what of it is not loaded yet */
	bool is_loading;
	size_t n_fetched;
	/* as of the last take */
	struct world_model taken;
	struct timer_model set_taken;
};

/* ---- the store ------------------------------------------------------------------------------------------------------ */

static bool has_prefix(const struct row *row, const struct leat_delta_op *op)
{
	return row->table == op->table && row->key_n >= op->key_n && memcmp(row->key, op->key, op->key_n) == 0;
}

static void drop_rows(struct run *r, const struct leat_delta_op *op)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_rows; i++) {
		struct row *row = &r->row[i];

		if (has_prefix(row, op) && (op->kind == LEAT_DELTA_ERASE_PREFIX || row->key_n == op->key_n)) {
			ck_assert_uint_lt(r->n_stale, ROWS);
			r->stale[r->n_stale] = *row;
			r->stale[r->n_stale++].gone = r->n_taken;
		} else {
			r->row[kept++] = *row;
		}
	}
	r->n_rows = kept;
}

static void clear_stale(struct run *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_stale; i++) {
		struct row *row = &r->stale[i];

		if (r->is_over_store && row->gone > r->in_rows) {
			r->stale[kept++] = *row;
			continue;
		}
		free(row->key);
		free(row->value);
	}
	r->n_stale = kept;
}

static struct leat_delta_op put_of(const struct row *row)
{
	return (struct leat_delta_op){ .kind = LEAT_DELTA_PUT,
		                       .table = row->table,
		                       .key = row->key,
		                       .key_n = row->key_n,
		                       .value = row->value,
		                       .value_n = row->value_n };
}

static char *copy_of(const char *bytes, size_t n)
{
	char *copy = leat_allocate_bytes(n + 1);

	memcpy(copy, bytes, n);
	return copy;
}

static void apply(struct run *r, const struct leat_delta *delta)
{
	struct leat_delta_op op;
	size_t n = 0;

	for (size_t at = 0; leat_delta_next(delta, &at, &op); n++) {
		drop_rows(r, &op);
		if (op.kind != LEAT_DELTA_PUT)
			continue;
		ck_assert_uint_lt(r->n_rows, ROWS);
		r->row[r->n_rows++] = (struct row){ .table = op.table,
			                            .key = copy_of(op.key, op.key_n),
			                            .key_n = op.key_n,
			                            .value = copy_of(op.value, op.value_n),
			                            .value_n = op.value_n,
			                            .written = r->n_taken };
	}
	ck_assert_uint_eq(n, delta->n);
}

/* What does not expire leaves exactly its rows. */
static void check_rows(const struct run *r)
{
	size_t n = r->set.n;

	for (size_t k = 0; k < KEYS; k++)
		n += (size_t)r->w.model.entry[0][k].is_there + r->w.model.entry[1][k].is_there +
		     (r->w.model.entry[2][k].is_there ? 1 + r->w.model.entry[2][k].n : 0);
	ck_assert_uint_eq(r->n_rows, n);
}

static void take(struct run *r)
{
	struct leat_delta delta = { 0 };

	if (r->is_over_store) {
		leat_tables_durable(r->w.tables, r->n_taken, r->in_rows);
		r->in_rows += random_below(&r->w.seed, r->n_taken - r->in_rows + 1);
		r->n_taken++;
	}
	clear_stale(r);
	leat_tables_take(r->w.tables, &delta);
	leat_timers_take(r->timers, &delta);
	apply(r, &delta);
	leat_delta_clear(&delta);
	if (r->is_over_store)
		leat_tables_durable(r->w.tables, r->n_taken, r->in_rows);
	leat_tables_take(r->w.tables, &delta);
	leat_timers_take(r->timers, &delta);
	ck_assert_uint_eq(delta.n, 0);
	leat_delta_finish(&delta);
	r->taken = r->w.model;
	r->set_taken = r->set;
	if (r->w.ttl_us == 0)
		check_rows(r);
}

/* ---- tables over the store ------------------------------------------------------------------------------------------ */

static bool is_in_files(const struct run *r, const struct row *row)
{
	return row->written <= r->in_rows && (row->gone == 0 || row->gone > r->in_rows);
}

static void fetch_row(struct run *r, const struct row *row, const struct leat_delta_op *wanted)
{
	struct leat_delta_op put = put_of(row);

	if (!has_prefix(row, wanted) || (wanted->table != 2 && put.key_n != wanted->key_n))
		return;
	ck_assert(leat_tables_restore(r->w.tables, NULL, &put));
	r->n_fetched++;
}

/* As L1 and C1 have it, what is read was written last, but for what has expired (C4). */
static void fetch(void *opaque, uint32_t table, const char *key, size_t key_n)
{
	struct run *r = opaque;
	char *copy = copy_of(key, key_n);
	const struct leat_delta_op wanted = { .table = (uint16_t)table, .key = copy, .key_n = key_n };

	for (size_t i = 0; i < r->n_rows; i++) {
		if (has_prefix(&r->row[i], &wanted) && !is_in_files(r, &r->row[i])) /* no ck_assert(), which writes each time */
			ck_abort_msg("a row is asked for that is not in files yet");
		fetch_row(r, &r->row[i], &wanted);
	}
	for (size_t i = 0; i < r->n_stale; i++)
		if (is_in_files(r, &r->stale[i]))
			fetch_row(r, &r->stale[i], &wanted);
	free(copy);
}

static void expire_row(struct run *r, const struct row *row)
{
	struct leat_delta_op put = put_of(row);

	if (put.table != LEAT_DELTA_TIMERS && is_in_files(r, row))
		ck_assert(leat_tables_expire_row(r->w.tables, NULL, &put, r->w.now_us, &r->n_expired));
}

/* One in `seldom` of the rows in files, and of the entries in memory so many. */
static void expire_some(struct run *r, size_t seldom, size_t looks)
{
	for (uint32_t table = 0; table < TABLES; table++) {
		if (!leat_tables_expire(r->w.tables, table, r->w.now_us, &r->number[table], looks, &r->n_expired))
			r->number[table] = 0;
	}
	for (size_t i = 0; i < r->n_rows; i++)
		if (random_below(&r->w.seed, seldom) == 0)
			expire_row(r, &r->row[i]);
	for (size_t i = 0; i < r->n_stale; i++)
		if (random_below(&r->w.seed, seldom) == 0)
			expire_row(r, &r->stale[i]);
}

static void forget_loading(struct run *r)
{
	for (; r->n_loading > 0; r->n_loading--) {
		free(r->loading[r->n_loading - 1].key);
		free(r->loading[r->n_loading - 1].value);
	}
	r->is_loading = false;
}

/* To nothing; to so little that entries leave, but what has left is known (C5); or to more than is ever needed. */
static void limit_memory(struct run *r)
{
	static const size_t limits[] = { 1, 4096, 1 << 20 };

	r->memory.limit = limits[random_below(&r->w.seed, 3)];
}

/* All its rows are in files after a crash. */
static void begin_loading(struct run *r)
{
	forget_loading(r);
	r->in_rows = r->n_taken;
	clear_stale(r);
	for (size_t i = 0; i < r->n_rows; i++) {
		struct row row = r->row[i];

		if (row.table == LEAT_DELTA_TIMERS)
			continue;
		row.key = copy_of(row.key, row.key_n);
		row.value = copy_of(row.value, row.value_n);
		r->loading[r->n_loading++] = row;
	}
	r->is_loading = true;
	limit_memory(r);
}

static void load_some(struct run *r)
{
	for (size_t n = random_below(&r->w.seed, 8); n > 0 && r->n_loading > 0; n--) {
		struct row *row = &r->loading[--r->n_loading];
		struct leat_delta_op put = put_of(row);

		ck_assert(leat_tables_load(r->w.tables, NULL, &put));
		free(row->key);
		free(row->value);
	}
	if (r->n_loading > 0 && leat_tables_wants_rows(r->w.tables))
		return;
	leat_tables_loaded(r->w.tables, r->n_loading == 0);
	forget_loading(r);
}

/* ---- timers --------------------------------------------------------------------------------------------------------- */

static bool is_same(const struct set_timer *a, const struct set_timer *b)
{
	return a->timer.clock == b->timer.clock && a->timer.due_us == b->timer.due_us && a->timer.tag == b->timer.tag && a->k == b->k;
}

static size_t find_set(const struct timer_model *set, const struct set_timer *one)
{
	size_t i = 0;

	while (i < set->n && !is_same(&set->item[i], one))
		i++;
	return i;
}

static void remove_set(struct timer_model *set, size_t i)
{
	memmove(&set->item[i], &set->item[i + 1], (set->n - i - 1) * sizeof *set->item);
	set->n--;
}

static void set_timer(struct run *r, struct set_timer one)
{
	one.timer.key = world_key(one.k);
	leat_timers_set(r->timers, &one.timer);
	if (find_set(&r->set, &one) == r->set.n)
		r->set.item[r->set.n++] = one;
}

static void step_timers(struct run *r)
{
	struct set_timer one = { .timer = { .clock = (enum leat_clock)random_below(&r->w.seed, 3),
		                            .due_us = r->w.now_us + (int64_t)random_below(&r->w.seed, 40),
		                            .tag = (int64_t)random_below(&r->w.seed, 3) - 1 },
		                 .k = random_below(&r->w.seed, TIMER_KEYS) };

	if (r->set.n > 0 && random_below(&r->w.seed, 3) == 0) {
		one = r->set.item[random_below(&r->w.seed, r->set.n)];
		one.timer.key = world_key(one.k);
		leat_timers_cancel(r->timers, &one.timer);
		remove_set(&r->set, find_set(&r->set, &one));
	}
	if (r->set.n < TIMERS && random_below(&r->w.seed, 2) == 0)
		set_timer(r, one);
}

static bool goes_by(const struct leat_timer *timer, enum leat_clock clock)
{
	return timer->clock == clock || (timer->clock == LEAT_ENDLESS_TIME && clock == LEAT_EVENT_TIME);
}

/* The earliest of that clock, of equal due times the one that was set first; or n. */
static size_t next_set(const struct timer_model *set, enum leat_clock clock)
{
	size_t next = set->n;

	for (size_t i = 0; i < set->n; i++)
		if (goes_by(&set->item[i].timer, clock) && (next == set->n || set->item[i].timer.due_us < set->item[next].timer.due_us))
			next = i;
	return next;
}

/* Checked against the model. False: none is due. */
static bool pop(struct leat_timers *timers, struct timer_model *set, enum leat_clock clock, int64_t now_us, struct set_timer *out)
{
	size_t next = next_set(set, clock);
	bool is_due = next < set->n && set->item[next].timer.due_us <= now_us;
	struct leat_timer timer;
	struct leat_value key;

	ck_assert_int_eq(leat_timers_pop(timers, clock, now_us, &timer), is_due);
	if (!is_due)
		return false;
	*out = set->item[next];
	remove_set(set, next);
	key = world_key(out->k);
	ck_assert_int_eq(timer.clock, out->timer.clock);
	ck_assert_int_eq(timer.due_us, out->timer.due_us);
	ck_assert_int_eq(timer.tag, out->timer.tag);
	ck_assert(leat_value_equals(&timer.key, &key));
	return true;
}

/* ---- events --------------------------------------------------------------------------------------------------------- */

static void begin(struct run *r)
{
	r->w.before = r->w.model;
	r->w.arena = leat_arena_create();
	r->set_before = r->set;
	leat_tables_begin(r->w.tables, r->w.now_us);
	leat_timers_begin(r->timers);
}

static bool end(struct run *r)
{
	bool is_aborted = random_below(&r->w.seed, 3) == 0;

	world_check_lent(&r->w);
	world_check_taken(&r->w);
	if (is_aborted) {
		leat_tables_abort(r->w.tables);
		leat_timers_abort(r->timers);
		r->w.model = r->w.before;
		r->set = r->set_before;
	} else {
		leat_tables_commit(r->w.tables);
		leat_timers_commit(r->timers);
	}
	leat_arena_unref(r->w.arena);
	r->w.n_taken = 0;
	return is_aborted;
}

static bool run_event(struct run *r)
{
	size_t n_steps = random_below(&r->w.seed, 8);

	begin(r);
	for (size_t i = 0; i < n_steps; i++) {
		world_step(&r->w);
		if (random_below(&r->w.seed, 4) == 0)
			step_timers(r);
	}
	return end(r);
}

/* As a shard does it: a timer whose event was aborted is set again, or it is lost. */
static void fire(struct run *r)
{
	struct set_timer due;

	if (!pop(r->timers, &r->set, (enum leat_clock)random_below(&r->w.seed, 2), r->w.now_us, &due))
		return;
	if (!run_event(r) || r->set.n == TIMERS || random_below(&r->w.seed, 2) == 0)
		return;
	leat_timers_begin(r->timers);
	set_timer(r, due);
	leat_timers_commit(r->timers);
}

/* ---- crash ---------------------------------------------------------------------------------------------------------- */

static void shuffle_rows(struct run *r)
{
	for (size_t i = r->n_rows; i > 1; i--) {
		size_t other = random_below(&r->w.seed, i);
		struct row row = r->row[i - 1];

		r->row[i - 1] = r->row[other];
		r->row[other] = row;
	}
}

static struct leat_timers *restore_timers(const struct run *r)
{
	struct leat_timers *timers = leat_timers_create();

	leat_timers_track(timers);
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->row[i].table == LEAT_DELTA_TIMERS)
			ck_assert(leat_timers_restore(timers, NULL, (struct leat_delta_op[]){ put_of(&r->row[i]) }));
	return timers;
}

static struct leat_tables *restore_tables(struct run *r)
{
	const int64_t ttls[TABLES] = { r->w.ttl_us, r->w.ttl_us, r->w.ttl_us };
	struct leat_tables *tables = leat_tables_create(world_specs, ttls);

	leat_tables_track(tables);
	if (r->is_over_store) {
		leat_tables_put_over(tables, &(struct leat_below){ .fetch = fetch, .opaque = r }, &r->memory);
		begin_loading(r);
		return tables;
	}
	for (size_t i = 0; i < r->n_rows; i++)
		if (r->row[i].table != LEAT_DELTA_TIMERS)
			ck_assert(leat_tables_restore(tables, NULL, (struct leat_delta_op[]){ put_of(&r->row[i]) }));
	return tables;
}

static void check_timers(struct run *r)
{
	struct leat_timers *timers = restore_timers(r);
	struct timer_model set = r->set;
	struct set_timer popped;

	ck_assert_uint_eq(leat_timers_count(timers), set.n);
	for (int clock = 0; clock < 2; clock++)
		while (pop(timers, &set, (enum leat_clock)clock, INT64_MAX - 1, &popped)) /* not the end, when the endless ones stay */
			;
	leat_timers_destroy(timers);
}

static void crash(struct run *r)
{
	struct leat_delta delta = { 0 };

	leat_tables_destroy(r->w.tables);
	leat_timers_destroy(r->timers);
	shuffle_rows(r);
	r->w.tables = restore_tables(r);
	r->timers = restore_timers(r);
	r->w.model = r->taken;
	r->set = r->set_taken;
	leat_tables_take(r->w.tables, &delta);
	leat_timers_take(r->timers, &delta);
	ck_assert_uint_eq(delta.n, 0);
	leat_tables_begin(r->w.tables, r->w.now_us);
	leat_tables_commit(r->w.tables);
	/* Over the store, looking at everything would have fetched it. */
	if (!r->is_over_store || random_below(&r->w.seed, 2) == 0)
		world_check_all(&r->w);
	check_timers(r);
}

static void step(struct run *r)
{
	r->w.now_us += (int64_t)random_below(&r->w.seed, 20);
	(void)run_event(r);
	if (random_below(&r->w.seed, 3) == 0)
		fire(r);
	if (r->is_loading)
		load_some(r);
	else if (r->is_over_store && random_below(&r->w.seed, 4) == 0)
		expire_some(r, 16, random_below(&r->w.seed, 20));
	if (random_below(&r->w.seed, 50) == 0)
		limit_memory(r);
	if (random_below(&r->w.seed, 8) == 0)
		take(r);
	if (random_below(&r->w.seed, 40) == 0)
		crash(r);
}

/* Nobody asks for any of it. */
static void expire_all(struct run *r)
{
	size_t n_fetched;

	while (r->is_loading)
		load_some(r);
	take(r);
	r->in_rows = r->n_taken;
	clear_stale(r);
	n_fetched = r->n_fetched;
	r->w.now_us += 2 * r->w.ttl_us;
	memset(r->number, 0, sizeof r->number);
	expire_some(r, 1, SIZE_MAX);
	take(r);
	ck_assert_uint_eq(r->n_rows, r->set.n);
	ck_assert_uint_eq(r->n_fetched, n_fetched);
	ck_assert_uint_gt(r->n_expired, EVENTS / 100);
}

static void run_model(uint64_t seed, int64_t ttl_us, bool is_over_store)
{
	struct run *r = leat_allocate_zeroed(1, sizeof *r);

	(void)printf("seed %llu, ttl %lld\n", (unsigned long long)seed, (long long)ttl_us);
	(void)fflush(stdout);
	r->w.seed = seed;
	r->w.ttl_us = ttl_us;
	r->is_over_store = is_over_store;
	r->w.tables = restore_tables(r);
	r->timers = restore_timers(r);
	for (size_t i = 0; i < EVENTS; i++)
		step(r);
	take(r);
	crash(r);
	if (is_over_store && ttl_us > 0)
		expire_all(r);
	leat_tables_destroy(r->w.tables);
	leat_timers_destroy(r->timers);
	drop_rows(r, &(struct leat_delta_op){ .kind = LEAT_DELTA_ERASE_PREFIX, .table = LEAT_DELTA_TIMERS, .key = "" });
	for (uint16_t table = 0; table < TABLES; table++)
		drop_rows(r, &(struct leat_delta_op){ .kind = LEAT_DELTA_ERASE_PREFIX, .table = table, .key = "" });
	ck_assert_uint_eq(r->n_rows, 0);
	r->is_over_store = false;
	clear_stale(r);
	ck_assert_int_eq(r->n_fetched > EVENTS / 100, is_over_store);
	ck_assert_uint_eq(atomic_load(&r->memory.used), 0);
	forget_loading(r);
	free(r);
}

START_TEST(what_was_taken_comes_back_after_a_crash)
{
	run_model(1, 0, false);
	run_model(2, 0, false);
}
END_TEST

START_TEST(what_was_taken_and_has_not_expired_comes_back_after_a_crash)
{
	run_model(3, TTL_US, false);
	run_model(4, 20, false);
}
END_TEST

START_TEST(what_does_not_fit_into_memory_is_in_the_store)
{
	run_model(5, 0, true);
	run_model(6, 0, true);
}
END_TEST

START_TEST(what_has_expired_leaves_the_store_unasked_and_what_lives_stays)
{
	run_model(7, TTL_US, true);
	run_model(8, 20, true);
	run_model(9, 4 * TTL_US, true);
}
END_TEST

int main(void)
{
	return leat_test_main("checkpoints against a model", (const TTest *[]){
		what_was_taken_comes_back_after_a_crash,
		what_was_taken_and_has_not_expired_comes_back_after_a_crash,
		what_does_not_fit_into_memory_is_in_the_store,
		what_has_expired_leaves_the_store_unasked_and_what_lives_stays,
		NULL,
	});
}
