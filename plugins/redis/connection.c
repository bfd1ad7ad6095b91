/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection. hiredis connects and parses replies; requests are written here, since hiredis 0.14 writes in a way that
 * a connection closed by the server answers with SIGPIPE, and waits per read instead of up to a deadline.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>

#include "../shared/text.h"
#include "redis.h"

int64_t redis_clock_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

enum leat_status redis_check_options(const struct redis_options *options, struct leat_error *err)
{
	if (options->user == NULL || options->password != NULL)
		return LEAT_OK;
	(void)leat_error_set(err, LEAT_FATAL, 0, "redis user \"%s\" needs a password", options->user);
	return leat_error_at(err, "user");
}

void redis_close(struct redis *redis)
{
	if (redis->conn != NULL)
		redisFree(redis->conn);
	redis->conn = NULL;
}

static bool wait_for(const struct redis *redis, short events, int64_t deadline_us)
{
	struct pollfd fd = { .fd = redis->conn->fd, .events = events };
	int64_t left_us;
	int n;

	do {
		left_us = deadline_us - redis_clock_us();
		n = left_us <= 0 ? 0 : poll(&fd, 1, (int)(left_us / 1000) + 1);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

bool redis_write(struct redis *redis, const char *bytes, size_t n, int64_t deadline_us)
{
	ssize_t sent;

	while (n > 0) {
		sent = send(redis->conn->fd, bytes, n, MSG_NOSIGNAL);
		if (sent >= 0) {
			bytes += sent;
			n -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			if (!wait_for(redis, POLLOUT, deadline_us))
				return false;
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

redisReply *redis_read(struct redis *redis, int64_t deadline_us)
{
	void *reply = NULL;

	errno = 0;
	while (redisGetReplyFromReader(redis->conn, &reply) == REDIS_OK && reply == NULL)
		if (!wait_for(redis, POLLIN, deadline_us) || redisBufferRead(redis->conn) != REDIS_OK)
			break;
	return (redisReply *)reply;
}

enum leat_status redis_lost(struct redis *redis, bool is_unknown, struct leat_error *err)
{
	enum leat_status status = is_unknown ? LEAT_UNKNOWN : LEAT_RETRY;
	int code = errno;
	char text[128];
	const char *reason = code != 0 ? strerror(code) : "connection closed";

	text_copy_message(text, sizeof text, redis->conn->err != 0 ? redis->conn->errstr : reason);
	(void)leat_error_set(err, status, code, "could not hear from redis at %s: %s", redis->at, text);
	redis_close(redis);
	return status;
}

static struct timeval to_timeval(int64_t us)
{
	return (struct timeval){ .tv_sec = (time_t)(us / 1000000), .tv_usec = (suseconds_t)(us % 1000000) };
}

void redis_print_address(const struct redis_options *o, char *at, size_t size)
{
	if (o->socket != NULL)
		(void)snprintf(at, size, "%.280s", o->socket);
	else
		(void)snprintf(at, size, "%.255s:%lld", o->host, (long long)o->port);
}

static enum leat_status connect_to(struct redis *redis, struct leat_error *err)
{
	const struct redis_options *o = redis->options;
	struct timeval patience = to_timeval(o->connect_timeout_us);
	char text[128];
	int flags;

	redis_print_address(o, redis->at, sizeof redis->at);
	if (o->socket != NULL)
		redis->conn = redisConnectUnixWithTimeout(o->socket, patience);
	else
		redis->conn = redisConnectWithTimeout(o->host, (int)o->port, patience);
	if (redis->conn == NULL)
		return leat_error_set(err, LEAT_RETRY, ENOMEM, "could not connect to redis at %s: out of memory", redis->at);
	if (redis->conn->err != 0) {
		text_copy_message(text, sizeof text, redis->conn->errstr);
		redis_close(redis);
		return leat_error_set(err, LEAT_RETRY, 0, "could not connect to redis at %s: %s", redis->at, text);
	}
	(void)redisEnableKeepAlive(redis->conn);
	redis->conn->flags &= ~REDIS_BLOCK;
	flags = fcntl(redis->conn->fd, F_GETFL);
	if (flags < 0 || fcntl(redis->conn->fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return redis_lost(redis, false, err);
	return LEAT_OK;
}

enum leat_status redis_ask(struct redis *redis, const struct leat_buffer *request, const char *what, int64_t timeout_us,
                           redisReply **out, struct leat_error *err)
{
	int64_t deadline_us = redis_clock_us() + timeout_us;
	redisReply *reply = redis_write(redis, request->data, request->n, deadline_us) ? redis_read(redis, deadline_us) : NULL;
	enum leat_status status = LEAT_OK;

	if (reply == NULL)
		return redis_lost(redis, false, err);
	if (reply->type == REDIS_REPLY_ERROR) {
		status = redis_reply_error(reply, what, NULL, err);
		if (status == LEAT_REJECT)
			status = redis_fatal(err);
		freeReplyObject(reply);
	} else {
		*out = reply;
	}
	return status;
}

/* A command of the greeting. */
static enum leat_status greet(struct redis *redis, const struct leat_buffer *request, const char *what, struct leat_error *err)
{
	redisReply *reply = NULL;
	enum leat_status status = redis_ask(redis, request, what, redis->options->connect_timeout_us, &reply, err);

	freeReplyObject(reply);
	return status;
}

static enum leat_status log_in(struct redis *redis, struct leat_error *err)
{
	const struct redis_options *o = redis->options;
	struct leat_buffer request = { 0 };
	enum leat_status status;
	char what[400];

	request_begin(&request, o->user != NULL ? 3 : 2);
	request_text(&request, "AUTH");
	if (o->user != NULL)
		request_text(&request, o->user);
	request_text(&request, o->password);
	(void)snprintf(what, sizeof what, "log in to redis at %s", redis->at);
	status = greet(redis, &request, what, err);
	leat_buffer_finish(&request);
	return status;
}

/* Shows in CLIENT LIST; a user that may not do it goes on without. It also shows at once whether a password is wanted. */
static enum leat_status name_connection(struct redis *redis, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_buffer request = { 0 };
	const char *pipeline = "", *node = leat_name(ctx, &pipeline);
	struct leat_error fault;
	enum leat_status status;
	char name[128], what[400];
	size_t i;

	(void)snprintf(name, sizeof name, "leat:%.50s:%.50s", pipeline, node);
	for (i = 0; name[i] != '\0'; i++)
		if (name[i] <= ' ' || name[i] > '~')
			name[i] = '_';
	request_begin(&request, 3);
	request_text(&request, "CLIENT");
	request_text(&request, "SETNAME");
	request_text(&request, name);
	(void)snprintf(what, sizeof what, "use redis at %s", redis->at);
	status = greet(redis, &request, what, &fault);
	leat_buffer_finish(&request);
	if (status == LEAT_FATAL && strstr(fault.text, ": NOAUTH") == NULL)
		return LEAT_OK;
	if (status != LEAT_OK && err != NULL)
		*err = fault;
	return status;
}

static enum leat_status select_database(struct redis *redis, struct leat_error *err)
{
	struct leat_buffer request = { 0 };
	char number[24], what[400];
	enum leat_status status;

	(void)snprintf(number, sizeof number, "%lld", (long long)redis->options->database);
	request_begin(&request, 2);
	request_text(&request, "SELECT");
	request_text(&request, number);
	(void)snprintf(what, sizeof what, "use database %s of redis at %s", number, redis->at);
	status = greet(redis, &request, what, err);
	leat_buffer_finish(&request);
	return status;
}

enum leat_status redis_open(struct redis *redis, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	if (redis->conn != NULL)
		return LEAT_OK;
	status = connect_to(redis, err);
	if (status == LEAT_OK && redis->options->password != NULL)
		status = log_in(redis, err);
	if (status == LEAT_OK)
		status = name_connection(redis, ctx, err);
	if (status == LEAT_OK && redis->options->database != 0)
		status = select_database(redis, err);
	if (status != LEAT_OK)
		redis_close(redis);
	return status;
}
