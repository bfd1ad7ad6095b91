/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_RUN_WISH_H
#define LEAT_RUN_WISH_H

#include <leat/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What an operator wants done with dead letters, as a file in the state folder, `N.wish`: who owns the store takes it, or the
 * next one who does. It is there as a whole or not at all, and it stays until an epoch is durable that has the last of it. So
 * it may be taken more than once, and nothing in it may mind that: it names letters by their numbers, which are never given
 * twice, and a letter that is gone is passed over.
 */

enum leat_wish_kind { LEAT_WISH_REPLAY, LEAT_WISH_DROP };

struct leat_wish_range {
	uint64_t from, until; /* both are in it */
};

struct leat_wish {
	enum leat_wish_kind kind;
	char *path;
	struct leat_wish_range *range;
	size_t n, capacity;
};

/* Behind the last; numbers are added in their order. */
void leat_wish_add(struct leat_wish *wish, uint64_t number);
bool leat_wish_has(const struct leat_wish *wish, uint64_t number);
/* Into the folder, synced; sets its path. */
enum leat_status leat_wish_write(struct leat_wish *wish, const char *folder, struct leat_error *err);
/* The oldest in the folder. LEAT_AGAIN: there is none. LEAT_REJECT: it is not understood; *out has its path. */
enum leat_status leat_wish_read(const char *folder, struct leat_wish *out, struct leat_error *err);
/* All of the folder, oldest first, without those that are not understood; to be finished and freed. */
struct leat_wish *leat_wish_list(const char *folder, size_t *n);
void leat_wish_finish(struct leat_wish *wish);

#endif
