/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as lines at the end of a file. A delivery is written as a whole or taken back: when only a part of it went out
 * before an error, the file is cut to what it was, and the host tries again. A delivery is never split between two files.
 *
 * A line that a crash left without its end is closed with a newline and stays: it may just as well be what somebody wrote
 * there by hand. Its event was not acknowledged, so it comes again in full.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"

struct file_sink {
	const char *path;
	int64_t rotate_size, rotate_age, rotate_keep;
	bool sync;

	bool is_open;
	int fd;
	struct stat is;
	int64_t size;
	int64_t began_us; /* for the file's age */
	struct leat_buffer lines;
};

static enum leat_status encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                               struct leat_context *ctx, struct leat_error *err)
{
	size_t start = effect->n;
	enum leat_status status = leat_encode(ctx, &record->value, effect, err);

	(void)self;
	if (status != LEAT_OK) {
		effect->n = start;
		return status;
	}
	/* JSON that came in over several lines goes out as it came: outside its texts, where a line break is a blank. */
	for (size_t i = start; i < effect->n; i++)
		if (effect->data[i] == '\n' || effect->data[i] == '\r')
			effect->data[i] = ' ';
	leat_buffer_byte(effect, '\n');
	return LEAT_OK;
}

static enum leat_status claim(void *self, const struct leat_claim *claimed, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	(void)self;
	(void)claimed;
	(void)found;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

/* Somebody has to act before a missing folder or a right is there, but nothing of it needs another pipeline file. */
static enum leat_status refuse(struct leat_error *err, int code, const char *what, const char *path)
{
	return leat_error_set(err, code == EISDIR ? LEAT_FATAL : LEAT_RETRY, code, "%s \"%s\": %s", what, path, strerror(code));
}

static void close_file(struct file_sink *self)
{
	if (self->is_open)
		close(self->fd);
	self->is_open = false;
}

static enum leat_status write_all(int fd, const char *bytes, size_t n)
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

static enum leat_status close_last_line(struct file_sink *self, struct leat_context *ctx, struct leat_error *err)
{
	char last = '\n';

	if (self->size > 0 && pread(self->fd, &last, 1, self->size - 1) != 1)
		return refuse(err, errno, "could not read file", self->path);
	if (last == '\n')
		return LEAT_OK;
	leat_log(ctx, LEAT_WARNING, "the last line of file \"%s\" has no end, closed it with a newline", self->path);
	if (write_all(self->fd, "\n", 1) != LEAT_OK)
		return refuse(err, errno, "could not write to file", self->path);
	self->size++;
	return LEAT_OK;
}

static enum leat_status open_file(struct file_sink *self, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	self->fd = open(self->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);
	if (self->fd < 0)
		return refuse(err, errno, "could not open file", self->path);
	self->is_open = true;
	if (fstat(self->fd, &self->is) != 0) {
		status = refuse(err, errno, "could not look at file", self->path);
	} else if (!S_ISREG(self->is.st_mode)) {
		status = leat_error_set(err, LEAT_FATAL, 0, "cannot write to \"%s\", it is no regular file", self->path);
	} else {
		self->size = self->is.st_size;
		self->began_us = self->size > 0 ? (int64_t)self->is.st_mtim.tv_sec * 1000000 : leat_now(ctx);
		status = close_last_line(self, ctx, err);
	}
	if (status != LEAT_OK)
		close_file(self);
	return status;
}

/* path.1 becomes path.2 and so on, path becomes path.1; what would be more than `rotate_keep` is overwritten. */
static enum leat_status rotate(struct file_sink *self, struct leat_error *err)
{
	size_t n = strlen(self->path) + 24;
	char *from = malloc(n), *to = malloc(n);
	enum leat_status status = LEAT_OK;

	if (from == NULL || to == NULL)
		abort();
	close_file(self);
	for (int64_t i = self->rotate_keep; i > 0 && status == LEAT_OK; i--) {
		(void)snprintf(to, n, "%s.%lld", self->path, (long long)i);
		if (i > 1)
			(void)snprintf(from, n, "%s.%lld", self->path, (long long)i - 1);
		else
			(void)snprintf(from, n, "%s", self->path);
		if (rename(from, to) != 0 && errno != ENOENT)
			status = refuse(err, errno, "could not rename file", from);
	}
	if (self->rotate_keep == 0 && unlink(self->path) != 0 && errno != ENOENT)
		status = refuse(err, errno, "could not remove file", self->path);
	free(from);
	free(to);
	return status;
}

static bool is_due(const struct file_sink *self, size_t n, int64_t now_us)
{
	if (self->size == 0)
		return false;
	return (self->rotate_size > 0 && self->size + (int64_t)n > self->rotate_size) ||
	       (self->rotate_age > 0 && now_us - self->began_us >= self->rotate_age);
}

/* Makes sure of an open file that has the name still: logrotate and people move files away. */
static enum leat_status prepare_file(struct file_sink *self, size_t n, struct leat_context *ctx, struct leat_error *err)
{
	struct stat name;
	enum leat_status status;

	if (self->is_open && (stat(self->path, &name) != 0 || name.st_ino != self->is.st_ino || name.st_dev != self->is.st_dev))
		close_file(self);
	if (!self->is_open && (status = open_file(self, ctx, err)) != LEAT_OK)
		return status;
	if (!is_due(self, n, leat_now(ctx)))
		return LEAT_OK;
	status = rotate(self, err);
	return status != LEAT_OK ? status : open_file(self, ctx, err);
}

static enum leat_status deliver(void *self_, const struct leat_delivery *delivery, struct leat_context *ctx,
                                struct leat_error *err)
{
	struct file_sink *self = self_;
	enum leat_status status;
	int code;

	self->lines.n = 0;
	for (size_t i = 0; i < delivery->n; i++)
		leat_buffer_append(&self->lines, delivery->effect[i].bytes, delivery->effect[i].n);
	status = prepare_file(self, self->lines.n, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (write_all(self->fd, self->lines.data, self->lines.n) == LEAT_OK && (!self->sync || fdatasync(self->fd) == 0)) {
		self->size += (int64_t)self->lines.n;
		return LEAT_OK;
	}
	code = errno;
	if (ftruncate(self->fd, self->size) != 0)
		leat_log(ctx, LEAT_WARNING, "could not take back a part of a delivery to file \"%s\"", self->path);
	close_file(self);
	return refuse(err, code, "could not write to file", self->path);
}

static void destroy(void *self_)
{
	struct file_sink *self = self_;

	close_file(self);
	leat_buffer_finish(&self->lines);
}

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct file_sink, path, "path", "File to append to; made when it is not there.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(SIZE, struct file_sink, rotate_size, "rotate_size", "Begins another file before one grows over this; 0: never.",
	            .preset = "0", .minimum = 0, .maximum = 1e15),
	LEAT_OPTION(DURATION, struct file_sink, rotate_age, "rotate_age", "Begins another file when one is this old; 0s: never.",
	            .preset = "0s", .minimum = 0, .maximum = 31536e10),
	LEAT_OPTION(INTEGER, struct file_sink, rotate_keep, "rotate_keep",
	            "Old files to keep, as path.1 (the newest), path.2 and so on.", .preset = "5", .minimum = 0, .maximum = 1000),
	LEAT_OPTION(BOOL, struct file_sink, sync, "sync", "Waits until the disk has every delivery.", .preset = "false"),
	{ 0 },
};

const struct leat_sink_ops file_sink_ops = {
	.size = sizeof file_sink_ops,
	.instance_size = sizeof(struct file_sink),
	.options = options,
	.is_encoded = true,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
	.destroy = destroy,
};
