/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON Schema of pipeline files, for editors. It says less than `leat check` (references between nodes, what a template
 * may hold) but never refuses what that accepts: everything that is no text may also be a `${VARIABLE}`.
 */
#include <string.h>

#include "plugin/inspect.h"
#include "plugin/json_writer.h"
#include "plugin/option_words.h"
#include "plugin/roles.h"
#include "plugin/scalar.h"

#define TEXT "{\"type\": [\"string\", \"number\", \"boolean\"]}"
#define VARIABLE "{\"$ref\": \"#/$defs/variable\"}"

/* What the host reads by itself; graph/ has the last word on it. */
struct host_key {
	const char *name;
	const char *schema;
};

#define KEY_TYPE { "type", NULL }
#define KEY_INPUT { "input", "{\"$ref\": \"#/$defs/texts\", \"description\": \"Where records come from: node or node.port.\"}" }
#define KEY_FORMAT { "format", "{\"$ref\": \"#/$defs/format\"}" }

static const struct host_key source_keys[] = {
	KEY_TYPE,
	{ "time", "{\"$ref\": \"#/$defs/time\"}" },
	{ "max_bytes", "{\"$ref\": \"#/$defs/size\", \"description\": \"Longest event; a longer one is a dead letter.\"}" },
	{ "schema", "{\"type\": \"string\", \"description\": \"JSON Schema of the events, a path beside the pipeline file.\"}" },
	{ NULL, NULL },
};
static const struct host_key operator_keys[] = {
	KEY_TYPE,
	KEY_INPUT,
	{ "key", "{\"$ref\": \"#/$defs/texts\", \"description\": \"Fields that events are spread and state is kept by.\"}" },
	{ "shards",
	  "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1, \"maximum\": 1024}, " VARIABLE
	  "], \"description\": \"Units of parallel work and state.\"}" },
	{ NULL, NULL },
};
#define DELIVERY "{\"anyOf\": [{\"enum\": [\"exactly-once\", \"at-least-once\"]}, " VARIABLE "]}"
static const struct host_key sink_keys[] = { KEY_TYPE, KEY_INPUT, { "delivery", DELIVERY }, { NULL, NULL } };
static const struct host_key format_keys[] = { KEY_FORMAT, { NULL, NULL } };

static const struct host_key shared_definitions[] = {
	{ "variable", "{\"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}" },
	{ "text", TEXT },
	{ "texts", "{\"anyOf\": [" TEXT ", {\"type\": \"array\", \"items\": " TEXT "}]}" },
	{ "pairs", "{\"type\": \"object\", \"additionalProperties\": " TEXT "}" },
	{ "bool", "{\"anyOf\": [{\"enum\": [true, false, \"yes\", \"no\", \"on\", \"off\"]}, " VARIABLE "]}" },
	{ "duration",
	  "{\"anyOf\": [{\"type\": \"string\", \"pattern\": \"^(0|[0-9]+(us|ms|s|m|h|d))$\"}, {\"const\": 0}, " VARIABLE "]}" },
	{ "size",
	  "{\"anyOf\": [{\"type\": \"integer\", \"minimum\": 0}, {\"type\": \"string\", \"pattern\": "
	  "\"^[0-9]+(|B|KB|KiB|MB|MiB|GB|GiB|TB|TiB)$\"}, " VARIABLE "]}" },
	{ "time",
	  "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"field\": " TEXT
	  ", \"unit\": {\"anyOf\": [{\"enum\": [\"us\", \"ms\", \"s\", \"ns\", \"rfc3339\"]}, " VARIABLE
	  "]}, \"disorder\": {\"$ref\": \"#/$defs/duration\"}, \"idle\": {\"$ref\": \"#/$defs/duration\"}"
	  ", \"future\": {\"$ref\": \"#/$defs/duration\"}, \"quiet\": {\"$ref\": \"#/$defs/duration\"}}}" },
	{ NULL, NULL },
};

/* ---- one option ----------------------------------------------------------------------------------------------------- */

static void write_number(struct leat_json_writer *w, const struct leat_option *o, const char *type)
{
	leat_json_writer_open(w, "anyOf", '[');
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_text(w, "type", type);
	if (leat_option_is_ranged(o) && o->minimum > -9.2e18)
		leat_json_writer_number(w, "minimum", o->minimum);
	if (leat_option_is_ranged(o) && o->maximum < 9.2e18)
		leat_json_writer_number(w, "maximum", o->maximum);
	leat_json_writer_close(w, '}');
	leat_json_writer_raw(w, NULL, VARIABLE);
	leat_json_writer_close(w, ']');
}

static void write_choices(struct leat_json_writer *w, const struct leat_option *o)
{
	leat_json_writer_open(w, "anyOf", '[');
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_open(w, "enum", '[');
	for (size_t i = 0; o->choices[i] != NULL; i++)
		leat_json_writer_text(w, NULL, o->choices[i]);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
	leat_json_writer_raw(w, NULL, VARIABLE);
	leat_json_writer_close(w, ']');
}

static void write_type(struct leat_json_writer *w, const struct leat_option *o)
{
	switch (o->type) {
	case LEAT_OPTION_INTEGER:
		write_number(w, o, "integer");
		break;
	case LEAT_OPTION_REAL:
		write_number(w, o, "number");
		break;
	case LEAT_OPTION_CHOICE:
		write_choices(w, o);
		break;
	case LEAT_OPTION_BOOL:
		leat_json_writer_text(w, "$ref", "#/$defs/bool");
		break;
	case LEAT_OPTION_DURATION:
		leat_json_writer_text(w, "$ref", "#/$defs/duration");
		break;
	case LEAT_OPTION_SIZE:
		leat_json_writer_text(w, "$ref", "#/$defs/size");
		break;
	case LEAT_OPTION_TEXTS:
	case LEAT_OPTION_FIELDS:
		leat_json_writer_text(w, "$ref", "#/$defs/texts");
		break;
	case LEAT_OPTION_PAIRS:
	case LEAT_OPTION_TEMPLATES:
	case LEAT_OPTION_EXPRESSIONS:
	case LEAT_OPTION_AGGREGATES:
		leat_json_writer_text(w, "$ref", "#/$defs/pairs");
		break;
	case LEAT_OPTION_TEXT:
	case LEAT_OPTION_FIELD:
	case LEAT_OPTION_NAME:
	case LEAT_OPTION_TEMPLATE:
	case LEAT_OPTION_EXPRESSION:
		leat_json_writer_text(w, "$ref", "#/$defs/text");
		break;
	}
}

static void write_default(struct leat_json_writer *w, const struct leat_option *o)
{
	int64_t integer;
	double real;
	bool flag;

	if (o->preset == NULL)
		return;
	if (o->type == LEAT_OPTION_BOOL && leat_parse_bool(o->preset, &flag))
		leat_json_writer_bool(w, "default", flag);
	else if (o->type == LEAT_OPTION_INTEGER && leat_parse_integer(o->preset, &integer))
		leat_json_writer_raw(w, "default", *o->preset == '+' ? o->preset + 1 : o->preset);
	else if (o->type == LEAT_OPTION_REAL && leat_parse_real(o->preset, &real))
		leat_json_writer_number(w, "default", real);
	else
		leat_json_writer_text(w, "default", o->preset);
}

static void write_option(struct leat_json_writer *w, const struct leat_option *o)
{
	leat_json_writer_open(w, o->name, '{');
	write_type(w, o);
	leat_json_writer_text(w, "description", o->prose);
	write_default(w, o);
	leat_json_writer_close(w, '}');
	if (o->flags & LEAT_OPTION_SECRET) {
		char name[128];

		(void)snprintf(name, sizeof name, "%s_file", o->name);
		leat_json_writer_open(w, name, '{');
		leat_json_writer_text(w, "type", "string");
		leat_json_writer_text(w, "description", "Path of a file that holds it, which others may not read.");
		leat_json_writer_close(w, '}');
	}
}

/* ---- one role of a plugin ------------------------------------------------------------------------------------------- */

/* What is given for each of an operator's named inputs. */
static void write_by_input(struct leat_json_writer *w, const char *name, const char *const *inputs)
{
	leat_json_writer_open(w, name, '{');
	leat_json_writer_text(w, "type", "object");
	leat_json_writer_open(w, "properties", '{');
	for (size_t i = 0; inputs[i] != NULL; i++)
		leat_json_writer_raw(w, inputs[i], "{\"$ref\": \"#/$defs/texts\"}");
	leat_json_writer_close(w, '}');
	leat_json_writer_open(w, "required", '[');
	for (size_t i = 0; inputs[i] != NULL; i++)
		leat_json_writer_text(w, NULL, inputs[i]);
	leat_json_writer_close(w, ']');
	leat_json_writer_bool(w, "additionalProperties", false);
	leat_json_writer_close(w, '}');
}

/* `input` has to name them, `key` may. */
static bool write_named(struct leat_json_writer *w, const char *key, const char *const *inputs)
{
	if (inputs == NULL || (strcmp(key, "input") != 0 && strcmp(key, "key") != 0))
		return false;
	if (strcmp(key, "input") == 0) {
		write_by_input(w, key, inputs);
		return true;
	}
	leat_json_writer_open(w, key, '{');
	leat_json_writer_text(w, "description", "Fields that events are spread and state is kept by, for all inputs or for each.");
	leat_json_writer_open(w, "anyOf", '[');
	leat_json_writer_raw(w, NULL, "{\"$ref\": \"#/$defs/texts\"}");
	write_by_input(w, NULL, inputs);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
	return true;
}

static void write_keys(struct leat_json_writer *w, const struct host_key *key, const char *type, const char *const *inputs)
{
	for (; key->name != NULL; key++) {
		if (write_named(w, key->name, inputs))
			continue;
		if (key->schema != NULL) {
			leat_json_writer_raw(w, key->name, key->schema);
			continue;
		}
		leat_json_writer_open(w, key->name, '{');
		leat_json_writer_text(w, "const", type);
		leat_json_writer_close(w, '}');
	}
}

static void write_alternative(struct leat_json_writer *w, const char *name, const char *suffix)
{
	char text[128];

	(void)snprintf(text, sizeof text, "%s%s", name, suffix);
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_open(w, "required", '[');
	leat_json_writer_text(w, NULL, text);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
}

/* A secret comes by one of two names, and never by both. */
static void write_secrets(struct leat_json_writer *w, const struct leat_option *options)
{
	bool is_open = false;

	for (const struct leat_option *o = options; o != NULL && o->name != NULL; o++) {
		if (!(o->flags & LEAT_OPTION_SECRET))
			continue;
		if (!is_open)
			leat_json_writer_open(w, "allOf", '[');
		is_open = true;
		leat_json_writer_open(w, NULL, '{');
		if (o->flags & LEAT_OPTION_REQUIRED) {
			leat_json_writer_open(w, "oneOf", '[');
			write_alternative(w, o->name, "");
			write_alternative(w, o->name, "_file");
			leat_json_writer_close(w, ']');
		} else {
			char both[256];

			(void)snprintf(both, sizeof both, "{\"required\": [\"%s\", \"%s_file\"]}", o->name, o->name);
			leat_json_writer_raw(w, "not", both);
		}
		leat_json_writer_close(w, '}');
	}
	if (is_open)
		leat_json_writer_close(w, ']');
}

static const struct host_key *keys_of(const struct leat_role_view *role)
{
	return strcmp(role->name, "source") == 0 ? source_keys : strcmp(role->name, "sink") == 0 ? sink_keys : operator_keys;
}

static void write_role(struct leat_json_writer *w, const struct leat_plugin *plugin, const struct leat_role_view *role)
{
	char name[128];

	(void)snprintf(name, sizeof name, "%s.%s", role->name, plugin->name);
	leat_json_writer_open(w, name, '{');
	leat_json_writer_text(w, "type", "object");
	leat_json_writer_text(w, "description", plugin->summary);
	leat_json_writer_open(w, "properties", '{');
	write_keys(w, keys_of(role), plugin->name, strcmp(role->name, "operator") == 0 ? plugin->op->inputs : NULL);
	if (role->has_format)
		write_keys(w, format_keys, NULL, NULL);
	for (const struct leat_option *o = role->options; o != NULL && o->name != NULL; o++)
		write_option(w, o);
	leat_json_writer_close(w, '}');
	leat_json_writer_open(w, "required", '[');
	leat_json_writer_text(w, NULL, "type");
	if (strcmp(role->name, "source") != 0)
		leat_json_writer_text(w, NULL, "input");
	for (const struct leat_option *o = role->options; o != NULL && o->name != NULL; o++)
		if ((o->flags & LEAT_OPTION_REQUIRED) && !(o->flags & LEAT_OPTION_SECRET))
			leat_json_writer_text(w, NULL, o->name);
	leat_json_writer_close(w, ']');
	write_secrets(w, role->options);
	leat_json_writer_bool(w, "additionalProperties", false);
	leat_json_writer_close(w, '}');
}

/* ---- the file ------------------------------------------------------------------------------------------------------- */

/* Calls `write` for every plugin that has a place in that section; all sections when it is NULL. */
static void for_each(struct leat_json_writer *w, const struct leat_registry *registry, const char *section,
                     void (*write)(struct leat_json_writer *w, const struct leat_plugin *plugin,
                                   const struct leat_role_view *role))
{
	const struct leat_loaded *items;
	size_t n = leat_registry_loaded(registry, &items);

	for (size_t i = 0; i < n; i++) {
		struct leat_role_view view[LEAT_ROLES];
		size_t n_roles = leat_plugin_roles(items[i].plugin, view);

		for (size_t k = 0; k < n_roles; k++)
			if (view[k].section != NULL && (section == NULL || strcmp(section, view[k].section) == 0))
				write(w, items[i].plugin, &view[k]);
	}
}

static void write_name(struct leat_json_writer *w, const struct leat_plugin *plugin, const struct leat_role_view *role)
{
	(void)role;
	leat_json_writer_text(w, NULL, plugin->name);
}

/* By if and then, so that an editor's complaint is about the type that was meant. */
static void write_case(struct leat_json_writer *w, const struct leat_plugin *plugin, const struct leat_role_view *role)
{
	char text[256];

	leat_json_writer_open(w, NULL, '{');
	(void)snprintf(text, sizeof text, "{\"properties\": {\"type\": {\"const\": \"%s\"}}, \"required\": [\"type\"]}", plugin->name);
	leat_json_writer_raw(w, "if", text);
	(void)snprintf(text, sizeof text, "{\"$ref\": \"#/$defs/%s.%s\"}", role->name, plugin->name);
	leat_json_writer_raw(w, "then", text);
	leat_json_writer_close(w, '}');
}

/* An empty allOf is no schema. */
static bool has_section(const struct leat_registry *registry, const char *section)
{
	const struct leat_loaded *items;
	size_t n = leat_registry_loaded(registry, &items);

	for (size_t i = 0; i < n; i++) {
		struct leat_role_view view[LEAT_ROLES];
		size_t n_roles = leat_plugin_roles(items[i].plugin, view);

		for (size_t k = 0; k < n_roles; k++)
			if (view[k].section != NULL && strcmp(section, view[k].section) == 0)
				return true;
	}
	return false;
}

static void write_section(struct leat_json_writer *w, const struct leat_registry *registry, const char *section)
{
	leat_json_writer_open(w, section, '{');
	leat_json_writer_text(w, "type", "object");
	leat_json_writer_open(w, "additionalProperties", '{');
	leat_json_writer_text(w, "type", "object");
	leat_json_writer_raw(w, "required", "[\"type\"]");
	leat_json_writer_open(w, "properties", '{');
	leat_json_writer_open(w, "type", '{');
	leat_json_writer_open(w, "enum", '[');
	for_each(w, registry, section, write_name);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
	leat_json_writer_close(w, '}');
	if (has_section(registry, section)) {
		leat_json_writer_open(w, "allOf", '[');
		for_each(w, registry, section, write_case);
		leat_json_writer_close(w, ']');
	}
	leat_json_writer_close(w, '}');
	leat_json_writer_close(w, '}');
}

static void write_format(struct leat_json_writer *w, const struct leat_registry *registry)
{
	const struct leat_loaded *items;
	size_t n = leat_registry_loaded(registry, &items);

	leat_json_writer_open(w, "format", '{');
	leat_json_writer_text(w, "description", "The codec of its bytes.");
	leat_json_writer_text(w, "default", "json");
	leat_json_writer_open(w, "anyOf", '[');
	leat_json_writer_open(w, NULL, '{');
	leat_json_writer_open(w, "enum", '[');
	/* The host has this one even where no plugin brings it. */
	leat_json_writer_text(w, NULL, "json");
	for (size_t i = 0; i < n; i++)
		if (items[i].plugin->codec != NULL && strcmp(items[i].plugin->name, "json") != 0)
			leat_json_writer_text(w, NULL, items[i].plugin->name);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
	leat_json_writer_raw(w, NULL, VARIABLE);
	leat_json_writer_close(w, ']');
	leat_json_writer_close(w, '}');
}

void leat_inspect_schema(const struct leat_registry *registry, FILE *out)
{
	struct leat_json_writer w = { .depth = 0 };

	leat_json_writer_open(&w, NULL, '{');
	leat_json_writer_text(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	leat_json_writer_text(&w, "title", "leat pipeline");
	leat_json_writer_text(&w, "type", "object");
	leat_json_writer_open(&w, "properties", '{');
	leat_json_writer_raw(&w, "pipeline", "{\"type\": \"string\", \"description\": \"The pipeline's name.\"}");
	leat_json_writer_raw(&w, "delivery", DELIVERY);
	leat_json_writer_raw(&w, "epoch",
	                     "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"max\": {\"$ref\": "
	                     "\"#/$defs/duration\"}}}");
	leat_json_writer_raw(&w, "dead_letters",
	                     "{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"max\": {\"$ref\": "
	                     "\"#/$defs/size\"}, \"when_full\": {\"enum\": [\"drop-oldest\", \"stop\"]}}}");
	write_section(&w, registry, "sources");
	write_section(&w, registry, "operators");
	write_section(&w, registry, "sinks");
	leat_json_writer_raw(&w, "tests", "{\"type\": \"array\", \"items\": {\"type\": \"object\"}}");
	leat_json_writer_close(&w, '}');
	leat_json_writer_raw(&w, "required", "[\"pipeline\", \"sources\"]");
	leat_json_writer_bool(&w, "additionalProperties", false);
	leat_json_writer_open(&w, "$defs", '{');
	for (const struct host_key *d = shared_definitions; d->name != NULL; d++)
		leat_json_writer_raw(&w, d->name, d->schema);
	write_format(&w, registry);
	for_each(&w, registry, NULL, write_role);
	leat_json_writer_close(&w, '}');
	leat_json_writer_close(&w, '}');
	(void)fwrite(w.out.data, 1, w.out.n, out);
	leat_buffer_finish(&w.out);
}
