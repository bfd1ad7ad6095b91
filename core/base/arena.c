/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An arena is a list of chunks and lives at the start of its first one. Chunks come in four sizes, and go back to a pool that all
 * threads share: batches are mostly freed by another thread than the one that made them, so lists of each thread's own would
 * fill up at one end and run dry at the other. In a steady state nothing is asked of malloc, and pages stay warm.
 *
 * The pool's lock is taken once a chunk, not once an allocation. What does not fit a chunk has a malloc of its own.
 */
#include "config.h"

#include "base/arena.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"

#if defined(__SANITIZE_ADDRESS__) && !defined(LEAT_ARENA_EMULATOR)
#define LEAT_ARENA_EMULATOR 1
#endif

enum { ARENA_MAGIC = 0x6172656e /* "aren" */ };

struct kept {
	struct kept *next;
	struct leat_arena *arena;
};

struct adopted {
	struct adopted *next;
	void *memory;
};

struct leat_arena {
	uint32_t magic;
	uint32_t n_chunks;
	char *at; /* free bytes of the newest chunk: at..end */
	char *end;
	struct chunk *chunks;
	atomic_size_t bytes;
	struct kept *kept;
	struct adopted *adopted;
	leat_arena_released *released;
	void *opaque;
	alignas(64) atomic_size_t references; /* changed by other threads: on a cache line of its own */
};

static void add_bytes(struct leat_arena *arena, size_t n)
{
	/* Only the writer adds, so this needs no atomic addition. */
	atomic_store_explicit(&arena->bytes, atomic_load_explicit(&arena->bytes, memory_order_relaxed) + n, memory_order_relaxed);
}

#ifdef LEAT_ARENA_EMULATOR

struct chunk {
	struct chunk *next;
	void *bytes;
};

static struct leat_arena *open_arena(void)
{
	void *p = NULL;

	leat_check(posix_memalign(&p, alignof(struct leat_arena), sizeof(struct leat_arena)) == 0);
	memset(p, 0, sizeof(struct leat_arena));
	return p;
}

static void close_arena(struct leat_arena *arena)
{
	while (arena->chunks != NULL) {
		struct chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		free(chunk->bytes);
		free(chunk);
	}
	arena->magic = 0;
	free(arena);
}

void *leat_arena_allocate(struct leat_arena *arena, size_t n)
{
	struct chunk *chunk = leat_allocate_bytes(sizeof *chunk);

	chunk->bytes = leat_allocate_bytes(n);
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	add_bytes(arena, n);
	return chunk->bytes;
}

char *leat_arena_text(struct leat_arena *arena, const char *s, size_t n)
{
	char *copy = leat_arena_allocate(arena, n);

	if (n > 0)
		memcpy(copy, s, n);
	return copy;
}

#else

enum { ALIGNMENT = alignof(max_align_t) };
/* Small batches are common where traffic is thin: the first chunk is small, the fourth and later ones are not. */
enum { N_CLASSES = 4, CLASS_UNPOOLED = N_CLASSES, SMALLEST = 8 * 1024, LARGEST = SMALLEST << (N_CLASSES - 1) };
/* What the pool may hold of each size, in bytes. */
enum { POOL_BYTES = 8 * 1024 * 1024 };

struct chunk {
	struct chunk *next;
	size_t class;
};

static struct {
	pthread_mutex_t lock;
	struct chunk *chunks;
	size_t n;
} pool[N_CLASSES] = {
	{.lock = PTHREAD_MUTEX_INITIALIZER},
	{.lock = PTHREAD_MUTEX_INITIALIZER},
	{.lock = PTHREAD_MUTEX_INITIALIZER},
	{.lock = PTHREAD_MUTEX_INITIALIZER},
};

static size_t aligned(size_t n)
{
	return (n + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static size_t class_bytes(size_t class)
{
	return (size_t)SMALLEST << class;
}

static struct chunk *take_chunk(size_t class)
{
	struct chunk *chunk;
	void *p = NULL;

	pthread_mutex_lock(&pool[class].lock);
	chunk = pool[class].chunks;
	if (chunk != NULL) {
		pool[class].chunks = chunk->next;
		pool[class].n--;
	}
	pthread_mutex_unlock(&pool[class].lock);
	if (chunk != NULL)
		return chunk;
	leat_check(posix_memalign(&p, 64, class_bytes(class)) == 0);
	chunk = p;
	chunk->class = class;
	return chunk;
}

static void give_chunk(struct chunk *chunk)
{
	size_t class = chunk->class;

	if (class != CLASS_UNPOOLED) {
		pthread_mutex_lock(&pool[class].lock);
		if (pool[class].n < POOL_BYTES / class_bytes(class)) {
			chunk->next = pool[class].chunks;
			pool[class].chunks = chunk;
			pool[class].n++;
			chunk = NULL;
		}
		pthread_mutex_unlock(&pool[class].lock);
	}
	free(chunk);
}

static struct leat_arena *open_arena(void)
{
	struct chunk *chunk = take_chunk(0);
	/* The arena wants a cache line's alignment, which the chunk has. */
	struct leat_arena *arena = (struct leat_arena *)(void *)((char *)chunk + alignof(struct leat_arena));

	memset(arena, 0, sizeof *arena);
	chunk->next = NULL;
	arena->chunks = chunk;
	arena->n_chunks = 1;
	arena->at = (char *)(arena + 1);
	arena->end = (char *)chunk + class_bytes(0);
	add_bytes(arena, class_bytes(0));
	return arena;
}

static void close_arena(struct leat_arena *arena)
{
	struct chunk *chunk = arena->chunks;

	arena->magic = 0;
	/* The arena itself goes with the oldest chunk, the last of the list. */
	while (chunk != NULL) {
		struct chunk *next = chunk->next;

		give_chunk(chunk);
		chunk = next;
	}
}

static void link_chunk(struct leat_arena *arena, struct chunk *chunk, size_t bytes)
{
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->n_chunks++;
	add_bytes(arena, bytes);
}

/* A chunk of its own; the one in use stays in use. */
static void *allocate_large(struct leat_arena *arena, size_t n)
{
	size_t header = aligned(sizeof(struct chunk));
	struct chunk *chunk;

	leat_check(n <= SIZE_MAX - header);
	chunk = leat_allocate_bytes(header + n);
	chunk->class = CLASS_UNPOOLED;
	link_chunk(arena, chunk, header + n);
	return (char *)chunk + header;
}

/* The slow path: `n` bytes do not fit the chunk in use. */
static __attribute__((noinline)) void *allocate_from_new(struct leat_arena *arena, size_t n)
{
	size_t class = arena->n_chunks < N_CLASSES ? arena->n_chunks : N_CLASSES - 1;
	size_t header = aligned(sizeof(struct chunk));
	struct chunk *chunk;
	char *p;

	if (n > LARGEST / 4)
		return allocate_large(arena, n);
	while (class_bytes(class) - header < n)
		class++;
	chunk = take_chunk(class);
	link_chunk(arena, chunk, class_bytes(class));
	p = (char *)chunk + header;
	arena->at = p + n;
	arena->end = (char *)chunk + class_bytes(class);
	return p;
}

void *leat_arena_allocate(struct leat_arena *arena, size_t n)
{
	char *p = (char *)(((uintptr_t)arena->at + ALIGNMENT - 1) & ~(uintptr_t)(ALIGNMENT - 1));

	if (__builtin_expect(p > arena->end || n > (size_t)(arena->end - p), 0))
		return allocate_from_new(arena, n);
	arena->at = p + n;
	return p;
}

char *leat_arena_text(struct leat_arena *arena, const char *s, size_t n)
{
	char *copy = arena->at;

	if (__builtin_expect(n > (size_t)(arena->end - copy), 0))
		copy = allocate_from_new(arena, n);
	else
		arena->at = copy + n;
	if (n > 0)
		memcpy(copy, s, n);
	return copy;
}

#endif

struct leat_arena *leat_arena_create(void)
{
	struct leat_arena *arena = open_arena();

	arena->magic = ARENA_MAGIC;
	atomic_init(&arena->references, 1);
	return arena;
}

struct leat_arena *leat_arena_ref(struct leat_arena *arena)
{
	leat_check(arena->magic == ARENA_MAGIC);
	(void)atomic_fetch_add_explicit(&arena->references, 1, memory_order_relaxed);
	return arena;
}

void leat_arena_unref(struct leat_arena *arena)
{
	const struct adopted *adopted;
	struct kept *kept;

	if (arena == NULL)
		return;
	leat_check(arena->magic == ARENA_MAGIC);
	if (atomic_fetch_sub_explicit(&arena->references, 1, memory_order_acq_rel) != 1)
		return;
	if (arena->released != NULL)
		arena->released(arena->opaque, leat_arena_bytes(arena));
	for (kept = arena->kept; kept != NULL; kept = kept->next)
		leat_arena_unref(kept->arena);
	for (adopted = arena->adopted; adopted != NULL; adopted = adopted->next)
		free(adopted->memory);
	close_arena(arena);
}

void leat_arena_keep(struct leat_arena *arena, struct leat_arena *other)
{
	struct kept *kept;

	leat_check(arena != other);
	/* Whoever gathers records one by one mostly asks for the same arena again. */
	if (arena->kept != NULL && arena->kept->arena == other)
		return;
	kept = leat_arena_allocate(arena, sizeof *kept);
	kept->arena = leat_arena_ref(other);
	kept->next = arena->kept;
	arena->kept = kept;
}

void leat_arena_adopt(struct leat_arena *arena, void *memory, size_t bytes)
{
	struct adopted *adopted = leat_arena_allocate(arena, sizeof *adopted);

	adopted->memory = memory;
	adopted->next = arena->adopted;
	arena->adopted = adopted;
	add_bytes(arena, bytes);
}

void leat_arena_on_release(struct leat_arena *arena, leat_arena_released *released, void *opaque)
{
	leat_check(arena->released == NULL);
	arena->released = released;
	arena->opaque = opaque;
}

size_t leat_arena_bytes(const struct leat_arena *arena)
{
	return atomic_load_explicit(&arena->bytes, memory_order_relaxed);
}
