/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "graph/build.h"
#include "plugin/options.h"
#include "plugin/setup.h"

/*
 * One node: its plugin, the keys that the host reads, the plugin's options, and the prototype. The host's own keys are
 * option tables too, filled from those items of the node's map that the table names; the plugin's table sees the whole
 * map and is told which names are the host's.
 */

struct host_options {
	const char *type; /* read by itself, first */
	const char *format;
	const char *schema;
	int64_t max_bytes;
	struct leat_paths key;
	int64_t shards;
	int delivery;
};

#define HOST_OPTION(type_, member_, prose_, ...) LEAT_OPTION(type_, struct host_options, member_, #member_, prose_, __VA_ARGS__)

static const struct leat_option source_keys[] = {
	HOST_OPTION(SIZE, max_bytes, "Largest event that is taken; a larger one is a dead letter.", .preset = "1MiB", .minimum = 1,
	            .maximum = 64 * 1024 * 1024),
	HOST_OPTION(TEXT, schema, "File with the schema of the events.", .flags = LEAT_OPTION_PATH),
	{ 0 },
};

static const struct leat_option operator_keys[] = {
	HOST_OPTION(FIELDS, key, "Fields by which events are spread over shards and state is kept.", .flags = 0),
	HOST_OPTION(INTEGER, shards, "Number of shards of a keyed operator.", .preset = "8", .minimum = 1, .maximum = 1024),
	{ 0 },
};

static const struct leat_option *const operator_keys_without_key = operator_keys + 1;

static const char *const deliveries[] = { "exactly-once", "at-least-once", NULL };

static const struct leat_option sink_keys[] = {
	HOST_OPTION(CHOICE, delivery, "At least once, where the pipeline asks for more than this sink can give.", .preset = "exactly-once",
	            .choices = deliveries),
	{ 0 },
};

static const struct leat_option format_keys[] = {
	HOST_OPTION(TEXT, format, "Codec that turns bytes into events or events into bytes.", .preset = "json"),
	{ 0 },
};

static const struct leat_option *const keys_of_role[] = { source_keys, operator_keys, sink_keys };

/* By role; the last one only where the plugin works with bytes. */
static const char *const common_names[][6] = {
	{ "type", "time", "max_bytes", "schema", "format", NULL },
	{ "type", "input", "key", "shards", NULL },
	{ "type", "input", "delivery", "format", NULL },
};
static const char *const common_names_without_format[][5] = {
	{ "type", "time", "max_bytes", "schema", NULL },
	{ "type", "input", "key", "shards", NULL },
	{ "type", "input", "delivery", NULL },
};

/* ---- plugin ------------------------------------------------------------------------------------------------------ */

static bool has_role(const struct leat_plugin *plugin, enum leat_role role)
{
	return role == LEAT_ROLE_SOURCE ? plugin->source != NULL :
	       role == LEAT_ROLE_OPERATOR ? plugin->op != NULL : plugin->sink != NULL;
}

/* `plugin "filter" is no source; it is an operator` */
static void report_role(struct leat_build *b, const struct leat_plugin *plugin, const char *wanted, struct leat_place place)
{
	const char *part[4];
	char roles[80] = "";
	size_t n = 0, i, used = 0;

	if (plugin->source != NULL)
		part[n++] = "a source";
	if (plugin->op != NULL)
		part[n++] = "an operator";
	if (plugin->sink != NULL)
		part[n++] = "a sink";
	if (plugin->codec != NULL)
		part[n++] = "a codec";
	for (i = 0; i < n; i++)
		used += (size_t)snprintf(roles + used, sizeof roles - used, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", part[i]);
	leat_report_error(b->report, place, "plugin \"%s\" is no %s; it is %s", plugin->name, wanted, roles);
}

/* Reports that there is no such plugin, with the nearest name of those that would do. */
static void report_unknown(struct leat_build *b, const char *what, const char *name, struct leat_place place,
                           bool (*would_do)(const struct leat_plugin *, enum leat_role), enum leat_role role)
{
	const struct leat_refused *refused = leat_registry_find_refused(b->registry, name);
	const struct leat_loaded *items;
	size_t n = leat_registry_loaded(b->registry, &items), i, n_names = 0;
	const char **names = leat_allocate_zeroed(n + 1, sizeof *names);
	char hint[LEAT_HINT];

	for (i = 0; i < n; i++)
		if (would_do(items[i].plugin, role))
			names[n_names++] = items[i].plugin->name;
	if (refused != NULL)
		leat_report_error(b->report, place, "%s \"%s\" was refused: %s", what, name, refused->reason);
	else
		leat_report_error(b->report, place, "unknown %s \"%s\"%s", what, name, leat_build_hint(hint, name, names));
	free(names);
}

static const struct leat_plugin *find_plugin(struct leat_build *b, const struct leat_node *node)
{
	const struct leat_setting *type = leat_setting_get(node->settings, "type");
	const char *kind = leat_role_name(node->role);
	const struct leat_loaded *loaded;

	if (type == NULL || type->kind != LEAT_SETTING_SCALAR || type->text == NULL) {
		leat_report_error(b->report, type != NULL ? type->place : node->settings->name_place,
		                  "%s \"%s\" has no type; write \"type: <plugin>\"", kind, node->name);
		return NULL;
	}
	loaded = leat_registry_find(b->registry, type->text);
	if (loaded == NULL) {
		report_unknown(b, "plugin", type->text, type->place, has_role, node->role);
		return NULL;
	}
	if (!has_role(loaded->plugin, node->role)) {
		report_role(b, loaded->plugin, kind, type->place);
		return NULL;
	}
	return loaded->plugin;
}

static bool has_codec(const struct leat_plugin *plugin, enum leat_role role)
{
	(void)role;
	return plugin->codec != NULL;
}

static void find_codec(struct leat_build *b, struct leat_node *node)
{
	const struct leat_loaded *loaded = leat_registry_find(b->registry, node->format);
	const struct leat_setting *format = leat_setting_get(node->settings, "format");

	struct leat_place place = format != NULL ? format->place : node->settings->name_place;

	if (loaded == NULL)
		report_unknown(b, "format", node->format, place, has_codec, node->role);
	else if (loaded->plugin->codec == NULL)
		report_role(b, loaded->plugin, "codec", place);
	else
		node->codec = loaded->plugin;
}

/* ---- the host's keys --------------------------------------------------------------------------------------------- */

/* A map with those items of `settings` that `table` names. */
static struct leat_setting pick(struct leat_arena *arena, const struct leat_setting *settings, const struct leat_option *table)
{
	struct leat_setting *item = leat_arena_allocate(arena, settings->n * sizeof *item);
	struct leat_setting picked = *settings;
	size_t i, j;

	picked.n = 0;
	for (i = 0; i < settings->n; i++)
		for (j = 0; table[j].name != NULL; j++)
			if (strcmp(settings->item[i].name, table[j].name) == 0)
				item[picked.n++] = settings->item[i];
	picked.item = item;
	return picked;
}

static bool fill_keys(struct host_options *host, const struct leat_option *table, const struct leat_node *node,
                      const struct leat_option_fill *fill)
{
	struct leat_setting picked = pick(fill->arena, node->settings, table);

	return leat_options_fill(host, table, &picked, fill);
}

/* `key: {left: id, right: order_id}`, by an option for each input. */
static bool fill_named_keys(struct leat_build *b, const struct leat_node *node, const struct leat_setting *key, struct leat_paths *out,
                            const struct leat_option_fill *fill)
{
	struct leat_option option[LEAT_INPUTS + 1] = { { 0 } };
	struct leat_option_fill fill_key = *fill;
	char owner[96];
	uint32_t i;

	(void)snprintf(owner, sizeof owner, "key of operator \"%s\"", node->name);
	fill_key.owner = owner;
	fill_key.common = NULL;
	for (i = 0; i < node->n_named; i++)
		option[i] = (struct leat_option){ .name = node->plugin->op->inputs[i], .type = LEAT_OPTION_FIELDS, .flags = LEAT_OPTION_REQUIRED,
			                          .offset = i * sizeof *out, .prose = "Key of the events of this input." };
	if (!leat_options_fill(out, option, key, &fill_key))
		return false;
	for (i = 1; i < node->n_named; i++) {
		if (out[i].n == out[0].n)
			continue;
		leat_report_error(b->report, key->place, "operator \"%s\" needs %zu key fields for its input \"%s\", as for \"%s\", not %zu",
		                  node->name, out[0].n, option[i].name, option[0].name, out[i].n);
		return false;
	}
	return true;
}

/* The key of each named input, one behind the other; the same one for all where the file has but one. */
static bool read_named_keys(struct leat_build *b, struct leat_node *node, const struct leat_paths *common,
                            const struct leat_option_fill *fill)
{
	const struct leat_setting *key = leat_setting_get(node->settings, "key");
	struct leat_paths each[LEAT_INPUTS] = { { 0 } };
	const struct leat_path **path;
	size_t n = common->n;

	if (key != NULL && key->kind == LEAT_SETTING_MAP) {
		if (!fill_named_keys(b, node, key, each, fill))
			return false;
		n = each[0].n;
	}
	path = leat_arena_allocate(b->description->arena, (node->n_named * n + 1) * sizeof *path);
	for (uint32_t i = 0; i < node->n_named; i++)
		for (size_t k = 0; k < n; k++)
			path[i * n + k] = each[i].n > 0 ? each[i].item[k] : common->item[k];
	node->n_keys = n;
	node->key = path;
	return true;
}

static uint32_t count_inputs(const struct leat_node *node)
{
	const char *const *name = node->role == LEAT_ROLE_OPERATOR ? node->plugin->op->inputs : NULL;
	uint32_t n = 0;

	while (name != NULL && name[n] != NULL)
		n++;
	return n;
}

static bool has_key_by_input(const struct leat_node *node)
{
	const struct leat_setting *key = leat_setting_get(node->settings, "key");

	return node->n_named > 0 && key != NULL && key->kind == LEAT_SETTING_MAP;
}

static void read_keys(struct leat_build *b, struct leat_node *node, bool has_format, const struct leat_option_fill *fill)
{
	const struct leat_setting *schema = leat_setting_get(node->settings, "schema");
	const struct leat_setting *shards = leat_setting_get(node->settings, "shards");
	struct host_options host = { 0 };
	bool ok = fill_keys(&host, has_key_by_input(node) ? operator_keys_without_key : keys_of_role[node->role], node, fill);

	if (has_format && fill_keys(&host, format_keys, node, fill)) {
		node->format = host.format;
		find_codec(b, node);
	}
	if (node->role == LEAT_ROLE_SOURCE)
		leat_build_time(b, node, leat_setting_get(node->settings, "time"));
	if (!ok)
		return;
	node->guarantee = host.delivery == 0 ? LEAT_TRANSACTIONAL : LEAT_AT_LEAST_ONCE;
	node->max_bytes = host.max_bytes;
	node->n_keys = host.key.n;
	node->key = host.key.item;
	if (node->n_named > 0 && !read_named_keys(b, node, &host.key, fill))
		return;
	node->n_shards = node->n_keys > 0 ? (uint32_t)host.shards : 0;
	if (node->role == LEAT_ROLE_OPERATOR && node->n_keys == 0 && ((shards != NULL && host.shards == 1) || node->plugin->op->is_whole))
		node->n_shards = 1;
	if (host.schema != NULL && schema != NULL)
		leat_build_schema(b, node, host.schema, schema);
	if (node->role == LEAT_ROLE_OPERATOR && shards != NULL && node->n_keys == 0 && host.shards != 1)
		leat_report_error(b->report, shards->name_place, "operator \"%s\" has shards but no key to spread events by", node->name);
}

/* ---- prototype --------------------------------------------------------------------------------------------------- */

/* Where an error of create() belongs: `where` is an option, perhaps with a part of it behind a dot. */
static struct leat_place place_of(const struct leat_setting *settings, const char *where, bool *is_option)
{
	const struct leat_setting *at = leat_setting_get(settings, where);
	const char *dot = strchr(where, '.');

	*is_option = true;
	if (where[0] != '\0' && at != NULL)
		return at->place;
	if (dot != NULL) {
		char *first = leat_copy_bytes_as_text(where, (size_t)(dot - where));

		at = leat_setting_get(settings, first);
		free(first);
		if (at != NULL && leat_setting_get(at, dot + 1) != NULL)
			return leat_setting_get(at, dot + 1)->place;
	}
	*is_option = at != NULL;
	return at != NULL ? at->place : settings->name_place;
}

static void report_create(struct leat_build *b, const struct leat_node *node, const struct leat_error *err)
{
	bool is_option;
	struct leat_place place = place_of(node->settings, err->where, &is_option);
	bool has_where = err->where[0] != '\0' && !is_option;

	leat_report_error(b->report, place, "%s \"%s\": %s%s%s", leat_role_name(node->role), node->name, has_where ? err->where : "",
	                  has_where ? ": " : "", err->text);
}

static size_t count_tables(const struct leat_node *node)
{
	size_t n = 0;

	if (node->role == LEAT_ROLE_OPERATOR && node->plugin->op->tables != NULL)
		while (node->plugin->op->tables[n].name != NULL)
			n++;
	return n;
}

static void make_prototype(struct leat_build *b, struct leat_node *node)
{
	struct leat_description *d = b->description;
	struct leat_error err = { 0 };
	struct leat_setup setup;

	node->prototype = leat_arena_allocate(d->arena, node->instance_size);
	memcpy(node->prototype, node->image, node->instance_size);
	leat_setup_init(&setup, d->name != NULL ? d->name : "", node->name, d->symbols);
	setup.key = node->key;
	setup.n_keys = node->n_keys;
	setup.ports = node->role == LEAT_ROLE_OPERATOR ? node->plugin->op->ports : NULL;
	setup.n_tables = count_tables(node);
	setup.ttl_us = leat_allocate_zeroed(setup.n_tables + 1, sizeof *setup.ttl_us);
	if (leat_setup_judge(&setup, leat_plugin_create(node->plugin, node->role, node->prototype, &setup.context, &err),
	                     node->plugin->name, &err) != LEAT_OK) {
		report_create(b, node, &err);
		leat_plugin_destroy(node->plugin, node->role, node->prototype);
		node->prototype = NULL;
	}
	free(setup.ttl_us);
	setup.ttl_us = NULL;
	leat_setup_finish(&setup);
}

static void read_ports(struct leat_node *node)
{
	static const char *const out[] = { "out", NULL };
	const struct leat_operator_ops *op = node->plugin->op;

	if (node->role == LEAT_ROLE_SINK)
		return;
	node->ports = out;
	if (node->role == LEAT_ROLE_OPERATOR && op->list_ports != NULL)
		node->ports = op->list_ports(node->prototype);
	else if (node->role == LEAT_ROLE_OPERATOR && op->ports != NULL)
		node->ports = op->ports;
	while (node->ports[node->n_ports] != NULL)
		node->n_ports++;
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static bool has_format(const struct leat_node *node)
{
	return (node->role == LEAT_ROLE_SOURCE && !node->plugin->source->is_decoded)
	       || (node->role == LEAT_ROLE_SINK && node->plugin->sink->is_encoded);
}

/* A plugin cannot have an option that the host reads: one text would mean two things. */
static bool check_clash(struct leat_build *b, const struct leat_node *node, const char *const *common)
{
	const struct leat_option *option = leat_plugin_options(node->plugin, node->role);
	bool ok = true;

	for (; option != NULL && option->name != NULL; option++) {
		const char *const *name = common;

		while (*name != NULL && strcmp(*name, option->name) != 0)
			name++;
		if (*name == NULL)
			continue;
		ok = false;
		leat_report_error(b->report, leat_setting_get(node->settings, "type")->place,
		                  "plugin \"%s\" cannot be used as %s: its option \"%s\" is one of the host's own", node->plugin->name,
		                  leat_role_name(node->role), option->name);
	}
	return ok;
}

void leat_build_configure(struct leat_build *b, struct leat_node *node)
{
	struct leat_description *d = b->description;
	struct leat_option_fill fill = { .arena = d->arena, .symbols = d->symbols, .report = b->report, .folder = d->folder };
	char owner[96];
	bool formatted;

	node->plugin = find_plugin(b, node);
	if (node->plugin == NULL)
		return;
	node->n_named = count_inputs(node);
	formatted = has_format(node);
	fill.common = formatted ? common_names[node->role] : common_names_without_format[node->role];
	(void)snprintf(owner, sizeof owner, "%s %s", node->plugin->name, leat_role_name(node->role));
	fill.owner = owner;
	if (!check_clash(b, node, fill.common))
		return;
	read_keys(b, node, formatted, &fill);
	node->instance_size = leat_plugin_instance_size(node->plugin, node->role);
	node->image = leat_arena_allocate(d->arena, node->instance_size);
	memset(node->image, 0, node->instance_size);
	if (!leat_options_fill(node->image, leat_plugin_options(node->plugin, node->role), node->settings, &fill))
		return;
	make_prototype(b, node);
	if (node->prototype != NULL)
		read_ports(node);
}
