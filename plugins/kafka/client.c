/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A handle of librdkafka. Its threads report trouble with connections through callbacks, some of them only while somebody
 * polls; here it is kept, as the calls that then fail say no more than "timed out".
 */

#include <time.h>

#include "kafka.h"

enum {
	ATTEMPT_MS = 500,
	AWAY_MS = 1000,     /* no broker left for so long: say so, without waiting for the end of our patience */
	MISSING_MS = 1000,  /* a broker that has just started may not know its topics for a moment */
};
enum { END_TXN = 26, TXN_OFFSET_COMMIT = 28 }; /* requests, as Kafka's protocol numbers them */

int64_t kafka_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void note_trouble(struct kafka_client *client, rd_kafka_resp_err_t code, const char *said)
{
	(void)pthread_mutex_lock(&client->lock);
	if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		client->is_away = true; /* which says less than what led to it */
	} else {
		client->code = code;
		kafka_shorten(said, client->trouble, sizeof client->trouble);
	}
	(void)pthread_mutex_unlock(&client->lock);
}

static void forget_trouble(struct kafka_client *client)
{
	(void)pthread_mutex_lock(&client->lock);
	client->is_away = false;
	client->code = RD_KAFKA_RESP_ERR_NO_ERROR;
	client->trouble[0] = '\0';
	(void)pthread_mutex_unlock(&client->lock);
}

/* On the thread that polls. That a topic is gone comes this way too, in its place in the partition's queue. */
static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
	struct kafka_client *client = (struct kafka_client *)opaque;

	(void)rk;
	if (kafka_is_missing((rd_kafka_resp_err_t)code))
		atomic_fetch_add(&client->n_missing, 1);
	else
		note_trouble(client, (rd_kafka_resp_err_t)code, reason);
}

/* Without this librdkafka writes to the standard error output. What matters comes to on_error() as well. */
static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *line)
{
	(void)rk;
	(void)level;
	(void)facility;
	(void)line;
}

/* On a broker's thread, when a request is on its way; sent again after a disconnect it comes here again. */
static rd_kafka_resp_err_t on_request_sent(rd_kafka_t *rk, int socket, const char *broker, int32_t broker_id, int16_t key,
                                           int16_t version, int32_t correlation, size_t size, void *opaque)
{
	struct kafka_client *client = (struct kafka_client *)opaque;

	(void)rk;
	(void)socket;
	(void)broker;
	(void)broker_id;
	(void)version;
	(void)correlation;
	(void)size;
	if (key == END_TXN)
		atomic_fetch_add(&client->n_ends, 1);
	else if (key == TXN_OFFSET_COMMIT)
		atomic_fetch_add(&client->n_offsets, 1);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

static rd_kafka_resp_err_t on_new(rd_kafka_t *rk, const rd_kafka_conf_t *conf, void *opaque, char *said, size_t said_n)
{
	(void)conf;
	(void)said;
	(void)said_n;
	return rd_kafka_interceptor_add_on_request_sent(rk, "leat", on_request_sent, opaque);
}

enum leat_status kafka_client_open(struct kafka_client *client, rd_kafka_type_t type, const struct kafka_options *options,
                                   const rd_kafka_conf_t *conf, struct leat_error *err)
{
	rd_kafka_conf_t *own = rd_kafka_conf_dup(conf);
	char said[LEAT_ERROR_TEXT / 2];

	client->options = options;
	client->is_away = false;
	client->code = RD_KAFKA_RESP_ERR_NO_ERROR;
	client->trouble[0] = '\0';
	atomic_init(&client->n_missing, 0);
	atomic_init(&client->n_ends, 0);
	atomic_init(&client->n_offsets, 0);
	(void)pthread_mutex_init(&client->lock, NULL);
	rd_kafka_conf_set_opaque(own, client);
	rd_kafka_conf_set_error_cb(own, on_error);
	rd_kafka_conf_set_log_cb(own, on_log);
	if (type == RD_KAFKA_PRODUCER)
		(void)rd_kafka_conf_interceptor_add_on_new(own, "leat", on_new, client);
	client->rk = rd_kafka_new(type, own, said, sizeof said);
	if (client->rk == NULL) {
		rd_kafka_conf_destroy(own);
		(void)pthread_mutex_destroy(&client->lock);
		return leat_error_set(err, LEAT_FATAL, 0, "cannot make a client for kafka at %s: %s", options->brokers, said);
	}
	client->topic = rd_kafka_topic_new(client->rk, options->topic, NULL);
	if (client->topic == NULL) {
		rd_kafka_resp_err_t code = rd_kafka_last_error();

		kafka_client_close(client);
		return leat_error_set(err, LEAT_FATAL, code, "cannot use topic \"%s\": %s", options->topic, rd_kafka_err2str(code));
	}
	return LEAT_OK;
}

void kafka_client_close(struct kafka_client *client)
{
	if (client->rk == NULL)
		return;
	if (client->topic != NULL)
		rd_kafka_topic_destroy(client->topic);
	rd_kafka_destroy(client->rk);
	client->rk = NULL;
	client->topic = NULL;
	(void)pthread_mutex_destroy(&client->lock);
}

enum leat_status kafka_client_error(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                                    struct leat_error *err)
{
	const struct kafka_options *options = client->options;
	char trouble[sizeof client->trouble];
	enum leat_status status;

	(void)rd_kafka_poll(client->rk, 0);
	(void)pthread_mutex_lock(&client->lock);
	memcpy(trouble, client->trouble, sizeof trouble);
	if (kafka_is_away(code) && client->code != RD_KAFKA_RESP_ERR_NO_ERROR)
		code = client->code; /* the cause: nobody there, or nobody who lets us in */
	(void)pthread_mutex_unlock(&client->lock);
	if (kafka_is_missing(code))
		return leat_error_set(err, LEAT_FATAL, code, "topic \"%s\" does not exist at %s", options->topic, options->brokers);
	status = kafka_status(code);
	if (status == LEAT_REJECT || status == LEAT_OK)
		status = LEAT_FATAL; /* there is no one message to refuse */
	if (kafka_is_away(code) || code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR__SSL)
		return leat_error_set(err, status, code, "%s kafka at %s: %s", status == LEAT_RETRY ? "could not reach" : "cannot connect to",
		                      options->brokers, trouble[0] != '\0' ? trouble : "no answer in time");
	return leat_error_set(err, status, code, "%s %s of topic \"%s\" at %s: %s", status == LEAT_FATAL ? "cannot" : "could not", what,
	                      options->topic, options->brokers, rd_kafka_err2str(code));
}

/* One question; the topic's own error or that of the asking. */
static rd_kafka_resp_err_t ask_topic(struct kafka_client *client, int32_t *n_partitions)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_resp_err_t code = rd_kafka_metadata(client->rk, 0, client->topic, &metadata, ATTEMPT_MS);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return code;
	forget_trouble(client);
	code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		*n_partitions = metadata->topics[0].partition_cnt;
	rd_kafka_metadata_destroy(metadata);
	return code;
}

enum leat_status kafka_client_topic(struct kafka_client *client, int32_t *n_partitions, struct leat_error *err)
{
	int64_t began_ms = kafka_now_ms();

	for (;;) {
		rd_kafka_resp_err_t code = ask_topic(client, n_partitions);
		int64_t spent_ms = kafka_now_ms() - began_ms;
		bool is_away;

		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			return LEAT_OK;
		(void)rd_kafka_poll(client->rk, 0);
		(void)pthread_mutex_lock(&client->lock);
		is_away = client->is_away;
		(void)pthread_mutex_unlock(&client->lock);
		if (spent_ms >= KAFKA_PATIENCE_MS || (kafka_is_away(code) && is_away && spent_ms >= AWAY_MS) ||
		    (kafka_status(code) == LEAT_FATAL && (!kafka_is_missing(code) || spent_ms >= MISSING_MS)))
			return kafka_client_error(client, code, "ask for partitions", err);
		if (!kafka_is_away(code)) /* it has answered at once */
			(void)nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
	}
}

static bool find_limit(rd_kafka_event_t *event, int64_t *limit)
{
	const rd_kafka_ConfigResource_t **resources;
	const rd_kafka_ConfigEntry_t **entries;
	size_t n_resources, n_entries;

	if (event == NULL || rd_kafka_event_DescribeConfigs_result(event) == NULL)
		return false;
	resources = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n_resources);
	if (n_resources != 1 || rd_kafka_ConfigResource_error(resources[0]) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	entries = rd_kafka_ConfigResource_configs(resources[0], &n_entries);
	for (size_t i = 0; i < n_entries; i++) {
		const char *value = rd_kafka_ConfigEntry_value(entries[i]);

		if (value != NULL && strcmp(rd_kafka_ConfigEntry_name(entries[i]), "max.message.bytes") == 0) {
			*limit = strtoll(value, NULL, 10);
			return *limit > 0;
		}
	}
	return false;
}

bool kafka_client_limit(struct kafka_client *client, int64_t *limit)
{
	rd_kafka_ConfigResource_t *topic = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, client->options->topic);
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(client->rk, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
	rd_kafka_event_t *event;
	bool is_found;

	(void)rd_kafka_AdminOptions_set_request_timeout(options, KAFKA_PATIENCE_MS, NULL, 0);
	rd_kafka_DescribeConfigs(client->rk, &topic, 1, options, queue);
	event = rd_kafka_queue_poll(queue, KAFKA_PATIENCE_MS + ATTEMPT_MS);
	is_found = find_limit(event, limit);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_AdminOptions_destroy(options);
	rd_kafka_ConfigResource_destroy(topic);
	return is_found;
}
