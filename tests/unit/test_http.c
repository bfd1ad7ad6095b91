/* SPDX-License-Identifier: Apache-2.0 */
/* A real server on a free port and a client on a bare socket, so that requests can be as wrong as they like. */
#include "service/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"

static bool page(void *opaque, const char *path, struct leat_http_answer *answer)
{
	if (strcmp(path, "/sick") == 0)
		answer->status = 503;
	else if (strcmp(path, "/page") != 0)
		return false;
	leat_buffer_text(&answer->body, opaque);
	return true;
}

static struct leat_http *serve(void)
{
	static char body[] = "the page\n";
	struct leat_error err;
	struct leat_http *http = leat_http_create("127.0.0.1:0", &err);

	ck_assert_msg(http != NULL, "%s", err.text);
	ck_assert_int_eq(leat_http_start(http, page, body, &err), LEAT_OK);
	return http;
}

static unsigned port_of(const struct leat_http *http)
{
	return (unsigned)strtoul(strrchr(leat_http_url(http), ':') + 1, NULL, 10);
}

/* Sends the bytes and reads until the server closes; `PORT` in them becomes the port. */
static const char *ask(const struct leat_http *http, const char *request)
{
	static char answer[8192];
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(http)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	const struct timeval patience = {.tv_sec = 20};
	const char *mark = strstr(request, "PORT");
	char bytes[4096];
	size_t n = 0;
	ssize_t got;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
	ck_assert_int_eq(connect(fd, (const struct sockaddr *)&a, sizeof a), 0);
	if (mark == NULL)
		(void)snprintf(bytes, sizeof bytes, "%s", request);
	else
		(void)snprintf(bytes, sizeof bytes, "%.*s%u%s", (int)(mark - request), request, port_of(http), mark + 4);
	ck_assert_int_eq(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
	while (n + 1 < sizeof answer && (got = recv(fd, answer + n, sizeof answer - 1 - n, 0)) > 0)
		n += (size_t)got;
	(void)close(fd);
	answer[n] = '\0';
	return answer;
}

static bool has_status(const char *answer, const char *status)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0 && strncmp(answer + 9, status, 3) == 0;
}

START_TEST(a_page_is_answered_with_its_text)
{
	struct leat_http *http = serve();
	const char *answer = ask(http, "GET /page HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n");

	ck_assert_msg(has_status(answer, "200"), "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "\r\n\r\nthe page\n"));
	ck_assert_ptr_nonnull(strstr(answer, "Cache-Control: no-store\r\n"));
	leat_http_destroy(http);
}
END_TEST

START_TEST(head_has_no_body)
{
	struct leat_http *http = serve();
	const char *answer = ask(http, "HEAD /page HTTP/1.1\r\nHost: localhost:PORT\r\nConnection: close\r\n\r\n");

	ck_assert_msg(has_status(answer, "200"), "%s", answer);
	ck_assert_ptr_nonnull(strstr(answer, "Content-Length: 9\r\n"));
	ck_assert_ptr_null(strstr(answer, "the page"));
	leat_http_destroy(http);
}
END_TEST

START_TEST(a_page_may_set_its_status)
{
	struct leat_http *http = serve();

	ck_assert(has_status(ask(http, "GET /sick HTTP/1.1\r\nHost: [::1]:PORT\r\nConnection: close\r\n\r\n"), "503"));
	leat_http_destroy(http);
}
END_TEST

START_TEST(an_unknown_page_is_not_found)
{
	struct leat_http *http = serve();

	ck_assert(has_status(ask(http, "GET /pages HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n"), "404"));
	leat_http_destroy(http);
}
END_TEST

START_TEST(a_host_that_is_not_ours_is_refused)
{
	static const char *const hosts[] = {
		"Host: evil.example:PORT\r\n",      "Host: 127.0.0.1\r\n",  "Host: 127.0.0.1:1\r\n", "Host: localhost.evil.example:PORT\r\n",
		"Host: 127.0.0.1:PORT.evil\r\n", "Host: 127.0.0.10:PORT\r\n", "Host: \r\n",
	};
	struct leat_http *http = serve();

	for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++) {
		char request[256];
		const char *answer;

		(void)snprintf(request, sizeof request, "GET /page HTTP/1.1\r\n%sConnection: close\r\n\r\n", hosts[i]);
		answer = ask(http, request);
		ck_assert_msg(has_status(answer, "403"), "%s%s", hosts[i], answer);
		ck_assert_ptr_null(strstr(answer, "the page"));
	}
	leat_http_destroy(http);
}
END_TEST

START_TEST(a_request_without_a_host_gets_nothing)
{
	struct leat_http *http = serve();

	ck_assert_ptr_null(strstr(ask(http, "GET /page HTTP/1.1\r\nConnection: close\r\n\r\n"), "the page"));
	ck_assert_ptr_null(strstr(ask(http, "GET /page HTTP/1.0\r\n\r\n"), "the page"));
	leat_http_destroy(http);
}
END_TEST

START_TEST(other_methods_are_refused)
{
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "BREW"};
	struct leat_http *http = serve();

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		char request[256];
		const char *answer;

		(void)snprintf(request, sizeof request,
		               "%s /page HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", methods[i]);
		answer = ask(http, request);
		ck_assert_msg(has_status(answer, "405"), "%s: %s", methods[i], answer);
		ck_assert_ptr_nonnull(strstr(answer, "Allow: GET, HEAD\r\n"));
	}
	leat_http_destroy(http);
}
END_TEST

START_TEST(only_loopback_addresses_are_taken)
{
	static const char *const far[] = {"0.0.0.0:9464", "192.168.1.5:9464", "[::]:9464", "[2001:db8::1]:80", "126.0.0.1:1"};
	struct leat_error err;

	for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
		ck_assert_ptr_null(leat_http_create(far[i], &err));
		ck_assert_int_eq(err.status, LEAT_FATAL);
		ck_assert_msg(strstr(err.text, "only loopback addresses") != NULL, "%s: %s", far[i], err.text);
	}
}
END_TEST

START_TEST(what_is_no_address_is_told_so)
{
	static const char *const wrong[] = {"", ":", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:1x",
	                                    "example.org:80", "[::1]", "::1:80x"};
	struct leat_error err;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		ck_assert_msg(leat_http_create(wrong[i], &err) == NULL, "\"%s\" was taken", wrong[i]);
		ck_assert_int_eq(err.status, LEAT_FATAL);
		ck_assert_msg(strstr(err.text, "expected an address and a port") != NULL, "%s: %s", wrong[i], err.text);
	}
}
END_TEST

START_TEST(a_port_that_is_taken_may_be_free_later)
{
	struct leat_http *first = serve();
	struct leat_error err;

	ck_assert_ptr_null(leat_http_create(leat_http_url(first) + 7, &err));
	ck_assert_int_eq(err.status, LEAT_RETRY);
	ck_assert_ptr_nonnull(strstr(err.text, "Address already in use"));
	leat_http_destroy(first);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_page_is_answered_with_its_text,
		head_has_no_body,
		a_page_may_set_its_status,
		an_unknown_page_is_not_found,
		a_host_that_is_not_ours_is_refused,
		a_request_without_a_host_gets_nothing,
		other_methods_are_refused,
		only_loopback_addresses_are_taken,
		what_is_no_address_is_told_so,
		a_port_that_is_taken_may_be_free_later,
		NULL,
	};

	return leat_test_main("http", tests);
}
