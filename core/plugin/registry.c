/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins of this process. A loaded file stays loaded even when it was refused: its constructors have run, and nobody
 * can say what still points into it.
 */
#include "plugin/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "plugin/trust.h"
#include "plugin/validate.h"

struct leat_registry {
	struct leat_loaded *loaded;
	size_t n_loaded;
	size_t loaded_capacity;
	struct leat_refused *refused;
	size_t n_refused;
	size_t refused_capacity;
};

struct leat_registry *leat_registry_create(void)
{
	return leat_allocate_zeroed(1, sizeof(struct leat_registry));
}

void leat_registry_destroy(struct leat_registry *registry)
{
	if (registry == NULL)
		return;
	for (size_t i = 0; i < registry->n_loaded; i++)
		free((void *)(uintptr_t)registry->loaded[i].path);
	for (size_t i = 0; i < registry->n_refused; i++) {
		free((void *)(uintptr_t)registry->refused[i].path);
		free((void *)(uintptr_t)registry->refused[i].reason);
	}
	free(registry->loaded);
	free(registry->refused);
	free(registry);
}

static void add_loaded(struct leat_registry *registry, const char *path, const struct leat_plugin *plugin)
{
	registry->loaded = leat_grow(registry->loaded, registry->n_loaded, &registry->loaded_capacity, sizeof *registry->loaded);
	registry->loaded[registry->n_loaded++] = (struct leat_loaded){ .path = leat_copy_text(path), .plugin = plugin };
}

static void add_refused(struct leat_registry *registry, const char *path, const char *reason)
{
	registry->refused = leat_grow(registry->refused, registry->n_refused, &registry->refused_capacity, sizeof *registry->refused);
	registry->refused[registry->n_refused++] =
		(struct leat_refused){ .path = leat_copy_text(path), .reason = leat_copy_text(reason) };
}

void leat_registry_add(struct leat_registry *registry, const struct leat_plugin *builtin)
{
	struct leat_error err;

	leat_check(leat_plugin_validate(builtin, &err) == LEAT_OK);
	leat_check(leat_registry_find(registry, builtin->name) == NULL);
	add_loaded(registry, NULL, builtin);
}

/* ---- one file ----------------------------------------------------------------------------------------------------- */

static const char *last_words(void)
{
	const char *words = dlerror();

	return words != NULL ? words : "the loader gives no reason";
}

/* The file's plugin, checked but not yet entered; NULL when there is an error. */
static const struct leat_plugin *open_file(const char *path, struct leat_error *err)
{
	const struct leat_plugin *plugin;
	void *file;

	if (leat_trust_check(path, err) != LEAT_OK)
		return NULL;
	file = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (file == NULL) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "%s", last_words());
		return NULL;
	}
	plugin = dlsym(file, "leat_plugin");
	if (plugin == NULL) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "it exports no symbol \"leat_plugin\" (%s)", last_words());
		return NULL;
	}
	return leat_plugin_validate(plugin, err) == LEAT_OK ? plugin : NULL;
}

static enum leat_status enter_file(struct leat_registry *registry, const char *path, struct leat_error *err)
{
	const struct leat_plugin *plugin;
	const struct leat_loaded *other;
	char real[PATH_MAX];

	/* What is checked has to be what is loaded, so links are followed first. */
	if (realpath(path, real) == NULL)
		return leat_error_set(err, LEAT_FATAL, errno, "could not find it: %s", strerror(errno));
	plugin = open_file(real, err);
	if (plugin == NULL)
		return err->status;
	other = leat_registry_find(registry, plugin->name);
	if (other != NULL)
		return leat_error_set(err, LEAT_FATAL, EEXIST, "there is a plugin \"%s\" already, from %s%s%s", plugin->name,
		                      other->path ? "\"" : "", other->path ? other->path : "the host itself", other->path ? "\"" : "");
	add_loaded(registry, path, plugin);
	return LEAT_OK;
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

enum leat_status leat_registry_load(struct leat_registry *registry, const char *path, struct leat_error *err)
{
	struct leat_error reason;

	if (enter_file(registry, path, &reason) == LEAT_OK)
		return LEAT_OK;
	add_refused(registry, path, reason.text);
	/* The reason and the name may be longer together than an error is: the end is cut off. */
	return leat_error_set(err, reason.status, reason.code, "could not load plugin \"%.100s\": %s", name_of(path), reason.text);
}

/* ---- folders ------------------------------------------------------------------------------------------------------ */

static bool is_module(const char *name)
{
	size_t n = strlen(name);

	return n > 3 && name[0] != '.' && strcmp(name + n - 3, ".so") == 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void load_folder(struct leat_registry *registry, const char *folder)
{
	char **names = NULL;
	size_t capacity = 0;
	size_t n = 0;
	struct dirent *entry;
	DIR *dir = opendir(folder);

	if (dir == NULL) {
		if (errno != ENOENT)
			add_refused(registry, folder, strerror(errno));
		return;
	}
	while ((entry = readdir(dir)) != NULL) {
		if (is_module(entry->d_name)) {
			names = leat_grow(names, n, &capacity, sizeof *names);
			names[n++] = leat_copy_text(entry->d_name);
		}
	}
	(void)closedir(dir);
	/* The same plugins in the same order on every machine, whatever the file system says. */
	if (n > 0)
		qsort(names, n, sizeof *names, by_name);
	for (size_t i = 0; i < n; i++) {
		char *path = leat_format_text("%s/%s", folder, names[i]);

		(void)leat_registry_load(registry, path, NULL);
		free(path);
		free(names[i]);
	}
	free(names);
}

void leat_registry_load_folders(struct leat_registry *registry, const char *path)
{
	while (path != NULL && *path != '\0') {
		size_t n = strcspn(path, ":");

		/* An empty one would mean the working directory, which is nobody's choice. */
		if (n > 0) {
			char *folder = leat_copy_bytes_as_text(path, n);

			load_folder(registry, folder);
			free(folder);
		}
		path += n + (path[n] == ':');
	}
}

/* ---- what is there ------------------------------------------------------------------------------------------------ */

const struct leat_loaded *leat_registry_find(const struct leat_registry *registry, const char *name)
{
	for (size_t i = 0; i < registry->n_loaded; i++)
		if (strcmp(registry->loaded[i].plugin->name, name) == 0)
			return &registry->loaded[i];
	return NULL;
}

const struct leat_refused *leat_registry_find_refused(const struct leat_registry *registry, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < registry->n_refused; i++) {
		const char *file = name_of(registry->refused[i].path);

		if (strncmp(file, name, n) == 0 && strcmp(file + n, ".so") == 0)
			return &registry->refused[i];
	}
	return NULL;
}

size_t leat_registry_loaded(const struct leat_registry *registry, const struct leat_loaded **items)
{
	*items = registry->loaded;
	return registry->n_loaded;
}

size_t leat_registry_refused(const struct leat_registry *registry, const struct leat_refused **items)
{
	*items = registry->refused;
	return registry->n_refused;
}
