/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/file.h"

#include <errno.h>
#include <fcntl.h>
#include <leat/buffer.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/memory.h"
#include "graph/variable.h"

/*
 * YAML into settings, by recursive descent over libyaml's events. The tricky part is aliases: a setting that is aliased is
 * shared, not copied, but whoever walks the tree meets it again and again, so its weight and height are counted every time
 * and both are bounded. An anchor is known only once its value is complete, which makes loops impossible.
 */

enum { FILE_BYTES = 1024 * 1024, FILE_DEPTH = 32, FILE_VALUES = 50000, FILE_ANCHORS = 256 };

struct anchor {
	const char *name;
	struct leat_setting value;
	size_t weight;   /* values in it, aliases followed */
	unsigned height; /* levels below it */
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event; /* the one in hand */
	struct leat_arena *arena;
	struct leat_report *report;
	const char *file;
	const char *text;
	size_t text_n;
	struct anchor *anchor;
	size_t n_anchors, anchor_capacity;
	size_t n_values;
	bool has_error;
};

/* ---- places and errors ------------------------------------------------------------------------------------------- */

static struct leat_place place_at(const struct reader *r, yaml_mark_t mark)
{
	return (struct leat_place){ .file = r->file, .line = (unsigned)mark.line + 1, .column = (unsigned)mark.column + 1 };
}

/* Of a byte, for errors that libyaml finds before it counts lines. */
static yaml_mark_t mark_of_byte(const struct reader *r, size_t byte)
{
	yaml_mark_t mark = { 0 };
	size_t i;

	for (i = 0; i < byte && i < r->text_n; i++) {
		if (r->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		} else if (((unsigned char)r->text[i] & 0xc0u) != 0x80u) {
			mark.column++;
		}
	}
	return mark;
}

/* True when there is a tab among the spaces that begin the line; its column then. */
static bool find_tab(const struct reader *r, size_t line, size_t *column)
{
	const char *p = r->text, *end = r->text + r->text_n;
	const char *start;

	for (; line > 0; line--) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			return false;
		p++;
	}
	for (start = p; p < end && (*p == ' ' || *p == '\t'); p++) {
		if (*p == '\t') {
			*column = (size_t)(p - start);
			return true;
		}
	}
	return false;
}

static void report_syntax(struct reader *r)
{
	const yaml_parser_t *parser = &r->parser;
	yaml_mark_t mark = parser->problem_mark;

	r->has_error = true;
	if (parser->error == YAML_READER_ERROR) {
		mark = mark_of_byte(r, parser->problem_offset);
		leat_report_error(r->report, place_at(r, mark), "cannot read the file as UTF-8 text: %s", parser->problem);
	} else if (find_tab(r, mark.line, &mark.column)) {
		leat_report_error(r->report, place_at(r, mark), "a tab cannot indent a line; use spaces");
	} else if (parser->context != NULL && parser->context_mark.line != mark.line) {
		leat_report_error(r->report, place_at(r, mark), "cannot read the file as YAML: %s %s that begins on line %zu",
		                  parser->problem, parser->context, parser->context_mark.line + 1);
	} else {
		leat_report_error(r->report, place_at(r, mark), "cannot read the file as YAML: %s",
		                  parser->problem != NULL ? parser->problem : "unknown error");
	}
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static bool advance(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return true;
	memset(&r->event, 0, sizeof r->event);
	report_syntax(r);
	return false;
}

static const char *copy_text(struct reader *r, const void *text)
{
	return leat_arena_text(r->arena, text, strlen(text) + 1);
}

/* Counts `n` more values; false when there are too many. */
static bool count_values(struct reader *r, size_t n)
{
	r->n_values += n;
	if (r->n_values <= FILE_VALUES)
		return true;
	r->has_error = true;
	leat_report_error(r->report, place_at(r, r->event.start_mark), "the file holds more than %d values, counting aliases",
	                  FILE_VALUES);
	return false;
}

static bool check_depth(struct reader *r, unsigned depth)
{
	if (depth <= FILE_DEPTH)
		return true;
	r->has_error = true;
	leat_report_error(r->report, place_at(r, r->event.start_mark), "nested deeper than %d", FILE_DEPTH);
	return false;
}

static void check_tag(struct reader *r, const yaml_char_t *tag)
{
	if (tag == NULL)
		return;
	r->has_error = true;
	leat_report_error(r->report, place_at(r, r->event.start_mark), "tag \"%s\" is not supported; put a text in quotes instead",
	                  (const char *)tag);
}

static bool is_null(const char *text)
{
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0 || strcmp(text, "Null") == 0
	       || strcmp(text, "NULL") == 0;
}

static void read_scalar(struct reader *r, struct leat_setting *out)
{
	const char *text = (const char *)r->event.data.scalar.value;
	size_t n = r->event.data.scalar.length;

	check_tag(r, r->event.data.scalar.tag);
	out->kind = LEAT_SETTING_SCALAR;
	out->is_quoted = r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	if (strlen(text) != n) {
		r->has_error = true;
		leat_report_error(r->report, out->place, "a text cannot hold a zero byte");
	} else if (strstr(text, "${") != NULL) {
		if (leat_variable_replace(r->arena, text, out->place, r->report, &out->text))
			out->is_quoted = false; /* in a flow map a variable can stand in quotes only, and is meant as a number even so */
		else
			r->has_error = true;
	} else if (out->is_quoted || !is_null(text)) {
		out->text = copy_text(r, text);
	}
}

static bool read_alias(struct reader *r, unsigned depth, struct leat_setting *out, unsigned *height)
{
	const char *name = (const char *)r->event.data.alias.anchor;
	struct leat_place place = out->place;
	size_t i;

	for (i = r->n_anchors; i-- > 0;) {
		if (strcmp(r->anchor[i].name, name) != 0)
			continue;
		*height = r->anchor[i].height;
		if (!count_values(r, r->anchor[i].weight) || !check_depth(r, depth + *height))
			return false;
		out->kind = r->anchor[i].value.kind;
		out->text = r->anchor[i].value.text;
		out->is_quoted = r->anchor[i].value.is_quoted;
		out->n = r->anchor[i].value.n;
		out->item = r->anchor[i].value.item;
		return true;
	}
	r->has_error = true;
	leat_report_error(r->report, place, "alias \"*%s\" has no anchor \"&%s\" before it", name, name);
	return true;
}

static bool add_anchor(struct reader *r, const char *name, const struct leat_setting *value, size_t weight, unsigned height)
{
	if (r->n_anchors == FILE_ANCHORS) {
		r->has_error = true;
		leat_report_error(r->report, value->place, "the file holds more than %d anchors", FILE_ANCHORS);
		return false;
	}
	r->anchor = leat_grow(r->anchor, r->n_anchors, &r->anchor_capacity, sizeof *r->anchor);
	r->anchor[r->n_anchors++] = (struct anchor){ .name = name, .value = *value, .weight = weight, .height = height };
	return true;
}

static void read_name(struct reader *r, struct leat_setting *item)
{
	item->name_place = place_at(r, r->event.start_mark);
	if (r->event.type == YAML_SCALAR_EVENT) {
		const char *name = (const char *)r->event.data.scalar.value;

		check_tag(r, r->event.data.scalar.tag);
		item->name = copy_text(r, name);
		if (r->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE || strcmp(name, "<<") != 0)
			return;
		leat_report_error(r->report, item->name_place, "merge key \"<<\" is not supported; write the options out");
	} else {
		item->name = "";
		leat_report_error(r->report, item->name_place, "a name must be a text, not %s",
		                  r->event.type == YAML_ALIAS_EVENT ? "an alias" :
		                  r->event.type == YAML_MAPPING_START_EVENT ? "a map" : "a list");
	}
	r->has_error = true;
}

static int compare_names(const void *a, const void *b)
{
	const struct leat_setting *x = *(const struct leat_setting *const *)a, *y = *(const struct leat_setting *const *)b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : x < y ? -1 : 1;
}

static void check_duplicates(struct reader *r, const struct leat_setting *map)
{
	const struct leat_setting **sorted = leat_allocate_zeroed(map->n + 1, sizeof *sorted);
	const struct leat_setting *first;
	size_t i;

	for (i = 0; i < map->n; i++)
		sorted[i] = &map->item[i];
	qsort(sorted, map->n, sizeof *sorted, compare_names);
	for (first = sorted[0], i = 1; i < map->n; i++) {
		if (strcmp(sorted[i]->name, first->name) != 0 || first->name[0] == '\0') {
			first = sorted[i];
			continue;
		}
		r->has_error = true;
		leat_report_error(r->report, sorted[i]->name_place, "\"%s\" is given twice, first on line %u", first->name,
		                  first->name_place.line);
	}
	free(sorted);
}

static bool read_value(struct reader *r, unsigned depth, struct leat_setting *out, unsigned *height);

/* From behind the start event up to the end event. */
static bool read_items(struct reader *r, unsigned depth, struct leat_setting *out, unsigned *height)
{
	yaml_event_type_t end = out->kind == LEAT_SETTING_MAP ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT;
	struct leat_setting *items = NULL, *copy;
	size_t n = 0, capacity = 0;
	unsigned below = 0;
	bool ok;

	while ((ok = advance(r)) && r->event.type != end) {
		struct leat_setting item = { 0 };
		bool is_name_odd = out->kind == LEAT_SETTING_MAP && r->event.type != YAML_SCALAR_EVENT;

		if (out->kind == LEAT_SETTING_MAP) {
			read_name(r, &item);
			if (is_name_odd) { /* skipped like a value, so that what follows is still read */
				struct leat_setting odd = { 0 };

				ok = read_value(r, depth + 1, &odd, &below);
			}
			ok = ok && advance(r);
		}
		ok = ok && read_value(r, depth + 1, &item, &below);
		if (!ok)
			break;
		items = leat_grow(items, n, &capacity, sizeof *items);
		items[n++] = item;
		*height = below + 1 > *height ? below + 1 : *height;
	}
	copy = leat_arena_allocate(r->arena, n * sizeof *copy);
	if (n > 0)
		memcpy(copy, items, n * sizeof *copy);
	free(items);
	out->item = copy;
	out->n = n;
	if (ok && out->kind == LEAT_SETTING_MAP)
		check_duplicates(r, out);
	return ok;
}

/* The value whose first event is in hand. False: reading cannot go on. */
static bool read_value(struct reader *r, unsigned depth, struct leat_setting *out, unsigned *height)
{
	const yaml_event_t *event = &r->event;
	size_t before = r->n_values;
	const char *anchor = NULL;
	bool ok = true;

	*height = 0;
	out->place = place_at(r, event->start_mark);
	if (!check_depth(r, depth))
		return false;
	if (event->type == YAML_ALIAS_EVENT)
		return read_alias(r, depth, out, height);
	if (!count_values(r, 1))
		return false;
	if (event->type == YAML_SCALAR_EVENT) {
		anchor = event->data.scalar.anchor != NULL ? copy_text(r, event->data.scalar.anchor) : NULL;
		read_scalar(r, out);
	} else if (event->type == YAML_MAPPING_START_EVENT) {
		anchor = event->data.mapping_start.anchor != NULL ? copy_text(r, event->data.mapping_start.anchor) : NULL;
		check_tag(r, event->data.mapping_start.tag);
		out->kind = LEAT_SETTING_MAP;
		ok = read_items(r, depth, out, height);
	} else {
		anchor = event->data.sequence_start.anchor != NULL ? copy_text(r, event->data.sequence_start.anchor) : NULL;
		check_tag(r, event->data.sequence_start.tag);
		out->kind = LEAT_SETTING_LIST;
		ok = read_items(r, depth, out, height);
	}
	if (ok && anchor != NULL)
		ok = add_anchor(r, anchor, out, r->n_values - before, *height);
	return ok;
}

static void read_document(struct reader *r, struct leat_setting *root)
{
	unsigned height;

	if (!advance(r) || !advance(r)) /* the stream's start, then the document's */
		return;
	if (r->event.type == YAML_STREAM_END_EVENT) {
		r->has_error = true;
		leat_report_error(r->report, (struct leat_place){ .file = r->file }, "the file is empty");
		return;
	}
	if (!advance(r) || !read_value(r, 1, root, &height) || !advance(r) || !advance(r))
		return;
	if (r->event.type != YAML_STREAM_END_EVENT) {
		r->has_error = true;
		leat_report_error(r->report, place_at(r, r->event.start_mark), "a file holds one document; a second one begins here");
	}
}

const struct leat_setting *leat_file_parse(struct leat_arena *arena, const char *name, const char *text, size_t n,
                                           struct leat_report *report)
{
	struct reader r = { .arena = arena, .report = report, .file = name, .text = text, .text_n = n };
	struct leat_setting *root = leat_arena_allocate(arena, sizeof *root);

	memset(root, 0, sizeof *root);
	if (!yaml_parser_initialize(&r.parser)) {
		leat_report_error(report, (struct leat_place){ .file = name }, "could not read the file: out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n);
	read_document(&r, root);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	free(r.anchor);
	return r.has_error ? NULL : root;
}

/* Up to `limit` + 1 bytes, so that the caller sees that there are more. Returns 0 or errno. */
static int read_bytes(const char *path, size_t limit, struct leat_buffer *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int code = fd < 0 ? errno : 0;

	while (code == 0 && out->n <= limit) {
		ssize_t n = read(fd, leat_buffer_reserve(out, 64 * 1024), 64 * 1024);

		if (n == 0)
			break;
		if (n > 0)
			out->n += (size_t)n;
		else if (errno != EINTR)
			code = errno;
	}
	if (fd >= 0)
		(void)close(fd);
	return code;
}

const struct leat_setting *leat_file_read(struct leat_arena *arena, const char *path, struct leat_report *report)
{
	struct leat_buffer bytes = { 0 };
	struct leat_place place = { .file = path };
	const struct leat_setting *root = NULL;
	int code = read_bytes(path, FILE_BYTES, &bytes);

	if (code != 0)
		leat_report_error(report, place, "could not read the file: %s", strerror(code));
	else if (bytes.n > FILE_BYTES)
		leat_report_error(report, place, "the file is larger than %d bytes", FILE_BYTES);
	else
		root = leat_file_parse(arena, path, bytes.n > 0 ? bytes.data : "", bytes.n, report);
	leat_buffer_finish(&bytes);
	return root;
}
