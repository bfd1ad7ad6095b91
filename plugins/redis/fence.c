/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fenced delivery (E3): a delivery is one call of one script, since neither scripts nor MULTI roll back. It compares the
 * fence first, does every command under pcall, and sets the fence last. The `#!lua` line makes Redis look at its memory,
 * its role and its disk before the first write instead of in the middle.
 *
 * The fence is a hash, "leat:fence:PIPELINE:SINK". Its numbers are texts of 20 digits: Lua's own end at 2^53, and of texts
 * of one length the larger is the larger number, in any collation. `refused` has a line for each effect that Redis refused,
 * how far it is from the end of the delivery, and Redis' words; a delivery that comes again reports the same. `claims` counts
 * claims: what a connection that was given up still has under way names an older one, and is not applied.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/socket.h>

#include "../shared/fault.h"
#include "../shared/text.h"
#include "sink.h"

/*
 * Redis 7 takes 2^31 - 1 arguments (older ones 1024 * 1024, but they do not know `#!lua`), each up to proto-max-bulk-len,
 * 512 MiB, in a query buffer up to client-query-buffer-limit, 1 GiB. An argument is 6 bytes at least, so bytes alone count.
 * unpack() hands over less than 8000 words; encode() makes 6006 at most.
 */
enum { WORD_BYTES_MAX = 512 << 20, DELIVERY_BYTES_MAX = 1 << 30 };
enum { DELIVERY_WORDS = 7 /* of ARGV, before the effects */, NUMBER_DIGITS = 20 };

#define NO_NUMBER "00000000000000000000"

/* ARGV: our incarnation. Answers the fence as it was, and which claim this is. */
static const char claim_script[] =
	"#!lua\n"
	"local found = redis.call('HMGET', KEYS[1], 'incarnation', 'epoch', 'digest')\n"
	"local claims = 0\n"
	"if not found[1] or found[1] <= ARGV[1] then\n"
	"	claims = redis.call('HINCRBY', KEYS[1], 'claims', 1)\n"
	"	redis.call('HSET', KEYS[1], 'incarnation', ARGV[1], 'epoch', found[2] or '" NO_NUMBER "',\n"
	"		'digest', found[3] or '" NO_NUMBER "')\n"
	"end\n"
	"return {found[1], found[2], found[3], claims}\n";

/*
 * ARGV: incarnation, epoch and digest expected; the same afterwards; which claim. Then for each effect the number of its
 * words, the milliseconds that its key lives (0: as long as it does), the words. Without words it is refused, by the text in
 * place of the milliseconds. Answers the lines of `refused`, or the fence and its claims when it is another one.
 *
 * A right that the user does not have would be found under pcall, one dead letter for each record: the first command tells
 * for all.
 */
static const char deliver_script[] =
	"#!lua\n"
	"local found = redis.call('HMGET', KEYS[1], 'incarnation', 'epoch', 'digest', 'claims', 'refused')\n"
	"local function is_at(at)\n"
	"	for i = 1, 3 do\n"
	"		if (found[i] or '" NO_NUMBER "') ~= ARGV[at + i] then return false end\n"
	"	end\n"
	"	return true\n"
	"end\n"
	"if is_at(3) then return found[5] or '' end\n"
	"if not is_at(0) or found[4] ~= ARGV[7] then return {found[1], found[2], found[3], found[4]} end\n"
	"local refused, at, effect, may = {}, 8, 0, false\n"
	"while ARGV[at] do\n"
	"	local n, ttl = tonumber(ARGV[at]), ARGV[at + 1]\n"
	"	local first, last = at + 2, at + 1 + n\n"
	"	local fault = n == 0 and ttl\n"
	"	if not fault then\n"
	"		if not may and not redis.acl_check_cmd(unpack(ARGV, first, last)) then\n"
	"			return redis.error_reply('NOPERM this user may not do ' .. ARGV[first] .. ' on key ' .. ARGV[first + 1])\n"
	"		end\n"
	"		may = true\n"
	"		local reply = redis.pcall(unpack(ARGV, first, last))\n"
	"		if type(reply) ~= 'table' or not reply.err then\n"
	"			if ttl ~= '0' then reply = redis.pcall('PEXPIRE', ARGV[first + 1], ttl) end\n"
	"		end\n"
	"		fault = type(reply) == 'table' and reply.err\n"
	"	end\n"
	"	if fault then refused[#refused + 1] = {effect, fault} end\n"
	"	at, effect = last + 1, effect + 1\n"
	"end\n"
	"for i, r in ipairs(refused) do refused[i] = (effect - r[1]) .. ' ' .. r[2] end\n"
	"refused = table.concat(refused, '\\n')\n"
	"redis.call('HSET', KEYS[1], 'incarnation', ARGV[4], 'epoch', ARGV[5], 'digest', ARGV[6], 'refused', refused)\n"
	"return refused\n";

static const char *script_text(void)
{
	return LEAT_BUG("redis-fence-not-compared") ? strstr(deliver_script, "local refused,") : deliver_script;
}

/* ---- fences ---- */

static void request_number(struct leat_buffer *out, uint64_t number)
{
	char text[NUMBER_DIGITS + 1];

	(void)snprintf(text, sizeof text, "%0*" PRIu64, (int)NUMBER_DIGITS, number);
	request_text(out, text);
}

static void request_fence(struct leat_buffer *out, const struct leat_fence *fence)
{
	request_number(out, fence->incarnation);
	request_number(out, fence->epoch);
	request_number(out, fence->digest);
}

static bool read_number(const redisReply *reply, uint64_t *out)
{
	char *end = NULL;

	if (reply->type != REDIS_REPLY_STRING || reply->len != NUMBER_DIGITS || !isdigit((unsigned char)reply->str[0]))
		return false;
	errno = 0;
	*out = strtoull(reply->str, &end, 10);
	return errno == 0 && *end == '\0';
}

/* False: not a fence that this plugin wrote. */
static bool read_fence(const redisReply *reply, struct leat_fence *out)
{
	redisReply **field = reply->element;

	*out = (struct leat_fence){ 0 };
	if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3)
		return false;
	if (field[0]->type == REDIS_REPLY_NIL && field[1]->type == REDIS_REPLY_NIL && field[2]->type == REDIS_REPLY_NIL)
		return true;
	return read_number(field[0], &out->incarnation) && read_number(field[1], &out->epoch) && read_number(field[2], &out->digest);
}

static enum leat_status refuse_fence(const struct sink *sink, const char *what, struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0, "cannot %s: fence \"%.*s\" in redis at %s cannot be read", what,
	                      (int)sink->fence_key.n, sink->fence_key.data, sink->redis.at);
}

/* ---- claim ---- */

/* The value of a line NAME:VALUE of INFO, "" when there is none. */
static const char *find_info(const char *info, const char *name)
{
	const char *at = strstr(info, name);

	return at != NULL ? at + strlen(name) : "";
}

static enum leat_status judge_server(const struct sink *sink, const char *info, struct leat_context *ctx, struct leat_error *err)
{
	const char *version = find_info(info, "\nredis_version:");

	if (atoi(version) < 7)
		return leat_error_set(err, LEAT_FATAL, 0, "redis at %s is version %.*s, exactly-once delivery needs 7.0 or later",
		                      sink->redis.at, (int)strcspn(version, "\r\n"), version);
	if (find_info(info, "\ncluster_enabled:")[0] == '1')
		return leat_error_set(err, LEAT_FATAL, 0, "redis at %s is part of a cluster, exactly-once delivery needs a single server",
		                      sink->redis.at);
	if (strncmp(find_info(info, "\nmaxmemory_policy:"), "allkeys", 7) == 0 && find_info(info, "\nmaxmemory:")[0] != '0')
		leat_log(ctx, LEAT_WARNING, "redis at %s may evict any key, the fence too: set maxmemory-policy to noeviction",
		         sink->redis.at);
	return LEAT_OK;
}

static enum leat_status ask(struct sink *sink, const struct leat_buffer *request, const char *what, redisReply **reply,
                            struct leat_error *err)
{
	char text[400];

	(void)snprintf(text, sizeof text, "%s redis at %s", what, sink->redis.at);
	return redis_ask(&sink->redis, request, text, sink->connection.timeout_us, reply, err);
}

static enum leat_status check_server(struct sink *sink, struct leat_context *ctx, struct leat_error *err)
{
	struct leat_buffer request = { 0 };
	redisReply *reply = NULL;
	enum leat_status status;

	request_begin(&request, 1);
	request_text(&request, "INFO");
	status = ask(sink, &request, "read the version of", &reply, err);
	leat_buffer_finish(&request);
	if (status == LEAT_OK)
		status = judge_server(sink, reply->type == REDIS_REPLY_STRING ? reply->str : "", ctx, err);
	freeReplyObject(reply);
	return status;
}

static enum leat_status load_script(struct sink *sink, struct leat_error *err)
{
	struct leat_buffer request = { 0 };
	redisReply *reply = NULL;
	enum leat_status status;

	request_begin(&request, 3);
	request_text(&request, "SCRIPT");
	request_text(&request, "LOAD");
	request_text(&request, script_text());
	status = ask(sink, &request, "load a script into", &reply, err);
	leat_buffer_finish(&request);
	if (status == LEAT_OK)
		(void)snprintf(sink->script, sizeof sink->script, "%s", reply->type == REDIS_REPLY_STRING ? reply->str : "");
	freeReplyObject(reply);
	return status;
}

/* For fault points. */
static void lose(const struct sink *sink)
{
	(void)shutdown(sink->redis.conn->fd, SHUT_RDWR);
}

static enum leat_status take_fence(struct sink *sink, uint64_t incarnation, struct leat_fence *found, struct leat_error *err)
{
	struct leat_buffer request = { 0 };
	redisReply *reply = NULL;
	enum leat_status status;
	struct leat_fence fence;

	request_begin(&request, 5);
	request_text(&request, "EVAL");
	request_text(&request, claim_script);
	request_text(&request, "1");
	request_argument(&request, sink->fence_key.data, sink->fence_key.n);
	request_number(&request, incarnation);
	if (fault_fails("redis-claim-before"))
		lose(sink);
	status = ask(sink, &request, "claim the fence in", &reply, err);
	leat_buffer_finish(&request);
	if (status == LEAT_OK && (!read_fence(reply, &fence) || reply->elements != 4))
		status = refuse_fence(sink, "claim", err);
	if (status == LEAT_OK) {
		sink->claims = reply->element[3]->integer;
		*found = fence;
	}
	freeReplyObject(reply);
	if (status == LEAT_OK && fault_fails("redis-claim-after"))
		return leat_error_set(err, LEAT_RETRY, 0, "could not claim the fence in redis at %s: fault point", sink->redis.at);
	return status;
}

enum leat_status fence_claim(struct sink *sink, const struct leat_claim *claim, struct leat_fence *found,
                             struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	sink->fence_key.n = 0;
	leat_buffer_text(&sink->fence_key, FENCE_PREFIX);
	leat_buffer_text(&sink->fence_key, claim->pipeline);
	leat_buffer_byte(&sink->fence_key, ':');
	leat_buffer_text(&sink->fence_key, claim->sink);
	status = check_server(sink, ctx, err);
	if (status == LEAT_OK)
		status = load_script(sink, err);
	if (status == LEAT_OK)
		status = take_fence(sink, claim->incarnation, found, err);
	if (status != LEAT_OK)
		redis_close(&sink->redis);
	return status;
}

/* ---- effects to arguments ---- */

/* Bytes of a request, as encode() wrote it. */
struct words {
	const char *at, *end;
};

static bool take_head(struct words *from, char kind, size_t *n)
{
	const char *at = from->at;

	*n = 0;
	if (at == from->end || *at++ != kind)
		return false;
	for (; at < from->end && isdigit((unsigned char)*at); at++)
		*n = *n * 10 + (size_t)(*at - '0');
	if (from->end - at < 2)
		return false;
	from->at = at + 2;
	return true;
}

/* With its length in front, ready to be sent on. */
static bool take_word(struct words *from, struct words *word)
{
	size_t n;

	word->at = from->at;
	if (!take_head(from, '$', &n) || (size_t)(from->end - from->at) < n + 2 || n > WORD_BYTES_MAX)
		return false;
	from->at += n + 2;
	word->end = from->at;
	return true;
}

static void append_words(struct leat_buffer *out, const struct words *words)
{
	leat_buffer_append(out, words->at, (size_t)(words->end - words->at));
}

static void append_count(struct leat_buffer *out, size_t n)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%zu", n);
	request_text(out, text);
}

/* EVAL script 1 KEY TTL NAME ...: a script cannot call one, so the command comes out of it. */
static bool append_expiring(struct leat_buffer *out, struct words rest, size_t n)
{
	struct words word[6];
	size_t i;

	for (i = 0; i < 6; i++)
		if (!take_word(&rest, &word[i]))
			return false;
	append_count(out, n - 4);
	append_words(out, &word[4]);
	append_words(out, &word[5]);
	append_words(out, &word[3]);
	append_words(out, &rest);
	return true;
}

static bool append_command(struct leat_buffer *out, struct words rest, size_t *n)
{
	static const char eval[] = "$4\r\nEVAL\r\n";
	size_t i, n_words;
	struct words all, word;

	if (!take_head(&rest, '*', &n_words) || n_words == 0)
		return false;
	all = rest;
	for (i = 0; i < n_words; i++)
		if (!take_word(&rest, &word))
			return false;
	if ((size_t)(all.end - all.at) > sizeof eval && memcmp(all.at, eval, sizeof eval - 1) == 0) {
		*n = n_words - 2;
		return append_expiring(out, all, n_words);
	}
	append_count(out, n_words);
	request_text(out, "0");
	append_words(out, &all);
	*n = n_words + 2;
	return true;
}

/* Returns how many arguments. What cannot be sent goes along as refused, so that the fence keeps that too. */
static size_t append_effect(struct leat_buffer *out, const struct leat_effect *effect)
{
	struct words bytes = { .at = effect->bytes + 1, .end = effect->bytes + effect->n };
	size_t n;

	if (effect->n > 1 && effect->bytes[0] == EFFECT_VERSION && append_command(out, bytes, &n))
		return n;
	request_text(out, "0");
	request_text(out, effect->n > WORD_BYTES_MAX ? "effect is larger than redis takes" : "effect is not of this plugin's version");
	return 2;
}

/* ---- deliver ---- */

/* The script by its hash, or by its text when the server has forgotten it. NULL: lost. */
static redisReply *call_script(struct sink *sink, const struct leat_delivery *d, bool has_text, size_t n_arguments)
{
	struct leat_buffer head = { 0 };
	char claims[24];
	bool is_sent;

	(void)snprintf(claims, sizeof claims, "%" PRId64, sink->claims);
	request_begin(&head, 4 + DELIVERY_WORDS + n_arguments);
	request_text(&head, has_text ? "EVAL" : "EVALSHA");
	request_text(&head, has_text ? script_text() : sink->script);
	request_text(&head, "1");
	request_argument(&head, sink->fence_key.data, sink->fence_key.n);
	request_fence(&head, &d->expected);
	request_fence(&head, &d->next);
	request_text(&head, claims);
	if (fault_fails("redis-script-before"))
		lose(sink);
	is_sent = redis_write(&sink->redis, head.data, head.n, redis_clock_us() + sink->connection.timeout_us);
	if (fault_fails("redis-script-half"))
		lose(sink);
	is_sent = is_sent && redis_write(&sink->redis, sink->chunk.data, sink->chunk.n, redis_clock_us() + sink->connection.timeout_us);
	leat_buffer_finish(&head);
	if (fault_fails("redis-script-sent"))
		lose(sink);
	return is_sent ? redis_read(&sink->redis, redis_clock_us() + sink->connection.timeout_us) : NULL;
}

static bool is_script_unknown(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

static enum leat_status report_refused(const struct sink *sink, const struct leat_delivery *d, const char *lines,
                                       struct leat_context *ctx, struct leat_error *err)
{
	char text[LEAT_ERROR_TEXT / 2], *end;
	struct leat_error fault;
	size_t from_end;

	for (; *lines != '\0'; lines += strcspn(lines, "\n"), lines += *lines == '\n') {
		from_end = strtoul(lines, &end, 10);
		if (end == lines || *end != ' ' || from_end == 0 || from_end > d->n)
			return refuse_fence(sink, "deliver", err);
		text_copy_message(text, sizeof text, end + 1);
		(void)leat_error_set(&fault, LEAT_REJECT, 0, "cannot deliver: %s", text);
		leat_refuse(ctx, d->n - from_end, &fault);
	}
	return LEAT_OK;
}

static void print_fence(char *out, size_t n, const struct leat_fence *fence)
{
	(void)snprintf(out, n, "incarnation %" PRIu64 ", epoch %" PRIu64 ", digest %016" PRIx64, fence->incarnation, fence->epoch,
	               fence->digest);
}

/* A failover to a replica that had not received everything, or a restart from an older file: data and fence are what they were,
 * and the host may have what came since. Without a fence at all nobody knows what is there. */
static bool has_gone_back(const struct sink *sink, const struct leat_delivery *d, const struct leat_fence *found, const redisReply *claims)
{
	if (found->incarnation > d->next.incarnation || (found->epoch == 0 && d->expected.epoch > 0))
		return false;
	if (found->epoch != d->expected.epoch || found->digest != d->expected.digest)
		return found->epoch < d->expected.epoch;
	return found->incarnation < d->expected.incarnation || claims->type != REDIS_REPLY_STRING ||
	       strtoll(claims->str, NULL, 10) < sink->claims;
}

static enum leat_status refuse_delivery(const struct sink *sink, const struct leat_delivery *d, const redisReply *reply,
                                        struct leat_error *err)
{
	struct leat_fence found;
	char is[100], expected[100];
	const char *why = "";

	if (!read_fence(reply, &found) || reply->elements != 4)
		return refuse_fence(sink, "deliver", err);
	if (has_gone_back(sink, d, &found, reply->element[3]))
		return leat_error_set(err, LEAT_UNKNOWN, 0, "redis at %s has gone back to epoch %" PRIu64 ", expected %" PRIu64, sink->redis.at,
		                      found.epoch, d->expected.epoch);
	if (found.incarnation > d->next.incarnation)
		why = "another instance owns this sink: ";
	else if (memcmp(&found, &d->expected, sizeof found) == 0)
		why = "another connection has claimed this sink since: ";
	print_fence(is, sizeof is, &found);
	print_fence(expected, sizeof expected, &d->expected);
	return leat_error_set(err, LEAT_FATAL, 0, "cannot deliver: %sfence in redis at %.120s is %s, expected %s", why, sink->redis.at, is,
	                      expected);
}

static enum leat_status read_outcome(struct sink *sink, const struct leat_delivery *d, const redisReply *reply,
                                     struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status;

	if (reply == NULL)
		return redis_lost(&sink->redis, !LEAT_BUG("redis-unknown-taken-as-failed"), err);
	if (reply->type == REDIS_REPLY_STRING)
		return report_refused(sink, d, reply->str, ctx, err);
	if (reply->type != REDIS_REPLY_ERROR)
		return refuse_delivery(sink, d, reply, err);
	status = redis_reply_error(reply, "deliver", sink->redis.at, err);
	return status == LEAT_REJECT ? redis_fatal(err) : status;
}

enum leat_status fence_deliver(struct sink *sink, const struct leat_delivery *d, struct leat_context *ctx, struct leat_error *err)
{
	enum leat_status status = redis_open(&sink->redis, ctx, err);
	size_t i, n_arguments = 0;
	redisReply *reply;

	if (status != LEAT_OK)
		return status;
	sink->chunk.n = 0;
	for (i = 0; i < d->n; i++)
		n_arguments += append_effect(&sink->chunk, &d->effect[i]);
	if (sink->chunk.n > DELIVERY_BYTES_MAX)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot deliver %zu bytes in one step, redis takes %d", sink->chunk.n,
		                      DELIVERY_BYTES_MAX);
	reply = call_script(sink, d, false, n_arguments);
	if (is_script_unknown(reply)) {
		freeReplyObject(reply);
		reply = call_script(sink, d, true, n_arguments);
	}
	if (fault_fails("redis-script-after")) {
		freeReplyObject(reply);
		reply = NULL;
	}
	status = read_outcome(sink, d, reply, ctx, err);
	freeReplyObject(reply);
	if (status != LEAT_OK) /* also from a server that became a replica */
		redis_close(&sink->redis);
	return status;
}
