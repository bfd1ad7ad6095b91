/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a pipeline: what it keeps, what it refuses, what others may see of it. */
#define _GNU_SOURCE /* nftw(), memmem() */
#include "state/store.h"

#include <fcntl.h>
#include <glob.h>
#include <rocksdb/c.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "data/pack.h"
#include "state/rows.h"
#include "state/show.h"
#include "unit/folder.h"
#include "unit/unit.h"

static char home[64], folder[96];
static struct leat_store *store;
static struct leat_error err;

static _Atomic unsigned n_log_syncs;

/* In place of libc's, for RocksDB too, whose log is what makes a batch durable. */
__attribute__((visibility("default"))) int fdatasync(int fd)
{
	char link[64], path[256] = "";

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof path - 1) > 4)
		n_log_syncs += strcmp(path + strlen(path) - 4, ".log") == 0;
	return (int)syscall(SYS_fdatasync, fd);
}

/* ---- kit ------------------------------------------------------------------------------------------------------------- */

static void remove_home(void)
{
	remove_tree(home);
}

static void expect_ok(enum leat_status status)
{
	ck_assert_msg(status == LEAT_OK, "%s", err.text);
}

static void expect_refused(enum leat_status status, const char *part)
{
	ck_assert_int_eq(status, LEAT_FATAL);
	ck_assert_msg(strstr(err.text, part) != NULL, "\"%s\" does not say \"%s\"", err.text, part);
}

static void open_store(void)
{
	expect_ok(leat_store_open(folder, "p", &store, &err));
}

static void make_home(void)
{
	(void)snprintf(home, sizeof home, "/tmp/leat-test-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(home));
	(void)snprintf(folder, sizeof folder, "%s/p.state", home);
}

static void begin(void)
{
	make_home();
	open_store();
}

static void reopen(void)
{
	leat_store_close(store);
	open_store();
}

static void end(void)
{
	leat_store_close(store);
	remove_home();
}

static void commit(void)
{
	expect_ok(leat_store_commit(store, leat_store_epoch(store) + 1, &err));
}

/* As a start does: all or nothing. */
static void settle(void)
{
	expect_ok(leat_store_settle(store, &err));
	leat_store_allow_drop(store, NULL);
	expect_ok(leat_store_commit(store, leat_store_epoch(store), &err));
	reopen();
}

static struct leat_store_table table_of(const char *node, const char *table)
{
	return (struct leat_store_table){ .node = node, .table = table, .version = 1, .kind = LEAT_TABLE_FIXED, .layout = 7, .n_shards = 4 };
}

static uint32_t use_table(const char *node, const char *table)
{
	struct leat_store_table is = table_of(node, table);

	expect_ok(leat_store_use_table(store, &is, &err));
	return is.number;
}

static void change(uint32_t number, uint32_t shard, enum leat_delta_kind kind, const char *key, const char *value)
{
	struct leat_delta delta = { .n = 0 };
	const struct leat_delta_op op = { .kind = kind, .key = key, .key_n = strlen(key), .value = value, .value_n = strlen(value) };

	leat_delta_add(&delta, &op);
	leat_store_put_delta(store, &(struct leat_delta_place){ .number = &number, .n_numbers = 1, .shard = shard }, &delta);
	leat_delta_finish(&delta);
}

static bool append_row(void *opaque, const struct leat_delta_op *op)
{
	struct leat_buffer *text = opaque;

	leat_buffer_append(text, op->key, op->key_n);
	leat_buffer_byte(text, '=');
	leat_buffer_append(text, op->value, op->value_n);
	leat_buffer_byte(text, ' ');
	return true;
}

static bool append_scanned(void *opaque, uint32_t shard, const struct leat_delta_op *op)
{
	leat_buffer_byte(opaque, (char)('0' + shard));
	leat_buffer_byte(opaque, ':');
	return append_row(opaque, op);
}

static void expect_text(struct leat_buffer *text, const char *expected)
{
	leat_buffer_byte(text, '\0');
	ck_assert_str_eq(text->data, expected);
	leat_buffer_finish(text);
	memset(text, 0, sizeof *text);
}

static void expect_rows(uint32_t number, uint32_t shard, const char *expected)
{
	struct leat_buffer text = { .n = 0 };

	expect_ok(leat_store_rows(store, number, shard, append_row, &text, &err));
	expect_text(&text, expected);
}

/* One epoch with effects for the sink. */
static void put_effects(uint32_t sink, const char *effects)
{
	struct leat_fence delivered, head;
	struct leat_outbox_entry entry = { .epoch = leat_store_epoch(store) + 1, .n = 1, .bytes = effects, .bytes_n = strlen(effects) };

	leat_store_sink(store, sink, &delivered, &head);
	entry.previous_epoch = head.epoch;
	entry.previous_digest = head.digest;
	entry.digest = leat_outbox_digest(head.digest, effects, entry.bytes_n);
	leat_store_put_effects(store, sink, &entry);
	commit();
}

static struct leat_fence head_of(uint32_t sink)
{
	struct leat_fence delivered, head;

	leat_store_sink(store, sink, &delivered, &head);
	return head;
}

static void deliver(uint32_t sink, const struct leat_fence *fence)
{
	leat_store_put_delivered(store, sink, fence);
	expect_ok(leat_store_commit(store, leat_store_epoch(store), &err));
}

static bool append_entry(void *opaque, const struct leat_outbox_entry *entry)
{
	struct leat_buffer *text = opaque;

	leat_buffer_byte(text, (char)('0' + entry->epoch));
	leat_buffer_byte(text, '=');
	leat_buffer_append(text, entry->bytes, entry->bytes_n);
	leat_buffer_byte(text, ' ');
	return true;
}

static void expect_outbox(uint32_t sink, uint64_t after, const char *expected)
{
	struct leat_buffer text = { .n = 0 };

	expect_ok(leat_store_outbox(store, sink, after, append_entry, &text, &err));
	expect_text(&text, expected);
}

/* ---- behind the store's back ------------------------------------------------------------------------------------------ */

enum { META, ROWS, CHANGES, OUTBOX, LETTERS, FAMILIES };

struct raw {
	rocksdb_t *db;
	rocksdb_options_t *options;
	rocksdb_column_family_handle_t *family[FAMILIES];
};

static void raw_open(struct raw *raw)
{
	static const char *const names[FAMILIES] = { "default", "rows", "changes", "outbox", "letters" };
	const rocksdb_options_t *options[FAMILIES];
	char path[128], *said = NULL;

	(void)snprintf(path, sizeof path, "%s/db", folder);
	raw->options = rocksdb_options_create();
	options[META] = options[ROWS] = options[CHANGES] = options[OUTBOX] = options[LETTERS] = raw->options;
	raw->db = rocksdb_open_column_families(raw->options, path, FAMILIES, names, options, raw->family, &said);
	ck_assert_msg(said == NULL, "%s", said);
}

static void raw_close(struct raw *raw)
{
	for (int i = 0; i < FAMILIES; i++)
		rocksdb_column_family_handle_destroy(raw->family[i]);
	rocksdb_close(raw->db);
	rocksdb_options_destroy(raw->options);
}

static void raw_put(int family, const char *key, size_t key_n, const char *value, size_t n)
{
	rocksdb_writeoptions_t *how = rocksdb_writeoptions_create();
	struct raw raw;
	char *said = NULL;

	leat_store_close(store);
	store = NULL;
	raw_open(&raw);
	rocksdb_put_cf(raw.db, how, raw.family[family], key, key_n, value, n, &said);
	ck_assert_ptr_null(said);
	rocksdb_writeoptions_destroy(how);
	raw_close(&raw);
}

static void outbox_key(char key[12], uint32_t sink, uint64_t epoch)
{
	for (int i = 0; i < 4; i++)
		key[i] = (char)(sink >> (24 - 8 * i));
	for (int i = 0; i < 8; i++)
		key[4 + i] = (char)(epoch >> (56 - 8 * i));
}

/* Of the sink's effects of that epoch: byte `at` from the start, or from the end where it is negative, flipped; or all behind
 * it cut off. */
static void damage_effects(uint32_t sink, uint64_t epoch, int at, bool is_cut)
{
	rocksdb_readoptions_t *how = rocksdb_readoptions_create();
	struct raw raw;
	char key[12], *value, *said = NULL;
	size_t n, i;

	outbox_key(key, sink, epoch);
	leat_store_close(store);
	store = NULL;
	raw_open(&raw);
	value = rocksdb_get_cf(raw.db, how, raw.family[OUTBOX], key, sizeof key, &n, &said);
	ck_assert_ptr_nonnull(value);
	rocksdb_readoptions_destroy(how);
	raw_close(&raw);
	i = at >= 0 ? (size_t)at : n - (size_t)-at;
	value[i] = (char)(value[i] ^ 1);
	raw_put(OUTBOX, key, sizeof key, value, is_cut ? i : n);
	rocksdb_free(value);
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

START_TEST(what_was_committed_is_there_again)
{
	begin();
	ck_assert_uint_eq(leat_store_epoch(store), 0);
	ck_assert(!leat_store_has_changes(store));
	change(use_table("n", "t"), 2, LEAT_DELTA_PUT, "k", "v");
	ck_assert(leat_store_has_changes(store));
	commit();
	ck_assert(!leat_store_has_changes(store));
	change(1, 2, LEAT_DELTA_PUT, "not", "committed");
	reopen();
	ck_assert_uint_eq(leat_store_epoch(store), 1);
	ck_assert_str_eq(leat_store_pipeline(store), "p");
	ck_assert_uint_eq(use_table("n", "t"), 1);
	expect_rows(1, 2, "k=v ");
	end();
}
END_TEST

/* Effects that are the same after others are not the same delivery. */
START_TEST(a_digest_depends_on_all_that_came_before)
{
	ck_assert_uint_eq(leat_outbox_digest(1, "effects", 7), leat_outbox_digest(1, "effects", 7));
	ck_assert_uint_ne(leat_outbox_digest(1, "effects", 7), leat_outbox_digest(2, "effects", 7));
	ck_assert_uint_ne(leat_outbox_digest(1, "effects", 7), leat_outbox_digest(1, "effect!", 7));
}
END_TEST

/* What is only written outlives the process, so no crash of it shows that a sync is missing. */
START_TEST(what_is_committed_has_been_synced)
{
	unsigned n;

	begin();
	for (int i = 0; i < 3; i++) {
		change(use_table("n", "t"), 2, LEAT_DELTA_PUT, "k", "v");
		n = n_log_syncs;
		commit();
		ck_assert_uint_gt(n_log_syncs, n);
		n = n_log_syncs;
		expect_ok(leat_store_set_incarnation(store, leat_store_incarnation(store) + 1, &err));
		ck_assert_uint_gt(n_log_syncs, n);
	}
	end();
}
END_TEST

START_TEST(an_incarnation_is_kept_and_never_goes_back)
{
	begin();
	expect_ok(leat_store_set_incarnation(store, 5, &err));
	expect_ok(leat_store_set_incarnation(store, 3, &err));
	ck_assert_uint_eq(leat_store_incarnation(store), 5);
	reopen();
	ck_assert_uint_eq(leat_store_incarnation(store), 5);
	end();
}
END_TEST

START_TEST(a_store_has_one_owner)
{
	struct leat_store *other;

	begin();
	expect_refused(leat_store_open(folder, "p", &other, &err), "is in use by another process");
	ck_assert_int_eq(leat_store_open_still(folder, "p", &other, &err), LEAT_RETRY);
	leat_store_close(store);
	expect_ok(leat_store_open_still(folder, "p", &other, &err));
	expect_refused(leat_store_open(folder, "p", &store, &err), "is in use by another process");
	leat_store_close(other);
	open_store();
	end();
}
END_TEST

START_TEST(a_folder_of_another_pipeline_or_format_is_refused)
{
	begin();
	leat_store_close(store);
	expect_refused(leat_store_open(folder, "q", &store, &err), "is of pipeline \"p\"");
	expect_refused(leat_store_open_read_only(folder, "q", &store, &err), "is of pipeline \"p\"");
	expect_ok(leat_store_open_read_only(folder, NULL, &store, &err));
	ck_assert_str_eq(leat_store_pipeline(store), "p");
	raw_put(META, "format", 6, "5", 1);
	expect_refused(leat_store_open(folder, "p", &store, &err), "has format 5, this version reads 4");
	expect_refused(leat_store_open_read_only(folder, "p", &store, &err), "has format 5, this version reads 4");
	store = NULL;
	end();
}
END_TEST

START_TEST(a_folder_without_state_is_not_made_by_reading)
{
	char path[128];

	begin();
	(void)snprintf(path, sizeof path, "%s/none.state", home);
	leat_store_close(store);
	expect_refused(leat_store_open_read_only(path, "p", &store, &err), "there is no state in");
	ck_assert_int_ne(access(path, F_OK), 0);
	store = NULL;
	end();
}
END_TEST

/* ---- the catalogue --------------------------------------------------------------------------------------------------- */

START_TEST(a_table_that_does_not_fit_its_rows_is_refused)
{
	struct leat_store_table is;

	begin();
	change(use_table("n", "t"), 0, LEAT_DELTA_PUT, "k", "v");
	commit();
	reopen();
	is = table_of("n", "t");
	is.n_shards = 8;
	expect_refused(leat_store_use_table(store, &is, &err), "operator \"n\" has 8 shards, its state in");
	is = table_of("n", "t");
	is.version = 2;
	expect_refused(leat_store_use_table(store, &is, &err), "table \"t\" of operator \"n\" is version 2, its rows in");
	is = table_of("n", "t");
	is.layout = 8;
	expect_refused(leat_store_use_table(store, &is, &err), "has another layout than its rows in");
	is = table_of("n", "t");
	is.kind = LEAT_TABLE_VALUE;
	expect_refused(leat_store_use_table(store, &is, &err), "has another layout than its rows in");
	(void)use_table("n", "t");
	end();
}
END_TEST

START_TEST(the_catalogue_tells_tables_and_sinks)
{
	begin();
	(void)use_table("n", "t");
	(void)use_table("m", "");
	ck_assert_uint_eq(leat_store_use_sink(store, "a"), 1);
	ck_assert_uint_eq(leat_store_use_sink(store, "b"), 2);
	ck_assert_uint_eq(leat_store_use_sink(store, "a"), 1);
	commit();
	reopen();
	ck_assert_str_eq(leat_store_table(store, 0)->table, "t");
	ck_assert_str_eq(leat_store_table(store, 1)->node, "m");
	ck_assert_str_eq(leat_store_table(store, 1)->table, "");
	ck_assert_uint_eq(leat_store_table(store, 1)->n_shards, 4);
	ck_assert_ptr_null(leat_store_table(store, 2));
	ck_assert_uint_eq(leat_store_n_sinks(store), 2);
	ck_assert_str_eq(leat_store_sink_name(store, 2), "b");
	ck_assert_uint_eq(leat_store_find_sink(store, "b"), 2);
	ck_assert_uint_eq(leat_store_find_sink(store, "c"), 0);
	end();
}
END_TEST

static void append_position(void *opaque, const char *source, int32_t partition, const struct leat_position *position)
{
	char line[256];

	(void)snprintf(line, sizeof line, "%s/%d=%lld(%s) ", source, (int)partition, (long long)position->offset, position->note);
	leat_buffer_text(opaque, line);
}

START_TEST(positions_keep_their_notes)
{
	struct leat_position position = { .offset = 42, .note = "inode 7, a b" };
	struct leat_buffer text = { .n = 0 };

	begin();
	leat_store_put_position(store, "in", 3, &position);
	leat_store_put_position(store, "in", 0, &(struct leat_position){ .offset = -1 });
	leat_store_put_position(store, "more", 0, &(struct leat_position){ .offset = INT64_MAX });
	commit();
	reopen();
	ck_assert(leat_store_position(store, "in", 3, &position));
	ck_assert_int_eq(position.offset, 42);
	ck_assert_str_eq(position.note, "inode 7, a b");
	ck_assert(leat_store_position(store, "in", 0, &position));
	ck_assert_int_eq(position.offset, -1);
	ck_assert_str_eq(position.note, "");
	ck_assert(!leat_store_position(store, "in", 1, &position));
	expect_ok(leat_store_positions(store, append_position, &text, &err));
	expect_text(&text, "in/0=-1() in/3=42(inode 7, a b) more/0=9223372036854775807() ");
	end();
}
END_TEST

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

START_TEST(rows_are_found_by_table_and_shard_and_erased_by_prefix)
{
	struct leat_buffer text = { .n = 0 };
	uint32_t one, two;

	begin();
	one = use_table("n", "one");
	two = use_table("n", "two");
	change(one, 1, LEAT_DELTA_PUT, "b", "2");
	change(one, 1, LEAT_DELTA_PUT, "a", "1");
	change(one, 2, LEAT_DELTA_PUT, "a", "3");
	change(two, 1, LEAT_DELTA_PUT, "a", "4");
	change(two, 1, LEAT_DELTA_PUT, "ab", "5");
	change(two, 1, LEAT_DELTA_PUT, "a\xff", "6");
	change(two, 1, LEAT_DELTA_PUT, "b", "7");
	commit();
	expect_rows(one, 1, "a=1 b=2 ");
	expect_rows(one, 2, "a=3 ");
	expect_rows(one, 0, "");
	expect_ok(leat_store_scan(store, one, append_scanned, &text, &err));
	expect_text(&text, "1:a=1 1:b=2 2:a=3 ");
	change(one, 1, LEAT_DELTA_ERASE, "a", "");
	change(two, 1, LEAT_DELTA_ERASE_PREFIX, "a", "");
	commit();
	reopen();
	expect_rows(one, 1, "b=2 ");
	expect_rows(two, 1, "b=7 ");
	change(two, 1, LEAT_DELTA_PUT, "\xff\xff", "8");
	change(two, 2, LEAT_DELTA_PUT, "a", "9");
	change(two, 1, LEAT_DELTA_ERASE_PREFIX, "\xff", "");
	commit();
	expect_rows(two, 1, "b=7 ");
	expect_rows(two, 2, "a=9 ");
	end();
}
END_TEST

START_TEST(what_is_no_longer_used_is_dropped_by_name_or_refused)
{
	static const char *const one[] = { "gone", NULL }, *const both[] = { "gone", "old", NULL };
	struct leat_fence delivered, head;
	uint32_t sink;

	begin();
	change(use_table("gone", "t"), 0, LEAT_DELTA_PUT, "k", "v");
	change(use_table("kept", "t"), 0, LEAT_DELTA_PUT, "k", "v");
	(void)use_table("empty", "t");
	sink = leat_store_use_sink(store, "old");
	put_effects(sink, "effects");
	reopen();
	(void)use_table("kept", "t");
	expect_refused(leat_store_settle(store, &err), "no longer has \"gone\", \"old\", but");
	leat_store_allow_drop(store, one);
	expect_refused(leat_store_settle(store, &err), "no longer has \"old\", but");
	leat_store_allow_drop(store, both);
	expect_ok(leat_store_settle(store, &err));
	commit();
	reopen();
	(void)use_table("kept", "t");
	expect_ok(leat_store_settle(store, &err));
	expect_rows(1, 0, "");
	expect_rows(2, 0, "k=v ");
	leat_store_sink(store, sink, &delivered, &head);
	ck_assert_uint_eq(delivered.epoch, head.epoch);
	ck_assert(leat_store_has_moved(store, sink));
	end();
}
END_TEST

/* ---- rows of older versions ------------------------------------------------------------------------------------------ */

struct sum_1 {
	int32_t cents;
	bool is_closed;
};

struct sum_2 {
	int64_t cents, n;
};

static int n_calls, dies_at;

/* Of "bad" it says so, of what is closed nothing is kept. */
static enum leat_status migrate_sum(uint32_t version, const struct leat_value *key, const void *was_, void *is_, struct leat_error *why)
{
	const struct sum_1 *was = was_;
	struct sum_2 *is = is_;

	ck_assert_uint_eq(version, 1);
	ck_assert_int_eq(is->cents, 0);
	if (++n_calls == dies_at)
		_exit(99);
	if (was->is_closed)
		return LEAT_REJECT;
	if (key->n == 3 && memcmp(key->as.text, "bad", 3) == 0)
		return leat_error_set(why, LEAT_FATAL, 0, "its sum is not one");
	is->cents = was->cents;
	is->n = was->cents == 0 ? 0 : 1;
	return LEAT_OK;
}

static const struct leat_field fields_1[] = { LEAT_FIELD(struct sum_1, cents, INT32), LEAT_FIELD(struct sum_1, is_closed, BOOL), { 0 } };
static const struct leat_field fields_2[] = { LEAT_FIELD(struct sum_2, cents, INT64), LEAT_FIELD(struct sum_2, n, INT64), { 0 } };
static const struct leat_table_spec older[] = {
	{ .name = "sum", .version = 1, .size = sizeof(struct sum_1), .fields = fields_1 }, { 0 }
};
static const struct leat_table_spec sum_2 = { .name = "sum", .version = 2, .size = sizeof(struct sum_2), .fields = fields_2,
	                                          .migrate = migrate_sum, .older = older };

static struct leat_store_table table_by(const struct leat_table_spec *spec)
{
	return (struct leat_store_table){ .node = "n", .table = "sum", .version = spec->version, .kind = LEAT_TABLE_FIXED,
		                              .layout = leat_store_layout(spec), .n_shards = 4, .spec = spec };
}

/* A row of version 1: changed at 7, with these cents. */
static void put_sum(uint32_t number, const char *name, int32_t cents, bool is_closed)
{
	struct leat_buffer key = { .n = 0 }, value = { .n = 0 };
	struct leat_value name_value = leat_borrow(name, strlen(name));
	struct leat_delta delta = { .n = 0 };

	leat_pack_value(&name_value, &key);
	leat_row_number(&value, 7);
	leat_buffer_append(&value, &cents, sizeof cents);
	leat_buffer_byte(&value, is_closed);
	leat_delta_add(&delta, &(struct leat_delta_op){ .kind = LEAT_DELTA_PUT, .key = key.data, .key_n = key.n, .value = value.data,
	                                                .value_n = value.n });
	leat_store_put_delta(store, &(struct leat_delta_place){ .number = &number, .n_numbers = 1, .shard = (uint32_t)cents % 4 }, &delta);
	leat_delta_finish(&delta);
	leat_buffer_finish(&value);
	leat_buffer_finish(&key);
}

struct showing {
	const struct leat_table_spec *spec;
	struct leat_buffer text;
};

static bool show_sum(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	struct showing *s = opaque;
	struct leat_arena *arena = leat_arena_create();
	struct leat_shown_row shown;

	ck_assert(leat_row_show(s->spec, row, arena, &shown));
	leat_row_print_json("n", "sum", shard, &shown, &s->text);
	leat_arena_unref(arena);
	return true;
}

static void expect_sums(uint32_t number, const struct leat_table_spec *spec, const char *expected)
{
	struct showing s = { .spec = spec };

	expect_ok(leat_store_scan(store, number, show_sum, &s, &err));
	expect_text(&s.text, expected);
}

#define CHANGED "\"changed\":\"1970-01-01T00:00:00.000007Z\"}"
#define SUMS_1                                                                                                             \
	"{\"node\":\"n\",\"table\":\"sum\",\"shard\":1,\"key\":\"anna\",\"value\":{\"cents\":5,\"is_closed\":false}," CHANGED                \
	"{\"node\":\"n\",\"table\":\"sum\",\"shard\":2,\"key\":\"bert\",\"value\":{\"cents\":6,\"is_closed\":true}," CHANGED
#define SUMS_2 "{\"node\":\"n\",\"table\":\"sum\",\"shard\":1,\"key\":\"anna\",\"value\":{\"cents\":5,\"n\":1}," CHANGED

static uint32_t put_sums(void)
{
	struct leat_store_table is = table_by(older);

	expect_ok(leat_store_use_table(store, &is, &err));
	put_sum(is.number, "anna", 5, false);
	put_sum(is.number, "bert", 6, true);
	commit();
	reopen();
	return is.number;
}

static uint32_t begin_sums(void)
{
	begin();
	return put_sums();
}

START_TEST(rows_of_an_older_version_are_made_over_all_at_once)
{
	uint32_t number = begin_sums();
	struct leat_store_table is = table_by(&sum_2);

	expect_ok(leat_store_use_table(store, &is, &err));
	ck_assert_uint_eq(is.n_migrated, 1);
	ck_assert_uint_eq(is.n_given_up, 1);
	expect_sums(number, older, SUMS_1); /* until it is written */
	reopen();
	expect_sums(number, older, SUMS_1);
	expect_ok(leat_store_use_table(store, &is, &err));
	settle();
	expect_sums(number, &sum_2, SUMS_2);
	n_calls = 0;
	expect_ok(leat_store_use_table(store, &is, &err));
	ck_assert_int_eq(n_calls, 0);
	is = table_by(older);
	expect_refused(leat_store_use_table(store, &is, &err), "is version 1, its rows in");
	ck_assert_ptr_nonnull(strstr(err.text, "are version 2; use the plugin that wrote them, or give them up by --drop n"));
	end();
}
END_TEST

/* Another process, which dies in migrate(), or right before the batch is written, when it is told to go on. */
struct dying {
	pid_t pid;
	int go;
};

static void die_while_migrating(int wait, int at)
{
	struct leat_store_table is = table_by(&sum_2);
	char byte;

	if (read(wait, &byte, 1) != 1)
		_exit(0);
	dies_at = at;
	open_store();
	expect_ok(leat_store_use_table(store, &is, &err));
	_exit(99);
}

/* While there is one thread, as the thread sanitizer demands. */
static struct dying prepare_to_die(int at)
{
	struct dying dying;
	int go[2];

	ck_assert_int_eq(pipe(go), 0);
	dying = (struct dying){ .pid = fork(), .go = go[1] };
	if (dying.pid == 0)
		die_while_migrating(go[0], at);
	(void)close(go[0]);
	return dying;
}

static void have_it_die(const struct dying *dying)
{
	int status;

	leat_store_close(store);
	ck_assert_int_eq(write(dying->go, "", 1), 1);
	(void)close(dying->go);
	ck_assert_int_eq(waitpid(dying->pid, &status, 0), dying->pid);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 99);
	open_store();
}

START_TEST(a_migration_that_dies_or_fails_leaves_all_rows_as_they_were)
{
	static const char *const drop[] = { "n", NULL };
	struct leat_store_table is;
	struct dying dying[3];
	uint32_t number;

	make_home();
	for (int i = 0; i < 3; i++)
		dying[i] = prepare_to_die(i + 1);
	open_store();
	number = put_sums();
	for (int i = 0; i < 3; i++) {
		have_it_die(&dying[i]);
		expect_sums(number, older, SUMS_1);
	}
	is = table_by(older);
	expect_ok(leat_store_use_table(store, &is, &err));
	put_sum(number, "bad", 7, false);
	commit();
	reopen();
	is = table_by(&sum_2);
	expect_refused(leat_store_use_table(store, &is, &err), "could not migrate the row of \"bad\" in table \"sum\" of operator \"n\"");
	ck_assert_ptr_nonnull(strstr(err.text, "from version 1 to 2: its sum is not one; nothing was changed"));
	reopen();
	is = table_by(older);
	expect_ok(leat_store_use_table(store, &is, &err));
	is = table_by(&sum_2);
	leat_store_allow_drop(store, drop);
	expect_ok(leat_store_use_table(store, &is, &err));
	settle();
	expect_sums(number, &sum_2, "");
	end();
}
END_TEST

START_TEST(a_migration_that_does_not_know_the_rows_is_refused)
{
	struct leat_table_spec spec = sum_2;
	struct leat_store_table is;

	(void)begin_sums();
	spec.version = 3;
	spec.older = (const struct leat_table_spec[]){ sum_2, { 0 } };
	is = table_by(&spec);
	expect_refused(leat_store_use_table(store, &is, &err), "the plugin cannot migrate that version, use the one that wrote them");
	spec.migrate = NULL;
	expect_refused(leat_store_use_table(store, &is, &err), "the plugin cannot migrate them, use the one that wrote them");
	spec = sum_2;
	spec.older = (const struct leat_table_spec[]){ { .name = "sum", .version = 1, .size = sizeof(struct sum_2), .fields = fields_2 }, { 0 } };
	is = table_by(&spec);
	expect_refused(leat_store_use_table(store, &is, &err), "the plugin knows that version with another layout");
	end();
}
END_TEST

/* ---- what it belongs to ---------------------------------------------------------------------------------------------- */

START_TEST(rows_by_another_key_are_refused_or_dropped_with_all_of_their_node)
{
	static const char *const spend[] = { "spend", NULL };

	begin();
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"user\"", &err));
	(void)use_table("spend", "");
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"shop\"", &err)); /* nothing is lost */
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"user\"", &err));
	change(use_table("spend", "t"), 0, LEAT_DELTA_PUT, "k", "v");
	change(use_table("spend", ""), 0, LEAT_DELTA_PUT, "timer", "v");
	change(use_table("other", "t"), 0, LEAT_DELTA_PUT, "k", "v");
	commit();
	reopen();
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"user\"", &err));
	expect_refused(leat_store_use_operator(store, "spend", "sum by \"shop\"", &err), "operator \"spend\" is sum by \"shop\" now, its rows in");
	ck_assert_ptr_nonnull(strstr(err.text, "are of sum by \"user\"; take that back, or give them up by --drop spend"));
	leat_store_allow_drop(store, spend);
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"shop\"", &err));
	(void)use_table("spend", "t");
	(void)use_table("spend", "");
	(void)use_table("other", "t");
	settle();
	expect_rows(1, 0, "");
	expect_rows(2, 0, "");
	expect_rows(3, 0, "k=v ");
	expect_ok(leat_store_use_operator(store, "spend", "sum by \"shop\"", &err));
	end();
}
END_TEST

START_TEST(positions_of_what_is_read_no_more_are_refused_or_dropped)
{
	static const char *const in[] = { "in", NULL };
	const struct leat_position position = { .offset = 42 };

	begin();
	expect_ok(leat_store_use_source(store, "in", "kafka topic \"a\"", &err));
	leat_store_put_position(store, "in", 0, &position);
	expect_ok(leat_store_use_source(store, "in2", "kafka topic \"c\"", &err));
	leat_store_put_position(store, "in2", 0, &position);
	commit();
	reopen();
	expect_ok(leat_store_use_source(store, "in2", "kafka topic \"c\"", &err));
	expect_ok(leat_store_use_source(store, "new", "kafka topic \"a\"", &err));
	expect_refused(leat_store_settle(store, &err), "no longer has \"in\", but the store in");
	expect_refused(leat_store_use_source(store, "in", "kafka topic \"b\"", &err), "source \"in\" is kafka topic \"b\" now, its positions in");
	ck_assert_ptr_nonnull(strstr(err.text, "are of kafka topic \"a\"; take that back, or give them up by --drop in"));
	leat_store_allow_drop(store, in);
	expect_ok(leat_store_use_source(store, "in", "kafka topic \"b\"", &err));
	settle();
	ck_assert(!leat_store_position(store, "in", 0, &(struct leat_position){ .offset = 0 }));
	ck_assert(leat_store_position(store, "in2", 0, &(struct leat_position){ .offset = 0 }));
	leat_store_put_position(store, "in", 0, &position);
	commit();
	reopen();
	leat_store_allow_drop(store, in);
	expect_ok(leat_store_use_source(store, "in2", "kafka topic \"c\"", &err));
	settle();
	ck_assert(!leat_store_position(store, "in", 0, &(struct leat_position){ .offset = 0 }));
	end();
}
END_TEST

START_TEST(a_sink_moves_when_nothing_waits_for_it)
{
	static const char *const out[] = { "out", NULL };
	struct leat_fence head, delivered;

	begin();
	expect_ok(leat_store_use_sink_at(store, "out", "kafka topic \"a\"", &err));
	put_effects(1, "effects");
	expect_refused(leat_store_use_sink_at(store, "out", "kafka topic \"b\"", &err), "sink \"out\" is kafka topic \"b\" now, its undelivered");
	ck_assert_ptr_nonnull(strstr(err.text, "are for kafka topic \"a\"; take that back until they are delivered, give them up by --drop out"));
	head = head_of(1);
	deliver(1, &head);
	ck_assert(!leat_store_has_moved(store, 1));
	expect_ok(leat_store_use_sink_at(store, "out", "kafka topic \"b\"", &err));
	settle();
	ck_assert(leat_store_has_moved(store, 1));
	put_effects(1, "more"); /* the chain goes on */
	expect_outbox(1, 0, "2=more ");
	leat_store_allow_drop(store, out);
	expect_ok(leat_store_use_sink_at(store, "out", "kafka topic \"c\"", &err));
	settle();
	expect_outbox(1, 0, "");
	leat_store_sink(store, 1, &delivered, &head);
	ck_assert(leat_fence_is_at(&delivered, head.epoch, head.digest));
	ck_assert(leat_store_has_moved(store, 1));
	put_effects(1, "most");
	head = head_of(1);
	deliver(1, &head);
	reopen();
	ck_assert(!leat_store_has_moved(store, 1));
	end();
}
END_TEST

/* ---- the outbox ------------------------------------------------------------------------------------------------------ */

START_TEST(effects_wait_in_order_until_they_are_delivered)
{
	struct leat_fence delivered, head, second;
	struct leat_store_audit audit;

	begin();
	(void)leat_store_use_sink(store, "a");
	(void)leat_store_use_sink(store, "b");
	put_effects(1, "one");
	put_effects(1, "two");
	second = head_of(1);
	put_effects(2, "other");
	put_effects(1, "four");
	reopen();
	expect_outbox(1, 0, "1=one 2=two 4=four ");
	expect_outbox(1, 2, "4=four ");
	expect_outbox(2, 0, "3=other ");
	second.incarnation = 9;
	deliver(1, &second);
	reopen();
	expect_outbox(1, 0, "4=four ");
	leat_store_sink(store, 1, &delivered, &head);
	ck_assert_uint_eq(delivered.incarnation, 9);
	ck_assert_uint_eq(delivered.epoch, 2);
	ck_assert_uint_eq(delivered.digest, second.digest);
	ck_assert_uint_eq(head.epoch, 4);
	expect_ok(leat_store_audit(store, 1, &delivered, &audit, &err));
	ck_assert(audit.is_known);
	ck_assert_uint_eq(audit.n_epochs, 1);
	ck_assert_uint_eq(audit.n_bytes, 4);
	ck_assert_uint_eq(audit.n_due, 1);
	expect_ok(leat_store_audit(store, 1, &head, &audit, &err));
	ck_assert(audit.is_known);
	ck_assert_uint_eq(audit.n_due, 0);
	head.digest++;
	expect_ok(leat_store_audit(store, 1, &head, &audit, &err));
	ck_assert(!audit.is_known);
	end();
}
END_TEST

START_TEST(what_was_delivered_may_be_kept_for_a_while)
{
	struct leat_fence at[6] = { { 0 } };
	struct leat_store_audit audit;

	begin();
	(void)leat_store_use_sink(store, "a");
	for (int i = 1; i <= 5; i++) {
		put_effects(1, "some");
		at[i] = head_of(1);
	}
	leat_store_put_progress(store, 1, &at[4], 2);
	expect_ok(leat_store_commit(store, leat_store_epoch(store), &err));
	reopen();
	expect_outbox(1, 0, "3=some 4=some 5=some ");
	for (int i = 1; i <= 5; i++) {
		expect_ok(leat_store_audit(store, 1, &at[i], &audit, &err));
		ck_assert_int_eq(audit.is_known, i >= 2);
		ck_assert_int_eq((int)audit.n_due, i < 2 ? 3 : 5 - i);
		ck_assert_uint_eq(audit.n_kept, 2);
		ck_assert_uint_eq(audit.n_epochs, 1);
	}
	expect_ok(leat_store_audit(store, 1, NULL, &audit, &err));
	ck_assert_uint_eq(audit.n_due, 1);
	at[4].digest++;
	leat_store_put_progress(store, 1, &at[4], 0);
	expect_ok(leat_store_commit(store, leat_store_epoch(store), &err));
	expect_refused(leat_store_audit(store, 1, NULL, &audit, &err), "none of its effects end at epoch 4 and digest");
	end();
}
END_TEST

/* How often RocksDB's log names the effects of that epoch. */
static int n_in_log(uint32_t sink, uint64_t epoch)
{
	struct leat_buffer log = { .n = 0 };
	char pattern[128], key[12];
	glob_t found;
	int n = 0;

	outbox_key(key, sink, epoch);
	(void)snprintf(pattern, sizeof pattern, "%s/db/*.log", folder);
	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		FILE *file = fopen(found.gl_pathv[i], "r");
		char part[4096];

		ck_assert_ptr_nonnull(file);
		for (size_t got; (got = fread(part, 1, sizeof part, file)) > 0;)
			leat_buffer_append(&log, part, got);
		(void)fclose(file);
	}
	globfree(&found);
	for (const char *at = log.data; (at = memmem(at, (size_t)(log.data + log.n - at), key, sizeof key)) != NULL; at++)
		n++;
	leat_buffer_finish(&log);
	return n;
}

/* RocksDB needs the square of the number of deleted ranges that overlap, when it writes them into a file. */
START_TEST(what_was_forgotten_is_not_forgotten_again)
{
	struct leat_fence at;

	begin();
	(void)leat_store_use_sink(store, "a");
	for (int i = 1; i <= 5; i++) {
		put_effects(1, "some");
		at = head_of(1);
		deliver(1, &at);
		leat_store_put_progress(store, 1, &at, (uint64_t)i / 2); /* as after a retention that was made longer */
	}
	ck_assert_int_eq(n_in_log(1, 0), 0);
	for (uint64_t epoch = 2; epoch <= 5; epoch++)
		ck_assert_int_eq(n_in_log(1, epoch), 3); /* put, the end of one range, the start of the next */
	expect_outbox(1, 0, "");
	end();
}
END_TEST

START_TEST(damaged_effects_are_refused)
{
	static const struct {
		int at;
		bool is_cut;
	} table[] = { { 8, false }, { 16, false }, { 24, false }, { -1, false }, { -3, true }, { 20, true } };
	struct leat_store_audit audit;

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		begin();
		(void)leat_store_use_sink(store, "a");
		put_effects(1, "some effects that are no good any more");
		put_effects(1, "others");
		expect_ok(leat_store_audit(store, 1, NULL, &audit, &err));
		damage_effects(1, 1, table[i].at, table[i].is_cut);
		open_store();
		expect_refused(leat_store_audit(store, 1, NULL, &audit, &err), "is damaged: effects of epoch 1 for sink \"a\"");
		end();
	}
}
END_TEST

START_TEST(a_chain_that_is_broken_is_told)
{
	struct leat_store_audit audit;

	begin();
	(void)leat_store_use_sink(store, "a");
	put_effects(1, "one");
	put_effects(1, "two");
	put_effects(1, "three");
	/* The epoch before is not part of what the digest covers. */
	damage_effects(1, 2, 0, false);
	open_store();
	expect_refused(leat_store_audit(store, 1, NULL, &audit, &err), "effects of epoch 2 follow epoch 0 and digest");
	raw_put(META, "head/1", 6, "9 0000000000000001", 18);
	open_store();
	damage_effects(1, 2, 0, false);
	open_store();
	expect_refused(leat_store_audit(store, 1, NULL, &audit, &err), "its effects end at epoch 3 and digest");
	end();
}
END_TEST

START_TEST(a_sink_is_taken_as_it_is)
{
	const struct leat_fence ahead = { .incarnation = 7, .epoch = 50, .digest = 5 }, behind = { .incarnation = 8, .epoch = 1, .digest = 3 };
	struct leat_store_audit audit;

	begin();
	(void)leat_store_use_sink(store, "a");
	(void)leat_store_use_sink(store, "b");
	put_effects(1, "one");
	put_effects(2, "two");
	expect_ok(leat_store_accept(store, 1, &ahead, &err));
	reopen();
	ck_assert_uint_eq(leat_store_epoch(store), 50);
	expect_outbox(1, 0, "");
	expect_outbox(2, 0, "2=two ");
	expect_ok(leat_store_audit(store, 1, &ahead, &audit, &err));
	ck_assert(audit.is_known);
	put_effects(1, "next");
	ck_assert_uint_eq(head_of(1).epoch, 51);
	expect_ok(leat_store_audit(store, 1, NULL, &audit, &err));
	ck_assert_uint_eq(audit.n_due, 1);
	expect_ok(leat_store_accept(store, 1, &behind, &err));
	ck_assert_uint_eq(leat_store_epoch(store), 51);
	expect_outbox(1, 0, "");
	put_effects(1, "then");
	expect_ok(leat_store_audit(store, 1, &behind, &audit, &err));
	ck_assert_uint_eq(audit.n_due, 1);
	end();
}
END_TEST

/* ---- others ---------------------------------------------------------------------------------------------------------- */

START_TEST(a_reader_sees_the_epoch_that_it_was_opened_at)
{
	struct leat_store *reader, *owner;
	uint32_t number;

	begin();
	owner = store;
	number = use_table("n", "t");
	change(number, 0, LEAT_DELTA_PUT, "k", "1");
	commit();
	expect_ok(leat_store_open_read_only(folder, "p", &reader, &err));
	change(number, 0, LEAT_DELTA_PUT, "k", "2");
	commit();
	store = reader;
	expect_rows(number, 0, "k=1 ");
	ck_assert_uint_eq(leat_store_epoch(reader), 1);
	leat_store_close(reader);
	expect_ok(leat_store_open_read_only(folder, "p", &store, &err));
	expect_rows(number, 0, "k=2 ");
	leat_store_close(store);
	store = owner;
	end();
}
END_TEST

/* Once the other end of the pipe is closed. */
static void own_restlessly(const int *wait)
{
	char none;

	(void)close(wait[1]);
	ck_assert_int_eq(read(wait[0], &none, 1), 0);
	open_store();
	(void)use_table("n", "t");
	(void)leat_store_use_sink(store, "a");
	for (int i = 0; i < 400; i++) {
		char epoch[24];

		leat_store_limit_changelog(store, 1);
		(void)snprintf(epoch, sizeof epoch, "%u", (unsigned)leat_store_epoch(store) + 1);
		change(1, 0, LEAT_DELTA_PUT, "k", epoch);
		put_effects(1, "effects");
		if (i % 20 == 1)
			reopen();
	}
	leat_store_close(store);
}

/*
 * An owner that is opened again and again writes its logs to tables, and deletes them, and while it is open it writes rows into
 * files, and deletes the changes: what others see is whole all the same.
 */
START_TEST(readers_see_whole_epochs_beside_a_restless_owner)
{
	uint64_t last = 0;
	int n_read = 0, result, wait[2];
	pid_t owner;

	make_home();
	ck_assert_int_eq(pipe(wait), 0);
	owner = fork(); /* while there is one thread, as the thread sanitizer demands */
	if (owner == 0) {
		own_restlessly(wait);
		_exit(0);
	}
	open_store();
	leat_store_close(store);
	store = NULL;
	(void)close(wait[0]);
	(void)close(wait[1]);
	while (waitpid(owner, &result, WNOHANG) == 0) {
		struct leat_store_audit audit;
		char row[32];

		expect_ok(leat_store_open_read_only(folder, "p", &store, &err));
		n_read++;
		ck_assert_uint_ge(leat_store_epoch(store), last);
		last = leat_store_epoch(store);
		if (last > 0) {
			expect_ok(leat_store_audit(store, 1, NULL, &audit, &err));
			ck_assert_uint_eq(audit.n_epochs, last);
			ck_assert_uint_eq(audit.head.epoch, last);
			(void)snprintf(row, sizeof row, "k=%u ", (unsigned)last);
			expect_rows(1, 0, row);
		}
		leat_store_close(store);
		store = NULL;
	}
	ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0);
	ck_assert_int_gt(n_read, 1);
	end();
}
END_TEST

START_TEST(a_reader_waits_for_the_rows_of_changes_that_are_gone)
{
	begin();
	(void)use_table("n", "t");
	change(1, 0, LEAT_DELTA_PUT, "k", "v");
	commit();
	raw_put(META, "in-rows", 7, "1", 1);
	expect_refused(leat_store_open_read_only(folder, "p", &store, &err), "changes too fast");
	open_store();
	leat_store_close(store);
	expect_ok(leat_store_open_read_only(folder, "p", &store, &err));
	expect_rows(1, 0, "k=v ");
	end();
}
END_TEST

START_TEST(an_open_that_fails_hands_nothing_out)
{
	char rows[sizeof folder + 16];

	begin();
	(void)use_table("n", "t");
	change(1, 0, LEAT_DELTA_PUT, "k", "v");
	commit();
	leat_store_close(store);
	store = NULL;
	(void)snprintf(rows, sizeof rows, "%s/rows.sst", folder);
	ck_assert_int_eq(mkdir(rows, 0700), 0);
	expect_refused(leat_store_open(folder, "p", &store, &err), "rows.sst");
	ck_assert_ptr_null(store);
	ck_assert_int_eq(rmdir(rows), 0);
	open_store();
	expect_rows(1, 0, "k=v ");
	end();
}
END_TEST

START_TEST(a_copy_holds_everything_and_overwrites_nothing)
{
	struct leat_store *owner;
	uint32_t number;
	char to[128];

	begin();
	(void)snprintf(to, sizeof to, "%s/backup", home);
	number = use_table("n", "t");
	change(number, 3, LEAT_DELTA_PUT, "k", "v");
	leat_store_put_position(store, "in", 0, &(struct leat_position){ .offset = 4, .note = "x" });
	(void)leat_store_use_sink(store, "a");
	put_effects(1, "one");
	expect_ok(leat_store_set_incarnation(store, 6, &err));
	owner = store;
	expect_ok(leat_store_copy(owner, to, &err));
	expect_refused(leat_store_copy(owner, to, &err), "is there already");
	expect_ok(leat_store_open(to, "p", &store, &err));
	ck_assert_uint_eq(leat_store_epoch(store), 1);
	ck_assert_uint_eq(leat_store_incarnation(store), 6);
	expect_rows(number, 3, "k=v ");
	expect_outbox(1, 0, "1=one ");
	ck_assert(leat_store_position(store, "in", 0, &(struct leat_position){ .offset = 0 }));
	leat_store_close(store);
	store = owner;
	end();
}
END_TEST

/* ---- rows, shown ----------------------------------------------------------------------------------------------------- */

struct sample {
	int64_t big;
	double real;
	bool flag;
	int32_t small;
	char name[6];
};

static const struct leat_field sample_fields[] = {
	LEAT_FIELD(struct sample, big, INT64), LEAT_FIELD(struct sample, real, DOUBLE), LEAT_FIELD(struct sample, flag, BOOL),
	LEAT_FIELD(struct sample, small, INT32), LEAT_FIELD(struct sample, name, BYTES), { 0 },
};
static const struct leat_table_spec fixed = { .name = "t", .version = 1, .size = sizeof(struct sample), .fields = sample_fields };
static const struct leat_table_spec value_table = { .name = "t", .version = 1, .kind = LEAT_TABLE_VALUE };
static const struct leat_table_spec ordered = { .name = "t", .version = 1, .kind = LEAT_TABLE_ORDERED };

static void expect_shown(const struct leat_table_spec *spec, const struct leat_buffer *key, const struct leat_buffer *value,
                         const char *expected)
{
	const struct leat_delta_op op = { .kind = LEAT_DELTA_PUT, .key = key->data, .key_n = key->n, .value = value->data, .value_n = value->n };
	struct leat_arena *arena = leat_arena_create();
	struct leat_buffer text = { .n = 0 };
	struct leat_shown_row row;
	bool is_good = leat_row_show(spec, &op, arena, &row);

	ck_assert_int_eq(is_good, expected != NULL);
	if (is_good) {
		leat_row_print_json("n", "t", 2, &row, &text);
		expect_text(&text, expected);
	}
	leat_arena_unref(arena);
}

static void pack(struct leat_buffer *to, struct leat_value value)
{
	leat_pack_value(&value, to);
}

START_TEST(rows_of_every_kind_are_shown)
{
	static const char little[] = "\xfe\xff\xff\xff\xff\xff\xff\xff" /* -2 */ "\0\0\0\0\0\0\xf8\x7f" /* NaN */ "\1" "\3\0\0\0" "anna\0";
	struct leat_buffer key = { .n = 0 }, value = { .n = 0 };

	pack(&key, leat_borrow("k", 1));
	leat_row_number(&value, 1500000);
	leat_buffer_append(&value, little, 8 + 8 + 1 + 4 + 6);
	expect_shown(&fixed, &key, &value,
	             "{\"node\":\"n\",\"table\":\"t\",\"shard\":2,\"key\":\"k\",\"value\":{\"big\":-2,\"real\":\"NaN\",\"flag\":true,\"small\":3,"
	             "\"name\":\"anna\"},\"changed\":\"1970-01-01T00:00:01.500000Z\"}");
	value.n--;
	expect_shown(&fixed, &key, &value, NULL);
	value.n = 8;
	pack(&value, leat_bool(true));
	expect_shown(&value_table, &key, &value,
	             "{\"node\":\"n\",\"table\":\"t\",\"shard\":2,\"key\":\"k\",\"value\":true,\"changed\":\"1970-01-01T00:00:01.500000Z\"}");
	value.n = 8;
	leat_buffer_byte(&key, LEAT_ROW_HEAD);
	expect_shown(&ordered, &key, &value,
	             "{\"node\":\"n\",\"table\":\"t\",\"shard\":2,\"key\":\"k\",\"changed\":\"1970-01-01T00:00:01.500000Z\"}");
	key.data[key.n - 1] = LEAT_ROW_ITEM;
	expect_shown(&ordered, &key, &value, NULL);
	leat_row_sortable(&key, -7);
	leat_row_sortable(&key, 8);
	value.n = 0;
	pack(&value, leat_integer(5));
	expect_shown(&ordered, &key, &value,
	             "{\"node\":\"n\",\"table\":\"t\",\"shard\":2,\"key\":\"k\",\"order\":-7,\"sequence\":8,\"value\":5}");
	key.n = value.n = 0;
	leat_buffer_byte(&key, LEAT_PROCESSING_TIME);
	leat_row_sortable(&key, INT64_MAX);
	leat_row_sortable(&key, 4);
	pack(&key, leat_integer(1));
	leat_row_number(&value, 1);
	expect_shown(NULL, &key, &value,
	             "{\"node\":\"n\",\"table\":\"t\",\"shard\":2,\"key\":1,\"clock\":\"processing\",\"due\":9223372036854775807,\"tag\":4}");
	leat_buffer_finish(&key);
	leat_buffer_finish(&value);
}
END_TEST

int main(void)
{
	return leat_test_main("store", (const TTest *[]){ what_was_committed_is_there_again,
	                                                  a_digest_depends_on_all_that_came_before,
	                                                  what_is_committed_has_been_synced,
	                                                  an_incarnation_is_kept_and_never_goes_back,
	                                                  a_store_has_one_owner,
	                                                  a_folder_of_another_pipeline_or_format_is_refused,
	                                                  a_folder_without_state_is_not_made_by_reading,
	                                                  a_table_that_does_not_fit_its_rows_is_refused,
	                                                  the_catalogue_tells_tables_and_sinks,
	                                                  positions_keep_their_notes,
	                                                  rows_are_found_by_table_and_shard_and_erased_by_prefix,
	                                                  what_is_no_longer_used_is_dropped_by_name_or_refused,
	                                                  rows_of_an_older_version_are_made_over_all_at_once,
	                                                  a_migration_that_dies_or_fails_leaves_all_rows_as_they_were,
	                                                  a_migration_that_does_not_know_the_rows_is_refused,
	                                                  rows_by_another_key_are_refused_or_dropped_with_all_of_their_node,
	                                                  positions_of_what_is_read_no_more_are_refused_or_dropped,
	                                                  a_sink_moves_when_nothing_waits_for_it,
	                                                  effects_wait_in_order_until_they_are_delivered,
	                                                  what_was_delivered_may_be_kept_for_a_while,
	                                                  what_was_forgotten_is_not_forgotten_again,
		damaged_effects_are_refused,
	                                                  a_chain_that_is_broken_is_told,
	                                                  a_sink_is_taken_as_it_is,
	                                                  a_reader_sees_the_epoch_that_it_was_opened_at,
	                                                  readers_see_whole_epochs_beside_a_restless_owner,
	                                                  a_reader_waits_for_the_rows_of_changes_that_are_gone,
	                                                  an_open_that_fails_hands_nothing_out, a_copy_holds_everything_and_overwrites_nothing,
	                                                  rows_of_every_kind_are_shown,
	                                                  NULL });
}
