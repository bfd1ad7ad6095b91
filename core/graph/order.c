/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/memory.h"
#include "graph/build.h"

/*
 * The order of the nodes, each after all its inputs, by a depth-first walk from the nodes to their inputs. An input that is
 * still on the walk's way closes a cycle, and the way is the cycle. The walk keeps its own stack: chains may be long.
 */

enum { WHITE, GREY, BLACK };

struct step {
	uint32_t node;
	size_t next; /* input to look at */
};

struct walk {
	struct leat_build *b;
	struct step *way;
	size_t n_way;
	unsigned char *colour;
	uint32_t *order;
	size_t n_order;
};

/* way[first..n_way) is a cycle, each node after one that reads it. Told from the node that stands first in the file on. */
static void report_cycle(const struct walk *w, size_t first)
{
	const struct leat_node *node = w->b->description->node;
	size_t n = w->n_way - first, start = first, i;
	struct leat_place place = { 0 };
	struct leat_buffer path = { 0 };
	uint32_t before;

	for (i = first; i < w->n_way; i++)
		if (w->way[i].node < w->way[start].node)
			start = i;
	for (i = 0; i <= n; i++) { /* against the walk, which goes from readers to what they read */
		leat_buffer_text(&path, i == 0 ? "" : " -> ");
		leat_buffer_text(&path, node[w->way[first + (start - first + n - i % n) % n].node].name);
	}
	leat_buffer_byte(&path, '\0');
	before = w->way[first + (start - first + 1) % n].node;
	for (i = node[w->way[start].node].n_inputs; i-- > 0;)
		if (node[w->way[start].node].input[i].node == before)
			place = node[w->way[start].node].input[i].place;
	leat_report_error(w->b->report, place, "the nodes form a cycle: %s", path.data);
	leat_buffer_finish(&path);
}

static void close_cycle(const struct walk *w, uint32_t node)
{
	size_t first = w->n_way;

	while (w->way[--first].node != node)
		;
	report_cycle(w, first);
}

static void walk_from(struct walk *w, uint32_t root)
{
	const struct leat_node *node = w->b->description->node;

	w->way[0] = (struct step){ .node = root };
	w->n_way = 1;
	w->colour[root] = GREY;
	while (w->n_way > 0) {
		struct step *step = &w->way[w->n_way - 1];
		uint32_t input;

		if (step->next == node[step->node].n_inputs) {
			w->colour[step->node] = BLACK;
			w->order[w->n_order++] = step->node;
			w->n_way--;
			continue;
		}
		input = node[step->node].input[step->next++].node;
		if (w->colour[input] == GREY) {
			close_cycle(w, input);
		} else if (w->colour[input] == WHITE) {
			w->colour[input] = GREY;
			w->way[w->n_way++] = (struct step){ .node = input };
		}
	}
}

void leat_build_order(struct leat_build *b)
{
	struct leat_description *d = b->description;
	struct walk w = { .b = b };
	uint32_t i;

	w.way = leat_allocate_zeroed(d->n_nodes + 1, sizeof *w.way);
	w.colour = leat_allocate_zeroed(d->n_nodes + 1, 1);
	w.order = leat_arena_allocate(d->arena, d->n_nodes * sizeof *w.order);
	for (i = 0; i < d->n_nodes; i++)
		if (w.colour[i] == WHITE)
			walk_from(&w, i);
	d->order = w.order;
	free(w.way);
	free(w.colour);
}
