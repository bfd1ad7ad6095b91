/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/status.h"

#include "cli/paint.h"
#include "service/format.h"

enum { PARTS = 12, GAP = 2 };

struct part {
	struct leat_buffer text;
	unsigned rank; /* the highest goes first when there is no room */
	enum leat_colour colour;
};

struct line {
	struct part part[PARTS];
	size_t n;
};

static struct leat_buffer *add(struct line *line, unsigned rank, enum leat_colour colour)
{
	struct part *part = &line->part[line->n++];

	part->rank = rank;
	part->colour = colour;
	return &part->text;
}

static size_t line_width(const struct line *line)
{
	size_t width = 0;

	for (size_t i = 0; i < line->n; i++)
		if (line->part[i].text.n > 0)
			width += leat_text_columns(line->part[i].text.data, line->part[i].text.n) + (width > 0 ? GAP : 0);
	return width;
}

/* False: only one part is left. */
static bool drop_one(struct line *line)
{
	struct part *least = NULL;
	size_t n = 0;

	for (size_t i = 0; i < line->n; i++)
		if (line->part[i].text.n > 0) {
			n++;
			if (least == NULL || line->part[i].rank > least->rank)
				least = &line->part[i];
		}
	if (n <= 1)
		return false;
	least->text.n = 0;
	return true;
}

static void fill(struct line *line, const struct leat_status_view *v)
{
	const struct leat_totals *t = &v->reading.totals;
	struct leat_buffer *text;

	leat_buffer_text(add(line, 0, LEAT_BOLD), v->name);
	if (v->state != NULL)
		leat_buffer_text(add(line, 1, LEAT_YELLOW), v->state);
	if (v->waiting != NULL)
		leat_format_put(add(line, 4, LEAT_YELLOW), "waiting for %s", v->waiting);
	text = add(line, 2, LEAT_PLAIN);
	leat_format_count(text, v->reading.in_per_s);
	leat_buffer_text(text, " in/s");
	text = add(line, 3, LEAT_PLAIN);
	leat_format_count(text, v->reading.out_per_s);
	leat_buffer_text(text, " out/s");
	if (t->lag >= 0) {
		text = add(line, 7, LEAT_PLAIN);
		leat_buffer_text(text, "lag ");
		leat_format_count(text, (double)t->lag);
	}
	if (t->behind_us >= 0) {
		text = add(line, 8, LEAT_PLAIN);
		leat_buffer_text(text, "watermark ");
		leat_format_behind(text, (double)t->behind_us);
		leat_buffer_text(text, " behind");
	}
	leat_format_put(add(line, 10, t->queue > 0.9 ? LEAT_YELLOW : LEAT_PLAIN), "queue %.0f%%", t->queue * 100);
	if (v->reading.p99_us >= 0) {
		text = add(line, 9, LEAT_PLAIN);
		leat_buffer_text(text, "p99 ");
		leat_format_latency(text, v->reading.p99_us);
	}
	text = add(line, 5, t->alerts > 0 ? LEAT_YELLOW : LEAT_PLAIN);
	leat_buffer_text(text, "alerts ");
	leat_format_count(text, (double)t->alerts);
	text = add(line, 6, t->dead_letters > 0 ? LEAT_RED : LEAT_PLAIN);
	leat_buffer_text(text, "dead ");
	leat_format_count(text, (double)t->dead_letters);
	leat_format_elapsed(add(line, 11, LEAT_DIM), v->elapsed_us);
}

void leat_status_format(struct leat_buffer *out, const struct leat_status_view *view, size_t width, bool has_colours)
{
	bool is_first = true;
	struct line line;

	memset(&line, 0, sizeof line);
	fill(&line, view);
	while (line_width(&line) > width && drop_one(&line))
		;
	for (size_t i = 0; i < line.n; i++) {
		if (line.part[i].text.n > 0) {
			if (!is_first)
				leat_format_put(out, "%*s", GAP, "");
			/* Only a name that is alone can be too long still. */
			leat_paint(out, line.part[i].text.data, leat_text_fit(line.part[i].text.data, line.part[i].text.n, width),
			           line.part[i].colour, has_colours);
			is_first = false;
		}
		leat_buffer_finish(&line.part[i].text);
	}
}

/* The first node that is not ready, of any pipeline. */
static const char *waiting_node(const struct leat_snapshot *s)
{
	for (size_t i = 0; i < s->figures.n_nodes; i++)
		if (!s->figures.node[i].is_ready || s->figures.node[i].trouble[0] != '\0')
			return s->plan->description->node[i].name;
	return NULL;
}

/* Of several states, the one that says most: who looks at the line wants to know what is not as it should be. */
static unsigned weight(const struct leat_snapshot *s)
{
	static const unsigned weights[LEAT_RUN_STATES] = {
		[LEAT_RUN_STARTING] = 3, [LEAT_RUN_RUNNING] = 1, [LEAT_RUN_DRAINING] = 2, [LEAT_RUN_DONE] = 0, [LEAT_RUN_STOPPED] = 4,
	};

	return s->figures.n_nodes == 0 ? weights[LEAT_RUN_STOPPED] : weights[s->figures.state];
}

void leat_status_describe(struct leat_status_view *view, const struct leat_snapshot *snapshot, size_t n, char *name,
                          size_t name_n)
{
	const struct leat_snapshot *worst = &snapshot[0];

	if (n == 1)
		(void)snprintf(name, name_n, "%s", snapshot[0].pipeline);
	else
		(void)snprintf(name, name_n, "%zu pipelines", n);
	view->name = name;
	view->waiting = NULL;
	for (size_t i = 0; i < n; i++) {
		if (weight(&snapshot[i]) > weight(worst))
			worst = &snapshot[i];
		if (view->waiting == NULL && (weight(&snapshot[i]) == 1 || weight(&snapshot[i]) == 3))
			view->waiting = waiting_node(&snapshot[i]);
	}
	view->state = weight(worst) == 1   ? NULL
	              : weight(worst) == 4 ? leat_run_state_name(LEAT_RUN_STOPPED)
	                                   : leat_run_state_name(worst->figures.state);
}
