/* SPDX-License-Identifier: Apache-2.0 */
/* Takes events and does nothing with them. The host counts them, so this is the end of a pipeline that is being measured. */
#include <leat/plugin.h>

static enum leat_status encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                               struct leat_context *ctx, struct leat_error *err)
{
	(void)self;
	(void)record;
	(void)effect;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static enum leat_status claim(void *self, const struct leat_claim *claimed, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	(void)self;
	(void)claimed;
	(void)found;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

static enum leat_status deliver(void *self, const struct leat_delivery *delivery, struct leat_context *ctx,
                                struct leat_error *err)
{
	(void)self;
	(void)delivery;
	(void)ctx;
	(void)err;
	return LEAT_OK;
}

/* Nothing twice is as nothing once. */
static enum leat_guarantee guarantee(const void *self)
{
	(void)self;
	return LEAT_IDEMPOTENT;
}

static const struct leat_sink_ops ops = {
	.size = sizeof ops,
	.guarantee = guarantee,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
};

LEAT_PLUGIN(.name = "discard", .version = "1.0", .summary = "Takes events and forgets them.", .licence = "Apache-2.0",
            .sink = &ops);
