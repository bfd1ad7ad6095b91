/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "place.h"

enum { HASHED = 256 };

static bool hash_before(int fd, int64_t at, uint32_t *hash)
{
	char bytes[HASHED];
	size_t n = at < HASHED ? (size_t)at : HASHED;
	uint64_t h;

	if (pread(fd, bytes, n, (off_t)(at - (int64_t)n)) != (ssize_t)n)
		return false;
	h = file_hash(FILE_HASH_BASIS, bytes, n);
	*hash = (uint32_t)(h ^ (h >> 32));
	return true;
}

/* "f1" names this form; with files of less than 2^48 bytes in all it fits. */
void file_place_print(int fd, uint64_t inode, int64_t base, int64_t at, char note[56])
{
	char text[56] = "";
	uint32_t hash;
	int n;

	if (!hash_before(fd, at, &hash))
		return;
	n = snprintf(text, sizeof text, "f1 %" PRIx64 " %" PRIx64 " %" PRIx64 " %08" PRIx32, inode, (uint64_t)base, (uint64_t)at, hash);
	if (n > 0 && (size_t)n < sizeof text)
		memcpy(note, text, sizeof text);
}

bool file_place_parse(const char *note, struct file_place *place)
{
	uint64_t base, at;

	if (sscanf(note, "f1 %" SCNx64 " %" SCNx64 " %" SCNx64 " %8" SCNx32, &place->inode, &base, &at, &place->hash) != 4 ||
	    base > INT64_MAX || at > INT64_MAX)
		return false;
	place->base = (int64_t)base;
	place->at = (int64_t)at;
	return true;
}

bool file_place_is_in(const struct file_place *place, int fd, const struct stat *is)
{
	uint32_t hash;

	return (uint64_t)is->st_ino == place->inode && hash_before(fd, place->at, &hash) && hash == place->hash;
}

/* ---- the other files in the folder ------------------------------------------------------------------------------- */

struct neighbours {
	const char *path;
	size_t folder_n; /* of `path`, with the slash */
	DIR *folder;
};

static void open_folder(struct neighbours *all, const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = strdup(slash == NULL ? "./" : path);

	if (folder == NULL)
		leat_run_out();
	all->path = path;
	all->folder_n = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	if (slash != NULL)
		folder[all->folder_n] = '\0';
	all->folder = opendir(folder);
	free(folder);
}

/* The next one's name, freed by the caller. NULL when there are no more. */
static char *next_file(struct neighbours *all, struct stat *is)
{
	const char *base = all->path + all->folder_n;
	struct dirent *entry;

	while (all->folder != NULL && (entry = readdir(all->folder)) != NULL) {
		char *name;

		if (strncmp(entry->d_name, base, strlen(base)) != 0)
			continue;
		name = malloc(all->folder_n + strlen(entry->d_name) + 1);
		if (name == NULL)
			leat_run_out();
		memcpy(name, all->path, all->folder_n);
		memcpy(name + all->folder_n, entry->d_name, strlen(entry->d_name) + 1);
		if (lstat(name, is) == 0 && S_ISREG(is->st_mode))
			return name;
		free(name);
	}
	if (all->folder != NULL)
		closedir(all->folder);
	all->folder = NULL;
	return NULL;
}

char *file_place_find(const char *path, uint64_t inode)
{
	struct neighbours all;
	struct stat is;
	char *name, *found = NULL;

	open_folder(&all, path);
	while ((name = next_file(&all, &is)) != NULL) {
		if (found == NULL && (uint64_t)is.st_ino == inode)
			found = name;
		else
			free(name);
	}
	return found;
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

size_t file_place_count_newer(const char *path, const struct stat *is)
{
	struct neighbours all;
	struct stat other;
	size_t n = 0;
	char *name;

	open_folder(&all, path);
	while ((name = next_file(&all, &other)) != NULL) {
		n += other.st_ino != is->st_ino && !is_older(&other.st_mtim, &is->st_mtim);
		free(name);
	}
	return n;
}
