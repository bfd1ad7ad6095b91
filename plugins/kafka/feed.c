/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is read ahead has a bound. librdkafka before 2.2 looks at a partition that has reached it again only when something
 * else happens on the connection, else after a whole second, in which everything may have been used up. Here something else
 * happens: a question about the end of the partition. It waits for its answer, so it has a thread of its own.
 */

#include "kafka.h"

enum { ANSWER_WAIT_MS = 500 };

/* From this version on it is told when to look, by fetch.queue.backoff.ms. */
enum { VERSION_THAT_LOOKS = 0x02020000 };

const char *kafka_feed_backoff_ms(void)
{
	return rd_kafka_version() >= VERSION_THAT_LOOKS ? "5" : NULL;
}

static void *feed(void *opaque)
{
	struct kafka_feed *f = (struct kafka_feed *)opaque;

	(void)pthread_mutex_lock(&f->lock);
	while (!f->is_ending) {
		rd_kafka_topic_partition_list_t *hungry = f->hungry;

		if (hungry == NULL) {
			(void)pthread_cond_wait(&f->changed, &f->lock);
			continue;
		}
		f->hungry = NULL;
		(void)pthread_mutex_unlock(&f->lock);
		/* When it fails, a second has to do. */
		(void)rd_kafka_offsets_for_times(f->client->rk, hungry, ANSWER_WAIT_MS);
		rd_kafka_topic_partition_list_destroy(hungry);
		(void)pthread_mutex_lock(&f->lock);
	}
	(void)pthread_mutex_unlock(&f->lock);
	return NULL;
}

enum leat_status kafka_feed_start(struct kafka_feed *f, struct kafka_client *client, struct leat_error *err)
{
	int code;

	if (f->is_started || kafka_feed_backoff_ms() != NULL)
		return LEAT_OK;
	f->client = client;
	(void)pthread_mutex_init(&f->lock, NULL);
	(void)pthread_cond_init(&f->changed, NULL);
	code = pthread_create(&f->thread, NULL, feed, f);
	if (code != 0) {
		(void)pthread_cond_destroy(&f->changed);
		(void)pthread_mutex_destroy(&f->lock);
		return leat_error_set(err, LEAT_RETRY, code, "could not start a thread for topic \"%s\": %s", client->options->topic,
		                      strerror(code));
	}
	f->is_started = true;
	return LEAT_OK;
}

void kafka_feed_end(struct kafka_feed *f)
{
	if (!f->is_started)
		return;
	(void)pthread_mutex_lock(&f->lock);
	f->is_ending = true;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
	(void)pthread_join(f->thread, NULL);
	if (f->hungry != NULL)
		rd_kafka_topic_partition_list_destroy(f->hungry);
	(void)pthread_cond_destroy(&f->changed);
	(void)pthread_mutex_destroy(&f->lock);
	*f = (struct kafka_feed){ .client = NULL };
}

void kafka_feed_ask(struct kafka_feed *f, int32_t partition)
{
	const char *topic;

	if (!f->is_started)
		return;
	topic = f->client->options->topic;
	(void)pthread_mutex_lock(&f->lock);
	if (f->hungry == NULL)
		f->hungry = rd_kafka_topic_partition_list_new(4);
	if (rd_kafka_topic_partition_list_find(f->hungry, topic, partition) == NULL)
		rd_kafka_topic_partition_list_add(f->hungry, topic, partition)->offset = RD_KAFKA_OFFSET_END;
	(void)pthread_cond_signal(&f->changed);
	(void)pthread_mutex_unlock(&f->lock);
}
