/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reads what bench/load has written when it comes out of a pipeline, as a consumer that sees committed messages only, and
 * says how long each event took. The moment at which it was written is found by its place in the text (see client.h).
 *
 * `bench/arrivals [OPTION ...] TOPIC` says "ready" when it reads. It ends after --count events, when none has come for
 * --idle seconds after the first, or when it is told to; events of the first --skip seconds are counted, not measured. With
 * --first it ends at the first event and tells when that came. --mark N tells how long it took from the N-th event to the last.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "histogram.h"

enum { IDLE_MS = 100 };

struct arrivals {
	const char *brokers, *topic;
	uint64_t count, n; /* count 0: without end */
	uint64_t mark;     /* 0: none */
	int64_t skip_us, idle_us;
	int64_t first_us, mark_us, last_us, first_realtime_us;
	bool is_first;
	struct histogram latency;
};

static int64_t sent_us(const rd_kafka_message_t *m)
{
	const char *text = m->payload;
	size_t n = sizeof EVENT_BEGIN - 1;
	int64_t us = 0;

	if (m->len <= n + EVENT_CLOCK_DIGITS || memcmp(text, EVENT_BEGIN, n) != 0)
		die("a message at offset %lld of partition %d does not begin with %s", (long long)m->offset, (int)m->partition, EVENT_BEGIN);
	for (size_t i = n; i < n + EVENT_CLOCK_DIGITS; i++)
		us = us * 10 + (text[i] - '0');
	return us - EVENT_CLOCK_BASE;
}

static void note(struct arrivals *a, const rd_kafka_message_t *m, int64_t now_us)
{
	int64_t us = now_us - sent_us(m);

	if (a->n++ == 0) {
		a->first_us = now_us;
		a->first_realtime_us = realtime_us();
	}
	if (a->n == a->mark)
		a->mark_us = now_us;
	a->last_us = now_us;
	if (now_us - a->first_us >= a->skip_us)
		histogram_add(&a->latency, us > 0 ? (uint64_t)us : 0);
}

static bool is_over(const struct arrivals *a)
{
	if (is_stopped() || (a->is_first && a->n > 0) || (a->count > 0 && a->n >= a->count))
		return true;
	return a->n > 0 && a->idle_us > 0 && monotonic_us() - a->last_us > a->idle_us;
}

static void run(struct arrivals *a, rd_kafka_t *consumer)
{
	while (!is_over(a)) {
		rd_kafka_message_t *m = consumer_next(consumer, IDLE_MS);

		if (m == NULL)
			continue;
		note(a, m, monotonic_us());
		rd_kafka_message_destroy(m);
	}
}

static void report(const struct arrivals *a)
{
	(void)printf("events %" PRIu64 "\n", a->n);
	(void)printf("measured %" PRIu64 "\n", a->latency.n);
	(void)printf("first_realtime_us %" PRId64 "\n", a->first_realtime_us);
	(void)printf("seconds %.6f\n", (double)(a->last_us - a->first_us) / 1e6);
	if (a->mark > 0 && a->n >= a->mark)
		(void)printf("mark_seconds %.6f\n", (double)(a->last_us - a->mark_us) / 1e6);
	histogram_print(&a->latency, "latency");
	(void)printf("cpu_seconds %.3f\n", cpu_seconds());
}

static void usage(FILE *to)
{
	(void)fputs("bench/arrivals [--brokers LIST] [--skip SECONDS] [--count N] [--idle SECONDS] [--first] [--mark N] TOPIC\n", to);
}

static void parse(struct arrivals *a, int argc, char **argv)
{
	static const struct option options[] = {
		{ "brokers", required_argument, NULL, 'b' }, { "skip", required_argument, NULL, 's' },
		{ "count", required_argument, NULL, 'c' },   { "idle", required_argument, NULL, 'i' },
		{ "first", no_argument, NULL, 'f' },         { "mark", required_argument, NULL, 'm' },
		{ "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b': a->brokers = optarg; break;
		case 's': a->skip_us = (int64_t)(strtod(optarg, NULL) * 1e6); break;
		case 'c': a->count = strtoull(optarg, NULL, 10); break;
		case 'i': a->idle_us = (int64_t)(strtod(optarg, NULL) * 1e6); break;
		case 'f': a->is_first = true; break;
		case 'm': a->mark = strtoull(optarg, NULL, 10); break;
		default: usage(c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
		}
	}
	if (argc - optind != 1 || a->brokers == NULL) {
		usage(stderr);
		exit(2);
	}
	a->topic = argv[optind];
}

int main(int argc, char **argv)
{
	static struct arrivals a;
	rd_kafka_t *consumer;

	a.brokers = getenv("KAFKA_BROKERS");
	parse(&a, argc, argv);
	stop_on_signals();
	consumer = consumer_open(a.brokers, a.topic, "bench-arrivals", false);
	(void)puts("ready");
	(void)fflush(stdout);
	run(&a, consumer);
	report(&a);
	(void)rd_kafka_consumer_close(consumer);
	rd_kafka_destroy(consumer);
	return 0;
}
