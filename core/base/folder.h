/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_FOLDER_H
#define LEAT_BASE_FOLDER_H

#include <leat/error.h>

/* With those above it, their names synced. LEAT_RETRY: not now; LEAT_FATAL: it is a file. */
enum leat_status leat_folder_make(const char *path, struct leat_error *err);
/* Syncs the folder that `path` lies in, so that what was made or renamed there outlives a power cut. LEAT_FATAL: it cannot be. */
enum leat_status leat_folder_sync_name(const char *path, struct leat_error *err);

#endif
