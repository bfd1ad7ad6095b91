/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fence of a file (E3), a line such as
 *
 *   leat-fence 1 7 4711 0c5e99d2a1b34f60 81920 5be0cd19137e2179 steady payments/alerts 1f83d9abfb41bd6b
 *
 * version, incarnation, epoch, digest, length of the file, hash of its end, phase, owner, and the hash of all that.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../shared/fault.h"
#include "fence.h"

enum { LINE = 1024, HASH_N = 17 }; /* a blank and 16 digits */

static const char *const phases[] = { [FILE_STEADY] = "steady", [FILE_ROTATING] = "rotating", [FILE_REMOVING] = "removing" };

char *file_beside(const char *path, const char *suffix)
{
	size_t n = strlen(path) + strlen(suffix) + 1;
	char *name = malloc(n);

	if (name == NULL)
		leat_run_out();
	(void)snprintf(name, n, "%s%s", path, suffix);
	return name;
}

enum leat_status file_write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return LEAT_RETRY;
		bytes += written;
		n -= (size_t)written;
	}
	return LEAT_OK;
}

enum leat_status file_fault(struct leat_error *err, int code, const char *what, const char *path)
{
	return leat_error_set(err, code == EIO || code == EISDIR ? LEAT_FATAL : LEAT_RETRY, code, "%s \"%s\": %s", what, path,
	                      strerror(code));
}

/* E8: what an fsync that failed has thrown away is not written by the next one. */
static enum leat_status sync_failed(struct leat_error *err, const char *path)
{
	return leat_error_set(err, LEAT_FATAL, errno, "cannot sync \"%s\": %s", path, strerror(errno));
}

enum leat_status file_sync_folder(const char *path, struct leat_error *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = file_beside(slash == NULL ? "." : path, "");
	enum leat_status status = LEAT_OK;
	int fd;

	if (slash != NULL)
		folder[slash == path ? 1 : slash - path] = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		status = leat_error_set(err, LEAT_FATAL, errno, "cannot open folder \"%s\": %s", folder, strerror(errno));
	else if (!LEAT_BUG("file-folder-not-synced") && fsync(fd) != 0)
		status = sync_failed(err, folder);
	if (fd >= 0)
		close(fd);
	free(folder);
	return status;
}

/* ---- the lock ---------------------------------------------------------------------------------------------------- */

static enum leat_status lock_file(int fd, const char *path, const char *lock, struct leat_error *err)
{
	struct stat ours, named;

	if (!LEAT_BUG("file-not-locked") && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK)
			return file_fault(err, errno, "could not lock", lock);
		return leat_error_set(err, LEAT_RETRY, errno, "could not lock file \"%s\": another process writes it", path);
	}
	/* Removed between our open() and the lock: somebody else may lock another one of that name. */
	if (fstat(fd, &ours) != 0 || stat(lock, &named) != 0 || ours.st_ino != named.st_ino || ours.st_dev != named.st_dev)
		return leat_error_set(err, LEAT_RETRY, 0, "could not lock \"%s\": somebody removed it", lock);
	return LEAT_OK;
}

enum leat_status file_fence_open(struct file_fence *self, const char *path, const struct leat_claim *claim, struct leat_error *err)
{
	int n = snprintf(self->owner, sizeof self->owner, "%s/%s", claim->pipeline, claim->sink);
	enum leat_status status;
	char *lock;

	if (n < 0 || (size_t)n >= sizeof self->owner)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot fence file \"%s\": the names of pipeline and sink have %d bytes, %zu fit",
		                      path, n, sizeof self->owner - 1);
	self->path = path;
	if (self->has_lock)
		return LEAT_OK;
	lock = file_beside(path, ".lock");
	self->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	status = self->lock < 0 ? file_fault(err, errno, "could not open", lock) : lock_file(self->lock, path, lock, err);
	self->has_lock = status == LEAT_OK;
	if (!self->has_lock && self->lock >= 0)
		close(self->lock);
	free(lock);
	return status;
}

void file_fence_close(struct file_fence *self)
{
	if (self->has_lock)
		close(self->lock);
	self->has_lock = false;
}

/* ---- the fence --------------------------------------------------------------------------------------------------- */

bool file_fence_exists(const char *path)
{
	char *name = file_beside(path, ".fence");
	bool exists = access(name, F_OK) == 0;

	free(name);
	return exists;
}

static size_t print_line(char line[LINE], const struct file_mark *mark, const char *owner)
{
	int n = snprintf(line, LINE, "leat-fence 1 %" PRIu64 " %" PRIu64 " %016" PRIx64 " %" PRId64 " %016" PRIx64 " %s %s",
	                 mark->fence.incarnation, mark->fence.epoch, mark->fence.digest, mark->length, mark->tail, phases[mark->phase],
	                 owner);

	n += snprintf(line + n, LINE - (size_t)n, " %016" PRIx64 "\n", file_hash(FILE_HASH_BASIS, line, (size_t)n));
	return (size_t)n;
}

/* Takes the hash and the newline off. */
static bool check_line(char *line, size_t n)
{
	char expected[HASH_N + 2];

	if (n < HASH_N + 1)
		return false;
	n -= HASH_N + 1;
	(void)snprintf(expected, sizeof expected, " %016" PRIx64 "\n", file_hash(FILE_HASH_BASIS, line, n));
	if (memcmp(line + n, expected, HASH_N + 1) != 0)
		return false;
	line[n] = '\0';
	return true;
}

static bool parse_line(const char *line, struct file_mark *mark, char owner[256])
{
	char phase[16];
	int n = sscanf(line, "leat-fence 1 %" SCNu64 " %" SCNu64 " %" SCNx64 " %" SCNd64 " %" SCNx64 " %15s %255s", &mark->fence.incarnation,
	               &mark->fence.epoch, &mark->fence.digest, &mark->length, &mark->tail, phase, owner);

	if (n != 7 || mark->length < 0)
		return false;
	for (size_t i = 0; i < sizeof phases / sizeof phases[0]; i++)
		if (strcmp(phase, phases[i]) == 0) {
			mark->phase = (enum file_phase)i;
			return true;
		}
	return false;
}

static enum leat_status read_line(const char *name, char line[LINE], size_t *n, bool *is_there, struct leat_error *err)
{
	int fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum leat_status status = LEAT_OK;
	ssize_t got;

	*is_there = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? LEAT_OK : file_fault(err, errno, "could not open", name);
	do
		got = read(fd, line, LINE - 1);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		status = file_fault(err, errno, "could not read", name);
	else
		*n = (size_t)got;
	close(fd);
	return status;
}

enum leat_status file_fence_read(const struct file_fence *self, struct file_mark *mark, bool *is_there, struct leat_error *err)
{
	char *name = file_beside(self->path, ".fence"), line[LINE], owner[256];
	size_t n = 0;
	enum leat_status status = read_line(name, line, &n, is_there, err);

	if (status == LEAT_OK && *is_there) {
		if (!check_line(line, n) || !parse_line(line, mark, owner))
			status = leat_error_set(err, LEAT_FATAL, 0, "cannot read fence \"%s\": it is damaged, or of another version than 1", name);
		else if (strcmp(owner, self->owner) != 0)
			status = leat_error_set(err, LEAT_FATAL, 0, "file \"%s\" belongs to sink \"%s\", expected \"%s\"", self->path, owner,
			                        self->owner);
	}
	free(name);
	return status;
}

static enum leat_status write_new(const char *name, const char *line, size_t n, struct leat_error *err)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0640);
	enum leat_status status = LEAT_OK;

	if (fd < 0)
		return file_fault(err, errno, "could not open", name);
	if (file_write_all(fd, line, n) != LEAT_OK)
		status = file_fault(err, errno, "could not write to", name);
	else if (!LEAT_BUG("file-fence-not-synced") && fsync(fd) != 0)
		status = sync_failed(err, name);
	close(fd);
	return status;
}

enum leat_status file_fence_write(const struct file_fence *self, const struct file_mark *mark, struct leat_error *err)
{
	char *name = file_beside(self->path, ".fence"), *new_name = file_beside(name, ".new"), line[LINE];
	enum leat_status status = LEAT_OK;

	if (fault_fails("file-fence-before"))
		status = file_fault(err, ENOSPC, "could not write to", new_name);
	if (status == LEAT_OK)
		status = write_new(new_name, line, print_line(line, mark, self->owner), err);
	if (status == LEAT_OK && fault_fails("file-rename-before"))
		status = file_fault(err, ENOSPC, "could not rename", new_name);
	if (status == LEAT_OK && rename(new_name, name) != 0)
		status = file_fault(err, errno, "could not rename", new_name);
	else if (status == LEAT_OK && fault_fails("file-rename-after"))
		status = sync_failed(err, self->path);
	else if (status == LEAT_OK)
		status = file_sync_folder(self->path, err);
	if (status == LEAT_OK && fault_fails("file-fence-after"))
		status = sync_failed(err, self->path);
	free(new_name);
	free(name);
	return status;
}
