/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_REDIS_H
#define LEAT_PLUGINS_REDIS_H

#include <hiredis/hiredis.h>
#include <leat/plugin.h>

/*
 * What the sink and the lookup share: a connection on which requests are written and replies read with deadlines, and the
 * one function that turns Redis' errors into statuses.
 */

struct redis_options {
	const char *host;
	int64_t port;
	const char *socket;
	const char *user;
	const char *password;
	int64_t database;
	int64_t connect_timeout_us;
	int64_t timeout_us;
};

#define REDIS_CONNECTION_OPTIONS(struct_)                                                                                 \
	LEAT_OPTION(TEXT, struct_, connection.host, "host", "Name or address of the server.", .preset = "127.0.0.1"),        \
	LEAT_OPTION(INTEGER, struct_, connection.port, "port", "Port of the server.", .preset = "6379", .minimum = 1,        \
	            .maximum = 65535),                                                                                    \
	LEAT_OPTION(TEXT, struct_, connection.socket, "socket", "Unix socket of the server, instead of host and port.", .flags = 0), \
	LEAT_OPTION(TEXT, struct_, connection.user, "user", "User to log in as; needs a password.", .flags = 0),             \
	LEAT_OPTION(TEXT, struct_, connection.password, "password", "Password of the user, or of the server.",               \
	            .flags = LEAT_OPTION_SECRET),                                                                         \
	LEAT_OPTION(INTEGER, struct_, connection.database, "database", "Number of the database.", .preset = "0", .minimum = 0, \
	            .maximum = 1e6),                                                                                      \
	LEAT_OPTION(DURATION, struct_, connection.connect_timeout_us, "connect_timeout", "Longest wait for a connection.",   \
	            .preset = "5s", .minimum = 1000, .maximum = 3600e6),                                                  \
	LEAT_OPTION(DURATION, struct_, connection.timeout_us, "timeout",                                                     \
	            "Longest wait for an answer, after which the connection is given up.", .preset = "10s", .minimum = 1000,   \
	            .maximum = 86400e6)

/* Zeroed: closed. */
struct redis {
	const struct redis_options *options;
	redisContext *conn;
	char at[300]; /* HOST:PORT or the socket, for messages */
};

/* ---- error.c ---- */

/* What an error reply means: LEAT_REJECT when this command and no other is to blame. */
enum leat_status redis_status(const char *error);
/* Sets `err` from an error reply: "could not deliver: redis at HOST:PORT: LOADING ...". What one command is to blame for names no
 * server: "cannot deliver: WRONGTYPE ...". `at` may be NULL, where `what` has it. */
enum leat_status redis_reply_error(const redisReply *reply, const char *what, const char *at, struct leat_error *err);
/* For a LEAT_REJECT from above where there is no record to blame. Returns LEAT_FATAL. */
enum leat_status redis_fatal(struct leat_error *err);

/* ---- connection.c ---- */

/* HOST:PORT or the socket, cut off at 299 bytes. */
void redis_print_address(const struct redis_options *options, char *at, size_t size);
enum leat_status redis_check_options(const struct redis_options *options, struct leat_error *err);
/* Does nothing when it is open. Logs in, names the connection after pipeline and node, selects the database. */
enum leat_status redis_open(struct redis *redis, struct leat_context *ctx, struct leat_error *err);
void redis_close(struct redis *redis);
int64_t redis_clock_us(void); /* monotonic */
/* Writes requests. False: not before the deadline, or the connection is gone. */
bool redis_write(struct redis *redis, const char *bytes, size_t n, int64_t deadline_us);
/* The next reply, for freeReplyObject(). NULL as above. */
redisReply *redis_read(struct redis *redis, int64_t deadline_us);
/* A request and its reply, which the caller frees, when nothing else is under way. An error reply: "cannot WHAT: NOPERM ...". */
enum leat_status redis_ask(struct redis *redis, const struct leat_buffer *request, const char *what, int64_t timeout_us,
                           redisReply **out, struct leat_error *err);
/* The words for a false or NULL from above; closes the connection. LEAT_UNKNOWN when commands that write are under way. */
enum leat_status redis_lost(struct redis *redis, bool is_unknown, struct leat_error *err);

/* ---- request.c ---- */

/* Appends `*N`, then each argument: RESP, safe for any bytes. */
void request_begin(struct leat_buffer *out, size_t n_arguments);
void request_argument(struct leat_buffer *out, const char *bytes, size_t n);
void request_text(struct leat_buffer *out, const char *text);
/* For an argument of a length not known yet: append its bytes between the two. */
size_t request_open_argument(struct leat_buffer *out);
void request_close_argument(struct leat_buffer *out, size_t mark);

extern const struct leat_sink_ops redis_sink;
extern const struct leat_operator_ops redis_lookup;

#endif
