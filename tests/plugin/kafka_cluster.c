/* SPDX-License-Identifier: Apache-2.0 */

/* The other side of the fixture: a real cluster, through librdkafka itself. */

#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#include "plugin/kafka_fixture.h"
#include "unit/unit.h"

enum { WAIT_MS = 15000 };

const char *brokers(void)
{
	const char *set = getenv("KAFKA_BROKERS");

	return set == NULL ? "127.0.0.1:19092" : set;
}

/* What could not be written is told here only: a flush that has given up its messages works. */
static void expect_delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
	(void)rk;
	(void)opaque;
	ck_assert_msg(m->err == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(m->err));
}

static rd_kafka_t *client(rd_kafka_type_t type, const char *name, const char *value)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char said[256];
	rd_kafka_t *rk;

	(void)rd_kafka_conf_set(conf, "bootstrap.servers", brokers(), NULL, 0);
	(void)rd_kafka_conf_set(conf, "socket.nagle.disable", "true", NULL, 0);
	(void)rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	if (name != NULL)
		(void)rd_kafka_conf_set(conf, name, value, NULL, 0);
	if (type == RD_KAFKA_PRODUCER)
		rd_kafka_conf_set_dr_msg_cb(conf, expect_delivered);
	rk = rd_kafka_new(type, conf, said, sizeof said);
	if (rk == NULL) { /* also called outside of any test, where Check takes no assertion */
		fprintf(stderr, "%s\n", said);
		abort();
	}
	return rk;
}

/* Of what is committed, and it tells where that ends. */
static rd_kafka_t *reader(void)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;

	(void)rd_kafka_conf_set(conf, "bootstrap.servers", brokers(), NULL, 0);
	(void)rd_kafka_conf_set(conf, "group.id", "leat-test-reader", NULL, 0); /* needed, not used */
	(void)rd_kafka_conf_set(conf, "enable.auto.commit", "false", NULL, 0);
	(void)rd_kafka_conf_set(conf, "enable.partition.eof", "true", NULL, 0);
	(void)rd_kafka_conf_set(conf, "isolation.level", "read_committed", NULL, 0);
	(void)rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
	ck_assert_ptr_nonnull(rk);
	return rk;
}

bool broker_answers(void)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	const struct rd_kafka_metadata *metadata;
	bool answers = rd_kafka_metadata(rk, 0, NULL, &metadata, 3000) == RD_KAFKA_RESP_ERR_NO_ERROR;

	if (answers)
		rd_kafka_metadata_destroy(metadata);
	rd_kafka_destroy(rk);
	return answers;
}

const char *topic_name(const char *what)
{
	static char names[8][64];
	static int next;
	char *name = names[next++ % 8];

	(void)snprintf(name, 64, "leat-test-%s-%d-%" PRIx64, what, (int)getpid(), (uint64_t)time(NULL));
	return name;
}

/* ---- administration ---------------------------------------------------------------------------------------------------- */

/* The result of a request about one topic. */
static void finish(rd_kafka_t *rk, rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, WAIT_MS);
	const rd_kafka_topic_result_t **results = NULL;
	size_t n = 0;

	ck_assert_ptr_nonnull(event);
	ck_assert_msg(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_event_error_string(event));
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
		results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n);
	else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT)
		results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
	else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT)
		results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &n);
	for (size_t i = 0; i < n; i++)
		ck_assert_msg(rd_kafka_topic_result_error(results[i]) == RD_KAFKA_RESP_ERR_NO_ERROR, "%s: %s",
		              rd_kafka_topic_result_name(results[i]), rd_kafka_topic_result_error_string(results[i]));
	rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
}

static rd_kafka_AdminOptions_t *patient(rd_kafka_t *rk, rd_kafka_admin_op_t op)
{
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, op);

	(void)rd_kafka_AdminOptions_set_operation_timeout(options, 10000, NULL, 0);
	return options;
}

void topic_create(const char *name, int partitions, const char *config, const char *value)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = patient(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, NULL, 0);

	if (config != NULL)
		(void)rd_kafka_NewTopic_set_config(topic, config, value);
	rd_kafka_CreateTopics(rk, &topic, 1, options, queue);
	rd_kafka_NewTopic_destroy(topic);
	rd_kafka_AdminOptions_destroy(options);
	finish(rk, queue);
}

void topic_alter(const char *name, const char *config, const char *value)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);

	(void)rd_kafka_ConfigResource_set_config(resource, config, value);
	rd_kafka_AlterConfigs(rk, &resource, 1, NULL, queue);
	rd_kafka_ConfigResource_destroy(resource);
	finish(rk, queue);
}

static int partitions_of(const char *name)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	const struct rd_kafka_metadata *metadata;
	int n = 0;

	if (rd_kafka_metadata(rk, 0, topic, &metadata, WAIT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR) {
		n = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(topic);
	rd_kafka_destroy(rk);
	return n;
}

/* The controller has made them, the broker knows of them a moment later: what is written to them until then is refused. */
void topic_grow(const char *name, int partitions)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = patient(rk, RD_KAFKA_ADMIN_OP_CREATEPARTITIONS);
	rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(name, (size_t)partitions, NULL, 0);

	rd_kafka_CreatePartitions(rk, &more, 1, options, queue);
	rd_kafka_NewPartitions_destroy(more);
	rd_kafka_AdminOptions_destroy(options);
	finish(rk, queue);
	for (double until = now_s() + 20; partitions_of(name) < partitions && now_s() < until;)
		(void)usleep(50000);
}

void topic_delete(const char *name)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, NULL, NULL);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	rd_kafka_AdminOptions_t *options = patient(rk, RD_KAFKA_ADMIN_OP_DELETETOPICS);
	rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);

	rd_kafka_DeleteTopics(rk, &topic, 1, options, queue);
	rd_kafka_DeleteTopic_destroy(topic);
	rd_kafka_AdminOptions_destroy(options);
	finish(rk, queue);
}

int64_t group_offset(const char *group, const char *topic, int32_t partition)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, "group.id", group);
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	int64_t offset;

	(void)rd_kafka_topic_partition_list_add(list, topic, partition);
	ck_assert_int_eq(rd_kafka_committed(rk, list, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
	offset = list->elems[0].offset;
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	return offset < 0 ? -1 : offset;
}

/* ---- writing ----------------------------------------------------------------------------------------------------------- */

static void produce(rd_kafka_t *rk, const char *topic, int32_t partition, const char *prefix, int n, int64_t time_ms)
{
	for (int i = 0; i < n; i++) {
		char key[32], value[64];
		rd_kafka_resp_err_t code;

		(void)snprintf(key, sizeof key, "k%d", i);
		(void)snprintf(value, sizeof value, "%s%d", prefix, i);
		while ((code = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
		                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY(key, strlen(key)),
		                                 RD_KAFKA_V_VALUE(value, strlen(value)), RD_KAFKA_V_TIMESTAMP(time_ms),
		                                 RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			(void)rd_kafka_poll(rk, 10);
		ck_assert_msg(code == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(code));
	}
}

void topic_write(const char *name, int32_t partition, const char *prefix, int n, int64_t time_ms)
{
	/* Idempotent, as a retry would let later messages overtake: a partition that was just made may have no leader yet. */
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, "enable.idempotence", "true");

	produce(rk, name, partition, prefix, n, time_ms);
	ck_assert_int_eq(rd_kafka_flush(rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
	rd_kafka_destroy(rk);
}

void topic_transact(const char *name, const char *prefix, int n, bool is_committed)
{
	rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, "transactional.id", name);

	ck_assert_ptr_null(rd_kafka_init_transactions(rk, WAIT_MS));
	ck_assert_ptr_null(rd_kafka_begin_transaction(rk));
	produce(rk, name, 0, prefix, n, 0);
	ck_assert_int_eq(rd_kafka_flush(rk, WAIT_MS), RD_KAFKA_RESP_ERR_NO_ERROR);
	ck_assert_ptr_null(is_committed ? rd_kafka_commit_transaction(rk, -1) : rd_kafka_abort_transaction(rk, -1));
	rd_kafka_destroy(rk);
}

/* ---- reading ----------------------------------------------------------------------------------------------------------- */

/* Where a partition ends, for a reader of all and for one of what is committed. */
static int64_t end_of(const char *name, int32_t partition, const char *isolation)
{
	rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, "isolation.level", isolation);
	int64_t low, high;
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(rk, name, partition, &low, &high, WAIT_MS);

	ck_assert_msg(code == RD_KAFKA_RESP_ERR_NO_ERROR, "%s", rd_kafka_err2str(code));
	rd_kafka_destroy(rk);
	return high;
}

static void expect_no_open_transaction(const char *name, int32_t partition)
{
	int64_t all = end_of(name, partition, "read_uncommitted"), stable = -1;

	/* A commit has been answered before its marker stands in every partition. */
	for (double until = now_s() + 20; stable != all && now_s() < until; all = end_of(name, partition, "read_uncommitted"))
		stable = end_of(name, partition, "read_committed");
	ck_assert_msg(stable == all, "partition %d of %s can be read up to %" PRId64 " of %" PRId64, (int)partition, name, stable, all);
}

static void see(struct seen *s, const rd_kafka_message_t *m)
{
	*s = (struct seen){ .partition = m->partition, .offset = m->offset, .value_n = m->len };
	(void)snprintf(s->key, sizeof s->key, "%.*s", (int)m->key_len, m->key == NULL ? "" : (const char *)m->key);
	(void)snprintf(s->value, sizeof s->value, "%.*s", (int)m->len, m->payload == NULL ? "" : (const char *)m->payload);
}

size_t topic_read(const char *name, int partitions, struct seen *seen, size_t max)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(partitions);
	rd_kafka_t *rk;
	size_t n = 0;

	for (int i = 0; i < partitions; i++) {
		expect_no_open_transaction(name, i);
		rd_kafka_topic_partition_list_add(list, name, i)->offset = RD_KAFKA_OFFSET_BEGINNING;
	}
	rk = reader();
	ck_assert_int_eq(rd_kafka_assign(rk, list), RD_KAFKA_RESP_ERR_NO_ERROR);
	for (int n_ended = 0; n_ended < partitions;) {
		rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, WAIT_MS);

		ck_assert_ptr_nonnull(m);
		ck_assert_msg(m->err == RD_KAFKA_RESP_ERR_NO_ERROR || m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF, "%s",
		              rd_kafka_message_errstr(m));
		if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
			n_ended++;
		else if (n++ < max)
			see(&seen[n - 1], m);
		rd_kafka_message_destroy(m);
	}
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	return n;
}
