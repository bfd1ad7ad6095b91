/* SPDX-License-Identifier: Apache-2.0 */
#include "run/json_codec.h"

#include "data/json.h"
#include "run/instance.h"

struct codec {
	struct leat_json *json;
};

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct codec *codec = self;

	(void)err;
	codec->json = leat_json_create(((struct leat_instance *)ctx)->description->symbols);
	return LEAT_OK;
}

static enum leat_status decode(void *self, const char *bytes, size_t n, struct leat_value *out, struct leat_context *ctx,
                               struct leat_error *err)
{
	struct codec *codec = self;

	return leat_json_decode(codec->json, ((struct leat_instance *)ctx)->arena, bytes, n, out, err);
}

static enum leat_status encode(void *self, const struct leat_value *value, struct leat_buffer *out, struct leat_context *ctx,
                               struct leat_error *err)
{
	(void)self;
	(void)ctx;
	return leat_json_encode(value, out, err);
}

static void destroy(void *self)
{
	struct codec *codec = self;

	leat_json_destroy(codec->json);
}

static const struct leat_codec_ops codec_ops = {
	.size = sizeof codec_ops,
	.instance_size = sizeof(struct codec),
	.create = create,
	.decode = decode,
	.encode = encode,
	.destroy = destroy,
};

const struct leat_plugin leat_json_plugin = {
	.magic = LEAT_MAGIC,
	.abi = LEAT_ABI,
	.size = sizeof(struct leat_plugin),
	.layout = LEAT_LAYOUT,
	.name = "json",
	.version = "1.0",
	.summary = "JSON, read by simdjson; numbers are exact and untouched parts are written back as they came.",
	.licence = "Apache-2.0",
	.codec = &codec_ops,
};
