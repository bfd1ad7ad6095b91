/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "graph/plan.h"
#include "unit/stand_in.h"

static struct leat_registry *registry;
static struct leat_report *report;
static struct leat_description *d;
static const struct leat_plan *plan;

#define HEAD "pipeline: payments\ndelivery: at-least-once\n"

static void make(const char *yaml, const char *dead_letters)
{
	struct leat_description_options options = { .dead_letters = dead_letters };
	char path[] = "/tmp/leat_test_plan_XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");

	(void)fputs(yaml, out);
	(void)fclose(out);
	registry = stand_in_registry();
	report = leat_report_create();
	d = leat_description_read(registry, path, &options, report);
	if (d == NULL)
		leat_report_print(report, stderr);
	ck_assert_ptr_nonnull(d);
	plan = leat_plan_make(d);
	(void)unlink(path);
}

static void finish(void)
{
	leat_description_destroy(d);
	leat_report_destroy(report);
	leat_registry_destroy(registry);
}

/* "payments unique | scored[8] ...": stages with their nodes; the number of shards, * for those of a source. */
static void expect_stages(const char *expected)
{
	char *text = NULL;
	size_t n = 0, i, j;
	FILE *out = open_memstream(&text, &n);

	for (i = 0; i < plan->n_stages; i++) {
		const struct leat_stage *s = &plan->stage[i];

		(void)fprintf(out, i > 0 ? " | " : "");
		for (j = 0; j < s->n_nodes; j++) {
			(void)fprintf(out, j > 0 ? " %s" : "%s", d->node[s->node[j]].name);
			ck_assert_uint_eq(plan->stage_of[s->node[j]], i);
		}
		if (s->is_source)
			(void)fprintf(out, "[*]");
		else
			(void)fprintf(out, "[%u]", (unsigned)s->n_shards);
		ck_assert(!s->is_source || s->n_shards == 0);
	}
	(void)fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

/* "a -> b", "a => b" for an exchange, "a >> b" to a sink; a.port unless it is out. */
static void expect_edges(const char *expected)
{
	static const char *const arrows[] = { "->", "=>", ">>" };
	char *text = NULL;
	size_t n = 0, i;
	FILE *out = open_memstream(&text, &n);

	for (i = 0; i < plan->n_edges; i++) {
		const struct leat_edge *e = &plan->edge[i];
		const struct leat_node *from = &d->node[e->from];
		const char *port = e->port == LEAT_DEAD_PORT ? ".dead" : e->port == 0 ? "" : from->ports[e->port];

		(void)fprintf(out, "%s%s%s%s %s %s\n", from->name, e->port > 0 && e->port != LEAT_DEAD_PORT ? "." : "", port, "", arrows[e->kind],
		              d->node[e->to].name);
	}
	(void)fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

static const char whole[] =
	HEAD "sources:\n"
	"  payments: {type: kafka, brokers: b, topic: payments}\n"
	"operators:\n"
	"  unique: {type: dedup, input: payments, key: id}\n"
	"  scored: {type: lua, input: unique, key: [user, card.number], script: score.lua, shards: 1}\n"
	"  named: {type: map, input: scored}\n"
	"sinks:\n"
	"  alerts: {type: kafka, input: scored.alerts, brokers: b, topic: alerts}\n"
	"  latest: {type: redis, input: [named, scored], command: hset}\n"
	"  rejected: {type: file, input: [payments.dead, alerts.dead], path: rejected.jsonl}\n";

START_TEST(a_keyed_operator_begins_a_stage_and_one_without_joins_its_inputs)
{
	make(whole, NULL);
	expect_stages("payments[*] | unique[8] | scored named[1]");
	ck_assert_uint_eq(plan->stage_of[4], UINT32_MAX);
	expect_edges("payments => unique\n"
	             "payments.dead >> rejected\n"
	             "unique => scored\n"
	             "scored -> named\n"
	             "scored >> latest\n"
	             "scored.alerts >> alerts\n"
	             "named >> latest\n"
	             "alerts.dead >> rejected\n");
	finish();
}
END_TEST

START_TEST(a_keyed_operator_joins_inputs_that_are_in_the_shards_of_its_key)
{
	make(HEAD "sources:\n  a: {type: generate}\noperators:\n"
	     "  first: {type: dedup, input: a, key: [x, y.z]}\n"
	     "  some: {type: filter, input: first}\n"
	     "  second: {type: dedup, input: some, key: [x, y.z]}\n"
	     "  both: {type: aggregate, input: [first, second], key: [x, y.z]}\n"
	     "sinks:\n  out: {type: stdout, input: both}\n", NULL);
	expect_stages("a[*] | first some second both[8]");
	expect_edges("a => first\nfirst -> some\nfirst -> both\nsome -> second\nsecond -> both\nboth >> out\n");
	finish();
}
END_TEST

START_TEST(a_keyed_operator_does_not_join_where_an_exchange_may_be_needed)
{
	make(HEAD "sources:\n  a: {type: generate}\noperators:\n"
	     "  first: {type: dedup, input: a, key: [x, y]}\n"
	     "  order: {type: dedup, input: first, key: [y, x]}\n"
	     "  fewer: {type: dedup, input: first, key: x}\n"
	     "  shards: {type: dedup, input: first, key: [x, y], shards: 4}\n"
	     "  letters: {type: dedup, input: first.dead, key: [x, y]}\n"
	     "  other: {type: map, input: first}\n"
	     "  behind: {type: dedup, input: other, key: [x, y]}\n"
	     "  mixed: {type: dedup, input: [first, fewer], key: [x, y]}\n"
	     "  filtered: {type: filter, input: a}\n"
	     "  source: {type: dedup, input: filtered, key: [x, y]}\n"
	     "  single: {type: filter, input: first, shards: 1}\n"
	     "  last: {type: dedup, input: single, key: [x, y]}\n"
	     "sinks:\n  out: {type: stdout, input: [order, shards, letters, behind, mixed, source, last]}\n", NULL);
	expect_stages("a filtered[*] | first other[8] | order[8] | fewer[8] | shards[4] | letters[8] | behind[8] | mixed[8] | source[8] |"
	              " single[1] | last[8]");
	finish();
}
END_TEST

START_TEST(inputs_of_different_stages_meet_in_a_stage_of_one_shard)
{
	make(HEAD "sources:\n  a: {type: generate}\n  b: {type: generate}\noperators:\n"
	     "  both: {type: map, input: [a, b]}\n"
	     "  after: {type: map, input: [both, both.dead]}\n"
	     "  only: {type: map, input: a}\n"
	     "  mixed: {type: map, input: [only, after]}\n"
	     "sinks:\n  out: {type: stdout, input: mixed}\n", NULL);
	expect_stages("a only[*] | b[*] | both after[1] | mixed[1]");
	expect_edges("a => both\na -> only\nb => both\nboth -> after\nboth.dead -> after\nafter => mixed\nonly => mixed\nmixed >> out\n");
	finish();
}
END_TEST

START_TEST(an_operator_without_key_may_ask_for_a_single_shard)
{
	make(HEAD "sources:\n  a: {type: generate}\noperators:\n"
	     "  every: {type: map, input: a}\n"
	     "  one: {type: map, input: every, shards: 1}\n"
	     "  after: {type: map, input: one}\n"
	     "sinks:\n  out: {type: stdout, input: after}\n", NULL);
	expect_stages("a every[*] | one after[1]");
	expect_edges("a -> every\nevery => one\none -> after\nafter >> out\n");
	finish();
}
END_TEST

START_TEST(edges_into_named_inputs_are_told_apart)
{
	make(HEAD "sources:\n  a: {type: generate}\noperators:\n"
	     "  j: {type: join, input: {left: a, right: [a, a.dead]}, key: {left: x, right: y}}\n"
	     "  k: {type: join, input: {right: j, left: j}}\n"
	     "sinks:\n  out: {type: stdout, input: k}\n", NULL);
	expect_stages("a[*] | j k[8]");
	expect_edges("a => j\na => j\na.dead => j\nj -> k\nj -> k\nk >> out\n");
	for (size_t i = 0; i < plan->n_edges; i++)
		ck_assert_uint_eq(plan->edge[i].input, i == 1 || i == 2 || i == 4);
	finish();
}
END_TEST

START_TEST(every_stage_comes_after_those_that_feed_it)
{
	size_t i;

	make(HEAD "operators:\n"
	     "  last: {type: map, input: [left, right, odd]}\n"
	     "  odd: {type: map, input: [right, a]}\n"
	     "  right: {type: dedup, input: [left, mid], key: x}\n"
	     "  mid: {type: map, input: a}\n"
	     "  left: {type: dedup, input: mid, key: y}\n"
	     "sources:\n  a: {type: generate}\nsinks:\n  out: {type: stdout, input: last}\n", NULL);
	for (i = 0; i < plan->n_edges; i++) {
		const struct leat_edge *e = &plan->edge[i];

		if (e->kind == LEAT_EDGE_EXCHANGE)
			ck_assert_uint_lt(plan->stage_of[e->from], plan->stage_of[e->to]);
		if (e->kind == LEAT_EDGE_DIRECT)
			ck_assert_uint_eq(plan->stage_of[e->from], plan->stage_of[e->to]);
	}
	expect_stages("a mid[*] | left[8] | right[8] | odd[1] | last[1]");
	finish();
}
END_TEST

typedef void print(const struct leat_plan *plan, FILE *out);

static void expect_picture(print *p, const char *expected)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	p(plan, out);
	(void)fclose(out);
	ck_assert_str_eq(text, expected);
	free(text);
}

static const char small[] =
	HEAD "sources:\n  end: {type: kafka, brokers: b, topic: t}\n"
	"operators:\n  scored: {type: lua, input: end, key: [user, '\"a|b\".c'], script: s.lua}\n"
	"sinks:\n  alerts: {type: stdout, input: scored.alerts}\n";

START_TEST(mermaid_shows_stages_exchanges_and_dead_letters)
{
	make(small, "dead.jsonl");
	expect_picture(leat_plan_print_mermaid,
	               "---\ntitle: payments\n---\nflowchart LR\n"
	               "\tsubgraph s0[\"a shard per partition\"]\n"
	               "\t\tn0([\"<b>end</b><br/>kafka\"]):::source\n"
	               "\tend\n"
	               "\tsubgraph s1[\"8 shards\"]\n"
	               "\t\tn1[\"<b>scored</b><br/>lua\"]:::operator\n"
	               "\tend\n"
	               "\tn2[(\"<b>alerts</b><br/>stdout\")]:::sink\n"
	               "\tn3[(\"<b>dead_letters</b><br/>file\")]:::implicit\n"
	               "\tn0 ==>|\"key: user,  a b .c, 8 shards\"| n1\n"
	               "\tn0 -.-> n3\n"
	               "\tn1 -->|\"alerts\"| n2\n"
	               "\tn1 -.-> n3\n"
	               "\tn2 -.-> n3\n"
	               "\tclassDef source fill:#d8f3dc,stroke:#2d6a4f,color:#1b2a22\n"
	               "\tclassDef operator fill:#fff3cd,stroke:#a0780f,color:#2b2410\n"
	               "\tclassDef sink fill:#d6e6fb,stroke:#2c5a99,color:#14233a\n"
	               "\tclassDef implicit fill:#eeeeee,stroke:#888888,color:#444444,stroke-dasharray:4 3\n");
	finish();
}
END_TEST

START_TEST(dead_letters_that_someone_reads_are_labelled)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	make(whole, NULL);
	leat_plan_print_mermaid(plan, out);
	leat_plan_print_dot(plan, out);
	(void)fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "\tn0 -.->|\"dead\"| n6\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tn0 -> n6 [label=\"dead\", style=dashed"));
	free(text);
	finish();
}
END_TEST

START_TEST(a_picture_names_the_inputs)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	make(HEAD "sources:\n  a: {type: generate}\n  b: {type: generate}\noperators:\n"
	     "  j: {type: join, input: {left: a, right: b}, key: {left: x, right: y}}\n"
	     "sinks:\n  out: {type: stdout, input: j}\n", NULL);
	leat_plan_print_mermaid(plan, out);
	leat_plan_print_dot(plan, out);
	(void)fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "\tn0 ==>|\"left / key: x, 8 shards\"| n2\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tn1 -> n2 [label=\"right / key: y, 8 shards\", penwidth=2];\n"));
	free(text);
	finish();
}
END_TEST

START_TEST(dot_shows_the_same)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	make(small, "dead.jsonl");
	leat_plan_print_dot(plan, out);
	(void)fclose(out);
	ck_assert_ptr_nonnull(strstr(text, "digraph \"payments\" {"));
	ck_assert_ptr_nonnull(strstr(text, "subgraph cluster_1 {\n\t\tlabel=\"8 shards\""));
	ck_assert_ptr_nonnull(strstr(text, "\t\tn1 [label=<<b>scored</b><br/><font point-size=\"10\">lua</font>>, shape=box"));
	ck_assert_ptr_nonnull(strstr(text, "\tn0 -> n1 [label=\"key: user,  a b .c, 8 shards\", penwidth=2];\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tn1 -> n2 [label=\"alerts\"];\n"));
	ck_assert_ptr_nonnull(strstr(text, "\tn2 -> n3 [label=\"\", style=dashed"));
	free(text);
	finish();
}
END_TEST

int main(void)
{
	return leat_test_main("plan", (const TTest *[]){
		a_keyed_operator_begins_a_stage_and_one_without_joins_its_inputs,
		a_keyed_operator_joins_inputs_that_are_in_the_shards_of_its_key,
		a_keyed_operator_does_not_join_where_an_exchange_may_be_needed,
		inputs_of_different_stages_meet_in_a_stage_of_one_shard,
		an_operator_without_key_may_ask_for_a_single_shard,
		edges_into_named_inputs_are_told_apart,
		every_stage_comes_after_those_that_feed_it,
		mermaid_shows_stages_exchanges_and_dead_letters,
		dead_letters_that_someone_reads_are_labelled,
		a_picture_names_the_inputs,
		dot_shows_the_same,
		NULL });
}
