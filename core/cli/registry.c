/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli.h"
#include "lua/lua_plugin.h"
#include "run/json_codec.h"
#include "schema/schema_plugin.h"

struct leat_registry *leat_cli_registry(const char *plugin_path)
{
	struct leat_registry *registry = leat_registry_create();
	const struct leat_refused *refused;
	const struct leat_loaded *loaded;
	size_t n_builtin;

	if (plugin_path == NULL)
		plugin_path = getenv("LEAT_PLUGIN_PATH");
	if (plugin_path == NULL || *plugin_path == '\0')
		plugin_path = LEAT_PLUGINDIR;
	leat_registry_add(registry, &leat_json_plugin);
	leat_registry_add(registry, &leat_lua_plugin);
	leat_registry_add(registry, &leat_schema_plugin);
	n_builtin = leat_registry_loaded(registry, &loaded);
	leat_registry_load_folders(registry, plugin_path);
	/* Else a wrong path shows only as one unknown plugin after the other. */
	if (leat_registry_loaded(registry, &loaded) == n_builtin && leat_registry_refused(registry, &refused) == 0)
		leat_log_line(LEAT_WARNING, "there are no plugins in \"%s\"", plugin_path);
	return registry;
}
