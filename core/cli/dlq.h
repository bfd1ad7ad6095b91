/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_DLQ_H
#define LEAT_CLI_DLQ_H

#include "cli/state.h"
#include "state/letter.h"

/* What `leat dlq ...` has in common. */

/* A pipeline file, or a state folder where `may_be_folder`; its store is open for reading. Else what is wrong was printed. */
enum leat_exit leat_dlq_open(struct leat_state_use *use, const char *path, bool may_be_folder);
/* True unless the pipeline has no such node and no letter is of it; then that was printed. */
bool leat_dlq_knows(const struct leat_state_use *use, const char *node);
/* "17": *from = *until; "17-230". False: it is neither. */
bool leat_dlq_range(const char *text, uint64_t *from, uint64_t *until);

extern const struct leat_verb leat_verb_dlq_list;
extern const struct leat_verb leat_verb_dlq_show;
extern const struct leat_verb leat_verb_dlq_replay;
extern const struct leat_verb leat_verb_dlq_drop;

#endif
