/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CLI_FILES_H
#define LEAT_CLI_FILES_H

#include <leat/error.h>
#include <stdbool.h>

struct leat_files {
	size_t n, capacity;
	char **path;
};

/* Adds `path`, or when it is a folder its *.yaml files, sorted by name, without hidden ones and *.test.yaml. */
enum leat_status leat_files_add(struct leat_files *files, const char *path, struct leat_error *err);
void leat_files_finish(struct leat_files *files);

#endif
