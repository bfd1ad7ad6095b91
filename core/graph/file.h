/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_GRAPH_FILE_H
#define LEAT_GRAPH_FILE_H

#include "plugin/setting.h"

/*
 * Reads a YAML file into settings (libyaml), with the place of every name and value. `${NAME:default}` is replaced
 * afterwards, in string leaves only, so that a value from the environment can never change the structure; `$${` is a
 * literal `${`. A variable that is unset and has no default is an error at its place, as are anchors to nowhere, a
 * name given twice, several documents and what YAML itself refuses. NULL when there was an error.
 */
const struct leat_setting *leat_file_read(struct leat_arena *arena, const char *path, struct leat_report *report);
/* The same from memory; `name` stands for the path. */
const struct leat_setting *leat_file_parse(struct leat_arena *arena, const char *name, const char *text, size_t n,
                                           struct leat_report *report);

#endif
