/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/junit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

/* XML 1.0 has no way to say most control characters. */
static void put_text(struct leat_buffer *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '&')
			leat_buffer_text(out, "&amp;");
		else if (c == '<')
			leat_buffer_text(out, "&lt;");
		else if (c == '>')
			leat_buffer_text(out, "&gt;");
		else if (c == '"')
			leat_buffer_text(out, "&quot;");
		else
			leat_buffer_byte(out, c < 0x20 && c != '\n' && c != '\t' ? '?' : (char)c);
	}
}

void leat_junit_add(struct leat_junit *junit, const char *file, const char *name, const struct leat_buffer *failure)
{
	struct leat_buffer *out = &junit->cases;

	leat_buffer_text(out, "  <testcase classname=\"");
	put_text(out, file, strlen(file));
	leat_buffer_text(out, "\" name=\"");
	put_text(out, name, strlen(name));
	junit->n++;
	if (failure == NULL) {
		leat_buffer_text(out, "\"/>\n");
		return;
	}
	junit->n_failed++;
	leat_buffer_text(out, "\">\n    <failure message=\"it does not come to what is expected\">");
	put_text(out, failure->data, failure->n);
	leat_buffer_text(out, "</failure>\n  </testcase>\n");
}

enum leat_status leat_junit_write(const struct leat_junit *junit, const char *path, struct leat_error *err)
{
	FILE *out = fopen(path, "we");
	bool is_good;

	if (out == NULL)
		return leat_error_set(err, LEAT_FATAL, errno, "could not write \"%s\": %s", path, strerror(errno));
	(void)fprintf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"leat\" tests=\"%zu\" failures=\"%zu\">\n", junit->n,
	              junit->n_failed);
	(void)fwrite(junit->cases.data, 1, junit->cases.n, out);
	(void)fputs("</testsuite>\n", out);
	is_good = ferror(out) == 0;
	if (fclose(out) != 0 || !is_good)
		return leat_error_set(err, LEAT_FATAL, errno, "could not write \"%s\": %s", path, strerror(errno));
	return LEAT_OK;
}

void leat_junit_finish(struct leat_junit *junit)
{
	leat_buffer_finish(&junit->cases);
}
