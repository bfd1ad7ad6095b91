/* SPDX-License-Identifier: Apache-2.0 */
#include "redis.h"

LEAT_PLUGIN(.name = "redis", .version = "1.0", .summary = "Write to Redis, look values up in it.", .licence = "Apache-2.0",
            .op = &redis_lookup, .sink = &redis_sink);
