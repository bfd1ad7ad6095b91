/* SPDX-License-Identifier: Apache-2.0 */
#include "run/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/condition.h"
#include "base/memory.h"
#include "base/thread.h"
#include "run/shard.h"

struct leat_mail {
	struct leat_mail *next;
	void (*run)(void *opaque);
	void *opaque;
};

void leat_worker_init(struct leat_worker *w, uint32_t index)
{
	memset(w, 0, sizeof *w);
	w->index = index;
	pthread_mutex_init(&w->lock, NULL);
	leat_condition_init(&w->wake);
}

void leat_worker_finish(struct leat_worker *w)
{
	leat_check(!w->is_started && w->mail == NULL);
	free(w->shard);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
}

void leat_worker_wake(struct leat_worker *w)
{
	if (atomic_exchange(&w->is_woken, true) || !atomic_load(&w->is_asleep))
		return;
	pthread_mutex_lock(&w->lock);
	leat_condition_signal(&w->wake, &w->lock);
}

static void sleep_until(struct leat_worker *w, int64_t deadline_us)
{
	atomic_store_explicit(&w->round_us, 0, memory_order_relaxed);
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->is_asleep, true);
	/* Whoever wakes us sets is_woken before looking at is_asleep, so one of us two sees the other. */
	while (!atomic_load(&w->is_woken) && leat_condition_wait(&w->wake, &w->lock, deadline_us))
		;
	atomic_store(&w->is_asleep, false);
	pthread_mutex_unlock(&w->lock);
	atomic_fetch_add_explicit(&w->wakeups, 1, memory_order_relaxed);
}

static void read_mail(struct leat_worker *w)
{
	struct leat_mail *mail, *next;

	pthread_mutex_lock(&w->lock);
	mail = w->mail;
	w->mail = NULL;
	pthread_mutex_unlock(&w->lock);
	for (; mail != NULL; mail = next) {
		next = mail->next;
		mail->run(mail->opaque);
		free(mail);
	}
}

static void *work(void *opaque)
{
	struct leat_worker *w = opaque;
	bool has_worked;
	int64_t deadline_us;
	size_t i;

	leat_thread_name("worker %u", w->index);
	for (;;) {
		/* An exchange, not a store: what was done before the wake-up that it takes is then visible here. */
		(void)atomic_exchange(&w->is_woken, false);
		atomic_store_explicit(&w->round_us, leat_clock_monotonic_us(), memory_order_relaxed);
		read_mail(w);
		if (w->is_stopped) {
			atomic_store_explicit(&w->round_us, 0, memory_order_relaxed);
			return NULL;
		}
		has_worked = false;
		deadline_us = INT64_MAX;
		for (i = 0; i < w->n_shards; i++) {
			int64_t next_us = leat_shard_run(w->shard[i]);

			if (next_us == 0)
				has_worked = true;
			else if (next_us < deadline_us)
				deadline_us = next_us;
		}
		if (!has_worked)
			sleep_until(w, deadline_us);
	}
}

void leat_worker_start(struct leat_worker *w)
{
	leat_check(!w->is_started);
	leat_check(pthread_create(&w->thread, NULL, work, w) == 0);
	w->is_started = true;
}

void leat_worker_send(struct leat_worker *w, void (*run)(void *opaque), void *opaque)
{
	struct leat_mail *mail = leat_allocate_zeroed(1, sizeof *mail), **end;

	mail->run = run;
	mail->opaque = opaque;
	pthread_mutex_lock(&w->lock);
	for (end = &w->mail; *end != NULL; end = &(*end)->next)
		;
	*end = mail;
	pthread_mutex_unlock(&w->lock);
	leat_worker_wake(w);
}

struct call {
	void (*run)(void *opaque);
	void *opaque;
	bool is_done;
	pthread_mutex_t lock;
	pthread_cond_t done;
};

static void run_call(void *opaque)
{
	struct call *call = opaque;

	call->run(call->opaque);
	pthread_mutex_lock(&call->lock);
	call->is_done = true;
	pthread_cond_signal(&call->done);
	pthread_mutex_unlock(&call->lock);
}

void leat_worker_call(struct leat_worker *w, void (*run)(void *opaque), void *opaque)
{
	struct call call = { .run = run, .opaque = opaque };

	if (!w->is_started) {
		run(opaque);
		return;
	}
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.done, NULL);
	leat_worker_send(w, run_call, &call);
	pthread_mutex_lock(&call.lock);
	while (!call.is_done)
		pthread_cond_wait(&call.done, &call.lock);
	pthread_mutex_unlock(&call.lock);
	pthread_cond_destroy(&call.done);
	pthread_mutex_destroy(&call.lock);
}

static void stop(void *opaque)
{
	struct leat_worker *w = opaque;

	w->is_stopped = true;
}

void leat_worker_stop(struct leat_worker *w)
{
	if (!w->is_started)
		return;
	leat_worker_send(w, stop, w);
	pthread_join(w->thread, NULL);
	w->is_started = false;
}

void leat_worker_adopt(struct leat_worker *w, struct leat_shard *shard)
{
	size_t i;

	w->shard = leat_grow(w->shard, w->n_shards, &w->shard_capacity, sizeof *w->shard);
	for (i = w->n_shards++; i > 0 && leat_shard_stage(w->shard[i - 1]) < leat_shard_stage(shard); i--)
		w->shard[i] = w->shard[i - 1];
	w->shard[i] = shard;
}
