/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The source: its options, its client and its partitions, which are assigned by the host. The group's offsets are in
 * notebook.c.
 */

#include "kafka.h"

enum {
	LOOK_EVERY_US = 1000000,
	ENDS_WAIT_MS = 500,
};

/* Compressed, as it may be: what is read ahead goes beyond its bound by so much. */
#define PARTITION_FETCH "524288"

static const struct leat_option options[] = {
	KAFKA_OPTIONS(struct kafka_source),
	LEAT_OPTION(TEXT, struct kafka_source, group_option, "group",
	            "Consumer group whose offsets show how far reading has come; leat-<pipeline>-<node> unless it is given."),
	LEAT_OPTION(TEXT, struct kafka_source, start_option, "start",
	            "Where to begin when leat has no position: stored (the group's offset, else earliest), earliest, latest, a time "
	            "such as 2026-01-31T09:30:00Z, or milliseconds since 1970.",
	            .preset = "stored"),
	LEAT_OPTION(DURATION, struct kafka_source, fetch_wait_us, "fetch_wait", "How long a broker waits for data before it answers.",
	            .preset = "50ms", .minimum = 1e3, .maximum = 60e6),
	LEAT_OPTION(SIZE, struct kafka_source, fetch_max, "fetch_max", "Bytes in one answer of a broker, at most.", .preset = "16MiB",
	            .minimum = 65536, .maximum = 1073741824),
	LEAT_OPTION(SIZE, struct kafka_source, prefetch, "prefetch", "Bytes that are read ahead of each partition, a message as 512 at "
	            "least. One answer of a broker may go beyond.", .preset = "4MiB",
	            .minimum = 65536, .maximum = 1073741824),
	{ .name = NULL },
};

static enum leat_status configure(struct kafka_source *s, struct leat_error *err)
{
	char wait[24], max[24], prefetch[24], messages[24], message[24];
	const char *backoff = kafka_feed_backoff_ms();
	const struct kafka_setting settings[] = {
		{ "auto.offset.reset", "error" }, /* never go on somewhere else in silence */
		{ "enable.auto.commit", "false" },
		{ "enable.auto.offset.store", "false" },
		{ "enable.partition.eof", "true" }, /* for the lag, and for kafka_probe() */
		{ "isolation.level", LEAT_BUG("kafka-uncommitted-read") ? "read_uncommitted" : "read_committed" },
		{ "check.crcs", "true" },
		{ "fetch.error.backoff.ms", "50" },
		{ "topic.metadata.refresh.fast.interval.ms", "100" }, /* a topic that is gone for a moment only should be noticed */
		{ "max.partition.fetch.bytes", PARTITION_FETCH },
		{ "queued.min.messages", messages },
		{ "queued.max.messages.kbytes", prefetch },
		{ "fetch.wait.max.ms", wait },
		{ "fetch.max.bytes", max },
		{ "receive.message.max.bytes", message },
		{ "client.id", s->group },
		{ backoff != NULL ? "fetch.queue.backoff.ms" : NULL, backoff },
		{ NULL, NULL },
	};

	(void)snprintf(wait, sizeof wait, "%lld", (long long)(s->fetch_wait_us / 1000));
	(void)snprintf(max, sizeof max, "%lld", (long long)s->fetch_max);
	/* A single batch may be larger than what was asked for. */
	(void)snprintf(message, sizeof message, "%lld", (long long)s->fetch_max + 134217728);
	(void)snprintf(prefetch, sizeof prefetch, "%lld", (long long)s->prefetch / 1024);
	(void)snprintf(messages, sizeof messages, "%lld", (long long)s->prefetch / KAFKA_MESSAGE_COST);
	return kafka_configure(&s->common, KAFKA_SOURCE, settings, &s->conf, err);
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;
	const char *pipeline;
	const char *node = leat_name(ctx, &pipeline);

	(void)pthread_mutex_init(&s->lock, NULL);
	kafka_notebook_init(&s->notebook);
	if (!kafka_start_parse(s->start_option, &s->start, &s->start_ms)) {
		(void)leat_error_set(err, LEAT_FATAL, 0,
		                     "cannot start at \"%s\": expected stored, earliest, latest, a time such as 2026-01-31T09:30:00Z, or "
		                     "milliseconds since 1970",
		                     s->start_option);
		return leat_error_at(err, "start");
	}
	if (s->group_option != NULL)
		(void)snprintf(s->group, sizeof s->group, "%s", s->group_option);
	else
		(void)snprintf(s->group, sizeof s->group, "leat-%s-%s", pipeline, node);
	return configure(s, err);
}

static enum leat_status connect_client(struct kafka_source *s, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	(void)pthread_mutex_lock(&s->lock);
	if (s->client.rk == NULL)
		status = kafka_client_open(&s->client, RD_KAFKA_CONSUMER, &s->common, s->conf, err);
	if (status == LEAT_OK)
		status = kafka_feed_start(&s->feed, &s->client, err);
	if (status == LEAT_OK && s->notebook.client.rk == NULL)
		status = kafka_notebook_open(&s->notebook, s->group, &s->common, s->conf, err);
	(void)pthread_mutex_unlock(&s->lock);
	return status;
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;
	struct kafka_anchor found;
	int32_t n;
	enum leat_status status;

	(void)ctx;
	if ((status = connect_client(s, err)) != LEAT_OK || (status = kafka_client_topic(&s->client, &n, err)) != LEAT_OK)
		return status;
	/* To be told of a topic is not to be allowed to read it. */
	return kafka_probe(&s->client, 0, RD_KAFKA_OFFSET_BEGINNING, &found, err);
}

static enum leat_status commit(void *self, struct leat_reader *reader, struct leat_position *position, struct leat_context *ctx,
                               struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;
	rd_kafka_resp_err_t code;

	(void)ctx;
	kafka_reader_mark(reader, position);
	if (kafka_notebook_put(&s->notebook, reader->partition, position, &code))
		leat_wake(reader->api, reader->waker);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return leat_error_set(err, LEAT_RETRY, code, "could not commit offsets of group \"%s\" at %s: %s", s->group, s->common.brokers,
		                      rd_kafka_err2str(code));
	return LEAT_OK;
}

/* ---- partitions ------------------------------------------------------------------------------------------------------ */

static enum leat_status heal_readers(struct kafka_source *s, int32_t n_partitions, struct leat_error *err)
{
	enum leat_status worst = LEAT_OK;

	for (struct leat_reader *r = s->readers; r != NULL && worst != LEAT_FATAL; r = r->sibling) {
		enum leat_status status = kafka_reader_heal(r, n_partitions, err);

		if (status != LEAT_OK)
			worst = status;
	}
	return worst;
}

/* librdkafka learns the ends of partitions from what it fetches, and does not fetch while nobody takes what it has. */
static void ask_for_ends(struct kafka_source *s)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);

	for (struct leat_reader *r = s->readers; r != NULL; r = r->sibling)
		rd_kafka_topic_partition_list_add(list, s->common.topic, r->partition)->offset = RD_KAFKA_OFFSET_END;
	if (list->cnt > 0 && rd_kafka_offsets_for_times(s->client.rk, list, ENDS_WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		for (struct leat_reader *r = s->readers; r != NULL; r = r->sibling) {
			const rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(list, s->common.topic, r->partition);

			if (p != NULL && p->err == RD_KAFKA_RESP_ERR_NO_ERROR && p->offset >= 0)
				atomic_store(&r->end, p->offset);
		}
	}
	rd_kafka_topic_partition_list_destroy(list);
}

static enum leat_status partitions(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;
	int32_t n;
	enum leat_status status;

	if ((status = connect_client(s, err)) != LEAT_OK)
		return status;
	status = kafka_client_topic(&s->client, &n, err);
	(void)pthread_mutex_lock(&s->lock);
	if (status == LEAT_FATAL && s->has_looked && err != NULL && kafka_is_missing((rd_kafka_resp_err_t)err->code))
		status = leat_error_set(err, LEAT_FATAL, err->code, "topic \"%s\" at %s was deleted", s->common.topic, s->common.brokers);
	if (status == LEAT_OK && !s->has_looked) {
		s->has_looked = true;
		s->n_first = n;
	}
	if (status == LEAT_OK)
		status = heal_readers(s, n, err);
	if (status == LEAT_OK)
		ask_for_ends(s);
	(void)pthread_mutex_unlock(&s->lock);
	for (int32_t i = 0; status == LEAT_OK && i < n; i++)
		leat_partition(ctx, i);
	kafka_notebook_flush(&s->notebook);
	return status;
}

static enum leat_status open_partition(void *self, int32_t partition, const struct leat_position *from,
                                       struct leat_reader **reader,
                                       struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;
	struct leat_reader *opened;
	struct kafka_place place;
	bool is_sure = true;
	enum leat_status status;

	if ((status = connect_client(s, err)) != LEAT_OK)
		return status;
	if (from == NULL) {
		status = kafka_start_find(s, partition, &place, ctx, err);
	} else {
		place.offset = from->offset;
		place.has_anchor = kafka_anchor_read(from->note, &place.anchor);
		status = kafka_anchor_check(&s->client, partition, &place, &is_sure, err);
		if (status == LEAT_OK && place.has_anchor && !is_sure)
			leat_log(ctx, LEAT_WARNING,
			         "partition %d of topic \"%s\" no longer has the record that was read before offset %lld, so a topic that was "
			         "made again would not be noticed",
			         (int)partition, s->common.topic, (long long)place.offset);
	}
	if (status == LEAT_OK)
		status = kafka_reader_open(s, partition, &place, &opened, ctx, err);
	if (status != LEAT_OK)
		return status;
	(void)pthread_mutex_lock(&s->lock);
	s->has_positions = s->has_positions || from != NULL;
	opened->sibling = s->readers;
	s->readers = opened;
	(void)pthread_mutex_unlock(&s->lock);
	*reader = opened;
	return LEAT_OK;
}

static enum leat_status poll_reader(void *self, struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                    struct leat_error *err)
{
	struct kafka_source *s = (struct kafka_source *)self;

	/* A look once a second even if nobody wakes us: a wake-up that got lost would otherwise hold back a quiet partition's
	 * last records until its next one. */
	leat_wait(ctx, LOOK_EVERY_US);
	if (atomic_load(&s->notebook.owes_commit))
		kafka_notebook_pay(&s->notebook, ctx);
	return kafka_reader_poll(reader, max_bytes, ctx, err);
}

static int64_t lag(void *self, struct leat_reader *reader)
{
	struct kafka_source *s = (struct kafka_source *)self;
	int64_t low, high, next = atomic_load(&reader->next), end = atomic_load(&reader->end);
	rd_kafka_resp_err_t code = rd_kafka_get_watermark_offsets(s->client.rk, s->common.topic, reader->partition, &low, &high);

	if (code != RD_KAFKA_RESP_ERR_NO_ERROR || high < 0)
		return -1;
	if (end > high)
		high = end;
	return high > next ? high - next : 0;
}

static void close_reader(void *self, struct leat_reader *reader)
{
	struct kafka_source *s = (struct kafka_source *)self;
	struct leat_reader **link = &s->readers;

	(void)pthread_mutex_lock(&s->lock);
	while (*link != NULL && *link != reader)
		link = &(*link)->sibling;
	if (*link != NULL)
		*link = reader->sibling;
	(void)pthread_mutex_unlock(&s->lock);
	kafka_reader_close(reader);
	kafka_notebook_flush(&s->notebook);
}

static void destroy(void *self)
{
	struct kafka_source *s = (struct kafka_source *)self;

	kafka_notebook_finish(&s->notebook);
	kafka_feed_end(&s->feed);
	kafka_client_close(&s->client);
	if (s->conf != NULL)
		rd_kafka_conf_destroy(s->conf);
	(void)pthread_mutex_destroy(&s->lock);
}

/* `start: latest` is another offset every time. */
static void begin(void *self, struct leat_reader *reader, struct leat_position *position)
{
	(void)self;
	position->offset = atomic_load(&reader->next);
	kafka_reader_mark(reader, position);
}

static void identity(const void *self, struct leat_buffer *text)
{
	kafka_put_identity(&((const struct kafka_source *)self)->common, text);
}

const struct leat_source_ops kafka_source = {
	.size = sizeof kafka_source,
	.instance_size = sizeof(struct kafka_source),
	.options = options,
	.can_replay = true,
	.create = create,
	.check = check,
	.partitions = partitions,
	.open = open_partition,
	.poll = poll_reader,
	.commit = commit,
	.lag = lag,
	.close = close_reader,
	.destroy = destroy,
	.begin = begin,
	.identity = identity,
};
