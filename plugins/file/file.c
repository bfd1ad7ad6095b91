/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

uint64_t file_hash(uint64_t h, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)bytes[i]) * UINT64_C(1099511628211);
	return h;
}

LEAT_PLUGIN(.name = "file", .version = "1.0", .summary = "Reads and writes files with an event in each line.",
            .licence = "Apache-2.0", .source = &file_source_ops, .sink = &file_sink_ops);
