/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_HTTP_H
#define LEAT_SERVICE_HTTP_H

#include <leat/buffer.h>
#include <leat/error.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A small HTTP server on loopback (libmicrohttpd): GET and HEAD of pages that a function writes. It has no login, so it
 * listens on loopback addresses only, and answers 403 to a Host header that is not its own: a web page whose name was
 * pointed at 127.0.0.1 gets nothing.
 */

struct leat_http_answer {
	unsigned status; /* 200 unless set */
	const char *type;
	struct leat_buffer body;
};

/* False: there is no such page. Called by the server's thread, one call at a time. */
typedef bool leat_http_page(void *opaque, const char *path, struct leat_http_answer *answer);

struct leat_http;

/* Binds; nothing is answered before start(). `address` is "127.0.0.1:9464", "[::1]:9464" or "localhost:0"; port 0 takes a
 * free one. NULL with a reason: LEAT_FATAL for an address that cannot be, LEAT_RETRY for one that is taken. */
struct leat_http *leat_http_create(const char *address, struct leat_error *err);
enum leat_status leat_http_start(struct leat_http *http, leat_http_page *page, void *opaque, struct leat_error *err);
void leat_http_destroy(struct leat_http *http); /* waits for answers under way; accepts NULL */
const char *leat_http_url(const struct leat_http *http); /* "http://127.0.0.1:9464" */

#endif
