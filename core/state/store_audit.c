/* SPDX-License-Identifier: Apache-2.0 */
/* A sink's chain of effects, looked over from its beginning to its end, and the two ways to mend it that are an operator's. */
#include <inttypes.h>

#include "state/store_internal.h"

struct walk {
	const struct leat_store *store;
	const struct leat_fence *found;
	struct leat_store_audit *audit;
	struct leat_fence last; /* the link before */
	uint64_t broken;        /* the first entry that does not follow the one before it; 0: none */
	struct leat_fence names; /* what that one names as the one before it */
	size_t n;               /* entries so far */
};

/* The chain comes by there. */
static void pass(struct walk *w, const struct leat_fence *at)
{
	struct leat_store_audit *a = w->audit;

	a->has_delivered = a->has_delivered || leat_fence_is_at(&a->delivered, at->epoch, at->digest);
	a->is_known = a->is_known || (w->found != NULL && leat_fence_is_at(w->found, at->epoch, at->digest));
}

static bool look_at(void *opaque, const struct leat_outbox_entry *entry)
{
	struct walk *w = opaque;
	const struct leat_fence before = { .epoch = entry->previous_epoch, .digest = entry->previous_digest };
	struct leat_store_audit *a = w->audit;

	/* It begins with what is kept. */
	if (w->n++ == 0 && entry->epoch <= a->delivered.epoch) {
		w->last = before;
		a->has_delivered = false;
	}
	pass(w, &w->last);
	if (w->broken == 0 && (!leat_fence_is_at(&w->last, before.epoch, before.digest) || entry->epoch <= w->last.epoch)) {
		w->broken = entry->epoch;
		w->names = before;
	}
	if (w->broken == 0)
		w->last = (struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest };
	a->n_due += entry->epoch > (w->found == NULL ? a->delivered.epoch : w->found->epoch);
	pass(w, &(struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest });
	if (entry->epoch <= a->delivered.epoch) {
		a->n_kept++;
		return true;
	}
	a->n_epochs++;
	a->n_effects += entry->n;
	a->n_bytes += entry->bytes_n;
	return true;
}

static enum leat_status judge(const struct walk *w, struct leat_error *err)
{
	const struct leat_store_audit *a = w->audit;
	uint64_t epoch = leat_store_epoch(w->store);

	if (w->broken != 0)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "effects of epoch %" PRIu64 " follow epoch %" PRIu64 " and digest %016" PRIx64 ", but before them is epoch %" PRIu64
		                      " and digest %016" PRIx64,
		                      w->broken, w->names.epoch, w->names.digest, w->last.epoch, w->last.digest);
	if (!a->has_delivered)
		return leat_error_set(err, LEAT_FATAL, 0, "none of its effects end at epoch %" PRIu64 " and digest %016" PRIx64 ", which was delivered",
		                      a->delivered.epoch, a->delivered.digest);
	if (!leat_fence_is_at(&w->last, a->head.epoch, a->head.digest))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "its effects end at epoch %" PRIu64 " and digest %016" PRIx64 ", expected %" PRIu64 " and %016" PRIx64,
		                      w->last.epoch, w->last.digest, a->head.epoch, a->head.digest);
	if (a->head.epoch > epoch)
		return leat_error_set(err, LEAT_FATAL, 0, "it has effects of epoch %" PRIu64 ", the store ends at %" PRIu64, a->head.epoch, epoch);
	return LEAT_OK;
}

enum leat_status leat_store_audit(const struct leat_store *store, uint32_t sink, const struct leat_fence *found,
                                  struct leat_store_audit *out, struct leat_error *err)
{
	struct walk w = { .store = store, .found = found, .audit = out };
	enum leat_status status;

	memset(out, 0, sizeof *out);
	leat_store_sink(store, sink, &out->delivered, &out->head);
	w.last = out->delivered;
	pass(&w, &w.last);
	status = leat_store_outbox(store, sink, 0, look_at, &w, err);
	return status == LEAT_OK ? judge(&w, err) : status;
}

enum leat_status leat_store_raise_epoch(struct leat_store *store, uint64_t epoch, struct leat_error *err)
{
	if (epoch > leat_store_epoch(store))
		atomic_store(&store->epoch, epoch);
	return leat_store_commit(store, leat_store_epoch(store), err);
}

/* In one batch: a chain that goes on from there, and numbers that do. */
enum leat_status leat_store_accept(struct leat_store *store, uint32_t sink, const struct leat_fence *found, struct leat_error *err)
{
	struct leat_fence all = *found;

	if (all.epoch < store->sink[sink - 1].head.epoch)
		all.epoch = store->sink[sink - 1].head.epoch;
	leat_store_put_delivered(store, sink, &all); /* all of the outbox goes */
	leat_store_put_delivered(store, sink, found);
	leat_store_put_head(store, sink, found);
	return leat_store_raise_epoch(store, found->epoch, err);
}
