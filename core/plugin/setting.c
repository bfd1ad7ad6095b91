/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/setting.h"

#include <string.h>

const struct leat_setting *leat_setting_get(const struct leat_setting *map, const char *name)
{
	if (map == NULL || map->kind != LEAT_SETTING_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (strcmp(map->item[i].name, name) == 0)
			return &map->item[i];
	return NULL;
}
