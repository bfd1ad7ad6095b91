/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E11: what rows, positions and effects belong to, as a text for people. A pipeline whose node says something else by the same
 * name would give rows to other keys, read another topic from the middle, or write what was meant for one table into another;
 * it is refused, unless there is nothing yet that could go wrong, or what there is may be dropped. All of it goes into the
 * batch in hand, which is written before anything is read by the new names.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "state/store_internal.h"

enum { NAME = 256 };

bool leat_store_may_drop(const struct leat_store *store, const char *name)
{
	for (const char *const *drop = store->drop; drop != NULL && *drop != NULL; drop++)
		if (strcmp(*drop, name) == 0)
			return true;
	return false;
}

void leat_store_allow_drop(struct leat_store *store, const char *const *names)
{
	store->drop = names;
}

const char *leat_store_dropped(const struct leat_store *store)
{
	return store->dropped.text;
}

/* ---- texts ----------------------------------------------------------------------------------------------------------- */

/* NULL: nobody has said, or *status tells that it cannot be read. */
static char *read_what(const struct leat_store *store, const char *role, const char *name, enum leat_status *status,
                       struct leat_error *err)
{
	char key[NAME];

	(void)snprintf(key, sizeof key, "what/%s/%s", role, name);
	return leat_store_text(store, key, status, err);
}

/* For those who only look. */
static char *show_what(const struct leat_store *store, const char *role, const char *name)
{
	enum leat_status status = LEAT_OK;
	struct leat_error err;

	return read_what(store, role, name, &status, &err);
}

/* Of any length, as it has paths and fields of others. */
static void put_what(struct leat_store *store, const char *role, const char *name, const char *what)
{
	char key[NAME];

	(void)snprintf(key, sizeof key, "what/%s/%s", role, name);
	rocksdb_writebatch_put_cf(store->batch, store->family[STORE_META], key, strlen(key), what, strlen(what));
}

static void name_sink(char name[16], uint32_t sink)
{
	(void)snprintf(name, 16, "%" PRIu32, sink);
}

char *leat_store_source_what(const struct leat_store *store, const char *source)
{
	return show_what(store, "source", source);
}

char *leat_store_operator_what(const struct leat_store *store, const char *node)
{
	return show_what(store, "operator", node);
}

char *leat_store_sink_what(const struct leat_store *store, uint32_t sink)
{
	char name[16];

	name_sink(name, sink);
	return show_what(store, "sink", name);
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

static bool node_has_rows(const struct leat_store *store, const char *node)
{
	for (size_t i = 0; i < store->n_tables; i++)
		if (strcmp(store->table[i].node, node) == 0 && leat_store_has_rows(store, store->table[i].is.number))
			return true;
	return false;
}

static void drop_texts(struct leat_store *store, const char *kind, const char *node)
{
	char from[NAME], until[NAME];

	(void)snprintf(from, sizeof from, "%s/%s/", kind, node);
	(void)snprintf(until, sizeof until, "%s/%s%c", kind, node, '/' + 1);
	rocksdb_writebatch_delete_range_cf(store->batch, store->family[STORE_META], from, strlen(from), until, strlen(until));
}

void leat_store_drop_rows(struct leat_store *store, const char *node)
{
	drop_texts(store, "watermark", node);
	for (size_t i = 0; i < store->n_tables; i++)
		if (strcmp(store->table[i].node, node) == 0)
			leat_store_drop_table(store, store->table[i].is.number);
}

enum leat_status leat_store_use_operator(struct leat_store *store, const char *node, const char *what, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char *was = read_what(store, "operator", node, &status, err);
	bool is_same = was != NULL && strcmp(was, what) == 0;

	if (was != NULL && !is_same && node_has_rows(store, node)) {
		if (leat_store_may_drop(store, node))
			leat_store_drop_rows(store, node);
		else
			status = leat_error_set(err, LEAT_FATAL, 0,
			                        "operator \"%s\" is %s now, its rows in \"%s\" are of %s; take that back, or give them up by --drop %s",
			                        node, what, store->folder, was, node);
	}
	if (status == LEAT_OK && was != NULL && !is_same)
		drop_texts(store, "watermark", node); /* it is of who was called so */
	if (status == LEAT_OK && !is_same)
		put_what(store, "operator", node, what);
	free(was);
	return status;
}

/* ---- sources --------------------------------------------------------------------------------------------------------- */

struct search {
	const char *source;
	bool is_there;
};

static void compare_source(void *opaque, const char *source, int32_t partition, const struct leat_position *position)
{
	struct search *s = opaque;

	(void)partition;
	(void)position;
	s->is_there = s->is_there || strcmp(s->source, source) == 0;
}

static enum leat_status has_positions(const struct leat_store *store, const char *source, bool *has, struct leat_error *err)
{
	struct search s = { .source = source };
	enum leat_status status = leat_store_positions(store, compare_source, &s, err);

	*has = s.is_there;
	return status;
}

static void drop_positions(struct leat_store *store, const char *source)
{
	drop_texts(store, "position", source);
	drop_texts(store, "watermark", source);
	leat_names_add(&store->dropped, source, NULL);
}

static void note_used(struct leat_store *store, const char *source)
{
	store->used_source = leat_grow(store->used_source, store->n_used_sources, &store->used_source_capacity, sizeof *store->used_source);
	store->used_source[store->n_used_sources++] = leat_copy_text(source);
}

static bool is_source_used(const struct leat_store *store, const char *source)
{
	for (size_t i = 0; i < store->n_used_sources; i++)
		if (strcmp(store->used_source[i], source) == 0)
			return true;
	return false;
}

enum leat_status leat_store_use_source(struct leat_store *store, const char *source, const char *what, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;
	char *was = read_what(store, "source", source, &status, err);
	bool is_same = was != NULL && strcmp(was, what) == 0, has = false;

	note_used(store, source);
	if (was != NULL && !is_same)
		status = has_positions(store, source, &has, err);
	if (status == LEAT_OK && has && leat_store_may_drop(store, source))
		drop_positions(store, source);
	else if (status == LEAT_OK && has)
		status = leat_error_set(err, LEAT_FATAL, 0,
		                        "source \"%s\" is %s now, its positions in \"%s\" are of %s; take that back, or give them up by --drop %s",
		                        source, what, store->folder, was, source);
	if (status == LEAT_OK && !is_same)
		put_what(store, "source", source, what);
	free(was);
	return status;
}

struct leftover {
	struct leat_store *store;
	struct leat_names *names;
	char *last; /* they come by source */
};

static void look_at_position(void *opaque, const char *source, int32_t partition, const struct leat_position *position)
{
	struct leftover *l = opaque;

	(void)partition;
	(void)position;
	if ((l->last != NULL && strcmp(l->last, source) == 0) || is_source_used(l->store, source))
		return;
	free(l->last);
	l->last = leat_copy_text(source);
	if (leat_store_may_drop(l->store, source))
		drop_positions(l->store, source);
	else
		leat_names_add(l->names, source, NULL);
}

enum leat_status leat_store_settle_sources(struct leat_store *store, struct leat_names *names, struct leat_error *err)
{
	struct leftover l = { .store = store, .names = names };
	enum leat_status status = leat_store_positions(store, look_at_position, &l, err);

	free(l.last);
	return status;
}

/* ---- sinks ----------------------------------------------------------------------------------------------------------- */

bool leat_store_has_moved(const struct leat_store *store, uint32_t sink)
{
	return store->sink[sink - 1].has_moved;
}

/* The chain goes on. Where the sink is now there may be a fence from before, of this place or of a whole database, or none,
 * which is told from a lost one by this mark until something was delivered there. */
static void move(struct leat_store *store, uint32_t sink)
{
	char name[32];

	(void)snprintf(name, sizeof name, "moved/%" PRIu32, sink);
	leat_store_put_text(store, name, "%s", "yes");
	store->sink[sink - 1].has_moved = true;
}

void leat_store_drop_sink(struct leat_store *store, uint32_t sink)
{
	struct leat_fence last = store->sink[sink - 1].head;

	last.incarnation = store->sink[sink - 1].delivered.incarnation;
	leat_store_put_delivered(store, sink, &last);
	move(store, sink);
	leat_names_add(&store->dropped, store->sink[sink - 1].name, NULL);
}

void leat_store_settle_move(struct leat_store *store, uint32_t sink)
{
	char name[32];

	if (!store->sink[sink - 1].has_moved)
		return;
	(void)snprintf(name, sizeof name, "moved/%" PRIu32, sink);
	rocksdb_writebatch_delete_cf(store->batch, store->family[STORE_META], name, strlen(name));
	store->sink[sink - 1].has_moved = false;
}

static enum leat_status refuse_sink(const struct leat_store *store, const char *sink, const char *what, const char *was,
                                    struct leat_error *err)
{
	return leat_error_set(err, LEAT_FATAL, 0,
	                      "sink \"%s\" is %s now, its undelivered effects in \"%s\" are for %s; take that back until they are delivered, "
	                      "give them up by --drop %s, or decide by \"leat state accept-sink\"",
	                      sink, what, store->folder, was, sink);
}

void leat_store_put_sink_what(struct leat_store *store, uint32_t sink, const char *what)
{
	char name[16];

	name_sink(name, sink);
	put_what(store, "sink", name, what);
}

enum leat_status leat_store_use_sink_at(struct leat_store *store, const char *sink, const char *what, struct leat_error *err)
{
	uint32_t number = leat_store_use_sink(store, sink);
	const struct store_sink *s = &store->sink[number - 1];
	enum leat_status status = LEAT_OK;
	char name[16], *was;
	bool is_other;

	name_sink(name, number);
	was = read_what(store, "sink", name, &status, err);
	is_other = was != NULL && strcmp(was, what) != 0;
	if (is_other && s->head.epoch == s->delivered.epoch)
		move(store, number);
	else if (is_other && leat_store_may_drop(store, sink))
		leat_store_drop_sink(store, number);
	else if (is_other)
		status = refuse_sink(store, sink, what, was, err);
	if (status == LEAT_OK && (was == NULL || is_other))
		leat_store_put_sink_what(store, number, what);
	free(was);
	return status;
}
