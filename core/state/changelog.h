/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_CHANGELOG_H
#define LEAT_STATE_CHANGELOG_H

#include "state/delta.h"

/*
 * What epochs change in rows, as the store keeps it until it is worth being written into files: one blob an epoch, of sections,
 * each a delta of one shard of a node. The idea is Flink's changelog state backend: what is durable at once is small and in the
 * order it came in, and of the many versions of a row only the last one is ever sorted into a file. Most rows of a window or a
 * timer are gone again by then, and never reach one.
 *
 * L1  Changes of a span of blobs that follow each other stand for the rows before it, made over to those behind it: what is
 *     left of each row is its last operation.
 * L2  A row whose first operation in the span is a put of a new one (`is_new`) was not there before the span: erased again, it
 *     leaves nothing. A key of an ordered table whose head was new before its first erase had no rows at all, likewise.
 */

/* Where a delta belongs: the numbers of its node's tables, of its timers, and the shard. */
struct leat_delta_place {
	const uint32_t *number;
	uint32_t n_numbers;
	uint32_t timers;
	uint32_t shard;
};

/* Bytes of changes that are worth a file beside rows of so many bytes in files, where they are compressed to half or less. RocksDB
 * sorts files into what is there again and again, the more often the smaller they are; but a start has to read what waits. */
enum { LEAT_CHANGELOG_LEAST = 16 << 20, LEAT_CHANGELOG_MOST = 64 << 20 };
size_t leat_changelog_limit(uint64_t rows);

void leat_changelog_add(struct leat_buffer *blob, const struct leat_delta_place *place, const struct leat_delta *delta);

struct leat_change {
	const char *key, *value; /* in the blob that was read */
	uint64_t sorts_by;       /* eight bytes of the key, behind what all keys here begin with */
	uint32_t key_n, value_n;
	uint32_t at;             /* place of its last operation among those of the shard */
	uint8_t kind;            /* enum leat_delta_kind; never is_new */
	bool was_absent;         /* L2 */
};

/* Of one shard of a table. Resolved: by key, an erased prefix before what begins with it, and as L1 and L2 have it. */
struct leat_shard_changes {
	uint32_t number, shard;
	struct leat_change *change;
	size_t n, capacity;
};

/* Zeroed: none. Resolved: by number and shard. */
struct leat_changes {
	struct leat_shard_changes *of;
	size_t n, capacity;
};

/* The operations of a blob, which has to stay; those of table `only`, 0: of all. False: it is damaged. */
bool leat_changes_read(struct leat_changes *changes, const char *blob, size_t n, uint32_t only);
void leat_changes_resolve(struct leat_changes *changes);
void leat_changes_finish(struct leat_changes *changes);

#endif
