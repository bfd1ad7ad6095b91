/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills an instance from a map of settings, and checks a plugin's own table. Which setting belongs to which option is
 * decided here; how a value is read stands in option_read.c. The tricky part is secrets: `<name>` and `<name>_file` are
 * two ways to one member, and the value must not show up in any message.
 */
#include "plugin/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "plugin/option_read.h"
#include "plugin/option_words.h"

enum { SECRET_BYTES = 64 * 1024 };

static void *member_of(void *self, const struct leat_option *option)
{
	return (char *)self + option->offset;
}

/* ---- names -------------------------------------------------------------------------------------------------------- */

/* True when `name` is the option's name followed by "_file" and the option has such an alternative. */
static bool is_file_of(const struct leat_option *option, const char *name)
{
	size_t n = strlen(option->name);

	return (option->flags & LEAT_OPTION_SECRET) && strncmp(name, option->name, n) == 0 && strcmp(name + n, "_file") == 0;
}

static bool is_common(const struct leat_option_fill *fill, const char *name)
{
	for (size_t i = 0; fill->common != NULL && fill->common[i] != NULL; i++)
		if (strcmp(fill->common[i], name) == 0)
			return true;
	return false;
}

static void report_unknown(const struct leat_option *table, const struct leat_setting *s, const struct leat_option_fill *fill)
{
	const char **names = NULL;
	size_t capacity = 0;
	size_t n = 0;
	const char *meant;

	for (const struct leat_option *o = table; o != NULL && o->name != NULL; o++) {
		names = leat_grow(names, n, &capacity, sizeof *names);
		names[n++] = o->name;
		if (o->flags & LEAT_OPTION_SECRET) {
			struct leat_buffer name = { 0 };

			leat_buffer_text(&name, o->name);
			leat_buffer_append(&name, "_file", sizeof "_file");
			names = leat_grow(names, n, &capacity, sizeof *names);
			names[n++] = leat_arena_text(fill->arena, name.data, name.n);
			leat_buffer_finish(&name);
		}
	}
	for (size_t i = 0; fill->common != NULL && fill->common[i] != NULL; i++) {
		names = leat_grow(names, n, &capacity, sizeof *names);
		names[n++] = fill->common[i];
	}
	names = leat_grow(names, n, &capacity, sizeof *names);
	names[n] = NULL;
	meant = leat_nearest(s->name, names);
	leat_report_error(fill->report, s->name_place, "%s has no option \"%s\"%s%s%s", fill->owner, s->name,
	                  meant ? "; did you mean \"" : "", meant ? meant : "", meant ? "\"?" : "");
	free((void *)names);
}

/* Names that belong to nothing, and names that stand there twice. */
static bool check_names(const struct leat_option *table, const struct leat_setting *settings, const struct leat_option_fill *fill)
{
	bool is_good = true;

	for (size_t i = 0; i < settings->n; i++) {
		const struct leat_setting *s = &settings->item[i];
		bool is_known = is_common(fill, s->name);

		for (const struct leat_option *o = table; !is_known && o != NULL && o->name != NULL; o++)
			is_known = strcmp(o->name, s->name) == 0 || is_file_of(o, s->name);
		if (!is_known) {
			report_unknown(table, s, fill);
			is_good = false;
		}
		for (size_t k = 0; k < i; k++) {
			if (strcmp(settings->item[k].name, s->name) == 0) {
				leat_report_error(fill->report, s->name_place, "option \"%s\" is given twice", s->name);
				is_good = false;
				break;
			}
		}
	}
	return is_good;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------ */

/* Reads all of an open file, SECRET_BYTES at most. Returns what is wrong, or NULL. */
static const char *read_secret(int fd, struct leat_buffer *out)
{
	ssize_t n;

	do {
		n = read(fd, leat_buffer_reserve(out, 4096), 4096);
		if (n > 0)
			out->n += (size_t)n;
	} while ((n > 0 && out->n <= SECRET_BYTES) || (n < 0 && errno == EINTR));
	if (n < 0)
		return strerror(errno);
	if (out->n > SECRET_BYTES)
		return "it has more than 64 KiB";
	if (out->n > 0 && out->data[out->n - 1] == '\n')
		out->n--;
	if (out->n > 0 && out->data[out->n - 1] == '\r')
		out->n--;
	if (memchr(out->data, '\0', out->n) != NULL)
		return "it holds a zero byte";
	return NULL;
}

static bool read_secret_file(const struct leat_option *option, const struct leat_setting *s, const struct leat_option_fill *fill,
                             void *member)
{
	struct leat_option path_option = { .name = s->name, .type = LEAT_OPTION_TEXT, .flags = LEAT_OPTION_PATH };
	struct leat_buffer secret = { 0 };
	const char *path = NULL;
	const char *fault = NULL;
	const char *text;
	struct stat st;
	int fd;

	if (!leat_option_read(&path_option, s, fill, &path))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st) != 0) {
		leat_report_error(fill->report, s->place, "could not read the file of option \"%s\", \"%s\": %s", option->name, path,
		                  strerror(errno));
	} else if (!S_ISREG(st.st_mode)) {
		leat_report_error(fill->report, s->place, "cannot use \"%s\" for option \"%s\": it is not a regular file", path, option->name);
	} else if (st.st_mode & (S_IROTH | S_IWOTH)) {
		leat_report_error(fill->report, s->place, "cannot use \"%s\" for option \"%s\": others may read it (mode %04o, expected 0600)",
		                  path, option->name, (unsigned)(st.st_mode & 07777));
	} else if ((fault = read_secret(fd, &secret)) != NULL) {
		leat_report_error(fill->report, s->place, "cannot use \"%s\" for option \"%s\": %s", path, option->name, fault);
	} else {
		leat_buffer_byte(&secret, '\0');
		text = leat_arena_text(fill->arena, secret.data, secret.n);
		memcpy(member, &text, sizeof text);
		leat_buffer_finish(&secret);
		(void)close(fd);
		return true;
	}
	leat_buffer_finish(&secret);
	if (fd >= 0)
		(void)close(fd);
	return false;
}

static const struct leat_setting *find_file(const struct leat_option *option, const struct leat_setting *settings)
{
	for (size_t i = 0; i < settings->n; i++)
		if (is_file_of(option, settings->item[i].name))
			return &settings->item[i];
	return NULL;
}

/* ---- filling ------------------------------------------------------------------------------------------------------ */

static struct leat_place place_of_node(const struct leat_setting *settings)
{
	return settings->name != NULL ? settings->name_place : settings->place;
}

static bool fill_option(void *self, const struct leat_option *option, const struct leat_setting *settings,
                        const struct leat_option_fill *fill)
{
	const struct leat_setting *s = leat_setting_get(settings, option->name);
	const struct leat_setting *file = find_file(option, settings);
	void *member = member_of(self, option);

	if (s != NULL && file != NULL) {
		leat_report_error(fill->report, file->name_place, "options \"%s\" and \"%s\" exclude each other", s->name, file->name);
		return false;
	}
	if (file != NULL)
		return read_secret_file(option, file, fill, member);
	if (s != NULL)
		return leat_option_read(option, s, fill, member);
	if (option->flags & LEAT_OPTION_REQUIRED) {
		if (option->flags & LEAT_OPTION_SECRET)
			leat_report_error(fill->report, place_of_node(settings), "%s needs the option \"%s\" or \"%s_file\"", fill->owner,
			                  option->name, option->name);
		else
			leat_report_error(fill->report, place_of_node(settings), "%s needs the option \"%s\"", fill->owner, option->name);
		return false;
	}
	return option->preset == NULL || leat_option_read_preset(option, place_of_node(settings), fill, member);
}

bool leat_options_fill(void *self, const struct leat_option *table, const struct leat_setting *settings,
                       const struct leat_option_fill *fill)
{
	static const struct leat_setting nothing = { .kind = LEAT_SETTING_MAP };
	bool is_good;

	if (settings == NULL)
		settings = &nothing;
	if (settings->kind != LEAT_SETTING_MAP) {
		leat_report_error(fill->report, settings->place, "%s must be a map of options", fill->owner);
		return false;
	}
	is_good = check_names(table, settings, fill);
	for (const struct leat_option *o = table; o != NULL && o->name != NULL; o++)
		is_good = fill_option(self, o, settings, fill) && is_good;
	return is_good;
}
