/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BENCH_CLIENT_H
#define LEAT_BENCH_CLIENT_H

/*
 * What the measuring programs share: librdkafka's handles, clocks, and the text of an event. All of them end with a message
 * at the first error, as a measurement in which something failed is none.
 */

#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * An event begins with {"sent":N, where N is the monotonic clock in microseconds plus 10^15, so that it has 16 digits. The
 * clock is the machine's, so another process can tell how long ago that was, whatever somebody does to the date.
 */
#define EVENT_BEGIN "{\"sent\":"
#define EVENT_CLOCK_BASE INT64_C(1000000000000000)
enum { EVENT_CLOCK_DIGITS = 16 };

struct setting {
	const char *name, *value; /* the last one's name is NULL */
};

void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/* librdkafka's error objects; NULL is none. */
void die_on(rd_kafka_error_t *error, const char *doing);

int64_t monotonic_us(void);
int64_t realtime_us(void);
/* Of this process, in user and in system mode. */
double cpu_seconds(void);

/* From now on SIGTERM and SIGINT only set this. */
bool is_stopped(void);
void stop_on_signals(void);

rd_kafka_t *producer_open(const char *brokers, const struct setting *settings);
/* Reads all partitions from where their committed records end, or from their beginning. `group` has to be there for offsets
 * to be committed with it, otherwise it means nothing. */
rd_kafka_t *consumer_open(const char *brokers, const char *topic, const char *group, bool from_beginning);
rd_kafka_topic_t *topic_open(rd_kafka_t *rk, const char *topic, int32_t *n_partitions);

/* The next message, NULL when none comes in time. */
rd_kafka_message_t *consumer_next(rd_kafka_t *consumer, int timeout_ms);
/* Puts a message into the producer's queue, waiting as long as that is full. */
void producer_put(rd_kafka_t *producer, rd_kafka_topic_t *topic, const void *key, size_t n_key, const void *payload, size_t n);

#endif
