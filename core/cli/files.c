/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/memory.h"

static void add(struct leat_files *files, char *path)
{
	files->path = leat_grow(files->path, files->n, &files->capacity, sizeof *files->path);
	files->path[files->n++] = path;
}

static bool ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), end_n = strlen(end);

	return n > end_n && strcmp(name + n - end_n, end) == 0;
}

/* Beside a pipeline lie its tests. */
static int is_pipeline_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && ends_with(entry->d_name, ".yaml") && !ends_with(entry->d_name, ".test.yaml");
}

static int compare(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

enum leat_status leat_files_add(struct leat_files *files, const char *path, struct leat_error *err)
{
	struct dirent **entry;
	struct stat s;
	int n;

	if (stat(path, &s) != 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not read \"%s\": %s", path, strerror(errno));
	if (!S_ISDIR(s.st_mode)) {
		add(files, leat_copy_text(path));
		return LEAT_OK;
	}
	n = scandir(path, &entry, is_pipeline_file, compare);
	if (n < 0)
		return leat_error_set(err, LEAT_FATAL, errno, "could not read folder \"%s\": %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		bool has_slash = path[strlen(path) - 1] == '/';

		add(files, leat_format_text("%s%s%s", path, has_slash ? "" : "/", entry[i]->d_name));
		free(entry[i]);
	}
	free(entry);
	if (n == 0)
		return leat_error_set(err, LEAT_FATAL, 0, "folder \"%s\" has no pipeline files (*.yaml)", path);
	return LEAT_OK;
}

void leat_files_finish(struct leat_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->path[i]);
	free(files->path);
	memset(files, 0, sizeof *files);
}
