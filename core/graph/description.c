/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/description.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "graph/build.h"
#include "graph/file.h"
#include "plugin/options.h"
#include "plugin/setup.h"
#include "schema/schema.h"

/* A pipeline file to a checked description: the top level of the file, and the steps in their order (build.h). */

static const char *const top_names[] = { "pipeline", "delivery", "epoch", "dead_letters", "sources", "operators", "sinks",
	                                   "tests", /* for `leat test` alone */
	                                   NULL };
static const char bad_name[] = "name \"%s\" cannot be used; a name is made of a-z, 0-9 and _ and begins with no digit";
static const char *const section_names[] = { "sources", "operators", "sinks" }; /* by role */

const char *leat_build_hint(char hint[LEAT_HINT], const char *word, const char *const *candidates)
{
	const char *nearest = leat_nearest(word, candidates);

	hint[0] = '\0';
	if (nearest != NULL)
		(void)snprintf(hint, LEAT_HINT, "; did you mean \"%s\"?", nearest);
	return hint;
}

bool leat_build_is_name(const char *name)
{
	return name[0] != '\0' && (name[0] < '0' || name[0] > '9')
	       && name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0';
}

struct leat_node *leat_build_find(const struct leat_build *b, const char *name, size_t n)
{
	const struct leat_description *d = b->description;
	size_t i;

	for (i = 0; i < d->n_nodes; i++)
		if (strlen(d->node[i].name) == n && memcmp(d->node[i].name, name, n) == 0)
			return &d->node[i];
	return NULL;
}

void leat_build_reserve(struct leat_build *b, size_t n)
{
	b->description->node = leat_arena_allocate(b->description->arena, n * sizeof *b->description->node);
}

struct leat_node *leat_build_add(struct leat_build *b, enum leat_role role, const struct leat_setting *settings)
{
	struct leat_description *d = b->description;
	struct leat_node *node = &d->node[d->n_nodes];

	memset(node, 0, sizeof *node);
	node->name = settings->name;
	node->index = (uint32_t)d->n_nodes++;
	node->role = role;
	node->settings = settings;
	return node;
}

/* ---- top level --------------------------------------------------------------------------------------------------- */

static void check_top_names(struct leat_build *b, const struct leat_setting *root)
{
	char hint[LEAT_HINT];
	size_t i, j;

	for (i = 0; i < root->n; i++) {
		const struct leat_setting *item = &root->item[i];

		for (j = 0; top_names[j] != NULL && strcmp(top_names[j], item->name) != 0;)
			j++;
		if (top_names[j] == NULL)
			leat_report_error(b->report, item->name_place, "a pipeline file has no section \"%s\"%s", item->name,
			                  leat_build_hint(hint, item->name, top_names));
	}
}

static void read_name(struct leat_build *b, const struct leat_setting *root)
{
	const struct leat_setting *name = leat_setting_get(root, "pipeline");

	b->place = name != NULL ? name->place : root->place;
	if (name == NULL)
		leat_report_error(b->report, b->place, "the pipeline has no name; write \"pipeline: <name>\"");
	else if (name->kind != LEAT_SETTING_SCALAR || name->text == NULL)
		leat_report_error(b->report, b->place, "the name of a pipeline must be a text");
	else if (!leat_build_is_name(name->text))
		leat_report_error(b->report, b->place, bad_name, name->text);
	else
		b->description->name = name->text;
}

static void read_delivery(struct leat_build *b, const struct leat_setting *root)
{
	static const char *const modes[] = { "at-least-once", "exactly-once", NULL };
	const struct leat_setting *delivery = leat_setting_get(root, "delivery");
	char hint[LEAT_HINT];

	b->description->mode = delivery == NULL ? LEAT_MODE_EXACTLY_ONCE : LEAT_MODE_AT_LEAST_ONCE;
	if (delivery == NULL)
		return;
	if (delivery->kind != LEAT_SETTING_SCALAR || delivery->text == NULL)
		leat_report_error(b->report, delivery->place, "delivery must be a text");
	else if (strcmp(delivery->text, "exactly-once") == 0)
		b->description->mode = LEAT_MODE_EXACTLY_ONCE;
	else if (strcmp(delivery->text, "at-least-once") != 0)
		leat_report_error(b->report, delivery->place, "unknown delivery \"%s\"%s", delivery->text,
		                  leat_build_hint(hint, delivery->text, modes));
}

struct epoch_options {
	int64_t max_us;
};

static const struct leat_option epoch_table[] = {
	LEAT_OPTION(DURATION, struct epoch_options, max_us, "max", "Longest time between two epochs.", .preset = "20ms",
	            .minimum = 1e3, .maximum = 60e6),
	{ 0 },
};

static void read_epoch(struct leat_build *b, const struct leat_setting *root)
{
	const struct leat_setting *epoch = leat_setting_get(root, "epoch");
	const struct leat_setting none = { .kind = LEAT_SETTING_MAP, .place = b->place, .name_place = b->place };
	struct leat_option_fill fill = { .arena = b->description->arena, .symbols = b->description->symbols, .report = b->report,
		                         .folder = b->description->folder, .owner = "epoch" };
	struct epoch_options options = { 0 };

	if (epoch != NULL && epoch->kind != LEAT_SETTING_MAP)
		leat_report_error(b->report, epoch->place, "epoch must be a map, such as {max: 20ms}");
	else if (leat_options_fill(&options, epoch_table, epoch != NULL ? epoch : &none, &fill))
		b->description->epoch_max_us = options.max_us;
}

struct letters_options {
	int64_t max_bytes;
	int when_full;
};

enum { DROP_OLDEST, STOP };
static const char *const when_full[] = { "drop-oldest", "stop", NULL };

static const struct leat_option letters_table[] = {
	LEAT_OPTION(SIZE, struct letters_options, max_bytes, "max", "How much of the state dead letters may take that no one reads.",
	            .preset = "1GiB", .minimum = 1 << 10, .maximum = 1e15),
	LEAT_OPTION(CHOICE, struct letters_options, when_full, "when_full", "What happens then: the oldest go, or nothing more is read.",
	            .preset = "drop-oldest", .choices = when_full),
	{ 0 },
};

static void read_letters(struct leat_build *b, const struct leat_setting *root)
{
	const struct leat_setting *letters = leat_setting_get(root, "dead_letters");
	const struct leat_setting none = { .kind = LEAT_SETTING_MAP, .place = b->place, .name_place = b->place };
	struct leat_option_fill fill = { .arena = b->description->arena, .symbols = b->description->symbols, .report = b->report,
		                         .folder = b->description->folder, .owner = "dead_letters" };
	struct letters_options options = { 0 };

	if (letters != NULL && letters->kind != LEAT_SETTING_MAP)
		leat_report_error(b->report, letters->place, "dead_letters must be a map, such as {max: 1GiB}");
	else if (leat_options_fill(&options, letters_table, letters != NULL ? letters : &none, &fill))
		b->description->letters =
			(struct leat_letters_spec){ .max_bytes = options.max_bytes, .stops_when_full = options.when_full == STOP };
}

/* ---- nodes ------------------------------------------------------------------------------------------------------- */

static bool is_nothing(const struct leat_setting *s)
{
	return s == NULL || (s->kind == LEAT_SETTING_SCALAR && s->text == NULL) || (s->kind == LEAT_SETTING_MAP && s->n == 0);
}

static void collect_node(struct leat_build *b, enum leat_role role, const struct leat_setting *settings)
{
	const char *kind = leat_role_name(role);
	const struct leat_node *other = leat_build_find(b, settings->name, strlen(settings->name));

	if (!leat_build_is_name(settings->name))
		leat_report_error(b->report, settings->name_place, bad_name, settings->name);
	else if (other != NULL)
		leat_report_error(b->report, settings->name_place, "%s \"%s\" needs another name; the %s on line %u has it", kind,
		                  settings->name, leat_role_name(other->role), other->settings->name_place.line);
	if (settings->kind != LEAT_SETTING_MAP)
		leat_report_error(b->report, settings->place, "%s \"%s\" must be a map of options", kind, settings->name);
	leat_build_add(b, role, settings);
}

static void collect(struct leat_build *b, const struct leat_setting *root)
{
	const struct leat_setting *section[3];
	size_t role, i, n = 0;

	for (role = LEAT_ROLE_SOURCE; role <= LEAT_ROLE_SINK; role++) {
		section[role] = leat_setting_get(root, section_names[role]);
		if (is_nothing(section[role]))
			section[role] = NULL;
		else if (section[role]->kind == LEAT_SETTING_MAP)
			n += section[role]->n;
	}
	leat_build_reserve(b, n + 1); /* one for dead letters */
	for (role = LEAT_ROLE_SOURCE; role <= LEAT_ROLE_SINK; role++) {
		if (section[role] != NULL && section[role]->kind != LEAT_SETTING_MAP)
			leat_report_error(b->report, section[role]->place, "%s must be a map of names to %s", section_names[role],
			                  section_names[role]);
		else if (section[role] != NULL)
			for (i = 0; i < section[role]->n; i++)
				collect_node(b, (enum leat_role)role, &section[role]->item[i]);
	}
	if (is_nothing(section[LEAT_ROLE_SOURCE]))
		leat_report_error(b->report, b->place, "the pipeline has no source");
	if (is_nothing(section[LEAT_ROLE_SINK]))
		leat_report_warning(b->report, b->place, "the pipeline has no sink: what it finds goes nowhere");
}

/* ---- the whole --------------------------------------------------------------------------------------------------- */

static struct leat_description *create_description(const char *path)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_description *d = leat_arena_allocate(arena, sizeof *d);
	char *copy = leat_arena_text(arena, path, strlen(path) + 1);
	char *slash = strrchr(copy, '/');

	memset(d, 0, sizeof *d);
	d->arena = arena;
	d->symbols = leat_symbols_create();
	d->file = path;
	if (slash != NULL)
		slash[slash == copy] = '\0'; /* of "/p.yaml" the folder is "/" */
	d->folder = slash != NULL ? copy : ".";
	return d;
}

static struct leat_description *make(struct leat_description *d, const struct leat_registry *registry, const struct leat_setting *root,
                                     const struct leat_description_options *options, size_t before, struct leat_report *report)
{
	struct leat_build b = { .description = d, .registry = registry, .report = report };
	size_t i;

	if (root != NULL && root->kind != LEAT_SETTING_MAP) {
		leat_report_error(report, root->place, "a pipeline file must be a map that begins with \"pipeline: <name>\"");
	} else if (root != NULL) {
		check_top_names(&b, root);
		read_name(&b, root);
		read_delivery(&b, root);
		read_epoch(&b, root);
		read_letters(&b, root);
		collect(&b, root);
		for (i = 0; i < d->n_nodes; i++)
			if (d->node[i].settings->kind == LEAT_SETTING_MAP)
				leat_build_configure(&b, &d->node[i]);
		leat_build_connect(&b);
		if (options != NULL && options->dead_letters != NULL && d->mode == LEAT_MODE_AT_LEAST_ONCE && leat_report_errors(report) == before)
			leat_build_add_dead_letters(&b, options->dead_letters);
		leat_build_guarantees(&b);
		leat_build_order(&b);
	}
	if (leat_report_errors(report) == before)
		return d;
	leat_description_destroy(d);
	return NULL;
}

struct leat_description *leat_description_read(const struct leat_registry *registry, const char *path,
                                               const struct leat_description_options *options, struct leat_report *report)
{
	size_t before = leat_report_errors(report);
	struct leat_description *d = create_description(path);

	return make(d, registry, leat_file_read(d->arena, path, report), options, before, report);
}

struct leat_description *leat_description_make(const struct leat_registry *registry, const char *path, const struct leat_setting *root,
                                               struct leat_report *report)
{
	return make(create_description(path), registry, root, NULL, leat_report_errors(report), report);
}

bool leat_description_check(const struct leat_description *description, struct leat_report *report,
                            void (*progress)(void *opaque, const struct leat_node *node, const struct leat_error *err),
                            void *opaque)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < description->n_nodes; i++) {
		const struct leat_node *node = &description->node[i];
		struct leat_error err = { 0 };
		struct leat_setup setup;
		bool is_good;

		leat_setup_init(&setup, description->name, node->name, description->symbols);
		setup.key = node->key;
		setup.n_keys = node->n_keys;
		setup.ports = node->role == LEAT_ROLE_OPERATOR ? node->ports : NULL;
		is_good = leat_setup_judge(&setup, leat_plugin_check(node->plugin, node->role, node->prototype, &setup.context, &err),
		                           node->plugin->name, &err) == LEAT_OK;
		leat_setup_finish(&setup);
		if (!is_good) {
			const struct leat_setting *at = err.where[0] != '\0' ? leat_setting_get(node->settings, err.where) : NULL;

			leat_report_error(report, at != NULL ? at->place : node->settings->name_place, "%s \"%s\": %s",
			                  leat_role_name(node->role), node->name, err.text);
		}
		if (progress != NULL)
			progress(opaque, node, is_good ? NULL : &err);
		ok = ok && is_good;
	}
	return ok;
}

const struct leat_node *leat_description_find(const struct leat_description *d, enum leat_role role, const char *name)
{
	for (uint32_t i = 0; i < d->n_nodes; i++)
		if (d->node[i].role == role && strcmp(d->node[i].name, name) == 0)
			return &d->node[i];
	return NULL;
}

void leat_description_destroy(struct leat_description *description)
{
	size_t i;

	if (description == NULL)
		return;
	for (i = 0; i < description->n_nodes; i++)
		if (description->node[i].prototype != NULL)
			leat_plugin_destroy(description->node[i].plugin, description->node[i].role, description->node[i].prototype);
	for (i = 0; i < description->n_nodes; i++)
		leat_schema_destroy(description->node[i].schema);
	leat_symbols_destroy(description->symbols);
	leat_arena_unref(description->arena);
}
