/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_BASE_ARENA_H
#define LEAT_BASE_ARENA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Arenas: the memory of a batch. Allocation moves a pointer; everything goes at once when the last reference does.
 *
 * One thread at a time allocates from an arena (its writer); others may read what it published to them, and reference
 * counts may change from any thread. An arena can keep others alive: a batch that was gathered from several keeps theirs.
 * With --enable-developer each allocation is a malloc of its own, so that the address sanitizer sees inside.
 */

struct leat_arena;

/* Called once, by the thread that gave back the last reference, before the memory goes. Must not touch the arena. */
typedef void leat_arena_released(void *opaque, size_t bytes);

/* One reference, held by the caller. */
struct leat_arena *leat_arena_create(void);
struct leat_arena *leat_arena_ref(struct leat_arena *arena);
void leat_arena_unref(struct leat_arena *arena); /* accepts NULL */

/* Aligned for anything, not zeroed, never NULL (memory that runs out ends the process). n may be 0. */
void *leat_arena_allocate(struct leat_arena *arena, size_t n);
/* Unaligned: for text. */
char *leat_arena_text(struct leat_arena *arena, const char *s, size_t n);

/* What malloc gave: it is freed when the arena goes. */
void leat_arena_adopt(struct leat_arena *arena, void *memory, size_t bytes);
/* Takes a reference on `other` that is given back when `arena` goes. */
void leat_arena_keep(struct leat_arena *arena, struct leat_arena *other);
/* One callback at most. */
void leat_arena_on_release(struct leat_arena *arena, leat_arena_released *released, void *opaque);
/* Bytes taken from malloc so far; exact for the writer, a snapshot for others. */
size_t leat_arena_bytes(const struct leat_arena *arena);

#ifdef __cplusplus
}
#endif

#endif
