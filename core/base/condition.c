/* SPDX-License-Identifier: Apache-2.0 */
#include "base/condition.h"

#include <errno.h>
#include <time.h>

void leat_condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool leat_condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t until_us)
{
	struct timespec until = { .tv_sec = until_us / 1000000, .tv_nsec = until_us % 1000000 * 1000 };

	if (until_us == INT64_MAX) {
		pthread_cond_wait(condition, lock);
		return true;
	}
	return pthread_cond_timedwait(condition, lock, &until) != ETIMEDOUT;
}

void leat_condition_signal(pthread_cond_t *condition, pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	pthread_cond_signal(condition);
}

void leat_condition_broadcast(pthread_cond_t *condition, pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
	pthread_cond_broadcast(condition);
}
