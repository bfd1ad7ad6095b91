/* SPDX-License-Identifier: Apache-2.0 */
/* The sink and the lookup on a real PostgreSQL. Each test has a schema of its own. */
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../plugins/postgres/postgres.h"
#include "plugin/driver.h"
#include "unit/unit.h"

static int port;
static char schema[32];
static PGconn *conn;

static char *query(const char *format, ...) LEAT_PRINTF(1, 2);

/* The rows as text, fields with | between them, rows with newlines, null as ~. Good until the next call. */
static char *query(const char *format, ...)
{
	static char text[65536];
	char sql[4096];
	size_t n = 0;
	PGresult *result;
	va_list args;
	int i, j;

	va_start(args, format);
	(void)vsnprintf(sql, sizeof sql, format, args);
	va_end(args);
	result = PQexec(conn, sql);
	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		ck_abort_msg("%s: %s", sql, PQerrorMessage(conn));
	text[0] = '\0';
	for (i = 0; i < PQntuples(result); i++)
		for (j = 0; j < PQnfields(result); j++)
			n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", j > 0 ? "|" : i > 0 ? "\n" : "",
			                      PQgetisnull(result, i, j) ? "~" : PQgetvalue(result, i, j));
	PQclear(result);
	return text;
}

static PGconn *connect_again(void)
{
	char info[128];
	PGconn *made;

	(void)snprintf(info, sizeof info, "host=127.0.0.1 port=%d dbname=leat user=leat", port);
	made = PQconnectdb(info);
	ck_assert_msg(PQstatus(made) == CONNECTION_OK, "%s", PQerrorMessage(made));
	return made;
}

static bool begin(void)
{
	port = leat_driver_port("LEAT_POSTGRES_PORT", 15432);
	if (!leat_driver_has_server("postgres", port))
		return false;
	(void)snprintf(schema, sizeof schema, "driver_%d", (int)getpid());
	conn = connect_again();
	(void)query("set client_min_messages = error; drop schema if exists %s cascade; create schema %s; set search_path = %s",
	            schema, schema,
	            schema);
	return true;
}

static void end(void)
{
	(void)query("drop schema %s cascade", schema);
	PQfinish(conn);
}

static const char *with(const char *options)
{
	static char text[2048];

	(void)snprintf(text, sizeof text, "port: %d\nschema: %s\n%s", port, schema, options);
	return text;
}

static struct leat_driver *claimed(const char *options)
{
	struct leat_driver *d = leat_driver_create_sink("postgres", with(options));

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

START_TEST(sqlstates_say_what_the_host_does_next)
{
	static const struct {
		const char *sqlstate;
		enum leat_status status;
	} cases[] = {
		{ NULL, LEAT_RETRY },      { "", LEAT_RETRY },        { "08006", LEAT_RETRY },   { "08007", LEAT_UNKNOWN },
		{ "21000", LEAT_REJECT },  { "22P02", LEAT_REJECT },  { "22003", LEAT_REJECT },  { "23502", LEAT_REJECT },
		{ "23505", LEAT_REJECT },  { "23503", LEAT_REJECT },  { "25006", LEAT_RETRY },   { "26000", LEAT_RETRY },
		{ "28P01", LEAT_FATAL },   { "28000", LEAT_FATAL },   { "3D000", LEAT_FATAL },   { "40001", LEAT_RETRY },
		{ "40P01", LEAT_RETRY },   { "40003", LEAT_UNKNOWN }, { "42501", LEAT_FATAL },   { "42P01", LEAT_FATAL },
		{ "42P10", LEAT_FATAL },   { "44000", LEAT_REJECT },  { "53100", LEAT_RETRY },   { "53300", LEAT_RETRY },
		{ "54000", LEAT_REJECT },  { "55P03", LEAT_RETRY },   { "57014", LEAT_RETRY },   { "57P01", LEAT_RETRY },
		{ "57P03", LEAT_RETRY },   { "57P04", LEAT_FATAL },   { "58030", LEAT_RETRY },   { "P0001", LEAT_REJECT },
		{ "XX000", LEAT_FATAL },   { "0A000", LEAT_FATAL },
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(postgres_status(cases[i].sqlstate) == cases[i].status, "%s: %d", cases[i].sqlstate,
		              (int)postgres_status(cases[i].sqlstate));
}
END_TEST

START_TEST(values_of_every_type_arrive_unchanged)
{
	static const char *const modes[] = { "table: t", "table: t\nmode: copy" };
	struct leat_driver *d;
	size_t i;

	if (!begin())
		return;
	(void)query("create table t (id bigint, big numeric, real float8, word text, yes bool, at timestamptz, doc jsonb, raw json, no int)");
	for (i = 0; i < 2; i++) {
		(void)query("truncate t");
		d = claimed(modes[i]);
		encode(d, "{\"id\": 9223372036854775807, \"big\": 123456789012345678901234567890.12345678901234567890, \"real\": 0.1, "
		          "\"word\": \"a\\\\b\\t\\n\\r\\\"'{},\\\\N \\u00e9\\ud83d\\ude00\", \"yes\": true, \"at\": \"2024-02-29T12:34:56.123456Z\", "
		          "\"doc\": {\"a\": [1, null, \"x\\\\y\\\"\"], \"b\": 1.10}, \"raw\": \"quote \\\" and \\\\\", \"no\": null, \"other\": 1}");
		deliver(d);
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
		ck_assert_str_eq(query("select id, big, real, yes, at at time zone 'UTC', doc, raw, no from t"),
		                 "9223372036854775807|123456789012345678901234567890.12345678901234567890|0.1|t|2024-02-29 12:34:56.123456|"
		                 "{\"a\": [1, null, \"x\\\\y\\\"\"], \"b\": 1.10}|\"quote \\\" and \\\\\"|~");
		ck_assert_str_eq(query("select word from t"), "a\\b\t\n\r\"'{},\\N \xc3\xa9\xf0\x9f\x98\x80");
		leat_driver_destroy(d);
	}
	end();
}
END_TEST

START_TEST(times_bytes_and_reals_made_by_operators_arrive_unchanged)
{
	struct leat_value bytes = leat_borrow("\0\x01\xff\\", 4);
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id bigint, at timestamptz, bytes bytea, real float8)");
	d = claimed("table: t");
	bytes.type = LEAT_BYTES;
	ck_assert_int_eq(leat_driver_encode_value(d, "at", leat_time(-1)), LEAT_OK);
	ck_assert_int_eq(leat_driver_encode_value(d, "at", leat_time(1709210096123456)), LEAT_OK);
	ck_assert_int_eq(leat_driver_encode_value(d, "bytes", bytes), LEAT_OK);
	ck_assert_int_eq(leat_driver_encode_value(d, "real", leat_real(5e-324)), LEAT_OK);
	ck_assert_int_eq(leat_driver_encode_value(d, "real", leat_real(0.1 + 0.2)), LEAT_OK);
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(query("select at at time zone 'UTC', encode(bytes, 'hex'), real from t"),
	                 "1969-12-31 23:59:59.999999|~|~\n2024-02-29 12:34:56.123456|~|~\n~|0001ff5c|~\n~|~|5e-324\n~|~|0.30000000000000004");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_nul_character_is_rejected_by_encode)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id bigint, word text)");
	d = claimed("table: t");
	ck_assert_int_eq(leat_driver_encode_value(d, "word", leat_borrow("ab\0c", 4)), LEAT_REJECT);
	ck_assert_str_eq(leat_driver_reason(d), "column \"word\" cannot hold a text with a NUL character at byte 2");
	ck_assert_int_eq(leat_driver_encode(d, "[1]"), LEAT_REJECT);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(odd_names_and_hostile_values_are_only_data)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (\"we\"\"ird; drop table t\" text, \"Key\" text primary key)");
	d = claimed("table: t\nupsert: Key");
	encode(d, "{\"we\\\"ird; drop table t\": \"'); drop table t; --\", \"Key\": \"$1\"}");
	encode(d, "{\"Key\": \"only\"}");
	deliver(d);
	ck_assert_str_eq(query("select * from t order by 2"), "'); drop table t; --|$1\n~|only");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(lists_become_arrays)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int, tags text[], n int[])");
	d = claimed("table: t");
	encode(d, "{\"id\": 1, \"tags\": [\"a,b\", \"\\\"\", null], \"n\": [1, 2]}");
	encode(d, "{\"id\": 2, \"tags\": [], \"n\": null}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(query("select tags, n from t order by id"), "{\"a,b\",\"\\\"\",NULL}|{1,2}\n{}|~");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_missing_field_takes_the_default_or_stays)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int primary key, a int default 7, b int, made int generated always as (id * 2) stored,"
	            " n int generated always as identity)");
	d = claimed("table: t\nupsert: [id]");
	encode(d, "{\"id\": 1}");
	encode(d, "{\"id\": 2, \"a\": 1, \"b\": 2, \"made\": 5, \"n\": 9}");
	encode(d, "{\"id\": 2, \"b\": 3}");
	encode(d, "{\"id\": 1, \"a\": null}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(query("select id, a, b, made from t order by id"), "1|~|~|2\n2|1|3|4");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(columns_are_filled_by_expressions)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (who text, cents bigint)");
	d = claimed("table: t\ncolumns: {who: user, cents: amount * 100}");
	encode(d, "{\"user\": \"ann\", \"amount\": 12}");
	deliver(d);
	ck_assert_str_eq(query("select * from t"), "ann|1200");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(the_last_of_a_key_in_a_delivery_stays)
{
	struct leat_driver *d;
	char json[64];
	int i;

	if (!begin())
		return;
	(void)query("create table t (id numeric primary key, n int)");
	d = claimed("table: t\nupsert: id");
	for (i = 0; i < 1000; i++) {
		(void)snprintf(json, sizeof json, "{\"id\": %d, \"n\": %d}", i % 10, i);
		encode(d, json);
	}
	deliver(d);
	ck_assert_str_eq(query("select count(*), min(n), max(n) from t"), "10|990|999");
	/* Equal for the server only. */
	encode(d, "{\"id\": 1, \"n\": 1}");
	encode(d, "{\"id\": 1.0, \"n\": 2}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 0);
	ck_assert_str_eq(query("select n from t where id = 1"), "2");
	leat_driver_destroy(d);
	end();
}
END_TEST

static void deliver_bad_rows(const char *options)
{
	struct leat_driver *d = claimed(options);
	char json[128];
	int i;

	for (i = 0; i < 500; i++) {
		(void)snprintf(json, sizeof json, i == 17 ? "{\"id\": \"x\", \"n\": 1}" : i == 18 ? "{\"id\": 18, \"n\": null}" :
		               i == 250 ? "{\"id\": 250, \"n\": 99999999999}" : i == 251 ? "{\"other\": 1}" : i == 499
		               ? "{\"id\": 499, \"n\": -1}" :
		               "{\"id\": %d, \"n\": %d}", i, i);
		encode(d, json);
	}
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 5);
	ck_assert_str_eq(leat_driver_refusal(d, 17), "cannot deliver: invalid input syntax for type integer: \"x\" (22P02)");
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 18), "(23502)"));
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 250), "(22003)"));
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 251), "no field that is a column"));
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 499), "(23514)"));
	ck_assert_str_eq(query("select count(*), sum(n) from t"), "495|123715");
	leat_driver_destroy(d);
}

START_TEST(bad_rows_are_refused_and_the_others_kept)
{
	if (!begin())
		return;
	(void)query("create table t (id int primary key, n int not null check (n >= 0))");
	deliver_bad_rows("table: t\nupsert: id");
	(void)query("truncate t");
	deliver_bad_rows("table: t");
	(void)query("truncate t");
	deliver_bad_rows("table: t\nmode: copy");
	(void)query("truncate t");
	deliver_bad_rows("table: t\nbatch: 1");
	end();
}
END_TEST

START_TEST(a_constraint_that_waits_for_the_commit_finds_its_row)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table parent (id int primary key); insert into parent values (1)");
	(void)query("create table t (id int, parent int references parent deferrable initially deferred)");
	d = claimed("table: t");
	encode(d, "{\"id\": 1, \"parent\": 1}");
	encode(d, "{\"id\": 2, \"parent\": 2}");
	encode(d, "{\"id\": 3, \"parent\": 1}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 1);
	ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 1), "(23503)"));
	ck_assert_str_eq(query("select id from t order by id"), "1\n3");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_text_too_long_is_refused_not_cut)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (a varchar(3), b char(3))");
	d = claimed("table: t");
	encode(d, "{\"a\": \"abcd\"}");
	encode(d, "{\"b\": \"abcd\"}");
	encode(d, "{\"a\": \"abc\", \"b\": \"abc\"}");
	deliver(d);
	ck_assert_uint_eq(leat_driver_refusals(d), 2);
	ck_assert_str_eq(query("select * from t"), "abc|abc");
	leat_driver_destroy(d);
	end();
}
END_TEST

static void expect_reason(const char *options, enum leat_status status, const char *format, ...) LEAT_PRINTF(3, 4);

static void expect_reason(const char *options, enum leat_status status, const char *format, ...)
{
	struct leat_driver *d = leat_driver_create_sink("postgres", options);
	char expected[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(expected, sizeof expected, format, args);
	va_end(args);
	ck_assert_int_eq(leat_driver_check(d), status);
	ck_assert_str_eq(leat_driver_reason(d), expected);
	ck_assert_int_eq(leat_driver_claim(d), status);
	ck_assert_str_eq(leat_driver_reason(d), expected);
	leat_driver_destroy(d);
}

START_TEST(check_and_claim_say_what_is_wrong)
{
	char as_other[64];

	if (!begin())
		return;
	(void)query("create table t (id int primary key, made int generated always as (1) stored)");
	(void)query("create table x (id int); create role %s login; grant usage on schema %s to %s", schema, schema, schema);
	(void)snprintf(as_other, sizeof as_other, "table: t\nuser: %s", schema);
	expect_reason(with(as_other), LEAT_FATAL,
	              "role \"%s\" may not insert into table \"t\" of database \"leat\" at 127.0.0.1:%d", schema,
	              port);
	(void)query("revoke usage on schema %s from %s; drop role %s", schema, schema, schema);
	expect_reason(with(as_other), LEAT_FATAL, "cannot connect to postgres at 127.0.0.1:%d: role \"%s\" does not exist", port,
	              schema);
	expect_reason(with("table: payments"), LEAT_FATAL,
	              "table \"payments\" does not exist in database \"leat\" at 127.0.0.1:%d", port);
	expect_reason(with("table: t\nupsert: nope"), LEAT_FATAL,
	              "column \"nope\" does not exist in table \"t\" of database \"leat\" at 127.0.0.1:%d", port);
	expect_reason(with("table: t\ncolumns: {made: id}"), LEAT_FATAL,
	              "column \"made\" of table \"t\" cannot be written: the server generates it");
	expect_reason(with("table: x\nupsert: id"), LEAT_FATAL,
	              "cannot run a statement: postgres at 127.0.0.1:%d: there is no unique or exclusion constraint matching the ON CONFLICT "
	              "specification (42P10)",
	              port);
	expect_reason(with("table: t\ndatabase: nope"), LEAT_FATAL,
	              "cannot connect to postgres at 127.0.0.1:%d: database \"nope\" does not exist",
	              port);
	expect_reason("port: 1\ntable: t", LEAT_RETRY, "could not connect to postgres at 127.0.0.1:1: connection refused");
	expect_reason("url: postgresql://leat:secret@127.0.0.1:1/leat\ntable: t", LEAT_RETRY,
	              "could not connect to postgres at 127.0.0.1:1: connection refused");
	end();
}
END_TEST

static void expect_findings(const char *options, const char *part)
{
	char *text = leat_driver_findings(true, "postgres", options);

	ck_assert_msg(strstr(text, part) != NULL, "expected %s in %s", part, text);
	ck_assert_ptr_null(strstr(text, "secret"));
	free(text);
}

START_TEST(wrong_options_are_named)
{
	expect_findings("table: a.b.c", "cannot use \"a.b.c\" as the name of a table");
	expect_findings("table: 't; drop'", "as the name of a table");
	expect_findings("table: t\nmode: copy\nupsert: id", "mode \"copy\" cannot upsert");
	expect_findings("table: t\ncolumns: {a: b}\nupsert: id", "column \"id\" of upsert is not among the columns");
	expect_findings("table: t\nurl: 'postgresql://h/db?password=secret&service=x'",
	                "its parameter \"service\" is not allowed");
	expect_findings("table: t\nurl: 'host=secret'", "it has to begin with postgresql://");
	expect_findings("table: t\nurl: 'postgresql://h/db?sslkey=engine:secret'", "its parameter \"sslkey\" is not allowed");
	ck_assert_int_eq(setenv("PGSERVICE", "x", 1), 0);
	expect_findings("table: t", "environment variable \"PGSERVICE\" would change the connection");
	ck_assert_int_eq(unsetenv("PGSERVICE"), 0);
}
END_TEST

START_TEST(a_connection_that_was_cut_comes_back)
{
	struct leat_driver *d;
	enum leat_status status;

	if (!begin())
		return;
	(void)query("create table t (id int primary key)");
	d = claimed("table: t\nupsert: id");
	encode(d, "{\"id\": 1}");
	deliver(d);
	encode(d, "{\"id\": 2}");
	(void)query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leat driver/it'");
	status = leat_driver_deliver(d);
	ck_assert_msg(status == LEAT_RETRY || status == LEAT_UNKNOWN, "%d %s", (int)status, leat_driver_reason(d));
	ck_assert_int_eq(leat_driver_claim(d), LEAT_OK);
	deliver(d);
	ck_assert_str_eq(query("select id from t order by id"), "1\n2");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_lock_that_is_not_given_up_ends_in_a_retry)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int primary key)");
	d = claimed("table: t\nstatement_timeout: 200ms");
	encode(d, "{\"id\": 1}");
	(void)query("begin; lock table t");
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "(57014)"));
	(void)query("commit");
	deliver(d);
	ck_assert_str_eq(query("select id from t"), "1");
	leat_driver_destroy(d);
	/* A server that does not answer at all. */
	d = claimed("table: t\ntimeout: 300ms");
	encode(d, "{\"id\": 2}");
	(void)query("begin; lock table t");
	ck_assert_int_eq(leat_driver_deliver(d), LEAT_UNKNOWN);
	(void)query("rollback");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(many_shapes_are_more_than_are_kept)
{
	struct leat_driver *d;
	char json[256];
	int i;

	if (!begin())
		return;
	(void)query("create table t (id int, a int, b int, c int, d int, e int, f int, g int)");
	d = claimed("table: t");
	for (i = 0; i < 256; i++) {
		(void)snprintf(json, sizeof json, "{\"id\": %d%s%s%s%s%s%s%s}", i, i & 1 ? ", \"a\": 1" : "", i & 2 ? ", \"b\": 1"
		               : "",
		               i & 4 ? ", \"c\": 1" : "", i & 8 ? ", \"d\": 1" : "", i & 16 ? ", \"e\": 1" : "", i & 32
		               ? ", \"f\": 1" : "",
		               i & 64 ? ", \"g\": 1" : "");
		encode(d, json);
	}
	deliver(d);
	ck_assert_str_eq(query("select count(*), count(a), count(g), sum(id) from t"), "256|128|128|32640");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* ---- exactly-once ---- */

/* The digest has its highest bit set, so it goes through a bigint with a sign. */
static struct leat_fence fence(uint64_t incarnation, uint64_t epoch)
{
	return (struct leat_fence){ .incarnation = incarnation, .epoch = epoch,
	                            .digest = epoch == 0 ? 0 : UINT64_C(0xf000000000000000) + epoch };
}

static void expect_fence(struct leat_fence found, struct leat_fence expected)
{
	ck_assert_uint_eq(found.incarnation, expected.incarnation);
	ck_assert_uint_eq(found.epoch, expected.epoch);
	ck_assert_uint_eq(found.digest, expected.digest);
}

static void claim_fenced(struct leat_driver *d, uint64_t incarnation, struct leat_fence expected)
{
	struct leat_fence found;

	if (leat_driver_claim_fenced(d, "driver", incarnation, &found) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
	expect_fence(found, expected);
}

static struct leat_driver *claimed_fenced(const char *options, uint64_t incarnation, struct leat_fence expected)
{
	struct leat_driver *d = leat_driver_create_sink("postgres", with(options));

	claim_fenced(d, incarnation, expected);
	return d;
}

static void deliver_fenced(struct leat_driver *d, struct leat_fence expected, struct leat_fence next)
{
	if (leat_driver_deliver_fenced(d, expected, next) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
}

static void expect_refused(struct leat_driver *d, struct leat_fence expected, struct leat_fence next, const char *reason)
{
	ck_assert_int_eq(leat_driver_deliver_fenced(d, expected, next), LEAT_FATAL);
	ck_assert_str_eq(leat_driver_reason(d), reason);
}

/* Runs it in the background; nothing else may be asked of `on` before finish_later(). */
static void later(PGconn *on, const char *sql)
{
	ck_assert_int_eq(PQsendQuery(on, sql), 1);
}

static void finish_later(PGconn *on)
{
	PGresult *result;

	while ((result = PQgetResult(on)) != NULL) {
		ck_assert_msg(PQresultStatus(result) != PGRES_FATAL_ERROR, "%s", PQerrorMessage(on));
		PQclear(result);
	}
}

START_TEST(a_claim_finds_nothing_and_then_what_was_delivered)
{
	struct leat_fence largest = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	d = claimed_fenced("table: t", 3, fence(0, 0));
	claim_fenced(d, 3, fence(3, 0));
	encode(d, "{\"id\": 1}");
	deliver_fenced(d, fence(3, 0), fence(3, 7));
	claim_fenced(d, 4, fence(3, 7));
	/* No effects, but epochs all the same. */
	deliver_fenced(d, fence(4, 7), fence(4, 8));
	claim_fenced(d, 9, fence(4, 8));
	/* A larger incarnation than ours stays. */
	claim_fenced(d, 5, fence(9, 8));
	claim_fenced(d, 9, fence(9, 8));
	deliver_fenced(d, fence(9, 8), largest);
	claim_fenced(d, 10, largest);
	ck_assert_str_eq(query("select id from t"), "1");
	ck_assert_str_eq(query("select pipeline, sink, incarnation, epoch, digest from leat_fences"), "driver|it|-1|-1|-1");
	leat_driver_destroy(d);
	end();
}
END_TEST

static const char *const fenced_modes[] = { "table: t", "table: t\nmode: copy", "table: t\nupsert: id", "table: t\nbatch: 1" };

START_TEST(a_delivery_that_is_repeated_is_applied_once)
{
	struct leat_driver *d;
	size_t i;
	int j;

	if (!begin())
		return;
	(void)query("create table t (id int unique)");
	for (i = 0; i < 4; i++) {
		(void)query("truncate t; drop table if exists leat_fences");
		d = claimed_fenced(fenced_modes[i], 1, fence(0, 0));
		for (j = 0; j < 3; j++) {
			encode(d, "{\"id\": 1}");
			encode(d, "{\"id\": 2}");
			deliver_fenced(d, fence(1, 0), fence(1, 1));
			ck_assert_uint_eq(leat_driver_refusals(d), 0);
		}
		ck_assert_str_eq(query("select id, (select epoch from leat_fences) from t order by id"), "1|1\n2|1");
		encode(d, "{\"id\": 3}");
		deliver_fenced(d, fence(1, 1), fence(1, 2));
		ck_assert_str_eq(query("select id, (select epoch from leat_fences) from t order by id"), "1|2\n2|2\n3|2");
		leat_driver_destroy(d);
	}
	end();
}
END_TEST

START_TEST(another_fence_than_expected_is_fatal_and_nothing_is_applied)
{
	struct leat_fence other_digest = fence(1, 1);
	struct leat_driver *d;
	size_t i;

	if (!begin())
		return;
	(void)query("create table t (id int unique)");
	other_digest.digest = 1;
	for (i = 0; i < 4; i++) {
		(void)query("drop table if exists leat_fences");
		d = claimed_fenced(fenced_modes[i], 1, fence(0, 0));
		deliver_fenced(d, fence(1, 0), fence(1, 1));
		encode(d, "{\"id\": 1}");
		encode(d, "{\"id\": \"not a number\"}");
		expect_refused(d, fence(1, 2), fence(1, 3), "cannot deliver: the fence is another than expected: found incarnation 1, epoch 1, "
		               "digest f000000000000001, expected incarnation 1, epoch 2, digest f000000000000002");
		expect_refused(d, other_digest, fence(1, 2), "cannot deliver: the fence is another than expected: found incarnation 1, epoch 1, "
		               "digest f000000000000001, expected incarnation 1, epoch 1, digest 0000000000000001");
		expect_refused(d, fence(0, 0), fence(1, 2), "cannot deliver: the fence is another than expected: found incarnation 1, epoch 1, "
		               "digest f000000000000001, expected incarnation 0, epoch 0, digest 0000000000000000");
		ck_assert_str_eq(query("select epoch, (select count(*) from t) from leat_fences"), "1|0");
		(void)query("delete from leat_fences");
		ck_assert_int_eq(leat_driver_deliver_fenced(d, fence(1, 1), fence(1, 2)), LEAT_FATAL);
		ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "the fence is missing from table"));
		leat_driver_destroy(d);
	}
	end();
}
END_TEST

START_TEST(a_former_owner_is_refused_after_another_claim)
{
	struct leat_driver *former, *owner;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	former = claimed_fenced("table: t", 1, fence(0, 0));
	encode(former, "{\"id\": 1}");
	owner = claimed_fenced("table: t", 2, fence(1, 0));
	expect_refused(former, fence(1, 0), fence(1, 1), "cannot deliver: another instance owns the sink: found incarnation 2, epoch 0, "
	               "digest 0000000000000000, expected incarnation 1, epoch 0, digest 0000000000000000");
	encode(owner, "{\"id\": 2}");
	deliver_fenced(owner, fence(2, 0), fence(2, 1));
	ck_assert_str_eq(query("select id from t"), "2");
	leat_driver_destroy(former);
	leat_driver_destroy(owner);
	end();
}
END_TEST

/* As if the server read an attempt only after the host had given its connection up and claimed on another. */
START_TEST(an_attempt_of_before_a_claim_is_refused_even_with_our_incarnation)
{
	struct leat_driver *late, *now;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	late = claimed_fenced("table: t", 1, fence(0, 0));
	encode(late, "{\"id\": 1}");
	now = claimed_fenced("table: t", 1, fence(1, 0));
	ck_assert_int_eq(leat_driver_deliver_fenced(late, fence(1, 0), fence(1, 1)), LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(late), "another instance owns the sink"));
	ck_assert_str_eq(query("select count(*) from t"), "0");
	leat_driver_destroy(late);
	leat_driver_destroy(now);
	end();
}
END_TEST

struct attempt {
	struct leat_driver *driver;
	enum leat_status status;
};

static void *attempt(void *opaque)
{
	struct attempt *a = opaque;

	a->status = leat_driver_deliver_fenced(a->driver, fence(1, 0), fence(1, 1));
	return NULL;
}

/* Until the query has a row. */
static void await_row(const char *sql, const char *missing)
{
	int i;

	for (i = 0; i < 1000; i++) {
		if (query("%s", sql)[0] != '\0')
			return;
		(void)usleep(5000);
	}
	ck_abort_msg("%s", missing);
}

/* Until a sink's backend waits for one of ours. */
static void await_lock_waiter(void)
{
	await_row("select pid from pg_stat_activity where pg_backend_pid() = any (pg_blocking_pids(pid))",
	          "nobody waits for this test's transaction");
}

START_TEST(a_claim_waits_for_a_former_owner_in_the_middle)
{
	struct attempt a = { .status = LEAT_AGAIN };
	struct leat_driver *owner;
	struct leat_fence found;
	pthread_t thread;

	if (!begin())
		return;
	(void)query("create table t (id int unique)");
	a.driver = claimed_fenced("table: t", 1, fence(0, 0));
	encode(a.driver, "{\"id\": 1}");
	(void)query("begin; insert into t values (1)");
	ck_assert_int_eq(pthread_create(&thread, NULL, attempt, &a), 0);
	await_lock_waiter();
	owner = leat_driver_create_sink("postgres", with("table: t\nstatement_timeout: 400ms"));
	ck_assert_int_eq(leat_driver_claim_fenced(owner, "driver", 2, &found), LEAT_RETRY);
	ck_assert_msg(strstr(leat_driver_reason(owner), "(55P03)") != NULL, "%s", leat_driver_reason(owner));
	(void)query("rollback");
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(a.status, LEAT_OK);
	claim_fenced(owner, 2, fence(1, 1));
	encode(a.driver, "{\"id\": 2}");
	ck_assert_int_eq(leat_driver_deliver_fenced(a.driver, fence(1, 1), fence(1, 2)), LEAT_FATAL);
	ck_assert_str_eq(query("select id from t"), "1");
	leat_driver_destroy(a.driver);
	leat_driver_destroy(owner);
	end();
}
END_TEST

/* Its client stands still between two messages of a pipeline, where no timeout of the server runs. */
static void stand_still_with_the_fence(PGconn *on)
{
	char sql[128];

	(void)snprintf(sql, sizeof sql, "update %s.leat_fences set epoch = 9", schema);
	ck_assert_int_eq(PQenterPipelineMode(on), 1);
	ck_assert_int_eq(PQsendQueryParams(on, "begin", 0, NULL, NULL, NULL, NULL, 0), 1);
	ck_assert_int_eq(PQsendQueryParams(on, sql, 0, NULL, NULL, NULL, NULL, 0), 1);
	ck_assert_int_eq(PQflush(on), 0);
	await_row("select pid from leat_fences f join pg_locks l on l.transactionid = f.xmax", "the fence's row is not locked");
}

START_TEST(a_claim_ends_a_former_owner_that_says_no_more)
{
	struct leat_driver *owner;
	PGconn *former;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	leat_driver_destroy(claimed_fenced("table: t", 1, fence(0, 0)));
	former = connect_again();
	stand_still_with_the_fence(former);
	owner = leat_driver_create_sink("postgres", with("table: t\nstatement_timeout: 400ms"));
	claim_fenced(owner, 2, fence(1, 0));
	encode(owner, "{\"id\": 1}");
	ck_assert_int_eq(leat_driver_deliver_fenced(owner, fence(2, 0), fence(2, 1)), LEAT_OK);
	PQfinish(former);
	leat_driver_destroy(owner);
	end();
}
END_TEST

START_TEST(a_claim_that_has_waited_finds_what_was_committed_meanwhile)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	d = claimed_fenced("table: t", 1, fence(0, 0));
	(void)query("begin; update leat_fences set epoch = 1, digest = %lld", (long long)(int64_t)fence(1, 1).digest);
	later(conn, "select pg_sleep(0.3); commit");
	claim_fenced(d, 2, fence(1, 1));
	finish_later(conn);
	leat_driver_destroy(d);
	end();
}
END_TEST

/* The former owner's transaction has begun, and waits for the row that the claim has. */
START_TEST(a_former_owner_that_waits_for_the_fence_is_refused)
{
	struct attempt a = { .status = LEAT_AGAIN };
	pthread_t thread;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	a.driver = claimed_fenced("table: t", 1, fence(0, 0));
	encode(a.driver, "{\"id\": 1}");
	(void)query("begin; update leat_fences set incarnation = 2, claims = claims + 1");
	ck_assert_int_eq(pthread_create(&thread, NULL, attempt, &a), 0);
	await_lock_waiter();
	(void)query("commit");
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_int_eq(a.status, LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(a.driver), "another instance owns the sink: found incarnation 2"));
	ck_assert_str_eq(query("select count(*) from t"), "0");
	leat_driver_destroy(a.driver);
	end();
}
END_TEST

START_TEST(refused_rows_leave_the_others_and_the_fence_in_one_transaction)
{
	struct leat_driver *d;
	size_t i;

	if (!begin())
		return;
	/* The fence is seen by each row as its own transaction has set it. */
	(void)query("create table leat_fences (pipeline text, sink text, incarnation bigint, epoch bigint, digest bigint,"
	            " claims bigint default 0, primary key (pipeline, sink));"
	            "create function seen() returns bigint language sql as 'select epoch from %s.leat_fences';"
	            "create table t (id int unique, n int check (n > 0), epoch bigint default seen(), tx bigint default txid_current())",
	            schema);
	for (i = 0; i < 4; i++) {
		(void)query("truncate t; truncate leat_fences");
		d = claimed_fenced(fenced_modes[i], 1, fence(0, 0));
		encode(d, "{\"id\": 1, \"n\": 1}");
		encode(d, "{\"id\": 2, \"n\": -1}");
		encode(d, "{\"id\": 3, \"n\": 1}");
		encode(d, "{\"other\": 4}");
		deliver_fenced(d, fence(1, 0), fence(1, 5));
		ck_assert_uint_eq(leat_driver_refusals(d), 2);
		ck_assert_ptr_nonnull(strstr(leat_driver_refusal(d, 1), "(23514)"));
		ck_assert_str_eq(query("select id, epoch, count(*) over (partition by tx) from t order by id"), "1|5|2\n3|5|2");
		/* Nothing is left but the fence. */
		encode(d, "{\"id\": 5, \"n\": -1}");
		deliver_fenced(d, fence(1, 5), fence(1, 6));
		encode(d, "{\"other\": 4}");
		deliver_fenced(d, fence(1, 6), fence(1, 7));
		ck_assert_uint_eq(leat_driver_refusals(d), 1);
		claim_fenced(d, 2, fence(1, 7));
		ck_assert_str_eq(query("select count(*) from t"), "2");
		leat_driver_destroy(d);
	}
	end();
}
END_TEST

/* What is kept goes with the fence: the host may not have heard it the first time. */
START_TEST(refused_rows_are_the_same_when_a_delivery_comes_again)
{
	static const struct {
		uint64_t owner;
		bool claims;
	} rounds[] = { { 1, false }, { 1, false }, { 1, true }, { 2, true }, { 7, true } };
	struct leat_driver *d;
	size_t i, j;

	if (!begin())
		return;
	(void)query("create table t (id int unique, n int check (n > 0))");
	for (i = 0; i < 4; i++) {
		(void)query("truncate t; drop table if exists leat_fences");
		d = claimed_fenced(fenced_modes[i], 1, fence(0, 0));
		for (j = 0; j < 5; j++) {
			if (rounds[j].claims)
				claim_fenced(d, rounds[j].owner, fence(rounds[j - 1].owner, 5));
			encode(d, "{\"id\": 1, \"n\": 1}");
			encode(d, "{\"id\": 2, \"n\": -1}");
			encode(d, "{\"other\": 4}");
			encode(d, "{\"id\": \"x\", \"n\": 1}");
			encode(d, "{\"id\": 5, \"n\": 1}");
			deliver_fenced(d, fence(rounds[j].owner, 0), fence(rounds[j].owner, 5));
			ck_assert_uint_eq(leat_driver_refusals(d), 3);
			ck_assert_str_eq(leat_driver_refusal(d, 1), "cannot deliver: new row for relation \"t\" violates check constraint "
			                 "\"t_n_check\" (23514)");
			ck_assert_str_eq(leat_driver_refusal(d, 2), "record has no field that is a column of table \"t\"");
			ck_assert_str_eq(leat_driver_refusal(d, 3), "cannot deliver: invalid input syntax for type integer: \"x\" (22P02)");
			ck_assert_ptr_nonnull(strstr(query("select convert_from(refused, 'utf8') from leat_fences"),
			                             "(23514)\n\tFailing row contains (2, -1).\n"));
		}
		/* The host may not have noted the delivery before it, and then both come as one. */
		encode(d, "{\"id\": 0, \"n\": 1}");
		encode(d, "{\"id\": 1, \"n\": 1}");
		encode(d, "{\"id\": 2, \"n\": -1}");
		encode(d, "{\"other\": 4}");
		encode(d, "{\"id\": \"x\", \"n\": 1}");
		encode(d, "{\"id\": 5, \"n\": 1}");
		deliver_fenced(d, fence(7, 0), fence(7, 5));
		ck_assert_uint_eq(leat_driver_refusals(d), 3);
		ck_assert_str_eq(leat_driver_refusal(d, 3), "record has no field that is a column of table \"t\"");
		ck_assert_str_eq(query("select id from t order by id"), "1\n5");
		/* Only known before the server is asked. */
		encode(d, "{\"other\": 4}");
		deliver_fenced(d, fence(7, 5), fence(7, 6));
		claim_fenced(d, 8, fence(7, 6));
		encode(d, "{\"other\": 4}");
		deliver_fenced(d, fence(8, 5), fence(8, 6));
		ck_assert_uint_eq(leat_driver_refusals(d), 1);
		/* The next delivery forgets them, even without effects. */
		deliver_fenced(d, fence(8, 6), fence(8, 7));
		ck_assert_str_eq(query("select refused from leat_fences"), "~");
		deliver_fenced(d, fence(8, 6), fence(8, 7));
		ck_assert_uint_eq(leat_driver_refusals(d), 0);
		leat_driver_destroy(d);
	}
	end();
}
END_TEST

START_TEST(what_is_kept_as_refused_and_is_not_is_told)
{
	static const char *const kept[] = { "7 too far", "none", "\n0 after a gap", "0", "\tdetail of nothing" };
	struct leat_driver *d;
	size_t i;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	d = claimed_fenced("table: t", 1, fence(0, 0));
	encode(d, "{\"id\": 1}");
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	for (i = 0; i < sizeof kept / sizeof *kept; i++) {
		(void)query("update leat_fences set refused = '%s'", kept[i]);
		encode(d, "{\"id\": 1}");
		ck_assert_int_eq(leat_driver_deliver_fenced(d, fence(1, 0), fence(1, 1)), LEAT_FATAL);
		ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), ".leat_fences\" cannot be read"));
		leat_driver_drop(d);
	}
	leat_driver_destroy(d);
	end();
}
END_TEST

/* Its commits take that long for each row. */
static void create_slow_table(double seconds)
{
	(void)query("create table t (id int, n int); create function slow() returns trigger language plpgsql as"
	            " $$ begin perform pg_sleep(%f); return null; end $$;"
	            "create constraint trigger slow after insert on t deferrable initially deferred for each row execute function slow()",
	            seconds);
}

static const char *cut_after(double seconds)
{
	static char sql[320];

	(void)snprintf(sql, sizeof sql, "do $$ begin perform pg_sleep(%f); perform pg_terminate_backend(pid) from pg_stat_activity"
	               " where application_name = 'leat driver/it'; end $$", seconds);
	return sql;
}

/* The server goes on with a commit whose client has gone, and the claim waits until it is through. */
START_TEST(a_commit_that_outlives_its_connection_is_found_by_the_claim)
{
	struct leat_driver *d;
	struct leat_fence found;
	enum leat_status status;
	int i;

	if (!begin())
		return;
	create_slow_table(0.7);
	d = claimed_fenced("table: t\ntimeout: 300ms", 1, fence(0, 0));
	encode(d, "{\"id\": 1}");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence(1, 0), fence(1, 1)), LEAT_UNKNOWN);
	for (i = 0; (status = leat_driver_claim_fenced(d, "driver", 1, &found)) == LEAT_RETRY && i < 20; i++)
		continue;
	ck_assert_int_eq(status, LEAT_OK);
	ck_assert_int_gt(i, 0);
	expect_fence(found, fence(1, 1));
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	ck_assert_str_eq(query("select id from t"), "1");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* Its answer to COMMIT would be the same if that had been done. */
START_TEST(a_server_that_ends_the_connection_in_a_commit_is_not_believed)
{
	struct leat_driver *d;

	if (!begin())
		return;
	create_slow_table(0.6);
	d = claimed_fenced("table: t", 1, fence(0, 0));
	encode(d, "{\"id\": 1}");
	later(conn, cut_after(0.2));
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence(1, 0), fence(1, 1)), LEAT_UNKNOWN);
	finish_later(conn);
	claim_fenced(d, 1, fence(1, 0));
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	ck_assert_str_eq(query("select id from t"), "1");
	leat_driver_destroy(d);
	end();
}
END_TEST

/* What the host does until an epoch is delivered; says how often the outcome was unknown. */
static int insist(struct leat_driver *d, struct leat_fence expected, struct leat_fence next)
{
	struct leat_fence found;
	enum leat_status status;
	int i, n_unknown = 0;

	for (i = 0; i < 100 && (status = leat_driver_deliver_fenced(d, expected, next)) != LEAT_OK; i++) {
		ck_assert_msg(status == LEAT_RETRY || status == LEAT_UNKNOWN, "%s", leat_driver_reason(d));
		if (status != LEAT_UNKNOWN)
			continue;
		n_unknown++;
		while ((status = leat_driver_claim_fenced(d, "driver", next.incarnation, &found)) == LEAT_RETRY && i++ < 100)
			continue;
		ck_assert_msg(status == LEAT_OK, "%s", leat_driver_reason(d));
		expect_fence(found, found.epoch == next.epoch ? next : expected);
		/* The answer is final, or the rows would be there twice at the end: those of `next` were not, if it says so. */
		if (found.epoch == next.epoch)
			ck_assert_str_ne(query("select count(*) from t where id = %d", (int)next.epoch), "0");
		else
			ck_assert_str_eq(query("select count(*) from t where id = %d", (int)next.epoch), "0");
	}
	ck_assert_int_lt(i, 100);
	return n_unknown;
}

START_TEST(connections_cut_at_any_time_leave_each_row_there_once)
{
	enum { ROUNDS = 40 };
	struct leat_driver *d;
	PGconn *cutter;
	char json[64];
	int i, n_unknown = 0;

	if (!begin())
		return;
	create_slow_table(0.005);
	d = claimed_fenced("table: t", 1, fence(0, 0));
	cutter = connect_again();
	for (i = 1; i <= ROUNDS; i++) {
		(void)snprintf(json, sizeof json, "{\"id\": %d, \"n\": 1}", i);
		encode(d, json);
		encode(d, json);
		later(cutter, cut_after(i * 0.0005));
		n_unknown += insist(d, fence(1, (uint64_t)i - 1), fence(1, (uint64_t)i));
		finish_later(cutter);
	}
	PQfinish(cutter);
	ck_assert_str_eq(query("select count(*), count(distinct id), sum(n) from t"), "80|40|80");
	ck_assert_int_gt(n_unknown, 0);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_serialization_failure_is_retried)
{
	struct leat_driver *d;
	char options[64];

	if (!begin())
		return;
	(void)query("create table t (id int primary key, n int); insert into t values (1, 0); create role %s login;"
	            "alter role %s set default_transaction_isolation = 'serializable'; grant all on schema %s to %s; grant all on t to %s",
	            schema, schema, schema, schema, schema);
	(void)snprintf(options, sizeof options, "table: t\nupsert: id\nuser: %s", schema);
	d = claimed_fenced(options, 1, fence(0, 0));
	encode(d, "{\"id\": 1, \"n\": 5}");
	(void)query("begin isolation level serializable; update t set n = n + 1");
	later(conn, "select pg_sleep(0.3); commit");
	ck_assert_int_eq(leat_driver_deliver_fenced(d, fence(1, 0), fence(1, 1)), LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "(40001)"));
	finish_later(conn);
	ck_assert_str_eq(query("select n, (select epoch from leat_fences) from t"), "1|0");
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	ck_assert_str_eq(query("select n, (select epoch from leat_fences) from t"), "5|1");
	leat_driver_destroy(d);
	(void)query("drop owned by %s; drop role %s", schema, schema);
	end();
}
END_TEST

/* The README's statements, with this test's schema and role in place of its own. */
static void run_readme(const char *role)
{
	char path[1024], text[32768], sql[4096] = "";
	const char *at, *stop;
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof path, "%s/plugins/postgres/README.md", getenv("LEAT_SOURCE"));
	file = fopen(path, "r");
	ck_assert_ptr_nonnull(file);
	n = fread(text, 1, sizeof text - 1, file);
	(void)fclose(file);
	text[n] = '\0';
	at = strstr(text, "```sql\n");
	ck_assert_ptr_nonnull(at);
	at += 7;
	stop = strstr(at, "```");
	ck_assert_ptr_nonnull(stop);
	n = 0;
	while (at < stop) {
		const char *word = strncmp(at, "public.", 7) == 0 ? schema : strncmp(at, "TO leat", 7) == 0 ? role : NULL;

		ck_assert_uint_lt(n + 64, sizeof sql);
		if (word == NULL)
			sql[n++] = *at++;
		else
			n += (size_t)snprintf(sql + n, sizeof sql - n, word == schema ? "%s." : "TO %s", word);
		at += word == NULL ? 0 : 7;
	}
	sql[n] = '\0';
	(void)query("%s", sql);
}

/* Table t, and a role that may insert into it and not make tables; and the options of a sink that is this role. */
static void make_role(char role[40], char options[64])
{
	(void)snprintf(role, 40, "%s_role", schema);
	(void)query("create table t (id int); create role %s login; grant usage on schema %s to %s; grant insert on t to %s", role, schema,
	            role, role);
	(void)snprintf(options, 64, "table: t\nuser: %s", role);
}

START_TEST(a_role_without_the_right_to_create_needs_the_table_of_the_readme)
{
	struct leat_driver *d;
	struct leat_fence found;
	char options[64], role[40], reason[256];

	if (!begin())
		return;
	make_role(role, options);
	d = leat_driver_create_sink("postgres", with(options));
	ck_assert_int_eq(leat_driver_claim_fenced(d, "driver", 1, &found), LEAT_FATAL);
	(void)snprintf(reason, sizeof reason, "cannot create table \"%s.leat_fences\" for exactly-once: cannot run a statement: "
	               "postgres at 127.0.0.1:%d: permission denied for schema %s (42501)", schema, port, schema);
	ck_assert_str_eq(leat_driver_reason(d), reason);
	run_readme(role);
	claim_fenced(d, 1, fence(0, 0));
	encode(d, "{\"id\": 1}");
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	ck_assert_str_eq(query("select id from t"), "1");
	leat_driver_destroy(d);
	(void)query("drop owned by %s; drop role %s", role, role);
	end();
}
END_TEST

static const char old_table[] =
	"create table leat_fences (pipeline text, sink text, incarnation bigint not null, epoch bigint not null,"
	" digest bigint not null, claims bigint not null default 0, primary key (pipeline, sink))";

START_TEST(a_table_of_before_refusals_were_kept_gets_their_column)
{
	struct leat_driver *d;
	struct leat_fence found;
	char options[64], role[40], reason[256];

	if (!begin())
		return;
	make_role(role, options);
	(void)query("%s; grant select, insert, update on leat_fences to %s; insert into leat_fences values ('driver', 'it', 1, 0, 0)",
	            old_table, role);
	d = leat_driver_create_sink("postgres", with(options));
	ck_assert_int_eq(leat_driver_claim_fenced(d, "driver", 1, &found), LEAT_FATAL);
	(void)snprintf(reason, sizeof reason, "cannot add column \"refused\" to table \"%s.leat_fences\" for exactly-once: cannot run a "
	               "statement: postgres at 127.0.0.1:%d: must be owner of table leat_fences (42501)", schema, port);
	ck_assert_str_eq(leat_driver_reason(d), reason);
	leat_driver_destroy(d);
	d = claimed_fenced("table: t", 1, fence(1, 0));
	encode(d, "{\"id\": \"x\"}");
	deliver_fenced(d, fence(1, 0), fence(1, 1));
	ck_assert_uint_eq(leat_driver_refusals(d), 1);
	ck_assert_str_ne(query("select refused from leat_fences"), "~");
	leat_driver_destroy(d);
	(void)query("drop owned by %s; drop role %s", role, role);
	end();
}
END_TEST

START_TEST(two_claims_may_create_the_table_at_once)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table t (id int)");
	d = leat_driver_create_sink("postgres", with("table: t"));
	(void)query("begin; %s", old_table); /* by an earlier version, at that */
	later(conn, "select pg_sleep(0.3); commit");
	claim_fenced(d, 1, fence(0, 0));
	finish_later(conn);
	leat_driver_destroy(d);
	end();
}
END_TEST

/* ---- the lookup ---- */

static void expect_out(struct leat_driver *d, const char *expected)
{
	const char *out = leat_driver_pull(d);

	if (expected == NULL)
		ck_assert_ptr_null(out);
	else if (strncmp(expected, "dead", 4) == 0)
		ck_assert_msg(out != NULL && strncmp(out, "dead", 4) == 0 && strstr(out, expected + 5) != NULL, "%s", out);
	else
		ck_assert_pstr_eq(out, expected);
}

static void push(struct leat_driver *d, const char *const *json)
{
	if (leat_driver_push(d, json) != LEAT_OK)
		ck_abort_msg("%s", leat_driver_reason(d));
}

START_TEST(a_lookup_adds_the_columns_of_its_row)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table users (id int primary key, tier text, big numeric, yes bool, at timestamptz, bytes bytea, none int)");
	(void)query("insert into users values (1, 'gold', 12345678901234567890.10, true, '2024-02-29 12:34:56.5+02', '\\x00ff', null)");
	d = leat_driver_create_operator("postgres", with("table: users\nmatch: {id: user}"));
	ck_assert_int_eq(leat_driver_check(d), LEAT_OK);
	push(d, (const char *const[]){ "{\"user\": 1}", "{\"user\": 2}", "{\"user\": null}", "{\"user\": \"x\"}",
	                               "{\"user\": 1, \"tier\": 0}", NULL });
	expect_out(d, "{\"user\":1,\"id\":1,\"tier\":\"gold\",\"big\":12345678901234567890.10,\"yes\":true,\"at\":\"2024-02-29T10:34:56.500000Z\","
	              "\"bytes\":\"AP8=\",\"none\":null}");
	expect_out(d, "{\"user\":2,\"id\":null,\"tier\":null,\"big\":null,\"yes\":null,\"at\":null,\"bytes\":null,\"none\":null}");
	expect_out(d, "{\"user\":null,\"id\":null,\"tier\":null,\"big\":null,\"yes\":null,\"at\":null,\"bytes\":null,\"none\":null}");
	expect_out(d, "{\"user\":1,\"tier\":\"gold\",\"id\":1,\"big\":12345678901234567890.10,\"yes\":true,\"at\":\"2024-02-29T10:34:56.500000Z\","
	              "\"bytes\":\"AP8=\",\"none\":null}");
	expect_out(d, "dead invalid input syntax for type integer");
	expect_out(d, NULL);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_lookup_asks_the_server_once_until_the_answer_is_old)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table users (id int primary key, tier text); insert into users values (1, 'gold')");
	d = leat_driver_create_operator("postgres",
	                                with("query: select tier from users where id = $1\nparams: [user]\ninto: user_row\ncache_ttl: 10s"));
	leat_driver_set_time(d, 1000000000);
	push(d, (const char *const[]){ "{\"user\": 1}", "{\"user\": 2}", NULL });
	expect_out(d, "{\"user\":1,\"user_row\":{\"tier\":\"gold\"}}");
	expect_out(d, "{\"user\":2,\"user_row\":null}");
	(void)query("update users set tier = 'lead'; insert into users values (2, 'iron')");
	leat_driver_set_time(d, 1000000000 + 9000000);
	push(d, (const char *const[]){ "{\"user\": 1}", "{\"user\": 2}", "{\"user\": 3}", NULL });
	expect_out(d, "{\"user\":1,\"user_row\":{\"tier\":\"gold\"}}");
	expect_out(d, "{\"user\":2,\"user_row\":null}");
	expect_out(d, "{\"user\":3,\"user_row\":null}");
	leat_driver_set_time(d, 1000000000 + 10000000);
	push(d, (const char *const[]){ "{\"user\": 1}", "{\"user\": 2}", NULL });
	expect_out(d, "{\"user\":1,\"user_row\":{\"tier\":\"lead\"}}");
	expect_out(d, "{\"user\":2,\"user_row\":{\"tier\":\"iron\"}}");
	leat_driver_destroy(d);
	/* Sooner than old answers are swept out. */
	d = leat_driver_create_operator("postgres",
	                                with("query: select tier from users where id = $1\nparams: user\ncache_ttl: 500ms"));
	leat_driver_set_time(d, 1000000000);
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	(void)query("update users set tier = 'new'");
	leat_driver_set_time(d, 1000000000 + 499999);
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	leat_driver_set_time(d, 1000000000 + 500000);
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	expect_out(d, "{\"user\":1,\"tier\":\"lead\"}");
	expect_out(d, "{\"user\":1,\"tier\":\"lead\"}");
	expect_out(d, "{\"user\":1,\"tier\":\"new\"}");
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_lookup_without_a_row_can_reject_or_drop)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table users (id int primary key, tier text)");
	d = leat_driver_create_operator("postgres", with("table: users\nmatch: {id: user}\nmissing: reject"));
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	expect_out(d, "dead no row in table \\\"users\\\" for this record");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("postgres", with("table: users\nmatch: {id: user}\nmissing: drop\ncolumns: tier"));
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	expect_out(d, NULL);
	leat_driver_destroy(d);
	end();
}
END_TEST

START_TEST(a_lookup_comes_back_and_cannot_write)
{
	struct leat_driver *d;

	if (!begin())
		return;
	(void)query("create table users (id int primary key, tier text); insert into users values (1, 'gold')");
	d = leat_driver_create_operator("postgres", with("table: users\nmatch: {id: user}\ncolumns: tier\ncache: 0"));
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	expect_out(d, "{\"user\":1,\"tier\":\"gold\"}");
	(void)query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'leat driver/it'");
	ck_assert_int_eq(leat_driver_push(d, (const char *const[]){ "{\"user\": 1}", NULL }), LEAT_RETRY);
	push(d, (const char *const[]){ "{\"user\": 1}", NULL });
	expect_out(d, "{\"user\":1,\"tier\":\"gold\"}");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("postgres", with("query: delete from users where id = $1 returning id\nparams: user"));
	ck_assert_int_ne(leat_driver_push(d, (const char *const[]){ "{\"user\": 1}", NULL }), LEAT_OK);
	ck_assert_str_eq(query("select count(*) from users"), "1");
	leat_driver_destroy(d);
	d = leat_driver_create_operator("postgres", with("table: nope\nmatch: {id: user}"));
	ck_assert_int_eq(leat_driver_check(d), LEAT_FATAL);
	ck_assert_ptr_nonnull(strstr(leat_driver_reason(d), "table \"nope\" does not exist in database \"leat\" at 127.0.0.1:"));
	leat_driver_destroy(d);
	end();
}
END_TEST

/* ---- how fast ---- */

static void measure(const char *name, const char *options, bool is_fenced)
{
	struct leat_driver *d = is_fenced ? claimed_fenced(options, 1, fence(0, 0)) : claimed(options);
	double started, busy = 0;
	char json[160];
	int i, round;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < 1000; i++) {
			(void)snprintf(json, sizeof json,
			               "{\"id\": %d, \"who\": \"user%d\", \"amount\": %d.25, \"at\": \"2024-02-29T12:34:56.123456Z\"}",
			               round * 1000 + i, i, i);
			encode(d, json);
		}
		started = leat_driver_seconds();
		if (is_fenced)
			deliver_fenced(d, fence(1, (uint64_t)round), fence(1, (uint64_t)round + 1));
		else
			deliver(d);
		busy += leat_driver_seconds() - started;
	}
	ck_assert_str_eq(query("select count(*) from t"), "20000");
	printf("postgres %-28s %8.0f rows/s\n", name, 20000 / busy);
	leat_driver_destroy(d);
	(void)query("truncate t");
}

START_TEST(deliveries_of_a_thousand_rows_are_measured)
{
	if (!begin())
		return;
	(void)query("create table t (id bigint primary key, who text, amount numeric, at timestamptz)");
	measure("insert", "table: t", false);
	measure("insert, fenced", "table: t", true);
	measure("upsert", "table: t\nupsert: id", false);
	measure("copy", "table: t\nmode: copy", false);
	measure("insert, a statement per row", "table: t\nbatch: 1", false);
	end();
}
END_TEST

int main(void)
{
	return leat_test_main("postgres", (const TTest *[]){
		sqlstates_say_what_the_host_does_next, values_of_every_type_arrive_unchanged,
		times_bytes_and_reals_made_by_operators_arrive_unchanged, a_nul_character_is_rejected_by_encode,
		odd_names_and_hostile_values_are_only_data, lists_become_arrays, a_missing_field_takes_the_default_or_stays,
		columns_are_filled_by_expressions, the_last_of_a_key_in_a_delivery_stays,
			bad_rows_are_refused_and_the_others_kept,
		a_constraint_that_waits_for_the_commit_finds_its_row, a_text_too_long_is_refused_not_cut,
			check_and_claim_say_what_is_wrong,
		wrong_options_are_named, a_connection_that_was_cut_comes_back, a_lock_that_is_not_given_up_ends_in_a_retry,
		many_shapes_are_more_than_are_kept, a_claim_finds_nothing_and_then_what_was_delivered,
		a_delivery_that_is_repeated_is_applied_once, another_fence_than_expected_is_fatal_and_nothing_is_applied,
		a_former_owner_is_refused_after_another_claim, an_attempt_of_before_a_claim_is_refused_even_with_our_incarnation,
		a_claim_waits_for_a_former_owner_in_the_middle, a_claim_ends_a_former_owner_that_says_no_more,
		a_claim_that_has_waited_finds_what_was_committed_meanwhile,
		a_former_owner_that_waits_for_the_fence_is_refused,
		refused_rows_leave_the_others_and_the_fence_in_one_transaction,
		refused_rows_are_the_same_when_a_delivery_comes_again, what_is_kept_as_refused_and_is_not_is_told,
		a_commit_that_outlives_its_connection_is_found_by_the_claim,
		a_server_that_ends_the_connection_in_a_commit_is_not_believed, connections_cut_at_any_time_leave_each_row_there_once, a_serialization_failure_is_retried,
		a_role_without_the_right_to_create_needs_the_table_of_the_readme,
		a_table_of_before_refusals_were_kept_gets_their_column, two_claims_may_create_the_table_at_once,
		a_lookup_adds_the_columns_of_its_row,
		a_lookup_asks_the_server_once_until_the_answer_is_old, a_lookup_without_a_row_can_reject_or_drop,
		a_lookup_comes_back_and_cannot_write, deliveries_of_a_thousand_rows_are_measured, NULL });
}
