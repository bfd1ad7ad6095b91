/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_CONDITION_H
#define LEAT_BASE_CONDITION_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Condition variables that go by leat_clock_monotonic_us(), so that a clock that jumps ends no wait. */
void leat_condition_init(pthread_cond_t *condition);
/* As pthread_cond_wait(), until that time at most; INT64_MAX: for ever. False: the time has come. */
bool leat_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us);
/* Unlocks, then wakes one who waits, or all: one that is woken before would sleep again at once, for the lock. The condition has to
 * outlive the call, so nobody may take it away as soon as what he waits for is true. */
void leat_condition_signal(pthread_cond_t *condition, pthread_mutex_t *lock);
void leat_condition_broadcast(pthread_cond_t *condition, pthread_mutex_t *lock);

#endif
