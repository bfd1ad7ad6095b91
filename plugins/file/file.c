/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

LEAT_PLUGIN(.name = "file", .version = "1.0", .summary = "Reads and writes files with an event in each line.",
            .licence = "Apache-2.0", .source = &file_source_ops, .sink = &file_sink_ops);
