/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SERVICE_FLEET_H
#define LEAT_SERVICE_FLEET_H

#include "service/http.h"
#include "service/snapshot.h"

/*
 * The pipelines of this process, one from each file. A file that cannot be read stays in the fleet without a pipeline, so
 * that health can name it. Members change only before and in start(); after that snapshots may be taken by any thread.
 */

struct leat_fleet_member {
	char *file;
	char *name;                           /* the pipeline's; of a file that cannot be read, the file's */
	struct leat_description *description; /* NULL: the file cannot be read */
	struct leat_pipeline *pipeline;       /* NULL: not started, or could not be */
	char trouble[LEAT_ERROR_TEXT];        /* why there is no pipeline */
};

struct leat_fleet {
	size_t n, capacity;
	struct leat_fleet_member *member;
};

struct leat_fleet *leat_fleet_create(void);
/* Aborts what still runs. Accepts NULL. */
void leat_fleet_destroy(struct leat_fleet *fleet);

/* Reads a file. Dead letters that no one reads go to leat_dead_letters_path(). False: it went to the report;
 * also when another member has the same pipeline name or the same stem. */
bool leat_fleet_add(struct leat_fleet *fleet, const struct leat_registry *registry, const char *file, const char *state_dir,
                    struct leat_report *report);
/* Starts all that were read, and keeps the reason of those that cannot be (the pipeline has logged it). Returns how many run. */
size_t leat_fleet_start(struct leat_fleet *fleet, const struct leat_run_options *options);
void leat_fleet_drain(struct leat_fleet *fleet);

/* fleet->n of them, for leat_fleet_forget(). */
struct leat_snapshot *leat_fleet_look(const struct leat_fleet *fleet);
void leat_fleet_forget(const struct leat_fleet *fleet, struct leat_snapshot *snapshots);

/* A leat_http_page whose `opaque` is the fleet: /, /metrics, /healthz and /readyz. */
bool leat_fleet_page(void *opaque, const char *path, struct leat_http_answer *answer);

/* The file's name without its folder and extension, for free(). */
char *leat_file_stem(const char *path);
/* Where dead letters go that no one reads, `<state_dir>/<the file's stem>.dead.jsonl`, for free(). */
char *leat_dead_letters_path(const char *state_dir, const char *file);

#endif
