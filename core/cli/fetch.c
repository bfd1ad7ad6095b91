/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fetch.h"

#include <curl/curl.h>

enum { PATIENCE_MS = 2000, BYTES_AT_MOST = 64 * 1024 * 1024, HTTP_OK = 200 };

static size_t take(char *bytes, size_t size, size_t n, void *opaque)
{
	struct leat_buffer *out = opaque;

	if (out->n + size * n > BYTES_AT_MOST)
		return 0;
	leat_buffer_append(out, bytes, size * n);
	return size * n;
}

enum leat_status leat_fetch(const char *url, struct leat_buffer *out, struct leat_error *err)
{
	char reason[CURL_ERROR_SIZE] = "";
	CURL *curl = curl_easy_init();
	long code = 0;
	CURLcode result;

	if (curl == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not set up an HTTP client");
	out->n = 0;
	(void)curl_easy_setopt(curl, CURLOPT_URL, url);
	(void)curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	(void)curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); /* it is on this machine */
	(void)curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	(void)curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)PATIENCE_MS);
	(void)curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	(void)curl_easy_setopt(curl, CURLOPT_WRITEDATA, out);
	result = curl_easy_perform(curl);
	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
	curl_easy_cleanup(curl);
	if (result == CURLE_UNSUPPORTED_PROTOCOL || result == CURLE_URL_MALFORMAT)
		return leat_error_set(err, LEAT_FATAL, (int)result, "cannot read %s: expected http://ADDRESS:PORT", url);
	if (result != CURLE_OK)
		return leat_error_set(err, LEAT_RETRY, (int)result, "could not read %s: %s", url,
		                      reason[0] != '\0' ? reason : curl_easy_strerror(result));
	if (code != HTTP_OK)
		return leat_error_set(err, LEAT_FATAL, (int)code, "cannot read %s: it answers %ld, expected %d", url, code, (int)HTTP_OK);
	return LEAT_OK;
}
