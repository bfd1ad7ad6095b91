/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded in front of the C library (LD_PRELOAD), this stands between a process and what it syncs below one folder, for
 * disk.py. It notes what has become durable, so that a test can set the folder back to that, and lets syncs fail:
 *
 *   LEAT_SYNCS_FOLDER   the folder, an absolute path without symbolic links; without it nothing is done
 *   LEAT_SYNCS_JOURNAL  another folder on the same file system, with a file `journal` and a folder `links` in it
 *   LEAT_SYNCS_TROUBLE  a file; while there is "fail ENDING BYTES" in it, syncs of files whose path ends so fail with EIO; with
 *                       "kill ENDING BYTES" the process dies (SIGKILL) at the first of them, which does not take place. Spared
 *                       are syncs of fewer bytes than that, as far as they are known: since the last sync, if it was of this file
 *
 * The journal has a line for each sync that has succeeded: "file INODE SIZE", or "folder PATH", behind that "entry INODE NAME"
 * for each file in it, "inner NAME" for each folder, and "end". What is durable of a file is as many bytes as it had when its sync began: the
 * files that are watched only ever grow at their end. A hard link in `links` keeps each file that is named in the journal, because
 * a number of an inode that is gone would come again for another file, and a removal that is not durable has to be undone.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef int sync_function(int fd);

struct text {
	char *data;
	size_t n, size;
};

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* The last file that was synced, under the lock. */
static struct {
	ino_t inode;
	off_t size;
} last;

/* A shim that goes on without having noted something would have a test find a loss that is none. */
static _Noreturn void give_up(const char *what, const char *path)
{
	fprintf(stderr, "syncs.c: could not %s \"%s\": %s\n", what, path, strerror(errno));
	abort();
}

static void add(struct text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *to, const char *format, ...)
{
	char line[PATH_MAX + 64];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof line)
		give_up("note", line);
	if (to->n + (size_t)n > to->size) {
		to->size = 2 * (to->n + (size_t)n);
		to->data = realloc(to->data, to->size);
		if (to->data == NULL)
			give_up("note", line);
	}
	memcpy(to->data + to->n, line, (size_t)n);
	to->n += (size_t)n;
}

/* One write, which a kill -9 does not cut in two. */
static void append_to_journal(const struct text *text)
{
	char path[PATH_MAX];
	int fd;

	(void)snprintf(path, sizeof path, "%s/journal", getenv("LEAT_SYNCS_JOURNAL"));
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, text->data, text->n) != (ssize_t)text->n)
		give_up("write", path);
	(void)close(fd);
}

static void keep_link(int folder, const char *name, int flags, ino_t inode)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof path, "%s/links/%ju", getenv("LEAT_SYNCS_JOURNAL"), (uintmax_t)inode);
	if (linkat(folder, name, AT_FDCWD, path, flags) != 0 && errno != EEXIST && errno != ENOENT)
		give_up("link", path);
}

static void note_file(int fd, const struct stat *file, struct text *text)
{
	char path[32];

	(void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	keep_link(AT_FDCWD, path, AT_SYMLINK_FOLLOW, file->st_ino);
	add(text, "file %ju %jd\n", (uintmax_t)file->st_ino, (intmax_t)file->st_size);
}

static void note_folder(const char *path, const char *inside, struct text *text)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	struct stat file;

	if (folder == NULL)
		give_up("read", path);
	add(text, "folder %s\n", inside);
	while ((entry = readdir(folder)) != NULL) {
		if (fstatat(dirfd(folder), entry->d_name, &file, AT_SYMLINK_NOFOLLOW) != 0 || entry->d_name[0] == '.')
			continue;
		if (S_ISDIR(file.st_mode))
			add(text, "inner %s\n", entry->d_name);
		if (!S_ISREG(file.st_mode))
			continue;
		keep_link(dirfd(folder), entry->d_name, 0, file.st_ino);
		add(text, "entry %ju %s\n", (uintmax_t)file.st_ino, entry->d_name);
	}
	add(text, "end\n");
	(void)closedir(folder);
}

/* The part of the path behind the watched folder; NULL when the descriptor is of something else. */
static const char *path_inside(int fd, char path[PATH_MAX])
{
	const char *watched = getenv("LEAT_SYNCS_FOLDER");
	size_t n = watched == NULL ? 0 : strlen(watched);
	char link[32];
	ssize_t length;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (n == 0 || (length = readlink(link, path, PATH_MAX - 1)) < 0)
		return NULL;
	path[length] = '\0';
	return strncmp(path, watched, n) == 0 && (path[n] == '/' || path[n] == '\0') ? path + n : NULL;
}

/* Whether the sync has to fail. */
static bool meet_trouble(const char *path, const struct stat *status)
{
	const char *file = getenv("LEAT_SYNCS_TROUBLE");
	int fd = file == NULL ? -1 : open(file, O_RDONLY | O_CLOEXEC);
	char what[5] = "", said[64] = "", end[64] = "";
	long long least = 0;
	size_t n = strlen(path);

	if (fd < 0)
		return false;
	if (read(fd, said, sizeof said - 1) < 0 || sscanf(said, "%4s %63s %lld", what, end, &least) != 3)
		what[0] = '\0'; /* it is being written */
	(void)close(fd);
	if (what[0] == '\0' || strlen(end) > n || strcmp(path + n - strlen(end), end) != 0)
		return false;
	if (least > 0 && (status->st_ino != last.inode || status->st_size - last.size < least))
		return false;
	if (strcmp(what, "kill") == 0)
		(void)raise(SIGKILL);
	return true;
}

/* What the sync is about to make durable is looked at before, what is written meanwhile may be so or not. */
static int note_sync(int fd, const struct stat *status, const char *path, const char *inside, sync_function *sync)
{
	struct text text = { 0 };
	int result;

	if (S_ISDIR(status->st_mode))
		note_folder(path, inside, &text);
	else
		note_file(fd, status, &text);
	result = sync(fd);
	if (result == 0)
		append_to_journal(&text);
	free(text.data);
	last.inode = status->st_ino;
	last.size = status->st_size;
	return result;
}

static int watch(int fd, const char *name)
{
	sync_function *sync;
	char path[PATH_MAX];
	const char *inside = path_inside(fd, path);
	struct stat status;
	int result = -1;

	*(void **)&sync = dlsym(RTLD_NEXT, name);
	if (inside == NULL || getenv("LEAT_SYNCS_JOURNAL") == NULL)
		return sync(fd);
	pthread_mutex_lock(&one_at_a_time);
	if (fstat(fd, &status) != 0)
		give_up("look at", path);
	if (meet_trouble(path, &status))
		errno = EIO;
	else
		result = note_sync(fd, &status, path, inside, sync);
	pthread_mutex_unlock(&one_at_a_time);
	return result;
}

int fsync(int fd)
{
	return watch(fd, "fsync");
}

int fdatasync(int fd)
{
	return watch(fd, "fdatasync");
}
