/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A line is built in a buffer on the stack and written with one call, so lines of several threads (and of other processes on
 * the same terminal) do not mix. What is logged may hold a peer's text: control characters are escaped, so that nobody can
 * forge a line or talk to the operator's terminal.
 */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum { TEXT_BYTES = 2048, LINE_BYTES = 4 * TEXT_BYTES + 64 };

static const struct {
	const char *name;
	int priority; /* of syslog(3) */
} levels[] = {
	[LEAT_DEBUG] = {"debug", 7},
	[LEAT_INFO] = {"info", 6},
	[LEAT_WARNING] = {"warning", 4},
	[LEAT_ERROR] = {"error", 3},
};

static atomic_int threshold = LEAT_INFO;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_journal;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	void (*before)(void *);
	void (*after)(void *);
	void *opaque;
} hooks;

/* systemd.exec(5): the variable may be inherited by someone whose standard error goes elsewhere, so compare. */
static void find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat info;
	char *rest;

	if (stream == NULL || fstat(STDERR_FILENO, &info) != 0)
		return;
	device = strtoull(stream, &rest, 10);
	if (*rest != ':')
		return;
	inode = strtoull(rest + 1, &rest, 10);
	is_journal = *rest == '\0' && device == info.st_dev && inode == info.st_ino;
}

static size_t write_prefix(char *line, size_t size, enum leat_level level)
{
	int64_t now_us = leat_clock_now_us();
	time_t seconds = (time_t)(now_us / 1000000);
	struct tm tm;
	size_t n;

	if (is_journal)
		return (size_t)snprintf(line, size, "<%d>", levels[level].priority);
	(void)gmtime_r(&seconds, &tm);
	n = strftime(line, size, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(line + n, size - n, ".%03dZ %s ", (int)(now_us % 1000000 / 1000), levels[level].name);
}

/* C0, DEL, and C1 as UTF-8 writes it (C2 80 .. C2 9F). `out` has four bytes of room for each byte of `text`. */
static size_t escape(char *out, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	char *to = out;
	const unsigned char *s;

	for (s = (const unsigned char *)text; *s != '\0'; s++) {
		bool is_c1 = *s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f;

		if (*s == '\n' || *s == '\t' || *s == '\r') {
			*to++ = '\\';
			*to++ = *s == '\n' ? 'n' : *s == '\t' ? 't' : 'r';
		} else if (*s < 0x20 || *s == 0x7f || is_c1) {
			s += is_c1;
			*to++ = '\\';
			*to++ = 'x';
			*to++ = digits[*s >> 4];
			*to++ = digits[*s & 15];
		} else {
			*to++ = (char)*s;
		}
	}
	return (size_t)(to - out);
}

static void write_all(const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(STDERR_FILENO, bytes, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return; /* a log that cannot be written is nobody's reason to stop */
		bytes += written;
		n -= (size_t)written;
	}
}

void leat_log_set_level(enum leat_level level)
{
	atomic_store_explicit(&threshold, (int)level, memory_order_relaxed);
}

void leat_log_line(enum leat_level level, const char *format, ...)
{
	char text[TEXT_BYTES], line[LINE_BYTES];
	int saved_errno = errno;
	va_list args;
	size_t n;

	if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed) || (size_t)level >= sizeof levels / sizeof levels[0])
		return;
	(void)pthread_once(&once, find_journal);
	va_start(args, format);
	if (vsnprintf(text, sizeof text, format, args) >= (int)sizeof text)
		memcpy(text + sizeof text - 4, "...", 4);
	va_end(args);
	n = write_prefix(line, sizeof line, level);
	n += escape(line + n, text);
	line[n++] = '\n';
	pthread_mutex_lock(&lock);
	if (hooks.before != NULL)
		hooks.before(hooks.opaque);
	write_all(line, n);
	if (hooks.after != NULL)
		hooks.after(hooks.opaque);
	pthread_mutex_unlock(&lock);
	errno = saved_errno;
}

void leat_log_set_hooks(void (*before)(void *), void (*after)(void *), void *opaque)
{
	pthread_mutex_lock(&lock);
	hooks.before = before;
	hooks.after = after;
	hooks.opaque = opaque;
	pthread_mutex_unlock(&lock);
}
