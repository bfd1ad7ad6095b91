/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGIN_SCALAR_H
#define LEAT_PLUGIN_SCALAR_H

#include "plugin/options.h"

/* The forms of numbers that options.h does not need to show: all of the text, decimal, in range, or false. */
bool leat_parse_integer(const char *text, int64_t *out);
bool leat_parse_real(const char *text, double *out); /* finite */

/* As a pipeline file would have it: "90s", "64KiB". */
void leat_format_duration(int64_t us, char *out, size_t n);
void leat_format_size(int64_t bytes, char *out, size_t n);

#endif
