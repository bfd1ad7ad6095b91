/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_CODEC_H
#define LEAT_CODEC_H

/*
 * Codecs: bytes to values and back, chosen by a node's `format`.
 *
 * The host makes one instance for every shard of a source and every encoding thread, so a codec may keep buffers. decode()
 * is given input that lives as long as the arena it allocates from and has LEAT_CODEC_PADDING readable bytes behind it, so
 * values may point into it.
 */

#include <leat/host.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { LEAT_CODEC_PADDING = 64 };

struct leat_codec_ops {
	size_t size; /* sizeof (struct leat_codec_ops) */
	size_t instance_size;
	const struct leat_option *options;

	enum leat_status (*create)(void *self, struct leat_context *ctx, struct leat_error *err);
	/* LEAT_REJECT with the position in the reason, e.g. "invalid UTF-8 at byte 17". Required. */
	enum leat_status (*decode)(void *self, const char *bytes, size_t n, struct leat_value *out, struct leat_context *ctx,
	                           struct leat_error *err);
	/* Appends. Required. */
	enum leat_status (*encode)(void *self, const struct leat_value *value, struct leat_buffer *out, struct leat_context *ctx,
	                           struct leat_error *err);
	void (*destroy)(void *self);
};

#ifdef __cplusplus
}
#endif

#endif
