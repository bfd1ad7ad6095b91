/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KAFKA_H
#define KAFKA_H

/*
 * What the files of this plugin share. errors.c and settings.c stand on nothing, client.c on both, and source.c, reader.c,
 * start.c, notebook.c and sink.c, fenced.c, fence.c, producer.c on the client.
 */

#include <pthread.h>
#include <stdatomic.h>

#include <leat/plugin.h>
#include <librdkafka/rdkafka.h>

#include "../shared/bug.h"

enum { KAFKA_PATIENCE_MS = 5000 }; /* for an answer from the cluster, wherever a call may block */

enum kafka_role { KAFKA_SOURCE = 1, KAFKA_SINK = 2 };

extern const struct leat_source_ops kafka_source;
extern const struct leat_sink_ops kafka_sink;

/* ---- settings.c: options to librdkafka's own settings ------------------------------------------------------------ */

struct kafka_options {
	const char *brokers;
	const char *topic;
	struct leat_pairs client;
	int protocol;
	int mechanism;
	const char *username;
	const char *password;
	const char *ca_file;
	const char *certificate_file;
	const char *key_file;
	const char *key_password;
};

extern const char *const kafka_protocols[];
extern const char *const kafka_mechanisms[];

/* The lines of an option table for a struct with a kafka_options named `common`. */
#define KAFKA_OPTIONS(struct_)                                                                                             \
	LEAT_OPTION(TEXT, struct_, common.brokers, "brokers", "Brokers to ask first, host:port, with commas between them.",       \
	            .flags = LEAT_OPTION_REQUIRED),                                                                                 \
		LEAT_OPTION(TEXT, struct_, common.topic, "topic", "Name of the topic.", .flags = LEAT_OPTION_REQUIRED),             \
		LEAT_OPTION(CHOICE, struct_, common.protocol, "security_protocol",                            \
		            "Whether the connection uses TLS (ssl) and a login (sasl).",                                            \
		            .preset = "plaintext", .choices = kafka_protocols),                                                    \
		LEAT_OPTION(CHOICE, struct_, common.mechanism, "sasl_mechanism",                              \
		            "How to log in, where `security_protocol` uses SASL.",                                                  \
		            .preset = "scram-sha-512", .choices = kafka_mechanisms),                                                \
		LEAT_OPTION(TEXT, struct_, common.username, "username", "User name for SASL."),                                     \
		LEAT_OPTION(TEXT, struct_, common.password, "password", "Password for SASL.", .flags = LEAT_OPTION_SECRET),         \
		LEAT_OPTION(TEXT, struct_, common.ca_file, "ca_file", "File with the authorities that may sign the brokers' "       \
		            "certificates; those of the system unless it is given."),                                               \
		LEAT_OPTION(TEXT, struct_, common.certificate_file, "certificate_file", "File with our own certificate, for TLS."), \
		LEAT_OPTION(TEXT, struct_, common.key_file, "key_file", "File with the certificate's private key."),                \
		LEAT_OPTION(TEXT, struct_, common.key_password, "key_password", "Password of the private key.",                     \
		            .flags = LEAT_OPTION_SECRET),                                                                           \
		LEAT_OPTION(PAIRS, struct_, common.client, "client", "More settings of librdkafka, from those that this plugin "    \
		            "allows; see its README.")

/* A setting of librdkafka. */
struct kafka_setting {
	const char *name;
	const char *value;
};

/* Makes *conf from the presets of both roles, `settings` (ended by a NULL name), the options, and the allowed pairs of
 * `client`. LEAT_FATAL names the option at fault. */
enum leat_status kafka_configure(const struct kafka_options *options, enum kafka_role role, const struct kafka_setting *settings,
                                 rd_kafka_conf_t **conf, struct leat_error *err);

/* What a source and a sink are told by: the topic. Brokers come and go, and another cluster has another topic of that name,
 * which its id and the missing fence tell. */
void kafka_put_identity(const struct kafka_options *options, struct leat_buffer *text);

/* ---- client.c: a handle of librdkafka and its topic --------------------------------------------------------------- */

struct kafka_client {
	rd_kafka_t *rk; /* NULL when closed */
	rd_kafka_topic_t *topic;
	const struct kafka_options *options;
	pthread_mutex_t lock;     /* of what librdkafka's threads tell us: */
	bool is_away;             /* no broker is left */
	rd_kafka_resp_err_t code; /* the last trouble with a connection, 0 since one has worked */
	char trouble[256];        /* in words */
	_Atomic unsigned n_missing; /* times that librdkafka found the topic or a partition of it gone */
	_Atomic unsigned n_ends;    /* requests that end a transaction, sent since it began */
	_Atomic unsigned n_offsets; /* and those that add offsets to it */
};

/* A copy of `conf` is used. The client must not move until it is closed. */
enum leat_status kafka_client_open(struct kafka_client *client, rd_kafka_type_t type, const struct kafka_options *options,
                                   const rd_kafka_conf_t *conf, struct leat_error *err);
void kafka_client_close(struct kafka_client *client);
/* Asks the cluster for the topic, for KAFKA_PATIENCE_MS at most. LEAT_FATAL when there is no such topic. */
enum leat_status kafka_client_topic(struct kafka_client *client, int32_t *n_partitions, struct leat_error *err);
/* The topic's max.message.bytes; false when the cluster does not tell. */
bool kafka_client_limit(struct kafka_client *client, int64_t *limit);
/* Translates `code` for `what` was tried ("read partition 3"), with what is known about the connection. */
enum leat_status kafka_client_error(struct kafka_client *client, rd_kafka_resp_err_t code, const char *what,
                                    struct leat_error *err);
int64_t kafka_now_ms(void); /* a clock that never jumps */

/* ---- errors.c ----------------------------------------------------------------------------------------------------- */

/* What an error of librdkafka or of a broker means to the host. LEAT_REJECT: one message is at fault, and nothing else. */
enum leat_status kafka_status(rd_kafka_resp_err_t code);
/* The topic or partition is not there, as far as the one who answered knows. */
bool kafka_is_missing(rd_kafka_resp_err_t code);
/* The one who should answer cannot be reached, or does not answer. */
bool kafka_is_away(rd_kafka_resp_err_t code);
/* What librdkafka says about a connection, in a few words: "connection refused". */
void kafka_shorten(const char *said, char *out, size_t out_n);

/* ---- notebook.c: the group's offsets ----------------------------------------------------------------------------------- */

struct kafka_notebook {
	struct kafka_client client;
	pthread_mutex_t lock; /* of: */
	rd_kafka_topic_partition_list_t *pending;
	rd_kafka_queue_t *commits; /* results */
	size_t n_committing;
	int64_t committed_ms;
	_Atomic bool owes_commit; /* something is pending, and a reader has been woken for it */
	rd_kafka_resp_err_t commit_code; /* of one that was refused, until it is told */
};

void kafka_notebook_init(struct kafka_notebook *notebook);
/* Makes the client, from a copy of `conf`. Nothing else may be called before, but finish. */
enum leat_status kafka_notebook_open(struct kafka_notebook *notebook, const char *group, const struct kafka_options *options,
                                     const rd_kafka_conf_t *conf, struct leat_error *err);
/* Commits a position, perhaps later, and asks what became of earlier ones; *code is that of one that did not work. True: a
 * reader is to be woken, to call pay. */
bool kafka_notebook_put(struct kafka_notebook *notebook, int32_t partition, const struct leat_position *position,
                        rd_kafka_resp_err_t *code);
/* From a reader's poll while owes_commit is set: writes what put() left, or has the reader come again. */
void kafka_notebook_pay(struct kafka_notebook *notebook, struct leat_context *ctx);
/* Writes what is pending without waiting for it. */
void kafka_notebook_flush(struct kafka_notebook *notebook);
/* Writes what is pending and waits for it, for a while. */
void kafka_notebook_finish(struct kafka_notebook *notebook);

/* ---- feed.c: goes on reading ahead ---------------------------------------------------------------------------------- */

struct kafka_feed {
	struct kafka_client *client;
	pthread_t thread;
	bool is_started;
	pthread_mutex_t lock; /* of the next two */
	pthread_cond_t changed;
	bool is_ending;
	rd_kafka_topic_partition_list_t *hungry; /* partitions to look at; NULL: none */
};

/* What librdkafka is to be told for it; NULL: it cannot be told, and kafka_feed_ask() does it. */
const char *kafka_feed_backoff_ms(void);
/* A zeroed feed, or one that was started before. */
enum leat_status kafka_feed_start(struct kafka_feed *feed, struct kafka_client *client, struct leat_error *err);
void kafka_feed_end(struct kafka_feed *feed);
/* Has librdkafka look soon at a partition of which it had enough. Does not wait. */
void kafka_feed_ask(struct kafka_feed *feed, int32_t partition);

/* ---- source.c, reader.c, start.c ----------------------------------------------------------------------------------- */

enum kafka_start { KAFKA_STORED, KAFKA_EARLIEST, KAFKA_LATEST, KAFKA_TIME };

/*
 * A record that was read, so that a later reader can tell whether the topic is still the same one: topics have no
 * identity that librdkafka 2.0 would show, and one that was deleted and made again counts its offsets from 0 again.
 */
struct kafka_anchor {
	int64_t offset;
	int64_t time_ms;
	uint64_t hash; /* of key and value */
};

enum { KAFKA_ANCHORS = 32 };

/* What a message that is read ahead counts at least: it costs librdkafka more than 300 bytes besides its own. */
enum { KAFKA_MESSAGE_COST = 512 };

/* Where a partition is to be read from, and perhaps what was read before. */
struct kafka_place {
	int64_t offset;
	bool has_anchor;
	struct kafka_anchor anchor;
};

struct kafka_source {
	struct kafka_options common;
	const char *group_option;
	const char *start_option;
	int64_t fetch_wait_us;
	int64_t fetch_max;
	int64_t prefetch;
	char group[256];
	enum kafka_start start;
	int64_t start_ms; /* KAFKA_TIME: since 1970 in UTC */
	rd_kafka_conf_t *conf;

	pthread_mutex_t lock; /* of both clients' making, of the list of readers, and of: */
	struct kafka_client client;
	struct kafka_feed feed;
	struct leat_reader *readers;
	int32_t n_first; /* partitions when we first looked; those beyond are new and read from their beginning */
	bool has_looked;
	bool has_positions; /* the host remembers positions: a partition without one is new */

	struct kafka_notebook notebook;
};

struct leat_reader {
	struct kafka_source *source;
	struct leat_reader *sibling;
	int32_t partition;
	rd_kafka_queue_t *queue;
	const struct leat_api *api;
	struct leat_waker *waker;
	pthread_mutex_t lock; /* of all below, held for moments only */
	bool is_started;      /* librdkafka fetches into `queue` */
	bool has_enough;      /* librdkafka was seen near the bound of what is read ahead */
	bool is_lost;         /* the broker no longer knows our topic, partition or offset */
	unsigned n_missing;   /* the client's, when reading was started */
	_Atomic int64_t next; /* offset after the last record that was pushed */
	_Atomic int64_t end;  /* of the partition when it was asked for last, -1: never */
	struct leat_error trouble; /* to be told by the next poll */
	struct kafka_anchor anchor[KAFKA_ANCHORS];
	size_t n_anchors;
};

/* "earliest", "latest", "stored", RFC 3339 or milliseconds since 1970. False: none of them. */
bool kafka_start_parse(const char *text, enum kafka_start *start, int64_t *start_ms);
/* Where a partition begins for which the host has no position. */
enum leat_status kafka_start_find(struct kafka_source *source, int32_t partition, struct kafka_place *place,
                                  struct leat_context *ctx,
                                  struct leat_error *err);

void kafka_anchor_make(const rd_kafka_message_t *message, struct kafka_anchor *anchor);
void kafka_anchor_write(const struct kafka_anchor *anchor, char *note, size_t note_n);
bool kafka_anchor_read(const char *note, struct kafka_anchor *anchor);
/* Whether the topic still is the one where place->anchor was read and place->offset comes next. LEAT_FATAL if not. A record
 * that compaction or retention has removed proves nothing: then *is_sure is false. */
enum leat_status kafka_anchor_check(struct kafka_client *client, int32_t partition, const struct kafka_place *place,
                                    bool *is_sure,
                                    struct leat_error *err);
/* Reads the first record from `offset` on; at the end of the partition found->offset is -1. The partition must not be
 * started. */
enum leat_status kafka_probe(struct kafka_client *client, int32_t partition, int64_t offset, struct kafka_anchor *found,
                             struct leat_error *err);

enum leat_status kafka_reader_open(struct kafka_source *source, int32_t partition, const struct kafka_place *place,
                                   struct leat_reader **reader, struct leat_context *ctx, struct leat_error *err);
enum leat_status kafka_reader_poll(struct leat_reader *reader, size_t max_bytes, struct leat_context *ctx,
                                   struct leat_error *err);
/* Fills the position's note. */
void kafka_reader_mark(struct leat_reader *reader, struct leat_position *position);
/* For a reader that is lost, off the worker's thread: goes on if the topic is the same as before, else its next poll tells. */
enum leat_status kafka_reader_heal(struct leat_reader *reader, int32_t n_partitions, struct leat_error *err);
void kafka_reader_close(struct leat_reader *reader);

/* ---- sink.c, producer.c -------------------------------------------------------------------------------------------- */

/* A message, taken out of an effect; points into it. */
struct kafka_message {
	const char *key; /* NULL: none */
	size_t key_n;
	const char *value; /* NULL: a tombstone */
	size_t value_n;
	int64_t time_ms; /* 0: now */
	uint32_t n_headers;
	const char *headers; /* for each: u32 and name, u32 and value; UINT32_MAX for a null value */
};

bool kafka_effect_read(const struct leat_effect *effect, struct kafka_message *message);

/* A set of partitions of the sink's topic, empty when zeroed, with the offset of the last message that was written there. */
struct kafka_partitions {
	int64_t *last; /* INT64_MAX: not known, KAFKA_NOT_THERE: not in the set */
	int32_t n;
};

enum { KAFKA_NOT_THERE = -1 };

/* The first one from `from` on, -1: none. */
int32_t kafka_partitions_next(const struct kafka_partitions *set, int32_t from);
void kafka_partitions_add(struct kafka_partitions *set, const struct kafka_partitions *more);
void kafka_partitions_clear(struct kafka_partitions *set);
void kafka_partitions_free(struct kafka_partitions *set);

/* An idempotent producer, or a transactional one. */
struct kafka_producer {
	struct kafka_client client; /* first: librdkafka hands it back in delivery reports */
	bool is_open;               /* a transaction was begun and not seen to end */
	struct kafka_partitions touched; /* where messages of it may have been written */
	size_t n_pending;           /* messages without a delivery report */
	bool has_failed;            /* one of those that were put last has an error of its own */
	rd_kafka_resp_err_t *result;
	size_t result_capacity;
};

enum {
	KAFKA_FENCE_TEXT = 4096 + 1,   /* what a broker takes as a note, unless it is told otherwise */
	KAFKA_REFUSED_TEXT = 4000 + 1, /* of that */
};

/* What is kept in the cluster. */
struct kafka_fence {
	struct leat_fence is;
	char refused[KAFKA_REFUSED_TEXT]; /* "SPAN:BITS", as fence.c has it; "": none */
};

struct kafka_sink {
	struct kafka_options common;
	const struct leat_template *key;
	struct leat_templates headers;
	bool passes_headers;
	int timestamp;
	int compression;
	int64_t max_message;
	int64_t timeout_us;
	rd_kafka_conf_t *conf;
	_Atomic int64_t limit; /* of a message in bytes; encode() reads it from any thread */
	struct kafka_producer producer[2]; /* at least once: only the first */
	size_t n_done; /* at least once: effects at the front that an earlier deliver() had through before it returned LEAT_RETRY */

	bool is_fenced;   /* as it was claimed */
	bool has_fence;   /* both producers are ours, and `fence` is what is kept */
	bool knows_fence; /* the latter, also when the producers are gone; */
	bool is_doubted;  /* but it may be `next` as well: nobody heard whether the delivery was committed */
	struct kafka_fence fence;
	struct kafka_fence next; /* of the delivery in hand */
	struct kafka_partitions unended[2]; /* where each producer's last transaction may be open still, unless it was committed */
	size_t turn;      /* whose producer's transaction is next */
	char id[240];     /* of its transactions, without the producer's number */
	char group[256];  /* of the fence */
};

enum leat_status kafka_producer_open(struct kafka_producer *producer, const struct kafka_options *options, rd_kafka_conf_t *conf,
                                     struct leat_error *err);
/* Produces effect[i] for begin <= i < end; result[i] is known after the wait. */
void kafka_producer_put(struct kafka_producer *producer, const struct leat_effect *effect, size_t begin, size_t end);
/* Produces a message to each of these partitions, and returns how many. */
size_t kafka_producer_touch(struct kafka_producer *producer, const struct kafka_partitions *set);
/* Until each message has its result, or `stops_early` and one has failed. False: not within `patience_ms`. */
bool kafka_producer_wait(struct kafka_producer *producer, int64_t patience_ms, bool stops_early);
/* Both; `patience_ms` is beyond any message's own timeout. LEAT_UNKNOWN: it was closed, as results are missing. */
enum leat_status kafka_producer_send(struct kafka_producer *producer, const struct leat_effect *effect, size_t begin, size_t end,
                                     int64_t patience_ms, struct leat_error *err);
void kafka_producer_close(struct kafka_producer *producer);

/* ---- transaction.c ------------------------------------------------------------------------------------------------------ */

enum {
	KAFKA_TRANSACTION_MS = 15000, /* after that the brokers abort it, and until then nobody reads beyond it */
	KAFKA_MESSAGE_MS = 10000,
	KAFKA_SETTLE_MS = 12000, /* a message has its result before */
};

/* What librdkafka says about `what` was tried; tell_error() also frees it, NULL is LEAT_OK. */
enum leat_status kafka_tell(struct kafka_producer *producer, rd_kafka_resp_err_t code, const char *what, struct leat_error *err);
enum leat_status kafka_tell_error(struct kafka_producer *producer, rd_kafka_error_t *error, const char *what, struct leat_error *err);
rd_kafka_error_t *kafka_lose(void); /* what it would say at a fault point */
/* Ends what a former owner of the producer's id has under way. */
enum leat_status kafka_take_over(struct kafka_producer *producer, struct leat_error *err);
enum leat_status kafka_begin(struct kafka_producer *producer, struct leat_error *err);
/* What came of the messages first <= i < end: the worst that happened to one. LEAT_REJECT: some were refused. */
enum leat_status kafka_settle(struct kafka_producer *producer, size_t first, size_t end, int64_t patience_ms, struct leat_error *err);
enum leat_status kafka_put_fence(const struct kafka_sink *sink, struct kafka_producer *producer, const struct kafka_fence *fence,
                                 struct leat_error *err);
/* Both are LEAT_UNKNOWN unless it is sure to be done. Messages have their results after an abort: they were taken back. */
enum leat_status kafka_commit(struct kafka_producer *producer, struct leat_error *err);
enum leat_status kafka_abort(struct kafka_producer *producer, struct leat_error *err);
/* Before a producer is closed: adds the partitions where it has something open. */
void kafka_give_up(struct kafka_producer *producer, struct kafka_partitions *unended);
/* With the next owner of its id: aborts what brokers may have left open there, and clears the set. */
enum leat_status kafka_abort_again(struct kafka_producer *producer, struct kafka_partitions *unended, struct leat_error *err);

/* ---- fence.c: the fence and where it is kept; fenced.c: delivery with it ---------------------------------------------- */

void kafka_fence_write(const struct kafka_fence *fence, char text[KAFKA_FENCE_TEXT]);
bool kafka_fence_read(const char *text, struct kafka_fence *fence);
/* Of `n` messages those whose code is not 0. Returns how many do not fit: the last of them are left out. */
size_t kafka_refused_write(const rd_kafka_resp_err_t *verdict, size_t n, char text[KAFKA_REFUSED_TEXT]);
/* The first message at or behind `from`, of `n` that end as those did, that is among them; SIZE_MAX when none is. */
size_t kafka_refused_next(const char *text, size_t n, size_t from);
/* How many messages there were from the first refused one on. */
size_t kafka_refused_span(const char *text);
/* A consumer that joins no group, as librdkafka's producers cannot read offsets. `is_stable`: it waits for offsets in
 * transactions that are under way. */
enum leat_status kafka_fence_open(const struct kafka_sink *sink, bool is_stable, struct kafka_client *reader,
                                  struct leat_error *err);
/* All zero when there is none. LEAT_RETRY: nobody answers, or a transaction is still under way. */
enum leat_status kafka_fence_find(const struct kafka_sink *sink, struct kafka_client *reader, struct kafka_fence *found,
                                  struct leat_error *err);
/* Adds the fence to the producer's transaction. NULL: done. */
rd_kafka_error_t *kafka_fence_put(const struct kafka_sink *sink, struct kafka_producer *producer, const struct kafka_fence *fence);

enum leat_status kafka_fenced_claim(struct kafka_sink *sink, const struct leat_claim *claim, struct leat_fence *found,
                                    struct leat_error *err);
enum leat_status kafka_fenced_deliver(struct kafka_sink *sink, const struct leat_delivery *delivery, struct leat_context *ctx,
                                      struct leat_error *err);

#endif
