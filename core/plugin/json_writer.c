/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/json_writer.h"

#include "data/json.h"

static void begin_item(struct leat_json_writer *w, const char *name)
{
	if (w->depth > 0) {
		leat_buffer_text(&w->out, w->is_first ? "\n" : ",\n");
		for (unsigned i = 0; i < w->depth; i++)
			leat_buffer_text(&w->out, "  ");
	}
	if (name != NULL) {
		leat_json_quote(&w->out, name, strlen(name));
		leat_buffer_text(&w->out, ": ");
	}
	w->is_first = false;
}

void leat_json_writer_open(struct leat_json_writer *w, const char *name, char bracket)
{
	begin_item(w, name);
	leat_buffer_byte(&w->out, bracket);
	w->depth++;
	w->is_first = true;
}

void leat_json_writer_close(struct leat_json_writer *w, char bracket)
{
	w->depth--;
	if (!w->is_first) {
		leat_buffer_byte(&w->out, '\n');
		for (unsigned i = 0; i < w->depth; i++)
			leat_buffer_text(&w->out, "  ");
	}
	leat_buffer_byte(&w->out, bracket);
	w->is_first = false;
	if (w->depth == 0)
		leat_buffer_byte(&w->out, '\n');
}

void leat_json_writer_text(struct leat_json_writer *w, const char *name, const char *text)
{
	begin_item(w, name);
	if (text != NULL)
		leat_json_quote(&w->out, text, strlen(text));
	else
		leat_buffer_text(&w->out, "null");
}

void leat_json_writer_raw(struct leat_json_writer *w, const char *name, const char *json)
{
	begin_item(w, name);
	leat_buffer_text(&w->out, json);
}

void leat_json_writer_bool(struct leat_json_writer *w, const char *name, bool value)
{
	leat_json_writer_raw(w, name, value ? "true" : "false");
}

void leat_json_writer_number(struct leat_json_writer *w, const char *name, double value)
{
	char text[40];

	(void)snprintf(text, sizeof text, "%.17g", value);
	leat_json_writer_raw(w, name, text);
}
