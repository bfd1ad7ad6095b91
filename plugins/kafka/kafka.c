/* SPDX-License-Identifier: Apache-2.0 */

/* Kafka, read and written: the descriptor. See README.md for what each file is for. */

#include "kafka.h"

LEAT_PLUGIN(.name = "kafka", .version = "0.1.0", .summary = "Reads and writes topics of Apache Kafka.", .licence = "Apache-2.0",
            .source = &kafka_source, .sink = &kafka_sink);
