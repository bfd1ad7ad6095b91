/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_ROLES_H
#define LEAT_PLUGIN_ROLES_H

#include <leat/plugin.h>

/* The roles of a plugin one after the other, with what all of them have, for printing. */
struct leat_role_view {
	const char *name;    /* "source" */
	const char *section; /* of a pipeline file: "sources"; NULL for codecs */
	const struct leat_option *options;
	bool has_format; /* reads or writes records in the node's `format` */
};

enum { LEAT_ROLES = 4 };

/* Returns how many. */
size_t leat_plugin_roles(const struct leat_plugin *plugin, struct leat_role_view view[LEAT_ROLES]);

#endif
