/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection. libpq is driven without blocking, so that every wait has a deadline (only a name server can hold it up
 * longer). What libpq would take from its environment is shut off: each parameter is given a value here, and the variables
 * that no parameter overrides are refused, so a pipeline file says all there is to say.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>

#include "../shared/text.h"
#include "postgres.h"

const char *const postgres_sslmodes[] = { "disable", "allow", "prefer", "require", "verify-ca", "verify-full", NULL };

/* No file is there, so libpq finds no password and no client key that nobody asked for. */
#define NO_FILE "/nonexistent/leat"

enum { PARAMETERS = 24 };

/* What a url may say. */
static const char *const url_allowed[] = { "host",     "hostaddr",    "port",    "user",   "password",        "dbname",
	                                       "sslmode",  "sslrootcert", "sslcert", "sslkey", "channel_binding",
	                                       "target_session_attrs", NULL };

struct parameters {
	size_t n;
	const char *name[PARAMETERS + 1];
	const char *value[PARAMETERS + 1];
};

int64_t postgres_clock_us(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static bool is_listed(const char *const *list, const char *name)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

static enum leat_status check_environment(struct leat_error *err)
{
	static const char *const variables[] = { "PGSERVICE", "PGHOSTADDR", "PGREQUIREPEER", "PGSSLCRL", "PGSSLCRLDIR", NULL };
	size_t i;

	for (i = 0; variables[i] != NULL; i++)
		if (getenv(variables[i]) != NULL)
			return leat_error_set(err, LEAT_FATAL, 0,
			                      "environment variable \"%s\" would change the connection: unset it", variables[i]);
	return LEAT_OK;
}

/* The parts of a url, to be freed with PQconninfoFree(). The reason never repeats the url: it may hold a password. */
static enum leat_status parse_url(const char *url, PQconninfoOption **out, struct leat_error *err)
{
	PQconninfoOption *parsed, *part;
	char *message = NULL;

	if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot read the url: it has to begin with postgresql://");
	parsed = PQconninfoParse(url, &message);
	PQfreemem(message);
	if (parsed == NULL)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "cannot read the url: expected postgresql://user:password@host:port/database");
	for (part = parsed; part->keyword != NULL; part++) {
		if (part->val == NULL)
			continue;
		if (!is_listed(url_allowed, part->keyword) ||
		    (strcmp(part->keyword, "sslkey") == 0 && strchr(part->val, ':') != NULL)) {
			(void)leat_error_set(err, LEAT_FATAL, 0, "cannot use the url: its parameter \"%s\" is not allowed",
			                     part->keyword);
			PQconninfoFree(parsed);
			return LEAT_FATAL;
		}
	}
	*out = parsed;
	return LEAT_OK;
}

enum leat_status postgres_check_options(const struct postgres_options *options, struct leat_error *err)
{
	PQconninfoOption *parts = NULL;

	if (check_environment(err) != LEAT_OK)
		return LEAT_FATAL;
	if (!postgres_is_identifier(options->schema)) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "cannot use \"%s\" as the name of a schema", options->schema);
		return leat_error_at(err, "schema");
	}
	if (options->url != NULL && parse_url(options->url, &parts, err) != LEAT_OK)
		return leat_error_at(err, "url");
	PQconninfoFree(parts);
	return LEAT_OK;
}

static void set(struct parameters *p, const char *name, const char *value)
{
	size_t i;

	for (i = 0; i < p->n && strcmp(p->name[i], name) != 0; i++)
		continue;
	if (value == NULL || value[0] == '\0' || i >= PARAMETERS)
		return;
	p->name[i] = name;
	p->value[i] = value;
	if (i == p->n)
		p->n++;
}

static void fill_parameters(struct parameters *p, const struct postgres_options *o, const char *port, const char *session,
                            const char *application)
{
	set(p, "host", o->host);
	set(p, "port", port);
	set(p, "dbname", o->database);
	set(p, "user", o->user);
	set(p, "password", o->password);
	set(p, "sslmode", postgres_sslmodes[o->sslmode]);
	set(p, "sslrootcert", o->sslrootcert != NULL ? o->sslrootcert : NO_FILE);
	set(p, "sslcert", NO_FILE);
	set(p, "sslkey", NO_FILE);
	set(p, "passfile", NO_FILE);
	set(p, "options", session);
	set(p, "application_name", application);
	set(p, "client_encoding", "UTF8");
	set(p, "target_session_attrs", "any");
	set(p, "channel_binding", "prefer");
	set(p, "gssencmode", "disable");
	set(p, "keepalives", "1");
	set(p, "keepalives_idle", "30");
	set(p, "keepalives_interval", "10");
	set(p, "keepalives_count", "3");
	set(p, "tcp_user_timeout", "60000");
}

static void swallow_notice(void *opaque, const PGresult *result)
{
	(void)opaque;
	(void)result;
}

/* False: the deadline is over, or the connection is beyond help. */
static bool wait_for(const PGconn *conn, short events, int64_t deadline_us)
{
	struct pollfd fd = { .fd = PQsocket(conn), .events = events };
	int64_t left_us;
	int n;

	if (fd.fd < 0)
		return false;
	do {
		left_us = deadline_us - postgres_clock_us();
		n = left_us <= 0 ? 0 : poll(&fd, 1, (int)(left_us / 1000) + 1);
	} while (n < 0 && errno == EINTR);
	return n > 0;
}

/* `FATAL:  28P01: password ...` is the verbose form of a message, the first word in the server's language: moves *message
 * behind the SQLSTATE and copies that, or "" when there is none. */
static void split_sqlstate(const char **message, char sqlstate[6])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
	const char *at;

	sqlstate[0] = '\0';
	for (at = strstr(*message, ":  "); at != NULL; at = strstr(at + 1, ":  "))
		if (strspn(at + 3, digits) == 5 && at[8] == ':' && at[9] == ' ') {
			memcpy(sqlstate, at + 3, 5);
			sqlstate[5] = '\0';
			*message = at + 10;
			return;
		}
	at = strstr(*message, "failed: ");
	if (at != NULL)
		*message = at + 8;
}

static enum leat_status connect_error(struct postgres *pg, bool is_late, struct leat_error *err)
{
	const char *message = PQerrorMessage(pg->conn);
	char sqlstate[6], text[LEAT_ERROR_TEXT / 2];
	enum leat_status status;

	split_sqlstate(&message, sqlstate);
	if (is_late)
		message = "no answer in time";
	text_copy_message(text, sizeof text, message);
	status = postgres_status(sqlstate);
	if (status != LEAT_FATAL)
		status = LEAT_RETRY;
	(void)leat_error_set(err, status, 0, "%s connect to postgres at %s: %s", status == LEAT_FATAL ? "cannot" : "could not",
	                     pg->at, text);
	postgres_close(pg);
	return status;
}

static void note_address(struct postgres *pg)
{
	const char *host = PQhost(pg->conn), *port = PQport(pg->conn), *database = PQdb(pg->conn);

	(void)snprintf(pg->at, sizeof pg->at, "%.255s:%.8s", host != NULL ? host : "?", port != NULL ? port : "?");
	(void)snprintf(pg->database, sizeof pg->database, "%s", database != NULL ? database : "?");
}

static enum leat_status establish(struct postgres *pg, struct leat_error *err)
{
	int64_t deadline_us = postgres_clock_us() + pg->options->connect_timeout_us;
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;

	if (pg->conn == NULL)
		return leat_error_set(err, LEAT_RETRY, ENOMEM, "could not connect to postgres: out of memory");
	note_address(pg);
	(void)PQsetErrorVerbosity(pg->conn, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(pg->conn, swallow_notice, NULL);
	if (PQstatus(pg->conn) == CONNECTION_BAD)
		return connect_error(pg, false, err);
	while (state != PGRES_POLLING_OK) {
		if (!wait_for(pg->conn, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_us))
			return connect_error(pg, true, err);
		state = PQconnectPoll(pg->conn);
		if (state == PGRES_POLLING_FAILED)
			return connect_error(pg, false, err);
	}
	if (PQsetnonblocking(pg->conn, 1) != 0)
		return connect_error(pg, false, err);
	pg->generation++;
	return LEAT_OK;
}

static void put_parameter(struct leat_buffer *text, const struct parameters *p, const char *before, const char *name)
{
	for (size_t i = 0; i < p->n; i++) {
		if (strcmp(p->name[i], name) != 0)
			continue;
		leat_buffer_text(text, before);
		leat_buffer_text(text, p->value[i]);
	}
}

void postgres_put_server(const struct postgres_options *options, struct leat_buffer *text)
{
	struct parameters p = { .n = 0 };
	PQconninfoOption *parts = NULL, *part;
	struct leat_error err;
	char port[24];

	(void)snprintf(port, sizeof port, "%lld", (long long)options->port);
	set(&p, "host", options->host);
	set(&p, "port", port);
	set(&p, "dbname", options->database);
	if (options->url != NULL && parse_url(options->url, &parts, &err) != LEAT_OK)
		parts = NULL;
	for (part = parts; part != NULL && part->keyword != NULL; part++)
		set(&p, part->keyword, part->val);
	put_parameter(text, &p, " in database ", "dbname");
	put_parameter(text, &p, " at ", "host");
	put_parameter(text, &p, ":", "port");
	PQconninfoFree(parts);
}

enum leat_status postgres_open(struct postgres *pg, struct leat_context *ctx, struct leat_error *err)
{
	struct parameters p = { .n = 0 };
	PQconninfoOption *parts = NULL, *part;
	char port[24], session[512], application[64];
	const char *pipeline = "", *node = leat_name(ctx, &pipeline);
	enum leat_status status;

	if (pg->conn != NULL && PQstatus(pg->conn) == CONNECTION_OK)
		return LEAT_OK;
	postgres_close(pg);
	if (pg->options->url != NULL && (status = parse_url(pg->options->url, &parts, err)) != LEAT_OK)
		return status;
	(void)snprintf(port, sizeof port, "%lld", (long long)pg->options->port);
	/* Times in lookups are read in this form; a path of our own choice keeps others' functions out. A transaction of a process
	 * that is gone, with its machine perhaps, must not keep its locks: the server is told to find that out. */
	(void)snprintf(session, sizeof session,
	               "-c statement_timeout=%lld -c DateStyle=ISO -c TimeZone=UTC -c search_path=pg_catalog,%s"
	               " -c idle_in_transaction_session_timeout=60000 -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10"
	               " -c tcp_keepalives_count=3%s",
	               (long long)(pg->options->statement_timeout_us / 1000), pg->options->schema,
	               pg->is_read_only ? " -c default_transaction_read_only=on" : "");
	(void)snprintf(application, sizeof application, "leat %.28s/%.28s", pipeline, node);
	fill_parameters(&p, pg->options, port, session, application);
	for (part = parts; part != NULL && part->keyword != NULL; part++)
		set(&p, part->keyword, part->val);
	pg->conn = PQconnectStartParams(p.name, p.value, 0);
	status = establish(pg, err);
	PQconninfoFree(parts);
	return status;
}

void postgres_close(struct postgres *pg)
{
	PQfinish(pg->conn);
	pg->conn = NULL;
}

bool postgres_await(struct postgres *pg, int64_t deadline_us)
{
	int unsent;

	while (PQisBusy(pg->conn)) {
		unsent = PQflush(pg->conn);
		if (!wait_for(pg->conn, unsent > 0 ? POLLIN | POLLOUT : POLLIN, deadline_us))
			return false;
		if (PQconsumeInput(pg->conn) == 0)
			return false;
	}
	return true;
}

enum leat_status postgres_lost(struct postgres *pg, bool is_unknown, struct leat_error *err)
{
	const char *message = PQstatus(pg->conn) == CONNECTION_OK ? "no answer in time" : PQerrorMessage(pg->conn);
	char sqlstate[6], text[LEAT_ERROR_TEXT / 2];

	split_sqlstate(&message, sqlstate);
	text_copy_message(text, sizeof text, message[0] != '\0' ? message : "connection closed");
	(void)leat_error_set(err, is_unknown ? LEAT_UNKNOWN : LEAT_RETRY, 0, "could not %s postgres at %s: %s",
	                     is_unknown ? "learn the outcome of a transaction from" : "hear from", pg->at, text);
	postgres_close(pg);
	return is_unknown ? LEAT_UNKNOWN : LEAT_RETRY;
}

enum leat_status postgres_query(struct postgres *pg, const char *sql, int n, const char *const *values, PGresult **out,
                                struct leat_error *err)
{
	int64_t deadline_us = postgres_clock_us() + pg->options->timeout_us;
	PGresult *result = NULL, *next;
	ExecStatusType state;
	enum leat_status status;

	if (!PQsendQueryParams(pg->conn, sql, n, NULL, values, NULL, NULL, 0))
		return postgres_lost(pg, false, err);
	for (;;) {
		if (!postgres_await(pg, deadline_us)) {
			PQclear(result);
			return postgres_lost(pg, false, err);
		}
		next = PQgetResult(pg->conn);
		if (next == NULL)
			break;
		PQclear(result);
		result = next;
		if (PQresultStatus(result) == PGRES_COPY_IN)
			break; /* the server waits for rows */
	}
	state = PQresultStatus(result);
	if (state == PGRES_COMMAND_OK || state == PGRES_TUPLES_OK || state == PGRES_COPY_IN) {
		*out = result;
		return LEAT_OK;
	}
	if (PQstatus(pg->conn) == CONNECTION_BAD)
		status = postgres_lost(pg, false, err);
	else
		status = postgres_result_error(pg, result, "run a statement", err);
	PQclear(result);
	return status;
}
