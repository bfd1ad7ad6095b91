/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records to requests. An argument is rendered in place, its length filled in afterwards.
 */
#include "../shared/text.h"
#include "sink.h"

enum { FIELDS_MAX = 3000 /* what a script's unpack() takes */ };

/* An error of the command inside keeps the key's life as it is: a script ends there. */
static const char expire_script[] =
	"local r = redis.call(ARGV[2], KEYS[1], unpack(ARGV, 3)) redis.call('PEXPIRE', KEYS[1], ARGV[1]) return r";

struct encoding {
	const struct sink *sink;
	const struct leat_record *record;
	struct leat_buffer *out;
	struct leat_context *ctx;
	struct leat_error *err;
};

static enum leat_status append_template(const struct encoding *e, const struct leat_template *t)
{
	size_t mark = request_open_argument(e->out);
	enum leat_status status = leat_render(e->ctx, t, e->record, e->out, e->err);

	request_close_argument(e->out, mark);
	return status;
}

/* The fence of a delivery must not be among its effects. */
static enum leat_status append_key(const struct encoding *e)
{
	size_t mark = request_open_argument(e->out), n = sizeof FENCE_PREFIX - 1;
	enum leat_status status = leat_render(e->ctx, e->sink->key, e->record, e->out, e->err);

	if (status == LEAT_OK && e->out->n - mark >= n && memcmp(e->out->data + mark, FENCE_PREFIX, n) == 0)
		status = leat_error_set(e->err, LEAT_REJECT, 0, "keys that begin with \"%s\" are kept for fences", FENCE_PREFIX);
	request_close_argument(e->out, mark);
	return status;
}

static enum leat_status append_value(const struct encoding *e, const struct leat_value *value)
{
	size_t mark = request_open_argument(e->out);
	enum leat_status status = LEAT_OK;

	if (value->type == LEAT_LIST || value->type == LEAT_MAP)
		status = leat_encode(e->ctx, value, e->out, e->err);
	else if (!text_append_scalar(e->out, value))
		status = leat_error_set(e->err, LEAT_REJECT, 0, "a time outside of the years 0 to 9999 cannot be written");
	request_close_argument(e->out, mark);
	return status;
}

/* The head of a command on the key, by way of the script when the key is to expire; `n` arguments follow. */
static enum leat_status begin_command(const struct encoding *e, const char *name, size_t n)
{
	char ttl_ms[24];
	enum leat_status status;

	if (e->sink->ttl_us == 0) {
		request_begin(e->out, 2 + n);
		request_text(e->out, name);
		return append_key(e);
	}
	(void)snprintf(ttl_ms, sizeof ttl_ms, "%lld", (long long)((e->sink->ttl_us + 999) / 1000));
	request_begin(e->out, 6 + n);
	request_text(e->out, "EVAL");
	request_text(e->out, expire_script);
	request_text(e->out, "1");
	status = append_key(e);
	request_text(e->out, ttl_ms);
	request_text(e->out, name);
	return status;
}

static bool is_scalar(const struct leat_value *value)
{
	return value->type != LEAT_NULL && value->type != LEAT_LIST && value->type != LEAT_MAP;
}

/* The member is the last one of its name. */
static bool is_last(const struct leat_map *map, uint32_t at)
{
	uint32_t i;

	for (i = at + 1; i < map->n; i++)
		if (map->member[i].name_n == map->member[at].name_n &&
		    memcmp(map->member[i].name, map->member[at].name, map->member[at].name_n) == 0)
			return false;
	return true;
}

static size_t count_fields(const struct encoding *e)
{
	const struct leat_value *value = &e->record->value, *found;
	size_t i, n = 0;

	for (i = 0; i < e->sink->fields.n; i++) {
		found = leat_path_get(e->sink->fields.item[i], value);
		n += found != NULL && found->type != LEAT_NULL;
	}
	for (i = 0; e->sink->fields.n == 0 && value->type == LEAT_MAP && i < value->n; i++)
		n += is_scalar(&value->as.map->member[i].value) && is_last(value->as.map, (uint32_t)i);
	return n;
}

/* Names and values: the fields of the option, or all scalar ones. One that is missing or null is left out. */
static enum leat_status append_fields(const struct encoding *e)
{
	const struct leat_value *value = &e->record->value, *found;
	const struct leat_member *member;
	enum leat_status status = LEAT_OK;
	size_t i;

	for (i = 0; i < e->sink->fields.n && status == LEAT_OK; i++) {
		found = leat_path_get(e->sink->fields.item[i], value);
		if (found == NULL || found->type == LEAT_NULL)
			continue;
		request_text(e->out, e->sink->fields.item[i]->text);
		status = append_value(e, found);
	}
	for (i = 0; e->sink->fields.n == 0 && i < value->n && status == LEAT_OK; i++) {
		member = &value->as.map->member[i];
		if (!is_scalar(&member->value) || !is_last(value->as.map, (uint32_t)i))
			continue;
		request_argument(e->out, member->name, member->name_n);
		status = append_value(e, &member->value);
	}
	return status;
}

static enum leat_status encode_fields(const struct encoding *e)
{
	size_t n = count_fields(e), n_head;
	enum leat_status status;
	char maxlen[24];

	if (n == 0 || n > FIELDS_MAX)
		return leat_error_set(e->err, LEAT_REJECT, 0, "record has %zu fields to write, expected 1 to %d", n, FIELDS_MAX);
	if (e->sink->command == COMMAND_HSET) {
		status = begin_command(e, "HSET", 2 * n);
		return status == LEAT_OK ? append_fields(e) : status;
	}
	n_head = e->sink->maxlen > 0 ? 4 : 1;
	status = begin_command(e, "XADD", 2 * n + n_head);
	if (status != LEAT_OK)
		return status;
	if (e->sink->maxlen > 0) {
		(void)snprintf(maxlen, sizeof maxlen, "%lld", (long long)e->sink->maxlen);
		request_text(e->out, "MAXLEN");
		request_text(e->out, "~");
		request_text(e->out, maxlen);
	}
	request_text(e->out, "*");
	return append_fields(e);
}

/* SET has an expiry of its own. */
static enum leat_status encode_value(const struct encoding *e)
{
	bool expires = e->sink->ttl_us > 0;
	enum leat_status status;
	char ttl_ms[24];

	request_begin(e->out, expires ? 5 : 3);
	request_text(e->out, e->sink->command == COMMAND_SET ? "SET" : "PUBLISH");
	status = append_key(e);
	if (status != LEAT_OK)
		return status;
	if (e->sink->value != NULL) {
		status = append_template(e, e->sink->value);
	} else {
		size_t mark = request_open_argument(e->out);

		status = leat_encode(e->ctx, &e->record->value, e->out, e->err);
		request_close_argument(e->out, mark);
	}
	if (expires) {
		(void)snprintf(ttl_ms, sizeof ttl_ms, "%lld", (long long)((e->sink->ttl_us + 999) / 1000));
		request_text(e->out, "PX");
		request_text(e->out, ttl_ms);
	}
	return status;
}

static enum leat_status encode_increment(const struct encoding *e)
{
	struct leat_value value = leat_null();
	enum leat_status status = leat_evaluate(e->ctx, e->sink->by, e->record, &value, e->err);
	int64_t by;

	if (status != LEAT_OK)
		return status;
	if (!leat_as_integer(&value, &by))
		return leat_error_set(e->err, LEAT_REJECT, 0, "the number to add is not an integer");
	value = leat_integer(by);
	status = begin_command(e, e->sink->field != NULL ? "HINCRBY" : "INCRBY", e->sink->field != NULL ? 2 : 1);
	if (status == LEAT_OK && e->sink->field != NULL)
		status = append_template(e, e->sink->field);
	return status == LEAT_OK ? append_value(e, &value) : status;
}

enum leat_status sink_encode(const void *self, const struct leat_record *record, struct leat_buffer *effect,
                             struct leat_context *ctx,
                               struct leat_error *err)
{
	const struct sink *sink = (const struct sink *)self;
	const struct encoding e = { .sink = sink, .record = record, .out = effect, .ctx = ctx, .err = err };
	size_t before = effect->n;
	enum leat_status status = LEAT_OK;

	leat_buffer_byte(effect, EFFECT_VERSION);
	switch ((enum command)sink->command) {
	case COMMAND_HSET:
	case COMMAND_XADD:
		status = encode_fields(&e);
		break;
	case COMMAND_SET:
	case COMMAND_PUBLISH:
		status = encode_value(&e);
		break;
	case COMMAND_INCRBY:
		status = encode_increment(&e);
		break;
	}
	if (status != LEAT_OK)
		effect->n = before;
	return status;
}
