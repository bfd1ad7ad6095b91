/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/roles.h"

size_t leat_plugin_roles(const struct leat_plugin *plugin, struct leat_role_view view[LEAT_ROLES])
{
	size_t n = 0;

	if (plugin->source != NULL)
		view[n++] = (struct leat_role_view){ .name = "source",
			                             .section = "sources",
			                             .options = plugin->source->options,
			                             .has_format = !plugin->source->is_decoded };
	if (plugin->op != NULL)
		view[n++] = (struct leat_role_view){ .name = "operator", .section = "operators", .options = plugin->op->options };
	if (plugin->sink != NULL)
		view[n++] = (struct leat_role_view){ .name = "sink",
			                             .section = "sinks",
			                             .options = plugin->sink->options,
			                             .has_format = plugin->sink->is_encoded };
	if (plugin->codec != NULL)
		view[n++] = (struct leat_role_view){ .name = "codec", .options = plugin->codec->options };
	return n;
}
