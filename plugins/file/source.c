/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of files as events. Each file is a partition, a position is the byte at which a line begins, and the note beside it
 * says which file that was (place.h), so that another file of the same name is not read from the middle. Files of a pattern
 * are numbered by their names, not by their order: a new one between others must not get the position of its neighbour.
 *
 * A followed file may be cut short or renamed away. After a rename the old file is read to its end, and the new one goes on
 * counting where it ended, so a position never goes back and says by itself which of the two it is in: the note beside it
 * may be the old file's still, as it is only made with every commit. So after a restart the old file is looked for under its
 * new name, and how long it is says how much of the position lies in the one after it.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "place.h"

#define WILDCARDS "*?["

enum { FOLLOW_WAIT_US = 100000, LEAVE_AFTER_US = 5000000 };

struct file_found;

struct file_source {
	const char *path;
	bool follow;
	int64_t longest;

	bool has_lock;
	pthread_mutex_t lock; /* partitions() comes at the same time as open() */
	struct file_found *found;
	size_t n;
};

struct file_found {
	char *path;
	int32_t partition;
};

struct leat_reader {
	const struct file_source *source;
	char *path;
	int fd;
	struct stat is;          /* the open file */
	struct leat_buffer read; /* from `position` on */
	int64_t base;            /* the position of its first byte: what the files before it had */
	int64_t position;        /* of the first byte that is not dealt with */
	int64_t pushed; /* behind the last line that was handed over */
	int64_t committed;
	char note[56];           /* of the last commit */
	int64_t left_us; /* when the file's end was reached after it had been renamed; 0: not yet */
	bool is_skipping; /* the rest of a line that was too long */
	bool is_at_end;
	int64_t lines, bytes; /* pushed so far, for guessing how many are left */
};

static enum leat_status refuse(struct leat_error *err, enum leat_status status, const char *what, const char *path)
{
	int code = errno;

	return leat_error_set(err, status, code, "%s file \"%s\": %s", what, path, strerror(code));
}

static bool is_pattern(const char *path)
{
	return strpbrk(path, WILDCARDS) != NULL;
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct file_source *self = self_;

	(void)ctx;
	if (pthread_mutex_init(&self->lock, NULL) != 0)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get a lock");
	self->has_lock = true;
	return LEAT_OK;
}

static void destroy(void *self_)
{
	struct file_source *self = self_;

	for (size_t i = 0; i < self->n; i++)
		free(self->found[i].path);
	free(self->found);
	if (self->has_lock)
		pthread_mutex_destroy(&self->lock);
}

/* ---- partitions -------------------------------------------------------------------------------------------------- */

/* Behind the first `n` names of the path; slashes that stand together count as one. */
static const char *skip_names(const char *path, size_t n)
{
	path += strspn(path, "/");
	for (; n > 0; n--) {
		path += strcspn(path, "/");
		path += strspn(path, "/");
	}
	return path;
}

/* Names in front of the one that has the first wildcard. */
static size_t count_fixed_names(const char *pattern)
{
	const char *wildcard = pattern + strcspn(pattern, WILDCARDS);
	const char *name;
	size_t n = 0;

	for (name = skip_names(pattern, 1); name <= wildcard; name = skip_names(name, 1))
		n++;
	return n;
}

/* FNV-1a, folded to what a partition may be. Only what is behind the pattern's own folder counts, so that it does not matter
 * by which path that is named. */
static int32_t number_of(const char *pattern, const char *path)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	if (!is_pattern(pattern))
		return 0;
	for (const char *p = skip_names(path, count_fixed_names(pattern)); *p != '\0'; p++)
		hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
	return (int32_t)((hash ^ hash >> 31) & INT32_MAX);
}

static enum leat_status add_path(struct file_source *self, const char *path, struct leat_error *err)
{
	struct file_found new = { .partition = number_of(self->path, path) };

	for (size_t i = 0; i < self->n; i++) {
		if (strcmp(self->found[i].path, path) == 0)
			return LEAT_OK;
		if (self->found[i].partition == new.partition)
			return leat_error_set(err, LEAT_FATAL, 0,
			                      "files \"%s\" and \"%s\" have the same number %" PRId32 ", which is made from their names; rename one of them",
			                      self->found[i].path, path, new.partition);
	}
	self->found = realloc(self->found, (self->n + 1) * sizeof *self->found);
	new.path = strdup(path);
	if (self->found == NULL || new.path == NULL)
		leat_run_out();
	self->found[self->n++] = new;
	return LEAT_OK;
}

static enum leat_status find_files(struct file_source *self, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	glob_t found;
	int code;

	if (!is_pattern(self->path))
		return add_path(self, self->path, err);
	code = glob(self->path, 0, NULL, &found);
	if (code == GLOB_NOMATCH && !self->follow && self->n == 0)
		return leat_error_set(err, LEAT_FATAL, ENOENT, "there is no file \"%s\"", self->path);
	if (code != 0)
		return code == GLOB_NOMATCH ? LEAT_OK : leat_error_set(err, LEAT_RETRY, 0, "could not look for files \"%s\"", self->path);
	for (size_t i = 0; i < found.gl_pathc && status == LEAT_OK; i++)
		status = add_path(self, found.gl_pathv[i], err);
	globfree(&found);
	return status;
}

static enum leat_status list_partitions(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct file_source *self = self_;
	enum leat_status status = LEAT_OK;

	pthread_mutex_lock(&self->lock);
	if (self->n == 0 || self->follow)
		status = find_files(self, err);
	for (size_t i = 0; status == LEAT_OK && i < self->n; i++)
		leat_partition(ctx, self->found[i].partition);
	pthread_mutex_unlock(&self->lock);
	return status;
}

/* A copy of the path; NULL: there is no such file. */
static char *find_path(struct file_source *self, int32_t partition)
{
	char *path = NULL;

	pthread_mutex_lock(&self->lock);
	for (size_t i = 0; i < self->n && path == NULL; i++)
		if (self->found[i].partition == partition)
			path = strdup(self->found[i].path);
	pthread_mutex_unlock(&self->lock);
	return path;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static enum leat_status open_file(const char *path, bool follow, int *fd, struct stat *is, struct leat_error *err)
{
	bool may_come;

	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (*fd < 0) {
		may_come = (follow && errno == ENOENT) || errno == EMFILE || errno == ENFILE || errno == EINTR;
		return refuse(err, may_come ? LEAT_RETRY : LEAT_FATAL, may_come ? "could not open" : "cannot open", path);
	}
	if (fstat(*fd, is) == 0 && S_ISREG(is->st_mode))
		return LEAT_OK;
	close(*fd);
	*fd = -1;
	return leat_error_set(err, LEAT_FATAL, 0, "cannot read \"%s\", it is no regular file", path);
}

/* Where a position is that came with a note. `is_renamed`: in a file that has another name now. */
static enum leat_status open_noted(struct leat_reader *r, const struct file_place *place, bool *is_renamed, struct leat_error *err)
{
	enum leat_status status = open_file(r->path, r->source->follow, &r->fd, &r->is, err);
	bool is_same = status == LEAT_OK && (uint64_t)r->is.st_ino == place->inode;
	char *name = NULL;

	if (!is_same && r->source->follow)
		name = file_place_find(r->path, place->inode);
	if (name != NULL) {
		if (status == LEAT_OK)
			close(r->fd);
		status = open_file(name, true, &r->fd, &r->is, err);
	}
	*is_renamed = name != NULL;
	free(name);
	if (status != LEAT_OK || file_place_is_in(place, r->fd, &r->is))
		return status;
	close(r->fd);
	if (is_same || *is_renamed)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "file \"%s\" was cut short or written anew: the lines before byte %" PRId64 " are not those that were read",
		                      r->path, place->at);
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "file \"%s\" is not the one of which %" PRId64 " bytes were read before: it was replaced, and that one is gone",
	                      r->path, place->at);
}

/* The file of the note was read to its end and left, so the position is in the one that came after it. */
static enum leat_status open_following(struct leat_reader *r, struct leat_error *err)
{
	struct stat old = r->is;

	close(r->fd);
	if (file_place_count_newer(r->path, &old) > 1)
		return leat_error_set(err, LEAT_FATAL, 0, "file \"%s\" was renamed more than once, cannot tell in which one to go on", r->path);
	r->base += old.st_size;
	return open_file(r->path, true, &r->fd, &r->is, err);
}

static enum leat_status resume(struct leat_reader *r, const struct leat_position *from, struct leat_error *err)
{
	struct file_place place = { .base = 0 };
	enum leat_status status;
	bool is_renamed = false;

	if (from->note[0] != '\0' && !file_place_parse(from->note, &place))
		return leat_error_set(err, LEAT_FATAL, 0, "cannot go on in file \"%s\", its position has a note of another version", r->path);
	if (from->offset < place.base)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot go on in file \"%s\" at position %" PRId64 ", its note begins at %" PRId64,
		                      r->path, from->offset, place.base);
	status = from->note[0] == '\0' ? open_file(r->path, r->source->follow, &r->fd, &r->is, err)
	                               : open_noted(r, &place, &is_renamed, err);
	r->base = place.base;
	r->position = r->pushed = r->committed = from->offset;
	memcpy(r->note, from->note, sizeof r->note);
	if (status == LEAT_OK && is_renamed && r->position - r->base > r->is.st_size)
		status = open_following(r, err);
	if (status != LEAT_OK || r->position - r->base <= r->is.st_size)
		return status;
	close(r->fd);
	return leat_error_set(err, LEAT_FATAL, 0, "file \"%s\" has %jd bytes, expected at least %" PRId64 ": it was cut short or replaced",
	                      r->path, (intmax_t)r->is.st_size, r->position - r->base);
}

/* Inside a line that is dealt with (its beginning was a dead letter, or the end of the file then) its rest is no event. */
static void skip_rest(struct leat_reader *r, struct leat_context *ctx)
{
	int64_t at = r->position - r->base;
	char last = '\n';

	if (at == 0 || pread(r->fd, &last, 1, (off_t)at - 1) != 1 || last == '\n')
		return;
	r->is_skipping = true;
	if (at < r->is.st_size)
		leat_log(ctx, LEAT_WARNING, "byte %" PRId64 " of file \"%s\" is inside a line, its rest is skipped", at, r->path);
}

static enum leat_status open_reader(void *self_, int32_t partition, const struct leat_position *from, struct leat_reader **reader,
                                    struct leat_context *ctx, struct leat_error *err)
{
	struct file_source *self = self_;
	struct leat_reader *r = calloc(1, sizeof *r);
	enum leat_status status;

	if (r == NULL)
		return leat_error_set(err, LEAT_RETRY, 0, "could not get memory for partition %" PRId32, partition);
	r->path = find_path(self, partition);
	r->source = self;
	if (r->path == NULL)
		status = leat_error_set(err, LEAT_FATAL, 0, "there is no partition %" PRId32, partition);
	else
		status = from == NULL ? open_file(r->path, self->follow, &r->fd, &r->is, err) : resume(r, from, err);
	if (status != LEAT_OK) {
		free(r->path);
		free(r);
		return status;
	}
	skip_rest(r, ctx);
	*reader = r;
	return LEAT_OK;
}

static void close_reader(void *self_, struct leat_reader *r)
{
	(void)self_;
	close(r->fd);
	leat_buffer_finish(&r->read);
	free(r->path);
	free(r);
}

static enum leat_status check(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct file_source *self = self_;
	enum leat_status status;
	struct stat is;
	int fd;

	(void)ctx;
	pthread_mutex_lock(&self->lock);
	status = find_files(self, err);
	for (size_t i = 0; status == LEAT_OK && i < self->n; i++) {
		status = open_file(self->found[i].path, self->follow, &fd, &is, err);
		if (status == LEAT_OK)
			close(fd);
	}
	pthread_mutex_unlock(&self->lock);
	return status;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool is_blank(const char *line, size_t n)
{
	size_t i = 0;

	while (i < n && (line[i] == ' ' || line[i] == '\t' || line[i] == '\r'))
		i++;
	return i == n;
}

/* `n` bytes without the line's end; `whole_n` with it. Blank lines are no events. */
static bool push_line(struct leat_reader *r, const char *line, size_t n, size_t whole_n, struct leat_context *ctx)
{
	struct leat_message message = { .payload = line, .time_us = LEAT_NO_TIME, .offset = r->position };
	bool was_skipping = r->is_skipping;

	r->position += (int64_t)whole_n;
	r->is_skipping = false;
	if (n > 0 && line[n - 1] == '\r')
		n--;
	if (was_skipping || is_blank(line, n))
		return false;
	message.payload_n = n;
	message.next = r->pushed = r->position;
	r->lines++;
	r->bytes += (int64_t)whole_n;
	leat_push(ctx, &message);
	return true;
}

static bool push_lines(struct leat_reader *r, struct leat_context *ctx)
{
	size_t at = 0, longest = (size_t)r->source->longest;
	bool has_pushed = false;
	const char *end;

	while (at < r->read.n && (end = memchr(r->read.data + at, '\n', r->read.n - at)) != NULL) {
		size_t n = (size_t)(end - r->read.data) - at;

		has_pushed |= push_line(r, r->read.data + at, n < longest ? n : longest, n + 1, ctx);
		at += n + 1;
	}
	/* Of a line without end only its beginning is handed over, which the host makes a dead letter. */
	if (r->read.n - at > longest) {
		has_pushed |= push_line(r, r->read.data + at, longest, r->read.n - at, ctx);
		r->is_skipping = true;
		at = r->read.n;
	}
	if (at > 0)
		memmove(r->read.data, r->read.data + at, r->read.n - at);
	r->read.n -= at;
	return has_pushed;
}

static enum leat_status read_more(struct leat_reader *r, size_t max_bytes, ssize_t *got, struct leat_error *err)
{
	size_t n = max_bytes < 4096 ? 4096 : max_bytes > 1 << 20 ? 1 << 20 : max_bytes;

	do
		*got = pread(r->fd, leat_buffer_reserve(&r->read, n), n, r->position - r->base + (off_t)r->read.n);
	while (*got < 0 && errno == EINTR);
	if (*got < 0)
		return refuse(err, LEAT_RETRY, "could not read", r->path);
	r->read.n += (size_t)*got;
	return LEAT_OK;
}

/* The end of a file that nobody writes any more: its last line may lack the newline. */
static enum leat_status finish_file(struct leat_reader *r, struct leat_context *ctx)
{
	bool has_pushed = r->read.n > 0 && push_line(r, r->read.data, r->read.n, r->read.n, ctx);

	r->read.n = 0;
	r->is_at_end = true;
	return has_pushed ? LEAT_OK : LEAT_END;
}

/* Not before the old file is committed, though it may be one that nobody commits; but a note is of the last file or the one
 * before it, so then at least the one before has to be. */
static bool may_leave(const struct leat_reader *r, struct leat_context *ctx)
{
	if (r->committed >= r->pushed)
		return true;
	return (r->committed >= r->base || r->pushed <= r->base) && leat_now(ctx) - r->left_us >= LEAVE_AFTER_US;
}

/* Goes over to the file that has the name now. */
static enum leat_status change_file(struct leat_reader *r, struct leat_context *ctx, struct leat_error *err)
{
	struct stat is;
	int fd;
	enum leat_status status;

	if (r->left_us == 0) {
		r->left_us = leat_now(ctx);
		if (r->read.n > 0 && finish_file(r, ctx) == LEAT_OK)
			return LEAT_OK;
	}
	if (!may_leave(r, ctx)) {
		leat_wait(ctx, FOLLOW_WAIT_US);
		return LEAT_AGAIN;
	}
	status = open_file(r->path, true, &fd, &is, err);
	if (status != LEAT_OK)
		return status;
	close(r->fd);
	r->fd = fd;
	r->is = is;
	r->base = r->position;
	r->left_us = 0;
	r->is_skipping = false;
	return LEAT_AGAIN;
}

static enum leat_status wait_for_more(struct leat_reader *r, struct leat_context *ctx, struct leat_error *err)
{
	int64_t read = r->position - r->base + (int64_t)r->read.n;
	struct stat now, name;
	/* Asked first, so that what was written before the rename is in `now`. */
	bool is_renamed = stat(r->path, &name) == 0 && (name.st_ino != r->is.st_ino || name.st_dev != r->is.st_dev);

	if (fstat(r->fd, &now) != 0)
		return refuse(err, LEAT_RETRY, "could not look at", r->path);
	if (now.st_size < read) {
		leat_log(ctx, LEAT_WARNING, "file \"%s\" was cut short, reading it from its beginning", r->path);
		r->base = r->position;
		r->read.n = 0;
		r->is_skipping = false;
	} else if (is_renamed) {
		/* What was written between our last read and the rename is read before the file is left. */
		if (now.st_size > read)
			return LEAT_AGAIN;
		return change_file(r, ctx, err);
	}
	leat_wait(ctx, FOLLOW_WAIT_US);
	return LEAT_AGAIN;
}

static enum leat_status poll_reader(void *self_, struct leat_reader *r, size_t max_bytes, struct leat_context *ctx,
                                    struct leat_error *err)
{
	const struct file_source *self = self_;
	enum leat_status status;
	ssize_t got;

	if (r->is_at_end && !self->follow)
		return LEAT_END;
	status = read_more(r, max_bytes, &got, err);
	if (status != LEAT_OK)
		return status;
	if (got == 0)
		return self->follow ? wait_for_more(r, ctx, err) : finish_file(r, ctx);
	if (push_lines(r, ctx))
		return LEAT_OK;
	leat_wait(ctx, 0); /* the middle of a long line: more is there */
	return LEAT_AGAIN;
}

static enum leat_status commit(void *self_, struct leat_reader *r, struct leat_position *position, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)self_;
	(void)ctx;
	(void)err;
	r->committed = position->offset;
	/* Of the file before this one the last note is as good as any. */
	if (position->offset >= r->base)
		file_place_print(r->fd, (uint64_t)r->is.st_ino, r->base, position->offset - r->base, r->note);
	memcpy(position->note, r->note, sizeof r->note);
	return LEAT_OK;
}

/* Guessed from the length of the lines so far. */
static int64_t lag(void *self_, struct leat_reader *r)
{
	struct stat now;
	int64_t left;

	(void)self_;
	if (fstat(r->fd, &now) != 0)
		return -1;
	left = (int64_t)now.st_size - (r->position - r->base);
	if (left <= 0)
		return 0;
	return r->lines == 0 ? -1 : left / (r->bytes / r->lines) + (left % (r->bytes / r->lines) != 0);
}

/* The folder that is made whole ends before the first wildcard. */
static void identity(const void *self, struct leat_buffer *text)
{
	const char *path = ((const struct file_source *)self)->path;
	size_t n = strcspn(path, WILDCARDS);

	while (n > 0 && path[n - 1] != '/')
		n--;
	file_put_path(text, path, n);
}

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct file_source, path, "path", "File to read; with *, ? or [] all files of that pattern.",
	            .flags = LEAT_OPTION_REQUIRED | LEAT_OPTION_PATH),
	LEAT_OPTION(BOOL, struct file_source, follow, "follow", "Waits for more at the end, also across a rename, instead of ending.",
	            .preset = "false"),
	LEAT_OPTION(SIZE, struct file_source, longest, "longest", "Longest line that is read whole; a longer one becomes a dead letter.",
	            .preset = "4MiB", .minimum = 1024, .maximum = 1 << 30),
	{ 0 },
};

const struct leat_source_ops file_source_ops = {
	.size = sizeof file_source_ops,
	.instance_size = sizeof(struct file_source),
	.options = options,
	.can_replay = true,
	.create = create,
	.check = check,
	.partitions = list_partitions,
	.open = open_reader,
	.poll = poll_reader,
	.commit = commit,
	.lag = lag,
	.close = close_reader,
	.destroy = destroy,
	.identity = identity,
};
