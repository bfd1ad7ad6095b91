/* SPDX-License-Identifier: Apache-2.0 */
#include "service/fleet.h"

#include "base/log.h"
#include "base/memory.h"

struct leat_fleet *leat_fleet_create(void)
{
	return leat_allocate_zeroed(1, sizeof(struct leat_fleet));
}

void leat_fleet_destroy(struct leat_fleet *fleet)
{
	if (fleet == NULL)
		return;
	for (size_t i = 0; i < fleet->n; i++) {
		leat_pipeline_destroy(fleet->member[i].pipeline);
		leat_description_destroy(fleet->member[i].description);
		free(fleet->member[i].file);
		free(fleet->member[i].name);
	}
	free(fleet->member);
	free(fleet);
}

char *leat_file_stem(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	const char *dot = strrchr(name, '.');

	return leat_copy_bytes_as_text(name, dot == NULL || dot == name ? strlen(name) : (size_t)(dot - name));
}

char *leat_dead_letters_path(const char *state_dir, const char *file)
{
	char *stem = leat_file_stem(file);
	char *path = leat_format_text("%s/%s.dead.jsonl", state_dir, stem);

	free(stem);
	return path;
}

/* Two pipelines of a name could not be told apart in metrics, two files of a stem would write one dead-letter file. */
static bool is_unique(const struct leat_fleet *fleet, const struct leat_fleet_member *member, const char *stem,
                      struct leat_report *report)
{
	const struct leat_description *d = member->description;
	const struct leat_place place = {.file = member->file};

	for (size_t i = 0; i < fleet->n; i++) {
		const struct leat_fleet_member *other = &fleet->member[i];
		char *other_stem = leat_file_stem(other->file);
		bool is_same_stem = strcmp(stem, other_stem) == 0;

		free(other_stem);
		if (other->description != NULL && strcmp(d->name, other->description->name) == 0) {
			leat_report_error(report, place, "pipeline \"%s\" is in file \"%s\" already", d->name, other->file);
			return false;
		}
		if (other->description != NULL && is_same_stem) {
			leat_report_error(report, place, "cannot keep dead letters apart from those of file \"%s\": both are \"%s\"",
			                  other->file, stem);
			return false;
		}
	}
	return true;
}

bool leat_fleet_add(struct leat_fleet *fleet, const struct leat_registry *registry, const char *file, const char *state_dir,
                    struct leat_report *report)
{
	char *stem = leat_file_stem(file);
	char *dead_letters = leat_dead_letters_path(state_dir, file);
	const struct leat_description_options options = {.dead_letters = dead_letters};
	struct leat_fleet_member member = {.file = leat_copy_text(file)};

	/* The member's copy of the path, as places in the report point to it for as long as the fleet lives. */
	member.description = leat_description_read(registry, member.file, &options, report);
	if (member.description != NULL && !is_unique(fleet, &member, stem, report)) {
		leat_description_destroy(member.description);
		member.description = NULL;
	}
	member.name = leat_copy_text(member.description != NULL ? member.description->name : stem);
	if (member.description == NULL)
		(void)snprintf(member.trouble, sizeof member.trouble, "file \"%s\" has errors", file);
	free(dead_letters);
	free(stem);
	fleet->member = leat_grow(fleet->member, fleet->n, &fleet->capacity, sizeof *fleet->member);
	fleet->member[fleet->n++] = member;
	return member.description != NULL;
}

size_t leat_fleet_start(struct leat_fleet *fleet, const struct leat_run_options *options)
{
	size_t n_running = 0;

	for (size_t i = 0; i < fleet->n; i++) {
		struct leat_fleet_member *m = &fleet->member[i];
		struct leat_error err = {.status = LEAT_OK};

		if (m->description == NULL)
			continue;
		m->pipeline = leat_pipeline_create(leat_plan_make(m->description), options);
		if (leat_pipeline_start(m->pipeline, &err) == LEAT_OK) {
			n_running++;
			leat_log_line(LEAT_INFO, "pipeline \"%s\": started from \"%s\"", m->name, m->file);
			continue;
		}
		(void)snprintf(m->trouble, sizeof m->trouble, "%s", err.text);
		leat_pipeline_destroy(m->pipeline);
		m->pipeline = NULL;
	}
	return n_running;
}

void leat_fleet_drain(struct leat_fleet *fleet)
{
	for (size_t i = 0; i < fleet->n; i++)
		if (fleet->member[i].pipeline != NULL)
			leat_pipeline_drain(fleet->member[i].pipeline);
}

static void look(const struct leat_fleet_member *m, struct leat_snapshot *s)
{
	struct leat_error err;

	s->pipeline = m->name;
	s->file = m->file;
	(void)snprintf(s->trouble, sizeof s->trouble, "%s", m->trouble);
	if (m->pipeline == NULL)
		return;
	s->plan = leat_pipeline_plan(m->pipeline);
	leat_pipeline_figures(m->pipeline, &s->figures);
	if (leat_pipeline_error(m->pipeline, &err))
		(void)snprintf(s->trouble, sizeof s->trouble, "%s", err.text);
}

struct leat_snapshot *leat_fleet_look(const struct leat_fleet *fleet)
{
	struct leat_snapshot *snapshots = leat_allocate_zeroed(fleet->n + 1, sizeof *snapshots);

	for (size_t i = 0; i < fleet->n; i++)
		look(&fleet->member[i], &snapshots[i]);
	return snapshots;
}

void leat_fleet_forget(const struct leat_fleet *fleet, struct leat_snapshot *snapshots)
{
	for (size_t i = 0; i < fleet->n; i++)
		leat_snapshot_finish(&snapshots[i]);
	free(snapshots);
}
