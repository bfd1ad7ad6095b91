/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as Redis reads them (RESP): an array of strings, each with its length in front. Room for a length cannot be left
 * and be padded, as Redis takes no leading zeros; so an argument that was rendered in place moves on by its head.
 */
#include "redis.h"

static void append_head(struct leat_buffer *out, char kind, size_t n)
{
	char text[32];

	leat_buffer_append(out, text, (size_t)snprintf(text, sizeof text, "%c%zu\r\n", kind, n));
}

void request_begin(struct leat_buffer *out, size_t n_arguments)
{
	append_head(out, '*', n_arguments);
}

void request_argument(struct leat_buffer *out, const char *bytes, size_t n)
{
	append_head(out, '$', n);
	leat_buffer_append(out, bytes, n);
	leat_buffer_append(out, "\r\n", 2);
}

void request_text(struct leat_buffer *out, const char *text)
{
	request_argument(out, text, strlen(text));
}

size_t request_open_argument(struct leat_buffer *out)
{
	return out->n;
}

void request_close_argument(struct leat_buffer *out, size_t mark)
{
	char head[32];
	size_t n = out->n - mark, head_n = (size_t)snprintf(head, sizeof head, "$%zu\r\n", n);

	(void)leat_buffer_reserve(out, head_n);
	memmove(out->data + mark + head_n, out->data + mark, n);
	memcpy(out->data + mark, head, head_n);
	out->n += head_n;
	leat_buffer_append(out, "\r\n", 2);
}
