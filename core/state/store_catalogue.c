/* SPDX-License-Identifier: Apache-2.0 */
/* What the store knows about a pipeline besides rows and effects: its tables, sinks and positions, as texts. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/bug.h"
#include "base/memory.h"
#include "state/migrate.h"
#include "state/store_internal.h"

enum { NAME = 256 };

char *leat_store_text(const struct leat_store *store, const char *name, enum leat_status *status, struct leat_error *err)
{
	char *said = NULL, *text = NULL;
	size_t n;
	char *value = rocksdb_get_cf(store->db, store->read, store->family[STORE_META], name, strlen(name), &n, &said);

	if (said != NULL)
		*status = leat_store_error(store, "read", said, err);
	if (value != NULL)
		text = leat_copy_bytes_as_text(value, n);
	rocksdb_free(value);
	return text;
}

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

uint64_t leat_store_layout(const struct leat_table_spec *spec)
{
	uint64_t hash = leat_hash(&(uint64_t){ spec->size }, sizeof(uint64_t));

	for (const struct leat_field *f = spec->fields; f != NULL && f->name != NULL; f++) {
		const uint64_t part[4] = { hash, leat_hash(f->name, strlen(f->name)), (uint64_t)f->type, f->size };

		hash = leat_hash(part, sizeof part);
	}
	return hash;
}

/* Takes the names over. */
static struct store_table *add_table(struct leat_store *store, const struct leat_store_table *is, char *node, char *name)
{
	struct store_table *table;

	store->table = leat_grow(store->table, store->n_tables, &store->table_capacity, sizeof *store->table);
	table = &store->table[store->n_tables++];
	*table = (struct store_table){ .is = *is, .node = node, .table = name };
	table->is.node = node;
	table->is.table = name;
	table->is.spec = NULL;
	table->is.number = (uint32_t)store->n_tables;
	return table;
}

static struct store_table *find_table(const struct leat_store *store, const char *node, const char *table)
{
	for (size_t i = 0; i < store->n_tables; i++)
		if (strcmp(store->table[i].is.node, node) == 0 && strcmp(store->table[i].is.table, table) == 0)
			return &store->table[i];
	return NULL;
}

static void put_table(struct leat_store *store, const struct leat_store_table *is)
{
	char name[32];

	(void)snprintf(name, sizeof name, "table/%" PRIu32, is->number);
	leat_store_put_text(store, name, "%" PRIu32 " %" PRIu32 " %016" PRIx64 " %" PRIu32 " %s %s", is->version, is->kind, is->layout,
	                    is->n_shards, is->node, is->table);
}

static void enter_table(struct leat_store *store, struct leat_store_table *table)
{
	struct store_table *new = add_table(store, table, leat_copy_text(table->node), leat_copy_text(table->table));

	new->is_used = true;
	table->number = new->is.number;
	put_table(store, &new->is);
}

/* It has no rows, which would have to be of the same kind. */
static void change_table(struct leat_store *store, struct store_table *to, const struct leat_store_table *from)
{
	to->is.version = from->version;
	to->is.kind = from->kind;
	to->is.layout = from->layout;
	to->is.n_shards = from->n_shards;
	put_table(store, &to->is);
}

static bool is_same_table(const struct leat_store_table *a, const struct leat_store_table *b)
{
	return a->version == b->version && a->kind == b->kind && a->layout == b->layout && a->n_shards == b->n_shards;
}

const char *leat_store_shards(uint32_t n_shards, char text[32])
{
	(void)snprintf(text, 32, "%" PRIu32 " shard%s", n_shards, n_shards == 1 ? "" : "s");
	return n_shards == 0 ? "a shard for each partition" : text;
}

/* E11 */
static enum leat_status refuse_table(const struct leat_store *store, const struct leat_store_table *is,
                                     const struct leat_store_table *wanted, struct leat_error *err)
{
	const char *node = wanted->node, *table = wanted->table, *why;
	char now[32], then[32];

	if (is->n_shards != wanted->n_shards)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "operator \"%s\" has %s, its state in \"%s\" has %s; take that back, or give it up by --drop %s", node,
		                      leat_store_shards(wanted->n_shards, now), store->folder, leat_store_shards(is->n_shards, then), node);
	(void)leat_can_migrate(is, wanted, &why);
	if (is->version != wanted->version)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "table \"%s\" of operator \"%s\" is version %" PRIu32 ", its rows in \"%s\" are version %" PRIu32
		                      "; %s, or give them up by --drop %s",
		                      table, node, wanted->version, store->folder, is->version, why, node);
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "table \"%s\" of operator \"%s\" has another layout than its rows in \"%s\", and the same version %" PRIu32
	                      "; use the plugin that wrote them, or give them up by --drop %s",
	                      table, node, store->folder, wanted->version, node);
}

static enum leat_status change_rows(struct leat_store *store, const struct leat_store_table *is, struct leat_store_table *wanted,
                                    struct leat_error *err)
{
	if (leat_store_may_drop(store, wanted->node)) {
		leat_store_drop_rows(store, wanted->node);
		return LEAT_OK;
	}
	return leat_can_migrate(is, wanted, NULL) ? leat_migrate(store, is, wanted, err) : refuse_table(store, is, wanted, err);
}

enum leat_status leat_store_use_table(struct leat_store *store, struct leat_store_table *table, struct leat_error *err)
{
	struct store_table *found = find_table(store, table->node, table->table);
	enum leat_status status = LEAT_OK;

	if (found == NULL) {
		enter_table(store, table);
		return LEAT_OK;
	}
	found->is_used = true;
	table->number = found->is.number;
	if (is_same_table(&found->is, table))
		return LEAT_OK;
	if (leat_store_has_rows(store, table->number))
		status = change_rows(store, &found->is, table, err);
	if (status == LEAT_OK)
		change_table(store, found, table);
	return status;
}

/* ---- sinks ----------------------------------------------------------------------------------------------------------- */

static struct store_sink *add_sink(struct leat_store *store, const char *name)
{
	struct store_sink *sink;

	store->sink = leat_grow(store->sink, store->n_sinks, &store->sink_capacity, sizeof *store->sink);
	sink = &store->sink[store->n_sinks++];
	*sink = (struct store_sink){ .name = leat_copy_text(name) };
	return sink;
}

uint32_t leat_store_use_sink(struct leat_store *store, const char *sink)
{
	uint32_t number = leat_store_find_sink(store, sink);
	char name[32];

	if (number != 0) {
		store->sink[number - 1].is_used = true;
		return number;
	}
	add_sink(store, sink)->is_used = true;
	(void)snprintf(name, sizeof name, "sink/%zu", store->n_sinks);
	leat_store_put_text(store, name, "%s", sink);
	return (uint32_t)store->n_sinks;
}

void leat_store_sink(const struct leat_store *store, uint32_t sink, struct leat_fence *delivered, struct leat_fence *head)
{
	*delivered = store->sink[sink - 1].delivered;
	*head = store->sink[sink - 1].head;
}

/* ---- reading the catalogue ------------------------------------------------------------------------------------------- */

static enum leat_status read_tables(struct leat_store *store, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char name[32];
	char *text;

	for (uint32_t number = 1;; number++) {
		struct leat_store_table is = { .number = number };
		int names = 0;

		(void)snprintf(name, sizeof name, "table/%" PRIu32, number);
		text = leat_store_text(store, name, &status, err);
		if (text == NULL)
			return status;
		if (sscanf(text, "%" SCNu32 " %" SCNu32 " %16" SCNx64 " %" SCNu32 " %n", &is.version, &is.kind, &is.layout, &is.n_shards, &names) == 4 &&
		    names > 0) {
			char *space = strchr(text + names, ' ');

			if (space != NULL)
				(void)add_table(store, &is, leat_copy_bytes_as_text(text + names, (size_t)(space - text - names)),
				                leat_copy_text(space + 1));
		}
		free(text);
		if (store->n_tables != number)
			return leat_error_set(err, LEAT_FATAL, 0, "state in \"%s\" is damaged: its table %" PRIu32, store->folder, number);
	}
}

static void read_fence(const struct leat_store *store, const char *what, uint32_t number, bool has_incarnation, struct leat_fence *fence,
                       enum leat_status *status, struct leat_error *err)
{
	char name[32];
	char *text;

	(void)snprintf(name, sizeof name, "%s/%" PRIu32, what, number);
	text = leat_store_text(store, name, status, err);
	if (text != NULL && has_incarnation)
		(void)sscanf(text, "%" SCNu64 " %" SCNu64 " %16" SCNx64, &fence->incarnation, &fence->epoch, &fence->digest);
	else if (text != NULL)
		(void)sscanf(text, "%" SCNu64 " %16" SCNx64, &fence->epoch, &fence->digest);
	free(text);
}

static enum leat_status read_sinks(struct leat_store *store, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char name[32];
	char *text;

	for (uint32_t number = 1; status == LEAT_OK; number++) {
		struct store_sink *sink;

		(void)snprintf(name, sizeof name, "sink/%" PRIu32, number);
		text = leat_store_text(store, name, &status, err);
		if (text == NULL)
			return status;
		sink = add_sink(store, text);
		free(text);
		read_fence(store, "delivered", number, true, &sink->delivered, &status, err);
		read_fence(store, "head", number, false, &sink->head, &status, err);
		(void)snprintf(name, sizeof name, "moved/%" PRIu32, number);
		text = leat_store_text(store, name, &status, err);
		sink->has_moved = text != NULL;
		free(text);
	}
	return status;
}

enum leat_status leat_store_read_catalogue(struct leat_store *store, struct leat_error *err)
{
	enum leat_status status = read_tables(store, err);

	return status == LEAT_OK ? read_sinks(store, err) : status;
}

bool leat_store_position(const struct leat_store *store, const char *source, int32_t partition, struct leat_position *position)
{
	enum leat_status status = LEAT_OK;
	struct leat_error err;
	char name[256];
	char *text;
	int note = 0;
	bool is_found;

	(void)snprintf(name, sizeof name, "position/%s/%" PRId32, source, partition);
	text = leat_store_text(store, name, &status, &err);
	memset(position, 0, sizeof *position);
	is_found = text != NULL && sscanf(text, "%" SCNd64 "%n", &position->offset, &note) == 1;
	if (is_found && text[note] == ' ')
		(void)snprintf(position->note, sizeof position->note, "%s", text + note + 1);
	free(text);
	return is_found;
}

int64_t leat_store_watermark(const struct leat_store *store, const char *node, uint32_t shard)
{
	enum leat_status status = LEAT_OK;
	int64_t us = LEAT_NO_TIME;
	struct leat_error err;
	char name[256];
	char *text;

	(void)snprintf(name, sizeof name, "watermark/%s/%" PRIu32, node, shard);
	text = leat_store_text(store, name, &status, &err);
	if (text == NULL || sscanf(text, "%" SCNd64, &us) != 1)
		us = LEAT_NO_TIME;
	free(text);
	return us;
}

/* ---- what is no longer used ------------------------------------------------------------------------------------------- */

void leat_store_drop_table(struct leat_store *store, uint32_t number)
{
	char from[4], until[4];

	leat_store_big32(from, number);
	leat_store_big32(until, number + 1);
	rocksdb_writebatch_delete_range_cf(store->batch, store->family[STORE_ROWS], from, sizeof from, until, sizeof until);
	leat_names_add(&store->dropped, store->table[number - 1].node, NULL);
}

void leat_names_add(struct leat_names *names, const char *node, const char *table)
{
	char name[NAME];
	size_t left = sizeof names->text - names->n;

	if (table == NULL)
		(void)snprintf(name, sizeof name, "\"%s\"", node);
	else
		(void)snprintf(name, sizeof name, "table \"%s\" of \"%s\"", table, node);
	if (names->n < sizeof names->text && strstr(names->text, name) == NULL)
		names->n += (size_t)snprintf(names->text + names->n, left, "%s%s", names->n > 0 ? ", " : "", name);
}

static bool is_node_used(const struct leat_store *store, const char *node)
{
	for (size_t i = 0; i < store->n_tables; i++)
		if (store->table[i].is_used && strcmp(store->table[i].node, node) == 0)
			return true;
	return false;
}

static void settle_tables(struct leat_store *store, struct leat_names *names)
{
	for (size_t i = 0; i < store->n_tables; i++) {
		const struct store_table *t = &store->table[i];
		bool is_part; /* of a node that goes on without it */

		if (t->is_used || !leat_store_has_rows(store, t->is.number))
			continue;
		is_part = is_node_used(store, t->is.node);
		if (!leat_store_may_drop(store, t->is.node))
			leat_names_add(names, t->is.node, is_part ? t->is.table : NULL);
		else if (is_part)
			leat_store_drop_table(store, t->is.number);
		else
			leat_store_drop_rows(store, t->is.node);
	}
}

static void settle_sinks(struct leat_store *store, struct leat_names *names)
{
	for (size_t i = 0; i < store->n_sinks; i++) {
		const struct store_sink *s = &store->sink[i];

		if (s->is_used || s->head.epoch == s->delivered.epoch || LEAT_BUG("sink-dropped-silently"))
			continue;
		if (leat_store_may_drop(store, s->name))
			leat_store_drop_sink(store, (uint32_t)i + 1);
		else
			leat_names_add(names, s->name, NULL);
	}
}

enum leat_status leat_store_settle(struct leat_store *store, struct leat_error *err)
{
	struct leat_names names = { .n = 0 };
	enum leat_status status = leat_store_settle_sources(store, &names, err);

	if (status != LEAT_OK)
		return status;
	settle_tables(store, &names);
	settle_sinks(store, &names);
	if (names.n > 0)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "the pipeline no longer has %s, but the store in \"%s\" has state, positions or undelivered effects of it; "
		                      "drop it by --drop NAME",
		                      names.text, store->folder);
	return LEAT_OK;
}
