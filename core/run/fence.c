/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a sink, and how far it is. A claim has put our incarnation into the sink's fence and told what stood there. Three
 * things may be wrong, and none of them is decided here: somebody else owns it (E6), it is not where the store says it can
 * be (E5), or the claim itself did not work, which is the caller's to repeat.
 */
#include "run/fence.h"

#include <inttypes.h>

#include "base/clock.h"
#include "run/epoch.h"
#include "run/sink.h"

enum { BEHIND_US = 60000000 };

static bool is_at(const struct leat_fence *a, const struct leat_fence *b)
{
	return leat_fence_is_at(a, b->epoch, b->digest);
}

/* E4: somebody has claimed with our number or a larger one; a copy of the store's folder may have been in use. */
static enum leat_status raise_incarnation(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	enum leat_status status = leat_store_set_incarnation(leat_epochs_store(sink->pipeline->epochs), found->incarnation + 1, err);

	if (status != LEAT_OK)
		return status;
	sink->incarnation = found->incarnation + 1;
	return LEAT_AGAIN;
}

struct search {
	const struct leat_fence *found;
	bool is_there;
};

static bool compare_entry(void *opaque, const struct leat_outbox_entry *entry)
{
	struct search *s = opaque;

	s->is_there = s->is_there || leat_fence_is_at(s->found, entry->epoch, entry->digest);
	return true;
}

#define DECIDE "; \"leat state accept-sink\" lets you decide"

static enum leat_status refuse(const struct leat_fence *found, const struct leat_fence *delivered, const struct leat_fence *head,
                               const char *folder, struct leat_error *err)
{
	if (found->epoch == 0)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "its fence is missing: the store in \"%s\" has delivered up to epoch %" PRIu64
		                      " to it, and it knows of none" DECIDE,
		                      folder, delivered->epoch);
	if (found->epoch > head->epoch)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "it is ahead: it has epoch %" PRIu64 ", the store in \"%s\" ends at %" PRIu64
		                      "; the store may be an old copy" DECIDE,
		                      found->epoch, folder, head->epoch);
	if (found->epoch < delivered->epoch)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "it is behind: it has epoch %" PRIu64
		                      ", and the store in \"%s\" no longer keeps what was delivered up to %" PRIu64 DECIDE,
		                      found->epoch, folder, delivered->epoch);
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "it has other effects: digest %016" PRIx64 " at epoch %" PRIu64 ", which the store in \"%s\" does not know" DECIDE,
	                      found->digest, found->epoch, folder);
}

enum leat_status leat_fence_judge(const struct leat_store *store, uint32_t sink, const struct leat_fence *delivered,
                                  const struct leat_fence *head, const struct leat_fence *found, struct leat_error *err)
{
	struct search search = { .found = found };
	enum leat_status status;

	if (is_at(found, delivered))
		return LEAT_OK;
	status = leat_store_outbox(store, sink, delivered->epoch, compare_entry, &search, err);
	if (status == LEAT_OK && !search.is_there)
		return refuse(found, delivered, head, leat_store_folder(store), err);
	return status;
}

static enum leat_status judge_first(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	const struct leat_fence delivered = sink->delivered;
	enum leat_status status;

	/* Before outbidding anybody: who has the wrong state is not to take the sink from its owner. */
	status = leat_fence_judge(leat_epochs_store(sink->pipeline->epochs), sink->number, &delivered, &sink->start_head, found, err);
	if (status != LEAT_OK)
		return status;
	if (found->incarnation >= sink->incarnation)
		return raise_incarnation(sink, found, err);
	/* What lies between has been delivered, and the store was not told: delivering it again applies nothing, and tells what
	 * was refused of it (E7). */
	sink->repeat_until = is_at(found, &delivered) ? 0 : found->epoch;
	sink->fence = delivered;
	sink->fence.incarnation = sink->incarnation;
	return leat_sink_recover(sink, delivered.epoch, err);
}

/* What was delivered is missing in the sink: its system has just started, say, and has not read everything back. Nothing that
 * comes back by itself stays away for long. */
static enum leat_status judge_behind(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	int64_t now_us = leat_clock_monotonic_us();

	if (sink->behind_us == 0)
		sink->behind_us = now_us;
	return leat_error_set(err, now_us - sink->behind_us < BEHIND_US ? LEAT_RETRY : LEAT_FATAL, 0,
	                      "its fence is behind: it has epoch %" PRIu64 ", and %" PRIu64
	                      " was delivered to it; its system has lost that, or has not read it back yet",
	                      found->epoch, sink->fence.epoch);
}

/* In the middle of things: an outcome was unknown. It is ours, and either where it was or where it should be. In both cases
 * the same delivery is made again: the sink tells which it is, and tells again what it has refused. */
static enum leat_status judge_again(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	if (found->incarnation > sink->incarnation)
		return leat_error_set(err, LEAT_FATAL, 0, "another instance owns it: incarnation %" PRIu64 ", ours is %" PRIu64, found->incarnation,
		                      sink->incarnation);
	if (found->epoch < sink->fence.epoch)
		return judge_behind(sink, found, err);
	sink->behind_us = 0;
	if (!is_at(found, &sink->fence) && !(sink->taken != NULL && is_at(found, &sink->target)))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "its fence was changed by somebody else: epoch %" PRIu64 " and digest %016" PRIx64 ", expected %" PRIu64
		                      " and %016" PRIx64,
		                      found->epoch, found->digest, sink->fence.epoch, sink->fence.digest);
	return LEAT_OK;
}

enum leat_status leat_sink_judge_claim(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	enum leat_status status;

	if (sink->has_claimed)
		return sink->is_fenced ? judge_again(sink, found, err) : LEAT_OK;
	status = sink->is_fenced ? judge_first(sink, found, err) : leat_sink_recover(sink, sink->delivered.epoch, err);
	sink->has_claimed = status == LEAT_OK;
	return status;
}
