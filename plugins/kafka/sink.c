/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The sink: options, records to effects, and delivery at least once. An effect is
 *
 *     u8 version, u8 flags (1: has a key, 2: has a value), i64 time in ms (0: none),
 *     u32 headers, each: u32 and name, u32 and value (UINT32_MAX: a null value), u32 and key, u32 and value
 *
 * in the machine's byte order, as effects never leave it.
 */

#include "kafka.h"

enum { VERSION = 1, HAS_KEY = 1, HAS_VALUE = 2 };
enum { FRAME = 128, HEADER_FRAME = 16 }; /* what Kafka's own format adds at most, to a batch of one and to each header */
enum { TIMESTAMP_EVENT = 0, TIMESTAMP_NOW = 1 };

static const char *const compressions[] = { "none", "gzip", "snappy", "lz4", "zstd", NULL };
static const char *const timestamps[] = { "event", "now", NULL };

static const struct leat_option options[] = {
	KAFKA_OPTIONS(struct kafka_sink),
	LEAT_OPTION(TEMPLATE, struct kafka_sink, key, "key",
	            "Key of the messages, such as \"{user}\"; the record's own key unless it is given."),
	LEAT_OPTION(TEMPLATES, struct kafka_sink, headers, "headers", "Headers to set, by name, such as {rule: \"{rule}\"}."),
	LEAT_OPTION(BOOL, struct kafka_sink, passes_headers, "pass_headers",
	            "Whether messages also get the headers that the record came with.",
	            .preset = "true"),
	LEAT_OPTION(CHOICE, struct kafka_sink, timestamp, "timestamp", "Timestamp of the messages: the record's time, or that of writing.",
	            .preset = "event", .choices = timestamps),
	LEAT_OPTION(CHOICE, struct kafka_sink, compression, "compression", "How batches are compressed.", .preset = "lz4",
	            .choices = compressions),
	LEAT_OPTION(SIZE, struct kafka_sink, max_message, "max_message",
	            "Larger messages are dead letters; the topic's own limit counts if it is smaller.", .preset = "1000000",
	            .minimum = 1000, .maximum = 1000000000),
	LEAT_OPTION(DURATION, struct kafka_sink, timeout_us, "timeout", "How long the brokers may take before a delivery is tried again.",
	            .preset = "30s", .minimum = 1e6, .maximum = 600e6),
	{ .name = NULL },
};

static enum leat_status configure(struct kafka_sink *s, const char *name, struct leat_error *err)
{
	char timeout[24], limit[24];
	const struct kafka_setting settings[] = {
		{ "enable.idempotence", "true" }, /* no doubles by librdkafka's own retries */
		{ "max.in.flight.requests.per.connection", "1" }, /* docs/decisions/0013 */
		{ "partitioner", "murmur2_random" }, /* as Java clients do, so that a key finds the same partition */
		{ "compression.type", compressions[s->compression] },
		{ "message.timeout.ms", timeout },
		{ "message.max.bytes", limit },
		{ "linger.ms", "0" }, /* a delivery comes with all that it has */
		{ "sticky.partitioning.linger.ms", "0" },
		{ "batch.num.messages", "10000" },
		{ "client.id", name },
		{ NULL, NULL },
	};

	(void)snprintf(timeout, sizeof timeout, "%lld", (long long)(s->timeout_us / 1000));
	(void)snprintf(limit, sizeof limit, "%lld", (long long)s->max_message);
	return kafka_configure(&s->common, KAFKA_SINK, settings, &s->conf, err);
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_sink *s = (struct kafka_sink *)self;
	const char *pipeline;
	const char *node = leat_name(ctx, &pipeline);
	char name[256];

	(void)snprintf(name, sizeof name, "leat-%s-%s", pipeline, node);
	atomic_init(&s->limit, s->max_message);
	return configure(s, name, err);
}

static enum leat_status open_producer(struct kafka_sink *s, struct leat_error *err)
{
	struct kafka_client *client = &s->producer[0].client;
	enum leat_status status;
	int32_t n;
	int64_t limit;

	status = kafka_producer_open(&s->producer[0], &s->common, s->conf, err);
	if (status == LEAT_OK)
		status = kafka_client_topic(client, &n, err);
	if (status != LEAT_OK) {
		kafka_producer_close(&s->producer[0]);
		return status;
	}
	atomic_store(&s->limit, kafka_client_limit(client, &limit) && limit < s->max_message ? limit : s->max_message);
	return LEAT_OK;
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_sink *s = (struct kafka_sink *)self;
	enum leat_status status;

	(void)ctx;
	status = open_producer(s, err);
	kafka_producer_close(&s->producer[0]);
	return status;
}

/* ---- encode ---------------------------------------------------------------------------------------------------------- */

static void put_time(struct leat_buffer *b, int64_t time_ms)
{
	leat_buffer_append(b, &time_ms, sizeof time_ms);
}

static void put_sized(struct leat_buffer *b, const void *bytes, size_t n)
{
	leat_buffer_u32(b, (uint32_t)n);
	leat_buffer_append(b, bytes, n);
}

/* Fills in a length that was left open at `at`, of what was appended since. */
static void close_sized(struct leat_buffer *b, size_t at)
{
	uint32_t n = (uint32_t)(b->n - at - sizeof n);

	memcpy(b->data + at, &n, sizeof n);
}

static enum leat_status put_template(struct leat_buffer *b, const struct leat_template *t, const struct leat_record *record,
                                     struct leat_context *ctx, struct leat_error *err)
{
	size_t at = b->n;
	enum leat_status status;

	leat_buffer_u32(b, 0);
	status = leat_render(ctx, t, record, b, err);
	close_sized(b, at);
	return status;
}

static bool is_set(const struct kafka_sink *s, const char *name)
{
	for (size_t i = 0; i < s->headers.n; i++)
		if (strcmp(s->headers.item[i].name, name) == 0)
			return true;
	return false;
}

static enum leat_status put_headers(const struct kafka_sink *s, const struct leat_record *record, struct leat_buffer *b,
                                    uint32_t *n_headers,
                                    struct leat_context *ctx, struct leat_error *err)
{
	size_t at = b->n;
	uint32_t n = 0;

	leat_buffer_u32(b, 0);
	for (size_t i = 0; s->passes_headers && record->headers != NULL && i < record->headers->n; i++) {
		const struct leat_header *h = &record->headers->item[i];

		if (is_set(s, h->name))
			continue;
		put_sized(b, h->name, strlen(h->name));
		if (h->bytes == NULL)
			leat_buffer_u32(b, UINT32_MAX);
		else
			put_sized(b, h->bytes, h->n);
		n++;
	}
	for (size_t i = 0; i < s->headers.n; i++, n++) {
		put_sized(b, s->headers.item[i].name, strlen(s->headers.item[i].name));
		if (put_template(b, s->headers.item[i].value, record, ctx, err) != LEAT_OK)
			return LEAT_REJECT;
	}
	memcpy(b->data + at, &n, sizeof n);
	*n_headers = n;
	return LEAT_OK;
}

/* Of the record's own keys, texts and bytes are taken as they are, others as the format writes them. */
static enum leat_status put_key(const struct kafka_sink *s, const struct leat_record *record, struct leat_buffer *b,
                                struct leat_context *ctx,
                                struct leat_error *err)
{
	const struct leat_value *key = &record->key;
	size_t at = b->n;
	enum leat_status status;

	if (s->key != NULL)
		return put_template(b, s->key, record, ctx, err);
	if (key->type == LEAT_TEXT || key->type == LEAT_BYTES || key->type == LEAT_NULL) {
		put_sized(b, key->type == LEAT_NULL ? NULL : key->as.text, key->n);
		return LEAT_OK;
	}
	leat_buffer_u32(b, 0);
	status = leat_encode(ctx, key, b, err);
	close_sized(b, at);
	return status;
}

static int64_t time_of(const struct kafka_sink *s, const struct leat_record *record)
{
	return s->timestamp == TIMESTAMP_NOW || record->time_us < 1000 ? 0 : record->time_us / 1000;
}

static enum leat_status encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                               struct leat_context *ctx,
                               struct leat_error *err)
{
	const struct kafka_sink *s = (const struct kafka_sink *)self;
	bool has_key = s->key != NULL || record->key.type != LEAT_NULL;
	bool has_value = record->value.type != LEAT_NULL;
	size_t begin = effect->n, at, size;
	uint32_t n_headers;
	int64_t limit = atomic_load_explicit(&s->limit, memory_order_relaxed);
	enum leat_status status;

	leat_buffer_byte(effect, VERSION);
	leat_buffer_byte(effect, (char)((has_key ? HAS_KEY : 0) | (has_value ? HAS_VALUE : 0)));
	put_time(effect, time_of(s, record));
	if ((status = put_headers(s, record, effect, &n_headers, ctx, err)) != LEAT_OK ||
	    (status = put_key(s, record, effect, ctx, err)) != LEAT_OK)
		goto fail;
	at = effect->n;
	leat_buffer_u32(effect, 0);
	if (has_value && (status = leat_encode(ctx, &record->value, effect, err)) != LEAT_OK)
		goto fail;
	close_sized(effect, at);
	size = effect->n - begin + FRAME + (size_t)n_headers * HEADER_FRAME;
	if (size > (size_t)limit) {
		status = leat_error_set(err, LEAT_REJECT, 0, "message of %zu bytes is larger than the %lld that topic \"%s\" takes", size,
		                        (long long)limit, s->common.topic);
		goto fail;
	}
	return LEAT_OK;
fail:
	effect->n = begin;
	return status;
}

/* ---- effects, read back ---------------------------------------------------------------------------------------------- */

struct cursor {
	const char *p;
	size_t left;
};

static bool take(struct cursor *c, void *out, size_t n)
{
	if (c->left < n)
		return false;
	memcpy(out, c->p, n);
	c->p += n;
	c->left -= n;
	return true;
}

static bool take_sized(struct cursor *c, const char **bytes, size_t *n)
{
	uint32_t length;

	if (!take(c, &length, sizeof length))
		return false;
	*bytes = length == UINT32_MAX ? NULL : c->p;
	*n = length == UINT32_MAX ? 0 : length;
	if (c->left < *n)
		return false;
	c->p += *n;
	c->left -= *n;
	return true;
}

bool kafka_effect_read(const struct leat_effect *effect, struct kafka_message *m)
{
	struct cursor c = { effect->bytes, effect->n };
	unsigned char version, flags;
	const char *skipped;
	size_t n;

	if (!take(&c, &version, 1) || version != VERSION || !take(&c, &flags, 1) || !take(&c, &m->time_ms, sizeof m->time_ms) ||
	    !take(&c, &m->n_headers, sizeof m->n_headers))
		return false;
	m->headers = c.p;
	for (uint32_t i = 0; i < m->n_headers; i++)
		if (!take_sized(&c, &skipped, &n) || !take_sized(&c, &skipped, &n))
			return false;
	if (!take_sized(&c, &m->key, &m->key_n) || !take_sized(&c, &m->value, &m->value_n))
		return false;
	if ((flags & HAS_KEY) == 0)
		m->key = NULL;
	if ((flags & HAS_VALUE) == 0)
		m->value = NULL;
	return c.left == 0;
}

/* ---- delivery -------------------------------------------------------------------------------------------------------- */

static enum leat_status claim(void *self, const struct leat_claim *claimed, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	struct kafka_sink *s = (struct kafka_sink *)self;

	(void)ctx;
	if (claimed->is_fenced)
		return kafka_fenced_claim(s, claimed, found, err);
	kafka_producer_close(&s->producer[0]);
	kafka_producer_close(&s->producer[1]);
	s->is_fenced = false;
	s->n_done = 0;
	return open_producer(s, err);
}

/* What came of a round: the worst that happened to an effect, apart from refusals; *first is the first one not delivered. */
static enum leat_status judge(const struct kafka_sink *s, size_t n, size_t *first, size_t *worst_at)
{
	enum leat_status worst = LEAT_OK;

	*first = n;
	for (size_t i = n; i-- > s->n_done;) {
		enum leat_status status = kafka_status(s->producer[0].result[i]);

		if (kafka_is_missing(s->producer[0].result[i]))
			status = LEAT_UNKNOWN; /* claim() will see whether it is so, or a broker that has only just started */
		if (status == LEAT_OK)
			continue;
		*first = i;
		if (status != LEAT_REJECT && status >= worst) {
			worst = status;
			*worst_at = i;
		}
	}
	return worst;
}

/* Brokers refuse a batch as a whole. Alone, an effect shows whether it was the one. */
static enum leat_status settle_refused(struct kafka_sink *s, const struct leat_delivery *d, struct leat_context *ctx,
                                       struct leat_error *err)
{
	for (size_t i = s->n_done; i < d->n; i++) {
		struct leat_error refusal;
		enum leat_status status;

		if (s->producer[0].result[i] == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		status = kafka_producer_send(&s->producer[0], d->effect, i, i + 1, s->timeout_us / 1000 + KAFKA_PATIENCE_MS, err);
		if (status != LEAT_OK)
			return status;
		status = kafka_status(s->producer[0].result[i]);
		if (status == LEAT_REJECT) {
			(void)leat_error_set(&refusal, LEAT_REJECT, s->producer[0].result[i], "topic \"%s\" at %s refused a message of %zu bytes: %s",
			                     s->common.topic, s->common.brokers, d->effect[i].n, rd_kafka_err2str(s->producer[0].result[i]));
			leat_refuse(ctx, i, &refusal);
		} else if (status != LEAT_OK) {
			s->n_done = i;
			return kafka_client_error(&s->producer[0].client, s->producer[0].result[i], "write messages", err);
		}
	}
	return LEAT_OK;
}

static enum leat_status deliver(void *self, const struct leat_delivery *d, struct leat_context *ctx, struct leat_error *err)
{
	struct kafka_sink *s = (struct kafka_sink *)self;
	size_t first, worst_at = 0;
	enum leat_status status;

	if (d->is_fenced && s->is_fenced)
		return kafka_fenced_deliver(s, d, ctx, err);
	if (d->is_fenced != s->is_fenced || s->producer[0].client.rk == NULL)
		return leat_error_set(err, LEAT_UNKNOWN, 0, "topic \"%s\" is not claimed", s->common.topic);
	/* The host hands over the same effects at the front again, so what is through already need not be written twice. */
	if (s->n_done > d->n)
		s->n_done = 0;
	status = kafka_producer_send(&s->producer[0], d->effect, s->n_done, d->n, s->timeout_us / 1000 + KAFKA_PATIENCE_MS, err);
	if (status != LEAT_OK)
		return status;
	status = judge(s, d->n, &first, &worst_at);
	if (status == LEAT_OK && first < d->n) {
		status = settle_refused(s, d, ctx, err);
	} else if (status != LEAT_OK) {
		(void)kafka_client_error(&s->producer[0].client, s->producer[0].result[worst_at], "write messages", err);
		/* Those behind the first that is missing are written again with it, or a key's last message might not be its last. */
		s->n_done = first;
	}
	if (status == LEAT_OK)
		s->n_done = 0;
	if (status == LEAT_UNKNOWN)
		kafka_producer_close(&s->producer[0]);
	if (err != NULL && status != LEAT_OK)
		err->status = status;
	return status;
}

static void destroy(void *self)
{
	struct kafka_sink *s = (struct kafka_sink *)self;

	kafka_producer_close(&s->producer[0]);
	kafka_producer_close(&s->producer[1]);
	kafka_partitions_free(&s->unended[0]);
	kafka_partitions_free(&s->unended[1]);
	if (s->conf != NULL)
		rd_kafka_conf_destroy(s->conf);
}

static enum leat_guarantee guarantee(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

static void identity(const void *self, struct leat_buffer *text)
{
	kafka_put_identity(&((const struct kafka_sink *)self)->common, text);
}

const struct leat_sink_ops kafka_sink = {
	.size = sizeof kafka_sink,
	.instance_size = sizeof(struct kafka_sink),
	.options = options,
	.is_encoded = true,
	.create = create,
	.check = check,
	.guarantee = guarantee,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
	.destroy = destroy,
	.identity = identity,
};
