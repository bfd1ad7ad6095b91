/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "unit/unit.h"

struct notes {
	int n_calls;
	size_t bytes;
};

static void note(void *opaque, size_t bytes)
{
	struct notes *notes = opaque;

	notes->n_calls++;
	notes->bytes = bytes;
}

START_TEST(allocations_are_aligned_and_do_not_overlap)
{
	static unsigned char *at[3000];
	static size_t size[3000];
	struct leat_arena *arena = leat_arena_create();
	size_t i, j;

	for (i = 0; i < 3000; i++) {
		size[i] = i % 97 == 0 ? i * 11 : i % 61;
		at[i] = i % 5 == 0 ? (unsigned char *)leat_arena_text(arena, "", 0) : leat_arena_allocate(arena, size[i]);
		if (i % 5 == 0)
			size[i] = 0;
		else
			ck_assert_uint_eq((uintptr_t)at[i] % _Alignof(max_align_t), 0);
		ck_assert_ptr_nonnull(at[i]);
		memset(at[i], (int)(i & 0xff), size[i]);
	}
	for (i = 0; i < 3000; i++)
		for (j = 0; j < size[i]; j++)
			ck_assert_uint_eq(at[i][j], i & 0xff);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(an_allocation_larger_than_any_chunk_is_fine_and_so_are_those_after_it)
{
	struct leat_arena *arena = leat_arena_create();
	char *before = leat_arena_text(arena, "before", 6);
	char *large = leat_arena_allocate(arena, 5 * 1000 * 1000);
	char *after = leat_arena_text(arena, "after", 5);

	memset(large, 1, 5 * 1000 * 1000);
	ck_assert_mem_eq(before, "before", 6);
	ck_assert_mem_eq(after, "after", 5);
	ck_assert_uint_ge(leat_arena_bytes(arena), 5 * 1000 * 1000);
	leat_arena_unref(arena);
}
END_TEST

START_TEST(texts_pack_and_fill_chunks_to_the_last_byte)
{
	struct leat_arena *arena = leat_arena_create();
	char *text[5000];
	char bytes[100];
	size_t i;

	for (i = 0; i < 5000; i++) {
		memset(bytes, (int)(i & 0x7f), sizeof bytes);
		text[i] = leat_arena_text(arena, bytes, i % 100);
	}
	for (i = 0; i < 5000; i++) {
		memset(bytes, (int)(i & 0x7f), sizeof bytes);
		ck_assert(memcmp(text[i], bytes, i % 100) == 0);
	}
	leat_arena_unref(arena);
}
END_TEST

START_TEST(the_last_reference_releases_once_and_tells_the_bytes)
{
	struct notes notes = {0};
	struct leat_arena *arena = leat_arena_create();
	size_t bytes;

	leat_arena_on_release(arena, note, &notes);
	(void)leat_arena_allocate(arena, 100000);
	bytes = leat_arena_bytes(arena);
	ck_assert_ptr_eq(leat_arena_ref(arena), arena);
	leat_arena_unref(arena);
	ck_assert_int_eq(notes.n_calls, 0);
	leat_arena_unref(arena);
	ck_assert_int_eq(notes.n_calls, 1);
	ck_assert_uint_eq(notes.bytes, bytes);
	leat_arena_unref(NULL);
}
END_TEST

START_TEST(what_an_arena_keeps_lives_as_long_as_it_does)
{
	struct notes notes = {0};
	struct leat_arena *outer = leat_arena_create(), *inner = leat_arena_create(), *other = leat_arena_create();

	leat_arena_on_release(inner, note, &notes);
	leat_arena_keep(outer, inner);
	leat_arena_keep(outer, inner);
	leat_arena_keep(outer, other);
	leat_arena_keep(outer, inner);
	leat_arena_unref(other);
	leat_arena_unref(inner);
	ck_assert_int_eq(notes.n_calls, 0);
	leat_arena_unref(outer);
	ck_assert_int_eq(notes.n_calls, 1);
}
END_TEST

static void *hand_back(void *opaque)
{
	struct leat_arena **arenas = opaque;
	size_t i;

	for (i = 0; i < 200; i++)
		leat_arena_unref(arenas[i]);
	return NULL;
}

START_TEST(arenas_are_shared_and_freed_by_other_threads)
{
	struct leat_arena *arenas[200];
	struct notes notes[200] = {{0}};
	pthread_t threads[4];
	size_t round, i, j;

	for (round = 0; round < 20; round++) {
		memset(notes, 0, sizeof notes);
		for (i = 0; i < 200; i++) {
			arenas[i] = leat_arena_create();
			leat_arena_on_release(arenas[i], note, &notes[i]);
			for (j = 0; j < i * 3; j++)
				memset(leat_arena_allocate(arenas[i], 500), 1, 500);
			for (j = 1; j < 4; j++)
				(void)leat_arena_ref(arenas[i]);
		}
		for (j = 0; j < 4; j++)
			ck_assert_int_eq(pthread_create(&threads[j], NULL, hand_back, arenas), 0);
		for (j = 0; j < 4; j++)
			ck_assert_int_eq(pthread_join(threads[j], NULL), 0);
		for (i = 0; i < 200; i++)
			ck_assert_int_eq(notes[i].n_calls, 1);
	}
}
END_TEST

int main(void)
{
	return leat_test_main("arena", (const TTest *[]){
		allocations_are_aligned_and_do_not_overlap,
		an_allocation_larger_than_any_chunk_is_fine_and_so_are_those_after_it,
		texts_pack_and_fill_chunks_to_the_last_byte,
		the_last_reference_releases_once_and_tells_the_bytes,
		what_an_arena_keeps_lives_as_long_as_it_does,
		arenas_are_shared_and_freed_by_other_threads,
		NULL,
	});
}
