/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_DATA_NUMBER_H
#define LEAT_DATA_NUMBER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers to text and back, whatever the locale says. */

enum { LEAT_NUMBER_TEXT = 40, LEAT_NUMBER_DECIMALS = 9 };

/* Writes at most LEAT_NUMBER_TEXT bytes, not terminated, and returns how many. */
size_t leat_number_write_integer(char *out, int64_t i);
/* The fewest digits that read back as the same double; an exponent outside 1e-6 .. 1e21 only. `d` is finite. */
size_t leat_number_write_real(char *out, double d);
/* With so many decimals (at most LEAT_NUMBER_DECIMALS), rounded; 0 when it would not fit, as for infinities. */
size_t leat_number_write_fixed(char *out, double d, unsigned decimals);
/* The nearest double to a JSON number, whose form the caller has checked; infinite when it is too large. */
double leat_number_read_real(const char *s, size_t n);

#ifdef __cplusplus
}
#endif

#endif
