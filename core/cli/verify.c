/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/state.h"
#include "run/visit.h"
#include "service/format.h"
#include "state/letter.h"

static const char help[] =
	"NAME\n"
	"    leat verify - check that the state of a pipeline and its sinks fit together\n"
	"\n"
	"SYNOPSIS\n"
	"    leat verify FILE [--claim] [--state-dir FOLDER] [--format text|json] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Reads the state as of its last epoch: each row belongs to a shard of its table; for each sink the\n"
	"    effects in the outbox follow one another without a gap, from what was delivered to the last epoch that\n"
	"    has some, and are what they were when they were written (their digest); dead letters can be read, and\n"
	"    are as many as were counted. Of a stopped pipeline it also asks each sink for the last epoch that it\n"
	"    has, which has to be one that the state knows. Changes nothing, and prints a verdict for each sink.\n"
	"\n"
	"    Of a running pipeline sinks are not asked, as that is not possible without taking them over; nor, for\n"
	"    the same reason, are Kafka sinks without --claim, which fences the producers of whoever writes to them.\n"
	"\n"
	"OPTIONS\n"
	"    --claim              Ask Kafka sinks too. For a pipeline that runs nowhere.\n"
	"    --format FORMAT      text or json. Default: text\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   everything is good\n"
	"    1   something is not, or there is no state, or it cannot be read, or a sink did not answer\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat verify payments.yaml --state-dir /var/lib/leat\n";

enum { OWN_FORMAT = STATE_OWN, OWN_CLAIM };

static const struct option options[] = {
	LEAT_STATE_OPTIONS,
	{"format", required_argument, NULL, OWN_FORMAT},
	{"claim", no_argument, NULL, OWN_CLAIM},
	{NULL, 0, NULL, 0},
};

struct verify {
	struct leat_state_use use;
	int format;
	bool is_running;
	bool claims;
	bool is_good;
	uint64_t n_rows, n_strays, n_letters, n_damaged;
	uint32_t n_shards; /* of the table in hand */
	size_t n_sinks;
	struct leat_buffer out;
};

/* What was found about a sink. */
struct verdict {
	const char *sink;
	const char *unread; /* why its fence was not read; NULL: it was */
	bool is_good;
	struct leat_fence at; /* in the sink, or as the store knows it */
	struct leat_store_audit audit;
	struct leat_error err;
};

/* ---- sinks ----------------------------------------------------------------------------------------------------------- */

static const char *why_unread(const struct verify *v, const struct leat_node *node)
{
	if (node == NULL)
		return "the pipeline no longer has it";
	if (node->guarantee != LEAT_TRANSACTIONAL)
		return "it keeps none";
	if (v->is_running)
		return "the pipeline is running";
	if (strcmp(node->plugin->name, "kafka") == 0 && !v->claims)
		return "that needs --claim";
	return NULL;
}

static enum leat_status read_fence(const struct verify *v, const struct leat_node *node, struct leat_fence *found, struct leat_error *err)
{
	struct leat_visit *visit = NULL;
	enum leat_status status = leat_visit_open(v->use.description, node, &visit, err);

	if (status == LEAT_OK)
		status = leat_visit_claim(visit, 0, found, err);
	leat_visit_close(visit);
	return status;
}

static enum leat_status judge_fence(const struct verify *v, uint32_t number, const struct leat_node *node, struct verdict *is)
{
	uint64_t ours = leat_store_incarnation(v->use.store);
	enum leat_status status = read_fence(v, node, &is->at, &is->err);

	if (status != LEAT_OK)
		return status;
	status = leat_state_judge(&v->use, node, number, &is->audit, &is->at, &is->err);
	if (status == LEAT_OK && is->at.incarnation > ours)
		return leat_error_set(&is->err, LEAT_FATAL, 0,
		                      "incarnation %" PRIu64 " has claimed it, the state is of %" PRIu64
		                      ": another instance owns it, or the state is an old copy",
		                      is->at.incarnation, ours);
	return status == LEAT_OK ? leat_store_audit(v->use.store, number, &is->at, &is->audit, &is->err) : status;
}

static void judge_sink(const struct verify *v, uint32_t number, const struct leat_node *node, struct verdict *is)
{
	enum leat_status status = leat_store_audit(v->use.store, number, NULL, &is->audit, &is->err);

	is->sink = leat_store_sink_name(v->use.store, number);
	is->unread = why_unread(v, node);
	is->at = is->audit.delivered;
	if (status == LEAT_OK && is->unread == NULL)
		status = judge_fence(v, number, node, is);
	is->is_good = status == LEAT_OK;
}

static void put_json(struct verify *v, const struct verdict *is)
{
	leat_buffer_text(&v->out, v->n_sinks > 0 ? ",{\"sink\":" : "{\"sink\":");
	leat_format_json(&v->out, is->sink);
	leat_format_put(&v->out, ",\"good\":%s,\"reason\":", is->is_good ? "true" : "false");
	leat_format_json(&v->out, is->is_good ? NULL : is->err.text);
	leat_format_put(&v->out, ",\"epoch\":%" PRIu64 ",\"incarnation\":%" PRIu64 ",\"due\":%" PRIu64 ",\"unread\":", is->at.epoch,
	                is->at.incarnation, is->audit.n_due);
	leat_format_json(&v->out, is->unread);
	leat_buffer_byte(&v->out, '}');
}

static void put_text(struct verify *v, const struct verdict *is)
{
	if (is->is_good)
		leat_format_put(&v->out, "sink \"%s\": good: epoch %" PRIu64 " of incarnation %" PRIu64 ", %" PRIu64 " epochs to be delivered",
		                is->sink, is->at.epoch, is->at.incarnation, is->audit.n_due);
	else
		leat_format_put(&v->out, "sink \"%s\": not good: %s", is->sink, is->err.text);
	if (is->unread != NULL)
		leat_format_put(&v->out, "; its own fence was not read: %s", is->unread);
	leat_buffer_byte(&v->out, '\n');
}

static void verify_sinks(struct verify *v)
{
	for (uint32_t number = 1; number <= leat_store_n_sinks(v->use.store); number++) {
		const char *name = leat_store_sink_name(v->use.store, number);
		struct verdict is = { .sink = name };

		judge_sink(v, number, leat_description_find(v->use.description, LEAT_ROLE_SINK, name), &is);
		if (v->format == LEAT_FORMAT_JSON)
			put_json(v, &is);
		else
			put_text(v, &is);
		v->is_good = v->is_good && is.is_good;
		v->n_sinks++;
	}
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static bool count_row(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	struct verify *v = opaque;

	(void)row;
	v->n_rows++;
	v->n_strays += v->n_shards > 0 && shard >= v->n_shards;
	return true;
}

static enum leat_status verify_rows(struct verify *v, struct leat_error *err)
{
	const struct leat_store_table *t;
	enum leat_status status = LEAT_OK;

	for (size_t i = 0; status == LEAT_OK && (t = leat_store_table(v->use.store, i)) != NULL; i++) {
		v->n_shards = t->n_shards;
		status = leat_store_scan(v->use.store, t->number, count_row, v, err);
	}
	if (status == LEAT_OK && v->n_strays > 0)
		return leat_error_set(err, LEAT_FATAL, 0, "%" PRIu64 " rows are of shards that their tables do not have", v->n_strays);
	return status;
}

/* ---- dead letters ---------------------------------------------------------------------------------------------------- */

static bool count_letter(void *opaque, const struct leat_letter_row *row)
{
	struct leat_arena *arena = leat_arena_create();
	struct verify *v = opaque;
	struct leat_letter letter;

	v->n_letters++;
	v->n_damaged += !leat_letter_unpack(arena, NULL, row, &letter);
	leat_arena_unref(arena);
	return true;
}

static enum leat_status verify_letters(struct verify *v, struct leat_error *err)
{
	uint64_t n = leat_store_letters(v->use.store, NULL).n;
	enum leat_status status = leat_store_scan_letters(v->use.store, 0, count_letter, v, err);

	if (status == LEAT_OK && v->n_damaged > 0)
		return leat_error_set(err, LEAT_FATAL, 0, "%" PRIu64 " of %" PRIu64 " dead letters are damaged", v->n_damaged, v->n_letters);
	if (status == LEAT_OK && v->n_letters != n)
		return leat_error_set(err, LEAT_FATAL, 0, "there are %" PRIu64 " dead letters, and %" PRIu64 " were counted", v->n_letters, n);
	return status;
}

/* ---- the verb -------------------------------------------------------------------------------------------------------- */

static void put_head(struct verify *v, const struct leat_error *err)
{
	const struct leat_store *store = v->use.store;

	if (v->format == LEAT_FORMAT_JSON) {
		leat_buffer_text(&v->out, "{\"pipeline\":");
		leat_format_json(&v->out, leat_store_pipeline(store));
		leat_buffer_text(&v->out, ",\"folder\":");
		leat_format_json(&v->out, leat_store_folder(store));
		leat_format_put(&v->out, ",\"running\":%s,\"epoch\":%" PRIu64 ",\"incarnation\":%" PRIu64 ",\"rows\":%" PRIu64
		                ",\"dead_letters\":%" PRIu64 ",\"good\":%s,\"reason\":",
		                v->is_running ? "true" : "false", leat_store_epoch(store), leat_store_incarnation(store), v->n_rows, v->n_letters,
		                err == NULL ? "true" : "false");
		leat_format_json(&v->out, err == NULL ? NULL : err->text);
		leat_buffer_text(&v->out, ",\"sinks\":[");
	} else {
		leat_format_put(&v->out, "state in \"%s\": ", leat_store_folder(store));
		if (err == NULL)
			leat_format_put(&v->out, "good: epoch %" PRIu64 " of incarnation %" PRIu64 ", %" PRIu64 " rows, %" PRIu64 " dead letters%s\n",
			                leat_store_epoch(store), leat_store_incarnation(store), v->n_rows, v->n_letters, v->is_running ? ", owned by a process" : "");
		else
			leat_format_put(&v->out, "not good: %s\n", err->text);
	}
}

static enum leat_exit verify(struct verify *v, const char *file)
{
	enum leat_exit read = leat_state_read_file(&v->use, file);
	enum leat_status status;
	struct leat_error err;

	if (read != LEAT_EXIT_OK)
		return read;
	status = leat_state_open(&v->use, LEAT_STATE_STILL);
	v->is_running = status == LEAT_RETRY;
	if (v->is_running)
		status = leat_state_open(&v->use, LEAT_STATE_READ);
	if (status != LEAT_OK)
		return LEAT_EXIT_FAILED;
	v->is_good = verify_rows(v, &err) == LEAT_OK && verify_letters(v, &err) == LEAT_OK;
	put_head(v, v->is_good ? NULL : &err);
	verify_sinks(v);
	leat_buffer_text(&v->out, v->format == LEAT_FORMAT_JSON ? "]}\n" : "");
	(void)fwrite(v->out.data, 1, v->out.n, stdout);
	return v->is_good ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct verify v = { .use = { .verb = verb, .state_dir = "." }, .format = LEAT_FORMAT_TEXT };
	enum leat_exit status;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		leat_state_option(&v.use, option);
		if (option == OWN_FORMAT && !leat_argument_format(verb, optarg, &v.format))
			return LEAT_EXIT_USAGE;
		v.claims = v.claims || option == OWN_CLAIM;
	}
	if (argc - optind != 1)
		return leat_usage_error(verb, "expected one pipeline file");
	status = verify(&v, argv[optind]);
	leat_buffer_finish(&v.out);
	leat_state_finish(&v.use);
	return status;
}

const struct leat_verb leat_verb_verify = {
	.name = "verify", .summary = "check that state and sinks fit together", .help = help, .run = run};
