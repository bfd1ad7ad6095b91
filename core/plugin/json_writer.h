/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_JSON_WRITER_H
#define LEAT_PLUGIN_JSON_WRITER_H

#include <leat/buffer.h>
#include <stdbool.h>

/* JSON with indentation, written front to back; commas are put where they belong. `name` is NULL in a list. */
struct leat_json_writer {
	struct leat_buffer out;
	unsigned depth;
	bool is_first; /* nothing stands in the innermost map or list yet */
};

void leat_json_writer_open(struct leat_json_writer *w, const char *name, char bracket); /* '{' or '[' */
void leat_json_writer_close(struct leat_json_writer *w, char bracket);
void leat_json_writer_text(struct leat_json_writer *w, const char *name, const char *text); /* NULL: null */
void leat_json_writer_bool(struct leat_json_writer *w, const char *name, bool value);
void leat_json_writer_number(struct leat_json_writer *w, const char *name, double value);
/* `json` is JSON already. */
void leat_json_writer_raw(struct leat_json_writer *w, const char *name, const char *json);

#endif
