/* SPDX-License-Identifier: Apache-2.0 */
/* The file is text: "replay" or "drop" in the first line, then "17" or "17-230" a line. */
#include "run/wish.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

static const char *const kinds[] = { "replay", "drop" };
static const char suffix[] = ".wish";

void leat_wish_add(struct leat_wish *wish, uint64_t number)
{
	struct leat_wish_range *last = wish->n == 0 ? NULL : &wish->range[wish->n - 1];

	if (last != NULL && last->until + 1 == number) {
		last->until = number;
		return;
	}
	wish->range = leat_grow(wish->range, wish->n, &wish->capacity, sizeof *wish->range);
	wish->range[wish->n++] = (struct leat_wish_range){ number, number };
}

bool leat_wish_has(const struct leat_wish *wish, uint64_t number)
{
	for (size_t i = 0; i < wish->n; i++)
		if (number >= wish->range[i].from && number <= wish->range[i].until)
			return true;
	return false;
}

void leat_wish_finish(struct leat_wish *wish)
{
	free(wish->path);
	free(wish->range);
	memset(wish, 0, sizeof *wish);
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static bool sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool is_synced = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		(void)close(fd);
	return is_synced;
}

static bool write_lines(const struct leat_wish *wish, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
	bool is_good = out != NULL;

	if (out == NULL)
		return false;
	(void)fprintf(out, "%s\n", kinds[wish->kind]);
	for (size_t i = 0; i < wish->n; i++)
		if (wish->range[i].from == wish->range[i].until)
			(void)fprintf(out, "%" PRIu64 "\n", wish->range[i].from);
		else
			(void)fprintf(out, "%" PRIu64 "-%" PRIu64 "\n", wish->range[i].from, wish->range[i].until);
	is_good = fflush(out) == 0 && fsync(fd) == 0 && ferror(out) == 0;
	return fclose(out) == 0 && is_good;
}

enum leat_status leat_wish_write(struct leat_wish *wish, const char *folder, struct leat_error *err)
{
	char *part;

	/* By the time, so that they are taken in the order in which they were made. */
	wish->path = leat_format_text("%s/%020" PRId64 "-%d%s", folder, leat_clock_now_us(), (int)getpid(), suffix);
	part = leat_format_text("%s.part", wish->path);
	if (!write_lines(wish, part) || rename(part, wish->path) != 0 || !sync_folder(folder)) {
		(void)leat_error_set(err, LEAT_FATAL, errno, "could not write \"%s\": %s", wish->path, strerror(errno));
		(void)unlink(part);
		free(part);
		return LEAT_FATAL;
	}
	free(part);
	return LEAT_OK;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static int is_wish(const struct dirent *entry)
{
	size_t n = strlen(entry->d_name);

	return n > strlen(suffix) && strcmp(entry->d_name + n - strlen(suffix), suffix) == 0;
}

static bool read_range(struct leat_wish *wish, const char *line)
{
	struct leat_wish_range range;
	int n = sscanf(line, "%" SCNu64 "-%" SCNu64, &range.from, &range.until);

	if (n < 1)
		return false;
	if (n == 1)
		range.until = range.from;
	wish->range = leat_grow(wish->range, wish->n, &wish->capacity, sizeof *wish->range);
	wish->range[wish->n++] = range;
	return range.from <= range.until;
}

static bool read_kind(struct leat_wish *wish, const char *line)
{
	for (wish->kind = LEAT_WISH_REPLAY; wish->kind <= LEAT_WISH_DROP; wish->kind++)
		if (strncmp(line, kinds[wish->kind], strlen(kinds[wish->kind])) == 0)
			return true;
	return false;
}

static enum leat_status read_lines(struct leat_wish *wish, struct leat_error *err)
{
	FILE *in = fopen(wish->path, "re");
	char line[64];
	bool is_good;

	if (in == NULL)
		return leat_error_set(err, LEAT_RETRY, errno, "could not read \"%s\": %s", wish->path, strerror(errno));
	is_good = fgets(line, sizeof line, in) != NULL && read_kind(wish, line);
	while (is_good && fgets(line, sizeof line, in) != NULL)
		is_good = read_range(wish, line);
	(void)fclose(in);
	return is_good ? LEAT_OK : leat_error_set(err, LEAT_REJECT, 0, "\"%s\" is no wish about dead letters", wish->path);
}

static struct dirent **list_names(const char *folder, int *n)
{
	struct dirent **name = NULL;

	*n = scandir(folder, &name, is_wish, alphasort);
	return *n > 0 ? name : NULL;
}

enum leat_status leat_wish_read(const char *folder, struct leat_wish *out, struct leat_error *err)
{
	struct dirent **name;
	int n;

	memset(out, 0, sizeof *out);
	name = list_names(folder, &n);
	if (name != NULL)
		out->path = leat_format_text("%s/%s", folder, name[0]->d_name);
	for (int i = 0; i < n; i++)
		free(name[i]);
	free(name);
	return out->path == NULL ? LEAT_AGAIN : read_lines(out, err);
}

struct leat_wish *leat_wish_list(const char *folder, size_t *n)
{
	int n_names;
	struct dirent **name = list_names(folder, &n_names);
	struct leat_wish *wish = leat_allocate_zeroed(n_names > 0 ? (size_t)n_names : 1, sizeof *wish);
	struct leat_error err;

	*n = 0;
	for (int i = 0; i < n_names; i++) {
		wish[*n].path = leat_format_text("%s/%s", folder, name[i]->d_name);
		if (read_lines(&wish[*n], &err) == LEAT_OK)
			(*n)++;
		else
			leat_wish_finish(&wish[*n]);
		free(name[i]);
	}
	free(name);
	return wish;
}
