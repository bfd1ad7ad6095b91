/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include <stdint.h>

int64_t leat_clock_now_us(void);       /* since 1970-01-01 UTC; may jump */
int64_t leat_clock_monotonic_us(void); /* for waiting and measuring */
uint64_t leat_clock_cpu_ns(void);      /* CPU time of the calling thread */

#endif
