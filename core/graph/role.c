/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/description.h"

/* The three roles of a plugin behind one set of functions: the only place that switches on them. */

const char *leat_role_name(enum leat_role role)
{
	static const char *const names[] = { "source", "operator", "sink" };

	return names[role];
}

size_t leat_plugin_instance_size(const struct leat_plugin *plugin, enum leat_role role)
{
	switch (role) {
	case LEAT_ROLE_SOURCE:
		return plugin->source->instance_size;
	case LEAT_ROLE_OPERATOR:
		return plugin->op->instance_size;
	case LEAT_ROLE_SINK:
		break;
	}
	return plugin->sink->instance_size;
}

const struct leat_option *leat_plugin_options(const struct leat_plugin *plugin, enum leat_role role)
{
	switch (role) {
	case LEAT_ROLE_SOURCE:
		return plugin->source->options;
	case LEAT_ROLE_OPERATOR:
		return plugin->op->options;
	case LEAT_ROLE_SINK:
		break;
	}
	return plugin->sink->options;
}

typedef enum leat_status hook(void *self, struct leat_context *ctx, struct leat_error *err);

static enum leat_status call(hook *f, void *self, struct leat_context *ctx, struct leat_error *err)
{
	return f != NULL ? f(self, ctx, err) : LEAT_OK;
}

enum leat_status leat_plugin_create(const struct leat_plugin *plugin, enum leat_role role, void *self, struct leat_context *ctx,
                                    struct leat_error *err)
{
	switch (role) {
	case LEAT_ROLE_SOURCE:
		return call(plugin->source->create, self, ctx, err);
	case LEAT_ROLE_OPERATOR:
		return call(plugin->op->create, self, ctx, err);
	case LEAT_ROLE_SINK:
		break;
	}
	return call(plugin->sink->create, self, ctx, err);
}

enum leat_status leat_plugin_check(const struct leat_plugin *plugin, enum leat_role role, void *self, struct leat_context *ctx,
                                   struct leat_error *err)
{
	switch (role) {
	case LEAT_ROLE_SOURCE:
		return call(plugin->source->check, self, ctx, err);
	case LEAT_ROLE_OPERATOR:
		return call(plugin->op->check, self, ctx, err);
	case LEAT_ROLE_SINK:
		break;
	}
	return call(plugin->sink->check, self, ctx, err);
}

void leat_plugin_destroy(const struct leat_plugin *plugin, enum leat_role role, void *self)
{
	void (*destroy)(void *) = role == LEAT_ROLE_SOURCE ? plugin->source->destroy :
	                          role == LEAT_ROLE_OPERATOR ? plugin->op->destroy : plugin->sink->destroy;

	if (destroy != NULL && self != NULL)
		destroy(self);
}
