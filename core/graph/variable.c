/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/variable.h"

#include <leat/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Variables in the texts of a pipeline file. They are replaced after parsing, so a value from outside is only ever text. */

static const char NAME_BYTES[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

/* `p` is behind "${". Returns what stands behind the variable, NULL after a fault. */
static const char *replace_one(const char *p, struct leat_place place, struct leat_report *report, struct leat_buffer *out)
{
	size_t name_n = strspn(p, NAME_BYTES);
	const char *end = strchr(p, '}');
	const char *value;
	char *name;

	if (end == NULL) {
		leat_report_error(report, place, "variable \"${%.64s\" has no \"}\"; write \"$${\" where no variable is meant", p);
		return NULL;
	}
	if (name_n == 0 || (p[0] >= '0' && p[0] <= '9') || (p[name_n] != '}' && p[name_n] != ':')) {
		leat_report_error(report, place,
		                  "\"${%.*s}\" is no variable; write ${NAME} or ${NAME:default}, or \"$${\" where none is meant",
		                  (int)(end - p > 64 ? 64 : end - p), p);
		return NULL;
	}
	name = leat_copy_bytes_as_text(p, name_n);
	value = getenv(name);
	if (value != NULL) {
		leat_buffer_text(out, value);
	} else if (p[name_n] == ':') {
		leat_buffer_append(out, p + name_n + 1, (size_t)(end - (p + name_n + 1)));
	} else {
		leat_report_error(report, place, "variable \"%s\" is not set and has no default; write ${%s:default}", name, name);
		end = NULL;
	}
	free(name);
	return end != NULL ? end + 1 : NULL;
}

bool leat_variable_replace(struct leat_arena *arena, const char *text, struct leat_place place, struct leat_report *report,
                           const char **out)
{
	struct leat_buffer b = { 0 };
	const char *p = text;
	bool ok = true;

	while (*p != '\0') {
		if (strncmp(p, "$${", 3) == 0) {
			leat_buffer_text(&b, "${");
			p += 3;
		} else if (strncmp(p, "${", 2) == 0) {
			const char *next = replace_one(p + 2, place, report, &b);

			ok = ok && next != NULL;
			p = next != NULL ? next : p + 2;
		} else {
			leat_buffer_byte(&b, *p++);
		}
	}
	leat_buffer_byte(&b, '\0');
	if (ok)
		*out = leat_arena_text(arena, b.data, b.n);
	leat_buffer_finish(&b);
	return ok;
}
