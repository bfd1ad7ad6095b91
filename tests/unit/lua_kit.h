/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_TESTS_LUA_KIT_H
#define LEAT_TESTS_LUA_KIT_H

#include <leat/plugin.h>

#include "data/json.h"
#include "state/tables.h"
#include "state/timers.h"

/*
 * A script on the real plugin, real tables and real JSON, with the little of a host that it needs: what is emitted is kept
 * as JSON, the clock and the key of a record are the test's, and a rejected event is undone as the runtime does it.
 */

enum { KIT_EMISSIONS = 64 };

struct kit_emission {
	uint32_t port;
	char *json;
};

struct kit {
	struct leat_context context; /* first */
	struct leat_symbols *symbols;
	struct leat_json *json;
	struct leat_tables *tables;
	struct leat_timers *timers;
	struct leat_arena *arena;
	void *self;
	struct leat_error err;
	uint32_t worker;
	int64_t now_us;
	uint64_t random;
	struct leat_value key;
	struct kit_emission emission[KIT_EMISSIONS];
	size_t n_emissions;
	size_t n_taken;
	size_t n_puts;
	char logged[1024];
	size_t n_logged;
	char path[64];
};

/* What the options of a kit are when a test says nothing. */
struct kit_options {
	int64_t instructions; /* 0: 1000000 */
	int64_t memory;       /* 0: 16 MiB */
	struct leat_pairs settings;
	uint32_t worker;
	const char *pipeline; /* NULL: one of its own */
};

/* The script as score.lua in a folder of its own. Ends the test when it is refused. */
struct kit *kit_open(const char *script);
struct kit *kit_open_with(const char *script, size_t n, const struct kit_options *options);
/* Of a script that has to be refused; freed by kit_close(). */
struct kit *kit_refused(const char *script);
/* Of a script that may be refused; then err.status says so. */
struct kit *kit_try(const char *script);
void kit_close(struct kit *kit);

void kit_key(struct kit *kit, const char *key);
enum leat_status kit_push(struct kit *kit, const char *json);
/* The next emission from that port ("out" is 0), NULL when there is none, or when the next one is of another port. */
const char *kit_pull(struct kit *kit, uint32_t port);
/* What is stored for the key, as JSON; "null" when there is nothing. Good until the next call. */
const char *kit_state(struct kit *kit);
void kit_fire(struct kit *kit, int64_t now_us);

#endif
