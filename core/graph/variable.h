/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_GRAPH_VARIABLE_H
#define LEAT_GRAPH_VARIABLE_H

#include "base/arena.h"
#include "base/report.h"

/*
 * Replaces `${NAME}` and `${NAME:default}` by what the environment holds; `$${` becomes `${`. A variable that is set to
 * nothing is set. What comes in is not looked at again. False, with every fault reported, when a variable is unset and has
 * no default, or is not written like that.
 */
bool leat_variable_replace(struct leat_arena *arena, const char *text, struct leat_place place, struct leat_report *report,
                           const char **out);

#endif
