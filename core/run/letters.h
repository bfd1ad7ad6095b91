/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_LETTERS_H
#define LEAT_RUN_LETTERS_H

#include "run/internal.h"
#include "state/store.h"

/*
 * The queue of dead letters that no sink reads, of a pipeline with epochs: a letter is in the store with the epoch that made it,
 * and gone with the epoch that has what became of it when it was replayed, or that dropped it.
 *
 * What is added or erased gathers by round, as effects do (sink.h), and is written by the coordinator.
 */
struct leat_letters;

struct leat_letters *leat_letters_create(struct leat_pipeline *p, struct leat_store *store);
void leat_letters_destroy(struct leat_letters *letters); /* accepts NULL */

/* What leat_instance_bury() is told, with the round of the instance's shard. Any thread. */
void leat_letters_add(struct leat_letters *letters, const struct leat_instance *instance, const struct leat_record *record,
                      const struct leat_value *payload, const struct leat_error *err);
/* One goes. `round` as in leat_sink_push(). Any thread. */
void leat_letters_erase(struct leat_letters *letters, uint64_t number, const uint64_t *round);
/* False: there are too many, and the pipeline's file says that nothing more is read then. Any thread. */
bool leat_letters_has_room(const struct leat_letters *letters);

/* ---- coordinator ------------------------------------------------------------------------------------------------------ */

/* Puts what belongs to `round`. *has_changed is set if there is anything. */
enum leat_status leat_letters_put_epoch(struct leat_letters *letters, uint64_t round, uint64_t epoch, bool *has_changed,
                                        struct leat_error *err);
/* It is durable. */
void leat_letters_release(struct leat_letters *letters);

void leat_letters_figures(const struct leat_letters *letters, struct leat_pipeline_figures *figures);

#endif
