/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead letters: what could not be processed, with everything that someone needs to understand it and to replay it:
 * {pipeline, node, input?, reason, where?, detail?, source?, partition?, offset?, time, payload}.
 */
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "run/letters.h"

enum { MEMBERS = 11, LOGGED_PER_SECOND = 5 };

static void add(struct leat_member *member, size_t *n, const char *name, struct leat_value value)
{
	member[*n].name = name;
	member[*n].name_n = (uint32_t)strlen(name);
	member[(*n)++].value = value;
}

static struct leat_value copy(struct leat_arena *arena, const char *text)
{
	size_t n = strlen(text);

	return leat_borrow(leat_arena_text(arena, text, n), n);
}

struct leat_value leat_dead_letter(const struct leat_instance *instance, const struct leat_record *record, const struct leat_value *payload,
                                   const struct leat_error *err)
{
	const struct leat_description *d = instance->description;
	const struct leat_node *node = instance->node;
	struct leat_arena *arena = instance->arena;
	struct leat_member member[MEMBERS];
	size_t n = 0;

	memset(member, 0, sizeof member);
	add(member, &n, "pipeline", leat_borrow(d->name, strlen(d->name)));
	add(member, &n, "node", leat_borrow(node->name, strlen(node->name)));
	if (record != NULL && node->n_named > 0) {
		const char *input = node->plugin->op->inputs[instance->input];

		add(member, &n, "input", leat_borrow(input, strlen(input)));
	}
	add(member, &n, "reason", copy(arena, err->text));
	if (err->where[0] != '\0')
		add(member, &n, "where", copy(arena, err->where));
	if (err->detail[0] != '\0')
		add(member, &n, "detail", copy(arena, err->detail));
	if (record != NULL && record->origin.source < d->n_nodes) {
		const char *source = d->node[record->origin.source].name;

		add(member, &n, "source", leat_borrow(source, strlen(source)));
		add(member, &n, "partition", leat_integer(record->origin.partition));
		add(member, &n, "offset", leat_integer(record->origin.offset));
	}
	add(member, &n, "time", leat_time(record != NULL ? record->arrival_us : leat_clock_now_us()));
	if (payload != NULL)
		add(member, &n, "payload", *payload);
	return leat_value_map_with(arena, d->symbols, NULL, member, n);
}

void leat_dead_log_finish(struct leat_dead_log *log, const char *pipeline, const struct leat_node *node)
{
	uint64_t n = atomic_exchange(&log->n, 0);

	if (n > LOGGED_PER_SECOND)
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": %s \"%s\": %llu more dead letters", pipeline, leat_role_name(node->role),
		              node->name, (unsigned long long)(n - LOGGED_PER_SECOND));
}

/* A flood of bad events must not become a flood of log lines: a few each second, then their number. */
static void log_reason(struct leat_instance *instance, const struct leat_error *err)
{
	struct leat_dead_log *log = instance->dead_log;
	int64_t second = leat_clock_monotonic_us() / 1000000, last = atomic_load(&log->second);
	const char *where = err->where[0] != '\0' ? err->where : NULL;

	if (second > last && atomic_compare_exchange_strong(&log->second, &last, second))
		leat_dead_log_finish(log, instance->description->name, instance->node);
	if (atomic_fetch_add(&log->n, 1) < LOGGED_PER_SECOND)
		leat_log_line(LEAT_WARNING, "pipeline \"%s\": %s \"%s\": dead letter: %s%s%s", instance->description->name,
		              leat_role_name(instance->node->role), instance->node->name, where == NULL ? "" : where,
		              where == NULL ? "" : ": ", err->text);
}

void leat_instance_bury(struct leat_instance *instance, const struct leat_record *record, const struct leat_value *payload,
                        const struct leat_error *err)
{
	uint32_t dead = instance->n_out - 1;
	struct leat_record letter = { .time_us = LEAT_NO_TIME, .arrival_us = instance->now_us };

	leat_counter_add(&instance->counters.dead_letters, 1);
	log_reason(instance, err);
	if (!instance->out[dead].is_wired) {
		if (instance->letters != NULL)
			leat_letters_add(instance->letters, instance, record, payload, err);
		return;
	}
	if (record != NULL)
		letter = *record;
	else
		letter.origin.source = LEAT_NO_SOURCE;
	letter.value = leat_dead_letter(instance, record, payload, err);
	leat_instance_emit(instance, dead, &letter);
}
