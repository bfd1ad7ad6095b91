/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BUFFER_H
#define LEAT_BUFFER_H

/*
 * A growing run of bytes. The one who made it frees it; a plugin that is handed one only appends. Running out of memory
 * ends the process with a message, as everywhere in the host: there is nothing that a record's owner could do about it.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* For a plugin, too, that cannot allocate and has no error to return. Does not return. */
static inline void leat_run_out(void)
{
	(void)fputs("leat: out of memory\n", stderr); /* which has no buffer, and so needs no memory itself */
	abort();
}

struct leat_buffer {
	char *data; /* not terminated */
	size_t n;
	size_t capacity;
};

/* Room for `n` more bytes at the end; the caller writes them and adds to ->n. */
static inline char *leat_buffer_reserve(struct leat_buffer *b, size_t n)
{
	if (b->capacity - b->n < n) {
		size_t capacity = b->capacity < 256 ? 256 : b->capacity;
		char *data;

		while (capacity - b->n < n)
			capacity *= 2;
		data = (char *)realloc(b->data, capacity);
		if (data == NULL)
			leat_run_out();
		b->data = data;
		b->capacity = capacity;
	}
	return b->data + b->n;
}

static inline void leat_buffer_append(struct leat_buffer *b, const void *bytes, size_t n)
{
	if (n > 0) {
		memcpy(leat_buffer_reserve(b, n), bytes, n);
		b->n += n;
	}
}

static inline void leat_buffer_text(struct leat_buffer *b, const char *s)
{
	leat_buffer_append(b, s, strlen(s));
}

static inline void leat_buffer_byte(struct leat_buffer *b, char c)
{
	leat_buffer_append(b, &c, 1);
}

/* A 32-bit length in the machine's byte order, as used inside effects, which never leave the machine. */
static inline void leat_buffer_u32(struct leat_buffer *b, uint32_t n)
{
	leat_buffer_append(b, &n, sizeof n);
}

static inline void leat_buffer_finish(struct leat_buffer *b)
{
	free(b->data);
	memset(b, 0, sizeof *b);
}

#ifdef __cplusplus
}
#endif

#endif
