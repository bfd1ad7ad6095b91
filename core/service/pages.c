/* SPDX-License-Identifier: Apache-2.0 */
#include "service/fleet.h"
#include "service/health.h"
#include "service/listing.h"
#include "service/metrics.h"

enum { SERVICE_UNAVAILABLE = 503 };

static void write_metrics(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer)
{
	answer->type = "text/plain; version=0.0.4; charset=utf-8";
	leat_metrics_render(&answer->body, s, n);
	leat_process_metrics_render(&answer->body);
}

static void write_health(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer)
{
	answer->type = "application/json";
	if (!leat_health_render(&answer->body, s, n))
		answer->status = SERVICE_UNAVAILABLE;
}

static void write_readiness(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer)
{
	answer->type = "application/json";
	if (!leat_readiness_render(&answer->body, s, n))
		answer->status = SERVICE_UNAVAILABLE;
}

static void write_listing(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer)
{
	answer->type = "application/json";
	leat_listing_render(&answer->body, s, n);
}

static void write_index(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer)
{
	(void)s;
	(void)n;
	leat_buffer_text(&answer->body, "/metrics  figures for Prometheus\n"
	                                "/healthz  503 when a pipeline has stopped\n"
	                                "/readyz   503 until every pipeline runs, with what it waits for\n"
	                                "/api/v1/pipelines  what runs, what it promises, how far it is\n");
}

static const struct page {
	const char *path;
	void (*write)(const struct leat_snapshot *s, size_t n, struct leat_http_answer *answer);
} pages[] = {
	{"/metrics", write_metrics},
	{"/healthz", write_health},
	{"/readyz", write_readiness},
	{"/api/v1/pipelines", write_listing},
	{"/", write_index},
};

bool leat_fleet_page(void *opaque, const char *path, struct leat_http_answer *answer)
{
	const struct leat_fleet *fleet = opaque;

	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++)
		if (strcmp(path, pages[i].path) == 0) {
			struct leat_snapshot *snapshots = leat_fleet_look(fleet);

			pages[i].write(snapshots, fleet->n, answer);
			leat_fleet_forget(fleet, snapshots);
			return true;
		}
	return false;
}
