/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/kept.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "data/pack.h"
#include "state/rows.h"
#include "state/show.h"
#include "state/store.h"

struct leat_kept_row {
	uint16_t table;
	size_t key_n, value_n;
	char bytes[]; /* the key, then the value */
};

static int compare_bytes(const char *a, size_t a_n, const char *b, size_t b_n)
{
	size_t n = a_n < b_n ? a_n : b_n;
	int order = n == 0 ? 0 : memcmp(a, b, n);

	return order != 0 ? order : (a_n > b_n) - (a_n < b_n);
}

/* The first row that is not before that key. */
static size_t find(const struct leat_kept *kept, uint16_t table, const char *key, size_t key_n)
{
	size_t from = 0, until = kept->n;

	while (from < until) {
		size_t i = (from + until) / 2;
		const struct leat_kept_row *row = kept->row[i];

		if (row->table < table || (row->table == table && compare_bytes(row->bytes, row->key_n, key, key_n) < 0))
			from = i + 1;
		else
			until = i;
	}
	return from;
}

static bool begins_with(const struct leat_kept_row *row, uint16_t table, const char *key, size_t key_n)
{
	return row->table == table && row->key_n >= key_n && memcmp(row->bytes, key, key_n) == 0;
}

static void erase(struct leat_kept *kept, size_t from, size_t until)
{
	for (size_t i = from; i < until; i++)
		free(kept->row[i]);
	if (until > from)
		memmove(kept->row + from, kept->row + until, (kept->n - until) * sizeof *kept->row);
	kept->n -= until - from;
}

static struct leat_kept_row *make_row(const struct leat_delta_op *op)
{
	struct leat_kept_row *row = leat_allocate_bytes(sizeof *row + op->key_n + op->value_n);

	row->table = op->table;
	row->key_n = op->key_n;
	row->value_n = op->value_n;
	memcpy(row->bytes, op->key, op->key_n);
	if (op->value_n > 0)
		memcpy(row->bytes + op->key_n, op->value, op->value_n);
	return row;
}

static void apply(struct leat_kept *kept, const struct leat_delta_op *op)
{
	size_t at = find(kept, op->table, op->key, op->key_n), until = at;

	if (op->kind == LEAT_DELTA_ERASE_PREFIX)
		while (until < kept->n && begins_with(kept->row[until], op->table, op->key, op->key_n))
			until++;
	else if (at < kept->n && begins_with(kept->row[at], op->table, op->key, op->key_n) && kept->row[at]->key_n == op->key_n)
		until++;
	erase(kept, at, until);
	if (op->kind != LEAT_DELTA_PUT)
		return;
	kept->row = leat_grow(kept->row, kept->n, &kept->capacity, sizeof(struct leat_kept_row *));
	memmove(kept->row + at + 1, kept->row + at, (kept->n - at) * sizeof *kept->row);
	kept->row[at] = make_row(op);
	kept->n++;
}

void leat_kept_take(struct leat_kept *kept, struct leat_instance *instance)
{
	struct leat_delta delta = { .n = 0 };
	struct leat_delta_op op;
	size_t at = 0;

	if (instance->tables != NULL)
		leat_tables_take(instance->tables, &delta);
	if (instance->timers != NULL)
		leat_timers_take(instance->timers, &delta);
	while (leat_delta_next(&delta, &at, &op))
		apply(kept, &op);
	kept->n_taken++;
	if (instance->tables != NULL && kept->memory != NULL)
		leat_tables_durable(instance->tables, kept->n_taken, kept->n_taken); /* what was written can be found at once */
	leat_delta_finish(&delta);
}

void leat_kept_copy(struct leat_kept *to, const struct leat_kept *from)
{
	leat_kept_finish(to);
	to->memory = from->memory;
	to->n_taken = from->n_taken;
	to->row = leat_allocate_zeroed(from->n + 1, sizeof *to->row);
	to->capacity = from->n + 1;
	for (to->n = 0; to->n < from->n; to->n++) {
		const struct leat_kept_row *row = from->row[to->n];
		size_t bytes = sizeof *row + row->key_n + row->value_n;

		to->row[to->n] = leat_allocate_bytes(bytes);
		memcpy(to->row[to->n], row, bytes);
	}
}

void leat_kept_finish(struct leat_kept *kept)
{
	erase(kept, 0, kept->n);
	free(kept->row);
	*kept = (struct leat_kept){ .memory = kept->memory };
}

/* ---- a restart ------------------------------------------------------------------------------------------------------ */

static struct leat_delta_op op_of(const struct leat_kept_row *row)
{
	return (struct leat_delta_op){ .kind = LEAT_DELTA_PUT,
	                               .table = row->table,
	                               .key = row->bytes,
	                               .key_n = row->key_n,
	                               .value = row->bytes + row->key_n,
	                               .value_n = row->value_n };
}

/* What lies below lazy tables. */
struct below {
	const struct leat_kept *kept;
	struct leat_instance *instance;
};

static void fetch(void *opaque, uint32_t table, const char *key, size_t key_n)
{
	const struct below *below = opaque;
	const struct leat_kept *kept = below->kept;
	bool is_run = below->instance->spec[table].kind == LEAT_TABLE_ORDERED;

	for (size_t i = find(kept, (uint16_t)table, key, key_n); i < kept->n && begins_with(kept->row[i], (uint16_t)table, key, key_n); i++) {
		struct leat_delta_op op = op_of(kept->row[i]);

		if (is_run || op.key_n == key_n)
			leat_check(leat_tables_restore(below->instance->tables, below->instance->description->symbols, &op));
	}
}

static bool restore_row(struct leat_instance *instance, const struct leat_kept_row *row, bool is_lazy)
{
	const struct leat_symbols *symbols = instance->description->symbols;
	struct leat_delta_op op = op_of(row);

	if (row->table == LEAT_DELTA_TIMERS)
		return leat_timers_restore(leat_instance_timers(instance), symbols, &op);
	return is_lazy || leat_tables_restore(instance->tables, symbols, &op);
}

/* The context of fetch() goes with the instance, whose scratch it lies in. */
static void put_over(const struct leat_kept *kept, struct leat_instance *instance)
{
	struct below *below;

	if (instance->scratch == NULL)
		instance->scratch = leat_arena_create();
	below = leat_arena_allocate(instance->scratch, sizeof *below);
	*below = (struct below){ .kept = kept, .instance = instance };
	leat_tables_put_over(instance->tables, &(struct leat_below){ .fetch = fetch, .opaque = below }, kept->memory);
	leat_tables_loaded(instance->tables, kept->n == 0);
}

enum leat_status leat_kept_restore(const struct leat_kept *kept, struct leat_instance *instance, struct leat_error *err)
{
	instance->is_tracked = true;
	if (instance->tables != NULL)
		leat_tables_track(instance->tables);
	for (size_t i = 0; i < kept->n; i++)
		if (!restore_row(instance, kept->row[i], kept->memory != NULL))
			return leat_error_set(err, LEAT_FATAL, 0, "state does not come back: row %zu of %zu is damaged", i + 1, kept->n);
	if (kept->memory != NULL && instance->tables != NULL)
		put_over(kept, instance);
	return LEAT_OK;
}

/* ---- as text -------------------------------------------------------------------------------------------------------- */

struct line {
	size_t at;         /* of the row */
	int64_t due_us;    /* timers */
	uint64_t sequence;
};

static int compare_lines(const void *x, const void *y)
{
	const struct line *a = x, *b = y;

	if (a->due_us != b->due_us)
		return a->due_us < b->due_us ? -1 : 1;
	return (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static void print_row(const struct leat_instance *instance, const struct leat_table_spec *spec, struct leat_shown_row *shown,
                      struct leat_buffer *out)
{
	leat_row_print_json(instance->node->name, spec == NULL ? "timers" : spec->name, 0, shown, out);
	leat_buffer_byte(out, '\n');
}

/* The items of a run follow its head, and go with it. */
static void print_tables(const struct leat_kept *kept, const struct leat_instance *instance, int64_t now_us, struct leat_arena *arena,
                         struct leat_buffer *out)
{
	bool is_expired = false;

	for (size_t i = 0; i < kept->n && kept->row[i]->table != LEAT_DELTA_TIMERS; i++) {
		uint16_t table = kept->row[i]->table;
		struct leat_delta_op op = op_of(kept->row[i]);
		struct leat_shown_row shown = { .is_item = false };

		leat_check(leat_row_show(&instance->spec[table], &op, arena, &shown));
		if (!shown.is_item)
			is_expired = instance->ttl_us[table] > 0 && now_us - shown.changed_us > instance->ttl_us[table];
		if (!is_expired)
			print_row(instance, &instance->spec[table], &shown, out);
	}
}

/* Their numbers go on after a restart from what is left, so only their order is compared. */
static void print_timers(const struct leat_kept *kept, const struct leat_instance *instance, struct leat_arena *arena,
                         struct leat_buffer *out)
{
	struct line *line = leat_allocate_zeroed(kept->n + 1, sizeof *line);
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++) {
		if (kept->row[i]->table == LEAT_DELTA_TIMERS) {
			const char *bytes = kept->row[i]->bytes;

			line[n].at = i;
			line[n].due_us = leat_row_read_sortable(bytes + 1);
			line[n++].sequence = leat_row_read_number(bytes + kept->row[i]->key_n);
		}
	}
	qsort(line, n, sizeof *line, compare_lines);
	for (size_t i = 0; i < n; i++) {
		struct leat_delta_op op = op_of(kept->row[line[i].at]);
		struct leat_shown_row shown = { .is_item = false };

		leat_check(leat_row_show(NULL, &op, arena, &shown));
		print_row(instance, NULL, &shown, out);
	}
	free(line);
}

void leat_kept_print(const struct leat_kept *kept, const struct leat_instance *instance, int64_t now_us, struct leat_buffer *out)
{
	struct leat_arena *arena = leat_arena_create();

	print_tables(kept, instance, now_us, arena, out);
	print_timers(kept, instance, arena, out);
	leat_arena_unref(arena);
}
