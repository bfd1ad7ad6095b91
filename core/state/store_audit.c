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
};

static bool look_at(void *opaque, const struct leat_outbox_entry *entry)
{
	struct walk *w = opaque;
	const struct leat_fence before = { .epoch = entry->previous_epoch, .digest = entry->previous_digest };

	if (w->broken == 0 && (!leat_fence_is_at(&w->last, before.epoch, before.digest) || entry->epoch <= w->last.epoch)) {
		w->broken = entry->epoch;
		w->names = before;
	}
	if (w->broken == 0)
		w->last = (struct leat_fence){ .epoch = entry->epoch, .digest = entry->digest };
	w->audit->n_epochs++;
	w->audit->n_effects += entry->n;
	w->audit->n_bytes += entry->bytes_n;
	w->audit->n_due += entry->epoch > (w->found == NULL ? w->audit->delivered.epoch : w->found->epoch);
	if (w->found != NULL && leat_fence_is_at(w->found, entry->epoch, entry->digest))
		w->audit->is_known = true;
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
	out->is_known = found != NULL && leat_fence_is_at(found, out->delivered.epoch, out->delivered.digest);
	w.last = out->delivered;
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
