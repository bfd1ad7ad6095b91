/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server has refused of a delivery, and the text as which it is kept with the fence (E7): a line for each effect,
 * how far it is from the end of the delivery, and the reason. Lines that begin with a tab are the reason's detail.
 */
#include <ctype.h>

#include "sink.h"

void refusal_add(struct refusals *list, size_t effect, const struct leat_error *err)
{
	if (list->n == list->capacity) {
		list->capacity = list->capacity == 0 ? 8 : list->capacity * 2;
		list->item = (struct refusal *)realloc(list->item, list->capacity * sizeof *list->item);
		if (list->item == NULL)
			leat_run_out();
	}
	list->item[list->n++] = (struct refusal){ .effect = effect, .error = *err };
}

void refusal_finish(struct refusals *list)
{
	free(list->item);
	*list = (struct refusals){ .n = 0 };
}

static void write_detail(const char *detail, struct leat_buffer *out)
{
	size_t n;

	for (; *detail != '\0'; detail += n + (detail[n] == '\n')) {
		n = strcspn(detail, "\n");
		leat_buffer_byte(out, '\t');
		leat_buffer_append(out, detail, n);
		leat_buffer_byte(out, '\n');
	}
}

void refusal_write(const struct refusals *list, size_t n_effects, struct leat_buffer *out)
{
	char number[24];
	size_t i;

	for (i = 0; i < list->n; i++) {
		(void)snprintf(number, sizeof number, "%zu ", n_effects - list->item[i].effect);
		leat_buffer_text(out, number);
		leat_buffer_text(out, list->item[i].error.text);
		leat_buffer_byte(out, '\n');
		write_detail(list->item[i].error.detail, out);
	}
}

static void read_detail(struct leat_error *err, const char *line, size_t n)
{
	size_t before = strlen(err->detail);

	(void)snprintf(err->detail + before, sizeof err->detail - before, "%s%.*s", before > 0 ? "\n" : "", (int)n, line);
}

bool refusal_read(struct refusals *list, const char *text, size_t n_effects)
{
	struct leat_error err;
	const char *line;
	size_t from_end, n;
	char *end;

	for (line = text; *line != '\0'; line += n + (line[n] == '\n')) {
		n = strcspn(line, "\n");
		if (line[0] == '\t' && list->n > 0) {
			read_detail(&list->item[list->n - 1].error, line + 1, n - 1);
			continue;
		}
		from_end = strtoul(line, &end, 10);
		if (!isdigit((unsigned char)line[0]) || *end != ' ' || from_end == 0 || from_end > n_effects)
			return false;
		(void)leat_error_set(&err, LEAT_REJECT, 0, "%.*s", (int)(n - (size_t)(end + 1 - line)), end + 1);
		refusal_add(list, n_effects - from_end, &err);
	}
	return true;
}
