/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "graph/description.h"
#include "unit/stand_in.h"

static struct leat_registry *registry;
static struct leat_report *report;
static struct leat_description *d;
static char path[64];

static char *findings(void)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	leat_report_print(report, out);
	(void)fclose(out);
	return text;
}

static void write_file(const char *yaml)
{
	FILE *out;
	int fd;

	(void)strcpy(path, "/tmp/leat_test_description_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	out = fdopen(fd, "w");
	(void)fputs(yaml, out);
	(void)fclose(out);
}

static void read_with(const char *yaml, const char *dead_letters, struct leat_registry *with)
{
	struct leat_description_options options = { .dead_letters = dead_letters };

	write_file(yaml);
	registry = with;
	report = leat_report_create();
	d = leat_description_read(registry, path, &options, report);
}

static void finish(void)
{
	leat_description_destroy(d);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
	(void)unlink(path);
	ck_assert_int_eq(stand_in_alive, 0);
}

/* The findings without the path in front of each. */
static void expect_findings(const char *expected)
{
	char *text = findings(), *from = text, *to = text;
	size_t n = strlen(path);

	while (*from != '\0') {
		if (strncmp(from, path, n) == 0)
			from += n + 1;
		else
			*to++ = *from++;
	}
	*to = '\0';
	ck_assert_str_eq(text, expected);
	free(text);
}

static void read_good(const char *yaml)
{
	read_with(yaml, NULL, stand_in_registry());
	expect_findings("");
	ck_assert_ptr_nonnull(d);
}

static const struct leat_node *node(const char *name)
{
	size_t i;

	for (i = 0; i < d->n_nodes; i++)
		if (strcmp(d->node[i].name, name) == 0)
			return &d->node[i];
	ck_abort_msg("no node %s", name);
}

#define HEAD "pipeline: payments\ndelivery: at-least-once\n"
#define SOURCE "sources:\n  payments: {type: kafka, brokers: b, topic: t}\n"

static const char whole[] =
	HEAD "epoch: {max: 5ms}\n"
	"sinks:\n"
	"  alerts: {type: kafka, input: scored.alerts, brokers: b, topic: alerts}\n"
	"  latest: {type: redis, input: scored, command: hset, key: \"user:{user}\"}\n"
	"  rejected: {type: file, input: [payments.dead, alerts.dead], path: rejected.jsonl}\n"
	"operators:\n"
	"  scored: {type: lua, input: unique, key: [user, card.number], script: score.lua, shards: 16}\n"
	"  unique: {type: dedup, input: [payments, played], key: id}\n"
	"  named: {type: map, input: scored}\n"
	"sources:\n"
	"  payments:\n"
	"    type: kafka\n"
	"    brokers: ${LEAT_T_UNSET:127.0.0.1:9092}\n"
	"    topic: payments\n"
	"    max_bytes: 64KiB\n"
	"    time: {field: at.ts, unit: ms, disorder: 5s, idle: 2s}\n"
	"  played: {type: generate, rate: 100}\n";

START_TEST(nodes_are_numbered_by_role_and_file_order)
{
	static const char *const names[] = { "payments", "played", "scored", "unique", "named", "alerts", "latest", "rejected" };
	size_t i;

	read_with(whole, NULL, stand_in_registry());
	expect_findings("11:3: warning: no one reads operator \"named\"\n");
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 8);
	for (i = 0; i < 8; i++) {
		ck_assert_str_eq(d->node[i].name, names[i]);
		ck_assert_uint_eq(d->node[i].index, i);
	}
	ck_assert_str_eq(d->name, "payments");
	ck_assert_str_eq(d->folder, "/tmp");
	ck_assert_int_eq(d->mode, LEAT_MODE_AT_LEAST_ONCE);
	ck_assert_int_eq(d->epoch_max_us, 5000);
	finish();
}
END_TEST

START_TEST(inputs_are_nodes_and_ports)
{
	const struct leat_node *n;

	read_with(whole, NULL, stand_in_registry());
	n = node("unique");
	ck_assert_uint_eq(n->n_inputs, 2);
	ck_assert_uint_eq(n->input[0].node, node("payments")->index);
	ck_assert_uint_eq(n->input[1].node, node("played")->index);
	ck_assert_uint_eq(n->input[1].port, 0);
	n = node("alerts");
	ck_assert_uint_eq(n->input[0].node, node("scored")->index);
	ck_assert_uint_eq(n->input[0].port, 1);
	n = node("rejected");
	ck_assert_uint_eq(n->input[0].port, LEAT_DEAD_PORT);
	ck_assert_uint_eq(n->input[1].node, node("alerts")->index);
	ck_assert_uint_eq(n->input[1].port, LEAT_DEAD_PORT);
	ck_assert_uint_eq(n->input[1].place.line, 7);
	ck_assert_uint_eq(n->input[1].place.column, 49);
	finish();
}
END_TEST

START_TEST(every_node_comes_after_its_inputs)
{
	uint32_t rank[8];
	size_t i, j;

	read_with(whole, NULL, stand_in_registry());
	for (i = 0; i < d->n_nodes; i++)
		rank[i] = UINT32_MAX;
	for (i = 0; i < d->n_nodes; i++)
		rank[d->order[i]] = (uint32_t)i;
	for (i = 0; i < d->n_nodes; i++) {
		ck_assert_uint_ne(rank[i], UINT32_MAX);
		for (j = 0; j < d->node[i].n_inputs; j++)
			ck_assert_uint_lt(rank[d->node[i].input[j].node], rank[i]);
	}
	finish();
}
END_TEST

START_TEST(the_keys_of_the_host_are_read_beside_the_options_of_the_plugin)
{
	const struct leat_node *n;

	read_with(whole, NULL, stand_in_registry());
	n = node("scored");
	ck_assert_uint_eq(n->n_keys, 2);
	ck_assert_str_eq(n->key[0]->text, "user");
	ck_assert_uint_eq(n->key[1]->n, 2);
	ck_assert_uint_eq(n->n_shards, 16);
	ck_assert_str_eq(*(const char **)n->image, "/tmp/score.lua");
	ck_assert_uint_eq(n->n_ports, 2);
	ck_assert_str_eq(n->ports[1], "alerts");
	ck_assert_uint_eq(node("unique")->n_shards, 8);
	ck_assert_uint_eq(node("named")->n_shards, 0);
	ck_assert_uint_eq(node("named")->n_keys, 0);
	n = node("payments");
	ck_assert_str_eq(*(const char **)n->image, "127.0.0.1:9092");
	ck_assert_int_eq(n->max_bytes, 65536);
	ck_assert_str_eq(n->time.field->text, "at.ts");
	ck_assert_int_eq(n->time.unit_us_numerator, 1000);
	ck_assert_int_eq(n->time.unit_us_denominator, 1);
	ck_assert(!n->time.is_text);
	ck_assert_int_eq(n->time.disorder_us, 5000000);
	ck_assert_int_eq(n->time.idle_us, 2000000);
	ck_assert_int_eq(node("played")->max_bytes, 1048576);
	ck_assert_ptr_null(node("played")->time.field);
	finish();
}
END_TEST

START_TEST(only_what_works_with_bytes_has_a_format)
{
	read_with(whole, NULL, stand_in_registry());
	ck_assert_str_eq(node("payments")->format, "json");
	ck_assert_str_eq(node("payments")->codec->name, "json");
	ck_assert_ptr_null(node("played")->format);
	ck_assert_str_eq(node("alerts")->format, "json");
	ck_assert_str_eq(node("latest")->format, "json");
	ck_assert_ptr_null(node("played")->codec);
	ck_assert_ptr_null(node("scored")->format);
	finish();
}
END_TEST

START_TEST(the_prototype_is_created_and_the_image_is_not)
{
	const struct leat_node *n;

	read_with(HEAD SOURCE "operators:\n  p: {type: picky, input: payments, ports: [late, odd]}\n"
	          "sinks:\n  out: {type: stdout, input: [p, p.odd]}\n", NULL, stand_in_registry());
	expect_findings("");
	ck_assert_int_eq(stand_in_alive, 1);
	n = node("p");
	ck_assert_ptr_ne(n->image, n->prototype);
	ck_assert(memcmp(n->image, n->prototype, n->instance_size) != 0);
	ck_assert_uint_eq(n->n_ports, 3);
	ck_assert_str_eq(n->ports[2], "odd");
	ck_assert_uint_eq(node("out")->input[1].port, 2);
	ck_assert_uint_ne(leat_symbols_find(d->symbols, "picked", 6), LEAT_NO_SYMBOL);
	finish();
}
END_TEST

START_TEST(what_create_refuses_is_told_where_its_option_stands)
{
	read_with(HEAD SOURCE "operators:\n"
	          "  a: {type: picky, input: payments, refuse: no such thing, where: ports, ports: x}\n"
	          "  b: {type: picky, input: payments, refuse: no such part, where: parts.y, parts: {x: 1, y: 2}}\n"
	          "  c: {type: picky, input: payments, refuse: unexpected symbol, where: \"score.lua:12\"}\n"
	          "  d: {type: picky, input: [payments, c.what], refuse: wrong}\n"
	          "sinks:\n  out: {type: stdout, input: [a.odd, b, c, d]}\n", NULL, stand_in_registry());
	ck_assert_ptr_null(d);
	expect_findings("6:81: error: operator \"a\": no such thing\n"
	                "7:92: error: operator \"b\": no such part\n"
	                "8:3: error: operator \"c\": score.lua:12: unexpected symbol\n"
	                "9:3: error: operator \"d\": wrong\n");
	finish();
}
END_TEST

START_TEST(check_asks_every_plugin_and_goes_on)
{
	read_good(HEAD SOURCE "operators:\n"
	          "  a: {type: picky, input: payments, away: true}\n"
	          "  b: {type: picky, input: payments}\n"
	          "  c: {type: picky, input: payments, away: true}\n"
	          "sinks:\n  out: {type: stdout, input: [a, b, c]}\n");
	ck_assert(!leat_description_check(d, report, NULL, NULL));
	expect_findings("6:43: error: operator \"a\": could not connect to 127.0.0.1:1: connection refused\n"
	                "8:43: error: operator \"c\": could not connect to 127.0.0.1:1: connection refused\n");
	finish();
}
END_TEST

static void count_progress(void *opaque, const struct leat_node *n, const struct leat_error *err)
{
	ck_assert_ptr_null(err);
	*(uint32_t *)opaque += 1u << n->index;
}

START_TEST(check_tells_of_each_node)
{
	uint32_t seen = 0;

	read_with(whole, NULL, stand_in_registry());
	ck_assert(leat_description_check(d, report, count_progress, &seen));
	ck_assert_uint_eq(seen, 0xff);
	finish();
}
END_TEST

START_TEST(dead_letters_that_no_one_reads_go_to_a_sink_of_the_host)
{
	const struct leat_node *n;
	size_t i;

	read_with(whole, "/var/lib/leat/dead.jsonl", stand_in_registry());
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 9);
	n = &d->node[8];
	ck_assert_str_eq(n->name, "dead_letters");
	ck_assert_int_eq(n->role, LEAT_ROLE_SINK);
	ck_assert(n->is_implicit);
	ck_assert(!node("rejected")->is_implicit);
	ck_assert_str_eq(n->plugin->name, "file");
	ck_assert_str_eq(n->format, "json");
	ck_assert_str_eq(leat_setting_get(n->settings, "path")->text, "/var/lib/leat/dead.jsonl");
	ck_assert_ptr_nonnull(n->prototype);
	/* Not payments and alerts, which rejected reads; not rejected, which reads dead letters itself. */
	ck_assert_uint_eq(n->n_inputs, 5);
	for (i = 0; i < 5; i++) {
		static const char *const names[] = { "played", "scored", "unique", "named", "latest" };

		ck_assert_str_eq(d->node[n->input[i].node].name, names[i]);
		ck_assert_uint_eq(n->input[i].port, LEAT_DEAD_PORT);
	}
	ck_assert_uint_eq(d->order[8], 8);
	finish();
}
END_TEST

START_TEST(the_sink_of_the_host_takes_another_name_when_its_own_is_taken)
{
	read_with(HEAD SOURCE "sinks:\n  dead_letters: {type: stdout, input: payments}\n", "dead.jsonl", stand_in_registry());
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 3);
	ck_assert_str_eq(d->node[2].name, "dead_letters_of_host");
	finish();
}
END_TEST

START_TEST(no_sink_is_added_when_all_dead_letters_are_read)
{
	read_with(HEAD SOURCE "sinks:\n  out: {type: stdout, input: payments}\n"
	          "  dead: {type: file, input: [payments.dead, out.dead], path: p}\n", "dead.jsonl", stand_in_registry());
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 3);
	finish();
}
END_TEST

/* Its store has a queue of them. */
START_TEST(no_sink_is_added_where_delivery_is_exactly_once)
{
	static const char yaml[] = "pipeline: p\nsources:\n  payments: {type: kafka, brokers: b, topic: t}\n"
	                           "sinks:\n  out: {type: kafka, input: payments, brokers: b, topic: u}\n";

	read_with(yaml, "dead.jsonl", stand_in_registry());
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 2);
	ck_assert_int_eq(d->letters.max_bytes, 1 << 30);
	ck_assert(!d->letters.stops_when_full);
	finish();
}
END_TEST

START_TEST(how_much_dead_letters_may_take_is_in_the_file)
{
	read_good(HEAD "dead_letters: {max: 64MiB, when_full: stop}\n" SOURCE "sinks:\n  out: {type: stdout, input: payments}\n");
	ck_assert_int_eq(d->letters.max_bytes, 64 << 20);
	ck_assert(d->letters.stops_when_full);
	finish();
}
END_TEST

#define TWO "sources:\n  a: {type: generate}\n  b: {type: generate}\noperators:\n"
#define END "sinks:\n  out: {type: stdout, input: j}\n"

START_TEST(named_inputs_are_told_apart_and_have_keys_of_their_own)
{
	const struct leat_node *j;
	char *identity;

	read_good(HEAD TWO "  f: {type: filter, input: b}\n"
	          "  j: {type: join, input: {right: [a, f], left: a}, key: {left: [id, x.y], right: [order_id, z]}}\n" END);
	j = node("j");
	ck_assert_uint_eq(j->n_named, 2);
	ck_assert_uint_eq(j->n_inputs, 3);
	for (size_t i = 0; i < 3; i++) {
		static const char *const from[] = { "a", "f", "a" };

		ck_assert_str_eq(d->node[j->input[i].node].name, from[i]);
		ck_assert_uint_eq(j->input[i].number, i < 2 ? 1 : 0);
	}
	ck_assert_uint_eq(j->n_keys, 2);
	ck_assert_uint_eq(j->n_shards, 8);
	ck_assert_str_eq(j->key[1]->text, "x.y");
	ck_assert_str_eq(j->key[2]->text, "order_id");
	identity = leat_node_identity(j);
	ck_assert_str_eq(identity, "join by \"left.id\", \"left.x.y\", \"right.order_id\", \"right.z\"");
	free(identity);
	finish();
}
END_TEST

START_TEST(one_key_is_that_of_all_named_inputs)
{
	read_good(HEAD TWO "  j: {type: join, input: {left: a, right: b}, key: id, shards: 3}\n" END);
	ck_assert_uint_eq(node("j")->n_keys, 1);
	ck_assert_str_eq(node("j")->key[0]->text, "id");
	ck_assert_str_eq(node("j")->key[1]->text, "id");
	ck_assert_uint_eq(node("j")->n_shards, 3);
	finish();
}
END_TEST

START_TEST(inputs_that_are_not_named_as_they_should_be_are_refused)
{
	read_with(HEAD TWO "  j: {type: join, input: [a, b]}\n"
	          "  k: {type: join, input: {left: a, rihgt: b}}\n"
	          "  l: {type: join, input: {left: a}}\n"
	          "  m: {type: join, input: {left: a, right: []}}\n"
	          "  n: {type: filter, input: {left: a}}\n"
	          "  o: {type: join, input: {left: [a, a], right: b}}\n" END, NULL, stand_in_registry());
	ck_assert_ptr_null(d);
	expect_findings("7:26: error: operator \"j\" needs the inputs \"left\" and \"right\"; write \"input: {left: NODE, right: NODE}\"\n"
	                "8:36: error: operator \"k\" has no input \"rihgt\"; did you mean \"right\"?\n"
	                "9:26: error: operator \"l\" reads nothing as its input \"right\"\n"
	                "10:43: error: operator \"m\" reads nothing as its input \"right\"\n"
	                "11:28: error: an input must be a text, \"node\" or \"node.port\"\n"
	                "12:37: error: operator \"o\" has input \"a\" twice\n");
	finish();
}
END_TEST

START_TEST(keys_of_named_inputs_have_to_match)
{
	read_with(HEAD TWO "  j: {type: join, input: {left: a, right: b}, key: {left: [x, y], right: z}}\n"
	          "  k: {type: join, input: {left: a, right: b}, key: {left: x}}\n"
	          "  l: {type: join, input: {left: a, right: b}, key: {left: x, rigth: y}}\n"
	          "  m: {type: filter, input: a, key: {left: x}}\n" END, NULL, stand_in_registry());
	ck_assert_ptr_null(d);
	expect_findings("7:52: error: operator \"j\" needs 2 key fields for its input \"right\", as for \"left\", not 1\n"
	                "8:3: warning: no one reads operator \"k\"\n"
	                "8:47: error: key of operator \"k\" needs the option \"right\"\n"
	                "9:3: warning: no one reads operator \"l\"\n"
	                "9:47: error: key of operator \"l\" needs the option \"right\"\n"
	                "9:62: error: key of operator \"l\" has no option \"rigth\"; did you mean \"right\"?\n"
	                "10:3: warning: no one reads operator \"m\"\n"
	                "10:36: error: option \"key\" must be a field or a list of fields, not a map\n");
	finish();
}
END_TEST

START_TEST(without_a_file_plugin_dead_letters_are_warned_of)
{
	read_with(HEAD SOURCE "sinks:\n  out: {type: stdout, input: payments}\n", "dead.jsonl", stand_in_registry_without_file());
	ck_assert_ptr_nonnull(d);
	ck_assert_uint_eq(d->n_nodes, 2);
	expect_findings(" warning: dead letters that no one reads are only counted: there is no sink \"file\" to write them\n");
	finish();
}
END_TEST

START_TEST(a_plugin_cannot_have_an_option_that_is_the_hosts)
{
	read_with(HEAD SOURCE "operators:\n  g: {type: greedy, input: payments, key: id}\nsinks:\n  out: {type: stdout, input: g}\n", NULL,
	          stand_in_registry());
	ck_assert_ptr_null(d);
	expect_findings("6:13: error: plugin \"greedy\" cannot be used as operator: its option \"key\" is one of the host's own\n");
	finish();
}
END_TEST

START_TEST(a_plugin_that_was_refused_is_told_with_the_reason)
{
	char folder[] = "/tmp/leat_test_plugins_XXXXXX", *file, *found;
	struct leat_registry *with = stand_in_registry();
	FILE *out;

	ck_assert_ptr_nonnull(mkdtemp(folder));
	file = leat_format_text("%s/mine.so", folder);
	out = fopen(file, "w");
	(void)fputs("not a library\n", out);
	(void)fclose(out);
	leat_registry_load_folders(with, folder);
	read_with(HEAD SOURCE "sinks:\n  out: {type: mine, input: payments}\n", NULL, with);
	ck_assert_ptr_null(d);
	found = findings();
	ck_assert_ptr_nonnull(strstr(found, ":6:15: error: plugin \"mine\" was refused: "));
	ck_assert_ptr_nonnull(strstr(found, "mine.so"));
	free(found);
	finish();
	(void)unlink(file);
	(void)rmdir(folder);
	free(file);
}
END_TEST

START_TEST(a_long_chain_written_backwards_is_put_in_order)
{
	char *yaml = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&yaml, &n);
	int i;

	(void)fputs(HEAD SOURCE "sinks:\n  out: {type: stdout, input: n0}\noperators:\n", out);
	for (i = 0; i < 3000; i++)
		(void)fprintf(out, "  n%d: {type: map, input: n%d}\n", i, i + 1);
	(void)fputs("  n3000: {type: map, input: payments}\n", out);
	(void)fclose(out);
	read_good(yaml);
	free(yaml);
	ck_assert_uint_eq(d->n_nodes, 3003);
	ck_assert_uint_eq(d->order[0], 0);
	ck_assert_uint_eq(d->order[1], node("n3000")->index);
	ck_assert_uint_eq(d->order[3001], node("n0")->index);
	ck_assert_uint_eq(d->order[3002], node("out")->index);
	finish();
}
END_TEST

/* ---- tests/broken ------------------------------------------------------------------------------------------------ */

static int is_yaml(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot != NULL && strcmp(dot, ".yaml") == 0;
}

/* The findings that the file's first lines announce, each with the path in front as it is printed. */
static char *read_expected(const char *file)
{
	static const char mark[] = "# expect: ";
	FILE *in = fopen(file, "r");
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);
	char line[1024];

	ck_assert_ptr_nonnull(in);
	while (fgets(line, sizeof line, in) != NULL && strncmp(line, mark, strlen(mark)) == 0) {
		const char *expected = line + strlen(mark);

		(void)fprintf(out, "%s:%s%s", file, expected[0] >= '0' && expected[0] <= '9' ? "" : " ", expected);
	}
	(void)fclose(in);
	(void)fclose(out);
	return text;
}

START_TEST(every_broken_file_is_told_all_that_is_wrong_with_it)
{
	const char *source = getenv("LEAT_SOURCE");
	struct dirent **entries;
	char *folder = leat_format_text("%s/tests/broken", source != NULL ? source : ".");
	int n = scandir(folder, &entries, is_yaml, alphasort), i;

	ck_assert_int_ge(n, 34);
	registry = stand_in_registry();
	for (i = 0; i < n; i++) {
		char *file = leat_format_text("%s/%s", folder, entries[i]->d_name);
		char *expected = read_expected(file), *found;

		report = leat_report_create();
		ck_assert_ptr_null(leat_description_read(registry, file, NULL, report));
		found = findings();
		if (strstr(found, "(--without-schema)") == NULL) /* else it was not looked at further, as is right in such a build */
			ck_assert_str_eq(found, expected);
		ck_assert_uint_gt(strlen(expected), 0);
		leat_report_destroy(report);
		free(found);
		free(expected);
		free(file);
		free(entries[i]);
	}
	free(entries);
	free(folder);
	leat_registry_destroy(registry);
}
END_TEST

/* ---- docs and samples -------------------------------------------------------------------------------------------- */

/* Reads the piece of a document as a pipeline, which must be right in every way. */
static void expect_right(const char *yaml)
{
	read_good(yaml);
	finish();
}

START_TEST(every_whole_pipeline_in_the_reference_is_right)
{
	static const char fence[] = "```yaml\n";
	const char *source = getenv("LEAT_SOURCE");
	char *file = leat_format_text("%s/docs/pipeline-file.md", source != NULL ? source : ".");
	FILE *in = fopen(file, "r");
	char text[32768];
	char *from, *end;
	int n = 0;

	ck_assert_ptr_nonnull(in);
	text[fread(text, 1, sizeof text - 1, in)] = '\0';
	(void)fclose(in);
	(void)unsetenv("KAFKA_BROKERS");
	for (from = text; (from = strstr(from, fence)) != NULL; from = end + 1, n++) {
		from += strlen(fence);
		end = strstr(from, "```");
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		expect_right(from);
	}
	ck_assert_int_ge(n, 1);
	free(file);
}
END_TEST

START_TEST(the_sample_pipeline_is_right)
{
	const char *source = getenv("LEAT_SOURCE");
	char *file = leat_format_text("%s/etc/sample.yaml", source != NULL ? source : "."), *found;

	registry = stand_in_registry();
	report = leat_report_create();
	d = leat_description_read(registry, file, NULL, report);
	found = findings();
	ck_assert_str_eq(found, "");
	ck_assert_ptr_nonnull(d);
	free(found);
	path[0] = '\0';
	finish();
	free(file);
}
END_TEST

int main(void)
{
	return leat_test_main("description", (const TTest *[]){
		nodes_are_numbered_by_role_and_file_order,
		inputs_are_nodes_and_ports,
		every_node_comes_after_its_inputs,
		the_keys_of_the_host_are_read_beside_the_options_of_the_plugin,
		only_what_works_with_bytes_has_a_format,
		the_prototype_is_created_and_the_image_is_not,
		what_create_refuses_is_told_where_its_option_stands,
		check_asks_every_plugin_and_goes_on,
		check_tells_of_each_node,
		dead_letters_that_no_one_reads_go_to_a_sink_of_the_host,
		the_sink_of_the_host_takes_another_name_when_its_own_is_taken,
		no_sink_is_added_when_all_dead_letters_are_read,
		no_sink_is_added_where_delivery_is_exactly_once,
		how_much_dead_letters_may_take_is_in_the_file,
		named_inputs_are_told_apart_and_have_keys_of_their_own,
		one_key_is_that_of_all_named_inputs,
		inputs_that_are_not_named_as_they_should_be_are_refused,
		keys_of_named_inputs_have_to_match,
		without_a_file_plugin_dead_letters_are_warned_of,
		a_plugin_cannot_have_an_option_that_is_the_hosts,
		a_plugin_that_was_refused_is_told_with_the_reason,
		a_long_chain_written_backwards_is_put_in_order,
		every_broken_file_is_told_all_that_is_wrong_with_it,
		every_whole_pipeline_in_the_reference_is_right,
		the_sample_pipeline_is_right,
		NULL });
}
