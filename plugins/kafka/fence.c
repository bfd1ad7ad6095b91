/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where the fence (E3) is kept: in the note on an offset that a group of the sink's own commits for partition 0 of its
 * topic. The offset means nothing. Such a commit can be part of a transaction, so it holds if and only if the messages do.
 *
 * With it goes which messages of that delivery were refused (E7): how far the first one is from the end, and from there on a
 * bit for each message, six to a character. That holds any 23,900 messages in a row, where a list of indexes would hold 700 of them.
 */

#include <inttypes.h>

#include "kafka.h"

enum { FIRST_BIT = '0', BITS = 6 }; /* of a character: '0' to 'o' */

/* "f1" names this form; 2 + 1 + 16 + 1 + 20 + 1 + 16 bytes at most, 1 more in front of what is refused. */
void kafka_fence_write(const struct kafka_fence *fence, char text[KAFKA_FENCE_TEXT])
{
	(void)snprintf(text, KAFKA_FENCE_TEXT, "f1 %" PRIx64 " %" PRIu64 " %016" PRIx64 "%s%s", fence->is.incarnation, fence->is.epoch,
	               fence->is.digest, fence->refused[0] == '\0' ? "" : " ", fence->refused);
}

static bool are_bits(const char *text)
{
	for (; *text != '\0'; text++)
		if (*text < FIRST_BIT || *text >= FIRST_BIT + (1 << BITS))
			return false;
	return true;
}

static bool read_refused(const char *text, char refused[KAFKA_REFUSED_TEXT])
{
	size_t n_digits = strspn(text, "0123456789");

	if (n_digits == 0 || n_digits > 18 || text[n_digits] != ':' || strlen(text) >= KAFKA_REFUSED_TEXT ||
	    !are_bits(text + n_digits + 1))
		return false;
	memcpy(refused, text, strlen(text) + 1);
	return true;
}

bool kafka_fence_read(const char *text, struct kafka_fence *fence)
{
	struct kafka_fence f = { .refused = "" };
	int end = 0;

	if (sscanf(text, "f1 %16" SCNx64 " %20" SCNu64 " %16" SCNx64 "%n", &f.is.incarnation, &f.is.epoch, &f.is.digest, &end) != 3)
		return false;
	if (text[end] != '\0' && (text[end] != ' ' || !read_refused(text + end + 1, f.refused)))
		return false;
	*fence = f;
	return true;
}

size_t kafka_refused_write(const rd_kafka_resp_err_t *verdict, size_t n, char text[KAFKA_REFUSED_TEXT])
{
	size_t first = 0, begin, end, at, n_lost = 0;

	text[0] = '\0';
	while (first < n && verdict[first] == RD_KAFKA_RESP_ERR_NO_ERROR)
		first++;
	if (first == n)
		return 0;
	begin = end = (size_t)snprintf(text, KAFKA_REFUSED_TEXT, "%zu:", n - first);
	for (size_t i = first; i < n; i++) {
		if (verdict[i] == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		at = begin + (i - first) / BITS;
		if (at >= KAFKA_REFUSED_TEXT - 1) {
			n_lost++;
			continue;
		}
		while (end <= at)
			text[end++] = FIRST_BIT;
		text[at] = (char)(text[at] + (1 << (i - first) % BITS));
	}
	text[end] = '\0';
	return n_lost;
}

size_t kafka_refused_span(const char *text)
{
	return strtoul(text, NULL, 10);
}

size_t kafka_refused_next(const char *text, size_t n, size_t from)
{
	const char *end = strchr(text, ':');
	size_t span = kafka_refused_span(text), first = n - span;

	if (end == NULL || span > n)
		return SIZE_MAX;
	for (size_t i = from < first ? 0 : from - first; i < span && i < strlen(end + 1) * BITS; i++)
		if (((end[1 + i / BITS] - FIRST_BIT) >> i % BITS & 1) != 0)
			return first + i;
	return SIZE_MAX;
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

static enum leat_status understand(const struct kafka_sink *s, const rd_kafka_topic_partition_t *stored, struct kafka_fence *found,
                                   struct leat_error *err)
{
	char text[KAFKA_FENCE_TEXT] = "";

	*found = (struct kafka_fence){ .refused = "" };
	if (stored->offset < 0)
		return LEAT_OK;
	if (stored->metadata != NULL && stored->metadata_size < sizeof text)
		memcpy(text, stored->metadata, stored->metadata_size);
	if (kafka_fence_read(text, found))
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, 0, "group \"%s\" at %s holds something else than a fence for topic \"%s\": \"%s\"",
	                      s->group, s->common.brokers, s->common.topic, text);
}

enum leat_status kafka_fence_find(const struct kafka_sink *s, struct kafka_client *reader, struct kafka_fence *found,
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

rd_kafka_error_t *kafka_fence_put(const struct kafka_sink *s, struct kafka_producer *p, const struct kafka_fence *fence)
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
		leat_run_out();
	stored->metadata_size = strlen(text);
	error = rd_kafka_send_offsets_to_transaction(p->client.rk, list, group, KAFKA_PATIENCE_MS);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_group_metadata_destroy(group);
	return error;
}
