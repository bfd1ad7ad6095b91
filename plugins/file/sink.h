/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FILE_SINK_H
#define FILE_SINK_H

#include <sys/stat.h>

#include "fence.h"

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
	struct file_fence fence; /* when fenced */
};

/* ---- output.c: the file that is written, fenced or not ----------------------------------------------------------- */

/* Somebody has to act before a missing folder or a right is there, but nothing of it needs another pipeline file. */
enum leat_status file_refuse(struct leat_error *err, int code, const char *what, const char *path);
/* Sets fd, is, size and began_us. `flags` such as O_CREAT. */
enum leat_status file_output_open(struct file_sink *self, int flags, struct leat_context *ctx, struct leat_error *err);
void file_output_close(struct file_sink *self);
/* Closes a last line that has no end with a newline. */
enum leat_status file_output_end_line(struct file_sink *self, struct leat_context *ctx, struct leat_error *err);
bool file_output_is_due(const struct file_sink *self, size_t n, int64_t now_us); /* for rotation */
/* Still the file that has the name? */
bool file_output_is_current(const struct file_sink *self);
/* Moves the file and the older ones up by one name; with `keep` 0 it is removed. */
enum leat_status file_output_rotate(const struct file_sink *self, int64_t keep, struct leat_error *err);

/* ---- fenced.c ---------------------------------------------------------------------------------------------------- */

enum leat_status file_fenced_claim(struct file_sink *self, const struct leat_claim *claim, struct leat_fence *found,
                                   struct leat_context *ctx, struct leat_error *err);
/* Delivers self->lines. */
enum leat_status file_fenced_deliver(struct file_sink *self, const struct leat_delivery *delivery, struct leat_context *ctx,
                                     struct leat_error *err);

#endif
