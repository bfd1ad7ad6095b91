/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events as lines at the end of a file. A delivery is written as a whole or taken back: when only a part of it went out
 * before an error, the file is cut to what it was, and the host tries again. A delivery is never split between two files.
 *
 * A line that a crash left without its end is closed with a newline and stays: it may just as well be what somebody wrote
 * there by hand. Its event was not acknowledged, so it comes again in full.
 *
 * All this is at least once. Exactly once is in fenced.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "../shared/line.h"
#include "sink.h"

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
	line_end(effect, start);
	return LEAT_OK;
}

static enum leat_guarantee guarantee(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

/* Lines that are written past a fence look like those of a crash: the next one who claims the file would cut them off. */
static enum leat_status claim(void *self_, const struct leat_claim *claimed, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	struct file_sink *self = self_;

	if (claimed->is_fenced)
		return file_fenced_claim(self, claimed, found, ctx, err);
	if (file_fence_exists(self->path))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "cannot write to file \"%s\" at least once, it is written exactly once; remove \"%s.fence\" to change that",
		                      self->path, self->path);
	return LEAT_OK;
}

static enum leat_status open_file(struct file_sink *self, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = file_output_open(self, O_CREAT, ctx, err);

	if (status == LEAT_OK && (status = file_output_end_line(self, ctx, err)) != LEAT_OK)
		file_output_close(self);
	return status;
}

/* Makes sure of an open file that has the name still: logrotate and people move files away. */
static enum leat_status prepare_file(struct file_sink *self, size_t n, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	if (self->is_open && !file_output_is_current(self))
		file_output_close(self);
	if (!self->is_open && (status = open_file(self, ctx, err)) != LEAT_OK)
		return status;
	if (!file_output_is_due(self, n, leat_now(ctx)))
		return LEAT_OK;
	file_output_close(self);
	status = file_output_rotate(self, self->rotate_keep, err);
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
	if (delivery->is_fenced)
		return file_fenced_deliver(self, delivery, ctx, err);
	status = prepare_file(self, self->lines.n, ctx, err);
	if (status != LEAT_OK)
		return status;
	if (file_write_all(self->fd, self->lines.data, self->lines.n) == LEAT_OK && (!self->sync || fdatasync(self->fd) == 0)) {
		self->size += (int64_t)self->lines.n;
		return LEAT_OK;
	}
	code = errno;
	if (ftruncate(self->fd, self->size) != 0)
		leat_log(ctx, LEAT_WARNING, "could not take back a part of a delivery to file \"%s\"", self->path);
	file_output_close(self);
	return file_refuse(err, code, "could not write to file", self->path);
}

static void identity(const void *self, struct leat_buffer *text)
{
	const char *path = ((const struct file_sink *)self)->path, *slash = strrchr(path, '/');

	file_put_path(text, path, slash == NULL ? 0 : (size_t)(slash - path) + 1);
}

static void destroy(void *self_)
{
	struct file_sink *self = self_;

	file_output_close(self);
	file_fence_close(&self->fence);
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
	.guarantee = guarantee,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
	.destroy = destroy,
	.identity = identity,
};
