/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The offsets of a source's group. The group is only a notebook: partitions are assigned by the host, and what is committed is
 * there for tools that show lag and for `start: stored`. What is tricky is to be prompt and never in the way: there is at
 * most one request on its way, nobody waits for it while reading goes on, and what did not work is made again.
 */

#include "kafka.h"

enum {
	COMMIT_EVERY_MS = 500, /* positions move with every epoch, the notebook need not */
	COMMIT_WAIT_MS = 2000, /* for the last one */
};

/* Of requests about the group. Longer than brokers take by themselves (offsets.commit.timeout.ms, five seconds). */
#define NOTEBOOK_TIMEOUT_MS "6000"

void kafka_notebook_init(struct kafka_notebook *n)
{
	(void)pthread_mutex_init(&n->lock, NULL);
}

/*
 * The group has a client of its own, for the sake of another patience than large answers need. When a broker that has just
 * started says that it is not the group's coordinator, librdkafka (2.0) may send its question who is on that very connection,
 * which it has cut; the question and every commit then wait for socket.timeout.ms, a minute by itself.
 */
enum leat_status kafka_notebook_open(struct kafka_notebook *n, const char *group, const struct kafka_options *options,
                                     const rd_kafka_conf_t *conf, struct leat_error *err)
{
	rd_kafka_conf_t *own = rd_kafka_conf_dup(conf);
	enum leat_status status;

	(void)rd_kafka_conf_set(own, "group.id", group, NULL, 0);
	(void)rd_kafka_conf_set(own, "socket.timeout.ms", NOTEBOOK_TIMEOUT_MS, NULL, 0);
	status = kafka_client_open(&n->client, RD_KAFKA_CONSUMER, options, own, err);
	rd_kafka_conf_destroy(own);
	if (status != LEAT_OK)
		return status;
	n->commits = rd_kafka_queue_new(n->client.rk);
	n->pending = rd_kafka_topic_partition_list_new(8);
	return LEAT_OK;
}

/* Goes with the next commit, unless something newer is there. */
static void set_pending(struct kafka_notebook *n, int32_t partition, int64_t offset, const char *note, size_t note_n, bool is_newer)
{
	const char *topic = n->client.options->topic;
	rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_find(n->pending, topic, partition);

	if (p != NULL && !is_newer)
		return;
	if (p == NULL)
		p = rd_kafka_topic_partition_list_add(n->pending, topic, partition);
	free(p->metadata);
	p->offset = offset;
	p->metadata = strndup(note, note_n);
	if (p->metadata == NULL)
		leat_run_out();
	p->metadata_size = note_n;
}

/* A commit that did not work is to be made again, also when no more records come: a clean stop would else leave records to be
 * read twice. */
static void take_back(struct kafka_notebook *n, const rd_kafka_topic_partition_list_t *list)
{
	for (int i = 0; i < list->cnt; i++) {
		const rd_kafka_topic_partition_t *p = &list->elems[i];

		set_pending(n, p->partition, p->offset, p->metadata != NULL ? (const char *)p->metadata : "", p->metadata_size, false);
	}
}

static void on_commit(rd_kafka_t *rk, rd_kafka_resp_err_t code, rd_kafka_topic_partition_list_t *list, void *opaque)
{
	struct kafka_notebook *n = (struct kafka_notebook *)opaque;

	(void)rk;
	n->n_committing--;
	for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL && i < list->cnt; i++)
		code = list->elems[i].err;
	n->commit_code = code;
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && list != NULL)
		take_back(n, list);
}

/* What became of earlier ones. */
static void hear_commits(struct kafka_notebook *n, int wait_ms)
{
	int64_t until_ms = kafka_now_ms() + wait_ms;

	(void)rd_kafka_poll(n->client.rk, 0); /* its news are told by the other client, and only taken */
	while (n->n_committing > 0) {
		int64_t left_ms = until_ms - kafka_now_ms();

		if (rd_kafka_queue_poll_callback(n->commits, left_ms > 0 ? (int)left_ms : 0) == 0 && left_ms <= 0)
			return;
	}
}

/* Writes what is pending, one request at a time, so that none pile up while the brokers are away. With the lock held. */
static void flush_commits(struct kafka_notebook *n, int wait_ms)
{
	hear_commits(n, wait_ms);
	if (n->pending->cnt == 0 || n->n_committing > 0)
		return;
	n->committed_ms = kafka_now_ms();
	n->commit_code = rd_kafka_commit_queue(n->client.rk, n->pending, n->commits, on_commit, n);
	if (n->commit_code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	n->n_committing++;
	rd_kafka_topic_partition_list_destroy(n->pending);
	n->pending = rd_kafka_topic_partition_list_new(8);
	hear_commits(n, wait_ms);
}

bool kafka_notebook_put(struct kafka_notebook *n, int32_t partition, const struct leat_position *position, rd_kafka_resp_err_t *code)
{
	bool is_owed;

	(void)pthread_mutex_lock(&n->lock);
	set_pending(n, partition, position->offset, position->note, strlen(position->note), true);
	if (kafka_now_ms() - n->committed_ms >= COMMIT_EVERY_MS)
		flush_commits(n, 0);
	is_owed = n->pending->cnt > 0 && !atomic_exchange(&n->owes_commit, true);
	*code = n->commit_code;
	n->commit_code = RD_KAFKA_RESP_ERR_NO_ERROR;
	(void)pthread_mutex_unlock(&n->lock);
	return is_owed;
}

/* What put() could not write at once, as another partition had just been written. */
void kafka_notebook_pay(struct kafka_notebook *n, struct leat_context *ctx)
{
	int64_t left_ms;

	(void)pthread_mutex_lock(&n->lock);
	left_ms = n->committed_ms + COMMIT_EVERY_MS - kafka_now_ms();
	if (left_ms <= 0)
		flush_commits(n, 0);
	if (n->pending->cnt == 0)
		atomic_store(&n->owes_commit, false);
	else
		leat_wait(ctx, 1000 * (left_ms > 0 ? left_ms : COMMIT_EVERY_MS));
	(void)pthread_mutex_unlock(&n->lock);
}

void kafka_notebook_flush(struct kafka_notebook *n)
{
	(void)pthread_mutex_lock(&n->lock);
	flush_commits(n, 0);
	(void)pthread_mutex_unlock(&n->lock);
}

void kafka_notebook_finish(struct kafka_notebook *n)
{
	if (n->commits != NULL) {
		flush_commits(n, COMMIT_WAIT_MS);
		rd_kafka_topic_partition_list_destroy(n->pending);
		rd_kafka_queue_destroy(n->commits);
	}
	kafka_client_close(&n->client);
	(void)pthread_mutex_destroy(&n->lock);
}
