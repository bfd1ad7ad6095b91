/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lookup. prepare() gathers the keys that the batch needs and the cache does not know, each once, and sends them in a
 * pipeline; process() finds the answers in the cache.
 *
 * An answer is kept as the names and values that it brings: for each a length and the bytes, twice. A value that is not
 * there has the length UINT32_MAX.
 */
#include "../shared/cache.h"
#include "../shared/text.h"
#include "redis.h"

enum { QUESTIONS = 500 /* in a pipeline at once */ };
enum command { COMMAND_GET, COMMAND_HGET, COMMAND_HGETALL, COMMAND_HMGET };
enum missing { MISSING_NULL, MISSING_REJECT, MISSING_DROP };

struct lookup {
	struct redis_options connection;
	int command;
	const struct leat_template *key;
	struct leat_texts fields;
	leat_symbol into;
	bool has_numbers;
	int missing;

	struct redis redis;
	struct cache cache;
	struct leat_buffer keys; /* of the questions that are to be asked */
	size_t n_questions;
	size_t question_capacity;
	size_t *question; /* where each begins in `keys`; one more for the end */
	struct leat_buffer request;
	struct leat_buffer answer;
};

static const char *const commands[] = { "get", "hget", "hgetall", "hmget", NULL };
static const char *const missing_names[] = { "null", "reject", "drop", NULL };

static const struct leat_option options[] = {
	REDIS_CONNECTION_OPTIONS(struct lookup),
	LEAT_OPTION(CHOICE, struct lookup, command, "command", "What is asked for each record.", .preset = "hgetall",
	            .choices = commands),
	LEAT_OPTION(TEMPLATE, struct lookup, key, "lookup", "Key that is read.", .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(TEXTS, struct lookup, fields, "fields", "For hget and hmget: fields of the hash.", .flags = 0),
	LEAT_OPTION(NAME, struct lookup, into, "into",
	            "Field that gets the answer, a map for hgetall and hmget; without it their fields become fields of the record.", .flags = 0),
	LEAT_OPTION(BOOL, struct lookup, has_numbers, "numbers", "Whether texts that are numbers become numbers.",
	            .preset = "false"),
	LEAT_OPTION(CHOICE, struct lookup, missing, "missing",
	            "What a record without an answer gets: nulls, a dead letter, or dropped.",
	            .preset = "null", .choices = missing_names),
	LEAT_OPTION(INTEGER, struct lookup, cache.entries_limit, "cache", "Answers to keep; 0 asks anew for each batch.",
	            .preset = "0",
	            .minimum = 0, .maximum = 1e7),
	LEAT_OPTION(SIZE, struct lookup, cache.bytes_limit, "cache_size", "Bytes of answers to keep.", .preset = "16MiB",
	            .minimum = 0,
	            .maximum = 1e12),
	LEAT_OPTION(DURATION, struct lookup, cache.ttl_us, "cache_ttl", "How old an answer may get.", .preset = "10s",
	            .minimum = 0,
	            .maximum = 31536000e6),
	{ 0 },
};

/* ---- questions and answers ----------------------------------------------------------------------------------------- */

static void note_question(struct lookup *l, size_t at)
{
	if (l->n_questions + 2 > l->question_capacity) {
		l->question_capacity = l->question_capacity == 0 ? 64 : l->question_capacity * 2;
		l->question = (size_t *)realloc(l->question, l->question_capacity * sizeof *l->question);
		if (l->question == NULL)
			leat_run_out();
	}
	l->question[l->n_questions++] = at;
	l->question[l->n_questions] = l->keys.n;
}

static const char *question_key(const struct lookup *l, size_t question, size_t *n)
{
	*n = l->question[question + 1] - l->question[question];
	return l->keys.data + l->question[question];
}

static void append_request(struct lookup *l, size_t question)
{
	static const char *const words[] = { "GET", "HGET", "HGETALL", "HMGET" };
	const char *key;
	size_t i, n;

	key = question_key(l, question, &n);
	request_begin(&l->request, 2 + l->fields.n);
	request_text(&l->request, words[l->command]);
	request_argument(&l->request, key, n);
	for (i = 0; i < l->fields.n; i++)
		request_text(&l->request, l->fields.item[i]);
}

static void append_string(struct leat_buffer *out, const redisReply *reply)
{
	if (reply->type != REDIS_REPLY_STRING) {
		leat_buffer_u32(out, UINT32_MAX);
		return;
	}
	leat_buffer_u32(out, (uint32_t)reply->len);
	leat_buffer_append(out, reply->str, reply->len);
}

static void append_named(struct leat_buffer *out, const char *name, const redisReply *value)
{
	leat_buffer_u32(out, (uint32_t)strlen(name));
	leat_buffer_text(out, name);
	append_string(out, value);
}

/* False: nothing was found. */
static bool write_answer(struct lookup *l, const redisReply *reply)
{
	bool is_found = false;
	size_t i;

	l->answer.n = 0;
	if (reply->type == REDIS_REPLY_STRING) {
		append_named(&l->answer, l->fields.n > 0 ? l->fields.item[0] : "", reply);
		return true;
	}
	if (reply->type != REDIS_REPLY_ARRAY)
		return false;
	for (i = 0; i < reply->elements && l->command == COMMAND_HMGET && i < l->fields.n; i++) {
		append_named(&l->answer, l->fields.item[i], reply->element[i]);
		is_found |= reply->element[i]->type == REDIS_REPLY_STRING;
	}
	for (i = 0; i + 1 < reply->elements && l->command == COMMAND_HGETALL; i += 2, is_found = true) {
		append_string(&l->answer, reply->element[i]);
		append_string(&l->answer, reply->element[i + 1]);
	}
	return is_found;
}

/* LEAT_REJECT is an answer as well: this key holds something else. */
static enum leat_status note_answer(struct lookup *l, size_t question, const redisReply *reply, int64_t now_us,
                                    struct leat_error *err)
{
	struct leat_error fault;
	enum leat_status status;
	const char *key;
	size_t n;
	bool is_found;

	key = question_key(l, question, &n);
	if (reply->type != REDIS_REPLY_ERROR) {
		is_found = write_answer(l, reply);
		cache_put(&l->cache, key, n, is_found ? CACHE_FOUND : CACHE_MISSING, l->answer.data, is_found ? l->answer.n : 0,
		          now_us);
		return LEAT_OK;
	}
	status = redis_reply_error(reply, "look up", l->redis.at, &fault);
	if (status == LEAT_REJECT) {
		cache_put(&l->cache, key, n, CACHE_REFUSED, fault.text, strlen(fault.text), now_us);
		return LEAT_OK;
	}
	if (err != NULL)
		*err = fault;
	return status;
}

static enum leat_status ask_some(struct lookup *l, size_t from, size_t until, int64_t now_us, struct leat_error *err)
{
	int64_t deadline_us = redis_clock_us() + l->connection.timeout_us;
	enum leat_status status = LEAT_OK;
	redisReply *reply;
	size_t i;

	l->request.n = 0;
	for (i = from; i < until; i++)
		append_request(l, i);
	if (!redis_write(&l->redis, l->request.data, l->request.n, deadline_us))
		return redis_lost(&l->redis, false, err);
	for (i = from; i < until && status == LEAT_OK; i++) {
		reply = redis_read(&l->redis, deadline_us);
		if (reply == NULL)
			return redis_lost(&l->redis, false, err);
		status = note_answer(l, i, reply, now_us, err);
		freeReplyObject(reply);
	}
	if (status != LEAT_OK) /* replies that nobody reads are under way */
		redis_close(&l->redis);
	return status;
}

static enum leat_status ask(struct lookup *l, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = l->n_questions > 0 ? redis_open(&l->redis, ctx, err) : LEAT_OK;
	size_t from, until;

	for (from = 0; from < l->n_questions && status == LEAT_OK; from = until) {
		until = l->n_questions - from > QUESTIONS ? from + QUESTIONS : l->n_questions;
		status = ask_some(l, from, until, leat_now(ctx), err);
	}
	return status;
}

/* ---- records ------------------------------------------------------------------------------------------------------- */

static struct leat_value read_value(const struct lookup *l, struct leat_context *ctx, const char *bytes, size_t n)
{
	struct leat_value value;

	if (l->has_numbers && text_parse_number(ctx, bytes, n, &value))
		return value;
	value = leat_text(ctx, bytes, n);
	if (!text_is_utf8(bytes, n))
		value.type = LEAT_BYTES;
	return value;
}

static const char *take(const char **at, uint32_t *n)
{
	const char *bytes;

	memcpy(n, *at, sizeof *n);
	bytes = *at + sizeof *n;
	*at = bytes + (*n == UINT32_MAX ? 0 : *n);
	return bytes;
}

/* Names that are not UTF-8 are left out: no record can have them. */
static struct leat_member *read_members(const struct lookup *l, struct leat_context *ctx, const struct cache_entry *entry,
                                        size_t *n)
{
	const char *at = cache_bytes(entry), *end = at + entry->n, *name, *bytes;
	struct leat_member *member = (struct leat_member *)leat_allocate(ctx, (entry->n / 8 + 1) * sizeof *member);
	uint32_t name_n, bytes_n;

	for (*n = 0; at < end;) {
		name = take(&at, &name_n);
		bytes = take(&at, &bytes_n);
		if (!text_is_utf8(name, name_n))
			continue;
		member[*n] = (struct leat_member){ .name = leat_text(ctx, name, name_n).as.text, .name_n = name_n,
		                                   .value = leat_null() };
		if (bytes_n != UINT32_MAX)
			member[*n].value = read_value(l, ctx, bytes, bytes_n);
		(*n)++;
	}
	return member;
}

static void emit(const struct lookup *l, const struct leat_record *record, struct leat_member *member, size_t n,
                 struct leat_context *ctx)
{
	struct leat_member whole = { .symbol = l->into, .value = leat_null() };

	if (l->into != LEAT_NO_SYMBOL) {
		if (n > 0)
			whole.value = l->command <= COMMAND_HGET ? member[0].value : leat_map_with(ctx, NULL, member, n);
		member = &whole;
		n = 1;
	}
	leat_emit_value(ctx, 0, record, leat_map_with(ctx, &record->value, member, n));
}

/* Without `into`, the fields that were asked for are null; hgetall brings none. */
static enum leat_status emit_missing(const struct lookup *l, const struct leat_record *record, const char *key, size_t key_n,
                                     struct leat_context *ctx, struct leat_error *err)
{
	struct leat_member *member;
	size_t i;

	if (l->missing == MISSING_REJECT)
		return leat_error_set(err, LEAT_REJECT, 0, "nothing in redis under key \"%.*s\"", key_n > 200 ? 200 : (int)key_n,
		                      key);
	if (l->missing == MISSING_DROP)
		return LEAT_OK;
	member = (struct leat_member *)leat_allocate(ctx, (l->fields.n + 1) * sizeof *member);
	for (i = 0; i < l->fields.n && l->into == LEAT_NO_SYMBOL; i++)
		member[i] = (struct leat_member){ .name = l->fields.item[i], .name_n = (uint32_t)strlen(l->fields.item[i]),
		                                  .value = leat_null() };
	emit(l, record, member, l->into == LEAT_NO_SYMBOL ? l->fields.n : 0, ctx);
	return LEAT_OK;
}

static enum leat_status process(void *self, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	const struct cache_entry *entry;
	struct leat_member *member;
	enum leat_status status;
	size_t n;

	l->keys.n = l->n_questions = 0;
	status = leat_render(ctx, l->key, record, &l->keys, err);
	if (status != LEAT_OK)
		return status;
	(void)leat_buffer_reserve(&l->keys, 1);
	entry = cache_find(&l->cache, l->keys.data, l->keys.n);
	if (entry == NULL) {
		note_question(l, 0);
		status = ask(l, ctx, err);
		if (status != LEAT_OK)
			return status;
		entry = cache_find(&l->cache, l->keys.data, l->keys.n);
	}
	if (entry->answer == CACHE_REFUSED)
		return leat_error_set(err, LEAT_REJECT, 0, "%.*s", (int)entry->n, cache_bytes(entry));
	if (entry->answer == CACHE_MISSING)
		return emit_missing(l, record, l->keys.data, l->keys.n, ctx, err);
	member = read_members(l, ctx, entry, &n);
	emit(l, record, member, n, ctx);
	return LEAT_OK;
}

/* A question that waits for its answer has an entry already, so that no other record of the batch asks it again. */
static enum leat_status prepare(void *self, const struct leat_batch *batch, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	int64_t now_us = leat_now(ctx);
	const struct cache_entry *entry;
	enum leat_status status;
	const char *key;
	size_t i, before, n;

	cache_trim(&l->cache, now_us);
	l->keys.n = l->n_questions = 0;
	for (i = 0; i < batch->n; i++) {
		before = l->keys.n;
		/* A record that has no key is dealt with in process(). */
		if (leat_render(ctx, l->key, &batch->record[i], &l->keys, NULL) != LEAT_OK)
			continue;
		(void)leat_buffer_reserve(&l->keys, 1);
		entry = cache_find(&l->cache, l->keys.data + before, l->keys.n - before);
		if (entry != NULL && (entry->answer == CACHE_PENDING || entry->expires_us > now_us)) {
			l->keys.n = before;
			continue;
		}
		note_question(l, before);
		cache_put(&l->cache, l->keys.data + before, l->keys.n - before, CACHE_PENDING, NULL, 0, now_us);
	}
	status = ask(l, ctx, err);
	for (i = 0; i < l->n_questions && status != LEAT_OK; i++) {
		key = question_key(l, i, &n);
		cache_forget(&l->cache, key, n);
	}
	return status;
}

static enum leat_status create(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	bool needs_fields = l->command == COMMAND_HGET || l->command == COMMAND_HMGET;

	(void)ctx;
	l->redis.options = &l->connection;
	if ((l->fields.n > 0) != needs_fields || (l->command == COMMAND_HGET && l->fields.n > 1)) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "command \"%s\" takes %s fields, %zu are given", commands[l->command],
		                     l->command == COMMAND_HGET ? "1" : needs_fields ? "1 or more" : "0", l->fields.n);
		return leat_error_at(err, "fields");
	}
	if (l->command == COMMAND_GET && l->into == LEAT_NO_SYMBOL) {
		(void)leat_error_set(err, LEAT_FATAL, 0, "command \"get\" needs the option \"into\"");
		return leat_error_at(err, "command");
	}
	return redis_check_options(&l->connection, err);
}

static enum leat_status check(void *self, struct leat_context *ctx, struct leat_error *err)
{
	struct lookup *l = (struct lookup *)self;
	enum leat_status status = redis_open(&l->redis, ctx, err);

	redis_close(&l->redis);
	return status;
}

static void destroy(void *self)
{
	struct lookup *l = (struct lookup *)self;

	redis_close(&l->redis);
	cache_finish(&l->cache);
	free(l->question);
	leat_buffer_finish(&l->keys);
	leat_buffer_finish(&l->request);
	leat_buffer_finish(&l->answer);
}

const struct leat_operator_ops redis_lookup = {
	.size = sizeof redis_lookup,
	.instance_size = sizeof(struct lookup),
	.options = options,
	.create = create,
	.check = check,
	.prepare = prepare,
	.process = process,
	.destroy = destroy,
};
