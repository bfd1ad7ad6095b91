/* SPDX-License-Identifier: Apache-2.0 */

/*
 * How fast it could be: a bare loop over librdkafka that copies one topic to another in transactions and keeps nothing, to
 * hold leat's latency against. A transaction begins with the first message and takes what is at hand, for at most --epoch
 * milliseconds; the next one begins when it is committed, but not sooner than --pace milliseconds after this one began: for a
 * loop that commits as often as something else does. With two producers they take turns, as in leat's sink: right
 * after a commit the coordinator refuses the same producer's next transaction, and librdkafka asks again after 20 ms.
 *
 * With --score it does the work of bench/pipelines/score.yaml on the way (score.cpp), from the beginning of the topic.
 *
 * `bench/limit [OPTION ...] INPUT OUTPUT` says "ready" when it reads, and prints figures when it is told to end.
 */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "histogram.h"
#include "score.h"

enum { MAX_PRODUCERS = 2, TIMEOUT_MS = 15000, IDLE_MS = 100 };

struct producer {
	rd_kafka_t *rk;
	rd_kafka_topic_t *topic;
};

struct limit {
	const char *brokers, *input, *output;
	struct score *score; /* NULL: copies */
	int64_t epoch_us, pace_us;
	unsigned n_producers;
	rd_kafka_t *consumer;
	rd_kafka_topic_partition_list_t *position;
	struct producer producer[MAX_PRODUCERS];
	uint64_t n_events, n_transactions;
	struct histogram commit; /* from the first message of a transaction until it is committed */
};

static void open_producer(struct limit *l, unsigned i)
{
	char id[256];
	const struct setting settings[] = {
		{ "transactional.id", id },
		{ "transaction.timeout.ms", "15000" },
		{ "message.timeout.ms", "10000" },
		{ "retry.backoff.ms", "2" }, /* at 100 each transaction takes as long */
		{ "linger.ms", "0" },
		{ NULL, NULL },
	};
	struct producer *p = &l->producer[i];
	int32_t n_partitions;

	(void)snprintf(id, sizeof id, "bench-limit-%s-%u", l->output, i);
	p->rk = producer_open(l->brokers, settings);
	p->topic = topic_open(p->rk, l->output, &n_partitions);
	die_on(rd_kafka_init_transactions(p->rk, TIMEOUT_MS), "initialise transactions");
}

static void open_all(struct limit *l)
{
	char group[256];

	(void)snprintf(group, sizeof group, "bench-limit-%s", l->output);
	for (unsigned i = 0; i < l->n_producers; i++)
		open_producer(l, i);
	l->consumer = consumer_open(l->brokers, l->input, group, l->score != NULL);
	if (rd_kafka_assignment(l->consumer, &l->position) != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not get the assignment");
}

static void put(struct limit *l, const struct producer *p, rd_kafka_message_t *m)
{
	const char *text = m->payload;
	size_t n = m->len;

	if (l->score != NULL)
		text = score_event(l->score, m->payload, m->len, monotonic_us(), &n);
	if (text != NULL)
		producer_put(p->rk, p->topic, m->key, m->key_len, text, n);
	for (int i = 0; i < l->position->cnt; i++)
		if (l->position->elems[i].partition == m->partition)
			l->position->elems[i].offset = m->offset + 1;
	l->n_events++;
	rd_kafka_message_destroy(m);
}

static void commit(struct limit *l, const struct producer *p)
{
	rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata(l->consumer);

	die_on(rd_kafka_send_offsets_to_transaction(p->rk, l->position, group, TIMEOUT_MS), "send offsets");
	die_on(rd_kafka_commit_transaction(p->rk, -1), "commit a transaction");
	rd_kafka_consumer_group_metadata_destroy(group);
	l->n_transactions++;
}

static void copy(struct limit *l, const struct producer *p, rd_kafka_message_t *m)
{
	int64_t began_us = monotonic_us();

	die_on(rd_kafka_begin_transaction(p->rk), "begin a transaction");
	do
		put(l, p, m);
	while (monotonic_us() - began_us < l->epoch_us && (m = consumer_next(l->consumer, 0)) != NULL);
	commit(l, p);
	histogram_add(&l->commit, (uint64_t)(monotonic_us() - began_us));
}

static void rest_until(int64_t time_us)
{
	int64_t left_us = time_us - monotonic_us();
	struct timespec rest = { .tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000 };

	if (left_us > 0)
		(void)nanosleep(&rest, NULL);
}

static void run(struct limit *l)
{
	rd_kafka_message_t *m;

	for (unsigned turn = 0; !is_stopped();) {
		int64_t began_us;

		if ((m = consumer_next(l->consumer, IDLE_MS)) == NULL)
			continue;
		began_us = monotonic_us();
		copy(l, &l->producer[turn], m);
		rest_until(began_us + l->pace_us);
		turn = (turn + 1) % l->n_producers;
	}
}

static void report(const struct limit *l)
{
	(void)printf("events %llu\n", (unsigned long long)l->n_events);
	(void)printf("transactions %llu\n", (unsigned long long)l->n_transactions);
	histogram_print(&l->commit, "transaction");
	(void)printf("cpu_seconds %.3f\n", cpu_seconds());
}

static void close_all(struct limit *l)
{
	score_destroy(l->score);
	rd_kafka_topic_partition_list_destroy(l->position);
	(void)rd_kafka_consumer_close(l->consumer);
	rd_kafka_destroy(l->consumer);
	for (unsigned i = 0; i < l->n_producers; i++) {
		rd_kafka_topic_destroy(l->producer[i].topic);
		rd_kafka_destroy(l->producer[i].rk);
	}
}

static void usage(FILE *to)
{
	(void)fputs("bench/limit [--brokers LIST] [--epoch MILLISECONDS] [--pace MILLISECONDS] [--producers 1|2] [--score] INPUT OUTPUT\n", to);
}

static void parse(struct limit *l, int argc, char **argv)
{
	static const struct option options[] = {
		{ "brokers", required_argument, NULL, 'b' }, { "epoch", required_argument, NULL, 'e' },
		{ "pace", required_argument, NULL, 'a' },    { "producers", required_argument, NULL, 'p' },
		{ "score", no_argument, NULL, 's' },         { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	bool is_scoring = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'b')
			l->brokers = optarg;
		else if (c == 'e')
			l->epoch_us = (int64_t)(strtod(optarg, NULL) * 1e3);
		else if (c == 'a')
			l->pace_us = (int64_t)(strtod(optarg, NULL) * 1e3);
		else if (c == 'p')
			l->n_producers = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 's')
			is_scoring = true;
		else {
			usage(c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
	}
	if (argc - optind != 2 || l->brokers == NULL || l->n_producers < 1 || l->n_producers > MAX_PRODUCERS || l->epoch_us < 1) {
		usage(stderr);
		exit(2);
	}
	l->input = argv[optind];
	l->output = argv[optind + 1];
	l->score = is_scoring ? score_create() : NULL;
}

int main(int argc, char **argv)
{
	static struct limit l = { .epoch_us = 5000, .n_producers = 1 };

	l.brokers = getenv("KAFKA_BROKERS");
	parse(&l, argc, argv);
	stop_on_signals();
	open_all(&l);
	(void)puts("ready");
	(void)fflush(stdout);
	run(&l);
	report(&l);
	close_all(&l);
	return 0;
}
