/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exactly once. What is committed of the file stands in its fence; the rename that replaces the fence is the atomic step
 * of E3:
 *
 *   append the lines, sync the file, replace the fence {next, new length}
 *
 * A crash before the rename leaves lines beyond the length, which the next claim cuts off; after it, everything is there.
 * So nothing but the fence says what was delivered, and it is read again before every delivery: another owner (on a copy of
 * the state folder, say) may have been here while nobody held the lock.
 *
 * Rotation takes several renames, and a crash in between must not make another file pass for the one that the fence is
 * about. It happens at the start of a delivery, when all of the file is committed, in steps:
 *
 *   1. replace the fence by one that says "rotating" and is otherwise the same
 *   2. move the older files up, then the file to path.1; sync the folder
 *   3. make an empty file; sync the folder
 *   4. replace the fence by one that says "steady" and length 0, with the same epoch and digest
 *
 * and only then the delivery begins. While the fence says "rotating" nothing is written to any file, and the file was not
 * empty before. So after a crash, if there is a file with something in it, it is the old one, and it goes on with step 2
 * (which itself goes on where it was, see file_output_rotate()); if there is none or an empty one, the old one is path.1
 * by now, of just that length, and it goes on with step 3. After step 4, or before step 1, there is nothing to repair. Where no
 * old file is kept the fence says "removing", and there is no path.1 to look for.
 *
 * Files are told by length and by a hash of their committed end, not by inode: a folder that was restored from a backup is
 * as good as the one that was lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "../shared/fault.h"
#include "sink.h"

enum { TAIL = 1024 };

static enum leat_status hash_tail(const struct file_sink *self, int64_t length, uint64_t *tail, struct leat_error *err)
{
	char bytes[TAIL];
	size_t n = length < TAIL ? (size_t)length : TAIL;
	ssize_t got = pread(self->fd, bytes, n, (off_t)(length - (int64_t)n));

	if (got < 0)
		return file_fault(err, errno, "could not read file", self->path);
	*tail = file_hash(FILE_HASH_BASIS, bytes, (size_t)got);
	return LEAT_OK;
}

static enum leat_status refuse_length(const char *path, int64_t found, int64_t expected, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "file \"%s\" has %" PRId64 " bytes, expected %" PRId64 ": lines that were delivered are lost, or somebody changed it",
	                      path, found, expected);
}

static enum leat_status sync_data(const struct file_sink *self, struct leat_error *err)
{
	if (!fault_fails("file-sync-before") && fdatasync(self->fd) == 0 && !fault_fails("file-sync-after"))
		return LEAT_OK;
	return leat_error_set(err, LEAT_FATAL, errno, "cannot sync file \"%s\": %s", self->path, strerror(errno)); /* E8 */
}

/* ---- rotation ---------------------------------------------------------------------------------------------------- */

/* -1: there is none. */
static int64_t length_of(const char *path)
{
	struct stat is;

	return stat(path, &is) == 0 ? (int64_t)is.st_size : -1;
}

/* Step 2. */
static enum leat_status move_away(const struct file_sink *self, const struct file_mark *mark, struct leat_error *err)
{
	int64_t length = length_of(self->path), keep = self->rotate_keep > 0 ? self->rotate_keep : 1;
	char *old = file_beside(self->path, ".1");
	enum leat_status status = LEAT_OK;

	if (length > 0 && length != mark->length)
		status = refuse_length(self->path, length, mark->length, err);
	else if (length > 0)
		status = file_output_rotate(self, mark->phase == FILE_REMOVING ? 0 : keep, err);
	else if (mark->phase == FILE_ROTATING && (length = length_of(old)) != mark->length)
		status = refuse_length(old, length < 0 ? 0 : length, mark->length, err);
	free(old);
	return status != LEAT_OK ? status : file_sync_folder(self->path, err);
}

/* Steps 2 to 4, whatever of them was done before. */
static enum leat_status finish_rotation(struct file_sink *self, struct file_mark *mark, struct leat_context *ctx,
                                        struct leat_error *err)
{
	struct file_mark next = { .fence = mark->fence, .tail = FILE_HASH_BASIS, .phase = FILE_STEADY };
	enum leat_status status;

	file_output_close(self);
	status = move_away(self, mark, err);
	if (status == LEAT_OK && fault_fails("file-rotate-moved"))
		status = file_fault(err, ENOSPC, "could not open file", self->path);
	if (status == LEAT_OK)
		status = file_output_open(self, O_CREAT, ctx, err);
	if (status == LEAT_OK)
		status = file_sync_folder(self->path, err);
	if (status == LEAT_OK)
		status = file_fence_write(&self->fence, &next, err);
	if (status == LEAT_OK)
		*mark = next;
	else
		file_output_close(self);
	return status;
}

static enum leat_status rotate(struct file_sink *self, struct file_mark *mark, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	if (fault_fails("file-rotate-before"))
		return file_fault(err, ENOSPC, "could not rotate file", self->path);
	mark->phase = self->rotate_keep == 0 ? FILE_REMOVING : FILE_ROTATING;
	status = LEAT_BUG("file-rotation-not-marked") ? LEAT_OK : file_fence_write(&self->fence, mark, err);
	if (status == LEAT_OK && fault_fails("file-rotate-marked"))
		status = file_fault(err, ENOSPC, "could not rename file", self->path);
	if (status == LEAT_OK)
		status = finish_rotation(self, mark, ctx, err);
	if (status == LEAT_OK && fault_fails("file-rotate-after"))
		status = file_fault(err, ENOSPC, "could not write to file", self->path);
	return status;
}

/* ---- the file as the fence has it -------------------------------------------------------------------------------- */

static enum leat_status cut(struct file_sink *self, const struct file_mark *mark, struct leat_context *ctx, struct leat_error *err)
{
	uint64_t tail;
	enum leat_status status;

	if (self->size < mark->length)
		return refuse_length(self->path, self->size, mark->length, err);
	status = hash_tail(self, mark->length, &tail, err);
	if (status != LEAT_OK)
		return status;
	if (tail != mark->tail)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "file \"%s\" has other lines before byte %" PRId64 " than were delivered: somebody changed or replaced it",
		                      self->path, mark->length);
	if (self->size == mark->length || LEAT_BUG("file-rest-not-cut"))
		return LEAT_OK;
	if (fault_fails("file-cut-before"))
		return file_fault(err, ENOSPC, "could not cut file", self->path);
	if (ftruncate(self->fd, (off_t)mark->length) != 0)
		return file_fault(err, errno, "could not cut file", self->path);
	if (fault_fails("file-cut-after"))
		return file_fault(err, ENOSPC, "could not cut file", self->path);
	leat_log(ctx, LEAT_WARNING, "cut %" PRId64 " bytes off file \"%s\", they were never committed", self->size - mark->length, self->path);
	self->size = mark->length;
	return LEAT_OK;
}

static enum leat_status open_marked(struct file_sink *self, struct file_mark *mark, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	file_output_close(self);
	if (mark->phase != FILE_STEADY)
		return finish_rotation(self, mark, ctx, err);
	if (mark->length > 0 && access(self->path, F_OK) != 0 && errno == ENOENT)
		return refuse_length(self->path, 0, mark->length, err);
	status = file_output_open(self, mark->length == 0 ? O_CREAT : 0, ctx, err);
	if (status != LEAT_OK)
		return status;
	status = cut(self, mark, ctx, err);
	if (status == LEAT_OK && mark->length == 0)
		status = file_sync_folder(self->path, err);
	if (status != LEAT_OK)
		file_output_close(self);
	return status;
}

/* What is in the file before its first fence was there before leat, and stays. */
static enum leat_status open_first(struct file_sink *self, struct file_mark *mark, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	memset(mark, 0, sizeof *mark);
	file_output_close(self);
	status = file_output_open(self, O_CREAT, ctx, err);
	if (status != LEAT_OK)
		return status;
	status = file_output_end_line(self, ctx, err);
	mark->length = self->size;
	if (status == LEAT_OK)
		status = hash_tail(self, mark->length, &mark->tail, err);
	if (status == LEAT_OK)
		status = sync_data(self, err);
	if (status == LEAT_OK)
		status = file_sync_folder(self->path, err);
	if (status != LEAT_OK)
		file_output_close(self);
	return status;
}

enum leat_status file_fenced_claim(struct file_sink *self, const struct leat_claim *claim, struct leat_fence *found,
                                   struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = file_fence_open(&self->fence, self->path, claim, err);
	struct leat_fence before;
	struct file_mark mark;
	bool is_there;

	if (status == LEAT_OK)
		status = file_fence_read(&self->fence, &mark, &is_there, err);
	if (status != LEAT_OK)
		return status;
	if (is_there && mark.fence.incarnation > claim->incarnation) {
		*found = mark.fence;
		file_output_close(self);
		file_fence_close(&self->fence);
		return LEAT_OK;
	}
	status = is_there ? open_marked(self, &mark, ctx, err) : open_first(self, &mark, ctx, err);
	if (status != LEAT_OK)
		return status;
	before = mark.fence;
	mark.fence.incarnation = claim->incarnation;
	status = file_fence_write(&self->fence, &mark, err);
	if (status == LEAT_OK)
		*found = before;
	return status;
}

/* ---- delivering -------------------------------------------------------------------------------------------------- */

static bool is_same(const struct leat_fence *a, const struct leat_fence *b)
{
	return a->incarnation == b->incarnation && a->epoch == b->epoch && a->digest == b->digest;
}

static enum leat_status refuse_fence(const struct file_sink *self, const struct leat_fence *found, const struct leat_fence *expected,
                                     struct leat_error *err)
{
	const char *why = found->incarnation > expected->incarnation ? ": another instance owns it" : "";

	return leat_error_set(err, LEAT_FATAL, 0,
	                      "fence of file \"%s\" is at incarnation %" PRIu64 ", epoch %" PRIu64 ", digest %016" PRIx64
	                      ", expected %" PRIu64 ", %" PRIu64 ", %016" PRIx64 "%s",
	                      self->path, found->incarnation, found->epoch, found->digest, expected->incarnation, expected->epoch,
	                      expected->digest, why);
}

static enum leat_status prepare(struct file_sink *self, struct file_mark *mark, struct leat_context *ctx, struct leat_error *err)
{
	struct stat is;
	enum leat_status status;

	if ((!self->is_open || mark->phase != FILE_STEADY) && (status = open_marked(self, mark, ctx, err)) != LEAT_OK)
		return status;
	if (!file_output_is_current(self))
		return leat_error_set(err, LEAT_FATAL, 0, "file \"%s\" was moved away or replaced, which is not possible exactly once", self->path);
	if (fstat(self->fd, &is) != 0)
		return file_fault(err, errno, "could not look at file", self->path);
	if (is.st_size != mark->length)
		return refuse_length(self->path, (int64_t)is.st_size, mark->length, err);
	if (!file_output_is_due(self, self->lines.n, leat_now(ctx)))
		return LEAT_OK;
	return rotate(self, mark, ctx, err);
}

static enum leat_status append_lines(struct file_sink *self, struct file_mark *mark, struct leat_error *err)
{
	enum leat_status status;

	if (fault_fails("file-effect-before"))
		return file_fault(err, ENOSPC, "could not write to file", self->path);
	if (file_write_all(self->fd, self->lines.data, self->lines.n) != LEAT_OK)
		return file_fault(err, errno, "could not write to file", self->path);
	if (fault_fails("file-effect-after"))
		return file_fault(err, ENOSPC, "could not write to file", self->path);
	status = LEAT_BUG("file-not-synced") ? LEAT_OK : sync_data(self, err);
	mark->length += (int64_t)self->lines.n;
	return status != LEAT_OK ? status : hash_tail(self, mark->length, &mark->tail, err);
}

/* Only while the fence is still the one from before. */
static enum leat_status take_back(struct file_sink *self, enum leat_status status, struct leat_error *err)
{
	if (ftruncate(self->fd, (off_t)self->size) == 0)
		return status;
	return leat_error_set(err, LEAT_FATAL, errno, "cannot take back a part of a delivery to file \"%s\": %s", self->path,
	                      strerror(errno));
}

enum leat_status file_fenced_deliver(struct file_sink *self, const struct leat_delivery *delivery, struct leat_context *ctx,
                                     struct leat_error *err)
{
	struct file_mark mark;
	enum leat_status status;
	bool is_there;

	if (!self->fence.has_lock)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot write to file \"%s\", it is not claimed", self->path);
	status = file_fence_read(&self->fence, &mark, &is_there, err);
	if (status != LEAT_OK)
		return status;
	if (!is_there)
		return leat_error_set(err, LEAT_FATAL, 0, "the fence of file \"%s\" is gone, somebody removed it", self->path);
	if (is_same(&mark.fence, &delivery->next))
		return LEAT_OK;
	if (!is_same(&mark.fence, &delivery->expected) && !LEAT_BUG("file-fence-not-compared"))
		return refuse_fence(self, &mark.fence, &delivery->expected, err);
	status = prepare(self, &mark, ctx, err);
	if (status != LEAT_OK)
		return status;
	mark.fence = delivery->next;
	if (LEAT_BUG("file-fence-before-lines"))
		(void)file_fence_write(&self->fence, &mark, err);
	status = append_lines(self, &mark, err);
	if (status == LEAT_OK)
		status = file_fence_write(&self->fence, &mark, err);
	if (status == LEAT_OK)
		self->size = mark.length;
	return status == LEAT_RETRY ? take_back(self, status, err) : status;
}
