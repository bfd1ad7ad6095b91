/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the fence (E3) is kept: in the note on an offset that a group of the sink's own commits for partition 0 of its
 * topic. The offset means nothing. Such a commit can be part of a transaction, so it holds if and only if the messages do.
 */

#include <inttypes.h>

#include "kafka.h"

/* "f1" names this form; 2 + 1 + 16 + 1 + 20 + 1 + 16 bytes at most. */
void kafka_fence_write(const struct leat_fence *fence, char text[KAFKA_FENCE_TEXT])
{
	(void)snprintf(text, KAFKA_FENCE_TEXT, "f1 %" PRIx64 " %" PRIu64 " %016" PRIx64, fence->incarnation, fence->epoch,
	               fence->digest);
}

bool kafka_fence_read(const char *text, struct leat_fence *fence)
{
	struct leat_fence f;
	int end = 0;

	if (sscanf(text, "f1 %16" SCNx64 " %20" SCNu64 " %16" SCNx64 "%n", &f.incarnation, &f.epoch, &f.digest, &end) != 3 ||
	    text[end] != '\0')
		return false;
	*fence = f;
	return true;
}

enum leat_status kafka_fence_open(const struct kafka_sink *s, bool is_stable, struct kafka_client *reader, struct leat_error *err)
{
	const struct kafka_setting settings[] = {
		{ "group.id", s->group },
		{ "isolation.level", is_stable ? "read_committed" : "read_uncommitted" },
		{ NULL, NULL },
	};
	rd_kafka_conf_t *conf;
	enum leat_status status = kafka_configure(&s->common, KAFKA_SINK, settings, &conf, err);

	if (status != LEAT_OK)
		return status;
	status = kafka_client_open(reader, RD_KAFKA_CONSUMER, &s->common, conf, err);
	rd_kafka_conf_destroy(conf);
	return status;
}

static enum leat_status understand(const struct kafka_sink *s, const rd_kafka_topic_partition_t *stored, struct leat_fence *found,
                                   struct leat_error *err)
{
	char text[KAFKA_FENCE_TEXT] = "";

	*found = (struct leat_fence){ 0 };
	if (stored->offset < 0)
		return LEAT_OK;
	if (stored->metadata != NULL && stored->metadata_size < sizeof text)
		memcpy(text, stored->metadata, stored->metadata_size);
	if (kafka_fence_read(text, found))
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, 0, "group \"%s\" at %s holds something else than a fence for topic \"%s\": \"%s\"",
	                      s->group, s->common.brokers, s->common.topic, text);
}

enum leat_status kafka_fence_find(const struct kafka_sink *s, struct kafka_client *reader, struct leat_fence *found,
                                  struct leat_error *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	enum leat_status status;
	rd_kafka_resp_err_t code;

	rd_kafka_topic_partition_list_add(list, s->common.topic, 0);
	code = rd_kafka_committed(reader->rk, list, KAFKA_PATIENCE_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = list->elems[0].err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		status = understand(s, &list->elems[0], found, err);
	else if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) /* librdkafka asks again as long as it is told that offsets are unstable */
		status = leat_error_set(err, LEAT_RETRY, code,
		                        "could not read the fence of topic \"%s\" at %s: no answer in time, or it is still being changed",
		                        s->common.topic, s->common.brokers);
	else
		status = kafka_client_error(reader, code, "read the fence", err);
	rd_kafka_topic_partition_list_destroy(list);
	return status;
}

rd_kafka_error_t *kafka_fence_put(const struct kafka_sink *s, struct kafka_producer *p, const struct leat_fence *fence)
{
	rd_kafka_consumer_group_metadata_t *group = rd_kafka_consumer_group_metadata_new(s->group);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *stored = rd_kafka_topic_partition_list_add(list, s->common.topic, 0);
	char text[KAFKA_FENCE_TEXT];
	rd_kafka_error_t *error;

	kafka_fence_write(fence, text);
	stored->offset = 0;
	stored->metadata = strdup(text); /* the list's from now on */
	if (stored->metadata == NULL)
		abort();
	stored->metadata_size = strlen(text);
	error = rd_kafka_send_offsets_to_transaction(p->client.rk, list, group, KAFKA_PATIENCE_MS);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_group_metadata_destroy(group);
	return error;
}
