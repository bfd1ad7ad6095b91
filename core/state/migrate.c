/* SPDX-License-Identifier: Apache-2.0 */
#include "state/migrate.h"

#include <inttypes.h>

#include "base/arena.h"
#include "base/check.h"
#include "base/memory.h"
#include "data/json.h"
#include "data/pack.h"
#include "state/fields.h"
#include "state/rows.h"

struct migration {
	struct leat_store *store;
	const struct leat_store_table *was;
	struct leat_store_table *wanted;
	const struct leat_table_spec *from, *to;
	char *old, *new; /* the structs of the row in hand */
	struct leat_buffer value;
	struct leat_delta delta;
	enum leat_status status;
	struct leat_error *err;
};

static const struct leat_table_spec *find_older(const struct leat_table_spec *spec, uint32_t version)
{
	for (const struct leat_table_spec *older = spec->older; older != NULL && older->name != NULL; older++)
		if (older->version == version)
			return older;
	return NULL;
}

bool leat_can_migrate(const struct leat_store_table *was, const struct leat_store_table *wanted, const char **why)
{
	const struct leat_table_spec *spec = wanted->spec, *older = spec == NULL ? NULL : find_older(spec, was->version);
	const char *reason = NULL;

	if (was->kind != wanted->kind || was->n_shards != wanted->n_shards || was->version >= wanted->version)
		reason = "use the plugin that wrote them";
	else if (spec == NULL || spec->migrate == NULL)
		reason = "the plugin cannot migrate them, use the one that wrote them";
	else if (older == NULL)
		reason = "the plugin cannot migrate that version, use the one that wrote them";
	else if (leat_store_layout(older) != was->layout)
		reason = "the plugin knows that version with another layout, use the one that wrote them";
	if (why != NULL)
		*why = reason;
	return reason == NULL;
}

static enum leat_status fail(const struct migration *m, const struct leat_value *key, const struct leat_error *why)
{
	struct leat_buffer text = { .n = 0 };

	(void)leat_json_encode(key, &text, NULL);
	(void)leat_error_set(m->err, LEAT_FATAL, why->code,
	                     "could not migrate the row of %.*s in table \"%s\" of operator \"%s\" from version %" PRIu32 " to %" PRIu32
	                     ": %s; nothing was changed",
	                     (int)(text.n < 64 ? text.n : 64), text.data, m->wanted->table, m->wanted->node, m->was->version, m->wanted->version,
	                     why->text);
	leat_buffer_finish(&text);
	return LEAT_FATAL;
}

static void put(struct migration *m, uint32_t shard, const struct leat_delta_op *row, enum leat_delta_kind kind)
{
	struct leat_delta_op op = { .kind = kind, .key = row->key, .key_n = row->key_n, .value = m->value.data, .value_n = m->value.n };

	leat_delta_clear(&m->delta);
	leat_delta_add(&m->delta, &op);
	leat_store_put_delta(m->store, &(struct leat_delta_place){ .number = &m->was->number, .n_numbers = 1, .shard = shard }, &m->delta);
}

/* Keeps when the row was changed, by which it expires. */
static enum leat_status migrate_row(struct migration *m, uint32_t shard, const struct leat_delta_op *row, const struct leat_value *key)
{
	struct leat_error why = { .status = LEAT_OK };
	enum leat_status status;

	memset(m->old, 0, m->from->size);
	memset(m->new, 0, m->to->size);
	if (row->value_n < LEAT_ROW_NUMBER ||
	    !leat_fields_fit(m->from->fields, row->value + LEAT_ROW_NUMBER, row->value_n - LEAT_ROW_NUMBER)) {
		(void)leat_error_set(&why, LEAT_FATAL, 0, "it is damaged");
		return fail(m, key, &why);
	}
	leat_fields_read(m->from->fields, row->value + LEAT_ROW_NUMBER, m->old);
	status = m->to->migrate(m->was->version, key, m->old, m->new, &why);
	if (status != LEAT_OK && status != LEAT_REJECT)
		return fail(m, key, &why);
	m->value.n = 0;
	leat_buffer_append(&m->value, row->value, LEAT_ROW_NUMBER);
	leat_fields_write(m->to->fields, m->new, &m->value);
	put(m, shard, row, status == LEAT_OK ? LEAT_DELTA_PUT : LEAT_DELTA_ERASE);
	m->wanted->n_migrated += status == LEAT_OK;
	m->wanted->n_given_up += status == LEAT_REJECT;
	return LEAT_OK;
}

static bool take_row(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	struct migration *m = opaque;
	struct leat_arena *arena = leat_arena_create();
	struct leat_value key = leat_null();

	if (leat_unpack_value(arena, NULL, row->key, row->key_n, &key))
		m->status = migrate_row(m, shard, row, &key);
	else
		m->status = leat_error_set(m->err, LEAT_FATAL, 0, "state in \"%s\" is damaged: the key of a row in table \"%s\" of operator \"%s\"",
		                           leat_store_folder(m->store), m->wanted->table, m->wanted->node);
	leat_arena_unref(arena);
	return m->status == LEAT_OK;
}

enum leat_status leat_migrate(struct leat_store *store, const struct leat_store_table *was, struct leat_store_table *wanted,
                              struct leat_error *err)
{
	struct migration m = { .store = store, .was = was, .wanted = wanted, .from = find_older(wanted->spec, was->version),
		                   .to = wanted->spec, .err = err };
	enum leat_status status;

	wanted->n_migrated = wanted->n_given_up = 0;
	leat_check(m.from != NULL);
	m.old = leat_allocate_zeroed(1, m.from->size);
	m.new = leat_allocate_zeroed(1, m.to->size);
	status = leat_store_scan(store, was->number, take_row, &m, err);
	free(m.old);
	free(m.new);
	leat_buffer_finish(&m.value);
	leat_delta_finish(&m.delta);
	return status == LEAT_OK ? m.status : status;
}
