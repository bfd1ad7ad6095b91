/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_MIGRATE_H
#define LEAT_STATE_MIGRATE_H

#include "state/store.h"

/* Rows of a fixed table in the layout of an older version, made over by the table's migrate() into the store's batch in hand:
 * with the catalogue's new version they become durable together, or not at all. */

/* Whether `wanted->spec` knows how. *why may be NULL; else it says why not, to be put behind "...; ". */
bool leat_can_migrate(const struct leat_store_table *was, const struct leat_store_table *wanted, const char **why);
/* It does. Fills wanted->n_migrated and ->n_given_up. LEAT_FATAL: a row is damaged, or migrate() fails, and which. */
enum leat_status leat_migrate(struct leat_store *store, const struct leat_store_table *was, struct leat_store_table *wanted,
                              struct leat_error *err);

#endif
