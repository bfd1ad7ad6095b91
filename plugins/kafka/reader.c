/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One partition, read through a queue of its own, so that workers poll their partitions side by side. librdkafka's
 * interface for that is rd_kafka_consume_start_queue(): partitions come and go one at a time, and nothing is forwarded.
 *
 * What is tricky is a topic that goes away. A broker that has just started may say "unknown topic" too, so the reader
 * only stops pushing then; kafka_reader_heal(), off the worker's thread, asks again and decides.
 */

#include "kafka.h"

enum {
	HEADERS = 32,           /* on the stack; more of them are allocated */
	MESSAGE_OVERHEAD = 64,  /* what a record costs besides its bytes, so that empty ones count too */
};

/* librdkafka has put something into an empty queue. Its thread, its lock held. */
static void on_event(rd_kafka_t *rk, void *opaque)
{
	struct leat_reader *r = (struct leat_reader *)opaque;

	(void)rk;
	leat_wake(r->api, r->waker);
}

static enum leat_status start_reading(struct leat_reader *r, int64_t offset, struct leat_error *err)
{
	struct kafka_client *client = &r->source->client;

	r->n_missing = atomic_load(&client->n_missing);
	if (rd_kafka_consume_start_queue(client->topic, r->partition, offset, r->queue) != 0)
		return kafka_client_error(client, rd_kafka_last_error(), "start reading partitions", err);
	r->is_started = true;
	return LEAT_OK;
}

static void stop_reading(struct leat_reader *r)
{
	if (r->is_started)
		(void)rd_kafka_consume_stop(r->source->client.topic, r->partition);
	r->is_started = false;
}

enum leat_status kafka_reader_open(struct kafka_source *source, int32_t partition, const struct kafka_place *place,
                                   struct leat_reader **reader, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_reader *r = (struct leat_reader *)calloc(1, sizeof *r);
	enum leat_status status;

	if (r == NULL)
		leat_run_out();
	r->source = source;
	r->partition = partition;
	r->api = ctx->api;
	r->waker = leat_waker(ctx);
	atomic_init(&r->next, place->offset);
	atomic_init(&r->end, -1);
	r->anchor[0] = place->anchor;
	r->n_anchors = place->has_anchor ? 1 : 0;
	(void)pthread_mutex_init(&r->lock, NULL);
	r->queue = rd_kafka_queue_new(source->client.rk);
	/* Before the first record can come: the event is that of an empty queue ceasing to be empty. */
	rd_kafka_queue_cb_event_enable(r->queue, on_event, r);
	status = start_reading(r, place->offset, err);
	if (status != LEAT_OK) {
		kafka_reader_close(r);
		return status;
	}
	*reader = r;
	return LEAT_OK;
}

void kafka_reader_close(struct leat_reader *r)
{
	if (r == NULL)
		return;
	rd_kafka_queue_cb_event_enable(r->queue, NULL, NULL); /* none is running when this returns */
	stop_reading(r);
	rd_kafka_queue_destroy(r->queue);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

/* ---- reading ------------------------------------------------------------------------------------------------------- */

static void push_with(rd_kafka_message_t *m, const struct leat_headers *headers, struct leat_context *ctx)
{
	rd_kafka_timestamp_type_t type;
	int64_t time_ms = rd_kafka_message_timestamp(m, &type);
	const struct leat_message message = {
		.payload = m->payload == NULL && m->len > 0 ? "" : m->payload,
		.payload_n = m->len,
		.key = m->key,
		.key_n = m->key_len,
		.headers = headers,
		.time_us = type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE || time_ms < 0 ? LEAT_NO_TIME : time_ms * 1000,
		.offset = m->offset,
		.next = m->offset + 1,
	};

	leat_push(ctx, &message);
}

static void push(rd_kafka_message_t *m, struct leat_context *ctx)
{
	struct leat_header few[HEADERS];
	struct leat_headers headers = { 0, few };
	struct leat_header *item = few;
	rd_kafka_headers_t *theirs;
	const void *value;
	size_t n;

	if (rd_kafka_message_headers(m, &theirs) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		push_with(m, NULL, ctx);
		return;
	}
	n = rd_kafka_header_cnt(theirs);
	if (n > HEADERS && (item = (struct leat_header *)malloc(n * sizeof *item)) == NULL)
		leat_run_out();
	headers.item = item;
	while (headers.n < n && rd_kafka_header_get_all(theirs, headers.n, &item[headers.n].name, &value, &item[headers.n].n) ==
	                                RD_KAFKA_RESP_ERR_NO_ERROR)
		item[headers.n++].bytes = (const char *)value;
	push_with(m, &headers, ctx);
	if (item != few)
		free(item);
}

/* Something else than a record, in its place between the records. */
static enum leat_status take_event(struct leat_reader *r, const rd_kafka_message_t *m, struct leat_error *err)
{
	char what[64];

	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		/* Behind the last record there may be markers of transactions, which nobody is behind with. */
		if (m->offset > atomic_load(&r->next))
			atomic_store(&r->next, m->offset);
		return LEAT_OK;
	}
	if (kafka_is_missing(m->err) || m->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE ||
	    m->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
		r->is_lost = true;
		return LEAT_OK;
	}
	(void)snprintf(what, sizeof what, "read partition %d", (int)r->partition);
	return kafka_client_error(&r->source->client, m->err, what, err);
}

/* Keeps one record of this poll in mind. When there is no more room every second one goes: any that lies before a position
 * will do, and a recent one does best. */
static void remember(struct leat_reader *r, const rd_kafka_message_t *m)
{
	if (r->n_anchors == KAFKA_ANCHORS) {
		for (size_t i = 0; i < KAFKA_ANCHORS / 2; i++)
			r->anchor[i] = r->anchor[2 * i];
		r->n_anchors = KAFKA_ANCHORS / 2;
	}
	kafka_anchor_make(m, &r->anchor[r->n_anchors++]);
}

/* The next record or event; NULL when there is none, or none that may be trusted. */
static rd_kafka_message_t *next_message(struct leat_reader *r)
{
	rd_kafka_message_t *m = rd_kafka_consume_queue(r->queue, 0);

	if (atomic_load_explicit(&r->source->client.n_missing, memory_order_relaxed) == r->n_missing)
		return m;
	/* The call has met the news on its way to `m`, which may already be from another topic of the same name; or another
	 * partition's reader has met it. */
	r->is_lost = true;
	if (m != NULL)
		rd_kafka_message_destroy(m);
	return NULL;
}

/* Has librdkafka go on when half of what it may read ahead is used up. The `n` messages that were read last had `n_bytes`. */
static void look_ahead(struct leat_reader *r, size_t n, size_t n_bytes)
{
	size_t each = n_bytes / n > KAFKA_MESSAGE_COST ? n_bytes / n : KAFKA_MESSAGE_COST;
	size_t ahead = rd_kafka_queue_length(r->queue), bound = (size_t)r->source->prefetch;

	if ((n + ahead) * each >= bound / 4 * 3)
		r->has_enough = true;
	if (r->has_enough && ahead * each < bound / 2) {
		r->has_enough = false;
		kafka_feed_ask(&r->source->feed, r->partition);
	}
}

static enum leat_status drain(struct leat_reader *r, size_t max_bytes, struct leat_context *ctx, struct leat_error *err)
{
	rd_kafka_message_t *last = NULL;
	rd_kafka_message_t *m;
	enum leat_status status = LEAT_OK;
	size_t n = 0, bytes = 0;

	while (bytes < max_bytes && status == LEAT_OK && !r->is_lost) {
		m = next_message(r);
		if (m == NULL)
			break;
		if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
			status = take_event(r, m, &r->trouble);
			rd_kafka_message_destroy(m);
			continue;
		}
		push(m, ctx);
		bytes += m->len + m->key_len + MESSAGE_OVERHEAD;
		n++;
		if (last != NULL)
			rd_kafka_message_destroy(last);
		last = m;
	}
	if (last != NULL) {
		look_ahead(r, n, bytes);
		atomic_store(&r->next, last->offset + 1);
		remember(r, last);
		rd_kafka_message_destroy(last);
		return LEAT_OK; /* trouble is told by the next poll */
	}
	if (status != LEAT_OK) {
		*err = r->trouble;
		if (status == LEAT_RETRY)
			r->trouble.status = LEAT_OK;
	}
	return status == LEAT_OK ? LEAT_AGAIN : status;
}

enum leat_status kafka_reader_poll(struct leat_reader *r, size_t max_bytes, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	(void)pthread_mutex_lock(&r->lock);
	if (r->trouble.status != LEAT_OK) {
		status = r->trouble.status;
		*err = r->trouble;
		if (status == LEAT_RETRY)
			r->trouble.status = LEAT_OK;
	} else if (r->is_lost) {
		status = LEAT_AGAIN; /* kafka_reader_heal() wakes */
	} else {
		status = drain(r, max_bytes, ctx, err);
	}
	(void)pthread_mutex_unlock(&r->lock);
	return status;
}

void kafka_reader_mark(struct leat_reader *r, struct leat_position *position)
{
	size_t n_before = 0;

	(void)pthread_mutex_lock(&r->lock);
	while (n_before < r->n_anchors && r->anchor[n_before].offset < position->offset)
		n_before++;
	if (n_before > 0) {
		kafka_anchor_write(&r->anchor[n_before - 1], position->note, sizeof position->note);
		r->n_anchors -= n_before - 1;
		memmove(r->anchor, r->anchor + n_before - 1, r->n_anchors * sizeof *r->anchor);
	}
	(void)pthread_mutex_unlock(&r->lock);
}

/* Stops a lost reader, and fills the place from where it may go on. */
static bool take_lost(struct leat_reader *r, struct kafka_place *place)
{
	bool is_lost;

	(void)pthread_mutex_lock(&r->lock);
	is_lost = r->is_lost && r->trouble.status == LEAT_OK;
	if (is_lost) {
		stop_reading(r);
		*place = (struct kafka_place){ .offset = atomic_load(&r->next), .has_anchor = r->n_anchors > 0 };
		if (place->has_anchor)
			place->anchor = r->anchor[r->n_anchors - 1];
	}
	(void)pthread_mutex_unlock(&r->lock);
	return is_lost;
}

enum leat_status kafka_reader_heal(struct leat_reader *r, int32_t n_partitions, struct leat_error *err)
{
	struct kafka_client *client = &r->source->client;
	struct kafka_place place;
	enum leat_status status;
	bool is_sure;

	if (!take_lost(r, &place))
		return LEAT_OK;
	if (r->partition >= n_partitions)
		status = leat_error_set(err, LEAT_FATAL, 0,
		                        "topic \"%s\" at %s was deleted and made again: partition %d wanted, %d partitions there",
		                        client->options->topic, client->options->brokers, (int)r->partition, (int)n_partitions);
	else
		status = kafka_anchor_check(client, r->partition, &place, &is_sure, err);
	(void)pthread_mutex_lock(&r->lock); /* not before: this one is the worker's */
	if (status == LEAT_OK)
		status = start_reading(r, place.offset, err);
	if (status == LEAT_OK)
		r->is_lost = false;
	else if (status == LEAT_FATAL)
		r->trouble = *err;
	(void)pthread_mutex_unlock(&r->lock);
	leat_wake(r->api, r->waker);
	return status;
}
