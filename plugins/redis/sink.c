/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink. Requests were written by encode(); deliver() puts them behind each other, in chunks, and reads the replies.
 * Nothing here is atomic over several commands: a connection that breaks leaves the outcome unknown, and what is not
 * idempotent may then be done twice. Fenced deliveries go another way, in fence.c.
 */
#include "sink.h"

enum { CHUNK_COMMANDS = 1000, CHUNK_BYTES = 256 << 10 };

static const char *const commands[] = { "hset", "set", "incrby", "xadd", "publish", NULL };

static const struct leat_option options[] = {
	REDIS_CONNECTION_OPTIONS(struct sink),
	LEAT_OPTION(CHOICE, struct sink, command, "command", "What is done for each record.", .preset = "hset",
	            .choices = commands),
	LEAT_OPTION(TEMPLATE, struct sink, key, "key", "Key that is written, or the channel of publish.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(FIELDS, struct sink, fields, "fields",
	            "For hset and xadd: fields to write; otherwise all that are neither maps nor lists.",
	            .flags = 0),
	LEAT_OPTION(TEMPLATE, struct sink, value, "value",
	            "For set and publish: what is written; otherwise the record in the node's format.",
	            .flags = 0),
	LEAT_OPTION(TEMPLATE, struct sink, field, "field", "For incrby: count in this field of a hash instead of the key itself.",
	            .flags = 0),
	LEAT_OPTION(EXPRESSION, struct sink, by, "by", "For incrby: the integer to add.", .preset = "1"),
	LEAT_OPTION(DURATION, struct sink, ttl_us, "ttl",
	            "For hset, set and incrby: how long the key lives from now on; 0 for ever.",
	            .minimum = 0, .maximum = 3153600000e6),
	LEAT_OPTION(DURATION, struct sink, retention_us, "retention",
	            "Exactly once: how long what was delivered is kept, to be delivered again when Redis has lost it; 0: not at all.",
	            .preset = "1m", .minimum = 0, .maximum = 86400e6),
	LEAT_OPTION(INTEGER, struct sink, maxlen, "maxlen", "For xadd: about how many entries the stream keeps; 0 for all.",
	            .minimum = 0,
	            .maximum = 1e15),
	{ 0 },
};

static bool is_readable(const struct leat_effect *effect)
{
	return effect->n > 1 && effect->bytes[0] == EFFECT_VERSION;
}

/* The end of those effects that go out with the one at `from`. */
static size_t fill_chunk(struct sink *sink, const struct leat_delivery *d, size_t from)
{
	size_t i;

	sink->chunk.n = 0;
	for (i = from; i < d->n && i - from < CHUNK_COMMANDS && (i == from || sink->chunk.n + d->effect[i].n <= CHUNK_BYTES); i++)
		if (is_readable(&d->effect[i]))
			leat_buffer_append(&sink->chunk, d->effect[i].bytes + 1, d->effect[i].n - 1);
	return i;
}

static void add_refusal(struct sink *sink, size_t effect, const struct leat_error *err)
{
	if (sink->n_refusals == sink->refusal_capacity) {
		sink->refusal_capacity = sink->refusal_capacity == 0 ? 8 : sink->refusal_capacity * 2;
		sink->refusal = (struct refusal *)realloc(sink->refusal, sink->refusal_capacity * sizeof *sink->refusal);
		if (sink->refusal == NULL)
			leat_run_out();
	}
	sink->refusal[sink->n_refusals++] = (struct refusal){ .effect = effect, .error = *err };
}

static void refuse_unreadable(struct sink *sink, size_t effect, const char *bytes, size_t n)
{
	struct leat_error err;

	(void)leat_error_set(&err, LEAT_REJECT, 0, "effect is of version %d, this plugin reads %d", n > 0 ? bytes[0] : 0,
	                     EFFECT_VERSION);
	add_refusal(sink, effect, &err);
}

/* Everything before the first reply that stands for more than its own command is settled. Those behind it that were done
 * all the same are done again: the server's memory is full, say, and then full for all of them. */
static enum leat_status read_replies(struct sink *sink, const struct leat_delivery *d, size_t until, struct leat_error *err)
{
	int64_t deadline_us = redis_clock_us() + sink->connection.timeout_us;
	enum leat_status status, worst = LEAT_OK;
	struct leat_error fault;
	redisReply *reply;
	size_t i;

	for (i = sink->n_settled; i < until; i++) {
		reply = is_readable(&d->effect[i]) ? redis_read(&sink->redis, deadline_us) : NULL;
		if (reply == NULL && is_readable(&d->effect[i]))
			return redis_lost(&sink->redis, true, err);
		status = reply != NULL && reply->type == REDIS_REPLY_ERROR ? redis_reply_error(reply, "deliver", sink->redis.at, &fault)
			: LEAT_OK;
		freeReplyObject(reply);
		if (reply == NULL)
			refuse_unreadable(sink, i, d->effect[i].bytes, d->effect[i].n);
		else if (status == LEAT_REJECT && worst == LEAT_OK)
			add_refusal(sink, i, &fault);
		else if (status > worst && status != LEAT_REJECT) {
			worst = status;
			if (err != NULL)
				*err = fault;
		}
		if (worst == LEAT_OK)
			sink->n_settled = i + 1;
	}
	return worst;
}

static void forget_progress(struct sink *sink)
{
	sink->n_settled = 0;
	sink->n_refusals = 0;
}

static enum leat_status deliver(void *self, const struct leat_delivery *d, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status;
	size_t until, i;

	if (d->is_fenced)
		return fence_deliver(sink, d, ctx, err);
	status = redis_open(&sink->redis, ctx, err);
	while (status == LEAT_OK && sink->n_settled < d->n) {
		until = fill_chunk(sink, d, sink->n_settled);
		if (redis_write(&sink->redis, sink->chunk.data, sink->chunk.n, redis_clock_us() + sink->connection.timeout_us))
			status = read_replies(sink, d, until, err);
		else
			status = redis_lost(&sink->redis, true, err);
	}
	for (i = 0; i < sink->n_refusals && status == LEAT_OK; i++)
		leat_refuse(ctx, sink->refusal[i].effect, &sink->refusal[i].error);
	if (status != LEAT_RETRY)
		forget_progress(sink);
	if (status != LEAT_OK) /* also from a server that became a replica */
		redis_close(&sink->redis);
	return status;
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum command command = (enum command)sink->command;
	const char *option = NULL;

	(void)ctx;
	sink->redis.options = &sink->connection;
	if (sink->fields.n > 0 && command != COMMAND_HSET && command != COMMAND_XADD)
		option = "fields";
	else if (sink->value != NULL && command != COMMAND_SET && command != COMMAND_PUBLISH)
		option = "value";
	else if (sink->field != NULL && command != COMMAND_INCRBY)
		option = "field";
	else if (sink->ttl_us > 0 && (command == COMMAND_XADD || command == COMMAND_PUBLISH))
		option = "ttl";
	else if (sink->maxlen > 0 && command != COMMAND_XADD)
		option = "maxlen";
	if (option == NULL)
		return redis_check_options(&sink->connection, err);
	(void)leat_error_set(err, LEAT_FATAL, 0, "option \"%s\" has no meaning with command \"%s\"", option, commands[command]);
	return leat_error_at(err, option);
}

static enum leat_status claim(void *self, const struct leat_claim *claim, struct leat_fence *found, struct leat_context *ctx,
                              struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status;

	redis_close(&sink->redis);
	forget_progress(sink);
	status = redis_open(&sink->redis, ctx, err);
	return status == LEAT_OK && claim->is_fenced ? fence_claim(sink, claim, found, ctx, err) : status;
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct sink *sink = (struct sink *)self;
	enum leat_status status = redis_open(&sink->redis, ctx, err);

	redis_close(&sink->redis);
	return status;
}

static enum leat_guarantee guarantee(const void *self)
{
	(void)self;
	return LEAT_TRANSACTIONAL;
}

/* Keys are part of the effects. */
static void identity(const void *self, struct leat_buffer *text)
{
	const struct redis_options *o = &((const struct sink *)self)->connection;
	char at[300];

	redis_print_address(o, at, sizeof at);
	leat_buffer_text(text, "at ");
	leat_buffer_text(text, at);
	(void)snprintf(at, sizeof at, ", database %lld", (long long)o->database);
	leat_buffer_text(text, at);
}

static int64_t retention(const void *self)
{
	return ((const struct sink *)self)->retention_us;
}

static void destroy(void *self)
{
	struct sink *sink = (struct sink *)self;

	redis_close(&sink->redis);
	leat_buffer_finish(&sink->chunk);
	leat_buffer_finish(&sink->fence_key);
	free(sink->refusal);
}

const struct leat_sink_ops redis_sink = {
	.size = sizeof redis_sink,
	.instance_size = sizeof(struct sink),
	.options = options,
	.is_encoded = true,
	.create = create,
	.check = check,
	.guarantee = guarantee,
	.encode = sink_encode,
	.claim = claim,
	.deliver = deliver,
	.destroy = destroy,
	.identity = identity,
	.retention = retention,
};
