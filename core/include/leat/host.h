/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_HOST_H
#define LEAT_HOST_H

/*
 * What a plugin may ask of the host. Every call takes the context that the host handed to the plugin's function; a
 * context is good until that function returns and must not be kept, nor used by another thread. The one exception is
 * the waker, made to be kept and called from any thread.
 *
 * The functions are reached through a table of pointers behind inline wrappers, so a plugin links against nothing and a
 * test can stand in for the host. The table grows at its end only.
 *
 *   may be called from      create  check  prepare  process  timer  end  open/poll  encode  claim/deliver
 *   intern, port, table_ttl    x
 *   input                                     x        x
 *   values, allocate                          x        x       x     x       x        x
 *   emit, tables, timers                               x       x     x
 *   peek, value, scan, last                   x        x       x     x
 *   expect                                    x
 *   push, push_record, wait                                                  x
 *   encode_value                                       x                              x
 *   refuse, committing                                                                         x (deliver)
 *   watermark                                 x        x       x     x
 *   log, now, name             x        x     x        x       x     x       x        x          x
 *   key_field                  x        x     x        x       x     x
 */

#include <leat/buffer.h>
#include <leat/error.h>
#include <leat/option.h>
#include <leat/record.h>
#include <leat/state.h>

#ifdef __cplusplus
extern "C" {
#endif

enum leat_level { LEAT_DEBUG = 0, LEAT_INFO = 1, LEAT_WARNING = 2, LEAT_ERROR = 3 };
/* LEAT_ENDLESS_TIME is event time for timers that only forget. It goes as LEAT_EVENT_TIME does, in one order with it, but does not
 * come to INT64_MAX when all sources have ended: there may be more to read at the next start, and what was known then still is. */
enum leat_clock { LEAT_EVENT_TIME = 0, LEAT_PROCESSING_TIME = 1, LEAT_ENDLESS_TIME = 2 };

#define LEAT_NO_PORT UINT32_MAX

/* A due timer. `key` and `tag` are what leat_timer_set() was given; the key is good as long as the batch. */
struct leat_timer {
	enum leat_clock clock;
	int64_t due_us;
	int64_t tag;
	struct leat_value key;
};

/* A message as a source reads it, still encoded. Everything is copied by leat_push(). */
struct leat_message {
	const void *payload; /* NULL: a tombstone, a record whose value is null */
	size_t payload_n;
	const void *key; /* NULL when there is none; becomes a text, or bytes where it is not UTF-8 */
	size_t key_n;
	const struct leat_headers *headers;
	int64_t time_us; /* the source's own timestamp, or LEAT_NO_TIME */
	int64_t offset;  /* position of the message in its partition */
	int64_t next;    /* position to go on from once it is dealt with; mostly offset + 1 */
};

struct leat_context;
struct leat_waker;

struct leat_api {
	size_t size;
	uint32_t abi;

	void (*log)(struct leat_context *ctx, enum leat_level level, const char *text);
	const char *(*name)(struct leat_context *ctx, const char **pipeline);
	int64_t (*now)(struct leat_context *ctx);
	uint64_t (*random)(struct leat_context *ctx);
	uint32_t (*worker)(struct leat_context *ctx);
	leat_symbol (*intern)(struct leat_context *ctx, const char *name, size_t n);
	uint32_t (*port)(struct leat_context *ctx, const char *name);

	void *(*allocate)(struct leat_context *ctx, size_t n);
	struct leat_value (*list)(struct leat_context *ctx, const struct leat_value *item, size_t n);
	struct leat_value (*map_with)(struct leat_context *ctx, const struct leat_value *base, const struct leat_member *member, size_t n);

	void (*emit)(struct leat_context *ctx, uint32_t port, const struct leat_record *record);
	enum leat_status (*evaluate)(struct leat_context *ctx, const struct leat_expression *expression, const struct leat_record *record,
	                             struct leat_value *out, struct leat_error *err);
	enum leat_status (*render)(struct leat_context *ctx, const struct leat_template *t, const struct leat_record *record,
	                           struct leat_buffer *out, struct leat_error *err);
	enum leat_status (*encode_value)(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
	                                 struct leat_error *err);

	void *(*table_get)(struct leat_context *ctx, uint32_t table, const struct leat_value *key);
	const void *(*table_peek)(struct leat_context *ctx, uint32_t table, const struct leat_value *key);
	void (*table_erase)(struct leat_context *ctx, uint32_t table, const struct leat_value *key);
	const struct leat_value *(*table_value)(struct leat_context *ctx, uint32_t table, const struct leat_value *key);
	void (*table_put)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_value *value);
	void (*table_ttl)(struct leat_context *ctx, uint32_t table, int64_t ttl_us);
	void (*ordered_put)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_ordered_entry *entry);
	void (*ordered_erase)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until);
	size_t (*ordered_scan)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
	                       const struct leat_ordered_entry **entries);

	enum leat_status (*timer_set)(struct leat_context *ctx, const struct leat_timer *timer, struct leat_error *err);
	void (*timer_cancel)(struct leat_context *ctx, const struct leat_timer *timer);

	void (*push)(struct leat_context *ctx, const struct leat_message *message);
	void (*push_record)(struct leat_context *ctx, const struct leat_record *record, int64_t next);
	void (*wait)(struct leat_context *ctx, int64_t wait_us);
	struct leat_waker *(*waker)(struct leat_context *ctx);
	void (*wake)(struct leat_waker *waker);
	void (*partition)(struct leat_context *ctx, int32_t partition);
	void (*refuse)(struct leat_context *ctx, size_t effect, const struct leat_error *err);
	int64_t (*watermark)(struct leat_context *ctx);
	uint32_t (*input)(struct leat_context *ctx);
	struct leat_value (*copy)(struct leat_context *ctx, const struct leat_value *value);
	const struct leat_path *(*key_field)(struct leat_context *ctx, size_t i);
	bool (*ordered_last)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
	                     struct leat_ordered_entry *entry);
	void (*committing)(struct leat_context *ctx);
	void (*table_expect)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, size_t n);
	size_t (*ordered_take)(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
	                       const struct leat_ordered_entry **entries);
};

/* The host's own struct begins with this. */
struct leat_context {
	const struct leat_api *api;
};

/* ---- about itself ------------------------------------------------------------------------------------------------ */

/* One line into the host's log, with pipeline and node in front. An error that is returned is not logged as well. */
static inline void leat_log(struct leat_context *ctx, enum leat_level level, const char *format, ...) LEAT_PRINTF(3, 4);

static inline void leat_log(struct leat_context *ctx, enum leat_level level, const char *format, ...)
{
	char text[LEAT_ERROR_TEXT];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	ctx->api->log(ctx, level, text);
}

/* The node's name in the pipeline file, and through `pipeline` (may be NULL) the pipeline's. */
static inline const char *leat_name(struct leat_context *ctx, const char **pipeline)
{
	return ctx->api->name(ctx, pipeline);
}

/* Processing time in microseconds since 1970 in UTC, the same for all records of a batch. Operators have no other clock:
 * with this one a replay sees the same time again. */
static inline int64_t leat_now(struct leat_context *ctx)
{
	return ctx->api->now(ctx);
}

/* A random number. Each start begins with the same ones, others for each node and shard; how many a shard has drawn is not kept, so
 * that an event that is worked out again may get others, and a number is no name for something. Exactly-once does not rest on it:
 * of an epoch that is worked out again nothing has left. */
static inline uint64_t leat_random(struct leat_context *ctx)
{
	return ctx->api->random(ctx);
}

/* Number of the worker thread that owns this shard, from 0: instances with the same number never run at once. */
static inline uint32_t leat_worker(struct leat_context *ctx)
{
	return ctx->api->worker(ctx);
}

/* The i-th field of an operator's `key:`, NULL when there are not so many: what the parts of record->key are called. With one
 * field the key is its value, with several a list of their values. */
static inline const struct leat_path *leat_key_field(struct leat_context *ctx, size_t i)
{
	return ctx->api->key_field(ctx, i);
}

/* The symbol of a field that the plugin is going to read or write. Only in create(). */
static inline leat_symbol leat_intern(struct leat_context *ctx, const char *name)
{
	return ctx->api->intern(ctx, name, strlen(name));
}

/* The number of one of the operator's ports; LEAT_NO_PORT when it has none of that name. Only in create(). */
static inline uint32_t leat_port(struct leat_context *ctx, const char *name)
{
	return ctx->api->port(ctx, name);
}

/* ---- values, in the arena of the batch in hand ------------------------------------------------------------------- */

/* `n` bytes, aligned for anything, not zeroed, never NULL; good as long as the batch. */
static inline void *leat_allocate(struct leat_context *ctx, size_t n)
{
	return ctx->api->allocate(ctx, n);
}

/* A text with a copy of the bytes, which have to be UTF-8. */
static inline struct leat_value leat_text(struct leat_context *ctx, const char *s, size_t n)
{
	char *copy = (char *)ctx->api->allocate(ctx, n);

	if (n > 0)
		memcpy(copy, s, n);
	return leat_borrow(copy, n);
}

/* A list with a copy of the items. What the items point to has to be in the arena already. */
static inline struct leat_value leat_list_of(struct leat_context *ctx, const struct leat_value *item, size_t n)
{
	return ctx->api->list(ctx, item, n);
}

/* A map with the members of `base` (a map, or NULL for none) and `member[0..n)` on top: a member of a name that is there
 * takes its place, others follow at the end. A member with a symbol needs no name. `base` stays as it is. */
static inline struct leat_value leat_map_with(struct leat_context *ctx, const struct leat_value *base, const struct leat_member *member,
                                              size_t n)
{
	return ctx->api->map_with(ctx, base, member, n);
}

/* A deep copy in the arena, source texts included: for what comes from a table or a timer and is emitted. */
static inline struct leat_value leat_copy(struct leat_context *ctx, const struct leat_value *value)
{
	return ctx->api->copy(ctx, value);
}

/* ---- operators --------------------------------------------------------------------------------------------------- */

/* In prepare() and process(): by which of the operator's named inputs the batch or the record came, as an index into `inputs`.
 * A batch is of one input. 0 where inputs have no names. */
static inline uint32_t leat_input(struct leat_context *ctx)
{
	return ctx->api->input(ctx);
}

/* Sends a record out of a port (0 is "out"). Never fails, never blocks, and delivers after the call into the plugin has
 * returned. The record is copied; what it points to has to be in the arena, static, or part of an input. */
static inline void leat_emit(struct leat_context *ctx, uint32_t port, const struct leat_record *record)
{
	ctx->api->emit(ctx, port, record);
}

/* The same with another value: key, times, headers and origin stay those of `like`. */
static inline void leat_emit_value(struct leat_context *ctx, uint32_t port, const struct leat_record *like, struct leat_value value)
{
	struct leat_record record = *like;

	record.value = value;
	ctx->api->emit(ctx, port, &record);
}

/* Evaluates an expression over a record. LEAT_REJECT with the reason when it has no value, such as 1 + "a". */
static inline enum leat_status leat_evaluate(struct leat_context *ctx, const struct leat_expression *expression,
                                             const struct leat_record *record, struct leat_value *out, struct leat_error *err)
{
	return ctx->api->evaluate(ctx, expression, record, out, err);
}

/* Appends the template with its {fields} filled in. LEAT_REJECT when a field is missing. */
static inline enum leat_status leat_render(struct leat_context *ctx, const struct leat_template *t, const struct leat_record *record,
                                           struct leat_buffer *out, struct leat_error *err)
{
	return ctx->api->render(ctx, t, record, out, err);
}

/* Appends the value in the node's `format` (JSON unless it says otherwise). */
static inline enum leat_status leat_encode(struct leat_context *ctx, const struct leat_value *value, struct leat_buffer *out,
                                           struct leat_error *err)
{
	return ctx->api->encode_value(ctx, value, out, err);
}

/* ---- state (see state.h); `table` is the index into the operator's table of tables ------------------------------- */

/* fixed: the entry, opened for change; zeroed when new. Never NULL. */
static inline void *leat_table_get(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return ctx->api->table_get(ctx, table, key);
}

/* fixed: the entry for reading, NULL when there is none. */
static inline const void *leat_table_peek(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return ctx->api->table_peek(ctx, table, key);
}

/* any kind: a hint that process() will ask for these n keys, so that they are fetched from memory together. Without it the host expects
 * each record's own key, in every table. */
static inline void leat_table_expect(struct leat_context *ctx, uint32_t table, const struct leat_value *key, size_t n)
{
	ctx->api->table_expect(ctx, table, key, n);
}

/* any kind: removes what is stored under the key. */
static inline void leat_table_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	ctx->api->table_erase(ctx, table, key);
}

/* value: the stored tree, NULL when there is none. */
static inline const struct leat_value *leat_table_value(struct leat_context *ctx, uint32_t table, const struct leat_value *key)
{
	return ctx->api->table_value(ctx, table, key);
}

/* value: stores a deep copy. */
static inline void leat_table_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key, const struct leat_value *value)
{
	ctx->api->table_put(ctx, table, key, value);
}

/* any kind: entries that nobody changed for `ttl_us` are as if they were not there; 0: kept for ever. Only in create(). */
static inline void leat_table_ttl(struct leat_context *ctx, uint32_t table, int64_t ttl_us)
{
	ctx->api->table_ttl(ctx, table, ttl_us);
}

/* ordered: stores a deep copy under (key, order, sequence), in place of what stood there. */
static inline void leat_ordered_put(struct leat_context *ctx, uint32_t table, const struct leat_value *key,
                                    const struct leat_ordered_entry *entry)
{
	ctx->api->ordered_put(ctx, table, key, entry);
}

/* ordered: removes the entries with from <= order < until. */
static inline void leat_ordered_erase(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until)
{
	ctx->api->ordered_erase(ctx, table, key, from, until);
}

/* ordered: the entries with from <= order < until, sorted, in *entries; returns how many. */
static inline size_t leat_ordered_scan(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from,
                                       int64_t until, const struct leat_ordered_entry **entries)
{
	return ctx->api->ordered_scan(ctx, table, key, from, until, entries);
}

/* ordered: the last entry with from <= order < until, in *entry; false when there is none. Unlike a scan it does not hold on
 * to the table's memory: to change the entry afterwards costs the same in a long run as in a short one. */
static inline bool leat_ordered_last(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from, int64_t until,
                                     struct leat_ordered_entry *entry)
{
	return ctx->api->ordered_last(ctx, table, key, from, until, entry);
}

/* ordered: removes the entries with from <= order < until and hands them out as a scan does. They and their values are the batch's from
 * then on, so that they can be emitted as they are. */
static inline size_t leat_ordered_take(struct leat_context *ctx, uint32_t table, const struct leat_value *key, int64_t from,
                                       int64_t until, const struct leat_ordered_entry **entries)
{
	return ctx->api->ordered_take(ctx, table, key, from, until, entries);
}

/* Event time that has passed for this instance: no record with an earlier time is expected any more, and one that comes is
 * late. It never goes back, not by a restart either. LEAT_NO_TIME, which is less than any time, before the first;
 * INT64_MAX when all sources that it is fed by have ended for good. */
static inline int64_t leat_watermark(struct leat_context *ctx)
{
	return ctx->api->watermark(ctx);
}

/* Calls the operator's timer() when the clock has come to `due_us`, in the order of due times and of setting. Event time is
 * leat_watermark(): what timer() then emits goes downstream before that watermark does. A timer that is due when it is set
 * fires soon. The same (clock, due, key, tag) set twice is one timer. */
static inline enum leat_status leat_timer_set(struct leat_context *ctx, const struct leat_timer *timer, struct leat_error *err)
{
	return ctx->api->timer_set(ctx, timer, err);
}

static inline void leat_timer_cancel(struct leat_context *ctx, const struct leat_timer *timer)
{
	ctx->api->timer_cancel(ctx, timer);
}

/* ---- sources ----------------------------------------------------------------------------------------------------- */

/* Hands over a message; the host decodes it by the source's `format`. One that cannot be decoded becomes a dead letter. */
static inline void leat_push(struct leat_context *ctx, const struct leat_message *message)
{
	ctx->api->push(ctx, message);
}

/* Hands over a record made with the functions above; origin.offset is its position, `next` where to go on after it. */
static inline void leat_push_record(struct leat_context *ctx, const struct leat_record *record, int64_t next)
{
	ctx->api->push_record(ctx, record, next);
}

/* Before returning LEAT_AGAIN from poll(): call again after `wait_us` at the latest. Without it only the waker helps. */
static inline void leat_wait(struct leat_context *ctx, int64_t wait_us)
{
	ctx->api->wait(ctx, wait_us);
}

/* In open(): the reader's waker, good until its close() returns. */
static inline struct leat_waker *leat_waker(struct leat_context *ctx)
{
	return ctx->api->waker(ctx);
}

/* From any thread: have the reader polled soon. Pass the api that the context had. */
static inline void leat_wake(const struct leat_api *api, struct leat_waker *waker)
{
	api->wake(waker);
}

/* In partitions(): one call for each partition that the source has now. */
static inline void leat_partition(struct leat_context *ctx, int32_t partition)
{
	ctx->api->partition(ctx, partition);
}

/* ---- sinks ------------------------------------------------------------------------------------------------------- */

/* In deliver(), which then returns LEAT_OK: the effect with this index was refused for good and the others were done. */
static inline void leat_refuse(struct leat_context *ctx, size_t effect, const struct leat_error *err)
{
	ctx->api->refuse(ctx, effect, err);
}

/* In deliver(), for the figures: all effects are in the system, and what follows makes them final. Latency from there on is counted
 * apart. A sink that writes and commits in one request says nothing. */
static inline void leat_committing(struct leat_context *ctx)
{
	ctx->api->committing(ctx);
}

#ifdef __cplusplus
}
#endif

#endif
