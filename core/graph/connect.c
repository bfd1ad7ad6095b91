/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "graph/build.h"

/*
 * Inputs to nodes and ports, and the sink for dead letters that no one reads. The ports of a node are known only once it
 * has a prototype; an input that names a port of one without is taken to be right, so that one mistake is told once.
 */

/* ---- inputs ------------------------------------------------------------------------------------------------------ */

static void report_unknown_node(struct leat_build *b, const struct leat_node *reader, const char *name, struct leat_place place)
{
	const struct leat_description *d = b->description;
	const char **names = leat_allocate_zeroed(d->n_nodes + 1, sizeof *names);
	size_t i, n = 0;
	char hint[LEAT_HINT];

	for (i = 0; i < d->n_nodes; i++)
		if (&d->node[i] != reader && d->node[i].role != LEAT_ROLE_SINK)
			names[n++] = d->node[i].name;
	leat_report_error(b->report, place, "%s \"%s\" has unknown input \"%s\"%s", leat_role_name(reader->role), reader->name, name,
	                  leat_build_hint(hint, name, names));
	free(names);
}

/* `; did you mean "x"?`, or all the ports when none is near. */
static void report_unknown_port(struct leat_build *b, const struct leat_node *from, const char *port, struct leat_place place)
{
	const char **names = leat_allocate_zeroed(from->n_ports + 2, sizeof *names);
	struct leat_buffer list = { 0 };
	char hint[LEAT_HINT];
	size_t i;

	for (i = 0; i < from->n_ports; i++)
		names[i] = from->ports[i];
	names[from->n_ports] = "dead";
	if (leat_build_hint(hint, port, names)[0] == '\0') {
		for (i = 0; names[i] != NULL; i++) {
			leat_buffer_text(&list, i == 0 ? "; it has \"" : names[i + 1] == NULL ? " and \"" : ", \"");
			leat_buffer_text(&list, names[i]);
			leat_buffer_text(&list, "\"");
		}
	}
	leat_buffer_byte(&list, '\0');
	leat_report_error(b->report, place, "%s \"%s\" has no port \"%s\"%s%s", leat_role_name(from->role), from->name, port,
	                  hint, list.data);
	leat_buffer_finish(&list);
	free(names);
}

static bool find_port(struct leat_build *b, const struct leat_node *from, const char *port, struct leat_place place,
                      uint32_t *out)
{
	uint32_t i;

	*out = 0;
	if (port == NULL)
		return true;
	if (strcmp(port, "dead") == 0) {
		*out = LEAT_DEAD_PORT;
		return true;
	}
	if (from->ports == NULL)
		return true;
	for (i = 0; i < from->n_ports; i++) {
		if (strcmp(from->ports[i], port) == 0) {
			*out = i;
			return true;
		}
	}
	report_unknown_port(b, from, port, place);
	return false;
}

/* The text of an input: a node's name, perhaps with a port behind a dot. */
static bool resolve(struct leat_build *b, const struct leat_node *reader, const struct leat_setting *text, struct leat_input *out)
{
	const struct leat_node *from = leat_build_find(b, text->text, strlen(text->text));
	const char *dot = strchr(text->text, '.');
	const char *port = NULL;

	if (from == NULL && dot != NULL) {
		from = leat_build_find(b, text->text, (size_t)(dot - text->text));
		port = dot + 1;
	}
	if (from == NULL) {
		report_unknown_node(b, reader, text->text, text->place);
		return false;
	}
	if (from->role == LEAT_ROLE_SINK && (port == NULL || strcmp(port, "dead") != 0)) {
		leat_report_error(b->report, text->place,
		                  "sink \"%s\" cannot be an input; only its dead letters can, of a sink, as \"%s.dead\"",
		                  from->name, from->name);
		return false;
	}
	if (from->role == LEAT_ROLE_SINK && reader->role != LEAT_ROLE_SINK) {
		leat_report_error(b->report, text->place, "only a sink can read the dead letters of sink \"%s\"; \"%s\" is an operator",
		                  from->name, reader->name);
		return false;
	}
	out->node = from->index;
	out->place = text->place;
	return find_port(b, from, port, text->place, &out->port);
}

static void add_input(struct leat_build *b, struct leat_node *reader, const struct leat_setting *text, uint32_t number,
                      struct leat_input *inputs)
{
	struct leat_input input = { .number = number };
	size_t i;

	if (text->kind != LEAT_SETTING_SCALAR || text->text == NULL) {
		leat_report_error(b->report, text->place, "an input must be a text, \"node\" or \"node.port\"");
		return;
	}
	if (!resolve(b, reader, text, &input))
		return;
	for (i = 0; i < reader->n_inputs; i++) {
		if (inputs[i].node == input.node && inputs[i].port == input.port && inputs[i].number == number) {
			leat_report_error(b->report, text->place, "%s \"%s\" has input \"%s\" twice", leat_role_name(reader->role),
			                  reader->name, text->text);
			return;
		}
	}
	inputs[reader->n_inputs++] = input;
}

static bool is_empty(const struct leat_setting *s)
{
	return s == NULL || (s->kind == LEAT_SETTING_SCALAR && s->text == NULL) || (s->kind == LEAT_SETTING_LIST && s->n == 0);
}

static void add_inputs(struct leat_build *b, struct leat_node *reader, const struct leat_setting *input, uint32_t number,
                       struct leat_input *inputs)
{
	size_t i;

	if (input->kind == LEAT_SETTING_LIST)
		for (i = 0; i < input->n; i++)
			add_input(b, reader, &input->item[i], number, inputs);
	else
		add_input(b, reader, input, number, inputs);
}

uint32_t leat_node_find_input(const struct leat_node *node, const char *name)
{
	uint32_t i = 0;

	while (i < node->n_named && strcmp(node->plugin->op->inputs[i], name) != 0)
		i++;
	return i;
}

/* `operator "paid" needs the inputs "left" and "right"; write "input: {left: NODE, right: NODE}"` */
static void report_unnamed(struct leat_build *b, const struct leat_node *node, struct leat_place place)
{
	const char *const *name = node->plugin->op->inputs;
	struct leat_buffer list = { 0 }, form = { 0 };
	uint32_t i;

	for (i = 0; i < node->n_named; i++) {
		leat_buffer_text(&list, i == 0 ? "\"" : i + 1 == node->n_named ? "\" and \"" : "\", \"");
		leat_buffer_text(&list, name[i]);
		leat_buffer_text(&form, i == 0 ? "" : ", ");
		leat_buffer_text(&form, name[i]);
		leat_buffer_text(&form, ": NODE");
	}
	leat_buffer_append(&list, "\"", 2);
	leat_buffer_byte(&form, '\0');
	leat_report_error(b->report, place, "%s \"%s\" needs the inputs %s; write \"input: {%s}\"", leat_role_name(node->role), node->name,
	                  list.data, form.data);
	leat_buffer_finish(&list);
	leat_buffer_finish(&form);
}

static void add_named_inputs(struct leat_build *b, struct leat_node *node, const struct leat_setting *input, struct leat_input *inputs)
{
	const char *const *name = node->plugin->op->inputs;
	char hint[LEAT_HINT];
	size_t before = leat_report_errors(b->report), i;
	uint32_t k;

	for (i = 0; i < input->n; i++) {
		k = leat_node_find_input(node, input->item[i].name);
		if (k == node->n_named)
			leat_report_error(b->report, input->item[i].name_place, "operator \"%s\" has no input \"%s\"%s", node->name,
			                  input->item[i].name, leat_build_hint(hint, input->item[i].name, name));
		else if (!is_empty(&input->item[i]))
			add_inputs(b, node, &input->item[i], k, inputs);
	}
	for (k = 0; k < node->n_named && leat_report_errors(b->report) == before; k++) {
		const struct leat_setting *item = leat_setting_get(input, name[k]);

		if (is_empty(item))
			leat_report_error(b->report, item != NULL ? item->place : input->place, "operator \"%s\" reads nothing as its input \"%s\"",
			                  node->name, name[k]);
	}
}

static size_t count_inputs(const struct leat_setting *input)
{
	size_t n = input->n, i;

	for (i = 0; input->kind == LEAT_SETTING_MAP && i < input->n; i++)
		n += input->item[i].n;
	return n;
}

static void connect_node(struct leat_build *b, struct leat_node *node)
{
	const struct leat_setting *input = leat_setting_get(node->settings, "input");
	struct leat_input *inputs;

	if (is_empty(input)) {
		leat_report_error(b->report, input != NULL ? input->place : node->settings->name_place, "%s \"%s\" has no input",
		                  leat_role_name(node->role), node->name);
		return;
	}
	inputs = leat_arena_allocate(b->description->arena, (count_inputs(input) + 1) * sizeof *inputs);
	if (node->n_named == 0 && (input->kind != LEAT_SETTING_MAP || node->plugin != NULL))
		add_inputs(b, node, input, 0, inputs);
	else if (node->n_named > 0 && input->kind != LEAT_SETTING_MAP)
		report_unnamed(b, node, input->place);
	else if (node->n_named > 0)
		add_named_inputs(b, node, input, inputs);
	node->input = inputs;
}

/* What is read of each node, by index: bits of READ_. */
enum { READ_PORT = 1, READ_DEAD = 2 };

static unsigned char *find_readers(const struct leat_description *d)
{
	unsigned char *read = leat_allocate_zeroed(d->n_nodes + 1, 1);
	size_t i, j;

	for (i = 0; i < d->n_nodes; i++)
		for (j = 0; j < d->node[i].n_inputs; j++)
			read[d->node[i].input[j].node] |= d->node[i].input[j].port == LEAT_DEAD_PORT ? READ_DEAD : READ_PORT;
	return read;
}

void leat_build_connect(struct leat_build *b)
{
	const struct leat_description *d = b->description;
	size_t before = leat_report_errors(b->report), i;
	unsigned char *read;

	for (i = 0; i < d->n_nodes; i++)
		if (d->node[i].role != LEAT_ROLE_SOURCE && d->node[i].settings->kind == LEAT_SETTING_MAP)
			connect_node(b, &d->node[i]);
	if (leat_report_errors(b->report) != before) /* the input that is wrong may be the one that is missing */
		return;
	read = find_readers(d);
	for (i = 0; i < d->n_nodes; i++)
		if (d->node[i].role != LEAT_ROLE_SINK && !(read[i] & READ_PORT)
		    && leat_build_find(b, d->node[i].name, strlen(d->node[i].name)) == &d->node[i]) /* else its name is what is wrong */
			leat_report_warning(b->report, d->node[i].settings->name_place, "no one reads %s \"%s\"",
			                    leat_role_name(d->node[i].role), d->node[i].name);
	free(read);
}

/* ---- dead letters that no one reads ------------------------------------------------------------------------------ */

static bool reads_dead_letters(const struct leat_node *node)
{
	size_t i;

	for (i = 0; i < node->n_inputs; i++)
		if (node->input[i].port == LEAT_DEAD_PORT)
			return true;
	return false;
}

/* A sink that reads dead letters keeps its own to itself, or a full disk would go round in circles. */
static bool needs_reader(const struct leat_node *node, unsigned read)
{
	return !(read & READ_DEAD) && !(node->role == LEAT_ROLE_SINK && reads_dead_letters(node));
}

static const char *free_name(const struct leat_build *b)
{
	static const char *const names[] = { "dead_letters", "dead_letters_of_host", "dead_letters_of_host_", NULL };
	size_t i = 0;

	while (names[i + 1] != NULL && leat_build_find(b, names[i], strlen(names[i])) != NULL)
		i++;
	return names[i];
}

static const struct leat_setting *make_settings(struct leat_build *b, const char *path)
{
	struct leat_place place = { .file = b->description->file };
	struct leat_setting *s = leat_arena_allocate(b->description->arena, 3 * sizeof *s);

	memset(s, 0, 3 * sizeof *s);
	s[0] = (struct leat_setting){ .kind = LEAT_SETTING_MAP, .place = place, .name_place = place, .name = free_name(b) };
	s[0].n = 2;
	s[0].item = s + 1;
	s[1] = (struct leat_setting){ .place = place, .name_place = place, .name = "type", .text = "file", .is_quoted = true };
	s[2] = (struct leat_setting){ .place = place, .name_place = place, .name = "path", .is_quoted = true };
	s[2].text = leat_arena_text(b->description->arena, path, strlen(path) + 1);
	return s;
}

void leat_build_add_dead_letters(struct leat_build *b, const char *path)
{
	struct leat_description *d = b->description;
	const struct leat_loaded *file = leat_registry_find(b->registry, "file");
	struct leat_input *inputs = leat_arena_allocate(d->arena, (d->n_nodes + 1) * sizeof *inputs);
	unsigned char *read = find_readers(d);
	size_t i, n = 0;

	for (i = 0; i < d->n_nodes; i++)
		if (needs_reader(&d->node[i], read[i]))
			inputs[n++] = (struct leat_input){ .node = (uint32_t)i, .port = LEAT_DEAD_PORT,
			                                   .place = d->node[i].settings->name_place };
	free(read);
	if (n > 0 && (file == NULL || file->plugin->sink == NULL)) {
		leat_report_warning(b->report, (struct leat_place){ .file = d->file },
		                    "dead letters that no one reads are only counted: there is no sink \"file\" to write them");
	} else if (n > 0) {
		struct leat_node *sink = leat_build_add(b, LEAT_ROLE_SINK, make_settings(b, path));

		sink->is_implicit = true;
		sink->input = inputs;
		sink->n_inputs = n;
		leat_build_configure(b, sink);
	}
}
