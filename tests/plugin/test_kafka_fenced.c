/* SPDX-License-Identifier: Apache-2.0 */

/* Fenced delivery to a real broker (KAFKA_BROKERS, or 127.0.0.1:19092). What is read here is what is committed. */

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "plugin/kafka_fixture.h"
#include "unit/unit.h"

#define OPTIONS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define FENCE(incarnation_, epoch_) \
	((struct leat_fence){ .incarnation = (incarnation_), .epoch = (epoch_), .digest = 0xfedcba9800000000 + (epoch_) })

enum { N = 5, PARTITIONS = 3 };

static struct leat_record records[N];

static void make_records(void)
{
	static const char *const keys[N] = { "a", "b", "c", "d", "e" };

	for (size_t i = 0; i < N; i++)
		records[i] = text_record(keys[i], "x");
}

static void expect_text(const struct host *h, const char *part)
{
	ck_assert_msg(strstr(h->err.text, part) != NULL, "\"%s\" does not say \"%s\"", h->err.text, part);
}

static void expect_ok(const struct host *h, enum leat_status status)
{
	ck_assert_msg(status == LEAT_OK, "%d: %s", (int)status, h->err.text);
}

static void expect_fence(const struct leat_fence *found, uint64_t incarnation, uint64_t epoch, uint64_t digest)
{
	ck_assert_uint_eq(found->incarnation, incarnation);
	ck_assert_uint_eq(found->epoch, epoch);
	ck_assert_uint_eq(found->digest, digest);
}

static struct host *sink_of(const char *topic)
{
	struct host *h = sink_create(OPTIONS("brokers", brokers(), "topic", topic));

	ck_assert_msg(h->self != NULL, "%s%s", h->settings_error, h->err.text);
	return h;
}

/* A topic and a sink of its own that nobody has claimed yet. */
static const char *new_topic(const char *what)
{
	const char *topic = topic_name(what);

	topic_create(topic, PARTITIONS, NULL, NULL);
	make_records();
	return topic;
}

static struct leat_fence claim(struct host *h, const char *topic, uint64_t incarnation)
{
	struct leat_fence found = FENCE(77, 77);

	expect_ok(h, sink_claim_fenced(h, topic, incarnation, &found));
	return found;
}

static enum leat_status deliver(struct host *h, uint64_t incarnation, uint64_t epoch)
{
	struct leat_fence expected = FENCE(incarnation, epoch - 1), next = FENCE(incarnation, epoch);

	if (epoch == 1)
		expected.digest = 0;
	return sink_write_fenced(h, &expected, &next, records, N);
}

static void expect_committed(const char *topic, size_t n)
{
	ck_assert_uint_eq(topic_read(topic, PARTITIONS, NULL, 0), n);
}

/* ---- the fence --------------------------------------------------------------------------------------------------------- */

START_TEST(the_first_claim_finds_nothing)
{
	const char *topic = new_topic("first");
	struct host *h = sink_of(topic);
	struct leat_fence found;

	ck_assert_int_eq(plugin()->sink->guarantee(h->self), LEAT_TRANSACTIONAL);
	found = claim(h, topic, 3);
	expect_fence(&found, 0, 0, 0);
	found = claim(h, topic, 3);
	expect_fence(&found, 3, 0, 0); /* what the first one wrote */
	host_destroy(h);
	expect_committed(topic, 0);
	topic_delete(topic);
}
END_TEST

/* A broker that has crashed may tell of an empty group until it has read it back. */
START_TEST(a_fence_that_is_behind_what_was_delivered_is_left_as_it_is)
{
	const char *topic = new_topic("behind");
	struct leat_claim of = { .pipeline = topic, .sink = "node", .is_fenced = true, .incarnation = 2, .delivered = FENCE(1, 4) };
	struct host *h = sink_of(topic);
	struct leat_fence found;

	(void)claim(h, topic, 1);
	for (uint64_t epoch = 1; epoch <= 3; epoch++)
		expect_ok(h, deliver(h, 1, epoch));
	expect_ok(h, plugin()->sink->claim(h->self, &of, &found, &h->context, &h->err));
	expect_fence(&found, 1, 3, FENCE(1, 3).digest);
	ck_assert_int_eq(deliver(h, 1, 4), LEAT_FATAL);
	found = claim(h, topic, 2);
	expect_fence(&found, 1, 3, FENCE(1, 3).digest);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

START_TEST(a_fence_that_is_missing_behind_a_claim_is_left_so)
{
	const char *topic = new_topic("missing");
	struct leat_claim of = { .pipeline = topic, .sink = "node", .is_fenced = true, .incarnation = 2, .delivered = { .incarnation = 1 } };
	struct host *h = sink_of(topic);
	struct leat_fence found;

	expect_ok(h, plugin()->sink->claim(h->self, &of, &found, &h->context, &h->err));
	expect_fence(&found, 0, 0, 0);
	ck_assert_int_eq(deliver(h, 2, 1), LEAT_FATAL);
	found = claim(h, topic, 2);
	expect_fence(&found, 0, 0, 0);
	found = claim(h, topic, 3);
	expect_fence(&found, 2, 0, 0);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

START_TEST(a_claim_finds_what_was_delivered)
{
	const char *topic = new_topic("found");
	struct host *h = sink_of(topic);
	struct leat_fence found;

	(void)claim(h, topic, 1);
	for (uint64_t epoch = 1; epoch <= 3; epoch++)
		expect_ok(h, deliver(h, 1, epoch));
	host_destroy(h);
	h = sink_of(topic);
	found = claim(h, topic, UINT64_MAX);
	expect_fence(&found, 1, 3, FENCE(1, 3).digest);
	found = claim(h, topic, UINT64_MAX);
	expect_fence(&found, UINT64_MAX, 3, FENCE(1, 3).digest);
	host_destroy(h);
	expect_committed(topic, 3 * N);
	topic_delete(topic);
}
END_TEST

START_TEST(a_delivery_that_is_repeated_is_made_once)
{
	const char *topic = new_topic("once");
	struct host *h = sink_of(topic);

	(void)claim(h, topic, 1);
	expect_ok(h, deliver(h, 1, 1));
	expect_ok(h, deliver(h, 1, 1));
	expect_ok(h, deliver(h, 1, 2));
	expect_ok(h, deliver(h, 1, 2));
	host_destroy(h);
	expect_committed(topic, 2 * N);
	topic_delete(topic);
}
END_TEST

START_TEST(a_delivery_that_does_not_follow_is_refused)
{
	const char *topic = new_topic("follow");
	struct host *h = sink_of(topic);

	ck_assert_int_eq(deliver(h, 1, 1), LEAT_UNKNOWN);
	expect_text(h, "is not claimed");
	(void)claim(h, topic, 1);
	expect_ok(h, deliver(h, 1, 1));
	ck_assert_int_eq(deliver(h, 1, 3), LEAT_FATAL);
	expect_text(h, "is epoch 1 (fedcba9800000001) of incarnation 1, expected epoch 2 (fedcba9800000002) of incarnation 1");
	expect_ok(h, deliver(h, 1, 2));
	host_destroy(h);
	expect_committed(topic, 2 * N);
	topic_delete(topic);
}
END_TEST

START_TEST(a_delivery_of_nothing_sets_the_fence)
{
	const char *topic = new_topic("empty");
	struct leat_fence expected = { .incarnation = 1 }, next = FENCE(1, 9), found;
	struct host *h = sink_of(topic);

	(void)claim(h, topic, 1);
	expect_ok(h, sink_write_fenced(h, &expected, &next, records, 0));
	found = claim(h, topic, 1);
	expect_fence(&found, 1, 9, next.digest);
	host_destroy(h);
	expect_committed(topic, 0);
	topic_delete(topic);
}
END_TEST

START_TEST(a_claim_of_another_kind_is_told)
{
	const char *topic = new_topic("kind");
	struct host *h = sink_of(topic);

	expect_ok(h, sink_claim(h));
	ck_assert_int_eq(deliver(h, 1, 1), LEAT_UNKNOWN);
	(void)claim(h, topic, 1);
	ck_assert_int_eq(sink_write(h, records, N), LEAT_UNKNOWN);
	expect_ok(h, deliver(h, 1, 1));
	expect_ok(h, sink_claim(h));
	expect_ok(h, sink_write(h, records, N));
	host_destroy(h);
	expect_committed(topic, 2 * N);
	topic_delete(topic);
}
END_TEST

/* ---- others ------------------------------------------------------------------------------------------------------------ */

START_TEST(a_former_owner_cannot_deliver)
{
	const char *topic = new_topic("zombie");
	struct host *old = sink_of(topic), *new = sink_of(topic);
	struct leat_fence found;

	(void)claim(old, topic, 1);
	expect_ok(old, deliver(old, 1, 1));
	found = claim(new, topic, 2);
	expect_fence(&found, 1, 1, FENCE(1, 1).digest);
	ck_assert_int_eq(deliver(old, 1, 2), LEAT_UNKNOWN);
	expect_ok(new, deliver(new, 2, 2));
	/* It is told who owns the sink, and does not disturb it. */
	found = claim(old, topic, 1);
	expect_fence(&found, 2, 2, FENCE(2, 2).digest);
	ck_assert_int_eq(deliver(old, 1, 3), LEAT_FATAL);
	expect_text(old, "another instance owns the sink");
	expect_ok(new, deliver(new, 2, 3));
	expect_ok(new, deliver(new, 2, 4));
	host_destroy(old);
	host_destroy(new);
	expect_committed(topic, 4 * N);
	topic_delete(topic);
}
END_TEST

/* A producer of the sink's, as one that is stuck in the middle of a transaction. */
static rd_kafka_t *stuck_producer(const char *topic, int which)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char id[128], value[] = "stuck";
	rd_kafka_t *rk;

	(void)snprintf(id, sizeof id, "leat-%s-node-%d", topic, which);
	(void)rd_kafka_conf_set(conf, "bootstrap.servers", brokers(), NULL, 0);
	(void)rd_kafka_conf_set(conf, "transactional.id", id, NULL, 0);
	(void)rd_kafka_conf_set(conf, "log_level", "0", NULL, 0);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, NULL, 0);
	ck_assert_ptr_nonnull(rk);
	ck_assert_ptr_null(rd_kafka_init_transactions(rk, 15000));
	ck_assert_ptr_null(rd_kafka_begin_transaction(rk));
	for (int32_t i = 0; i < PARTITIONS; i++)
		(void)rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i), RD_KAFKA_V_VALUE(value, 5), RD_KAFKA_V_END);
	ck_assert_int_eq(rd_kafka_flush(rk, 15000), RD_KAFKA_RESP_ERR_NO_ERROR);
	return rk;
}

START_TEST(what_a_former_owner_has_under_way_is_never_seen)
{
	const char *topic = new_topic("stuck");
	rd_kafka_t *stuck[2] = { stuck_producer(topic, 0), stuck_producer(topic, 1) };
	struct host *h = sink_of(topic);
	struct leat_fence found = claim(h, topic, 2);

	expect_fence(&found, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		rd_kafka_error_t *error = rd_kafka_commit_transaction(stuck[i], 15000);

		ck_assert_ptr_nonnull(error);
		rd_kafka_error_destroy(error);
		rd_kafka_destroy(stuck[i]);
	}
	expect_ok(h, deliver(h, 2, 1));
	host_destroy(h);
	expect_committed(topic, N);
	topic_delete(topic);
}
END_TEST

/* Not by the sink's own producers, whose transactions a claim ends. */
START_TEST(a_claim_does_not_believe_a_fence_that_may_still_change)
{
	const char *topic = new_topic("pending");
	rd_kafka_consumer_group_metadata_t *group;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_t *stuck = stuck_producer(topic, 7);
	struct host *h = sink_of(topic);
	struct leat_fence found;
	char name[128];

	(void)snprintf(name, sizeof name, "leat-fence-%s-node", topic);
	group = rd_kafka_consumer_group_metadata_new(name);
	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 1;
	ck_assert_ptr_null(rd_kafka_send_offsets_to_transaction(stuck, list, group, 15000));
	ck_assert_int_eq(sink_claim_fenced(h, topic, 1, &found), LEAT_RETRY);
	expect_text(h, "could not read the fence of topic");
	ck_assert_ptr_null(rd_kafka_abort_transaction(stuck, 15000));
	found = claim(h, topic, 1);
	expect_fence(&found, 0, 0, 0);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_consumer_group_metadata_destroy(group);
	rd_kafka_destroy(stuck);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

/* Another program, in the group of the topic's sink. */
static rd_kafka_t *group_member(const char *topic)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	char name[128];

	(void)snprintf(name, sizeof name, "leat-fence-%s-node", topic);
	(void)rd_kafka_conf_set(conf, "bootstrap.servers", brokers(), NULL, 0);
	(void)rd_kafka_conf_set(conf, "group.id", name, NULL, 0);
	return rd_kafka_new(RD_KAFKA_CONSUMER, conf, NULL, 0);
}

/* What another program has written there is not a fence. */
START_TEST(a_group_that_is_used_otherwise_is_told)
{
	const char *topic = new_topic("used");
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	struct host *h = sink_of(topic);
	rd_kafka_t *rk = group_member(topic);
	struct leat_fence found;

	rd_kafka_topic_partition_list_add(list, topic, 0)->offset = 1;
	ck_assert_int_eq(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
	ck_assert_int_eq(sink_claim_fenced(h, topic, 1, &found), LEAT_FATAL);
	expect_text(h, "holds something else than a fence");
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

START_TEST(a_broker_keeps_the_longest_fence)
{
	const char *topic = new_topic("long");
	const struct leat_fence longest = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	char text[4096] = "f1 ffffffffffffffff 18446744073709551615 ffffffffffffffff 0:";
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *stored = rd_kafka_topic_partition_list_add(list, topic, 0);
	struct host *h = sink_of(topic);
	rd_kafka_t *rk = group_member(topic);
	struct leat_fence found;

	memset(text + strlen(text), 'o', 4000 - strlen("0:"));
	stored->offset = 0;
	stored->metadata = strdup(text);
	stored->metadata_size = strlen(text);
	ck_assert_int_eq(rd_kafka_commit(rk, list, 0), RD_KAFKA_RESP_ERR_NO_ERROR);
	for (int i = 0; i < 2; i++) { /* and writes it */
		found = claim(h, topic, UINT64_MAX);
		expect_fence(&found, longest.incarnation, longest.epoch, longest.digest);
	}
	ck_assert_int_eq(rd_kafka_committed(rk, list, 15000), RD_KAFKA_RESP_ERR_NO_ERROR);
	ck_assert_uint_eq(stored->metadata_size, strlen(text));
	ck_assert_int_eq(memcmp(stored->metadata, text, strlen(text)), 0);
	rd_kafka_topic_partition_list_destroy(list);
	rd_kafka_destroy(rk);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

/* In a process of its own, until it is killed. */
static void deliver_for_ever(const char *topic, uint64_t incarnation, int told)
{
	struct host *h = sink_of(topic);
	struct leat_fence found, next, expected;

	if (sink_claim_fenced(h, topic, incarnation, &found) != LEAT_OK)
		_exit(1);
	for (expected = found, expected.incarnation = incarnation;; expected = next) {
		next = FENCE(incarnation, expected.epoch + 1);
		if (sink_write_fenced(h, &expected, &next, records, N) != LEAT_OK || write(told, "", 1) != 1)
			_exit(1);
	}
}

START_TEST(a_process_that_is_killed_has_delivered_what_its_fence_says)
{
	enum { KILLS = 16, DELIVERIES = 3 };
	const char *topic = new_topic("kill");
	struct leat_fence found = { 0 };
	struct host *h;
	char byte;

	for (uint64_t round = 1; round <= KILLS; round++) {
		int told[2], outcome;
		pid_t pid;

		ck_assert_int_eq(pipe(told), 0);
		pid = fork();
		ck_assert_int_ge(pid, 0);
		if (pid == 0)
			deliver_for_ever(topic, round, told[1]);
		(void)close(told[1]);
		for (int i = 0; i < DELIVERIES; i++)
			ck_assert_int_eq(read(told[0], &byte, 1), 1);
		(void)usleep((useconds_t)round * 900); /* somewhere within the next one, or the one after */
		ck_assert_int_eq(kill(pid, SIGKILL), 0);
		ck_assert_int_eq(waitpid(pid, &outcome, 0), pid);
		ck_assert(WIFSIGNALED(outcome));
		(void)close(told[0]);
	}
	h = sink_of(topic);
	found = claim(h, topic, KILLS + 1);
	ck_assert_uint_eq(found.incarnation, KILLS);
	ck_assert_uint_ge(found.epoch, KILLS * DELIVERIES);
	expect_committed(topic, found.epoch * N);
	host_destroy(h);
	topic_delete(topic);
}
END_TEST

/* ---- trouble ----------------------------------------------------------------------------------------------------------- */

/* librdkafka's stand-in for a cluster, as a real one cannot be made to fail in the middle of a commit. It keeps no offsets
 * of transactions, so each claim finds nothing; and it does not tell a topic's limit, which a claim waits for. */
struct mock {
	char said[256];
	rd_kafka_t *rk;
	rd_kafka_mock_cluster_t *cluster;
	struct host *h;
};

enum { PRODUCE = 0, END_TXN = 26, TXN_OFFSET_COMMIT = 28 };

static void mock_open(struct mock *m)
{
	m->rk = rd_kafka_new(RD_KAFKA_PRODUCER, NULL, m->said, sizeof m->said);
	m->cluster = rd_kafka_mock_cluster_new(m->rk, 1);
	ck_assert_int_eq(rd_kafka_mock_topic_create(m->cluster, "t", PARTITIONS, 1), RD_KAFKA_RESP_ERR_NO_ERROR);
	m->h = sink_create(OPTIONS("brokers", rd_kafka_mock_cluster_bootstraps(m->cluster), "topic", "t"));
	make_records();
	(void)claim(m->h, "t", 1);
}

static void mock_close(struct mock *m)
{
	host_destroy(m->h);
	rd_kafka_mock_cluster_destroy(m->cluster);
	rd_kafka_destroy(m->rk);
}

/* The connection is lost with a request on it: librdkafka sends it again and is content, but the first one may still be on its
 * way, and end or change a later transaction. */
START_TEST(a_commit_or_a_fence_that_is_sent_twice_is_in_doubt)
{
	static const int16_t requests[] = { END_TXN, TXN_OFFSET_COMMIT };
	struct mock m;

	mock_open(&m);
	for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
		if (i > 0)
			(void)claim(m.h, "t", 1);
		expect_ok(m.h, deliver(m.h, 1, 1));
		rd_kafka_mock_push_request_errors(m.cluster, requests[i], 1, RD_KAFKA_RESP_ERR__TRANSPORT);
		ck_assert_int_eq(deliver(m.h, 1, 2), LEAT_UNKNOWN);
		expect_text(m.h, "had to be sent again");
		ck_assert_int_eq(deliver(m.h, 1, 2), LEAT_UNKNOWN);
		expect_text(m.h, "is not claimed");
	}
	mock_close(&m);
}
END_TEST

START_TEST(a_commit_without_an_answer_is_in_doubt)
{
	double begin;
	struct mock m;

	mock_open(&m);
	begin = now_s();
	(void)rd_kafka_mock_broker_push_request_error_rtts(m.cluster, 1, END_TXN, 1, RD_KAFKA_RESP_ERR_NO_ERROR, 60000);
	ck_assert_int_eq(deliver(m.h, 1, 1), LEAT_UNKNOWN);
	ck_assert(now_s() - begin < 40);
	mock_close(&m);
}
END_TEST

START_TEST(a_delivery_that_is_not_permitted_is_told)
{
	struct mock m;

	mock_open(&m);
	rd_kafka_mock_push_request_errors(m.cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_int_eq(deliver(m.h, 1, 1), LEAT_FATAL);
	expect_text(m.h, "cannot write messages of topic \"t\"");
	mock_close(&m);
}
END_TEST

START_TEST(a_fence_that_is_not_permitted_is_told)
{
	struct leat_fence found;
	struct mock m;

	mock_open(&m);
	rd_kafka_mock_push_request_errors(m.cluster, TXN_OFFSET_COMMIT, 1, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED);
	ck_assert_int_eq(sink_claim_fenced(m.h, "t", 2, &found), LEAT_FATAL);
	expect_text(m.h, "cannot write the fence of topic \"t\"");
	mock_close(&m);
}
END_TEST

START_TEST(a_claim_names_what_is_not_there)
{
	struct leat_fence found;
	struct host *h = sink_create(OPTIONS("brokers", "127.0.0.1:9", "topic", "any"));
	double begin = now_s();

	ck_assert_int_eq(sink_claim_fenced(h, "p", 1, &found), LEAT_RETRY);
	ck_assert_str_eq(h->err.text, "could not reach kafka at 127.0.0.1:9: connection refused");
	ck_assert(now_s() - begin < 30);
	host_destroy(h);
	h = sink_of("leat-no-such-topic");
	ck_assert_int_eq(sink_claim_fenced(h, "p", 1, &found), LEAT_FATAL);
	expect_text(h, "topic \"leat-no-such-topic\" does not exist");
	host_destroy(h);
}
END_TEST

START_TEST(only_the_message_that_the_broker_refuses_is_refused)
{
	enum { M = 40 };
	const char *topic = topic_name("refuse");
	struct leat_fence expected = { .incarnation = 1 };
	struct leat_record many[M];
	static struct seen seen[2 * M];
	char *large = (char *)calloc(1, 6001), values[M][16];
	struct host *h;

	for (int i = 0; i < 6000; i++)
		large[i] = (char)('a' + (i * 7919 / 13) % 26);
	topic_create(topic, 1, NULL, NULL);
	h = sink_create(OPTIONS("brokers", brokers(), "topic", topic, "compression", "none"));
	(void)claim(h, topic, 1);
	topic_alter(topic, "max.message.bytes", "2000"); /* behind our back; all small ones together are too large as well */
	for (int i = 0; i < M; i++) {
		(void)snprintf(values[i], sizeof values[i], "%d", i);
		many[i] = text_record("a key of fifty characters, so that many are large.", i == 12 || i == 30 ? large : values[i]);
	}
	for (uint64_t epoch = 1; epoch <= 2; epoch++) {
		struct leat_fence next = FENCE(1, epoch);

		if (epoch == 2) { /* encode() knows better now, so it is made to forget */
			ck_assert_int_eq(sink_write_fenced(h, &expected, &next, many, 1), LEAT_UNKNOWN);
			topic_alter(topic, "max.message.bytes", "10000");
			(void)claim(h, topic, 1);
			topic_alter(topic, "max.message.bytes", "2000");
		}
		expect_ok(h, sink_write_fenced(h, &expected, &next, many, M));
		ck_assert_uint_eq(h->n_refusals, 2);
		ck_assert_uint_eq(h->refused[0], 12);
		ck_assert_uint_eq(h->refused[1], 30);
		ck_assert_msg(strstr(h->refusal, "refused a message of 6") != NULL, "%s", h->refusal);
		expected = next;
	}
	host_destroy(h);
	ck_assert_uint_eq(topic_read(topic, 1, seen, 2 * M), 2 * (M - 2));
	for (size_t i = 1; i < M - 2; i++)
		ck_assert_int_gt(atoi(seen[i].value + 1), atoi(seen[i - 1].value + 1));
	free(large);
	topic_delete(topic);
}
END_TEST

static void expect_refusals(const struct host *h, bool is_first, size_t n_before)
{
	const char *reason = strstr(h->refusal, "refused a message of 6");

	ck_assert_uint_eq(h->n_refusals, 2);
	ck_assert_uint_eq(h->refused[0], n_before + 1);
	ck_assert_uint_eq(h->refused[1], n_before + 3);
	ck_assert_msg(reason != NULL && (strstr(reason, "bytes: ") != NULL) == is_first, "%s", h->refusal);
}

/* What is kept goes with the fence: the host may not have heard it the first time, and perhaps has ended since. */
START_TEST(refused_messages_are_the_same_when_a_delivery_comes_again)
{
	static const uint64_t owners[] = { 1, 1, 2, 9 };
	const char *topic = new_topic("again");
	struct leat_record some[N], more[N + 2];
	struct leat_fence found, expected = { .incarnation = 1 }, next = FENCE(1, 5);
	char *large = (char *)calloc(1, 6001);
	struct host *h = sink_create(OPTIONS("brokers", brokers(), "topic", topic, "compression", "none"));

	memset(large, 'x', 6000);
	for (size_t i = 0; i < N; i++)
		some[i] = text_record("k", i == 1 || i == 3 ? large : "small");
	(void)claim(h, topic, 1);
	topic_alter(topic, "max.message.bytes", "2000");
	expect_ok(h, sink_write_fenced(h, &expected, &next, some, N));
	expect_refusals(h, true, 0);
	topic_alter(topic, "max.message.bytes", "10000"); /* the broker would take them now */
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		host_destroy(h);
		h = sink_of(topic);
		found = claim(h, topic, owners[i]);
		expect_fence(&found, i == 0 ? 1 : owners[i - 1], 5, next.digest);
		expected.incarnation = next.incarnation = owners[i];
		for (int j = 0; j < 2; j++) {
			expect_ok(h, sink_write_fenced(h, &expected, &next, some, N));
			expect_refusals(h, false, 0);
		}
	}
	/* The host may not have noted the delivery before it, and then both come as one. */
	memcpy(more + 2, some, sizeof some);
	more[0] = more[1] = text_record("k", "before");
	expect_ok(h, sink_write_fenced(h, &FENCE(9, 3), &next, more, N + 2));
	expect_refusals(h, false, 2);
	ck_assert_int_eq(sink_write_fenced(h, &expected, &next, some, 2), LEAT_FATAL); /* which cannot be that delivery */
	expect_text(h, "from the end as refused, of a delivery of 2");
	for (int i = 0; i < 3; i++) { /* the next one forgets them, even without messages */
		expect_ok(h, sink_write_fenced(h, &next, &FENCE(9, 6), some, 0));
		ck_assert_uint_eq(h->n_refusals, 0);
		if (i == 1)
			(void)claim(h, topic, 9);
	}
	host_destroy(h);
	expect_committed(topic, N - 2);
	free(large);
	topic_delete(topic);
}
END_TEST

/* ---- order and figures ------------------------------------------------------------------------------------------------- */

START_TEST(order_within_a_key_is_kept_over_deliveries)
{
	enum { DELIVERIES = 40, M = 25 };
	const char *topic = new_topic("order");
	static struct seen seen[DELIVERIES * M];
	struct leat_fence expected = { .incarnation = 1 };
	struct host *h = sink_of(topic);
	int last[3] = { -1, -1, -1 };

	(void)claim(h, topic, 1);
	for (int d = 0; d < DELIVERIES; d++) {
		static const char *const keys[3] = { "k0", "k1", "k2" };
		struct leat_fence next = FENCE(1, (uint64_t)d + 1);
		struct leat_record some[M];
		char values[M][16];

		for (int i = 0; i < M; i++) {
			(void)snprintf(values[i], sizeof values[i], "%d", d * M + i);
			some[i] = text_record(keys[i % 3], values[i]);
		}
		expect_ok(h, sink_write_fenced(h, &expected, &next, some, M));
		expected = next;
	}
	host_destroy(h);
	ck_assert_uint_eq(topic_read(topic, PARTITIONS, seen, DELIVERIES * M), DELIVERIES * M);
	for (size_t i = 0; i < DELIVERIES * M; i++) {
		int key = seen[i].key[1] - '0', value = atoi(seen[i].value + 1);

		ck_assert_int_gt(value, last[key]);
		last[key] = value;
	}
	topic_delete(topic);
}
END_TEST

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Deliveries of n; prints how long they take. */
static void measure(struct host *h, struct leat_fence *fence, size_t n_deliveries, size_t n, const struct leat_record *some)
{
	double *took = (double *)calloc(n_deliveries, sizeof *took), sum = 0;

	for (size_t i = 0; i < n_deliveries; i++) {
		struct leat_fence next = FENCE(1, fence->epoch + 1);
		double begin = now_s();

		expect_ok(h, sink_write_fenced(h, fence, &next, some, n));
		took[i] = now_s() - begin;
		sum += took[i];
		*fence = next;
	}
	qsort(took, n_deliveries, sizeof *took, compare);
	printf("fenced: deliveries of %zu take %.1f ms (P50), %.1f ms (P99); %.0f events/s\n", n, 1e3 * took[n_deliveries / 2],
	       1e3 * took[n_deliveries * 99 / 100], (double)(n * n_deliveries) / sum);
	free(took);
}

START_TEST(throughput_is_printed)
{
	enum { BATCH = 2000 };
	const char *topic = topic_name("speed");
	struct leat_record *some = (struct leat_record *)calloc(BATCH, sizeof *some);
	char (*keys)[16] = calloc(BATCH, sizeof *keys);
	struct leat_fence fence = { .incarnation = 1 };
	char value[150];
	struct host *h;
	double begin;

	memset(value, 'v', sizeof value);
	value[sizeof value - 1] = '\0';
	for (int i = 0; i < BATCH; i++) {
		(void)snprintf(keys[i], sizeof *keys, "user%d", i % 997);
		some[i] = text_record(keys[i], value);
	}
	topic_create(topic, 4, NULL, NULL);
	h = sink_of(topic);
	begin = now_s();
	(void)claim(h, topic, 1);
	printf("fenced: %.0f ms for the first claim\n", 1e3 * (now_s() - begin));
	begin = now_s();
	(void)claim(h, topic, 1);
	printf("fenced: %.0f ms for another\n", 1e3 * (now_s() - begin));
	for (int i = 0; i < 2; i++)
		measure(h, &fence, 1, 75, some); /* the first one of each producer */
	measure(h, &fence, 400, 75, some);
	measure(h, &fence, 100, BATCH, some);
	host_destroy(h);
	ck_assert_uint_eq(topic_read(topic, 4, NULL, 0), 402 * 75 + 100 * BATCH);
	free(some);
	free(keys);
	topic_delete(topic);
}
END_TEST

int main(void)
{
	const char *ci = getenv("CI");

#ifdef __SANITIZE_THREAD__
	puts("skipped: the thread sanitizer cannot follow librdkafka's threads"); /* as in test_kafka.c */
	return 77;
#endif
	if (!broker_answers()) {
		fprintf(stderr, "no broker at %s: scripts/services start kafka\n", brokers());
		return ci != NULL && strcmp(ci, "true") == 0 ? EXIT_FAILURE : 77;
	}
	return leat_test_main("kafka_fenced", (const TTest *[]){
		the_first_claim_finds_nothing,
		a_fence_that_is_behind_what_was_delivered_is_left_as_it_is,
		a_fence_that_is_missing_behind_a_claim_is_left_so,
		a_claim_finds_what_was_delivered,
		a_delivery_that_is_repeated_is_made_once,
		a_delivery_that_does_not_follow_is_refused,
		a_delivery_of_nothing_sets_the_fence,
		a_claim_of_another_kind_is_told,
		a_former_owner_cannot_deliver,
		what_a_former_owner_has_under_way_is_never_seen,
		a_claim_does_not_believe_a_fence_that_may_still_change,
		a_group_that_is_used_otherwise_is_told,
		a_broker_keeps_the_longest_fence,
		a_process_that_is_killed_has_delivered_what_its_fence_says,
		a_commit_or_a_fence_that_is_sent_twice_is_in_doubt,
		a_commit_without_an_answer_is_in_doubt,
		a_delivery_that_is_not_permitted_is_told,
		a_fence_that_is_not_permitted_is_told,
		a_claim_names_what_is_not_there,
		only_the_message_that_the_broker_refuses_is_refused,
		refused_messages_are_the_same_when_a_delivery_comes_again,
		order_within_a_key_is_kept_over_deliveries,
		throughput_is_printed,
		NULL });
}
