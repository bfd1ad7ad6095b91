/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_ERROR_H
#define LEAT_ERROR_H

/*
 * What a call came to, and why.
 *
 * The status says what the host does next; the reason stands in an error object that the caller owns and that
 * never allocates. Outputs are written only on success, the error only on failure. Whoever returns an error does
 * not log it: the host logs it once, with the names of pipeline and node in front.
 *
 * The voice of a reason: one line, lower case, no full stop; the kind of thing and its quoted name; "could not" for
 * what may work next time, "cannot" for what never will; the number found and the number expected.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_status {
	LEAT_OK = 0,      /* done */
	LEAT_AGAIN = 1,   /* nothing to do now, nothing changed: call again when woken or when the wait is over */
	LEAT_END = 2,     /* a source has no more, ever */
	LEAT_RETRY = 3,   /* nothing changed, may work later: the host backs off and calls again */
	LEAT_UNKNOWN = 4, /* outcome unknown, such as a commit that timed out: the host claims again and reads the progress */
	LEAT_REJECT = 5,  /* this record and no other cannot be processed: undone, then a dead letter */
	LEAT_FATAL = 6    /* no call will ever work (bad option, unknown table, fenced): the pipeline stops */
};

enum { LEAT_ERROR_WHERE = 128, LEAT_ERROR_TEXT = 512, LEAT_ERROR_DETAIL = 1024 };

struct leat_error {
	enum leat_status status;
	int code;                       /* errno, the library's own number, or 0 */
	char where[LEAT_ERROR_WHERE];   /* an option's name, or "score.lua:12"; "" when there is nothing to point at */
	char text[LEAT_ERROR_TEXT];     /* the reason, one line */
	char detail[LEAT_ERROR_DETAIL]; /* more lines, such as a traceback; "" when there are none */
};

#if defined(__GNUC__)
#define LEAT_PRINTF(text, first) __attribute__((__format__(__printf__, text, first)))
#else
#define LEAT_PRINTF(text, first)
#endif

/* Fills `err` (which may be NULL) and returns `status`, so that a fault is found and returned on one line. */
static inline enum leat_status leat_error_set(struct leat_error *err, enum leat_status status, int code, const char *format,
                                              ...) LEAT_PRINTF(4, 5);

static inline enum leat_status leat_error_set(struct leat_error *err, enum leat_status status, int code, const char *format, ...)
{
	va_list args;

	if (err == NULL)
		return status;
	err->status = status;
	err->code = code;
	err->where[0] = '\0';
	err->detail[0] = '\0';
	va_start(args, format);
	(void)vsnprintf(err->text, sizeof err->text, format, args);
	va_end(args);
	return status;
}

/* Names the option (or the file and line) at fault, so that the host can print where it stands. Returns err->status. */
static inline enum leat_status leat_error_at(struct leat_error *err, const char *where)
{
	if (err == NULL)
		return LEAT_FATAL;
	(void)snprintf(err->where, sizeof err->where, "%s", where);
	return err->status;
}

#ifdef __cplusplus
}
#endif

#endif
