/* SPDX-License-Identifier: Apache-2.0 */
#include "kit/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/json.h"
#include "data/pack.h"
#include "kit/plain.h"

/* ---- rows ----------------------------------------------------------------------------------------------------------- */

/* What JSON cannot say, such as NaN, as the bytes that it has at rest. */
static void put_value(const struct leat_value *value, struct leat_buffer *out)
{
	struct leat_buffer packed = { .n = 0 };
	struct leat_error err;

	if (leat_json_encode(value, out, &err) == LEAT_OK)
		return;
	leat_pack_value(value, &packed);
	leat_buffer_text(out, "packed ");
	for (size_t i = 0; i < packed.n; i++)
		leat_plain_put(out, "%02x", (unsigned char)packed.data[i]);
	leat_buffer_finish(&packed);
}

/* Of a dead letter what the plugin has said and what it is about; not when, which of timers is the machine's clock. */
static void put_letter(const struct leat_value *letter, struct leat_buffer *out)
{
	static const char *const names[] = { "reason", "where", "payload" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const struct leat_value *member = leat_map_find(letter, names[i], strlen(names[i]));

		if (member != NULL) {
			leat_plain_put(out, "%s%s ", i == 0 ? "" : " ", names[i]);
			put_value(member, out);
		}
	}
}

static char *take_text(struct leat_buffer *buffer)
{
	char *text = leat_copy_bytes_as_text(buffer->data == NULL ? "" : buffer->data, buffer->n);

	leat_buffer_finish(buffer);
	return text;
}

void leat_outcome_add(struct leat_outcome *outcome, const struct leat_solo *solo, uint32_t port, const struct leat_record *record)
{
	bool is_dead = port == solo->node->n_ports;
	struct leat_buffer key = { .n = 0 }, text = { .n = 0 };
	struct leat_row *row;

	outcome->row = leat_grow(outcome->row, outcome->n, &outcome->capacity, sizeof *outcome->row);
	row = &outcome->row[outcome->n++];
	row->port = leat_copy_text(is_dead ? "dead" : solo->node->ports[port]);
	put_value(&record->key, &key);
	row->key = take_text(&key);
	leat_plain_put(&text, "%s: ", row->port);
	if (is_dead)
		put_letter(&record->value, &text);
	else
		put_value(&record->value, &text);
	if (strcmp(row->key, "null") != 0)
		leat_plain_put(&text, ", key %s", row->key);
	if (record->time_us != LEAT_NO_TIME && !is_dead)
		leat_plain_put(&text, ", time %lld", (long long)record->time_us);
	row->text = take_text(&text);
}

void leat_outcome_finish(struct leat_outcome *outcome)
{
	for (size_t i = 0; i < outcome->n; i++) {
		free(outcome->row[i].port);
		free(outcome->row[i].key);
		free(outcome->row[i].text);
	}
	free(outcome->row);
	free(outcome->state);
	free(outcome->is_rejected);
	*outcome = (struct leat_outcome){ .n = 0 };
}

/* ---- differences ---------------------------------------------------------------------------------------------------- */

struct sorted {
	const struct leat_row *row;
	size_t at;
};

static int compare_by_key(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int order = strcmp(a->row->key, b->row->key);

	if (order == 0)
		order = strcmp(a->row->port, b->row->port);
	if (order == 0 && strcmp(a->row->key, "null") == 0)
		order = strcmp(a->row->text, b->row->text);
	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static int compare_by_port(const void *x, const void *y)
{
	const struct sorted *a = x, *b = y;
	int order = strcmp(a->row->port, b->row->port);

	return order != 0 ? order : (a->at > b->at) - (a->at < b->at);
}

static struct sorted *sort(const struct leat_outcome *outcome, enum leat_outcome_order order, size_t *n)
{
	struct sorted *sorted = leat_allocate_zeroed(outcome->n + 1, sizeof *sorted);

	*n = 0;
	for (size_t i = 0; i < outcome->n; i++)
		if (order != LEAT_ORDER_ALIVE || strcmp(outcome->row[i].port, "dead") != 0)
			sorted[(*n)++] = (struct sorted){ .row = &outcome->row[i], .at = i };
	qsort(sorted, *n, sizeof *sorted, order == LEAT_ORDER_BY_KEY ? compare_by_key : compare_by_port);
	return sorted;
}

static char *compare_rows(const struct leat_outcome *expected, const struct leat_outcome *got, enum leat_outcome_order order)
{
	size_t n, got_n, i = 0;
	struct sorted *a = sort(expected, order, &n), *b = sort(got, order, &got_n);
	char *text = NULL;

	while (i < n && i < got_n && strcmp(a[i].row->text, b[i].row->text) == 0)
		i++;
	if (i < n || i < got_n)
		text = leat_format_text("row %zu of %zu\n    expected  %s\n    got       %s", (i < n ? a[i].at : b[i].at) + 1, expected->n,
		                        i < n ? a[i].row->text : "nothing", i < got_n ? b[i].row->text : "nothing");
	free(a);
	free(b);
	return text;
}

static int compare_lines(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What stands under no key is the shard's own. */
static bool is_of_shard(const char *line)
{
	const char *key = strstr(line, "\"key\":");

	return key != NULL && strncmp(key, "\"key\":null,", strlen("\"key\":null,")) == 0;
}

/* Cut up where they stand. */
static char **cut_lines(char *text, enum leat_outcome_order order, size_t *n)
{
	size_t capacity = 0;
	char **line = NULL;

	*n = 0;
	for (char *p = strtok(text, "\n"); p != NULL; p = strtok(NULL, "\n")) {
		if (order == LEAT_ORDER_BY_KEY && is_of_shard(p))
			continue;
		line = leat_grow(line, *n, &capacity, sizeof *line);
		line[(*n)++] = p;
	}
	return line;
}

static char *compare_states(const char *expected, const char *got, enum leat_outcome_order order)
{
	char *a_text = leat_copy_text(expected), *b_text = leat_copy_text(got), *text = NULL;
	size_t a_n, b_n, i = 0;
	char **a = cut_lines(a_text, order, &a_n), **b = cut_lines(b_text, order, &b_n);

	if (order == LEAT_ORDER_BY_KEY && a_n > 0)
		qsort(a, a_n, sizeof *a, compare_lines);
	if (order == LEAT_ORDER_BY_KEY && b_n > 0)
		qsort(b, b_n, sizeof *b, compare_lines);
	while (i < a_n && i < b_n && strcmp(a[i], b[i]) == 0)
		i++;
	if (i < a_n || i < b_n)
		text = leat_format_text("state, row %zu of %zu\n    expected  %s\n    got       %s", i + 1, a_n, i < a_n ? a[i] : "nothing",
		                        i < b_n ? b[i] : "nothing");
	free(a);
	free(b);
	free(a_text);
	free(b_text);
	return text;
}

char *leat_outcome_compare(const struct leat_outcome *expected, const struct leat_outcome *got, enum leat_outcome_order order)
{
	char *text;

	if (got->status != expected->status)
		return leat_format_text("%s", got->status == LEAT_OK ? "it did not fail as before" : got->err.text);
	text = compare_rows(expected, got, order);
	return text != NULL ? text : compare_states(expected->state, got->state, order);
}
