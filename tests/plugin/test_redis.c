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
	(void)redis("DEL leat:fence:%s:it", prefix);
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
static pid_t start_private_server_with(int private_port, const char *is_cluster)
{
	char number[16], bus[16], config[40];
	pid_t pid;
	int i;

	(void)snprintf(number, sizeof number, "%d", private_port);
	(void)snprintf(bus, sizeof bus, "%d", 22000 + (private_port + 5000) % 10000);
	(void)snprintf(config, sizeof config, "leat-redis-%d.conf", private_port);
	pid = fork();
	if (pid == 0) {
		(void)dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		(void)execlp("redis-server", "redis-server", "--port", number, "--bind", "127.0.0.1", "--save", "",
		             "--appendonly", "no", "--dir", "/tmp", "--cluster-enabled", is_cluster, "--cluster-port", bus,
		             "--cluster-config-file", config,
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

static pid_t start_private_server(int private_port)
{
	return start_private_server_with(private_port, "no");
}

/* Below those that the kernel hands out to connections. */
static int choose_port(void)
{
	return 22000 + (int)getpid() % 10000;
}

/* The same, where with() and conn then lead. */
static pid_t start_own_server(void)
{
	port = choose_port();
	return start_private_server(port);
}

static void stop_private_server(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	redisFree(conn);
}

START_TEST(a_server_that_runs_full_or_stops_gets_every_command)
{
	int private_port = choose_port(), i;
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

/* ---- fenced ---- */

/* After that many deliveries by an incarnation. The digest is one that a number of Lua's cannot hold. */
static struct leat_fence fence_at(uint64_t incarnation, uint64_t epoch)
{
	return (struct leat_fence){ .incarnation = incarnation, .epoch = epoch,
	                            .digest = epoch == 0 ? 0 : UINT64_MAX - epoch };
}

static void expect_fence(struct leat_fence found, uint64_t incarnation, uint64_t epoch)
{
	const struct leat_fence expected = fence_at(incarnation, epoch);

	ck_assert_uint_eq(found.incarnation, expected.incarnation);
	ck_assert_uint_eq(found.epoch, expected.epoch);
	ck_assert_uint_eq(found.digest, expected.digest);
}

/* What is in the server, changing nothing. */
static void expect_stored(uint64_t incarnation, uint64_t epoch)
{
	const struct leat_fence expected = fence_at(incarnation, epoch);
	char text[80];

	(void)snprintf(text, sizeof text, "%020llu %020llu %020llu", (unsigned long long)expected.incarnation,
	               (unsigned long long)expected.epoch, (unsigned long long)expected.digest);
	ck_assert_str_eq(redis("HMGET leat:fence:%s:it incarnation epoch digest", prefix), text);
}

static struct leat_fence claim_fenced(struct leat_driver *d, uint64_t incarnation)
{
	struct leat_fence found;

	if (leat_driver_claim_fenced(d, prefix, incarnation, &found) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
	return found;
}

static void deliver_fenced(struct leat_driver *d, struct leat_fence expected, struct leat_fence next)
{
	if (leat_driver_deliver_fenced(d, expected, next) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
}

static void expect_refused_delivery(struct leat_driver *d, struct leat_fence expected, struct leat_fence next, const char *part)
{
	ck_assert_int_eq(leat_driver_deliver_fenced(d, expected, next), LEAT_FATAL);
	ck_assert_msg(strstr(leat_driver_reason(d), part) != NULL, "%s", leat_driver_reason(d));
}

START_TEST(a_fenced_delivery_that_comes_again_is_applied_once)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'\nby: n\nttl: 60s"));
	expect_fence(claim_fenced(d, 1), 0, 0);
	encode(d, "{\"n\": 40}");
	encode(d, "{\"n\": 2}");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 7));
	ck_assert_str_eq(redis("GET %s:n", prefix), "42");
	ck_assert_int_gt(atoi(redis("PTTL %s:n", prefix)), 50000);
	encode(d, "{\"n\": 40}");
	encode(d, "{\"n\": 2}");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 7));
	ck_assert_str_eq(redis("GET %s:n", prefix), "42");
	encode(d, "{\"n\": 1}");
	deliver_fenced(d, fence_at(1, 7), fence_at(1, 8));
	ck_assert_str_eq(redis("GET %s:n", prefix), "43");
	expect_fence(claim_fenced(d, 2), 1, 8);
	expect_stored(2, 8);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(every_command_works_fenced)
{
	static const char *const options[] = {
		"key: '%:hset'", "key: '%:hset_ttl'\nttl: 60s", "command: set\nkey: '%:set'", "command: set\nkey: '%:set_ttl'\nttl: 60s",
		"command: incrby\nkey: '%:incrby'", "command: incrby\nkey: '%:hincrby'\nfield: '{a}'\nttl: 60s",
		"command: xadd\nkey: '%:xadd'\nmaxlen: 10", "command: publish\nkey: '%:publish'",
	};
	struct leat_driver *d;
	size_t i;

	if (!begin())
		return;
	for (i = 0; i < sizeof options / sizeof options[0]; i++) {
		d = leat_driver_create_sink("redis", with(options[i]));
		(void)claim_fenced(d, 1);
		encode(d, "{\"a\": \"x\\r\\n$1\", \"b\": 2}");
		deliver_fenced(d, fence_at(1, i), fence_at(1, i + 1));
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
		leat_driver_destroy(d);
	}
	ck_assert_str_eq(redis("HGETALL %s:hset", prefix), "a x\r\n$1 b 2");
	ck_assert_str_eq(redis("HGETALL %s:hset_ttl", prefix), "a x\r\n$1 b 2");
	ck_assert_str_eq(redis("GET %s:set", prefix), "{\"a\": \"x\\r\\n$1\", \"b\": 2}");
	ck_assert_str_eq(redis("GET %s:incrby", prefix), "1");
	ck_assert_str_eq(redis("HGETALL %s:hincrby", prefix), "x\r\n$1 1");
	ck_assert_str_eq(redis("XLEN %s:xadd", prefix), "1");
	ck_assert_int_gt(atoi(redis("PTTL %s:hset_ttl", prefix)), 50000);
	ck_assert_int_gt(atoi(redis("PTTL %s:set_ttl", prefix)), 50000);
	ck_assert_int_gt(atoi(redis("PTTL %s:hincrby", prefix)), 50000);
	ck_assert_str_eq(redis("PTTL %s:hset", prefix), "-1");
	end();
}
END_TEST

START_TEST(a_record_of_3000_fields_is_delivered_fenced)
{
	static char json[64000];
	struct leat_driver *d;
	size_t n = 0;
	int i;

	if (!begin())
		return;
	d = leat_driver_create_sink("redis", with("key: '%:wide'\nttl: 60s"));
	(void)claim_fenced(d, 1);
	for (i = 0; i < 3000; i++)
		n += (size_t)snprintf(json + n, sizeof json - n, "%s\"f%d\": %d", i == 0 ? "{" : ", ", i, i);
	(void)snprintf(json + n, sizeof json - n, "}");
	encode(d, json);
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(redis("HLEN %s:wide", prefix), "3000");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_fence_that_was_not_expected_stops_the_delivery)
{
	struct leat_driver *d;

	if (!begin())
		return;
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	(void)claim_fenced(d, 1);
	encode(d, "{}");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 5));
	encode(d, "{}");
	expect_refused_delivery(d, fence_at(1, 4), fence_at(1, 6),
	                        " is incarnation 1, epoch 5, digest fffffffffffffffa, expected incarnation 1, epoch 4, digest "
	                        "fffffffffffffffb");
	/* The last digit of a digest counts, as it would not for a number of Lua's. */
	expect_refused_delivery(d, (struct leat_fence){ .incarnation = 1, .epoch = 5, .digest = UINT64_MAX - 4 }, fence_at(1, 6),
	                        "digest fffffffffffffffa, expected incarnation 1, epoch 5, digest fffffffffffffffb");
	expect_stored(1, 5);
	ck_assert_str_eq(redis("GET %s:n", prefix), "1");
	(void)redis("HSET leat:fence:%s:it epoch 12", prefix);
	expect_refused_delivery(d, fence_at(1, 5), fence_at(1, 6), ":it\" in redis at 127.0.0.1:");
	(void)redis("DEL leat:fence:%s:it", prefix);
	expect_refused_delivery(d, fence_at(1, 5), fence_at(1, 6), " is incarnation 0, epoch 0, digest 0000000000000000, expected ");
	ck_assert_str_eq(redis("GET %s:n", prefix), "1");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* As after a failover: the host is to look at it by a claim, as it may have what is missing. */
START_TEST(a_fence_that_has_gone_back_is_to_be_claimed)
{
	static const struct {
		const char *field, *is;
		uint64_t incarnation, epoch;
	} table[] = {
		{ "epoch", "00000000000000000003", 2, 3 },
		{ "incarnation", "00000000000000000001", 1, 5 },
		{ "claims", "0", 2, 5 },
	};
	struct leat_driver *d;
	struct leat_fence found;

	if (!begin())
		return;
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		(void)redis("DEL leat:fence:%s:it %s:n", prefix, prefix);
		(void)claim_fenced(d, 2);
		encode(d, "{}");
		deliver_fenced(d, fence_at(2, 0), fence_at(2, 5));
		(void)redis("HSET leat:fence:%s:it %s %s", prefix, table[i].field, table[i].is);
		encode(d, "{}");
		ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(2, 5), fence_at(2, 6)), LEAT_UNKNOWN);
		ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "has gone back to epoch "));
		leat_driver_drop(d);
		found = claim_fenced(d, 2);
		ck_assert_uint_eq(found.incarnation, table[i].incarnation);
		ck_assert_uint_eq(found.epoch, table[i].epoch);
		encode(d, "{}");
		found.incarnation = 2;
		deliver_fenced(d, found, fence_at(2, 6));
		ck_assert_str_eq(redis("GET %s:n", prefix), "2");
	}
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_former_owner_is_fenced_off)
{
	struct leat_driver *zombie, *owner;

	if (!begin())
		return;
	zombie = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	owner = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	/* 9 to 10: as texts that are not of one length, 10 would be the smaller. */
	(void)claim_fenced(zombie, 9);
	encode(zombie, "{}");
	deliver_fenced(zombie, fence_at(9, 0), fence_at(9, 1));
	expect_fence(claim_fenced(owner, 10), 9, 1);
	encode(zombie, "{}");
	expect_refused_delivery(zombie, fence_at(9, 1), fence_at(9, 2), "another instance owns this sink: fence in redis at 127.0.0.1:");
	/* It sees whose the fence is now, and leaves it. */
	expect_fence(claim_fenced(zombie, 9), 10, 1);
	expect_stored(10, 1);
	expect_refused_delivery(zombie, fence_at(9, 1), fence_at(9, 2), "another instance owns this sink");
	encode(owner, "{}");
	deliver_fenced(owner, fence_at(10, 1), fence_at(10, 2));
	ck_assert_str_eq(redis("GET %s:n", prefix), "2");
	leat_driver_destroy(zombie);
	leat_driver_destroy(owner);
	end();
}
END_TEST

START_TEST(what_was_under_way_before_a_claim_is_not_applied_after_it)
{
	struct leat_driver *before, *after;

	if (!begin())
		return;
	before = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	after = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	(void)claim_fenced(before, 1);
	encode(before, "{}");
	/* One incarnation on two connections: what a server that was slow finds in the one that was given up. */
	expect_fence(claim_fenced(after, 1), 1, 0);
	expect_refused_delivery(before, fence_at(1, 0), fence_at(1, 1), "another connection has claimed this sink since");
	ck_assert_str_eq(redis("EXISTS %s:n", prefix), "0");
	encode(after, "{}");
	encode(after, "{}");
	deliver_fenced(after, fence_at(1, 0), fence_at(1, 2));
	ck_assert_str_eq(redis("GET %s:n", prefix), "2");
	leat_driver_destroy(before);
	leat_driver_destroy(after);
	end();
}
END_TEST

START_TEST(refused_effects_are_the_same_when_a_delivery_comes_again)
{
	struct leat_driver *d;
	int round;

	if (!begin())
		return;
	(void)redis("HSET %s:b x 1", prefix);
	(void)redis("SET %s:d text", prefix);
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:{id}'\nttl: 60s"));
	(void)claim_fenced(d, 1);
	for (round = 0; round < 3; round++) {
		encode(d, "{\"id\": \"a\"}");
		encode(d, "{\"id\": \"b\"}");
		encode(d, "{\"id\": \"c\"}");
		encode(d, "{\"id\": \"d\"}");
		deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
		ck_assert_uint_eq(leat_driver_refusals(d), 2);
		ck_assert_str_eq(leat_driver_refusal(d, 1),
		                 "cannot deliver: WRONGTYPE Operation against a key holding the wrong kind of value");
		ck_assert_str_eq(leat_driver_refusal(d, 3), "cannot deliver: ERR value is not an integer or out of range");
		/* A claim keeps them: nobody knows yet whether the host has heard. */
		expect_fence(claim_fenced(d, 1), 1, 1);
	}
	/* The host may not have noted the delivery before it, and then both come as one. */
	for (round = 0; round < 6; round++)
		encode(d, (const char *const[]){ "{\"id\": \"y\"}", "{\"id\": \"z\"}", "{\"id\": \"a\"}", "{\"id\": \"b\"}", "{\"id\": \"c\"}",
		                                 "{\"id\": \"d\"}" }[round]);
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_uint_eq(leat_driver_refusals(d), 2);
	ck_assert_ptr_nonnull(leat_driver_refusal(d, 3));
	ck_assert_ptr_nonnull(leat_driver_refusal(d, 5));
	ck_assert_str_eq(redis("MGET %s:a %s:c", prefix, prefix), "1 1");
	ck_assert_str_eq(redis("PTTL %s:b", prefix), "-1");
	ck_assert_str_eq(redis("PTTL %s:d", prefix), "-1");
	encode(d, "{\"id\": \"a\"}");
	deliver_fenced(d, fence_at(1, 1), fence_at(1, 2));
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(redis("HGET leat:fence:%s:it refused", prefix), "");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(no_record_writes_a_fence)
{
	static const char *const options[] = { "key: '{id}'", "key: '{id}'\nttl: 60s", "command: set\nkey: '{id}'" };
	struct leat_driver *d;
	size_t i;

	for (i = 0; i < sizeof options / sizeof options[0]; i++) {
		d = leat_driver_create_sink("redis", options[i]);
		ck_assert_int_eq(leat_driver_encode(d, "{\"id\": \"leat:fence:driver:it\"}"), LEAT_REJECT);
		ck_assert_str_eq(leat_driver_reason(d), "keys that begin with \"leat:fence:\" are kept for fences");
		encode(d, "{\"id\": \"leat:fence\"}");
		leat_driver_destroy(d);
	}
}
END_TEST

START_TEST(a_script_that_the_server_forgot_is_sent_again)
{
	struct leat_driver *d;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: n"));
	(void)claim_fenced(d, 1);
	(void)redis("SCRIPT FLUSH");
	encode(d, "{}");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	encode(d, "{}");
	deliver_fenced(d, fence_at(1, 1), fence_at(1, 2));
	ck_assert_str_eq(redis("GET n"), "2");
	leat_driver_destroy(d);
	stop_private_server(pid);
}
END_TEST

static void encode_numbered(struct leat_driver *d, int n)
{
	char text[128];
	int i;

	for (i = 0; i < n; i++) {
		(void)snprintf(text, sizeof text, "{\"id\": %d}", i);
		encode(d, text);
	}
}

START_TEST(a_full_server_applies_nothing_of_a_fenced_delivery)
{
	struct leat_driver *d;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: 'n:{id}'"));
	(void)claim_fenced(d, 1);
	encode_numbered(d, 2000);
	(void)redis("CONFIG SET maxmemory 1");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 0), fence_at(1, 1)), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "could not deliver: redis at 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), ": OOM"));
	ck_assert_str_eq(redis("DBSIZE"), "1");
	expect_stored(1, 0);
	(void)redis("CONFIG SET maxmemory 0");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(redis("DBSIZE"), "2001");
	ck_assert_str_eq(redis("GET n:1999"), "1");
	expect_stored(1, 1);
	leat_driver_destroy(d);
	stop_private_server(pid);
}
END_TEST

/* Redis lets PUBLISH through when it is full, and not the fence behind it: but for the script's first line, all would be
 * published again with each attempt. */
START_TEST(a_full_server_publishes_nothing_of_a_fenced_delivery)
{
	struct leat_driver *d;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	d = leat_driver_create_sink("redis", with("command: publish\nkey: c"));
	(void)claim_fenced(d, 1);
	encode(d, "{}");
	(void)redis("CONFIG SET maxmemory 1");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 0), fence_at(1, 1)), LEAT_RETRY);
	ck_assert_ptr_null(strstr(redis("INFO commandstats"), "cmdstat_publish:"));
	(void)redis("CONFIG SET maxmemory 0");
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_ptr_nonnull(strstr(redis("INFO commandstats"), "cmdstat_publish:calls=1,"));
	leat_driver_destroy(d);
	stop_private_server(pid);
}
END_TEST

START_TEST(a_server_that_gets_full_in_a_fenced_delivery_takes_all_of_it)
{
	char value[4001], options[4200];
	struct leat_driver *d;
	const char *at;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	(void)snprintf(options, sizeof options, "port: %d\ncommand: set\nkey: 'n:{id}'\nvalue: %s", port, value);
	d = leat_driver_create_sink("redis", options);
	(void)claim_fenced(d, 1);
	encode_numbered(d, 2000);
	at = strstr(redis("INFO memory"), "used_memory:");
	ck_assert_ptr_nonnull(at);
	/* Room for its 8 MB on their way in, and not for what it leaves as well. */
	(void)redis("CONFIG SET maxmemory %ld", atol(at + 12) + 12000000);
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(redis("DBSIZE"), "2001");
	expect_stored(1, 1);
	/* It did not fit; the next finds no room. */
	encode_numbered(d, 2000);
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 1), fence_at(1, 2)), LEAT_RETRY);
	expect_stored(1, 1);
	leat_driver_destroy(d);
	stop_private_server(pid);
}
END_TEST

START_TEST(a_replica_is_claimed_and_written_later)
{
	struct leat_driver *d;
	struct leat_fence found;
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: n"));
	(void)claim_fenced(d, 1);
	encode(d, "{}");
	(void)redis("REPLICAOF 127.0.0.1 1");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 0), fence_at(1, 1)), LEAT_RETRY);
	ck_assert_int_eq(leat_driver_claim_fenced(d, prefix, 2, &found), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "could not claim the fence in redis at 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), ": READONLY"));
	expect_stored(1, 0);
	(void)redis("REPLICAOF NO ONE");
	expect_fence(claim_fenced(d, 2), 1, 0);
	deliver_fenced(d, fence_at(2, 0), fence_at(2, 1));
	ck_assert_str_eq(redis("GET n"), "1");
	leat_driver_destroy(d);
	stop_private_server(pid);
}
END_TEST

START_TEST(a_missing_right_stops_before_anything_is_applied)
{
	struct leat_driver *d;
	char options[256];

	if (!begin())
		return;
	(void)redis("ACL SETUSER %s reset on >pw ~* +@all -incrby", prefix);
	(void)snprintf(options, sizeof options, "port: %d\nuser: %s\npassword: pw\ncommand: incrby\nkey: '%s:n'", port, prefix, prefix);
	d = leat_driver_create_sink("redis", options);
	(void)claim_fenced(d, 1);
	encode(d, "{}");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 0), fence_at(1, 1)), LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), ": NOPERM this user may not do INCRBY on key "));
	expect_stored(1, 0);
	leat_driver_destroy(d);
	(void)redis("ACL DELUSER %s", prefix);
	end();
}
END_TEST

START_TEST(a_cluster_cannot_be_claimed_fenced)
{
	struct leat_driver *d;
	struct leat_fence found;
	char config[40];
	pid_t pid;

	if (!begin())
		return;
	end();
	port = choose_port();
	pid = start_private_server_with(port, "yes");
	d = leat_driver_create_sink("redis", with("key: k"));
	ck_assert_int_eq(leat_driver_claim_fenced(d, prefix, 1, &found), LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), " is part of a cluster, exactly-once delivery needs a single server"));
	leat_driver_destroy(d);
	stop_private_server(pid);
	(void)snprintf(config, sizeof config, "/tmp/leat-redis-%d.conf", port);
	ck_assert_int_eq(unlink(config), 0);
}
END_TEST

START_TEST(a_connection_cut_around_a_delivery_leaves_each_effect_once)
{
	struct leat_driver *d;
	struct leat_fence found;
	uint64_t epoch, claimed_at = 1;

	if (!begin())
		return;
	d = leat_driver_create_sink("redis", with("command: incrby\nkey: '%:n'"));
	(void)claim_fenced(d, 1);
	for (epoch = 1; epoch <= 20; epoch++) {
		encode(d, "{}");
		cut();
		ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(claimed_at, epoch - 1), fence_at(claimed_at, epoch)), LEAT_UNKNOWN);
		found = claim_fenced(d, ++claimed_at);
		ck_assert_uint_eq(found.epoch, epoch - 1);
		deliver_fenced(d, fence_at(claimed_at, epoch - 1), fence_at(claimed_at, epoch));
	}
	ck_assert_str_eq(redis("GET %s:n", prefix), "20");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_delivery_whose_answer_was_lost_is_found_by_the_next_claim)
{
	struct leat_driver *d;
	struct leat_fence found;
	char options[128];
	pid_t pid;

	if (!begin())
		return;
	end();
	pid = start_own_server();
	(void)snprintf(options, sizeof options, "port: %d\ncommand: incrby\nkey: n\ntimeout: 200ms", port);
	d = leat_driver_create_sink("redis", options);
	(void)claim_fenced(d, 1);
	encode(d, "{}");
	ck_assert_int_eq(kill(pid, SIGSTOP), 0);
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence_at(1, 0), fence_at(1, 1)), LEAT_UNKNOWN);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "connection timed out"));
	ck_assert_int_eq(kill(pid, SIGCONT), 0);
	/* Whichever of the two the server came to first, what it says now holds. */
	found = claim_fenced(d, 1);
	deliver_fenced(d, fence_at(1, 0), fence_at(1, 1));
	ck_assert_uint_le(found.epoch, 1);
	ck_assert_str_eq(redis("GET n"), "1");
	expect_stored(1, 1);
	leat_driver_destroy(d);
	stop_private_server(pid);
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

/* What the server has spent in scripts called by their hash, and served nobody else. */
static double script_seconds(void)
{
	const char *at = strstr(redis("INFO commandstats"), "cmdstat_evalsha:");

	at = at != NULL ? strstr(at, ",usec=") : NULL;
	return at != NULL ? atof(at + 6) / 1e6 : 0;
}

static void measure(const char *name, const char *options, bool is_fenced, int n)
{
	struct leat_driver *d = leat_driver_create_sink("redis", with(options));
	const int n_rounds = n > 1000 ? 5 : 20;
	struct leat_fence fence = { 0 }, next;
	double started, busy = 0, blocked = script_seconds();
	char json[160];
	int i, round;

	if (is_fenced)
		fence = claim_fenced(d, 1);
	else
		ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	fence.incarnation = 1; /* as the claim has left it */
	for (round = 0; round < n_rounds; round++) {
		for (i = 0; i < n; i++) {
			(void)snprintf(json, sizeof json, "{\"id\": %d, \"who\": \"user%d\", \"amount\": %d.25}", i, i, i);
			encode(d, json);
		}
		started = leat_driver_seconds();
		next = (struct leat_fence){ .incarnation = 1, .epoch = fence.epoch + 1, .digest = fence.digest + 1 };
		if (is_fenced)
			deliver_fenced(d, fence, next);
		else
			deliver(d);
		fence = next;
		busy += leat_driver_seconds() - started;
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
	}
	printf("redis %-13s %-8s %5d at once %8.0f commands/s %6.1f ms a delivery %6.1f in the script\n", name,
	       is_fenced ? "fenced" : "", n, n_rounds * n / busy, busy / n_rounds * 1e3, (script_seconds() - blocked) / n_rounds * 1e3);
	leat_driver_destroy(d);
}

START_TEST(deliveries_are_measured)
{
	static const struct {
		const char *name;
		const char *options;
	} cases[] = {
		{ "set", "command: set\nkey: '%:s:{id}'" },
		{ "hset", "command: hset\nkey: '%:h:{id}'" },
		{ "hset with ttl", "command: hset\nkey: '%:t:{id}'\nttl: 60s" },
		{ "incrby", "command: incrby\nkey: '%:i:{id}'" },
		{ "xadd", "command: xadd\nkey: '%:x'\nmaxlen: 1000" },
		{ "publish", "command: publish\nkey: '%:c'" },
	};
	size_t i;

	if (!begin())
		return;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		measure(cases[i].name, cases[i].options, false, 1000);
		measure(cases[i].name, cases[i].options, true, 1000);
	}
	measure("hset", cases[1].options, false, 16000);
	measure("hset", cases[1].options, true, 16000);
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
		a_fenced_delivery_that_comes_again_is_applied_once, every_command_works_fenced,
		a_record_of_3000_fields_is_delivered_fenced, a_fence_that_was_not_expected_stops_the_delivery,
		a_former_owner_is_fenced_off, a_fence_that_has_gone_back_is_to_be_claimed, what_was_under_way_before_a_claim_is_not_applied_after_it,
		refused_effects_are_the_same_when_a_delivery_comes_again, no_record_writes_a_fence,
		a_script_that_the_server_forgot_is_sent_again, a_full_server_applies_nothing_of_a_fenced_delivery,
		a_full_server_publishes_nothing_of_a_fenced_delivery,
		a_server_that_gets_full_in_a_fenced_delivery_takes_all_of_it, a_replica_is_claimed_and_written_later,
		a_missing_right_stops_before_anything_is_applied, a_cluster_cannot_be_claimed_fenced,
		a_connection_cut_around_a_delivery_leaves_each_effect_once,
		a_delivery_whose_answer_was_lost_is_found_by_the_next_claim,
		check_and_claim_say_what_is_wrong, wrong_options_are_named,
		a_lookup_reads_strings_and_hashes, a_lookup_asks_once_a_batch_and_keeps_what_it_may,
		deliveries_are_measured, NULL });
}
