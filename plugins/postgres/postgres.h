/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_POSTGRES_H
#define LEAT_PLUGINS_POSTGRES_H

#include <leat/plugin.h>
#include <libpq-fe.h>

/*
 * What the sink and the lookup share: a connection that never blocks beyond a deadline, and the one function that turns
 * SQLSTATEs into statuses.
 *
 * A connection is opened when it is needed and closed by whoever meets a fault of it; the next call opens it again.
 */

struct postgres_options {
	const char *host;
	int64_t port;
	const char *database;
	const char *user;
	const char *password;
	const char *url;
	int sslmode; /* index into postgres_sslmodes */
	const char *sslrootcert;
	const char *schema;
	int64_t connect_timeout_us;
	int64_t timeout_us;
	int64_t statement_timeout_us;
};

extern const char *const postgres_sslmodes[];

#define POSTGRES_CONNECTION_OPTIONS(struct_)                                                                              \
	LEAT_OPTION(TEXT, struct_, connection.host, "host", "Name or address of the server, or the folder of its Unix socket.", \
	            .preset = "127.0.0.1"),                                                                               \
	LEAT_OPTION(INTEGER, struct_, connection.port, "port", "Port of the server.", .preset = "5432", .minimum = 1,        \
	            .maximum = 65535),                                                                                    \
	LEAT_OPTION(TEXT, struct_, connection.database, "database", "Database to connect to.", .preset = "leat"),            \
	LEAT_OPTION(TEXT, struct_, connection.user, "user", "Role to log in as.", .preset = "leat"),                         \
	LEAT_OPTION(TEXT, struct_, connection.password, "password", "Password of the role.", .flags = LEAT_OPTION_SECRET),   \
	LEAT_OPTION(TEXT, struct_, connection.url, "url",                                                                    \
	            "Connection as postgresql://user:password@host:port/database; the parts that it names win over the options.", \
	            .flags = LEAT_OPTION_SECRET),                                                                         \
	LEAT_OPTION(CHOICE, struct_, connection.sslmode, "sslmode",                                                          \
	            "Whether to encrypt; verify-full also proves who the server is.", .preset = "prefer",                     \
	            .choices = postgres_sslmodes),                                                                        \
	LEAT_OPTION(TEXT, struct_, connection.sslrootcert, "sslrootcert",                                                    \
	            "File with the certificates that verify-ca and verify-full trust.", .flags = LEAT_OPTION_PATH),                                    \
	LEAT_OPTION(TEXT, struct_, connection.schema, "schema", "Schema of tables that are named without one.", .preset = "public"), \
	LEAT_OPTION(DURATION, struct_, connection.connect_timeout_us, "connect_timeout", "Longest wait for a connection.",   \
	            .preset = "10s", .minimum = 1000, .maximum = 3600e6),                                                 \
	LEAT_OPTION(DURATION, struct_, connection.timeout_us, "timeout",                                                     \
	            "Longest wait for an answer, after which the connection is given up.", .preset = "60s", .minimum = 1000,   \
	            .maximum = 86400e6),                                                                                  \
	LEAT_OPTION(DURATION, struct_, connection.statement_timeout_us, "statement_timeout",                                 \
	            "Longest run of a statement, after which the server ends it.", .preset = "30s", .minimum = 1000,           \
	            .maximum = 86400e6)

/* Zeroed: closed. */
struct postgres {
	const struct postgres_options *options;
	bool is_read_only;
	PGconn *conn;
	char at[300]; /* HOST:PORT of the last attempt, for messages */
	char database[128];
	uint64_t generation; /* counts connections: prepared statements go with theirs */
};

/* ---- error.c ---- */

/* What an SQLSTATE means for a run of statements: LEAT_REJECT when one row is to blame. NULL or "": no answer came. */
enum leat_status postgres_status(const char *sqlstate);
/* Sets `err` from a result. `what` is "deliver" in "could not deliver: postgres at HOST:PORT: deadlock detected (40P01)"; it is
 * "cannot" where the fault is for good. One row's fault names no server: "cannot deliver: value too long (22001)". What the server
 * adds, such as a row's values, goes into the detail. */
enum leat_status postgres_result_error(const struct postgres *pg, const PGresult *result, const char *what, struct leat_error *err);

/* ---- connection.c ---- */

/* Checks the options together. */
enum leat_status postgres_check_options(const struct postgres_options *options, struct leat_error *err);
/* Appends " in database NAME at HOST:PORT", without who logs in. */
void postgres_put_server(const struct postgres_options *options, struct leat_buffer *text);
/* Does nothing when it is open. LEAT_RETRY when the server is away, LEAT_FATAL when it will never let us in. */
enum leat_status postgres_open(struct postgres *pg, struct leat_context *ctx, struct leat_error *err);
void postgres_close(struct postgres *pg);
/* Monotonic. */
int64_t postgres_clock_us(void);
/* Sends what is queued and waits until PQgetResult() will not block. False: no answer before the deadline, or the
 * connection is gone; then close it. */
bool postgres_await(struct postgres *pg, int64_t deadline_us);
/* The words for a false postgres_await(), as LEAT_RETRY or, after a COMMIT went out, LEAT_UNKNOWN; closes the connection. */
enum leat_status postgres_lost(struct postgres *pg, bool is_unknown, struct leat_error *err);
/* One statement and its result (the caller clears it), outside of pipeline mode. */
enum leat_status postgres_query(struct postgres *pg, const char *sql, int n, const char *const *values, PGresult **out,
                                struct leat_error *err);

/* ---- name.c ---- */

/* `name` or `schema.name`, unquoted. */
struct postgres_name {
	char schema[64];
	char name[64];
};

/* Letters, digits, _ and $, not a digit in front, at most 63 bytes for each part. */
enum leat_status postgres_parse_name(const char *text, const char *schema, struct postgres_name *out, struct leat_error *err);
bool postgres_is_identifier(const char *text);
/* Appends it in double quotes, in which any name is safe. The connection is open. */
void postgres_quote(const struct postgres *pg, struct leat_buffer *out, const char *name);
void postgres_quote_name(const struct postgres *pg, struct leat_buffer *out, const struct postgres_name *name);

extern const struct leat_sink_ops postgres_sink;
extern const struct leat_operator_ops postgres_lookup;

#endif
