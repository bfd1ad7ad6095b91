/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_SETTING_H
#define LEAT_PLUGIN_SETTING_H

#include "base/arena.h"
#include "base/report.h"

/* A piece of a pipeline file with its place: what graph/ reads from YAML and options are filled from. Lives in an arena. */

enum leat_setting_kind { LEAT_SETTING_SCALAR, LEAT_SETTING_LIST, LEAT_SETTING_MAP };

struct leat_setting {
	enum leat_setting_kind kind;
	struct leat_place place; /* of the value; an item of a map also has name_place */
	const char *name;        /* of a map's item, else NULL */
	struct leat_place name_place;
	const char *text; /* scalar, after ${} was replaced; YAML's null is NULL */
	bool is_quoted;   /* a scalar in quotes is text, never a number or a bool */
	size_t n;
	const struct leat_setting *item; /* of lists and maps, in file order */
};

/* The item with that name, or NULL. Accepts NULL and settings that are no map. */
const struct leat_setting *leat_setting_get(const struct leat_setting *map, const char *name);

#endif
