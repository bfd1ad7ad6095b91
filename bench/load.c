/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writes payments of about 190 bytes into a topic at a rate that is kept by the clock, each with the moment at which it was
 * written (see client.h). It waits for nothing: what is late is written at once, so a slow pipeline cannot slow it down.
 * Keys are visited in a fixed scattered order, each as often as any other: `--count N --keys N` has every key once.
 *
 * With --spoil N, each N-th event is followed by two messages that a pipeline has to drop: the event before it once more, and one
 * that is no valid payment. They do not count.
 *
 * `bench/load [OPTION ...] TOPIC` prints what it has achieved. Nobody should believe a latency under a load that was late.
 */

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"

enum { TICK_US = 1000, BURST = 1000, LATE_US = 5000, FLUSH_MS = 60000 };
#define SCATTER UINT64_C(2654435761) /* a prime, so that it visits all of less than so many keys */
#define SPOILED_FROM UINT64_C(400000000000)

struct load {
	const char *brokers, *topic, *linger_ms;
	uint64_t rate, count, keys; /* rate 0: as fast as possible */
	uint64_t from;              /* number of the first id */
	uint64_t spoil;             /* 0: never */
	uint64_t n, n_late;
	int64_t began_us, latest_us, clock_offset_us;
	rd_kafka_t *producer;
	rd_kafka_topic_t *opened;
};

struct payment {
	char user[16], text[320];
	size_t n_user, n_text;
};

static void make(const struct load *l, uint64_t number, struct payment *p)
{
	uint64_t key = number % l->keys * SCATTER % l->keys;
	int64_t now_us = monotonic_us();

	p->n_user = (size_t)snprintf(p->user, sizeof p->user, "u%08" PRIu64, key);
	p->n_text = (size_t)snprintf(p->text, sizeof p->text,
	                             EVENT_BEGIN "%" PRId64 ",\"ts\":%" PRId64 ",\"id\":\"e%012" PRIu64 "\",\"user\":\"%s\",\"amount\":%" PRIu64
	                                         ".%02" PRIu64 ",\"currency\":\"EUR\",\"country\":\"%s\",\"merchant\":\"groceries\","
	                                         "\"device\":\"d-%06" PRIu64 "\",\"channel\":\"card\"}",
	                             EVENT_CLOCK_BASE + now_us, now_us + l->clock_offset_us, l->from + number, p->user,
	                             10 + number * 7919 % 990, number % 100, number % 3 == 0 ? "DE" : "FR", key % 1000000);
}

static void write_payment(const struct load *l, const struct payment *p)
{
	producer_put(l->producer, l->opened, p->user, p->n_user, p->text, p->n_text);
}

/* As long as what it replaces, or over what follows. */
struct edit {
	const char *from, *to;
};

/* What is wrong takes turns: a field is not there, has another type, or the text is no JSON. */
static void spoil_text(struct payment *p, uint64_t turn)
{
	static const struct edit wrong[][2] = {
		{ { "\"id\":", "\"di\":" } },
		{ { "\"user\":", "\"resu\":" } },
		{ { "\"ts\":1", "\"ts\":1." } },
		{ { "\"amount\":", "\"tnuoma\":" } },
		{ { "\"amount\":", "\"tnuoma\":" }, { "\"device\":", "\"amount\":" } },
		{ { "\"id\":", "\"di\":" }, { "\"ts\":", "\"id\":" } },
		{ { "\"channel\":", "\"channel\" " } },
	};
	size_t kind = turn % (sizeof wrong / sizeof wrong[0] + 1);

	if (kind == sizeof wrong / sizeof wrong[0]) {
		p->n_text /= 2;
		return;
	}
	for (size_t i = 0; i < 2 && wrong[kind][i].from != NULL; i++)
		memcpy(strstr(p->text, wrong[kind][i].from), wrong[kind][i].to, strlen(wrong[kind][i].to));
}

static void spoil(const struct load *l)
{
	struct payment p;

	make(l, l->n > 0 ? l->n - 1 : 0, &p);
	write_payment(l, &p);
	make(l, SPOILED_FROM + l->n, &p); /* an id of its own, or who lets it through would drop it as seen */
	spoil_text(&p, l->n / l->spoil);
	write_payment(l, &p);
}

static void put(struct load *l)
{
	struct payment p;

	make(l, l->n, &p);
	write_payment(l, &p);
	if (l->spoil > 0 && l->n % l->spoil == l->spoil - 1)
		spoil(l);
	l->n++;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* How many should have been written by now. */
static uint64_t due(const struct load *l, int64_t now_us)
{
	uint64_t n = l->rate == 0 ? l->n + BURST : (uint64_t)(now_us - l->began_us) * l->rate / 1000000;

	return smaller(n, l->count);
}

static void note_delay(struct load *l, uint64_t until, int64_t now_us)
{
	int64_t first_due_us, late_us;
	uint64_t n_late;

	if (l->rate == 0 || until == l->n)
		return;
	first_due_us = l->began_us + (int64_t)(l->n * 1000000 / l->rate);
	late_us = now_us - first_due_us;
	if (late_us > l->latest_us)
		l->latest_us = late_us;
	if (late_us > LATE_US) {
		n_late = (uint64_t)(late_us - LATE_US) * l->rate / 1000000 + 1;
		l->n_late += smaller(n_late, until - l->n);
	}
}

static void run(struct load *l)
{
	struct timespec tick = { .tv_nsec = TICK_US * 1000 };

	l->began_us = monotonic_us();
	while (l->n < l->count && !is_stopped()) {
		int64_t now_us = monotonic_us();
		uint64_t until = due(l, now_us);

		note_delay(l, until, now_us);
		while (l->n < until)
			put(l);
		(void)rd_kafka_poll(l->producer, 0);
		if (l->rate > 0)
			(void)nanosleep(&tick, NULL);
	}
}

static void report(const struct load *l, int64_t took_us)
{
	(void)printf("events %" PRIu64 "\n", l->n);
	(void)printf("rate %.1f\n", (double)l->n * 1e6 / (double)took_us);
	(void)printf("late_max_ms %.3f\n", (double)l->latest_us / 1e3);
	(void)printf("late_events %" PRIu64 "\n", l->n_late);
	(void)printf("clock_step_us %" PRId64 "\n", realtime_us() - monotonic_us() - l->clock_offset_us);
	(void)printf("cpu_seconds %.3f\n", cpu_seconds());
}

static void usage(FILE *to)
{
	(void)fputs("bench/load [--brokers LIST] [--rate N] [--seconds N | --count N] [--keys N] [--linger MILLISECONDS]"
	            " [--from N] [--spoil N] TOPIC\n"
	            "--rate 0 writes as fast as possible; ids count from --from, 0 by itself.\n", to);
}

static void parse(struct load *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "brokers", required_argument, NULL, 'b' }, { "rate", required_argument, NULL, 'r' },
		{ "seconds", required_argument, NULL, 's' }, { "count", required_argument, NULL, 'c' },
		{ "keys", required_argument, NULL, 'k' },    { "linger", required_argument, NULL, 'l' },
		{ "from", required_argument, NULL, 'f' },    { "spoil", required_argument, NULL, 'x' },
		{ "help", no_argument, NULL, 'h' },          { NULL, 0, NULL, 0 },
	};
	double seconds = 10;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'b': l->brokers = optarg; break;
		case 'r': l->rate = strtoull(optarg, NULL, 10); break;
		case 's': seconds = strtod(optarg, NULL); break;
		case 'c': l->count = strtoull(optarg, NULL, 10); break;
		case 'k': l->keys = strtoull(optarg, NULL, 10); break;
		case 'f': l->from = strtoull(optarg, NULL, 10); break;
		case 'x': l->spoil = strtoull(optarg, NULL, 10); break;
		case 'l': l->linger_ms = optarg; break;
		default: usage(c == 'h' ? stdout : stderr); exit(c == 'h' ? 0 : 2);
		}
	}
	if (l->count == 0)
		l->count = (uint64_t)(seconds * (double)l->rate);
	if (argc - optind != 1 || l->brokers == NULL || l->keys < 1 || l->keys > 100000000 || l->count == 0) {
		usage(stderr);
		exit(2);
	}
	l->topic = argv[optind];
}

int main(int argc, char **argv)
{
	static struct load l = { .rate = 15000, .keys = 10000, .linger_ms = "5" };
	int32_t n_partitions;
	int64_t took_us;

	l.brokers = getenv("KAFKA_BROKERS");
	parse(&l, argc, argv);
	stop_on_signals();
	l.producer = producer_open(l.brokers, (struct setting[]){ { "linger.ms", l.linger_ms }, { NULL, NULL } });
	l.opened = topic_open(l.producer, l.topic, &n_partitions);
	l.clock_offset_us = realtime_us() - monotonic_us();
	run(&l);
	took_us = monotonic_us() - l.began_us;
	if (rd_kafka_flush(l.producer, FLUSH_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not write all messages within %d s", FLUSH_MS / 1000);
	report(&l, took_us);
	rd_kafka_topic_destroy(l.opened);
	rd_kafka_destroy(l.producer);
	return 0;
}
