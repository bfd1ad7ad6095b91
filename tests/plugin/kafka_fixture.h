/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_KAFKA_FIXTURE_H
#define LEAT_TESTS_KAFKA_FIXTURE_H

#include <leat/plugin.h>
#include <librdkafka/rdkafka.h>

/*
 * A host for the kafka plugin that is all in one thread, and the other side of a real broker: topics are made, written and
 * read here with librdkafka itself.
 */

/* What a source has pushed. */
struct seen {
	int32_t partition;
	int64_t offset;
	int64_t time_us;
	char key[64];   /* "-" when there is none */
	char value[64]; /* the first bytes; "-" for a tombstone */
	size_t value_n;
	char headers[128]; /* "name=value;name=-;" */
};

struct leat_waker {
	_Atomic int n_woken;
};

enum { HOST_PARTITIONS = 16, HOST_REFUSALS = 16 };

struct host {
	struct leat_context context; /* first: what the plugin is handed */
	void *self;
	struct leat_arena *arena; /* of what options point to */
	struct leat_symbols *symbols;
	char settings_error[512]; /* what leat_options_fill() reported */
	struct leat_waker waker[HOST_PARTITIONS];
	struct leat_reader *reader[HOST_PARTITIONS];
	int32_t n_partitions; /* of the last partitions() */
	int32_t current;      /* whose open() or poll() runs */
	double again_s[HOST_PARTITIONS]; /* when it wants to be polled though nobody wakes it; 0: never */
	bool only_counts;
	size_t n_seen, seen_capacity, n_bytes;
	struct seen *seen;
	size_t n_refusals;
	size_t n_commits; /* that were announced */
	size_t refused[HOST_REFUSALS];
	char refusal[512];
	char log[2048];
	struct leat_error err;
};

const char *brokers(void);
/* False: no broker there. */
bool broker_answers(void);
const struct leat_plugin *plugin(void);

/* Options are pairs of texts, ended by NULL; {"client", "name=value"} sets a client option. The instance is in host->self,
 * NULL when the options were refused, with the reason in host->settings_error or host->err. */
struct host *source_create(const char *const *options);
struct host *sink_create(const char *const *options);
void host_destroy(struct host *h); /* closes readers and destroys the instance */

enum leat_status source_partitions(struct host *h);
enum leat_status source_open(struct host *h, int32_t partition, const struct leat_position *from);
/* partitions(), then open() for each that is not open. */
enum leat_status source_open_all(struct host *h);
/* Polls every reader that was woken until `n` records are there or nothing has come for `idle_ms`. The first status that is
 * neither LEAT_OK nor LEAT_AGAIN. */
enum leat_status source_read(struct host *h, size_t n, int idle_ms);
/* Until n have been seen, for some twelve seconds without any. */
enum leat_status source_read_all(struct host *h, size_t n);
void source_close_all(struct host *h);

enum leat_status sink_claim(struct host *h);
/* Encodes and delivers. */
enum leat_status sink_write(struct host *h, const struct leat_record *records, size_t n);
/* The same with a fence. The pipeline tells sinks apart that share a cluster. */
enum leat_status sink_claim_fenced(struct host *h, const char *pipeline, uint64_t incarnation, struct leat_fence *found);
enum leat_status sink_write_fenced(struct host *h, const struct leat_fence *expected, const struct leat_fence *next,
                                   const struct leat_record *records, size_t n);
struct leat_record text_record(const char *key, const char *value); /* NULL: null */

/* The other side. Names are unique to the process. */
const char *topic_name(const char *what);
void topic_create(const char *name, int partitions, const char *config, const char *value);
void topic_alter(const char *name, const char *config, const char *value);
void topic_grow(const char *name, int partitions);
void topic_delete(const char *name);
/* Writes `n` messages with values "<prefix><i>" and keys "k<i>"; time_ms 0: now. */
void topic_write(const char *name, int32_t partition, const char *prefix, int n, int64_t time_ms);
/* Writes n messages in a transaction. */
void topic_transact(const char *name, const char *prefix, int n, bool is_committed);
/* Reads all that is committed, in order within a partition, up to `max`; how many there are. Fails the test when a transaction
 * has been left open. */
size_t topic_read(const char *name, int partitions, struct seen *seen, size_t max);
/* Offset that the group has committed, -1 when none. */
int64_t group_offset(const char *group, const char *topic, int32_t partition);

double now_s(void);

#endif
