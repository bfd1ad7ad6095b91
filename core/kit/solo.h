/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_KIT_SOLO_H
#define LEAT_KIT_SOLO_H

#include "kit/kept.h"

/*
 * One instance of an operator by itself, in the caller's thread and with the caller's clock. It is the runtime's own
 * instance, so that ports, state and rejections are the real ones. Between two calls it can be checkpointed, ended as by a
 * crash, and begun again with what was kept.
 *
 * What a call emits is handed to `emitted` before it returns; the records are gone then.
 */

struct leat_solo {
	const struct leat_description *d;
	const struct leat_node *node;
	struct leat_instance *instance; /* NULL: it has been dropped */
	uint32_t shard;
	bool is_volatile;      /* its changes are not noted: it has no checkpoints */
	struct leat_kept kept; /* as of the last checkpoint, as the next one */
	int64_t watermark_us;
	int64_t now_us;
	void (*emitted)(void *opaque, const struct leat_solo *solo, uint32_t port, const struct leat_record *record);
	void *opaque;
};

/* LEAT_FATAL: its create() refused. `solo` is zeroed but for what the caller has set of `emitted`, `opaque`, `now_us`,
 * `is_volatile` and `kept.memory`. */
enum leat_status leat_solo_init(struct leat_solo *solo, const struct leat_description *d, const struct leat_node *node, uint32_t shard,
                                struct leat_error *err);
void leat_solo_finish(struct leat_solo *solo); /* accepts a zeroed one */

/* One batch, by one of the node's named inputs (0 where they have no names). Its records are in `arena`; keys are set here, as an
 * exchange does. LEAT_OK, also where records were rejected. */
enum leat_status leat_solo_push(struct leat_solo *solo, uint32_t input, struct leat_arena *arena, struct leat_record *record, size_t n,
                                struct leat_error *err);
/* Each record is processed, taken back as if it had been rejected, and processed again. */
enum leat_status leat_solo_push_twice(struct leat_solo *solo, uint32_t input, struct leat_arena *arena, struct leat_record *record,
                                      size_t n, struct leat_error *err);
/* Moves the clock; due timers fire. */
enum leat_status leat_solo_set_time(struct leat_solo *solo, int64_t now_us, struct leat_error *err);
/* Moves event time, unless it would go back; due timers fire. */
enum leat_status leat_solo_set_watermark(struct leat_solo *solo, int64_t watermark_us, struct leat_error *err);
/* All input has ended: the watermark becomes INT64_MAX, then end(). */
enum leat_status leat_solo_end(struct leat_solo *solo, struct leat_error *err);

void leat_solo_checkpoint(struct leat_solo *solo);
/* What has changed since the checkpoint is lost. */
void leat_solo_drop(struct leat_solo *solo);
enum leat_status leat_solo_restart(struct leat_solo *solo, struct leat_error *err);

/* A whole pipeline around one operator, as settings in `arena`: `options` are the node's, without type and input; NULL: none.
 * Inputs that have names are all of the same source. */
const struct leat_setting *leat_solo_pipeline(struct leat_arena *arena, const struct leat_plugin *plugin, const struct leat_setting *options);
const struct leat_node *leat_solo_node(const struct leat_description *d);
/* The plugin at both ends of that pipeline, for the registry. */
extern const struct leat_plugin leat_nowhere_plugin;

#endif
