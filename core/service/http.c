/* SPDX-License-Identifier: Apache-2.0 */
#include "service/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

/* Bounds of what a peer can make us hold. */
enum { CONNECTIONS = 32, CONNECTION_BYTES = 16384, CONNECTION_SECONDS = 10, BACKLOG = 16 };

struct leat_http {
	int fd; /* -1 once the server has it */
	struct MHD_Daemon *server;
	leat_http_page *page;
	void *opaque;
	char *host; /* the address as it stands in a URL */
	char *url;
	unsigned port;
};

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ---- listening --------------------------------------------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned long n = 0;

	if (*text == '\0' || strlen(text) > 5)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		n = n * 10 + (unsigned long)(*text - '0');
	}
	*port = (uint16_t)n;
	return n <= UINT16_MAX;
}

/* False: not of the form. What is no address at all and what is no loopback address are told apart by the caller. */
static bool parse_address(const char *text, union address *a, bool *is_loopback)
{
	char host[64];
	const char *colon = strrchr(text, ':');
	size_t n = colon == NULL ? 0 : (size_t)(colon - text);
	uint16_t port;

	if (n == 0 || n >= sizeof host || !parse_port(colon + 1, &port))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	memset(a, 0, sizeof *a);
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		a->v6.sin6_family = AF_INET6;
		a->v6.sin6_port = htons(port);
		*is_loopback = inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1 && IN6_IS_ADDR_LOOPBACK(&a->v6.sin6_addr);
		return inet_pton(AF_INET6, host + 1, &a->v6.sin6_addr) == 1;
	}
	a->v4.sin_family = AF_INET;
	a->v4.sin_port = htons(port);
	if (inet_pton(AF_INET, strcasecmp(host, "localhost") == 0 ? "127.0.0.1" : host, &a->v4.sin_addr) != 1)
		return false;
	*is_loopback = ntohl(a->v4.sin_addr.s_addr) >> 24 == 127;
	return true;
}

static socklen_t address_size(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

static int bind_address(const union address *a)
{
	const int on = 1;
	int saved, fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &a->any, address_size(a)) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	(void)close(fd);
	errno = saved;
	return -1;
}

/* The port may have been 0: what it became is in the socket. */
static void name_address(struct leat_http *http)
{
	char text[INET6_ADDRSTRLEN];
	union address a;
	socklen_t n = sizeof a;

	memset(&a, 0, sizeof a);
	(void)getsockname(http->fd, &a.any, &n);
	if (a.any.sa_family == AF_INET6) {
		http->port = ntohs(a.v6.sin6_port);
		http->host = leat_format_text("[%s]", inet_ntop(AF_INET6, &a.v6.sin6_addr, text, sizeof text));
	} else {
		http->port = ntohs(a.v4.sin_port);
		http->host = leat_copy_text(inet_ntop(AF_INET, &a.v4.sin_addr, text, sizeof text));
	}
	http->url = leat_format_text("http://%s:%u", http->host, http->port);
}

struct leat_http *leat_http_create(const char *address, struct leat_error *err)
{
	struct leat_http *http;
	bool is_loopback;
	union address a;
	int fd;

	if (!parse_address(address, &a, &is_loopback)) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "cannot listen on \"%s\": expected an address and a port, such as 127.0.0.1:9464",
		                     address);
		return NULL;
	}
	if (!is_loopback) {
		(void)leat_error_set(err, LEAT_FATAL, 0,
		                     "cannot listen on \"%s\": only loopback addresses (127.0.0.1, [::1]) are allowed, as there is no login",
		                     address);
		return NULL;
	}
	fd = bind_address(&a);
	if (fd < 0) {
		(void)leat_error_set(err, LEAT_RETRY, errno, "could not listen on \"%s\": %s", address, strerror(errno));
		return NULL;
	}
	http = leat_allocate_zeroed(1, sizeof *http);
	http->fd = fd;
	name_address(http);
	return http;
}

const char *leat_http_url(const struct leat_http *http)
{
	return http->url;
}

/* ---- answering --------------------------------------------------------------------------------------------------- */

static bool is_own_host(const struct leat_http *http, const char *host)
{
	const char *const names[] = {"localhost", "127.0.0.1", "[::1]", http->host};
	char port[8];

	if (host == NULL)
		return false;
	(void)snprintf(port, sizeof port, ":%u", http->port);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		size_t n = strlen(names[i]);

		if (strncasecmp(host, names[i], n) == 0 && (strcmp(host + n, port) == 0 || (host[n] == '\0' && http->port == 80)))
			return true;
	}
	return false;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, struct leat_http_answer *answer)
{
	enum MHD_Result result;
	struct MHD_Response *response =
		MHD_create_response_from_buffer(answer->body.n, answer->body.data, MHD_RESPMEM_MUST_FREE);

	if (response == NULL) {
		leat_buffer_finish(&answer->body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(response, "Content-Type", answer->type);
	(void)MHD_add_response_header(response, "Cache-Control", "no-store");
	(void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)MHD_add_response_header(response, "Allow", "GET, HEAD");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static void refuse(struct leat_http_answer *answer, unsigned status, const char *text)
{
	answer->status = status;
	answer->type = "text/plain; charset=utf-8";
	answer->body.n = 0;
	leat_buffer_text(&answer->body, text);
}

static enum MHD_Result respond(void *opaque, struct MHD_Connection *connection, const char *path, const char *method,
                               const char *version, const char *upload, size_t *upload_n, void **request)
{
	struct leat_http_answer answer = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
	static int seen;
	struct leat_http *http = opaque;

	(void)version;
	(void)upload;
	if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) {
		refuse(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are understood\n");
		return send_answer(connection, &answer);
	}
	if (*request == NULL) { /* only the head is here; a body, which we do not want, may follow */
		*request = &seen;
		return MHD_YES;
	}
	if (*upload_n > 0) {
		*upload_n = 0;
		return MHD_YES;
	}
	if (!is_own_host(http, MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host")))
		refuse(&answer, MHD_HTTP_FORBIDDEN, "the Host header is not this server's\n");
	else if (!http->page(http->opaque, path, &answer))
		refuse(&answer, MHD_HTTP_NOT_FOUND, "there is no such page; / lists them\n");
	return send_answer(connection, &answer);
}

__attribute__((format(printf, 2, 0))) static void log_server(void *opaque, const char *format, va_list args)
{
	char text[LEAT_ERROR_TEXT];

	(void)opaque;
	(void)vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = '\0';
	leat_log_line(LEAT_DEBUG, "http: %s", text);
}

enum leat_status leat_http_start(struct leat_http *http, leat_http_page *page, void *opaque, struct leat_error *err)
{
	http->page = page;
	http->opaque = opaque;
	http->server = MHD_start_daemon(MHD_USE_AUTO_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, respond, http,
	                                MHD_OPTION_EXTERNAL_LOGGER, log_server, NULL,
	                                MHD_OPTION_LISTEN_SOCKET, http->fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS,
	                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES,
	                                MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)CONNECTION_SECONDS, MHD_OPTION_END);
	if (http->server == NULL)
		return leat_error_set(err, LEAT_RETRY, errno, "could not start the HTTP server on %s", http->url);
	http->fd = -1;
	return LEAT_OK;
}

void leat_http_destroy(struct leat_http *http)
{
	if (http == NULL)
		return;
	if (http->server != NULL)
		MHD_stop_daemon(http->server);
	if (http->fd >= 0)
		(void)close(http->fd);
	free(http->host);
	free(http->url);
	free(http);
}
