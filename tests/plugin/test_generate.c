/* SPDX-License-Identifier: Apache-2.0 */
/* The same events however they are read, what is planted can be found, and the pace is kept. */
#include <math.h>
#include <string.h>

#include "plugin/ends.h"
#include "unit/unit.h"

static char *read_from(const char *options, int32_t partition, int64_t offset, size_t max_bytes)
{
	struct leat_ends *ends = leat_ends_source("generate", options);
	char *all;

	ck_assert_int_eq(leat_ends_open(ends, partition, offset, NULL), LEAT_OK);
	all = leat_ends_read_all(ends, max_bytes);
	leat_ends_destroy(ends);
	return all;
}

static const char *skip_lines(const char *s, int n)
{
	for (; n > 0; n--) {
		s = strchr(s, '\n');
		ck_assert_ptr_nonnull(s);
		s++;
	}
	return s;
}

START_TEST(the_first_event_is_what_it_always_was)
{
	char *all = read_from("    count: 1\n", 0, -1, 1000);

	ck_assert_str_eq(all, "{\"id\":\"p0-00000000\",\"user\":\"u000486\",\"amount\":166.71,\"currency\":\"JPY\",\"country\":\"JP\","
	                    "\"merchant\":\"airline\",\"ts\":1767225600000000}\n");
	free(all);
}
END_TEST

START_TEST(batch_sizes_change_nothing)
{
	char *small = read_from("    count: 3000\n", 0, -1, 1), *large = read_from("    count: 3000\n", 0, -1, 100000);
	char *bursts = read_from("    count: 3000\n    burst: 7\n", 0, -1, 100000);

	ck_assert_str_eq(small, large);
	ck_assert_str_eq(small, bursts);
	free(small);
	free(large);
	free(bursts);
}
END_TEST

START_TEST(it_goes_on_from_any_position)
{
	static const char options[] = "    count: 3000\n    duplicates: 0.02\n    anomalies: 0.02\n    keys: 17\n";
	char *all = read_from(options, 0, -1, 5000);

	for (int from = 0; from < 3000; from += 271) {
		char *rest = read_from(options, 0, from, 5000);

		ck_assert_str_eq(rest, skip_lines(all, from));
		free(rest);
	}
	free(all);
}
END_TEST

START_TEST(seeds_and_partitions_have_events_of_their_own)
{
	char *one = read_from("    count: 100\n", 0, -1, 1000), *other = read_from("    count: 100\n    seed: 2\n", 0, -1, 1000);
	char *p0 = read_from("    count: 100\n    keys: 100\n    partitions: 2\n", 0, -1, 1000);
	char *p1 = read_from("    count: 100\n    keys: 100\n    partitions: 2\n", 1, -1, 1000);

	ck_assert_str_ne(one, other);
	ck_assert_str_ne(p0, p1);
	ck_assert_str_eq(skip_lines(p0, 50), "");
	ck_assert_str_eq(skip_lines(p1, 50), "");
	ck_assert_ptr_nonnull(strstr(p0, "u000000"));
	ck_assert_ptr_null(strstr(p0, "u000001"));
	ck_assert_ptr_nonnull(strstr(p1, "u000001"));
	free(one);
	free(other);
	free(p0);
	free(p1);
}
END_TEST

static double field_number(const char *line, const char *name)
{
	const char *at = strstr(line, name);

	ck_assert_ptr_nonnull(at);
	return strtod(at + strlen(name) + 2, NULL); /* behind the quote and the colon */
}

/* The number in "id":"p0-00000123" or "user":"u000123". */
static long text_number(const char *line, const char *prefix)
{
	const char *at = strstr(line, prefix);

	ck_assert_ptr_nonnull(at);
	return strtol(at + strlen(prefix), NULL, 10);
}

START_TEST(duplicates_are_recent_events_byte_for_byte)
{
	char *all = read_from("    count: 100000\n    duplicates: 0.01\n", 0, -1, 1000000), *line[100000] = { NULL };
	char *s = all;
	long n_duplicates = 0, expected = 0;

	for (; *s != '\0'; s = strchr(s, '\0') + 1) {
		long id;

		*strchr(s, '\n') = '\0';
		id = text_number(s, "\"id\":\"p0-");
		ck_assert_int_le(id, expected);
		if (id < expected) {
			n_duplicates++;
			ck_assert_int_le(expected - id, 64);
			ck_assert_str_eq(s, line[id]);
		} else {
			line[expected++] = s;
		}
	}
	ck_assert_int_ge(n_duplicates, 998); /* one in each hundred; the very first position has nothing to repeat */
	ck_assert_int_le(n_duplicates, 1000);
	free(all);
}
END_TEST

struct running {
	long n;
	double mean, squares;
};

enum { N_THRESHOLDS = 3 };

static const double thresholds[N_THRESHOLDS] = { 4, 5, 6 };

struct finding {
	long n_flagged, n_hits;
};

/* The rule that a user would write: a z-score against what came before, learning from everything. */
static long score(const char *options, struct finding finding[N_THRESHOLDS])
{
	static struct running user[500];
	char *all = read_from(options, 0, -1, 1000000), *next;
	long n_planted = 0;

	memset(user, 0, sizeof user);
	for (char *s = all; *s != '\0'; s = next) {
		struct running *r;
		double amount, distance;
		bool is_planted;

		next = strchr(s, '\n') + 1;
		next[-1] = '\0';
		r = &user[text_number(s, "\"user\":\"u")];
		amount = field_number(s, "amount");
		distance = amount - r->mean;
		is_planted = strstr(s, "\"planted\":true") != NULL;
		n_planted += is_planted;
		ck_assert(amount > 0);
		ck_assert_msg(!is_planted || r->n >= 30, "planted after %ld events", r->n);
		for (int i = 0; i < N_THRESHOLDS && r->n >= 30; i++) {
			bool is_flagged = fabs(distance) > thresholds[i] * sqrt(r->squares / (double)(r->n - 1));

			finding[i].n_flagged += is_flagged;
			finding[i].n_hits += is_planted && is_flagged;
		}
		r->n++;
		r->mean += distance / (double)r->n;
		r->squares += distance * (amount - r->mean);
	}
	free(all);
	return n_planted;
}

START_TEST(a_z_score_finds_what_was_planted_and_nothing_else)
{
	for (int seed = 1; seed <= 3; seed++) {
		struct finding finding[N_THRESHOLDS] = { { 0 } };
		char options[128];
		long n_planted;

		(void)snprintf(options, sizeof options, "    count: 100000\n    keys: 500\n    duplicates: 0\n    seed: %d\n", seed);
		n_planted = score(options, finding);
		ck_assert_int_ge(n_planted, 84); /* one in a thousand of what follows the first 30 events of 500 users */
		ck_assert_int_le(n_planted, 86);
		for (int i = 0; i < N_THRESHOLDS; i++) {
			double precision = (double)finding[i].n_hits / (double)finding[i].n_flagged;
			double recall = (double)finding[i].n_hits / (double)n_planted;

			printf("seed %d, z > %.0f: planted %ld, flagged %ld, precision %.4f, recall %.4f\n", seed, thresholds[i], n_planted,
			       finding[i].n_flagged, precision, recall);
			ck_assert(precision >= 0.95);
			ck_assert(recall >= 0.95);
		}
	}
}
END_TEST

START_TEST(the_pace_is_kept_and_what_was_missed_is_caught_up_in_slices)
{
	struct leat_ends *ends = leat_ends_source("generate", "    rate: 1000\n    burst: 50\n");
	const int64_t start_us = INT64_C(1000000000000000);

	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_AGAIN);
	ck_assert_int_eq(leat_ends_wait(ends), 1000);
	leat_ends_set_time(ends, start_us + 10000);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_OK);
	ck_assert_int_eq(leat_ends_next(ends), 10);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_AGAIN);
	leat_ends_set_time(ends, start_us + 110000);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_OK);
	ck_assert_int_eq(leat_ends_next(ends), 60);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_OK);
	ck_assert_int_eq(leat_ends_next(ends), 110);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_AGAIN);
	/* A clock that jumps by an hour does not owe 3,600,000 events. */
	leat_ends_set_time(ends, start_us + INT64_C(3600000000));
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_OK);
	ck_assert_int_eq(leat_ends_next(ends), 111);
	ck_assert_int_eq(leat_ends_poll(ends, 1 << 20), LEAT_AGAIN);
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(a_count_is_shared_by_the_partitions_and_ends)
{
	struct leat_ends *ends = leat_ends_source("generate", "    count: 10\n    partitions: 3\n");
	int64_t n[] = { 4, 3, 3 };

	ck_assert_uint_eq(leat_ends_partitions(ends), 3);
	for (int32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(leat_ends_open(ends, i, -1, NULL), LEAT_OK);
		ck_assert_int_eq(leat_ends_lag(ends), n[i]);
		free(leat_ends_read_all(ends, 100));
		ck_assert_int_eq(leat_ends_next(ends), n[i]);
		ck_assert_int_eq(leat_ends_lag(ends), 0);
		ck_assert_int_eq(leat_ends_poll(ends, 100), LEAT_END);
	}
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(a_start_that_is_now_is_kept_in_the_note)
{
	struct leat_ends *ends = leat_ends_source("generate", "    count: 10\n    start: now\n");
	char *all, *rest, note[56];

	ck_assert_int_eq(leat_ends_open(ends, 0, -1, NULL), LEAT_OK);
	all = leat_ends_read_all(ends, 100);
	ck_assert_ptr_nonnull(strstr(all, "\"ts\":1000000000000000"));
	(void)snprintf(note, sizeof note, "%s", leat_ends_commit(ends, 4));
	leat_ends_set_time(ends, INT64_C(2000000000000000));
	ck_assert_int_eq(leat_ends_open(ends, 0, 4, note), LEAT_OK);
	rest = leat_ends_read_all(ends, 100);
	ck_assert_str_eq(rest, skip_lines(all, 4));
	free(all);
	free(rest);
	leat_ends_destroy(ends);
}
END_TEST

START_TEST(options_that_cannot_be_are_refused)
{
	char *start = leat_ends_refused("source", "generate", "    start: yesterday\n");
	char *keys = leat_ends_refused("source", "generate", "    keys: 2\n    partitions: 3\n");

	ck_assert_ptr_nonnull(strstr(start, ":6:"));
	ck_assert_ptr_nonnull(strstr(start, "\"yesterday\" is not a time, expected one like 2026-01-31T12:00:00Z or now"));
	ck_assert_ptr_nonnull(strstr(keys, "2 keys are too few for 3 partitions, each needs one"));
	free(start);
	free(keys);
}
END_TEST

int main(void)
{
	return leat_test_main("generate", (const TTest *[]){ the_first_event_is_what_it_always_was,
	                                                     batch_sizes_change_nothing,
	                                                     it_goes_on_from_any_position,
	                                                     seeds_and_partitions_have_events_of_their_own,
	                                                     duplicates_are_recent_events_byte_for_byte,
	                                                     a_z_score_finds_what_was_planted_and_nothing_else,
	                                                     the_pace_is_kept_and_what_was_missed_is_caught_up_in_slices,
	                                                     a_count_is_shared_by_the_partitions_and_ends,
	                                                     a_start_that_is_now_is_kept_in_the_note,
	                                                     options_that_cannot_be_are_refused,
	                                                     NULL });
}
