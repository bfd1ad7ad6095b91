/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Exactly once (E3, E6). A delivery is one transaction of its messages and of the fence. Two producers take turns: after a
 * commit the coordinator refuses the same producer's next transaction for a while, and librdkafka waits 20 ms to ask again.
 * Each transaction begins after the one before it has been committed, so order is kept.
 *
 * Kafka cannot compare the fence. What stands for it: only who has initialised both producers last can write at all, so it
 * is known here what the fence holds, from the claim on. That is over as soon as the outcome of a transaction is in doubt.
 * And no producer is used any more after that: a request that is still under way somewhere could end a later transaction
 * of the same producer (KIP-890, which librdkafka does not speak). A new claim makes it void.
 */

#include <inttypes.h>

#include "../shared/fault.h"
#include "kafka.h"

enum {
	CAUSE_MS = 100,  /* until it is told which message has made a transaction fail */
	PROBE_MS = 5000, /* within KAFKA_TRANSACTION_MS, with all else that may happen in it */
};

static void close_producers(struct kafka_sink *s)
{
	kafka_producer_close(&s->producer[0]);
	kafka_producer_close(&s->producer[1]);
	s->has_fence = false;
}

static bool is_same(const struct leat_fence *a, const struct leat_fence *b)
{
	return a->incarnation == b->incarnation && a->epoch == b->epoch && a->digest == b->digest;
}

/* ---- claim ------------------------------------------------------------------------------------------------------------- */

static enum leat_status set(rd_kafka_conf_t *conf, const char *name, int64_t value, struct leat_error *err)
{
	char text[24], said[LEAT_ERROR_TEXT / 2];

	(void)snprintf(text, sizeof text, "%lld", (long long)value);
	if (rd_kafka_conf_set(conf, name, text, said, sizeof said) == RD_KAFKA_CONF_OK)
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, 0, "librdkafka cannot take setting \"%s\": %s", name, said);
}

static int64_t get(const rd_kafka_conf_t *conf, const char *name)
{
	char text[24] = "";
	size_t n = sizeof text;

	return rd_kafka_conf_get(conf, name, text, &n) == RD_KAFKA_CONF_OK ? strtoll(text, NULL, 10) : INT64_MAX;
}

static int64_t smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* What differs from the producer of at-least-once delivery. */
static enum leat_status adjust(const struct kafka_sink *s, rd_kafka_conf_t *conf, const char *id, struct leat_error *err)
{
	char said[LEAT_ERROR_TEXT / 2];
	enum leat_status status;

	if (rd_kafka_conf_set(conf, "transactional.id", id, said, sizeof said) != RD_KAFKA_CONF_OK)
		return leat_error_set(err, LEAT_FATAL, 0, "librdkafka cannot take setting \"transactional.id\": %s", said);
	if ((status = set(conf, "transaction.timeout.ms", KAFKA_TRANSACTION_MS, err)) != LEAT_OK ||
	    (status = set(conf, "message.timeout.ms", smaller(s->timeout_us / 1000, KAFKA_MESSAGE_MS), err)) != LEAT_OK ||
	    (status = set(conf, "socket.timeout.ms", smaller(get(conf, "socket.timeout.ms"), KAFKA_MESSAGE_MS), err)) != LEAT_OK ||
	    /* More than one message is never too large because of the others. */
	    (status = set(conf, "batch.size", smaller(get(conf, "batch.size"), atomic_load(&s->limit)), err)) != LEAT_OK)
		return status;
	if (get(conf, "retry.backoff.ms") == 100) /* left alone, which makes each transaction take as long */
		return set(conf, "retry.backoff.ms", 2, err);
	return LEAT_OK;
}

/* Asks for the topic as well, or librdkafka would take up to a second to find it when the first messages come. */
static enum leat_status open_producer(const struct kafka_sink *s, struct kafka_producer *p, const char *id, struct leat_error *err)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_dup(s->conf);
	enum leat_status status = adjust(s, conf, id, err);
	int32_t n;

	if (status == LEAT_OK)
		status = kafka_producer_open(p, &s->common, conf, err);
	rd_kafka_conf_destroy(conf);
	if (status == LEAT_OK)
		status = kafka_client_topic(&p->client, &n, err);
	return status;
}

/* When both are through, nothing of a former owner is under way any more, and it can begin nothing. */
static enum leat_status fence_out(struct kafka_sink *s, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char id[256];

	for (int i = 0; i < 2 && status == LEAT_OK; i++) {
		(void)snprintf(id, sizeof id, "%s-%d", s->id, i);
		status = open_producer(s, &s->producer[i], id, err);
	}
	for (int i = 0; i < 2 && status == LEAT_OK; i++)
		status = kafka_take_over(&s->producer[i], err);
	return status;
}

/* What there is, before anybody is disturbed: a claim that comes too late leaves the owner alone. */
static enum leat_status survey(struct kafka_sink *s, struct kafka_fence *found, struct leat_error *err)
{
	struct kafka_client reader;
	enum leat_status status = kafka_fence_open(s, false, &reader, err);
	int64_t limit;
	int32_t n;

	if (status != LEAT_OK)
		return status;
	status = kafka_client_topic(&reader, &n, err);
	if (status == LEAT_OK) {
		atomic_store(&s->limit, kafka_client_limit(&reader, &limit) && limit < s->max_message ? limit : s->max_message);
		status = kafka_fence_find(s, &reader, found, err);
	}
	kafka_client_close(&reader);
	return status;
}

static enum leat_status read_fence(struct kafka_sink *s, bool is_stable, struct kafka_fence *found, struct leat_error *err)
{
	struct kafka_client reader;
	enum leat_status status = kafka_fence_open(s, is_stable && !LEAT_BUG("kafka-fence-believed-early"), &reader, err);

	if (status != LEAT_OK)
		return status;
	status = kafka_fence_find(s, &reader, found, err);
	kafka_client_close(&reader);
	return status;
}

/* The first of these transactions makes the sink ours: it fails if somebody has taken over a producer in the meantime, and
 * who takes over later reads the fence later. The second one is there to find its coordinators before it matters. */
static enum leat_status own(struct kafka_sink *s, const struct kafka_fence *fence, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (int i = 0; i < 2 && status == LEAT_OK; i++) {
		struct kafka_producer *p = &s->producer[i];

		if ((status = kafka_begin(p, err)) == LEAT_OK && (status = kafka_put_fence(s, p, fence, err)) == LEAT_OK)
			status = kafka_commit(p, err);
	}
	return status;
}

static bool is_younger(const struct kafka_fence *found, const struct leat_claim *claim)
{
	return found->is.incarnation > claim->incarnation;
}

/* One from before what was delivered, or before the last claim, is left as it is: a broker that has crashed may serve a group of
 * which it has read a part, and our own fence would be written over the one that is in its log. */
static bool is_behind(const struct kafka_fence *found, const struct leat_claim *claim)
{
	return found->is.epoch < claim->delivered.epoch || (found->is.incarnation == 0 && claim->delivered.incarnation > 0);
}

/* For sure: nothing lies behind the last messages of the last transactions, in any partition. */
static bool has_ended_nowhere(struct kafka_sink *s)
{
	struct kafka_client reader;
	bool is_so = kafka_fence_open(s, false, &reader, NULL) == LEAT_OK;
	int64_t low, high;

	if (!is_so)
		return false;
	for (int i = 0; i < 2; i++) {
		const struct kafka_partitions *set = &s->unended[i];

		for (int32_t p = kafka_partitions_next(set, 0); p >= 0 && is_so; p = kafka_partitions_next(set, p + 1))
			is_so = rd_kafka_query_watermark_offsets(reader.rk, s->common.topic, p, &low, &high, KAFKA_PATIENCE_MS) ==
			                RD_KAFKA_RESP_ERR_NO_ERROR &&
			        high == set->last[p] + 1;
	}
	kafka_client_close(&reader);
	return is_so;
}

/*
 * Nobody can read a fence that a broker has forgotten to end. Who knows what it holds, but for that, need not: own() ends it. In doubt
 * is one delivery. It was committed if the fence that can be read says so. If it has ended nowhere, it is ours to say how:
 * end_last() aborts it.
 */
static enum leat_status find_fence(struct kafka_sink *s, const struct leat_claim *claim, struct kafka_fence *found,
                                   struct leat_error *err)
{
	enum leat_status status = read_fence(s, true, found, err);

	if (status != LEAT_RETRY || !s->knows_fence || read_fence(s, false, found, NULL) != LEAT_OK)
		return status;
	if (is_younger(found, claim) || (s->is_doubted && is_same(&found->is, &s->next.is)))
		return LEAT_OK;
	if (s->is_doubted && !has_ended_nowhere(s))
		return status;
	*found = s->fence;
	return LEAT_OK;
}

/* Such a broker notices when it writes to the group, and reads it again; until then it goes on so. What is written is taken back. */
static void nudge(struct kafka_sink *s, const struct kafka_fence *found)
{
	struct kafka_producer *p = &s->producer[0];

	if (kafka_begin(p, NULL) == LEAT_OK) {
		(void)kafka_put_fence(s, p, found, NULL);
		(void)kafka_abort(p, NULL);
	}
}

/* Before the first transaction that is committed: it would commit what is open there. */
static enum leat_status end_last(struct kafka_sink *s, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (int i = 0; i < 2 && status == LEAT_OK; i++)
		status = kafka_abort_again(&s->producer[i], &s->unended[i], err);
	return status;
}

/* `found` is the fence: what the last transaction came to is no longer in doubt. */
static void learn(struct kafka_sink *s, const struct kafka_fence *found)
{
	if (s->is_doubted && is_same(&found->is, &s->next.is)) { /* it was committed */
		kafka_partitions_clear(&s->unended[0]);
		kafka_partitions_clear(&s->unended[1]);
	}
	s->fence = *found;
	s->knows_fence = true;
	s->is_doubted = false;
}

enum leat_status kafka_fenced_claim(struct kafka_sink *s, const struct leat_claim *claim, struct leat_fence *found,
                                    struct leat_error *err)
{
	struct kafka_fence before = { .refused = "" };
	enum leat_status status;

	close_producers(s);
	s->is_fenced = true;
	s->turn = 0;
	(void)snprintf(s->id, sizeof s->id, "leat-%s-%s", claim->pipeline, claim->sink);
	if (LEAT_BUG("kafka-id-not-stable"))
		(void)snprintf(s->id, sizeof s->id, "leat-%s-%s-%" PRIu64, claim->pipeline, claim->sink, claim->incarnation);
	(void)snprintf(s->group, sizeof s->group, "leat-fence-%s-%s", claim->pipeline, claim->sink);
	status = survey(s, &before, err);
	if (status == LEAT_OK && (!is_younger(&before, claim) || LEAT_BUG("kafka-owner-disturbed"))) {
		status = fence_out(s, err);
		if (status == LEAT_OK)
			status = find_fence(s, claim, &before, err);
	}
	if (status == LEAT_OK && fault_fails("kafka-own-before"))
		status = leat_error_set(err, LEAT_RETRY, 0, "could not own topic \"%s\": fault point", s->common.topic);
	if (status == LEAT_OK && !is_younger(&before, claim) && !is_behind(&before, claim)) {
		learn(s, &before);
		status = end_last(s, err);
		s->fence.is.incarnation = claim->incarnation;
		if (status == LEAT_OK)
			status = own(s, &s->fence, err);
	} else {
		if (status == LEAT_OK && !is_younger(&before, claim))
			nudge(s, &before);
		else if (status == LEAT_OK)
			s->fence = before;
		close_producers(s);
	}
	if (status != LEAT_OK) {
		close_producers(s);
		if (status == LEAT_UNKNOWN)
			status = LEAT_RETRY; /* claiming twice does no harm */
		if (err != NULL)
			err->status = status;
		return status;
	}
	s->has_fence = true;
	*found = before.is;
	return LEAT_OK;
}

/* ---- deliver ----------------------------------------------------------------------------------------------------------- */

static enum leat_status commit_delivery(struct kafka_sink *s, struct kafka_producer *p, struct leat_context *ctx,
                                        struct leat_error *err)
{
	leat_committing(ctx);
	s->is_doubted = true;
	return kafka_commit(p, err);
}

/* The usual way. LEAT_REJECT: some message was refused, nothing has been done. */
static enum leat_status deliver_all(struct kafka_sink *s, struct kafka_producer *p, const struct leat_delivery *d,
                                    struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = kafka_begin(p, err), written;

	if (status == LEAT_OK && fault_fails("kafka-effect-before"))
		status = kafka_tell_error(p, kafka_lose(), "write messages", err);
	if (status != LEAT_OK)
		return status;
	kafka_producer_put(p, d->effect, 0, d->n);
	status = kafka_put_fence(s, p, &s->next, err); /* while the messages are under way */
	written = kafka_settle(p, 0, d->n, status == LEAT_OK ? KAFKA_SETTLE_MS : CAUSE_MS, err);
	if (status == LEAT_OK || written >= LEAT_REJECT) /* which is the cause of the other */
		status = written;
	if (status == LEAT_OK && fault_fails("kafka-effect-after"))
		status = kafka_tell_error(p, kafka_lose(), "write messages", err);
	if (status == LEAT_REJECT)
		return kafka_abort(p, err) == LEAT_OK ? LEAT_REJECT : LEAT_UNKNOWN;
	return status == LEAT_OK ? commit_delivery(s, p, ctx, err) : status;
}

/* A producer that owns nothing, for transactions that are never committed. */
static enum leat_status open_probe(const struct kafka_sink *s, struct kafka_producer *probe, struct leat_error *err)
{
	char id[256];
	enum leat_status status;

	(void)snprintf(id, sizeof id, "%s-probe", s->id);
	status = open_producer(s, probe, id, err);
	if (status == LEAT_OK)
		status = kafka_take_over(probe, err);
	return status == LEAT_OK ? kafka_begin(probe, err) : status;
}

/* Brokers refuse a batch as a whole. Alone, a message shows whether it was the one; what is written here is taken back. A
 * refusal costs the producer, as librdkafka goes on with a sequence number that the broker does not expect. */
static enum leat_status find_refused(struct kafka_sink *s, const struct leat_delivery *d, rd_kafka_resp_err_t *verdict,
                                     struct leat_error *err)
{
	struct kafka_producer probe = { .n_pending = 0 };
	int64_t began_ms = 0;
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; status == LEAT_OK && i < d->n; i++) {
		if (probe.client.rk == NULL) {
			began_ms = kafka_now_ms();
			if ((status = open_probe(s, &probe, err)) != LEAT_OK)
				break;
		}
		kafka_producer_put(&probe, d->effect, i, i + 1);
		status = kafka_settle(&probe, i, i + 1, KAFKA_SETTLE_MS, err);
		if (status == LEAT_REJECT)
			verdict[i] = probe.result[i];
		if (status == LEAT_REJECT || (status == LEAT_OK && (i + 1 == d->n || kafka_now_ms() - began_ms > PROBE_MS))) {
			status = kafka_abort(&probe, err);
			kafka_producer_close(&probe);
		}
	}
	kafka_producer_close(&probe);
	return status;
}

/* The end of a run of messages that fit into one batch, so that they are not refused together. */
static size_t end_of_run(const struct kafka_sink *s, const struct leat_delivery *d, const rd_kafka_resp_err_t *verdict,
                         size_t begin)
{
	size_t budget = (size_t)atomic_load(&s->limit) / 2;
	size_t end = begin + 1;

	for (size_t n = d->effect[begin].n; end < d->n && verdict[end] == RD_KAFKA_RESP_ERR_NO_ERROR; end++)
		if ((n += d->effect[end].n) > budget)
			break;
	return end;
}

static enum leat_status deliver_rest(struct kafka_sink *s, struct kafka_producer *p, const struct leat_delivery *d,
                                     const rd_kafka_resp_err_t *verdict, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = kafka_begin(p, err);

	for (size_t i = 0, end; status == LEAT_OK && i < d->n; i = end) {
		end = i + 1;
		if (verdict[i] != RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		end = end_of_run(s, d, verdict, i);
		kafka_producer_put(p, d->effect, i, end);
		status = kafka_settle(p, i, end, KAFKA_SETTLE_MS, err);
	}
	if (status == LEAT_OK)
		status = kafka_put_fence(s, p, &s->next, err);
	if (status == LEAT_REJECT) /* none of them was when it was alone: something has changed meanwhile */
		return leat_error_set(err, LEAT_UNKNOWN, 0, "topic \"%s\" at %s refuses messages that it has just taken", s->common.topic,
		                      s->common.brokers);
	return status == LEAT_OK ? commit_delivery(s, p, ctx, err) : status;
}

static void refuse(const struct kafka_sink *s, const struct leat_delivery *d, const rd_kafka_resp_err_t *verdict,
                   struct leat_context *ctx)
{
	struct leat_error refusal;

	for (size_t i = 0; i < d->n; i++) {
		if (verdict[i] == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue;
		(void)leat_error_set(&refusal, LEAT_REJECT, verdict[i], "topic \"%s\" at %s refused a message of %zu bytes: %s",
		                     s->common.topic, s->common.brokers, d->effect[i].n, rd_kafka_err2str(verdict[i]));
		leat_refuse(ctx, i, &refusal);
	}
}

/* What an earlier attempt has told already, be it that nobody heard. Its reasons are not kept. */
static enum leat_status refuse_again(const struct kafka_sink *s, const struct leat_delivery *d, struct leat_context *ctx,
                                     struct leat_error *err)
{
	const char *refused = s->fence.refused;
	struct leat_error refusal;

	if (kafka_refused_span(refused) > d->n)
		return leat_error_set(err, LEAT_FATAL, 0, "fence of topic \"%s\" at %s has message %zu from the end as refused, of a delivery of %zu",
		                      s->common.topic, s->common.brokers, kafka_refused_span(refused), d->n);
	for (size_t i = kafka_refused_next(refused, d->n, 0); i < d->n; i = kafka_refused_next(refused, d->n, i + 1)) {
		(void)leat_error_set(&refusal, LEAT_REJECT, 0, "topic \"%s\" at %s refused a message of %zu bytes", s->common.topic,
		                     s->common.brokers, d->effect[i].n);
		leat_refuse(ctx, i, &refusal);
	}
	return LEAT_OK;
}

/* Into the fence, for that. */
static void keep_refused(struct kafka_sink *s, const struct leat_delivery *d, const rd_kafka_resp_err_t *verdict,
                         struct leat_context *ctx)
{
	size_t n_lost = kafka_refused_write(verdict, d->n, s->next.refused);

	if (n_lost > 0)
		leat_log(ctx, LEAT_WARNING, "%zu refused messages do not fit into the fence of topic \"%s\": if this delivery has to be "
		         "repeated, they become no dead letters", n_lost, s->common.topic);
}

/* After a refusal; `p` has not seen it. */
static enum leat_status deliver_others(struct kafka_sink *s, struct kafka_producer *p, const struct leat_delivery *d,
                                       struct leat_context *ctx, struct leat_error *err)
{
	rd_kafka_resp_err_t *verdict = (rd_kafka_resp_err_t *)calloc(d->n, sizeof *verdict);
	enum leat_status status;
	int64_t limit;

	if (verdict == NULL)
		leat_run_out();
	if (kafka_client_limit(&p->client, &limit) && limit < atomic_load(&s->limit))
		atomic_store(&s->limit, limit); /* the most likely reason */
	status = find_refused(s, d, verdict, err);
	if (status == LEAT_OK) {
		keep_refused(s, d, verdict, ctx);
		status = deliver_rest(s, p, d, verdict, ctx, err);
	}
	if (status == LEAT_OK) {
		refuse(s, d, verdict, ctx);
		close_producers(s); /* one of them can no longer be used, so the next delivery asks to be claimed again */
	}
	free(verdict);
	return status;
}

static enum leat_status mismatch(const struct kafka_sink *s, const struct leat_delivery *d, struct leat_error *err)
{
	const struct leat_fence *is = &s->fence.is, *expected = &d->expected;

	return leat_error_set(err, LEAT_FATAL, 0,
	                      "fence of topic \"%s\" at %s is epoch %" PRIu64 " (%016" PRIx64 ") of incarnation %" PRIu64
	                      ", expected epoch %" PRIu64 " (%016" PRIx64 ") of incarnation %" PRIu64 "%s",
	                      s->common.topic, s->common.brokers, is->epoch, is->digest, is->incarnation, expected->epoch,
	                      expected->digest, expected->incarnation,
	                      is->incarnation > expected->incarnation ? "; another instance owns the sink" : "");
}

enum leat_status kafka_fenced_deliver(struct kafka_sink *s, const struct leat_delivery *d, struct leat_context *ctx,
                                      struct leat_error *err)
{
	struct kafka_producer *p = &s->producer[s->turn];
	enum leat_status status;

	if (!s->has_fence)
		return leat_error_set(err, LEAT_UNKNOWN, 0, "topic \"%s\" is not claimed", s->common.topic);
	if (is_same(&s->fence.is, &d->next))
		return refuse_again(s, d, ctx, err);
	if ((!is_same(&s->fence.is, &d->expected) && !LEAT_BUG("kafka-fence-not-compared")) || p->client.rk == NULL)
		return mismatch(s, d, err);
	s->next = (struct kafka_fence){ .is = d->next };
	if (LEAT_BUG("kafka-fence-before-messages"))
		(void)own(s, &s->next, err);
	status = deliver_all(s, p, d, ctx, err);
	if (status == LEAT_REJECT)
		status = deliver_others(s, &s->producer[s->turn ^ 1], d, ctx, err);
	if (status == LEAT_OK) {
		s->fence = s->next;
		s->is_doubted = false;
		s->turn ^= 1;
		return LEAT_OK;
	}
	if (status == LEAT_UNKNOWN && LEAT_BUG("kafka-producer-reused"))
		return leat_error_set(err, LEAT_RETRY, 0, "could not commit a transaction of topic \"%s\"", s->common.topic);
	if (status == LEAT_FATAL)
		(void)kafka_abort(p, NULL); /* nobody may come to claim, and readers would wait for the brokers to do it */
	else
		status = LEAT_UNKNOWN; /* E6 */
	kafka_give_up(&s->producer[0], &s->unended[0]);
	kafka_give_up(&s->producer[1], &s->unended[1]);
	close_producers(s);
	if (err != NULL)
		err->status = status;
	return status;
}
