/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RECORD_H
#define LEAT_RECORD_H

/*
 * Records and batches. A batch is a run of records that travel together; its records and everything they point to are
 * immutable and live as long as the batch. Order in a batch is the order of the source shard.
 */

#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LEAT_NO_TIME INT64_MIN

/* Where a record comes from: with this, a result can be traced to its input and a dead letter replayed. */
struct leat_origin {
	uint32_t source;   /* the source node's number in the pipeline; records of timers: LEAT_NO_SOURCE */
	int32_t partition; /* the source's own number for its shard */
	int64_t offset;    /* position of the record in that partition, e.g. a Kafka offset or a byte offset */
};
#define LEAT_NO_SOURCE UINT32_MAX

struct leat_header {
	const char *name; /* terminated */
	const char *bytes; /* NULL: a header without value */
	size_t n;
};

struct leat_headers {
	size_t n;
	const struct leat_header *item;
};

struct leat_record {
	struct leat_value key;              /* of the source, or of the last keyed edge; null when there is none */
	struct leat_value value;            /* mostly a map */
	int64_t time_us;                    /* event time, microseconds since 1970 in UTC; LEAT_NO_TIME when unknown */
	int64_t arrival_us;                 /* when the source handed it over, same clock; latency is measured from here */
	const struct leat_headers *headers; /* NULL when there are none */
	struct leat_origin origin;
};

struct leat_batch {
	size_t n;
	const struct leat_record *record; /* process() is called with pointers to these */
};

#ifdef __cplusplus
}
#endif

#endif
