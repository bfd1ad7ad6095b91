/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_PLUGINS_CACHE_H
#define LEAT_PLUGINS_CACHE_H

#include <leat/plugin.h>

/*
 * Answers of another system by the bytes of the question, the least recently used one going first. "Nothing found" is an
 * answer as well. Time is the host's, so that a replay sees the same.
 *
 * Entries stay where they are until cache_trim(), so a batch may bring more than the bounds allow: trim before each batch.
 */

enum cache_answer { CACHE_FOUND, CACHE_MISSING, CACHE_REFUSED, CACHE_PENDING /* being asked */ };

struct cache_entry {
	struct cache_entry *next; /* in its bucket */
	struct cache_entry *newer;
	struct cache_entry *older;
	uint64_t hash;
	int64_t expires_us;
	enum cache_answer answer;
	uint32_t key_n;
	uint32_t n;
	char bytes[]; /* key, then `n` bytes of the answer: what was found, or why it was refused */
};

struct cache {
	struct cache_entry **bucket;
	size_t n_buckets;
	size_t n;
	size_t bytes;
	int64_t swept_us;
	struct cache_entry *newest;
	struct cache_entry *oldest;
	int64_t entries_limit; /* what trim() leaves at most; 0: nothing is kept from batch to batch */
	int64_t bytes_limit;
	int64_t ttl_us;
};

void cache_finish(struct cache *cache);
/* Drops what is beyond the limits, and now and then what is expired. */
void cache_trim(struct cache *cache, int64_t now_us);
void cache_clear(struct cache *cache);
/* NULL when it is not there; one that is expired but still there is for the caller to tell. Counts as use. */
const struct cache_entry *cache_find(struct cache *cache, const char *key, size_t key_n);
/* In place of what may be there under that key. */
void cache_put(struct cache *cache, const char *key, size_t key_n, enum cache_answer answer, const char *bytes, size_t n,
               int64_t now_us);

/* Nothing happens when it is not there. */
void cache_forget(struct cache *cache, const char *key, size_t key_n);

static inline const char *cache_bytes(const struct cache_entry *entry)
{
	return entry->bytes + entry->key_n;
}

#endif
