/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_OPTION_READ_H
#define LEAT_PLUGIN_OPTION_READ_H

#include "plugin/options.h"

/* Bytes of the member that an option of that type fills. */
size_t leat_option_member_size(enum leat_option_type type);
/* Reads one setting into the member, of whichever type. False: reported, `member` untouched. */
bool leat_option_read(const struct leat_option *option, const struct leat_setting *setting, const struct leat_option_fill *fill,
                      void *member);
/* The same from an option's preset, with `place` for its mistakes. Lists are written `[a, b]`. */
bool leat_option_read_preset(const struct leat_option *option, struct leat_place place, const struct leat_option_fill *fill,
                             void *member);

#endif
