/* SPDX-License-Identifier: Apache-2.0 */
/* The tables against a model, which is copied as a whole at begin and put back on abort. */
#include "unit/random.h"
#include "unit/tables_kit.h"
#include "unit/unit.h"

enum { EVENTS = 30000, TTL_US = 400 };

static void end_batch(struct world *w)
{
	world_check_taken(w);
	w->n_taken = 0;
	leat_arena_unref(w->arena);
	w->arena = leat_arena_create();
}

static void run_model(uint64_t seed, int64_t ttl_us)
{
	const int64_t ttls[TABLES] = { ttl_us, ttl_us, ttl_us };
	struct world *w = calloc(1, sizeof *w);

	ck_assert_ptr_nonnull(w);
	w->seed = seed;
	w->ttl_us = ttl_us;
	w->tables = leat_tables_create(world_specs, ttls);
	w->arena = leat_arena_create();
	for (size_t event = 0; event < EVENTS; event++) {
		size_t n_steps = random_below(&w->seed, 8), n_taken = w->n_taken;

		w->now_us += (int64_t)random_below(&w->seed, 20);
		w->before = w->model;
		leat_tables_begin(w->tables, w->now_us);
		for (size_t i = 0; i < n_steps; i++)
			world_step(w);
		world_check_lent(w);
		if (random_below(&w->seed, 3) == 0) {
			leat_tables_abort(w->tables);
			w->model = w->before;
			w->n_taken = n_taken;
		} else {
			leat_tables_commit(w->tables);
		}
		if (event % 16 == 0)
			world_check_all(w);
		if (random_below(&w->seed, 4) == 0)
			end_batch(w);
	}
	world_check_all(w);
	end_batch(w);
	leat_tables_destroy(w->tables);
	leat_arena_unref(w->arena);
	free(w);
}

START_TEST(random_events_leave_the_tables_as_a_model_says)
{
	run_model(1, 0);
	run_model(2, 0);
}
END_TEST

START_TEST(random_events_with_expiry_leave_the_tables_as_a_model_says)
{
	run_model(3, TTL_US);
	run_model(4, 20);
}
END_TEST

int main(void)
{
	return leat_test_main("tables against a model", (const TTest *[]){
		random_events_leave_the_tables_as_a_model_says,
		random_events_with_expiry_leave_the_tables_as_a_model_says,
		NULL,
	});
}
