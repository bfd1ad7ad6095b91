/* SPDX-License-Identifier: Apache-2.0 */
#include "postgres.h"

LEAT_PLUGIN(.name = "postgres", .version = "1.0", .summary = "Write rows into PostgreSQL, look rows up in it.",
            .licence = "Apache-2.0",
            .op = &postgres_lookup, .sink = &postgres_sink);
