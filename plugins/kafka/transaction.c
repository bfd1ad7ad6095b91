/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One transaction of one producer: begin, fence, commit, abort; and what is left of one that was given up. Brokers abort that
 * themselves as soon as its producer is taken over. But Kafka 4.3 and 4.4 forget the partitions that have no leader at that
 * moment (KAFKA-20734), and what was written there would be committed with the producer's next transaction. Aborting once
 * more in the same partitions, when they can be written, does no harm where it was not forgotten.
 */

#include "../shared/fault.h"
#include "kafka.h"

enum {
	INIT_MS = 10000, /* to end what a former owner has begun takes the brokers a moment */
	COMMIT_MS = 5000,
	ABORT_MS = 5000,
};

enum leat_status kafka_tell(struct kafka_producer *p, rd_kafka_resp_err_t code, const char *what, struct leat_error *err)
{
	enum leat_status status = kafka_client_error(&p->client, code, what, err);

	return kafka_is_missing(code) ? LEAT_UNKNOWN : status; /* claim() will see whether it is so */
}

enum leat_status kafka_tell_error(struct kafka_producer *p, rd_kafka_error_t *error, const char *what, struct leat_error *err)
{
	rd_kafka_resp_err_t code;

	if (error == NULL)
		return LEAT_OK;
	code = rd_kafka_error_code(error);
	rd_kafka_error_destroy(error);
	return kafka_tell(p, code, what, err);
}

rd_kafka_error_t *kafka_lose(void)
{
	return rd_kafka_error_new(RD_KAFKA_RESP_ERR__TRANSPORT, "%s", "fault point");
}

enum leat_status kafka_take_over(struct kafka_producer *p, struct leat_error *err)
{
	rd_kafka_error_t *error =
		fault_fails("kafka-takeover-before") ? kafka_lose() : rd_kafka_init_transactions(p->client.rk, INIT_MS);

	if (error == NULL && fault_fails("kafka-takeover-after"))
		error = kafka_lose();
	return kafka_tell_error(p, error, "take over transactions", err);
}

enum leat_status kafka_begin(struct kafka_producer *p, struct leat_error *err)
{
	rd_kafka_error_t *error;

	atomic_store(&p->client.n_ends, 0);
	atomic_store(&p->client.n_offsets, 0);
	error = fault_fails("kafka-begin-before") ? kafka_lose() : rd_kafka_begin_transaction(p->client.rk);
	if (error == NULL && fault_fails("kafka-begin-after"))
		error = kafka_lose();
	p->is_open = true;
	kafka_partitions_clear(&p->touched);
	return kafka_tell_error(p, error, "begin a transaction", err);
}

/* In doubt is whether a request that ends the transaction, or changes the fence, is still under way: it was sent more than once. */
static enum leat_status end(struct kafka_producer *p, struct leat_error *err)
{
	if (LEAT_BUG("kafka-doubt-ignored") || (atomic_load(&p->client.n_ends) <= 1 && atomic_load(&p->client.n_offsets) <= 1)) {
		p->is_open = false;
		return LEAT_OK;
	}
	return leat_error_set(err, LEAT_UNKNOWN, 0, "a request about a transaction of topic \"%s\" at %s had to be sent again",
	                      p->client.options->topic, p->client.options->brokers);
}

enum leat_status kafka_commit(struct kafka_producer *p, struct leat_error *err)
{
	rd_kafka_error_t *error =
		fault_fails("kafka-commit-before") ? kafka_lose() : rd_kafka_commit_transaction(p->client.rk, COMMIT_MS);

	if (error == NULL && fault_fails("kafka-commit-after"))
		error = kafka_lose();
	if (kafka_tell_error(p, error, "commit a transaction", err) != LEAT_OK)
		return LEAT_UNKNOWN;
	return end(p, err);
}

enum leat_status kafka_abort(struct kafka_producer *p, struct leat_error *err)
{
	rd_kafka_error_t *error = rd_kafka_abort_transaction(p->client.rk, ABORT_MS);

	if (kafka_tell_error(p, error, "abort a transaction", err) != LEAT_OK)
		return LEAT_UNKNOWN;
	if (!kafka_producer_wait(p, KAFKA_PATIENCE_MS, false))
		return kafka_tell(p, RD_KAFKA_RESP_ERR__TIMED_OUT, "abort a transaction", err);
	return end(p, err);
}

enum leat_status kafka_settle(struct kafka_producer *p, size_t begin, size_t end, int64_t patience_ms, struct leat_error *err)
{
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;

	if (!kafka_producer_wait(p, patience_ms, true))
		code = RD_KAFKA_RESP_ERR__TIMED_OUT;
	for (size_t i = begin; i < end; i++)
		if (p->result[i] != RD_KAFKA_RESP_ERR__IN_PROGRESS && kafka_status(p->result[i]) > kafka_status(code))
			code = p->result[i];
	if (kafka_status(code) == LEAT_OK || kafka_status(code) == LEAT_REJECT)
		return kafka_status(code);
	return kafka_tell(p, code, "write messages", err);
}

enum leat_status kafka_put_fence(const struct kafka_sink *s, struct kafka_producer *p, const struct kafka_fence *fence,
                                 struct leat_error *err)
{
	rd_kafka_error_t *error = fault_fails("kafka-fence-before") ? kafka_lose() : kafka_fence_put(s, p, fence);

	if (error == NULL && fault_fails("kafka-fence-after"))
		error = kafka_lose();
	return kafka_tell_error(p, error, "write the fence", err);
}

void kafka_give_up(struct kafka_producer *p, struct kafka_partitions *unended)
{
	if (p->client.rk == NULL || !p->is_open)
		return;
	(void)rd_kafka_purge(p->client.rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
	(void)kafka_producer_wait(p, KAFKA_PATIENCE_MS, false);
	kafka_partitions_add(unended, &p->touched);
}

enum leat_status kafka_abort_again(struct kafka_producer *p, struct kafka_partitions *unended, struct leat_error *err)
{
	enum leat_status status;
	size_t n;

	if (kafka_partitions_next(unended, 0) < 0)
		return LEAT_OK;
	status = kafka_begin(p, err);
	if (status != LEAT_OK)
		return status;
	n = kafka_producer_touch(p, unended);
	status = kafka_settle(p, 0, n, KAFKA_SETTLE_MS, err);
	if (status == LEAT_OK || status == LEAT_REJECT) /* a partition that refuses a message is part of the transaction all the same */
		status = kafka_abort(p, err);
	if (status == LEAT_OK)
		kafka_partitions_clear(unended);
	return status;
}
