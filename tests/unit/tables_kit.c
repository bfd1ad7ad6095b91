/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/tables_kit.h"

#include <string.h>

#include "unit/random.h"
#include "unit/unit.h"

static const struct leat_field sums_fields[] = {
	LEAT_FIELD(struct world_sums, count, INT64),
	LEAT_FIELD(struct world_sums, total, DOUBLE),
	LEAT_FIELD(struct world_sums, last, BYTES),
	{ 0 },
};

const struct leat_table_spec world_specs[] = {
	{ .name = "sums", .version = 1, .kind = LEAT_TABLE_FIXED, .size = sizeof(struct world_sums), .fields = sums_fields },
	{ .name = "last", .version = 1, .kind = LEAT_TABLE_VALUE },
	{ .name = "runs", .version = 1, .kind = LEAT_TABLE_ORDERED },
	{ 0 },
};

static char key_text[KEYS][96];
static struct leat_value key_item[2];
static struct leat_list key_list;

struct leat_value world_key(size_t k)
{
	static unsigned turn;
	struct leat_value v = leat_null();

	switch (k % 8) {
	case 0: /* two ways to write the same key */
		return turn++ % 2 == 0 ? leat_integer((int64_t)k) : leat_real((double)k);
	case 1:
		return leat_real((double)k + 0.5);
	case 2:
		return leat_time((int64_t)k);
	case 3:
		(void)snprintf(key_text[k], sizeof key_text[k], "a long key that fills more than an entry has room for, %zu", k);
		return leat_borrow(key_text[k], strlen(key_text[k]));
	case 4:
		if (k != 4)
			return leat_integer(-(int64_t)k);
		key_item[0] = leat_integer(1);
		key_item[1] = leat_borrow("x", 1);
		key_list = (struct leat_list){ .item = key_item, .n = 2 };
		v.type = LEAT_LIST;
		v.n = 2;
		v.as.list = &key_list;
		return v;
	default:
		(void)snprintf(key_text[k], sizeof key_text[k], "key-%zu", k);
		return leat_borrow(key_text[k], strlen(key_text[k]));
	}
}

/* Odd numbers are stored as text, even ones as they are. */
static struct leat_value value_of(int64_t number, char text[32])
{
	if (number % 2 == 0)
		return leat_integer(number);
	(void)snprintf(text, 32, "%lld", (long long)number);
	return leat_borrow(text, strlen(text));
}

static void assert_value(const struct leat_value *v, int64_t number)
{
	char text[32];
	struct leat_value expected = value_of(number, text);

	ck_assert_ptr_nonnull(v);
	ck_assert(leat_value_equals(v, &expected));
}

static struct world_entry *live(struct world *w, size_t table, size_t k)
{
	struct world_entry *e = &w->model.entry[table][k];

	return e->is_there && (w->ttl_us == 0 || e->changed_us >= w->now_us - w->ttl_us) ? e : NULL;
}

static struct world_entry *open_entry(struct world *w, size_t table, size_t k)
{
	struct world_entry *e = live(w, table, k);

	if (e == NULL) {
		e = &w->model.entry[table][k];
		memset(e, 0, sizeof *e);
		e->is_there = true;
	}
	e->changed_us = w->now_us;
	return e;
}

/* ---- steps ---------------------------------------------------------------------------------------------------------- */

static void assert_entries(const struct leat_ordered_entry *entries, const struct world_item *item, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(entries[i].order, item[i].order);
		ck_assert_int_eq(entries[i].sequence, item[i].sequence);
		assert_value(&entries[i].value, item[i].value);
	}
}

static void read_fixed(struct world *w, size_t k)
{
	struct leat_value key = world_key(k);
	const struct world_sums *s = leat_tables_peek(w->tables, 0, &key);
	const struct world_entry *e = live(w, 0, k);

	ck_assert_int_eq(s != NULL, e != NULL);
	if (s != NULL)
		ck_assert_mem_eq(s, &e->sums, sizeof *s);
}

static void change_fixed(struct world *w, size_t k)
{
	struct leat_value key = world_key(k);
	struct world_sums *s = leat_tables_get(w->tables, 0, &key);
	struct world_entry *e = open_entry(w, 0, k);

	ck_assert_mem_eq(s, &e->sums, sizeof *s);
	s->count++;
	s->total += 0.5;
	s->last[random_below(&w->seed, sizeof s->last)]++;
	e->sums = *s;
	ck_assert_ptr_eq(leat_tables_get(w->tables, 0, &key), s);
}

static void read_value(struct world *w, size_t k)
{
	struct leat_value key = world_key(k);
	const struct leat_value *v = leat_tables_value(w->tables, 1, &key);
	const struct world_entry *e = live(w, 1, k);

	ck_assert_int_eq(v != NULL, e != NULL);
	if (v == NULL)
		return;
	assert_value(v, e->value);
	if (w->n_lent < LENT)
		w->lent[w->n_lent++] = (struct world_lent){ .value = v, .expected = e->value };
}

static void put_value(struct world *w, size_t k)
{
	int64_t number = (int64_t)random_below(&w->seed, 1000);
	struct leat_value key = world_key(k);
	char text[32];
	struct leat_value v = value_of(number, text);

	leat_tables_put(w->tables, 1, &key, &v);
	open_entry(w, 1, k)->value = number;
	read_value(w, k);
}

static size_t range_of(const struct world_entry *e, int64_t from, int64_t until, size_t *first)
{
	size_t n = 0;

	*first = 0;
	for (size_t i = 0; e != NULL && i < e->n; i++) {
		if (e->item[i].order < from)
			*first = i + 1;
		else if (e->item[i].order < until)
			n++;
	}
	return n;
}

/* The last of what the model has in the range; asked for before and after a scan. */
static void expect_last(struct world *w, const struct leat_value *key, int64_t from, int64_t until, const struct world_item *item, size_t n)
{
	struct leat_ordered_entry last;

	ck_assert_int_eq(leat_tables_ordered_last(w->tables, 2, key, from, until, &last), n > 0);
	if (n > 0)
		assert_entries(&last, &item[n - 1], 1);
}

static void remember(struct world_lent *lent, const struct leat_ordered_entry *entries, const struct world_item *item, size_t n)
{
	*lent = (struct world_lent){ .entries = entries, .n = n };
	memcpy(lent->item, item, n * sizeof *item);
}

static void scan_run(struct world *w, size_t k)
{
	int64_t from = (int64_t)random_below(&w->seed, 40);
	int64_t until = from + (int64_t)random_below(&w->seed, 40);
	struct leat_value key = world_key(k);
	const struct leat_ordered_entry *entries;
	size_t n = leat_tables_ordered_scan(w->tables, 2, &key, from, until, &entries);
	const struct world_entry *e = live(w, 2, k);
	size_t first;

	ck_assert_uint_eq(n, range_of(e, from, until, &first));
	expect_last(w, &key, from, until, e == NULL ? NULL : &e->item[first], n);
	if (n == 0)
		return;
	assert_entries(entries, &e->item[first], n);
	if (w->n_lent < LENT)
		remember(&w->lent[w->n_lent++], entries, &e->item[first], n);
}

static void put_item(struct world *w, size_t k)
{
	struct world_item item = { .order = (int64_t)random_below(&w->seed, 40),
		                   .sequence = (int64_t)random_below(&w->seed, 3),
		                   .value = (int64_t)random_below(&w->seed, 1000) };
	struct leat_value key = world_key(k);
	struct leat_ordered_entry entry = { .order = item.order, .sequence = item.sequence };
	struct world_entry *e = live(w, 2, k);
	size_t i = 0;
	char text[32];

	/* Mostly at the end, as time goes. */
	if (e != NULL && e->n > 0 && random_below(&w->seed, 3) > 0)
		item.order = entry.order = e->item[e->n - 1].order + (int64_t)random_below(&w->seed, 2);
	if (e != NULL && e->n == RUN)
		return;
	entry.value = value_of(item.value, text);
	leat_tables_ordered_put(w->tables, 2, &key, &entry);
	e = open_entry(w, 2, k);
	while (i < e->n && (e->item[i].order < item.order || (e->item[i].order == item.order && e->item[i].sequence < item.sequence)))
		i++;
	if (i == e->n || e->item[i].order != item.order || e->item[i].sequence != item.sequence) {
		memmove(&e->item[i + 1], &e->item[i], (e->n - i) * sizeof *e->item);
		e->n++;
	}
	e->item[i] = item;
}

static void take_range(struct world *w, const struct leat_value *key, int64_t from, int64_t until, const struct world_item *item, size_t n)
{
	const struct leat_ordered_entry *entries;

	ck_assert_uint_eq(leat_tables_ordered_take(w->tables, 2, key, from, until, w->arena, &entries), n);
	ck_assert_int_eq(entries != NULL, n > 0);
	if (n == 0)
		return;
	assert_entries(entries, item, n);
	if (w->n_taken < LENT)
		remember(&w->taken[w->n_taken++], entries, item, n);
}

/* By erasing or by taking; what is taken is there as long as the arena. */
static void remove_range(struct world *w, size_t k)
{
	bool is_front = random_below(&w->seed, 2) == 0;
	int64_t from = is_front ? INT64_MIN : (int64_t)random_below(&w->seed, 40);
	int64_t until = (is_front ? 0 : from) + (int64_t)random_below(&w->seed, 20);
	struct leat_value key = world_key(k);
	struct world_entry *e = live(w, 2, k);
	size_t first, n = range_of(e, from, until, &first);

	if (w->arena == NULL || random_below(&w->seed, 2) == 0)
		leat_tables_ordered_erase(w->tables, 2, &key, from, until);
	else
		take_range(w, &key, from, until, e == NULL ? NULL : &e->item[first], n);
	if (e == NULL || from >= until)
		return;
	e->changed_us = w->now_us;
	memmove(&e->item[first], &e->item[first + n], (e->n - first - n) * sizeof *e->item);
	e->n -= n;
	if (e->n == 0)
		e->is_there = false;
}

static void erase_entry(struct world *w, size_t table, size_t k)
{
	struct leat_value key = world_key(k);

	leat_tables_erase(w->tables, (uint32_t)table, &key);
	w->model.entry[table][k].is_there = false;
}

void world_step(struct world *w)
{
	size_t k = random_below(&w->seed, KEYS);

	switch (random_below(&w->seed, 16)) {
	case 0:
		read_fixed(w, k);
		break;
	case 1:
	case 2:
	case 3:
		change_fixed(w, k);
		break;
	case 4:
		read_value(w, k);
		break;
	case 5:
	case 6:
		put_value(w, k);
		break;
	case 7:
	case 8:
		scan_run(w, k);
		break;
	case 9:
	case 10:
	case 11:
	case 12:
		put_item(w, k % 5);
		break;
	case 13:
		remove_range(w, k % 5);
		break;
	case 14:
		scan_run(w, k % 5);
		break;
	default:
		erase_entry(w, random_below(&w->seed, TABLES), k);
	}
}

void world_check_lent(struct world *w)
{
	for (size_t i = 0; i < w->n_lent; i++) {
		if (w->lent[i].value != NULL)
			assert_value(w->lent[i].value, w->lent[i].expected);
		else
			assert_entries(w->lent[i].entries, w->lent[i].item, w->lent[i].n);
	}
	w->n_lent = 0;
}

void world_check_taken(const struct world *w)
{
	for (size_t i = 0; i < w->n_taken; i++)
		assert_entries(w->taken[i].entries, w->taken[i].item, w->taken[i].n);
}

void world_check_all(struct world *w)
{
	for (size_t k = 0; k < KEYS; k++) {
		struct leat_value key = world_key(k);
		const struct leat_ordered_entry *entries;
		const struct world_entry *e = live(w, 2, k);
		size_t n = leat_tables_ordered_scan(w->tables, 2, &key, INT64_MIN, INT64_MAX, &entries);

		read_fixed(w, k);
		read_value(w, k);
		ck_assert_uint_eq(n, e != NULL ? e->n : 0);
		if (e != NULL)
			assert_entries(entries, e->item, n);
	}
	w->n_lent = 0;
}
