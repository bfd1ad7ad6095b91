/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The one place where librdkafka's and the brokers' errors get their meaning. What is not listed may work later: brokers
 * have many ways of saying "not now", and new ones come with every version.
 */

#include <ctype.h>

#include "kafka.h"

struct meaning {
	rd_kafka_resp_err_t code;
	enum leat_status status;
};

static const struct meaning meanings[] = {
	{ RD_KAFKA_RESP_ERR_NO_ERROR, LEAT_OK },

	/* one message is at fault */
	{ RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR_INVALID_RECORD, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, LEAT_REJECT },
	{ RD_KAFKA_RESP_ERR__BAD_MSG, LEAT_REJECT },

	/* nothing but a change of configuration helps */
	{ RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_SASL_MECHANISM, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_ILLEGAL_SASL_STATE, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__AUTHENTICATION, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__SSL, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_INVALID_REQUIRED_ACKS, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_INVALID_CONFIG, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_POLICY_VIOLATION, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_SECURITY_DISABLED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR_UNSUPPORTED_COMPRESSION_TYPE, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__NOT_IMPLEMENTED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__INVALID_ARG, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__NOT_CONFIGURED, LEAT_FATAL },
	{ RD_KAFKA_RESP_ERR__BAD_COMPRESSION, LEAT_FATAL },

	/* the producer is done for, and what it had in flight may or may not have arrived */
	{ RD_KAFKA_RESP_ERR__FATAL, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR__FENCED, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR__INCONSISTENT, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR__DESTROY, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR_UNKNOWN_PRODUCER_ID, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING, LEAT_UNKNOWN },
	{ RD_KAFKA_RESP_ERR_PRODUCER_FENCED, LEAT_UNKNOWN },
};

enum leat_status kafka_status(rd_kafka_resp_err_t code)
{
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
		if (meanings[i].code == code)
			return meanings[i].status;
	return LEAT_RETRY;
}

bool kafka_is_missing(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
	       code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION;
}

bool kafka_is_away(rd_kafka_resp_err_t code)
{
	return code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
	       code == RD_KAFKA_RESP_ERR__TIMED_OUT || code == RD_KAFKA_RESP_ERR__RESOLVE ||
	       code == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || code == RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE ||
	       code == RD_KAFKA_RESP_ERR__WAIT_COORD || code == RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT;
}

/* It says: "127.0.0.1:9/bootstrap: Connect to ipv4#127.0.0.1:9 failed: Connection refused (after 0ms in state CONNECT, 1
 * identical error(s) suppressed)". Host and port stand in our own text already. */
void kafka_shorten(const char *said, char *out, size_t out_n)
{
	const char *begin = strstr(said, " failed: ");
	const char *end;

	if (begin != NULL)
		begin += strlen(" failed: ");
	else if ((begin = strstr(said, ": ")) != NULL)
		begin += 2;
	else
		begin = said;
	end = strstr(begin, " (after ");
	(void)snprintf(out, out_n, "%.*s", (int)(end == NULL ? strlen(begin) : (size_t)(end - begin)), begin);
	/* One line in our voice, but not at the cost of an abbreviation such as SASL. */
	if (out[0] != '\0' && !isupper((unsigned char)out[1]))
		out[0] = (char)tolower((unsigned char)out[0]);
	for (char *p = out; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}
