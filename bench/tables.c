/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an event costs in the state tables: begin, get by a text key, commit, in nanoseconds; and the longest single call
 * while a table grows. Then the same with what a checkpoint needs: changes are noted, and taken once an epoch.
 * `bench/tables [keys] [events]`; under `valgrind --tool=callgrind --toggle-collect=measure` (or =measure_tracked) it counts
 * instructions.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "state/tables.h"

struct sum {
	int64_t count;
	double total;
};

static const struct leat_field fields[] = { LEAT_FIELD(struct sum, count, INT64), LEAT_FIELD(struct sum, total, DOUBLE), { 0 } };
static const struct leat_table_spec specs[] = {
	{ .name = "sums", .version = 1, .kind = LEAT_TABLE_FIXED, .size = sizeof(struct sum), .fields = fields },
	{ 0 },
};

enum { BATCH = 256, EPOCH = 4 /* batches */ };

static void add(struct leat_tables *t, const struct leat_value *key, int64_t now_us)
{
	struct sum *s;

	leat_tables_begin(t, now_us);
	s = leat_tables_get(t, 0, key);
	s->count++;
	s->total += 1.5;
	leat_tables_commit(t);
}

static uint64_t fill(struct leat_tables *t, const struct leat_record *record, size_t n)
{
	uint64_t longest_ns = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t before = leat_clock_cpu_ns();
		uint64_t took;

		add(t, &record[i].key, 1);
		took = leat_clock_cpu_ns() - before;
		if (took > longest_ns)
			longest_ns = took;
	}
	return longest_ns;
}

/* Not inlined: callgrind finds it by its name. */
__attribute__((noinline)) double measure(struct leat_tables *t, const struct leat_record *record, size_t n, size_t events,
                                         bool prefetch);

double measure(struct leat_tables *t, const struct leat_record *record, size_t n, size_t events, bool prefetch)
{
	uint64_t before = leat_clock_cpu_ns();
	uint64_t seed = 1;

	for (size_t done = 0; done < events; done += BATCH) {
		struct leat_record batch[BATCH];

		for (size_t i = 0; i < BATCH; i++) {
			seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
			batch[i].key = record[(seed >> 33) % n].key;
		}
		if (prefetch)
			leat_tables_prefetch(t, batch, BATCH);
		for (size_t i = 0; i < BATCH; i++)
			add(t, &batch[i].key, 2);
	}
	return (double)(leat_clock_cpu_ns() - before) / (double)events;
}

__attribute__((noinline)) double measure_tracked(struct leat_tables *t, const struct leat_record *record, size_t n, size_t events,
                                                 size_t *bytes);

double measure_tracked(struct leat_tables *t, const struct leat_record *record, size_t n, size_t events, size_t *bytes)
{
	uint64_t before = leat_clock_cpu_ns();
	struct leat_delta delta = { 0 };
	uint64_t seed = 1;

	*bytes = 0;
	leat_tables_track(t);
	for (size_t done = 0; done < events; done++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
		add(t, &record[(seed >> 33) % n].key, 3);
		if (done % (EPOCH * BATCH) != EPOCH * BATCH - 1)
			continue;
		leat_delta_clear(&delta);
		leat_tables_take(t, &delta);
		*bytes += delta.bytes.n;
	}
	leat_delta_finish(&delta);
	return (double)(leat_clock_cpu_ns() - before) / (double)events;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
	size_t events = argc > 2 ? strtoul(argv[2], NULL, 10) : 4000000;
	struct leat_record *record = leat_allocate_zeroed(n, sizeof *record);
	char *text = leat_allocate_zeroed(n, 16);
	struct leat_tables *t = leat_tables_create(specs, NULL);
	uint64_t longest_ns;
	size_t bytes;

	for (size_t i = 0; i < n; i++) {
		int length = snprintf(text + 16 * i, 16, "user-%08zu", i % 100000000);

		record[i].key = leat_borrow(text + 16 * i, (size_t)length);
	}
	longest_ns = fill(t, record, n);
	(void)printf("%zu keys, %zu events\n", n, events);
	(void)printf("plain     %6.1f ns an event\n", measure(t, record, n, events, false));
	(void)printf("prefetch  %6.1f ns an event\n", measure(t, record, n, events, true));
	(void)printf("longest   %6.1f us for one new key while the table grew\n", (double)longest_ns / 1000);
	(void)printf("memory    %6.1f bytes a key\n", (double)leat_tables_bytes(t) / (double)n);
	(void)printf("tracked   %6.1f ns an event, taken every %d\n", measure_tracked(t, record, n, events, &bytes), EPOCH * BATCH);
	(void)printf("delta     %6.1f bytes an event\n", (double)bytes / (double)events);
	leat_tables_destroy(t);
	free(record);
	free(text);
	return 0;
}
