/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_EVENT_TIME_H
#define LEAT_RUN_EVENT_TIME_H

#include "graph/description.h"

/*
 * How far event time has come. docs/architecture.md has the invariants T1 to T6 that are cited here and in advance.c; this file
 * has the rules that need neither threads nor shards.
 */

/* What comes through an input beside its records. Zero is not "nothing yet": see LEAT_MARK_NONE. */
struct leat_mark {
	int64_t us; /* no record with an earlier time is expected; LEAT_NO_TIME before the first */
	bool is_idle; /* it holds nobody back */
};

#define LEAT_MARK_NONE ((struct leat_mark){ .us = LEAT_NO_TIME })

/* T2: the least of all inputs that are not idle; when all are, none of them holds another one back: the largest. One that has ended
 * (INT64_MAX) says nothing of the others: only when all have ended it is INT64_MAX (T6). Begin, add each, end. */
struct leat_merge {
	int64_t least_us, most_us; /* of those that are not idle; of those that are */
	size_t n, n_idle, n_ended;
};

#define LEAT_MERGE_BEGIN ((struct leat_merge){ .least_us = INT64_MAX, .most_us = LEAT_NO_TIME })

static inline void leat_merge_add(struct leat_merge *merge, const struct leat_mark *mark)
{
	if (mark->us == INT64_MAX) {
		merge->n_ended++;
	} else if (mark->is_idle) {
		merge->n_idle++;
		if (mark->us > merge->most_us)
			merge->most_us = mark->us;
	} else {
		merge->n++;
		if (mark->us < merge->least_us)
			merge->least_us = mark->us;
	}
}

/* Into what was merged before, which never goes back (T1). True: it has changed. */
bool leat_merge_end(const struct leat_merge *merge, struct leat_mark *mark);

/* ---- a source's shard --------------------------------------------------------------------------------------------- */

/* Where a batch has to be cut: what begins with this record is to see the watermark of what comes before it (T4). */
struct leat_cut {
	size_t at; /* index of the record */
	int64_t us;
};

struct leat_source_time {
	const struct leat_time_spec *spec;
	int64_t us;       /* the watermark; LEAT_NO_TIME before the first record with a time */
	int64_t base_us;  /* the same as the last record left it */
	int64_t heard_us; /* when there was one, in monotonic time */
	bool is_idle;
	struct leat_cut *cut; /* of the last batch */
	size_t n_cuts, cut_capacity;
	uint64_t n_late; /* records behind the watermark, ever */
};

/* `now_us` is monotonic. The watermark is one that was stored, or LEAT_NO_TIME. */
void leat_source_time_init(struct leat_source_time *t, const struct leat_time_spec *spec, int64_t us, int64_t now_us);
void leat_source_time_finish(struct leat_source_time *t);
/* A batch was read, at `arrival_us`: moves the watermark, finds the cuts and counts what is late. False: no record had a time. */
bool leat_source_time_read(struct leat_source_time *t, const struct leat_record *record, size_t n, int64_t arrival_us, int64_t now_us);
/* Nothing has come from this partition when it was asked. `all_us`: when something last came from any partition of the source.
 * True: its mark has changed. */
bool leat_source_time_wait(struct leat_source_time *t, int64_t all_us, int64_t now_us);
/* Nobody has asked it: that silence is ours. */
void leat_source_time_hold(struct leat_source_time *t, int64_t now_us);
/* When to look again if nothing comes. INT64_MAX: never. */
int64_t leat_source_time_deadline(const struct leat_source_time *t, int64_t all_us, int64_t now_us);

/* Sets the record's time from the field that `time:` names, and judges it. LEAT_REJECT names the field. */
enum leat_status leat_time_of(const struct leat_time_spec *spec, struct leat_record *record, struct leat_error *err);

#endif
