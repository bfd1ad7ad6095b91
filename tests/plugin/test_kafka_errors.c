/* SPDX-License-Identifier: Apache-2.0 */

/* What the kafka plugin makes of librdkafka's errors, words and settings; no broker needed. */

#include "../../plugins/kafka/kafka.h"
#include "unit/unit.h"

START_TEST(each_error_has_its_status)
{
	static const struct {
		rd_kafka_resp_err_t code;
		enum leat_status status;
	} table[] = {
		{ RD_KAFKA_RESP_ERR_NO_ERROR, LEAT_OK },
		/* away or busy: later */
		{ RD_KAFKA_RESP_ERR__TRANSPORT, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__RESOLVE, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__TIMED_OUT, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__QUEUE_FULL, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR__PURGE_QUEUE, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_NOT_COORDINATOR, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_THROTTLING_QUOTA_EXCEEDED, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, LEAT_RETRY },
		{ RD_KAFKA_RESP_ERR_CONCURRENT_TRANSACTIONS, LEAT_RETRY },
		/* one that this version does not know */
		{ (rd_kafka_resp_err_t)12345, LEAT_RETRY },
		/* this message never */
		{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LEAT_REJECT },
		{ RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, LEAT_REJECT },
		{ RD_KAFKA_RESP_ERR_INVALID_RECORD, LEAT_REJECT },
		{ RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, LEAT_REJECT },
		/* nothing ever */
		{ RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR__AUTHENTICATION, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR__SSL, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, LEAT_FATAL },
		{ RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, LEAT_FATAL },
		/* perhaps it has arrived */
		{ RD_KAFKA_RESP_ERR__FATAL, LEAT_UNKNOWN },
		{ RD_KAFKA_RESP_ERR__FENCED, LEAT_UNKNOWN },
		{ RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, LEAT_UNKNOWN },
		{ RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LEAT_UNKNOWN },
		{ RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LEAT_UNKNOWN },
		{ RD_KAFKA_RESP_ERR_PRODUCER_FENCED, LEAT_UNKNOWN },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++)
		ck_assert_msg(kafka_status(table[i].code) == table[i].status, "%s: %d, expected %d", rd_kafka_err2name(table[i].code),
		              (int)kafka_status(table[i].code), (int)table[i].status);
}
END_TEST

START_TEST(words_about_a_connection_are_cut_to_the_reason)
{
	static const char *const table[][2] = {
		{ "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT)",
		  "connection refused" },
		{ "x:1/bootstrap: Failed to resolve 'x:1': Name or service not known (after 4ms in state CONNECT)",
		  "failed to resolve 'x:1': Name or service not known" },
		{ "sasl_ssl://x:1/0: SASL authentication error: wrong password\n(after 4ms in state AUTH_REQ)",
		  "SASL authentication error: wrong password (after 4ms in state AUTH_REQ)" },
		{ "nothing known", "nothing known" },
		{ "", "" },
	};
	char out[128];

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		kafka_shorten(table[i][0], out, sizeof out);
		ck_assert_str_eq(out, table[i][1]);
	}
}
END_TEST

START_TEST(start_is_a_word_or_a_time)
{
	static const struct {
		const char *text;
		enum kafka_start start;
		int64_t ms;
	} table[] = {
		{ "stored", KAFKA_STORED, 0 },
		{ "earliest", KAFKA_EARLIEST, 0 },
		{ "latest", KAFKA_LATEST, 0 },
		{ "0", KAFKA_TIME, 0 },
		{ "1700000000123", KAFKA_TIME, 1700000000123 },
		{ "2023-11-14T22:13:20Z", KAFKA_TIME, 1700000000000 },
		{ "2023-11-14 22:13:20.5Z", KAFKA_TIME, 1700000000500 },
		{ "2023-11-14t23:13:20.1239999+01:00", KAFKA_TIME, 1700000000123 },
		{ "2023-11-14T17:43:20-04:30", KAFKA_TIME, 1700000000000 },
		{ "2024-02-29T00:00:00Z", KAFKA_TIME, 1709164800000 },
	};
	static const char *const wrong[] = { "", "newest", "Latest", "-1", "12 ", "1.5", "9999999999999999", "2023-11-14",
		                             "2023-11-14T22:13:20",
		                             "2023-13-14T22:13:20Z", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20Zx", "2023-02-30T00:00:00Z" };
	enum kafka_start start;
	int64_t ms;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		ms = 0;
		ck_assert_msg(kafka_start_parse(table[i].text, &start, &ms), "%s", table[i].text);
		ck_assert_int_eq(start, table[i].start);
		ck_assert_int_eq(ms, table[i].ms);
	}
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_msg(!kafka_start_parse(wrong[i], &start, &ms), "%s", wrong[i]);
}
END_TEST

START_TEST(an_anchor_survives_its_note)
{
	static const struct kafka_anchor anchors[] = {
		{ 0, 0, 0 }, { 17, 1700000000123, 0xfeedfacecafebeef }, { INT64_MAX, 99999999999999, UINT64_MAX },
	};
	struct leat_position position;
	struct kafka_anchor read;

	for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
		kafka_anchor_write(&anchors[i], position.note, sizeof position.note);
		ck_assert(kafka_anchor_read(position.note, &read));
		ck_assert_int_eq(read.offset, anchors[i].offset);
		ck_assert_int_eq(read.time_ms, anchors[i].time_ms);
		ck_assert_uint_eq(read.hash, anchors[i].hash);
	}
	ck_assert(!kafka_anchor_read("", &read));
	ck_assert(!kafka_anchor_read("a2 1 2 3", &read));
}
END_TEST

START_TEST(a_fence_survives_its_text)
{
	static const struct kafka_fence fences[] = {
		{ { 0, 0, 0 }, "" },
		{ { 1, 2, 3 }, "" },
		{ { UINT64_MAX, UINT64_MAX, UINT64_MAX }, "1234567890:0ao" },
		{ { 0xabcdef, 17, 0xfeedfacecafebeef }, "12:I" },
	};
	static const char *const wrong[] = { "", "f1", "f1 1 2", "f2 1 2 3", "f1 1 2 3 4", "f1 1 2 3x", "f1 x 2 3",
		                             "f1 1 2 3 :1", "f1 1 2 3 12:p", "f1 1 2 3 12:1/", "f1 1 2 3 12:1 ", "f1 1 2 3 x:1",
		                             "f1 1 2 3 1234567890123456789:1" };
	char text[KAFKA_FENCE_TEXT];
	struct kafka_fence read;

	for (size_t i = 0; i < sizeof fences / sizeof *fences; i++) {
		kafka_fence_write(&fences[i], text);
		ck_assert(kafka_fence_read(text, &read));
		ck_assert_uint_eq(read.is.incarnation, fences[i].is.incarnation);
		ck_assert_uint_eq(read.is.epoch, fences[i].is.epoch);
		ck_assert_uint_eq(read.is.digest, fences[i].is.digest);
		ck_assert_str_eq(read.refused, fences[i].refused);
	}
	ck_assert_str_eq(text, "f1 abcdef 17 feedfacecafebeef 12:I");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		ck_assert_msg(!kafka_fence_read(wrong[i], &read), "%s", wrong[i]);
}
END_TEST

/* `every` of `n` from `first` on, written and read again; how many did not fit. */
static size_t expect_refused(size_t first, size_t every, size_t n)
{
	rd_kafka_resp_err_t *verdict = (rd_kafka_resp_err_t *)calloc(n, sizeof *verdict);
	char text[KAFKA_REFUSED_TEXT];
	size_t i, n_lost, n_told = 0, at = 0;

	for (i = first; i < n; i += every)
		verdict[i] = RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
	n_lost = kafka_refused_write(verdict, n, text);
	ck_assert_uint_lt(strlen(text), KAFKA_REFUSED_TEXT);
	/* Of a delivery that begins ten earlier, too. */
	while ((at = kafka_refused_next(text, n, at)) != SIZE_MAX) {
		ck_assert_uint_eq(at, first + n_told++ * every);
		ck_assert_uint_eq(kafka_refused_next(text, n + 10, at + 10), at + 10);
		at++;
	}
	ck_assert_uint_eq(kafka_refused_span(text), first < n ? n - first : 0);
	ck_assert_uint_eq(kafka_refused_next(text, n - 1 - first, 0), SIZE_MAX);
	ck_assert_uint_eq(n_told + n_lost, first < n ? (n - first + every - 1) / every : 0);
	free(verdict);
	return n_lost;
}

START_TEST(refused_messages_survive_their_text)
{
	static const size_t sizes[] = { 1, 5, 6, 7, 12, 13, 1000, 16384 };
	size_t i, every;

	for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
		for (every = 1; every < 14; every++) {
			ck_assert_uint_eq(expect_refused(0, every, sizes[i]), 0);
			ck_assert_uint_eq(expect_refused(sizes[i] - 1, every, sizes[i]), 0);
			ck_assert_uint_eq(expect_refused(sizes[i] / 3, every, sizes[i]), 0);
		}
	ck_assert_uint_eq(expect_refused(100, 1, 100), 0); /* none */
}
END_TEST

START_TEST(refused_messages_that_do_not_fit_are_counted)
{
	const size_t fit = (KAFKA_REFUSED_TEXT - 1 - strlen("23000:")) * 6;

	ck_assert_uint_eq(expect_refused(0, 1, fit), 0);
	ck_assert_uint_eq(expect_refused(0, 1, fit + 1), 1);
	ck_assert_uint_eq(expect_refused(0, 2, fit + 1000), 500);
	ck_assert_uint_eq(expect_refused(999999, 1, 1000000), 0);
}
END_TEST

int main(void)
{
	return leat_test_main("kafka_errors", (const TTest *[]){ each_error_has_its_status,
	                                                         words_about_a_connection_are_cut_to_the_reason,
	                                                         start_is_a_word_or_a_time, an_anchor_survives_its_note,
	                                                         a_fence_survives_its_text, refused_messages_survive_their_text,
	                                                         refused_messages_that_do_not_fit_are_counted, NULL });
}
