/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

uint64_t file_hash(uint64_t h, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return h;
}

void file_put_path(struct leat_buffer *text, const char *path, size_t n)
{
	char *folder = n == 0 ? strdup(".") : strndup(path, n), *whole = folder == NULL ? NULL : realpath(folder, NULL);

	leat_buffer_byte(text, '"');
	if (whole != NULL) {
		leat_buffer_text(text, whole);
		if (whole[1] != '\0')
			leat_buffer_byte(text, '/');
		path += n + strspn(path + n, "/");
	}
	leat_buffer_text(text, path);
	leat_buffer_byte(text, '"');
	free(whole);
	free(folder);
}

LEAT_PLUGIN(.name = "file", .version = "1.0", .summary = "Reads and writes files with an event in each line.",
            .licence = "Apache-2.0", .source = &file_source_ops, .sink = &file_sink_ops);
