/* SPDX-License-Identifier: Apache-2.0 */
/* The file that a sink writes, and the older ones beside it: opening, the end of the last line, rotation. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sink.h"

enum leat_status file_refuse(struct leat_error *err, int code, const char *what, const char *path)
{
	return leat_error_set(err, code == EISDIR ? LEAT_FATAL : LEAT_RETRY, code, "%s \"%s\": %s", what, path, strerror(code));
}

void file_output_close(struct file_sink *self)
{
	if (self->is_open)
		close(self->fd);
	self->is_open = false;
}

enum leat_status file_output_end_line(struct file_sink *self, struct leat_context *ctx, struct leat_error *err)
{
	char last = '\n';

	if (self->size > 0 && pread(self->fd, &last, 1, self->size - 1) != 1)
		return file_refuse(err, errno, "could not read file", self->path);
	if (last == '\n')
		return LEAT_OK;
	leat_log(ctx, LEAT_WARNING, "the last line of file \"%s\" has no end, closed it with a newline", self->path);
	if (file_write_all(self->fd, "\n", 1) != LEAT_OK)
		return file_refuse(err, errno, "could not write to file", self->path);
	self->size++;
	return LEAT_OK;
}

enum leat_status file_output_open(struct file_sink *self, int flags, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	self->fd = open(self->path, O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY | flags, 0640);
	if (self->fd < 0)
		return file_refuse(err, errno, "could not open file", self->path);
	self->is_open = true;
	if (fstat(self->fd, &self->is) != 0)
		status = file_refuse(err, errno, "could not look at file", self->path);
	else if (!S_ISREG(self->is.st_mode))
		status = leat_error_set(err, LEAT_FATAL, 0, "cannot write to \"%s\", it is no regular file", self->path);
	if (status != LEAT_OK) {
		file_output_close(self);
		return status;
	}
	self->size = self->is.st_size;
	self->began_us = self->size > 0 ? (int64_t)self->is.st_mtim.tv_sec * 1000000 : leat_now(ctx);
	return LEAT_OK;
}

bool file_output_is_current(const struct file_sink *self)
{
	struct stat name;

	return stat(self->path, &name) == 0 && name.st_ino == self->is.st_ino && name.st_dev == self->is.st_dev;
}

bool file_output_is_due(const struct file_sink *self, size_t n, int64_t now_us)
{
	if (self->size == 0)
		return false;
	return (self->rotate_size > 0 && self->size + (int64_t)n > self->rotate_size) ||
	       (self->rotate_age > 0 && now_us - self->began_us >= self->rotate_age);
}

static char *name_old(const char *path, int64_t i)
{
	char suffix[24] = "";

	if (i > 0)
		(void)snprintf(suffix, sizeof suffix, ".%lld", (long long)i);
	return file_beside(path, suffix);
}

/* path.`i` (path for 0) becomes the one after it. */
static enum leat_status move_up(const char *path, int64_t i, struct leat_error *err)
{
	char *from = name_old(path, i), *to = name_old(path, i + 1);
	enum leat_status status = LEAT_OK;

	if (rename(from, to) != 0 && errno != ENOENT)
		status = file_refuse(err, errno, "could not rename file", from);
	free(from);
	free(to);
	return status;
}

static bool is_free(const char *path, int64_t i)
{
	char *name = name_old(path, i);
	bool is_there = access(name, F_OK) == 0;

	free(name);
	return !is_there;
}

/* Only up to the first name that is free: after a crash in the middle it goes on where it was, and no file is lost. */
enum leat_status file_output_rotate(const struct file_sink *self, int64_t keep, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	int64_t last = 1;

	if (keep == 0 && unlink(self->path) != 0 && errno != ENOENT)
		return file_refuse(err, errno, "could not remove file", self->path);
	while (last < keep && !is_free(self->path, last))
		last++;
	for (int64_t i = keep == 0 ? 0 : last; i > 0 && status == LEAT_OK; i--)
		status = move_up(self->path, i - 1, err);
	return status;
}
