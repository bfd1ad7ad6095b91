/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes each event as a line to standard output. Events of a delivery are written together; when only a part of them went
 * out before an error, the host delivers all of them again: at least once.
 */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include <leat/plugin.h>

#include "../shared/line.h"

struct out {
	const char *prefix;
	const struct leat_template *template;
	struct leat_buffer lines;
};

static enum leat_status encode(const void *self_, const struct leat_record *record, struct leat_buffer *effect,
                               struct leat_context *ctx, struct leat_error *err)
{
	const struct out *self = self_;
	size_t start = effect->n;
	enum leat_status status;

	leat_buffer_text(effect, self->prefix);
	if (self->template != NULL)
		status = leat_render(ctx, self->template, record, effect, err);
	else
		status = leat_encode(ctx, &record->value, effect, err);
	if (status != LEAT_OK) {
		effect->n = start;
		return status;
	}
	line_end(effect, start);
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

static enum leat_status write_all(const char *bytes, size_t n, struct leat_error *err)
{
	while (n > 0) {
		ssize_t written = write(STDOUT_FILENO, bytes, n);

		if (written >= 0) {
			bytes += written;
			n -= (size_t)written;
		} else if (errno == EAGAIN) {
			struct pollfd ready = { .fd = STDOUT_FILENO, .events = POLLOUT };

			(void)poll(&ready, 1, 1000);
		} else if (errno == EPIPE || errno == EBADF) {
			return leat_error_set(err, LEAT_FATAL, errno, "cannot write to standard output: %s", strerror(errno));
		} else if (errno != EINTR) {
			return leat_error_set(err, LEAT_RETRY, errno, "could not write to standard output: %s", strerror(errno));
		}
	}
	return LEAT_OK;
}

static enum leat_status deliver(void *self_, const struct leat_delivery *delivery, struct leat_context *ctx,
                                struct leat_error *err)
{
	struct out *self = self_;

	(void)ctx;
	self->lines.n = 0;
	for (size_t i = 0; i < delivery->n; i++)
		leat_buffer_append(&self->lines, delivery->effect[i].bytes, delivery->effect[i].n);
	return write_all(self->lines.data, self->lines.n, err);
}

static void destroy(void *self_)
{
	struct out *self = self_;

	leat_buffer_finish(&self->lines);
}

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct out, prefix, "prefix", "Written in front of every line, such as \"ALERT \".", .preset = ""),
	LEAT_OPTION(TEMPLATE, struct out, template, "template", "Line to write instead of the whole event, with {fields} in it."),
	{ 0 },
};

static const struct leat_sink_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct out),
	.options = options,
	.is_encoded = true,
	.encode = encode,
	.claim = claim,
	.deliver = deliver,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "stdout", .version = "1.0", .summary = "Writes events to standard output, one in a line.",
            .licence = "Apache-2.0", .sink = &ops);
