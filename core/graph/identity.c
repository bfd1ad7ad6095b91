/* SPDX-License-Identifier: Apache-2.0 */
/* E11: in words what a node is, as far as state, positions and effects belong to just that. What else a file says of it may
 * change from one start to the next. */
#include <leat/buffer.h>

#include "base/memory.h"
#include "graph/description.h"

static void put_keys(const struct leat_node *node, struct leat_buffer *text)
{
	uint32_t n_inputs = node->n_named > 0 ? node->n_named : 1;

	leat_buffer_text(text, node->n_keys == 0 ? " without a key" : " by ");
	for (size_t i = 0; i < node->n_keys * n_inputs; i++) {
		leat_buffer_text(text, i > 0 ? ", \"" : "\"");
		if (node->n_named > 0) {
			leat_buffer_text(text, node->plugin->op->inputs[i / node->n_keys]);
			leat_buffer_byte(text, '.');
		}
		leat_buffer_text(text, node->key[i]->text);
		leat_buffer_byte(text, '"');
	}
}

static void put_place(const struct leat_node *node, struct leat_buffer *text)
{
	void (*identity)(const void *self, struct leat_buffer *text) = node->role == LEAT_ROLE_SOURCE ? node->plugin->source->identity :
	                                                                                                 node->plugin->sink->identity;

	if (identity == NULL)
		return;
	leat_buffer_byte(text, ' ');
	identity(node->prototype, text);
}

char *leat_node_identity(const struct leat_node *node)
{
	struct leat_buffer text = { 0 };
	char *copy;

	leat_buffer_text(&text, node->plugin->name);
	if (node->role == LEAT_ROLE_OPERATOR)
		put_keys(node, &text);
	else
		put_place(node, &text);
	copy = leat_copy_bytes_as_text(text.data, text.n);
	leat_buffer_finish(&text);
	return copy;
}
