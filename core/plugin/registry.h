/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_REGISTRY_H
#define LEAT_PLUGIN_REGISTRY_H

#include <leat/plugin.h>

/*
 * The plugins of this process. Files are loaded with RTLD_NOW | RTLD_LOCAL and never unloaded. A file is refused, and the
 * reason kept, when it or a folder above it may be written by others than root and ourselves, when it does not load
 * (dlerror's words), has no `leat_plugin`, speaks another interface (`its interface is version 99, this host speaks 1`) or
 * was compiled with other sizes (which one, both numbers), or when its tables are faulty.
 */

struct leat_registry;

struct leat_loaded {
	const char *path; /* NULL for one built into the host */
	const struct leat_plugin *plugin;
};

struct leat_refused {
	const char *path;
	const char *reason;
};

struct leat_registry *leat_registry_create(void);
void leat_registry_destroy(struct leat_registry *registry); /* the files stay loaded */
void leat_registry_add(struct leat_registry *registry, const struct leat_plugin *builtin);
/* Every *.so in the folders of `path` (separated by colons); of two plugins with a name the first one found is taken, the
 * other refused. A folder that is not there is skipped. */
void leat_registry_load_folders(struct leat_registry *registry, const char *path);
/* One file. */
enum leat_status leat_registry_load(struct leat_registry *registry, const char *path, struct leat_error *err);

const struct leat_loaded *leat_registry_find(const struct leat_registry *registry, const char *name);
const struct leat_refused *leat_registry_find_refused(const struct leat_registry *registry, const char *name); /* by file name */
size_t leat_registry_loaded(const struct leat_registry *registry, const struct leat_loaded **items);
size_t leat_registry_refused(const struct leat_registry *registry, const struct leat_refused **items);

#endif
