/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLSTATE to status, in one table: the longest prefix counts. What is not listed is for good: an error that nobody
 * thought of must be seen, and retrying it for ever would hide it.
 */
#include "../shared/text.h"
#include "postgres.h"

static const struct {
	const char *prefix;
	enum leat_status status;
} table[] = {
	{ "", LEAT_FATAL },
	{ "08", LEAT_RETRY },      /* connection exceptions */
	{ "08007", LEAT_UNKNOWN }, /* transaction resolution unknown */
	{ "08P01", LEAT_FATAL },   /* protocol violation */
	{ "21", LEAT_REJECT },     /* a key twice in one upsert: told apart row by row */
	{ "22", LEAT_REJECT },     /* data exceptions */
	{ "23", LEAT_REJECT },     /* constraints */
	{ "25", LEAT_RETRY },      /* a standby, or a transaction that the server gave up */
	{ "26", LEAT_RETRY },      /* a prepared statement that a pooler forgot */
	{ "40", LEAT_RETRY },      /* serialization, deadlock */
	{ "40003", LEAT_UNKNOWN }, /* statement completion unknown */
	{ "42", LEAT_FATAL },      /* undefined, ambiguous, not allowed */
	{ "428C9", LEAT_FATAL },   /* generated column */
	{ "44", LEAT_REJECT },     /* a view's check option */
	{ "53", LEAT_RETRY },      /* out of memory, disk or connections */
	{ "54", LEAT_REJECT },     /* too long for an index, too many columns */
	{ "55", LEAT_RETRY },      /* locked, in use */
	{ "57", LEAT_RETRY },      /* shutting down, starting up, cancelled */
	{ "57P04", LEAT_FATAL },   /* database dropped */
	{ "58", LEAT_RETRY },      /* the server's own input and output */
	{ "P0001", LEAT_REJECT },  /* raised by a trigger */
	{ "P0004", LEAT_REJECT },  /* asserted by a trigger */
};

enum leat_status postgres_status(const char *sqlstate)
{
	enum leat_status status = LEAT_RETRY;
	size_t i, best = 0, n;

	if (sqlstate == NULL || sqlstate[0] == '\0')
		return LEAT_RETRY;
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		n = strlen(table[i].prefix);
		if (n >= best && strncmp(sqlstate, table[i].prefix, n) == 0) {
			best = n;
			status = table[i].status;
		}
	}
	return status;
}

static void fill_detail(const PGresult *result, struct leat_error *err)
{
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	const char *between = detail != NULL && hint != NULL ? "\n" : "";

	if (err == NULL)
		return;
	(void)snprintf(err->detail, sizeof err->detail, "%s%s%s", detail != NULL ? detail : "", between, hint != NULL ? hint : "");
}

enum leat_status postgres_result_error(const struct postgres *pg, const PGresult *result, const char *what, struct leat_error *err)
{
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	enum leat_status status = postgres_status(sqlstate);
	bool is_final = status == LEAT_FATAL || status == LEAT_REJECT;
	char message[LEAT_ERROR_TEXT / 2];

	text_copy_message(message, sizeof message, primary != NULL ? primary : PQresultErrorMessage(result));
	if (sqlstate == NULL)
		sqlstate = "no SQLSTATE";
	if (status == LEAT_REJECT)
		(void)leat_error_set(err, status, 0, "cannot %s: %s (%s)", what, message, sqlstate);
	else
		(void)leat_error_set(err, status, 0, "%s %s: postgres at %s: %s (%s)", is_final ? "cannot" : "could not", what, pg->at,
		                     message, sqlstate);
	fill_detail(result, err);
	return status;
}
