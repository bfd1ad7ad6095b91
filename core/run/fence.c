/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who owns a sink, and how far it is. A claim has put our incarnation into the sink's fence and told what stood there. Three
 * things may be wrong, and none of them is decided here: somebody else owns it (E6), it is not where the store says it can
 * be (E5), or the claim itself did not work, which is the caller's to repeat.
 */
#include "run/fence.h"

#include <inttypes.h>

#include "base/bug.h"
#include "base/clock.h"
#include "run/epoch.h"
#include "run/sink.h"

enum { BEHIND_US = 60000000 };

static bool is_at(const struct leat_fence *a, const struct leat_fence *b)
{
	return leat_fence_is_at(a, b->epoch, LEAT_BUG("digest-not-compared") ? a->digest : b->digest);
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

	s->is_there = s->is_there || leat_fence_is_at(s->found, entry->epoch, entry->digest) ||
	              leat_fence_is_at(s->found, entry->previous_epoch, entry->previous_digest);
	return true;
}

#define DECIDE "; \"leat state accept-sink\" lets you decide"

static enum leat_status refuse(const struct leat_fence *found, const struct leat_fence *delivered, const struct leat_fence *head,
                               const char *folder, struct leat_error *err)
{
	if (found->epoch == 0 && delivered->epoch == 0)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "its fence is missing: incarnation %" PRIu64 " of the store in \"%s\" has claimed it, and it knows of none" DECIDE,
		                      delivered->incarnation, folder);
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

/* A claim leaves its incarnation there, and whoever has claimed knows. */
static bool is_missing(const struct leat_fence *found, const struct leat_fence *delivered)
{
	return found->incarnation == 0 && delivered->incarnation > 0;
}

enum leat_status leat_fence_judge(const struct leat_store *store, uint32_t sink, const struct leat_fence *delivered,
                                  const struct leat_fence *head, const struct leat_fence *found, struct leat_error *err)
{
	struct search search = { .found = found };
	enum leat_status status;
	bool has_moved = leat_store_has_moved(store, sink);

	if (is_missing(found, delivered) && !has_moved && delivered->epoch == 0)
		return refuse(found, delivered, head, leat_store_folder(store), err);
	/* E11: where it is now it may have been before, or never. */
	if (is_at(found, delivered) || (has_moved && found->epoch < delivered->epoch))
		return LEAT_OK;
	/* Also before what was delivered, if that is kept. Without any fence nobody knows what is still there. */
	if (found->epoch == 0)
		return refuse(found, delivered, head, leat_store_folder(store), err);
	status = leat_store_outbox(store, sink, 0, compare_entry, &search, err);
	if (status == LEAT_OK && !search.is_there)
		return refuse(found, delivered, head, leat_store_folder(store), err);
	return status;
}

/* The sink's system has lost what it had said to have, together with its fence. */
static enum leat_status go_back(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	struct leat_fence to = *found;
	enum leat_status status;

	to.incarnation = sink->incarnation;
	status = leat_sink_go_back(sink, &to, err);
	if (status == LEAT_OK)
		sink->fence = to;
	return status;
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

/* Into the store with the epoch of its first effects, so before they are delivered: there is something to be behind of. */
static void note_claim(struct leat_sink *sink)
{
	pthread_mutex_lock(&sink->lock);
	if (sink->delivered.incarnation == 0) {
		sink->delivered.incarnation = sink->incarnation;
		sink->is_delivered_new = true;
	}
	pthread_mutex_unlock(&sink->lock);
}

static enum leat_status judge_first(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	const struct leat_store *store = leat_epochs_store(sink->pipeline->epochs);
	const struct leat_fence delivered = sink->delivered;
	enum leat_status status;
	bool is_elsewhere;

	/* Before outbidding anybody: who has the wrong state is not to take the sink from its owner. */
	status = leat_fence_judge(store, sink->number, &delivered, &sink->start_head, found, err);
	if (status != LEAT_OK)
		return status;
	if (found->incarnation >= sink->incarnation + LEAT_BUG("incarnation-shared"))
		return raise_incarnation(sink, found, err);
	/* E11: a sink that has moved goes on at what it finds where it is now. */
	is_elsewhere = leat_store_has_moved(store, sink->number) && found->epoch < delivered.epoch;
	sink->fence = is_elsewhere ? *found : delivered;
	sink->fence.incarnation = sink->incarnation;
	status = leat_sink_recover(sink, delivered.epoch, err);
	if (status != LEAT_OK || is_elsewhere || is_at(found, &delivered))
		return status;
	if (found->epoch < delivered.epoch)
		return go_back(sink, found, err);
	/* What lies between has been delivered, and the store was not told: delivering it again applies nothing, and tells what
	 * was refused of it (E7). */
	sink->repeat_until = found->epoch;
	return LEAT_OK;
}

/* In the middle of things: an outcome was unknown, or nothing was in hand for long. It is ours, and either where it was or
 * where it should be: in both cases the same delivery is made again, and the sink tells which it is, and tells again what it has
 * refused. Or it is where it was a while ago. */
static enum leat_status judge_again(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	if (found->incarnation > sink->incarnation)
		return leat_error_set(err, LEAT_FATAL, 0, "another instance owns it: incarnation %" PRIu64 ", ours is %" PRIu64, found->incarnation,
		                      sink->incarnation);
	if (is_missing(found, &sink->fence))
		return judge_behind(sink, found, err);
	if (is_at(found, &sink->fence) || (sink->taken != NULL && is_at(found, &sink->target))) {
		sink->behind_us = 0;
		return LEAT_OK;
	}
	if (sink->retention_us > 0 && found->epoch > 0 && found->epoch < sink->fence.epoch)
		return go_back(sink, found, err);
	if (found->epoch < sink->fence.epoch)
		return judge_behind(sink, found, err);
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "its fence was changed by somebody else: epoch %" PRIu64 " and digest %016" PRIx64 ", expected %" PRIu64
	                      " and %016" PRIx64,
	                      found->epoch, found->digest, sink->fence.epoch, sink->fence.digest);
}

enum leat_status leat_sink_judge_claim(struct leat_sink *sink, const struct leat_fence *found, struct leat_error *err)
{
	enum leat_status status;

	if (sink->has_claimed)
		return sink->is_fenced ? judge_again(sink, found, err) : LEAT_OK;
	if (!sink->is_fenced && LEAT_BUG("outbox-for-fences-only"))
		return LEAT_OK;
	status = sink->is_fenced ? judge_first(sink, found, err) : leat_sink_recover(sink, sink->delivered.epoch, err);
	if (status == LEAT_OK && sink->is_fenced)
		note_claim(sink);
	sink->has_claimed = status == LEAT_OK;
	return status;
}
