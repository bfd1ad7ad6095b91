/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* No stdio: it might want memory. */
static _Noreturn void run_out(void)
{
	static const char text[] = "leat: out of memory\n";

	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	abort();
}

static void *or_run_out(void *p)
{
	if (p == NULL)
		run_out();
	return p;
}

void *leat_allocate_bytes(size_t n)
{
	return or_run_out(malloc(n > 0 ? n : 1));
}

void *leat_allocate_zeroed(size_t n_items, size_t size)
{
	return or_run_out(calloc(n_items > 0 ? n_items : 1, size > 0 ? size : 1));
}

void *leat_reallocate(void *p, size_t n_items, size_t size)
{
	if (size > 0 && n_items > SIZE_MAX / size)
		run_out();
	return or_run_out(realloc(p, n_items * size > 0 ? n_items * size : 1));
}

char *leat_copy_text(const char *s)
{
	return s == NULL ? NULL : leat_copy_bytes_as_text(s, strlen(s));
}

char *leat_copy_bytes_as_text(const char *s, size_t n)
{
	char *copy = leat_allocate_bytes(n + 1);

	if (n > 0)
		memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *leat_format_text(const char *format, ...)
{
	va_list args, again;
	char *text;
	int n;

	va_start(args, format);
	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = leat_allocate_bytes(n > 0 ? (size_t)n + 1 : 1);
	text[0] = '\0';
	if (n > 0)
		(void)vsnprintf(text, (size_t)n + 1, format, again);
	va_end(again);
	return text;
}

/*
 * What librdkafka's and RocksDB's threads allocate is mostly freed by others. With a heap for each thread (up to eight a
 * processor) each keeps what it had at its fullest moment. The hot path has pools of its own, so that sharing costs nothing.
 */
void leat_memory_share(void)
{
	enum { HEAPS = 2 };

	if (getenv("MALLOC_ARENA_MAX") == NULL)
		(void)mallopt(M_ARENA_MAX, HEAPS);
}

void *leat_grow(void *items, size_t n, size_t *capacity, size_t size)
{
	if (n < *capacity)
		return items;
	*capacity = *capacity < 8 ? 8 : *capacity * 2;
	return leat_reallocate(items, *capacity, size);
}
