/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_STATE_LETTERS_H
#define LEAT_STATE_LETTERS_H

#include <leat/error.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The queue of dead letters in a store: numbered from 1 in the order in which they were put, no number twice. They come and go
 * with epochs, as everything does (store.h), so a letter is there with the epoch that made it and gone with the one that dealt
 * with it. The store knows of a letter its node and its bytes, which letter.h makes.
 *
 * How many there are of each node is kept beside them. Counts include what the next commit will make durable.
 */

struct leat_store;

struct leat_letter_row {
	uint64_t number, epoch;
	const char *node; /* node_n bytes */
	size_t node_n;
	const char *bytes;
	size_t n;
};

struct leat_letter_count {
	uint64_t n, bytes;
};

/* ---- with the next epoch; as leat_store_put_*() ----------------------------------------------------------------------- */

/* Returns its number. */
uint64_t leat_store_put_letter(struct leat_store *store, uint64_t epoch, const char *node, const char *bytes, size_t n);
/* LEAT_AGAIN: there is none of that number. */
enum leat_status leat_store_erase_letter(struct leat_store *store, uint64_t number, struct leat_error *err);
/* Erases the oldest durable ones until all have `limit` bytes at most. */
enum leat_status leat_store_trim_letters(struct leat_store *store, uint64_t limit, uint64_t *n_erased, struct leat_error *err);

/* ---- reading ---------------------------------------------------------------------------------------------------------- */

/* Of a node; NULL: of all. */
struct leat_letter_count leat_store_letters(const struct leat_store *store, const char *node);
/* The number of the last one that was ever put; 0: none was. */
uint64_t leat_store_last_letter(const struct leat_store *store);
/* Durable ones from a number on, in order. What is handed over is good until `take` returns, which says false to stop. From
 * any thread. */
enum leat_status leat_store_scan_letters(const struct leat_store *store, uint64_t from,
                                         bool (*take)(void *opaque, const struct leat_letter_row *row), void *opaque,
                                         struct leat_error *err);

#endif
