/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_SUPERVISOR_H
#define LEAT_RUN_SUPERVISOR_H

#include "run/internal.h"

struct leat_reader_state;

/* The supervisor's thread; the argument is the pipeline. */
void *leat_supervise(void *pipeline);

/* pipeline.c: makes a shard, connects it and gives it to its worker; takes the reader over. */
enum leat_status leat_pipeline_add_shard(struct leat_pipeline *p, uint32_t stage, uint32_t index, struct leat_reader_state *reader,
                                         struct leat_error *err);
/* pipeline.c: ends all workers and delivery threads; is_stopping is set. */
void leat_pipeline_take_down(struct leat_pipeline *p);

#endif
