/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/trials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "graph/file.h"
#include "kit/plain.h"

static const char *const names[] = { "name", "options", "events", "sample", "except", NULL };

struct run {
	const struct leat_trials *trials;
	const struct leat_registry *registry;
	const struct leat_plugin *plugin;
	struct leat_arena *arena;
	struct leat_report *report;
	FILE *out;
	struct leat_conform_result *result;
	const char **sample; /* of the file */
	size_t n_samples, sample_capacity;
};

/* ---- events that are given ------------------------------------------------------------------------------------------ */

/* False: it is no JSON, and that was reported. */
static bool is_json(struct run *r, const char *text, struct leat_place place)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_json *json = leat_json_create(symbols);
	struct leat_arena *arena = leat_arena_create();
	size_t n = strlen(text);
	char *copy = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_value value;
	struct leat_error err;
	bool is_good;

	memset(copy, 0, n + LEAT_CODEC_PADDING);
	memcpy(copy, text, n);
	is_good = leat_json_decode(json, arena, copy, n, &value, &err) == LEAT_OK;
	if (!is_good)
		leat_report_error(r->report, place, "an event is no JSON: %s", err.text);
	leat_arena_unref(arena);
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
	return is_good;
}

static void add_sample(struct run *r, const char *text, size_t n)
{
	r->sample = leat_grow(r->sample, r->n_samples, &r->sample_capacity, sizeof(const char *));
	r->sample[r->n_samples] = leat_arena_text(r->arena, text, n + 1);
	r->n_samples++;
}

static void read_sample_file(struct run *r)
{
	struct leat_place place = { .file = r->trials->sample };
	size_t capacity = 0;
	char *line = NULL;
	ssize_t n;
	FILE *in;

	if (place.file == NULL)
		return;
	in = fopen(place.file, "re");
	if (in == NULL) {
		leat_report_error(r->report, place, "could not open the file of events: %s", strerror(errno));
		return;
	}
	while ((n = getline(&line, &capacity, in)) >= 0) {
		place.line++;
		line[n > 0 && line[n - 1] == '\n' ? n - 1 : n] = '\0';
		if (line[0] != '\0' && is_json(r, line, place))
			add_sample(r, line, strlen(line));
	}
	if (r->n_samples == 0 && leat_report_errors(r->report) == 0)
		leat_report_error(r->report, (struct leat_place){ .file = place.file }, "there are no events in the file");
	free(line);
	(void)fclose(in);
}

static void read_sample_list(struct run *r, const struct leat_setting *sample)
{
	for (size_t i = 0; i < sample->n; i++) {
		struct leat_buffer text = { .n = 0 };

		leat_plain_json(&sample->item[i], &text);
		leat_buffer_byte(&text, '\0');
		add_sample(r, text.data, text.n - 1);
		leat_buffer_finish(&text);
	}
}

/* ---- one trial ------------------------------------------------------------------------------------------------------ */

static bool is_map_or_nothing(struct run *r, const struct leat_setting *trial, const char *name)
{
	const struct leat_setting *s = leat_setting_get(trial, name);

	if (s == NULL || s->kind == LEAT_SETTING_MAP)
		return true;
	leat_report_error(r->report, s->place, "%s must be a map", name);
	return false;
}

static bool is_property(const char *name)
{
	size_t i = 0;

	while (leat_properties[i].name != NULL && strcmp(leat_properties[i].name, name) != 0)
		i++;
	return leat_properties[i].name != NULL;
}

static bool check_trial(struct run *r, const struct leat_setting *trial)
{
	const struct leat_setting *sample = leat_setting_get(trial, "sample"), *except = leat_setting_get(trial, "except");
	size_t before = leat_report_errors(r->report);

	if (trial->kind != LEAT_SETTING_MAP)
		leat_report_error(r->report, trial->place, "a trial must be a map, such as {options: {key: user}}");
	for (size_t i = 0; trial->kind == LEAT_SETTING_MAP && i < trial->n; i++) {
		const char *name = trial->item[i].name, *nearest = leat_nearest(name, names);
		size_t k = 0;

		while (names[k] != NULL && strcmp(names[k], name) != 0)
			k++;
		if (names[k] == NULL)
			leat_report_error(r->report, trial->item[i].name_place, "a trial has no \"%s\"%s%s%s; it has name, options, events, sample "
			                  "and except", name, nearest == NULL ? "" : "; did you mean \"", nearest == NULL ? "" : nearest,
			                  nearest == NULL ? "" : "\"?");
	}
	(void)(is_map_or_nothing(r, trial, "options") && is_map_or_nothing(r, trial, "events") && is_map_or_nothing(r, trial, "except"));
	if (sample != NULL && (sample->kind != LEAT_SETTING_LIST || sample->n == 0))
		leat_report_error(r->report, sample->place, "sample must be a list of events");
	for (size_t i = 0; except != NULL && except->kind == LEAT_SETTING_MAP && i < except->n; i++)
		if (!is_property(except->item[i].name))
			leat_report_error(r->report, except->item[i].name_place, "there is no property \"%s\"", except->item[i].name);
	return leat_report_errors(r->report) == before;
}

static void print_head(struct run *r, const struct leat_setting *trial)
{
	const struct leat_setting *name = leat_setting_get(trial, "name");

	(void)fprintf(r->out, "%s", r->plugin->name);
	if (name != NULL && name->text != NULL)
		(void)fprintf(r->out, ", %s", name->text);
	if (trial != NULL)
		(void)fprintf(r->out, " (%s:%u)", trial->place.file, trial->place.line);
	(void)fprintf(r->out, ", seed %llu\n", (unsigned long long)r->trials->seed);
}

static void run_trial(struct run *r, const struct leat_setting *trial)
{
	const struct leat_conform_options options = { .only = r->trials->only, .except = leat_setting_get(trial, "except") };
	struct leat_script_options script = { .seed = r->trials->seed,
		                              .n_events = r->trials->n_events,
		                              .fields = leat_setting_get(trial, "events") };
	const struct leat_setting *sample = leat_setting_get(trial, "sample");
	const struct leat_setting *root = leat_solo_pipeline(r->arena, r->plugin, leat_setting_get(trial, "options"));
	struct leat_description *d;
	struct leat_trial made = { .seed = r->trials->seed };
	size_t n_samples = r->n_samples;

	d = leat_description_make(r->registry, r->trials->file == NULL ? "" : r->trials->file, root, r->report);
	if (d == NULL)
		return;
	leat_symbols_freeze(d->symbols);
	if (sample != NULL)
		read_sample_list(r, sample);
	if (script.fields == NULL) {
		script.sample = sample != NULL ? r->sample + n_samples : r->sample;
		script.n_samples = sample != NULL ? r->n_samples - n_samples : n_samples;
	}
	r->n_samples = n_samples;
	made.description = d;
	made.node = leat_solo_node(d);
	leat_script_make(&made.script, made.node, d->symbols, &script);
	print_head(r, trial);
	leat_conform(&made, &options, r->out, r->result);
	leat_script_finish(&made.script);
	leat_description_destroy(d);
}

void leat_trials_run(const struct leat_trials *trials, const struct leat_registry *registry, const struct leat_plugin *plugin, FILE *out,
                     struct leat_report *report, struct leat_conform_result *result)
{
	struct run r = { .trials = trials, .registry = registry, .plugin = plugin, .report = report, .out = out, .result = result };
	size_t before = leat_report_errors(report);
	const struct leat_setting *root = NULL;

	r.arena = leat_arena_create();
	read_sample_file(&r);
	if (trials->file != NULL)
		root = leat_file_read(r.arena, trials->file, report);
	if (root != NULL && root->kind == LEAT_SETTING_LIST && root->n == 0)
		leat_report_error(report, root->place, "there are no trials in the file");
	for (size_t i = 0; root != NULL && i < (root->kind == LEAT_SETTING_LIST ? root->n : 1); i++)
		(void)check_trial(&r, root->kind == LEAT_SETTING_LIST ? &root->item[i] : root);
	if (leat_report_errors(report) > before)
		root = NULL;
	else if (trials->file == NULL)
		run_trial(&r, NULL);
	for (size_t i = 0; root != NULL && i < (root->kind == LEAT_SETTING_LIST ? root->n : 1); i++)
		run_trial(&r, root->kind == LEAT_SETTING_LIST ? &root->item[i] : root);
	free(r.sample);
	leat_arena_unref(r.arena);
}
