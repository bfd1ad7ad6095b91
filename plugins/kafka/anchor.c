/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Is this still the topic that we have read? One that was deleted and made again has the same name and counts from 0
 * again, so an old offset may name other data there. Two things give it away: the range of its offsets, and the record
 * that we have read last ("anchor"), which must still be what it was. A record only goes away by retention, then it lies
 * before the range, or by compaction, then nothing can be said.
 */

#include <inttypes.h>

#include "kafka.h"

enum { HASHED = 4096 }; /* of each end of a value */

/* FNV-1a; nobody gains anything by finding another record with the same hash. */
static uint64_t hash(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = (const unsigned char *)bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h;
}

static uint64_t hash_ends(uint64_t h, const void *bytes, size_t n)
{
	h = hash(h, &(uint64_t){ bytes == NULL ? UINT64_MAX : n }, sizeof(uint64_t));
	if (n <= (size_t)2 * HASHED)
		return hash(h, bytes, n);
	return hash(hash(h, bytes, HASHED), (const char *)bytes + n - HASHED, HASHED);
}

void kafka_anchor_make(const rd_kafka_message_t *message, struct kafka_anchor *anchor)
{
	anchor->offset = message->offset;
	anchor->time_ms = rd_kafka_message_timestamp(message, NULL);
	anchor->hash = hash_ends(UINT64_C(14695981039346656037), message->key, message->key_len);
	anchor->hash = hash_ends(anchor->hash, message->payload, message->len);
}

/* "a1" names this form; 2 + 20 + 1 + 14 + 1 + 16 bytes at most with a time before the year 5000, so it fits. */
void kafka_anchor_write(const struct kafka_anchor *anchor, char *note, size_t note_n)
{
	int n = snprintf(note, note_n, "a1 %" PRId64 " %" PRId64 " %016" PRIx64, anchor->offset, anchor->time_ms, anchor->hash);

	if (n < 0 || (size_t)n >= note_n)
		note[0] = '\0';
}

bool kafka_anchor_read(const char *note, struct kafka_anchor *anchor)
{
	return sscanf(note, "a1 %" SCNd64 " %" SCNd64 " %16" SCNx64, &anchor->offset, &anchor->time_ms, &anchor->hash) == 3;
}

enum leat_status kafka_probe(struct kafka_client *client, int32_t partition, int64_t offset, struct kafka_anchor *found,
                             struct leat_error *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(client->rk);
	rd_kafka_message_t *message = NULL;
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	char what[64];

	if (rd_kafka_consume_start_queue(client->topic, partition, offset, queue) == 0) {
		message = rd_kafka_consume_queue(queue, KAFKA_PATIENCE_MS);
		if (message != NULL)
			code = message->err;
	} else {
		code = rd_kafka_last_error();
	}
	found->offset = -1;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && message != NULL)
		kafka_anchor_make(message, found);
	if (message != NULL)
		rd_kafka_message_destroy(message);
	(void)rd_kafka_consume_stop(client->topic, partition);
	rd_kafka_queue_destroy(queue);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR__PARTITION_EOF)
		return LEAT_OK;
	(void)snprintf(what, sizeof what, "read partition %d", (int)partition);
	return kafka_client_error(client, code, what, err);
}

enum leat_status kafka_anchor_check(struct kafka_client *client, int32_t partition, const struct kafka_place *place,
                                    bool *is_sure,
                                    struct leat_error *err)
{
	const struct kafka_options *o = client->options;
	const struct kafka_anchor *anchor = &place->anchor;
	int64_t next = place->offset;
	struct kafka_anchor found;
	int64_t low, high;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(client->rk, o->topic, partition, &low, &high, KAFKA_PATIENCE_MS);
	enum leat_status status;

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return kafka_client_error(client, code, "read the range", err);
	if (next > high)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "topic \"%s\" at %s was deleted and made again: offset %" PRId64 " of partition %d wanted, %" PRId64
		                      " to %" PRId64 " there",
		                      o->topic, o->brokers, next, (int)partition, low, high);
	if (next < low)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "topic \"%s\" at %s no longer has all that is to be read, or was deleted and made again: offset %" PRId64
		                      " of partition %d wanted, %" PRId64 " to %" PRId64 " there",
		                      o->topic, o->brokers, next, (int)partition, low, high);
	*is_sure = false;
	if (!place->has_anchor || anchor->offset < low || anchor->offset >= next)
		return LEAT_OK;
	status = kafka_probe(client, partition, anchor->offset, &found, err);
	if (status != LEAT_OK)
		return status;
	*is_sure = found.offset == anchor->offset;
	if (*is_sure && (found.time_ms != anchor->time_ms || found.hash != anchor->hash))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "topic \"%s\" at %s was deleted and made again: partition %d has another record at offset %" PRId64
		                      " than the one that was read",
		                      o->topic, o->brokers, (int)partition, anchor->offset);
	return LEAT_OK;
}
