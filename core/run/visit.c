/* SPDX-License-Identifier: Apache-2.0 */
#include "run/visit.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/memory.h"
#include "run/instance.h"

enum { PATIENCE_US = 30000000, PAUSE_NS = 250000000 };

struct leat_visit {
	const struct leat_description *description;
	const struct leat_node *node;
	const struct leat_sink_ops *ops;
	void *self;
	struct leat_instance *instance;
};

/* Refusals are of effects, and there are none. */
static void ignore(struct leat_instance *instance, size_t effect, const struct leat_error *err)
{
	(void)instance;
	(void)effect;
	(void)err;
}

enum leat_status leat_visit_open(const struct leat_description *d, const struct leat_node *node, struct leat_visit **out,
                                 struct leat_error *err)
{
	struct leat_visit *v = leat_allocate_zeroed(1, sizeof *v);
	enum leat_status status;

	v->description = d;
	v->node = node;
	v->ops = node->plugin->sink;
	v->self = leat_allocate_zeroed(1, node->instance_size + 1);
	if (node->instance_size > 0)
		memcpy(v->self, node->image, node->instance_size);
	leat_symbols_freeze(d->symbols);
	status = leat_instance_attach(d, node, 0, 0, v->self, &v->instance, err);
	if (status == LEAT_OK) {
		v->instance->refuse = ignore;
		leat_error_clear(err);
		status = leat_plugin_create(node->plugin, node->role, v->self, &v->instance->context, err);
		status = leat_instance_judge(v->instance, status, LEAT_MAY_FAIL, "create", err);
	}
	if (status == LEAT_OK)
		*out = v;
	else
		leat_visit_close(v);
	return status;
}

void leat_visit_close(struct leat_visit *v)
{
	if (v == NULL)
		return;
	leat_plugin_destroy(v->node->plugin, v->node->role, v->self);
	leat_instance_destroy(v->instance);
	free(v->self);
	free(v);
}

static enum leat_status claim_once(struct leat_visit *v, const struct leat_claim *claim, struct leat_fence *found, struct leat_error *err)
{
	struct leat_fence is = { 0 };
	enum leat_status status;

	leat_error_clear(err);
	status = v->ops->claim(v->self, claim, &is, &v->instance->context, err);
	status = leat_instance_judge(v->instance, status, LEAT_MAY_WAIT | 1u << LEAT_AGAIN, "claim", err);
	if (status == LEAT_OK)
		*found = is;
	return status;
}

/* True: once more. */
static bool rest(enum leat_status status, int64_t until_us)
{
	if (status == LEAT_OK || status == LEAT_FATAL || leat_clock_monotonic_us() > until_us)
		return false;
	(void)nanosleep(&(struct timespec){ .tv_nsec = PAUSE_NS }, NULL);
	return true;
}

enum leat_status leat_visit_claim(struct leat_visit *v, uint64_t incarnation, struct leat_fence *found, struct leat_error *err)
{
	const struct leat_claim claim = { .pipeline = v->description->name, .sink = v->node->name, .is_fenced = true,
		                              .incarnation = incarnation };
	int64_t until_us = leat_clock_monotonic_us() + PATIENCE_US;
	enum leat_status status;

	do
		status = claim_once(v, &claim, found, err);
	while (rest(status, until_us));
	return status;
}

enum leat_status leat_visit_set(struct leat_visit *v, const struct leat_fence *expected, const struct leat_fence *next,
                                struct leat_error *err)
{
	const struct leat_delivery delivery = { .is_fenced = true, .expected = *expected, .next = *next };
	int64_t until_us = leat_clock_monotonic_us() + PATIENCE_US;
	enum leat_status status;
	struct leat_fence found;

	do {
		leat_error_clear(err);
		status = v->ops->deliver(v->self, &delivery, &v->instance->context, err);
		status = leat_instance_judge(v->instance, status, LEAT_MAY_WAIT | 1u << LEAT_AGAIN, "deliver", err);
		/* As after any unknown outcome: claimed anew, and the same again, which the sink recognises when it was done. */
		if (status == LEAT_UNKNOWN && leat_visit_claim(v, next->incarnation, &found, err) == LEAT_FATAL)
			return LEAT_FATAL;
	} while (rest(status, until_us));
	return status;
}
