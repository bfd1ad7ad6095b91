/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table of chains with a list through all entries in the order of their last use. Entries expire a fixed time after
 * they were put, so order of use is not order of expiry, and trim() looks at every entry, but at most once a second.
 */
#include "cache.h"

/* FNV-1a with a last stir: keys come from messages, but an attacker gains a longer chain at most within `entries_limit`. */
static uint64_t hash_bytes(const char *s, size_t n)
{
	uint64_t h = 14695981039346656037u;

	while (n-- > 0)
		h = (h ^ (unsigned char)*s++) * 1099511628211u;
	return h ^ (h >> 32);
}

static size_t entry_size(const struct cache_entry *entry)
{
	return sizeof *entry + entry->key_n + entry->n;
}

static void unlink_use(struct cache *cache, struct cache_entry *entry)
{
	*(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
	*(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
}

static void link_newest(struct cache *cache, struct cache_entry *entry)
{
	entry->newer = NULL;
	entry->older = cache->newest;
	*(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
	cache->newest = entry;
}

static void drop(struct cache *cache, struct cache_entry *entry)
{
	struct cache_entry **at = &cache->bucket[entry->hash & (cache->n_buckets - 1)];

	while (*at != entry)
		at = &(*at)->next;
	*at = entry->next;
	unlink_use(cache, entry);
	cache->n--;
	cache->bytes -= entry_size(entry);
	free(entry);
}

void cache_clear(struct cache *cache)
{
	while (cache->oldest != NULL)
		drop(cache, cache->oldest);
}

void cache_finish(struct cache *cache)
{
	cache_clear(cache);
	free(cache->bucket);
	memset(cache, 0, sizeof *cache);
}

static struct cache_entry *find(const struct cache *cache, const char *key, size_t key_n, uint64_t hash)
{
	struct cache_entry *entry = cache->n_buckets > 0 ? cache->bucket[hash & (cache->n_buckets - 1)] : NULL;

	for (; entry != NULL; entry = entry->next)
		if (entry->hash == hash && entry->key_n == key_n && memcmp(entry->bytes, key, key_n) == 0)
			return entry;
	return NULL;
}

void cache_trim(struct cache *cache, int64_t now_us)
{
	struct cache_entry *entry, *newer;

	while (cache->n > (size_t)cache->entries_limit || cache->bytes > (size_t)cache->bytes_limit)
		drop(cache, cache->oldest);
	if (now_us >= cache->swept_us && now_us - cache->swept_us < 1000000)
		return;
	cache->swept_us = now_us;
	for (entry = cache->oldest; entry != NULL; entry = newer) {
		newer = entry->newer;
		if (entry->expires_us <= now_us)
			drop(cache, entry);
	}
}

const struct cache_entry *cache_find(struct cache *cache, const char *key, size_t key_n)
{
	struct cache_entry *entry = find(cache, key, key_n, hash_bytes(key, key_n));

	if (entry != NULL) {
		unlink_use(cache, entry);
		link_newest(cache, entry);
	}
	return entry;
}

void cache_forget(struct cache *cache, const char *key, size_t key_n)
{
	struct cache_entry *entry = find(cache, key, key_n, hash_bytes(key, key_n));

	if (entry != NULL)
		drop(cache, entry);
}

static void grow(struct cache *cache)
{
	size_t n_buckets = cache->n_buckets == 0 ? 64 : cache->n_buckets * 2;
	struct cache_entry **bucket = (struct cache_entry **)calloc(n_buckets, sizeof *bucket);
	struct cache_entry *entry;

	if (bucket == NULL)
		leat_run_out();
	for (entry = cache->oldest; entry != NULL; entry = entry->newer) {
		entry->next = bucket[entry->hash & (n_buckets - 1)];
		bucket[entry->hash & (n_buckets - 1)] = entry;
	}
	free(cache->bucket);
	cache->bucket = bucket;
	cache->n_buckets = n_buckets;
}

void cache_put(struct cache *cache, const char *key, size_t key_n, enum cache_answer answer, const char *bytes, size_t n,
               int64_t now_us)
{
	uint64_t hash = hash_bytes(key, key_n);
	struct cache_entry *entry = find(cache, key, key_n, hash);

	if (entry != NULL)
		drop(cache, entry);
	if (cache->n >= cache->n_buckets)
		grow(cache);
	entry = (struct cache_entry *)malloc(sizeof *entry + key_n + n);
	if (entry == NULL)
		leat_run_out();
	*entry = (struct cache_entry){ .hash = hash, .expires_us = now_us + cache->ttl_us, .answer = answer,
	                               .key_n = (uint32_t)key_n, .n = (uint32_t)n };
	memcpy(entry->bytes, key, key_n);
	if (n > 0)
		memcpy(entry->bytes + key_n, bytes, n);
	entry->next = cache->bucket[hash & (cache->n_buckets - 1)];
	cache->bucket[hash & (cache->n_buckets - 1)] = entry;
	link_newest(cache, entry);
	cache->n++;
	cache->bytes += entry_size(entry);
}
