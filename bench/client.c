/* SPDX-License-Identifier: Apache-2.0 */

/* The settings are those of leat's kafka plugin wherever they matter, so that what differs is what is done with them. */

#include "client.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { PATIENCE_MS = 15000 };

static volatile sig_atomic_t stopped;

void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	(void)vfprintf(stderr, format, args);
	va_end(args);
	(void)fputc('\n', stderr);
	exit(1);
}

void die_on(rd_kafka_error_t *error, const char *doing)
{
	if (error != NULL)
		die("could not %s: %s", doing, rd_kafka_error_string(error));
}

static int64_t read_clock(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t monotonic_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t realtime_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

double cpu_seconds(void)
{
	return (double)read_clock(CLOCK_PROCESS_CPUTIME_ID) / 1e6;
}

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

bool is_stopped(void)
{
	return stopped != 0;
}

void stop_on_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGINT, &action, NULL);
}

/* ---- handles ----------------------------------------------------------------------------------------------------------- */

static void set_all(rd_kafka_conf_t *conf, const struct setting *settings)
{
	char said[256];

	for (; settings->name != NULL; settings++)
		if (rd_kafka_conf_set(conf, settings->name, settings->value, said, sizeof said) != RD_KAFKA_CONF_OK)
			die("cannot set \"%s\": %s", settings->name, said);
}

/* It has to be there: without a delivery report librdkafka loses up to 10 ms on each transaction. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not write a message: %s", rd_kafka_err2str(m->err));
}

static rd_kafka_t *open_handle(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *brokers, const struct setting *settings)
{
	const struct setting common[] = {
		{ "bootstrap.servers", brokers }, { "socket.nagle.disable", "true" }, { "allow.auto.create.topics", "false" }, { NULL, NULL },
	};
	char said[256];
	rd_kafka_t *rk;

	set_all(conf, common);
	set_all(conf, settings);
	rk = rd_kafka_new(type, conf, said, sizeof said);
	if (rk == NULL)
		die("could not open a handle: %s", said);
	return rk;
}

rd_kafka_t *producer_open(const char *brokers, const struct setting *settings)
{
	static const struct setting common[] = {
		{ "enable.idempotence", "true" },
		{ "partitioner", "murmur2_random" },
		{ "compression.type", "lz4" },
		{ "batch.num.messages", "10000" },
		{ "sticky.partitioning.linger.ms", "0" },
		{ NULL, NULL },
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();

	set_all(conf, common);
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	return open_handle(RD_KAFKA_PRODUCER, conf, brokers, settings);
}

/* Asks for the topic as well, or librdkafka would take up to a second to find it when the first messages come. */
rd_kafka_topic_t *topic_open(rd_kafka_t *rk, const char *topic, int32_t *n_partitions)
{
	rd_kafka_topic_t *opened = rd_kafka_topic_new(rk, topic, NULL);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(rk, 0, opened, &metadata, PATIENCE_MS);

	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && metadata->topics[0].partition_cnt == 0)
		code = metadata->topics[0].err;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not ask for topic \"%s\": %s", topic, rd_kafka_err2str(code));
	*n_partitions = metadata->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(metadata);
	return opened;
}

/* The offsets are asked for now: one that librdkafka looks up later may lie behind what was written in the meantime. */
static void assign(rd_kafka_t *consumer, const char *topic, int32_t n_partitions, bool from_beginning)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n_partitions);
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	for (int32_t i = 0; i < n_partitions && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++) {
		int64_t low = 0, high = 0;

		code = rd_kafka_query_watermark_offsets(consumer, topic, i, &low, &high, PATIENCE_MS);
		rd_kafka_topic_partition_list_add(list, topic, i)->offset = from_beginning ? low : high;
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = rd_kafka_assign(consumer, list);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not begin to read topic \"%s\": %s", topic, rd_kafka_err2str(code));
	rd_kafka_topic_partition_list_destroy(list);
}

rd_kafka_t *consumer_open(const char *brokers, const char *topic, const char *group, bool from_beginning)
{
	const struct setting settings[] = {
		{ "group.id", group },
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "auto.offset.reset", "error" },
		{ "isolation.level", "read_committed" },
		{ "check.crcs", "true" },
		{ "fetch.wait.max.ms", "10" },
		{ "fetch.error.backoff.ms", "50" },
		{ "queued.min.messages", "1000000" },
		{ NULL, NULL },
	};
	rd_kafka_t *consumer = open_handle(RD_KAFKA_CONSUMER, rd_kafka_conf_new(), brokers, settings);
	rd_kafka_topic_t *opened;
	int32_t n_partitions;

	(void)rd_kafka_poll_set_consumer(consumer);
	opened = topic_open(consumer, topic, &n_partitions);
	assign(consumer, topic, n_partitions, from_beginning);
	rd_kafka_topic_destroy(opened);
	return consumer;
}

/* ---- messages ---------------------------------------------------------------------------------------------------------- */

rd_kafka_message_t *consumer_next(rd_kafka_t *consumer, int timeout_ms)
{
	rd_kafka_message_t *m = rd_kafka_consumer_poll(consumer, timeout_ms);

	if (m != NULL && m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		die("could not read a message: %s", rd_kafka_message_errstr(m));
	return m;
}

void producer_put(rd_kafka_t *producer, rd_kafka_topic_t *topic, const void *key, size_t n_key, const void *payload, size_t n)
{
	for (;;) {
		/* librdkafka copies the payload and does not write to it. */
		void *bytes = (void *)(uintptr_t)payload;
		rd_kafka_resp_err_t code;

		if (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, bytes, n, key, n_key, NULL) == 0)
			return;
		code = rd_kafka_last_error();
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			die("could not write a message: %s", rd_kafka_err2str(code));
		(void)rd_kafka_poll(producer, 10);
	}
}
