/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast a Lua rule is alone: events that are decoded already, real state tables, emissions thrown away.
 *
 *     bench/lua_rule 2000000
 *     bench/lua_rule 2000000 table                        (emits a new table, so that there is garbage to collect)
 *     valgrind --tool=callgrind bench/lua_rule 20000      (instructions: subtract a run with 10000)
 *
 * The rule reads three fields, keeps four in state (count, mean, sum of squares, last amount), adds a score and emits.
 * Without an argument it runs a few events only, so that `make check` sees whether it still works.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lua/lua_plugin.h"
#include "unit/lua_kit.h"

enum { USERS = 1000, EVENTS = 4096, BATCH = 256 };

static const char rule[] =
	"ports = {'alerts'}\n"
	"local limit <const> = settings.limit or 6\n"
	"function process(event, state)\n"
	"  local amount, country, kind = event.amount, event.country, event.kind\n"
	"  local n, mean, squares = (state.n or 0) + 1, state.mean or 0.0, state.squares or 0.0\n"
	"  local delta = amount - mean\n"
	"  local z = 0.0\n"
	"  if n > 20 and squares > 0 and country ~= 'XX' and kind == 'card' then z = delta / math.sqrt(squares / n) end\n"
	"  mean = mean + delta / n\n"
	"  state.n, state.mean, state.squares, state.last = n, mean, squares + delta * (amount - mean), amount\n"
	"  event.score = z\n"
	"  emit(event)\n"
	"end\n";

static const char table_rule[] =
	"function process(event, state)\n"
	"  state.n = (state.n or 0) + 1\n"
	"  emit{user = event.user, n = state.n, amount = event.amount, tags = {'a', event.country}, text = event.id "
		".. '/' .. event.kind}\n"
	"end\n";

static struct leat_record record[EVENTS];
static char key[EVENTS][16];
static size_t n_emitted;

static void count(struct leat_context *ctx, uint32_t port, const struct leat_record *emitted)
{
	(void)ctx;
	(void)port;
	n_emitted += emitted->value.n > 0;
}

static void make_events(struct kit *kit, struct leat_arena *arena)
{
	uint64_t seed = 1;
	size_t i;

	for (i = 0; i < EVENTS; i++) {
		char *json = leat_arena_allocate(arena, 512);
		struct leat_error err;
		int n;

		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		(void)snprintf(key[i], sizeof key[i], "u%04u", (unsigned)(seed >> 40) % USERS);
		memset(json, 0, 512);
		n = snprintf(json, 512,
		             "{\"id\":\"p-%08zu\",\"user\":\"%s\",\"amount\":%u.%02u,\"country\":\"DE\",\"kind\":\"card\",\"currency\":\"EUR\","
		             "\"merchant\":\"m%03u\",\"ts\":1700000000%06zu,\"terminal\":%u,\"ok\":true}",
		             i, key[i], (unsigned)(seed >> 33) % 200, (unsigned)(seed >> 50) % 100,
		             	(unsigned)(seed >> 45) % 500, i,
		             (unsigned)(seed >> 20) % 9000);
		record[i] = (struct leat_record){.key = leat_borrow(key[i], strlen(key[i])), .time_us = 1700000000000000};
		if (leat_json_decode(kit->json, arena, json, (size_t)n, &record[i].value, &err) != LEAT_OK)
			abort();
	}
}

static void run(struct kit *kit, size_t n)
{
	const struct leat_operator_ops *op = leat_lua_plugin.op;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i % BATCH == 0) {
			leat_arena_unref(kit->arena);
			kit->arena = leat_arena_create();
		}
		leat_tables_begin(kit->tables, kit->now_us);
		if (op->process(kit->self, &record[i % EVENTS], &kit->context, &kit->err) != LEAT_OK) {
			fprintf(stderr, "%s: %s\n", kit->err.where, kit->err.text);
			abort();
		}
		leat_tables_commit(kit->tables);
	}
	leat_arena_unref(kit->arena);
	kit->arena = NULL;
}

static double now_s(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	struct kit *kit = kit_open(argc > 2 ? table_rule : rule);
	struct leat_api api = *kit->context.api;
	struct leat_arena *events = leat_arena_create();
	double start;

	api.emit = count;
	kit->context.api = &api;
	make_events(kit, events);
	start = now_s();
	run(kit, n);
	start = now_s() - start;
	printf("%zu events in %.3f s: %.3f us an event, %.0f events/s\n", n, start, start * 1e6 / (double)n, (double)n / start);
	kit_close(kit);
	leat_arena_unref(events);
	return n_emitted == n ? EXIT_SUCCESS : EXIT_FAILURE;
}
