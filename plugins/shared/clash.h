/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_CLASH_H
#define LEAT_PLUGINS_CLASH_H

#include <leat/plugin.h>

/* In create(): LEAT_FATAL, as two fields of what the operator sends out would have one name; `option` is where that can be mended. */
static inline enum leat_status clash(struct leat_error *err, const char *option, const char *name)
{
	leat_error_set(err, LEAT_FATAL, 0, "two fields of a row would have the name \"%s\", expected another for one of them", name);
	return leat_error_at(err, option);
}

#endif
