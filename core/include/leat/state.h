/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_H
#define LEAT_STATE_H

/*
 * State: declared by operators, owned by the host. A plugin never writes checkpoint code: it declares tables, and the
 * host stores, restores, expires, moves and shows them. Each shard of a node has its own entries.
 *
 *  - fixed:   per key one C struct with declared fields. leat_table_get() opens it for change, leat_table_peek() reads.
 *  - value:   per key one tagged tree. leat_table_put() stores a copy, leat_table_value() reads.
 *  - ordered: per key a sorted run of (sub-key, value), for windows and joins. leat_ordered_put() and friends.
 *
 * A pointer or value from a table is good until the call into the plugin returns; what leat_ordered_take() took out of one, as long
 * as the batch. When a call for an event returns LEAT_REJECT, every change that it made to tables, timers and emissions is undone.
 */

#include <leat/error.h>
#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_table_kind { LEAT_TABLE_FIXED = 0, LEAT_TABLE_VALUE = 1, LEAT_TABLE_ORDERED = 2 };

enum leat_field_type {
	LEAT_FIELD_INT64 = 1,
	LEAT_FIELD_DOUBLE = 2,
	LEAT_FIELD_BOOL = 3,
	LEAT_FIELD_INT32 = 4,
	LEAT_FIELD_BYTES = 5 /* a char or uint8_t array */
};

struct leat_field {
	const char *name; /* NULL ends the table */
	enum leat_field_type type;
	size_t offset;
	size_t size;
};

#define LEAT_FIELD(struct_, member_, type_)                                                                               \
	{ #member_, LEAT_FIELD_##type_, offsetof(struct_, member_), sizeof(((struct_ *)0)->member_) }

struct leat_table_spec {
	const char *name; /* NULL ends the table of tables; unique within the operator */
	uint32_t version; /* of the layout, from 1 */
	enum leat_table_kind kind;
	size_t size;                     /* fixed: sizeof the struct; at most 64 KiB */
	const struct leat_field *fields; /* fixed: every member that has to survive a restart */
	const char *prose;               /* what an entry is, for `leat inspect` */
	/* Fixed: makes rows of an older `version` over, instead of having them refused. `was` is the struct that `older` declares for
	 * it, `is` the zeroed one of this version, to be filled. The host calls it at a start for each row, before anything else, and
	 * keeps all of it or, with LEAT_FATAL, nothing, and does not start. LEAT_REJECT: the row is dropped. It may be called for the
	 * same row again, after a crash. */
	enum leat_status (*migrate)(uint32_t version, const struct leat_value *key, const void *was, void *is, struct leat_error *err);
	const struct leat_table_spec *older; /* the versions that migrate() knows; of each its name, version, size and fields */
};

/* An entry of an ordered table, borrowed until the call into the plugin returns. */
struct leat_ordered_entry {
	int64_t order; /* first part of the sub-key, mostly a time in microseconds */
	int64_t sequence;
	struct leat_value value;
};

#ifdef __cplusplus
}
#endif

#endif
