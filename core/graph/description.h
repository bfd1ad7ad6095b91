/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_GRAPH_DESCRIPTION_H
#define LEAT_GRAPH_DESCRIPTION_H

#include "data/symbol.h"
#include "plugin/registry.h"
#include "plugin/setting.h"

/*
 * A pipeline, checked: what the file says, with every reference resolved and every plugin's options filled. Immutable once
 * it is made, and owned by one arena.
 */

enum leat_role { LEAT_ROLE_SOURCE, LEAT_ROLE_OPERATOR, LEAT_ROLE_SINK };

/* How a file asks for events to be delivered. */
enum leat_mode { LEAT_MODE_AT_LEAST_ONCE, LEAT_MODE_EXACTLY_ONCE };

struct leat_input {
	uint32_t node; /* index of the node it comes from */
	uint32_t port; /* of that node; LEAT_DEAD_PORT for its dead letters */
	uint32_t number; /* which of the reader's named inputs it is; 0 where they have no names */
	struct leat_place place;
};
#define LEAT_DEAD_PORT 0xfffffffeu

/* `time:` of a source; without it, what that says by itself, but that nothing is too far in the future. */
struct leat_time_spec {
	bool is_given;
	const struct leat_path *field; /* NULL: the source's own timestamp */
	int64_t unit_us_numerator;     /* microseconds per unit = numerator / denominator: us 1/1, ms 1000/1, s 1000000/1, ns 1/1000 */
	int64_t unit_us_denominator;
	bool is_text; /* unit: rfc3339 */
	int64_t disorder_us;
	int64_t idle_us;   /* 0: never */
	int64_t future_us; /* 0: no bound */
	int64_t quiet_us;  /* 0: never */
};

struct leat_node {
	const char *name;
	uint32_t index; /* sources first, then operators, then sinks, each in file order */
	enum leat_role role;
	const struct leat_plugin *plugin;
	const struct leat_setting *settings; /* the node's map */
	size_t instance_size;
	void *image;     /* instance_size bytes with the options filled, before create(): copied for every instance */
	void *prototype; /* another copy, after create(): for check(), list_ports() and guarantee() */
	uint32_t n_named; /* operators whose inputs have names: how many there are; else 0 */
	size_t n_inputs;
	const struct leat_input *input;
	const char *const *ports; /* NULL-terminated, without "dead"; sinks have none */
	uint32_t n_ports;
	const char *format;         /* codec name, "json" by default; NULL where the plugin has no format */
	const struct leat_plugin *codec;
	size_t n_keys;              /* operators: fields of `key:`; 0: not keyed */
	const struct leat_path *const *key; /* of named input i: key[i * n_keys] and on */
	uint32_t n_shards;          /* keyed operators: `shards:`, 8 by default, 1..1024; others: 1, or 0 for those of its inputs */
	int64_t max_bytes;          /* sources: `max_bytes:` of one event, 1MiB by default; more is a dead letter */
	struct leat_time_spec time; /* sources */
	struct leat_schema *schema; /* sources: what their events have to meet, or NULL */
	enum leat_guarantee guarantee; /* sinks: what it gives here, at most what the pipeline asks for */
	bool is_implicit;           /* the sink that the host adds for dead letters that no one reads */
};

/* `dead_letters:` of a pipeline: the queue of those that no one reads, where it is delivered exactly once. */
struct leat_letters_spec {
	int64_t max_bytes;
	bool stops_when_full; /* sources are not read; else the oldest go */
};

struct leat_description {
	struct leat_arena *arena;
	struct leat_symbols *symbols; /* not yet frozen: instances may still intern in create(); the runtime freezes */
	const char *file;
	const char *folder; /* of the file: where relative paths start */
	const char *name;
	enum leat_mode mode;
	int64_t epoch_max_us;
	struct leat_letters_spec letters;
	size_t n_nodes;
	struct leat_node *node;
	const uint32_t *order; /* node indices, each after all its inputs */
};

struct leat_description_options {
	const char *dead_letters; /* path of the file that the implicit dead-letter sink writes, where delivery is at least
	                           * once; NULL: no such sink is added */
};

/*
 * Reads, checks and resolves. Everything that is wrong goes to the report, all at once; NULL when there was an error.
 * Calls create() of every plugin, so that what only the plugin can see is found here too.
 */
struct leat_description *leat_description_read(const struct leat_registry *registry, const char *path,
                                               const struct leat_description_options *options, struct leat_report *report);
/* The same of what was read already; `root` lives longer. `path` stands for the file: relative paths start at its folder. */
struct leat_description *leat_description_make(const struct leat_registry *registry, const char *path, const struct leat_setting *root,
                                               struct leat_report *report);
/* Calls check() of every plugin in turn, which connects. False: something was reported. `progress` (may be NULL) is called
 * with each node's name and NULL or the reason. */
bool leat_description_check(const struct leat_description *description, struct leat_report *report,
                            void (*progress)(void *opaque, const struct leat_node *node, const struct leat_error *err), void *opaque);
/* The node of that role and name, or NULL. */
const struct leat_node *leat_description_find(const struct leat_description *description, enum leat_role role, const char *name);
/* The number of the operator's input of that name; node->n_named when it has none. */
uint32_t leat_node_find_input(const struct leat_node *node, const char *name);
/* In words, what its state, positions or effects belong to: its type, what it is keyed by, what it reads or writes. To be freed. */
char *leat_node_identity(const struct leat_node *node);
void leat_description_destroy(struct leat_description *description); /* destroys the prototypes; accepts NULL */

const char *leat_role_name(enum leat_role role); /* "source", "operator", "sink" */
/* Instance hooks that every role has, so that nobody switches on the role again. */
size_t leat_plugin_instance_size(const struct leat_plugin *plugin, enum leat_role role);
const struct leat_option *leat_plugin_options(const struct leat_plugin *plugin, enum leat_role role);
enum leat_status leat_plugin_create(const struct leat_plugin *plugin, enum leat_role role, void *self, struct leat_context *ctx,
                                    struct leat_error *err);
enum leat_status leat_plugin_check(const struct leat_plugin *plugin, enum leat_role role, void *self, struct leat_context *ctx,
                                   struct leat_error *err);
void leat_plugin_destroy(const struct leat_plugin *plugin, enum leat_role role, void *self);

#endif
