/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_OPTION_WORDS_H
#define LEAT_PLUGIN_OPTION_WORDS_H

#include "plugin/options.h"

bool leat_option_type_is_known(enum leat_option_type type);
/* A number with bounds to keep. */
bool leat_option_is_ranged(const struct leat_option *option);
/* What a value has to be, after "must be": "an integer from 1 to 10". */
void leat_option_expect(const struct leat_option *option, struct leat_buffer *out);

#endif
