/* SPDX-License-Identifier: Apache-2.0 */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

enum leat_status leat_folder_sync_name(const char *path, struct leat_error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash == NULL ? leat_copy_text(".") : leat_copy_bytes_as_text(path, (size_t)(slash - path) + 1);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	enum leat_status status = LEAT_OK;

	if (fd < 0 || fsync(fd) != 0)
		status = leat_error_set(err, LEAT_FATAL, errno, "could not sync folder \"%s\": %s", folder, strerror(errno));
	if (fd >= 0)
		(void)close(fd);
	free(folder);
	return status;
}

/* What cannot be made shows with the last one. */
static void make_those_above(const char *path)
{
	char *copy = leat_copy_text(path);
	struct leat_error err;

	for (char *p = copy + 1; *copy != '\0' && *p != '\0'; p++)
		if (*p == '/') {
			*p = '\0';
			if (mkdir(copy, 0755) == 0)
				(void)leat_folder_sync_name(copy, &err);
			*p = '/';
		}
	free(copy);
}

enum leat_status leat_folder_make(const char *path, struct leat_error *err)
{
	struct stat s;

	make_those_above(path);
	if (mkdir(path, 0750) == 0)
		return leat_folder_sync_name(path, err);
	if (errno != EEXIST)
		return leat_error_set(err, LEAT_RETRY, errno, "could not make folder \"%s\": %s", path, strerror(errno));
	if (stat(path, &s) != 0 || !S_ISDIR(s.st_mode))
		return leat_error_set(err, LEAT_FATAL, ENOTDIR, "cannot use \"%s\" as a folder: it is a file", path);
	return LEAT_OK;
}
