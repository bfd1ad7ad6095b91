/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_SETUP_H
#define LEAT_PLUGIN_SETUP_H

#include <leat/plugin.h>

#include "data/symbol.h"

/*
 * The context of create(), check() and partitions(), where there is no batch and no state yet. A call that has no meaning
 * there breaks the plugin's contract: ask leat_setup_judge() after each.
 */
struct leat_setup {
	struct leat_context context; /* first: what the plugin is handed */
	const char *pipeline;
	const char *node;
	struct leat_symbols *symbols;  /* frozen ones only find */
	const struct leat_path *const *key; /* the fields of the node's `key:` */
	size_t n_keys;
	const char *const *ports;      /* of the node, NULL-terminated; NULL: {"out"} */
	uint32_t worker;
	int64_t *ttl_us;               /* one for each table, filled by leat_table_ttl(); or NULL */
	size_t n_tables;
	const char *breach; /* the first call that has no meaning here, or NULL */
	struct leat_arena *scratch; /* what such a call was handed */
	/* filled by leat_partition() */
	int32_t *partition;
	size_t n_partitions;
	size_t partition_capacity;
};

void leat_setup_init(struct leat_setup *setup, const char *pipeline, const char *node, struct leat_symbols *symbols);
/* What a call made with this context came to: `status`, or LEAT_FATAL when it broke the contract. There is a reason then. */
enum leat_status leat_setup_judge(const struct leat_setup *setup, enum leat_status status, const char *plugin, struct leat_error *err);
void leat_setup_finish(struct leat_setup *setup);

#endif
