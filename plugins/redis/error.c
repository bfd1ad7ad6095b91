/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Error replies to statuses: the first word of a reply is its code. What is not listed is the fault of the command (wrong
 * type, not an integer, too many arguments): other commands go on.
 */
#include "../shared/text.h"
#include "redis.h"

static const struct {
	const char *code;
	enum leat_status status;
} table[] = {
	{ "LOADING", LEAT_RETRY },     /* reading its data after a start */
	{ "READONLY", LEAT_RETRY },    /* a replica: a failover is under way */
	{ "MASTERDOWN", LEAT_RETRY },  /* a replica without its master */
	{ "NOREPLICAS", LEAT_RETRY },  /* fewer replicas than it wants */
	{ "OOM", LEAT_RETRY },         /* at maxmemory */
	{ "BUSY", LEAT_RETRY },        /* in a script */
	{ "TRYAGAIN", LEAT_RETRY },    /* a slot on the move */
	{ "CLUSTERDOWN", LEAT_RETRY },
	{ "MISCONF", LEAT_RETRY },     /* could not save, refuses writes until it can */
	{ "UNKILLABLE", LEAT_RETRY },
	{ "MOVED", LEAT_FATAL },       /* a cluster, which this plugin does not speak to */
	{ "ASK", LEAT_FATAL },
	{ "CROSSSLOT", LEAT_FATAL },
	{ "NOAUTH", LEAT_FATAL },
	{ "NOPERM", LEAT_FATAL },
	{ "WRONGPASS", LEAT_FATAL },
	{ "NOPROTO", LEAT_FATAL },
	{ "ERR AUTH", LEAT_FATAL },
	{ "ERR Client sent AUTH", LEAT_FATAL },
	{ "ERR invalid password", LEAT_FATAL },
	{ "ERR unknown command", LEAT_FATAL }, /* an older server, or a command that was renamed away */
	{ "ERR DB index", LEAT_FATAL },
	{ "ERR invalid DB index", LEAT_FATAL },
	{ "ERR max number of clients", LEAT_RETRY },
};

/* Scripts of servers before 7 put their own words in front of a command's error. */
static const char *skip_script(const char *error)
{
	const char *at = strncmp(error, "ERR Error running script", 24) == 0 ? strstr(error, "user_script:1: ") : NULL;

	return at != NULL ? at + 15 : error;
}

enum leat_status redis_status(const char *error)
{
	size_t i, n;

	error = skip_script(error);
	for (i = 0; i < sizeof table / sizeof table[0]; i++) {
		n = strlen(table[i].code);
		if (strncmp(error, table[i].code, n) == 0 &&
		    (error[n] == '\0' || error[n] == ' ' || error[n] == '.' || error[n] == ','))
			return table[i].status;
	}
	return LEAT_REJECT;
}

enum leat_status redis_fatal(struct leat_error *err)
{
	if (err != NULL)
		err->status = LEAT_FATAL;
	return LEAT_FATAL;
}

enum leat_status redis_reply_error(const redisReply *reply, const char *what, const char *at, struct leat_error *err)
{
	enum leat_status status = redis_status(reply->str);
	char text[LEAT_ERROR_TEXT / 2];

	text_copy_message(text, sizeof text, reply->str);
	if (status == LEAT_REJECT || at == NULL)
		return leat_error_set(err, status, 0, "%s %s: %s", status == LEAT_RETRY ? "could not" : "cannot", what, text);
	return leat_error_set(err, status, 0, "%s %s: redis at %s: %s", status == LEAT_RETRY ? "could not" : "cannot", what, at, text);
}
