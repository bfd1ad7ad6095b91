/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A producer and the wait for its results. Messages are not copied: their bytes belong to the effects, and no delivery
 * returns before every message has its delivery report or the producer is gone.
 */

#include "kafka.h"

/* What a transaction that has failed takes back says nothing about the message, and may be told before the cause. */
static bool is_taken_back(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

/* ---- partitions -------------------------------------------------------------------------------------------------------- */

static void mark(struct kafka_partitions *set, int32_t partition, int64_t last)
{
	if (partition >= set->n) {
		set->last = (int64_t *)realloc(set->last, ((size_t)partition + 1) * sizeof *set->last);
		if (set->last == NULL)
			leat_run_out();
		while (set->n <= partition)
			set->last[set->n++] = KAFKA_NOT_THERE;
	}
	if (set->last[partition] < last)
		set->last[partition] = last;
}

int32_t kafka_partitions_next(const struct kafka_partitions *set, int32_t from)
{
	while (from < set->n && set->last[from] == KAFKA_NOT_THERE)
		from++;
	return from < set->n ? from : -1;
}

void kafka_partitions_add(struct kafka_partitions *set, const struct kafka_partitions *more)
{
	for (int32_t i = kafka_partitions_next(more, 0); i >= 0; i = kafka_partitions_next(more, i + 1))
		mark(set, i, more->last[i]);
}

void kafka_partitions_clear(struct kafka_partitions *set)
{
	for (int32_t i = 0; i < set->n; i++)
		set->last[i] = KAFKA_NOT_THERE;
}

void kafka_partitions_free(struct kafka_partitions *set)
{
	free(set->last);
	*set = (struct kafka_partitions){ .n = 0 };
}

/* ---- a producer ------------------------------------------------------------------------------------------------------- */

/* Inside rd_kafka_poll(), so on our own thread. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	struct kafka_producer *p = (struct kafka_producer *)opaque;

	(void)rk;
	*(rd_kafka_resp_err_t *)m->_private = m->err;
	if (rd_kafka_message_status(m) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED)
		mark(&p->touched, m->partition, m->offset >= 0 ? m->offset : INT64_MAX);
	p->has_failed = p->has_failed || (m->err != RD_KAFKA_RESP_ERR_NO_ERROR && !is_taken_back(m->err));
	p->n_pending--;
}

enum leat_status kafka_producer_open(struct kafka_producer *p, const struct kafka_options *options, rd_kafka_conf_t *conf,
                                     struct leat_error *err)
{
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	p->n_pending = 0;
	return kafka_client_open(&p->client, RD_KAFKA_PRODUCER, options, conf, err);
}

void kafka_producer_close(struct kafka_producer *p)
{
	kafka_client_close(&p->client);
	free(p->result);
	p->result = NULL;
	p->result_capacity = 0;
	p->n_pending = 0;
	p->is_open = false;
	kafka_partitions_free(&p->touched);
}

static void reserve_results(struct kafka_producer *p, size_t n)
{
	if (n <= p->result_capacity)
		return;
	p->result = (rd_kafka_resp_err_t *)realloc(p->result, n * sizeof *p->result);
	if (p->result == NULL)
		leat_run_out();
	p->result_capacity = n;
}

static rd_kafka_headers_t *headers_of(const struct kafka_message *m)
{
	rd_kafka_headers_t *headers;
	const char *p = m->headers;

	if (m->n_headers == 0)
		return NULL;
	headers = rd_kafka_headers_new(m->n_headers);
	for (uint32_t i = 0; i < m->n_headers; i++) {
		uint32_t name_n, n;
		const char *name;

		memcpy(&name_n, p, sizeof name_n);
		name = p + sizeof name_n;
		memcpy(&n, name + name_n, sizeof n);
		p = name + name_n + sizeof n;
		(void)rd_kafka_header_add(headers, name, (ssize_t)name_n, n == UINT32_MAX ? NULL : p, n == UINT32_MAX ? 0 : (ssize_t)n);
		if (n != UINT32_MAX)
			p += n;
	}
	return headers;
}

static rd_kafka_resp_err_t produce(struct kafka_producer *p, const struct kafka_message *m, rd_kafka_resp_err_t *result)
{
	union {
		const char *borrowed;
		void *given;
	} value = { m->value }, key = { m->key }; /* its interface has no const */
	rd_kafka_headers_t *headers = headers_of(m);
	rd_kafka_resp_err_t code;

	code = headers == NULL ?
	               rd_kafka_producev(p->client.rk, RD_KAFKA_V_RKT(p->client.topic), RD_KAFKA_V_VALUE(value.given, m->value_n),
	                                 RD_KAFKA_V_KEY(key.given, m->key_n), RD_KAFKA_V_TIMESTAMP(m->time_ms),
	                                 RD_KAFKA_V_OPAQUE(result),
	                                 RD_KAFKA_V_END) :
	               rd_kafka_producev(p->client.rk, RD_KAFKA_V_RKT(p->client.topic), RD_KAFKA_V_VALUE(value.given, m->value_n),
	                                 RD_KAFKA_V_KEY(key.given, m->key_n), RD_KAFKA_V_TIMESTAMP(m->time_ms),
	                                 RD_KAFKA_V_OPAQUE(result),
	                                 RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
	if (headers != NULL && code != RD_KAFKA_RESP_ERR_NO_ERROR)
		rd_kafka_headers_destroy(headers); /* else they are librdkafka's */
	return code;
}

void kafka_producer_put(struct kafka_producer *p, const struct leat_effect *effect, size_t begin, size_t end)
{
	struct kafka_message m;

	reserve_results(p, end);
	p->has_failed = false;
	for (size_t i = begin; i < end; i++) {
		rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__BAD_MSG;

		p->result[i] = RD_KAFKA_RESP_ERR__IN_PROGRESS;
		if (kafka_effect_read(&effect[i], &m))
			while ((code = produce(p, &m, &p->result[i])) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
				(void)rd_kafka_poll(p->client.rk, 10); /* some of those in it get their reports, be it that they are too late */
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
			p->n_pending++;
		} else {
			p->result[i] = code;
			p->has_failed = true;
		}
	}
}

size_t kafka_producer_touch(struct kafka_producer *p, const struct kafka_partitions *set)
{
	static char key[] = "leat"; /* compacted topics want one */
	size_t n = 0;

	reserve_results(p, (size_t)set->n);
	p->has_failed = false;
	for (int32_t i = kafka_partitions_next(set, 0); i >= 0; i = kafka_partitions_next(set, i + 1), n++) {
		p->result[n] = rd_kafka_producev(p->client.rk, RD_KAFKA_V_RKT(p->client.topic), RD_KAFKA_V_PARTITION(i),
		                                 RD_KAFKA_V_KEY(key, sizeof key - 1), RD_KAFKA_V_OPAQUE(&p->result[n]), RD_KAFKA_V_END);
		if (p->result[n] == RD_KAFKA_RESP_ERR_NO_ERROR) {
			p->result[n] = RD_KAFKA_RESP_ERR__IN_PROGRESS;
			p->n_pending++;
		} else {
			p->has_failed = true;
		}
	}
	return n;
}

bool kafka_producer_wait(struct kafka_producer *p, int64_t patience_ms, bool stops_early)
{
	int64_t until_ms = kafka_now_ms() + patience_ms;

	while (p->n_pending > 0 && !(stops_early && p->has_failed) && kafka_now_ms() < until_ms)
		(void)rd_kafka_poll(p->client.rk, 100);
	return p->n_pending == 0 || (stops_early && p->has_failed);
}

enum leat_status kafka_producer_send(struct kafka_producer *p, const struct leat_effect *effect, size_t begin, size_t end,
                                     int64_t patience_ms, struct leat_error *err)
{
	kafka_producer_put(p, effect, begin, end);
	if (kafka_producer_wait(p, patience_ms, false))
		return LEAT_OK;
	/* Each message has a timeout of its own, so this should not be; whatever it is, it ends with the producer. */
	(void)leat_error_set(err, LEAT_UNKNOWN, 0, "could not learn the results of %zu messages to topic \"%s\" at %s within %lld ms",
	                     p->n_pending, p->client.options->topic, p->client.options->brokers, (long long)patience_ms);
	kafka_producer_close(p);
	return LEAT_UNKNOWN;
}
