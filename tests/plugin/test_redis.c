/* SPDX-License-Identifier: Apache-2.0 */
/* The sink and the lookup on a real Redis. Each test has a prefix of its own for its keys. */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../plugins/redis/redis.h"
#include "plugin/driver.h"
#include "unit/unit.h"

static int port;
static char prefix[32];
static redisContext *conn;

static size_t print_reply(const redisReply *reply, char *out, size_t n)
{
	size_t used = 0, i;

	if (reply->type == REDIS_REPLY_INTEGER)
		return (size_t)snprintf(out, n, "%lld", reply->integer);
	if (reply->type == REDIS_REPLY_NIL)
		return (size_t)snprintf(out, n, "~");
	if (reply->type != REDIS_REPLY_ARRAY)
		return (size_t)snprintf(out, n, "%s", reply->str);
	out[0] = '\0';
	for (i = 0; i < reply->elements; i++) {
		used += (size_t)snprintf(out + used, n - used, "%s", i > 0 ? " " : "");
		used += print_reply(reply->element[i], out + used, n - used);
	}
	return used;
}

static const char *redis(const char *format, ...) LEAT_PRINTF(1, 2);

/* The reply as text. Good until the next call. */
static const char *redis(const char *format, ...)
{
	static char text[65536];
	redisReply *reply;
	va_list args;

	va_start(args, format);
	reply = redisvCommand(conn, format, args);
	va_end(args);
	ck_assert_msg(reply != NULL, "%s", conn->errstr);
	(void)print_reply(reply, text, sizeof text);
	freeReplyObject(reply);
	return text;
}

static bool begin(void)
{
	port = leat_driver_port("LEAT_REDIS_PORT", 16379);
	if (!leat_driver_has_server("redis", port))
		return false;
	conn = redisConnect("127.0.0.1", port);
	ck_assert_int_eq(conn->err, 0);
	(void)snprintf(prefix, sizeof prefix, "driver_%d", (int)getpid());
	return true;
}

static void end(void)
{
	(void)redis("EVAL %s 0 %s", "for _, k in ipairs(redis.call('keys', ARGV[1] .. ':*')) do redis.call('del', k) end",
	            prefix);
	redisFree(conn);
}

/* Options with the port in front; % stands for the prefix. */
static const char *with(const char *options)
{
	static char text[2048];
	size_t n = (size_t)snprintf(text, sizeof text, "port: %d\n", port);

	for (; *options != '\0'; options++)
		n += (size_t)snprintf(text + n, sizeof text - n, *options == '%' ? "%s" : "%.1s", *options == '%' ? prefix
		                      : options);
	return text;
}

/* Cuts the connections of the driver, and no others: the server is shared. */
static void cut(void)
{
	const char *at = redis("CLIENT LIST"), *name;
	char ids[16][24];
	int n = 0;

	for (; *at != '\0' && n < 16; at += strcspn(at, "\n"), at += *at == '\n') {
		name = strstr(at, " name=leat:driver:it ");
		if (name != NULL && name < at + strcspn(at, "\n"))
			(void)sscanf(at, "id=%23s", ids[n++]);
	}
	ck_assert_int_gt(n, 0);
	while (n-- > 0)
		(void)redis("CLIENT KILL ID %s", ids[n]);
}

static struct leat_driver *claimed(const char *options)
{
	struct leat_driver *d = leat_driver_create_sink("redis", with(options));

	if (leat_driver_claim(d) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
	return d;
}

static void encode(struct leat_driver *d, const char *json)
{
	if (leat_driver_encode(d, json) != LEAT_OK)
		ck_abort_msg("%s: %s", json, leat_driver_reason(d));
}

static void deliver(struct leat_driver *d)
{
	if (leat_driver_deliver(d) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
}

START_TEST(error_replies_say_what_the_host_does_next)
{
	static const struct {
		const char *error;
		enum leat_status status;
	} cases[] = {
		{ "LOADING Redis is loading the dataset in memory", LEAT_RETRY },
		{ "READONLY You can't write against a read only replica.", LEAT_RETRY },
		{ "MASTERDOWN Link with MASTER is down", LEAT_RETRY },
		{ "OOM command not allowed when used memory > 'maxmemory'.", LEAT_RETRY },
		{ "BUSY Redis is busy running a script.", LEAT_RETRY },
		{ "BUSYGROUP Consumer Group name already exists", LEAT_REJECT },
		{ "MISCONF Redis is configured to save RDB snapshots", LEAT_RETRY },
		{ "NOAUTH Authentication required.", LEAT_FATAL },
		{ "NOPERM this user has no permissions", LEAT_FATAL },
		{ "WRONGPASS invalid username-password pair", LEAT_FATAL },
		{ "MOVED 3999 127.0.0.1:6381", LEAT_FATAL },
		{ "ERR unknown command 'FOO'", LEAT_FATAL },
		{ "WRONGTYPE Operation against a key holding the wrong kind of value", LEAT_REJECT },
		{ "ERR value is not an integer or out of range", LEAT_REJECT },
		{ "ERR max number of clients reached", LEAT_RETRY },
		{ "WRONGTYPE Operation against a key script: 8f, on @user_script:1.", LEAT_REJECT },
		{ "ERR Error running script (call to f_8f): @user_script:1: OOM command not allowed", LEAT_RETRY },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(redis_status(cases[i].error) == cases[i].status, "%s", cases[i].error);
}
END_TEST

START_TEST(hset_writes_the_scalar_fields)
{
	struct leat_value bytes = leat_borrow("\0\r\n$", 4);
	struct leat_driver *d;

	if (!begin())
		return;
	d = claimed("key: '%:{id}'");
	encode(d, "{\"id\": 1, \"big\": 12345678901234567890.10, \"word\": \"\\u00e9 \\\"x\\\"\\r\\n\", \"yes\": true, \"no\": null, \"list\": [1]}");
	bytes.type = LEAT_BYTES;
	ck_assert_int_eq(leat_driver_encode_value(d, "blob", bytes), LEAT_OK);
	ck_assert_int_eq(leat_driver_encode(d, "{\"other\": 1}"), LEAT_REJECT);
	ck_assert_str_eq(leat_driver_reason(d), "field \"id\" is missing");
	deliver(d);
	ck_assert_str_eq(redis("HGET %s:1 big", prefix), "12345678901234567890.10");
	ck_assert_str_eq(redis("HGET %s:1 word", prefix), "\xc3\xa9 \"x\"\r\n");
	ck_assert_str_eq(redis("HGET %s:1 yes", prefix), "true");
	ck_assert_str_eq(redis("HSTRLEN %s:1 blob", prefix), "4");
	ck_assert_str_eq(redis("HLEN %s:1", prefix), "5");
	ck_assert_str_eq(redis("PTTL %s:1", prefix), "-1");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(hset_writes_chosen_fields_that_expire)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = claimed("key: '%:{id}'\nfields: [a.b, list, none]\nttl: 60s");
	encode(d, "{\"id\": 1, \"a\": {\"b\": 2}, \"list\": [1, \"x\"]}");
	ck_assert_int_eq(leat_driver_encode(d, "{\"id\": 1}"), LEAT_REJECT);
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(redis("HGETALL %s:1", prefix), "a.b 2 list [1, \"x\"]");
	ck_assert_int_gt(atoi(redis("PTTL %s:1", prefix)), 50000);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(set_writes_the_record_or_a_template)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = claimed("command: set\nkey: '%:{id}'\nttl: 60s");
	encode(d, "{\"id\": 1, \"x\": 1.10}");
	deliver(d);
	ck_assert_str_eq(redis("GET %s:1", prefix), "{\"id\": 1, \"x\": 1.10}");
	ck_assert_int_gt(atoi(redis("PTTL %s:1", prefix)), 50000);
	leat_driver_destroy(d);
	d = claimed("command: set\nkey: '%:{id}'\nvalue: 'x={x}'");
	encode(d, "{\"id\": 1, \"x\": 1.10}");
	deliver(d);
	ck_assert_str_eq(redis("GET %s:1", prefix), "x=1.10");
	ck_assert_str_eq(redis("PTTL %s:1", prefix), "-1");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(incrby_counts_in_keys_and_in_hashes)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = claimed("command: incrby\nkey: '%:n'\nby: n * 2\nttl: 60s");
	encode(d, "{\"n\": 1}");
	encode(d, "{\"n\": 20}");
	ck_assert_int_eq(leat_driver_encode(d, "{\"n\": 0.3}"), LEAT_REJECT);
	deliver(d);
	ck_assert_str_eq(redis("GET %s:n", prefix), "42");
	ck_assert_int_gt(atoi(redis("PTTL %s:n", prefix)), 50000);
	leat_driver_destroy(d);
	d = claimed("command: incrby\nkey: '%:h'\nfield: '{user}'");
	encode(d, "{\"user\": \"ann\"}");
	encode(d, "{\"user\": \"bob\"}");
	encode(d, "{\"user\": \"ann\"}");
	deliver(d);
	ck_assert_str_eq(redis("HGETALL %s:h", prefix), "ann 2 bob 1");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(xadd_appends_and_keeps_the_stream_short)
{
	struct leat_driver *d;
	int i;

	if (!begin())
		return;
	d = claimed("command: xadd\nkey: '%:s'\nmaxlen: 100");
	for (i = 0; i < 2000; i++)
		encode(d, "{\"a\": 1, \"b\": \"x\"}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_int_ge(atoi(redis("XLEN %s:s", prefix)), 100);
	ck_assert_int_lt(atoi(redis("XLEN %s:s", prefix)), 400);
	ck_assert_ptr_nonnull(strstr(redis("XREVRANGE %s:s + - COUNT 1", prefix), " a 1 b x"));
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(publish_reaches_a_subscriber)
{
	struct leat_driver *d;
	void *reply = NULL;
	char text[256];

	if (!begin())
		return;
	(void)redis("SUBSCRIBE %s:c", prefix);
	d = claimed("command: publish\nkey: '%:c'\nvalue: 'hello {who}'");
	encode(d, "{\"who\": \"ann\"}");
	deliver(d);
	ck_assert_int_eq(redisGetReply(conn, &reply), REDIS_OK);
	(void)print_reply(reply, text, sizeof text);
	ck_assert_ptr_nonnull(strstr(text, "hello ann"));
	freeReplyObject(reply);
	leat_driver_destroy(d);
	redisFree(conn);
}
END_TEST

START_TEST(a_command_that_redis_refuses_stands_alone)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)redis("SET %s:2 text", prefix);
	d = claimed("key: '%:{id}'\nttl: 60s");
	encode(d, "{\"id\": 1}");
	encode(d, "{\"id\": 2}");
	encode(d, "{\"id\": 3}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 1);
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 1), "cannot deliver: WRONGTYPE"));
	ck_assert_str_eq(redis("EXISTS %s:1 %s:3", prefix, prefix), "2");
	/* What was there is untouched, its life too. */
	ck_assert_str_eq(redis("GET %s:2", prefix), "text");
	ck_assert_str_eq(redis("PTTL %s:2", prefix), "-1");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_connection_that_was_cut_comes_back)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = claimed("command: set\nkey: '%:{id}'");
	encode(d, "{\"id\": 1}");
	deliver(d);
	encode(d, "{\"id\": 2}");
	cut();
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_UNKNOWN);
	ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	deliver(d);
	ck_assert_str_eq(redis("EXISTS %s:1 %s:2", prefix, prefix), "2");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* Greets, and then says nothing. Returns its process. */
static pid_t start_mute_server(int *mute_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	pid_t pid;

	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(listener, 8), 0);
	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &n), 0);
	*mute_port = ntohs(address.sin_port);
	pid = fork();
	while (pid == 0) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0 || write(fd, "+OK\r\n", 5) != 5)
			_exit(1);
	}
	(void)close(listener);
	return pid;
}

START_TEST(a_server_that_does_not_answer_is_given_up)
{
	struct leat_driver *d;
	char options[128], expected[128];
	double started;
	int mute_port;
	pid_t pid = start_mute_server(&mute_port);

	(void)snprintf(options, sizeof options, "port: %d\ncommand: set\nkey: '{id}'\ntimeout: 200ms", mute_port);
	d = leat_driver_create_sink("redis", options);
	ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	encode(d, "{\"id\": 1}");
	started = leat_driver_seconds();
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_UNKNOWN);
	ck_assert_double_ge(leat_driver_seconds() - started, 0.2);
	(void)snprintf(expected, sizeof expected, "could not hear from redis at 127.0.0.1:%d: connection timed out", mute_port);
	ck_assert_str_eq(leat_driver_reason(d), expected);
	leat_driver_destroy(d);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}
END_TEST

/* One of our own, to starve and to stop. 0 when there is no redis-server here. */
static pid_t start_private_server(int private_port)
{
	char number[16];
	pid_t pid;
	int i;

	(void)snprintf(number, sizeof number, "%d", private_port);
	pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		(void)execlp("redis-server", "redis-server", "--port", number, "--bind", "127.0.0.1", "--save", "",
		             "--appendonly", "no",
		             "--loglevel", "warning", "--daemonize", "no", (char *)NULL);
		_exit(127);
	}
	for (i = 0; i < 200; i++) {
		conn = redisConnect("127.0.0.1", private_port);
		if (conn != NULL && conn->err == 0)
			return pid;
		redisFree(conn);
		(void)usleep(20000);
	}
	ck_abort_msg("could not start redis-server on port %d", private_port);
	return 0;
}

static void stop_private_server(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	redisFree(conn);
}

START_TEST(a_server_that_runs_full_or_stops_gets_every_command)
{
	int private_port = 20000 + (int)getpid() % 20000, i;
	struct leat_driver *d;
	const char *at;
	char text[128];
	int n_done;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_private_server(private_port);
	(void)snprintf(text, sizeof text, "port: %d\ncommand: incrby\nkey: 'n:{id}'", private_port);
	d = leat_driver_create_sink("redis", text);
	ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	for (i = 0; i < 20000; i++) {
		(void)snprintf(text, sizeof text, "{\"id\": %d}", i);
		encode(d, text);
	}
	at = strstr(redis("INFO memory"), "used_memory:");
	ck_assert_ptr_nonnull(at);
	(void)redis("CONFIG SET maxmemory %ld", atol(at + 12) + 400000);
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "could not deliver: redis at 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), ": OOM"));
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_RETRY);
	n_done = atoi(redis("DBSIZE"));
	ck_assert_int_gt(n_done, 0);
	ck_assert_int_lt(n_done, 20000);
	(void)redis("CONFIG SET maxmemory 0");
	deliver(d);
	/* At least once: what was done behind a command that did not fit is done again, in order. */
	ck_assert_str_eq(redis("DBSIZE"), "20000");
	ck_assert_int_ge(atoi(redis("EVAL %s 0", "local n = 0 for _, k in ipairs(redis.call('keys', 'n:*')) do "
	                                         "n = n + redis.call('get', k) end return n")),
	                 20000);
	encode(d, "{\"id\": 1}");
	stop_private_server(pid);
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_UNKNOWN);
	ck_assert_int_eq(leat_driver_claim(d), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "connection refused"));
	pid = start_private_server(private_port);
	ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	deliver(d);
	ck_assert_str_eq(redis("GET n:1"), "1");
	stop_private_server(pid);
	leat_driver_destroy(d);
}
END_TEST

static void expect_reason(const char *options, enum leat_status status, const char *format, ...) LEAT_PRINTF(3, 4);

static void expect_reason(const char *options, enum leat_status status, const char *format, ...)
{
	struct leat_driver *d = leat_driver_create_sink("redis", options);
	char expected[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(expected, sizeof expected, format, args);
	va_end(args);
	ck_assert_int_eq(leat_driver_check(d), status);
	ck_assert_str_eq(leat_driver_reason(d), expected);
	ck_assert_int_eq(leat_driver_claim(d), status);
	leat_driver_destroy(d);
}

START_TEST(check_and_claim_say_what_is_wrong)
{
	if (!begin())
		return;
	expect_reason("port: 1\nkey: k", LEAT_RETRY, "could not connect to redis at 127.0.0.1:1: connection refused");
	expect_reason("socket: /nonexistent/redis.sock\nkey: k", LEAT_RETRY,
	              "could not connect to redis at /nonexistent/redis.sock: no such file or directory");
	expect_reason(with("key: k\nuser: nobody\npassword: wrong"), LEAT_FATAL,
	              "cannot log in to redis at 127.0.0.1:%d: WRONGPASS invalid username-password pair or user is disabled",
	              port);
	expect_reason(with("key: k\ndatabase: 99999"), LEAT_FATAL,
	              "cannot use database 99999 of redis at 127.0.0.1:%d: ERR DB index is out of range",
	              port);
	end();
}
END_TEST

static void expect_findings(bool is_sink, const char *options, const char *part)
{
	char *text = leat_driver_findings(is_sink, "redis", options);

	ck_assert_msg(strstr(text, part) != NULL, "expected %s in %s", part, text);
	free(text);
}

START_TEST(wrong_options_are_named)
{
	expect_findings(true, "key: k\nvalue: x", "option \"value\" has no meaning with command \"hset\"");
	expect_findings(true, "key: k\ncommand: set\nfields: x", "option \"fields\" has no meaning with command \"set\"");
	expect_findings(true, "key: k\ncommand: xadd\nttl: 5s", "option \"ttl\" has no meaning with command \"xadd\"");
	expect_findings(true, "key: k\nuser: x", "redis user \"x\" needs a password");
	expect_findings(false, "lookup: k\ncommand: get", "command \"get\" needs the option \"into\"");
	expect_findings(false, "lookup: k\ncommand: hget\nfields: [a, b]", "command \"hget\" takes 1 fields, 2 are given");
	expect_findings(false, "lookup: k\ncommand: hmget", "command \"hmget\" takes 1 or more fields, 0 are given");
}
END_TEST

/* ---- the lookup ---- */

static void expect_out(struct leat_driver *d, const char *expected)
{
	const char *out = leat_driver_pull(d);

	if (expected != NULL && strncmp(expected, "dead", 4) == 0)
		ck_assert_msg(out != NULL && strncmp(out, "dead", 4) == 0 && strstr(out, expected + 5) != NULL, "%s", out);
	else
		ck_assert_pstr_eq(out, expected);
}

static void push(struct leat_driver *d, const char *const *json)
{
	if (leat_driver_push(d, json) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
}

START_TEST(a_lookup_reads_strings_and_hashes)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)redis("SET %s:s:1 12.50", prefix);
	(void)redis("HSET %s:h:1 tier gold n 7", prefix);
	(void)redis("SET %s:h:3 x", prefix);
	d = leat_driver_create_operator("redis", with("command: get\nlookup: '%:s:{id}'\ninto: got\nnumbers: yes"));
	push(d, (const char *const[]){ "{\"id\": 1}", "{\"id\": 2}", "{\"x\": 2}", NULL });
	expect_out(d, "{\"id\":1,\"got\":12.50}");
	expect_out(d, "{\"id\":2,\"got\":null}");
	expect_out(d, "dead field \\\"id\\\" is missing");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("redis", with("lookup: '%:h:{id}'"));
	push(d, (const char *const[]){ "{\"id\": 1}", "{\"id\": 2}", "{\"id\": 3}", NULL });
	expect_out(d, "{\"id\":1,\"tier\":\"gold\",\"n\":\"7\"}");
	expect_out(d, "{\"id\":2}");
	expect_out(d, "dead WRONGTYPE");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("redis", with("command: hmget\nlookup: '%:h:{id}'\nfields: [n, none]\nmissing: reject"));
	push(d, (const char *const[]){ "{\"id\": 1}", "{\"id\": 2}", NULL });
	expect_out(d, "{\"id\":1,\"n\":\"7\",\"none\":null}");
	expect_out(d, "dead nothing in redis under key");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("redis",
	                                with("command: hget\nlookup: '%:h:{id}'\nfields: tier\ninto: level\nmissing: drop"));
	push(d, (const char *const[]){ "{\"id\": 1}", "{\"id\": 2}", NULL });
	expect_out(d, "{\"id\":1,\"level\":\"gold\"}");
	expect_out(d, NULL);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_lookup_asks_once_a_batch_and_keeps_what_it_may)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)redis("SET %s:1 a", prefix);
	d = leat_driver_create_operator("redis", with("command: get\nlookup: '%:{id}'\ninto: got\ncache: 10\ncache_ttl: 10s"));
	push(d, (const char *const[]){ "{\"id\": 1}", "{\"id\": 1}", NULL });
	expect_out(d, "{\"id\":1,\"got\":\"a\"}");
	expect_out(d, "{\"id\":1,\"got\":\"a\"}");
	(void)redis("SET %s:1 b", prefix);
	push(d, (const char *const[]){ "{\"id\": 1}", NULL });
	expect_out(d, "{\"id\":1,\"got\":\"a\"}");
	leat_driver_set_time(d, INT64_C(1000000000000000) + 10000000);
	push(d, (const char *const[]){ "{\"id\": 1}", NULL });
	expect_out(d, "{\"id\":1,\"got\":\"b\"}");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("redis", with("command: get\nlookup: '%:{id}'\ninto: got"));
	push(d, (const char *const[]){ "{\"id\": 1}", NULL });
	(void)redis("SET %s:1 c", prefix);
	push(d, (const char *const[]){ "{\"id\": 1}", NULL });
	expect_out(d, "{\"id\":1,\"got\":\"b\"}");
	expect_out(d, "{\"id\":1,\"got\":\"c\"}");
	cut();
	ck_assert_int_eq(leat_driver_push(d, (const char *const[]){ "{\"id\": 1}", NULL }), LEAT_RETRY);
	push(d, (const char *const[]){ "{\"id\": 1}", NULL });
	expect_out(d, "{\"id\":1,\"got\":\"c\"}");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* ---- how fast ---- */

static void measure(const char *name, const char *options)
{
	struct leat_driver *d = claimed(options);
	double started, busy = 0;
	char json[160];
	int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 1000; i++) {
			(void)snprintf(json, sizeof json, "{\"id\": %d, \"who\": \"user%d\", \"amount\": %d.25}", i, i, i);
			encode(d, json);
		}
		started = leat_driver_seconds();
		deliver(d);
		busy += leat_driver_seconds() - started;
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
	}
	printf("redis %-20s %8.0f commands/s\n", name, 20000 / busy);
	leat_driver_destroy(d);
}

START_TEST(deliveries_of_a_thousand_commands_are_measured)
{
	if (!begin())
		return;
	measure("set", "command: set\nkey: '%:s:{id}'");
	measure("hset", "command: hset\nkey: '%:h:{id}'");
	measure("hset with ttl", "command: hset\nkey: '%:t:{id}'\nttl: 60s");
	measure("incrby", "command: incrby\nkey: '%:i:{id}'");
	measure("xadd", "command: xadd\nkey: '%:x'\nmaxlen: 1000");
	measure("publish", "command: publish\nkey: '%:c'");
	end();
}
END_TEST

int main(void)
{
	return leat_test_main("redis", (const TTest *[]){
		error_replies_say_what_the_host_does_next, hset_writes_the_scalar_fields, hset_writes_chosen_fields_that_expire,
		set_writes_the_record_or_a_template, incrby_counts_in_keys_and_in_hashes, xadd_appends_and_keeps_the_stream_short,
		publish_reaches_a_subscriber, a_command_that_redis_refuses_stands_alone, a_connection_that_was_cut_comes_back,
		a_server_that_does_not_answer_is_given_up, a_server_that_runs_full_or_stops_gets_every_command,
			check_and_claim_say_what_is_wrong, wrong_options_are_named,
		a_lookup_reads_strings_and_hashes, a_lookup_asks_once_a_batch_and_keeps_what_it_may,
		deliveries_of_a_thousand_commands_are_measured, NULL });
}
