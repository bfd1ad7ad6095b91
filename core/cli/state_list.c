/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/state.h"
#include "service/format.h"
#include "state/letters.h"

static const char help[] =
	"NAME\n"
	"    leat state list - show what the state of a pipeline holds\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state list FILE|FOLDER [--state-dir FOLDER] [--format text|json] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Prints the last epoch, the incarnation and how many dead letters there are; for each partition of a\n"
	"    source the position where it goes on; for each table of an operator its version, shards, rows and their\n"
	"    bytes; for each sink the last epoch that was delivered to it, the last one with effects for it, and what\n"
	"    waits in the outbox.\n"
	"\n"
	"    FILE is the pipeline's file, FOLDER its state folder or a backup of it. The pipeline may be running:\n"
	"    everything is as of one epoch. Rows are counted by reading them.\n"
	"\n"
	"OPTIONS\n"
	"    --format FORMAT      text or json. Default: text\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no state, or it cannot be read\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state list payments.yaml --state-dir /var/lib/leat\n"
	"    leat state list /var/lib/leat/payments.state --format json\n";

enum { OWN_FORMAT = STATE_OWN };

static const struct option options[] = {
	LEAT_STATE_OPTIONS,
	{"format", required_argument, NULL, OWN_FORMAT},
	{NULL, 0, NULL, 0},
};

struct list {
	const struct leat_store *store;
	struct leat_buffer out;
	int format;
	size_t n; /* in the section in hand */
	uint64_t rows, bytes;
};

/* ---- sections -------------------------------------------------------------------------------------------------------- */

static void begin_section(struct list *l, const char *name, const char *heading)
{
	l->n = 0;
	if (l->format == LEAT_FORMAT_JSON)
		leat_format_put(&l->out, ",\"%s\":[", name);
	else
		leat_format_put(&l->out, "\n%s\n", heading);
}

static void end_section(struct list *l)
{
	if (l->format == LEAT_FORMAT_JSON)
		leat_buffer_byte(&l->out, ']');
	else if (l->n == 0)
		leat_buffer_text(&l->out, "-\n");
}

static void begin_object(struct list *l, const char *name, const char *value)
{
	leat_format_put(&l->out, "%s{\"%s\":", l->n > 0 ? "," : "", name);
	leat_format_json(&l->out, value);
}

static void put_position(void *opaque, const char *source, int32_t partition, const struct leat_position *position)
{
	struct list *l = opaque;

	if (l->format == LEAT_FORMAT_JSON) {
		begin_object(l, "source", source);
		leat_format_put(&l->out, ",\"partition\":%" PRId32 ",\"position\":%" PRId64 ",\"note\":", partition, position->offset);
		leat_format_json(&l->out, position->note);
		leat_buffer_byte(&l->out, '}');
	} else {
		leat_format_put(&l->out, "%-23s %9" PRId32 " %14" PRId64 "%s%s\n", source, partition, position->offset,
		                position->note[0] == '\0' ? "" : "  ", position->note);
	}
	l->n++;
}

static bool count_row(void *opaque, uint32_t shard, const struct leat_delta_op *row)
{
	struct list *l = opaque;

	(void)shard;
	l->rows++;
	l->bytes += row->key_n + row->value_n;
	return true;
}

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = { "fixed", "value", "ordered" };

	return kind < sizeof names / sizeof *names ? names[kind] : "timers";
}

static void put_table(struct list *l, const struct leat_store_table *t)
{
	if (l->format == LEAT_FORMAT_JSON) {
		begin_object(l, "node", t->node);
		leat_buffer_text(&l->out, ",\"table\":");
		leat_format_json(&l->out, t->table[0] == '\0' ? NULL : t->table);
		leat_format_put(&l->out,
		                ",\"kind\":\"%s\",\"version\":%" PRIu32 ",\"shards\":%" PRIu32 ",\"rows\":%" PRIu64 ",\"bytes\":%" PRIu64 "}",
		                kind_name(t->kind), t->version, t->n_shards, l->rows, l->bytes);
	} else {
		leat_format_put(&l->out, "%-23s %-15s %-7s %7" PRIu32 " %6" PRIu32 " %12" PRIu64 " %14" PRIu64 "\n", t->node,
		                t->table[0] == '\0' ? "-" : t->table, kind_name(t->kind), t->version, t->n_shards, l->rows, l->bytes);
	}
	l->n++;
}

static enum leat_status put_tables(struct list *l, struct leat_error *err)
{
	const struct leat_store_table *t;
	enum leat_status status = LEAT_OK;

	begin_section(l, "tables", "operator                table           kind    version shards         rows          bytes");
	for (size_t i = 0; status == LEAT_OK && (t = leat_store_table(l->store, i)) != NULL; i++) {
		l->rows = l->bytes = 0;
		status = leat_store_scan(l->store, t->number, count_row, l, err);
		if (status == LEAT_OK)
			put_table(l, t);
	}
	end_section(l);
	return status;
}

static void put_sink(struct list *l, const char *name, const struct leat_store_audit *a)
{
	if (l->format == LEAT_FORMAT_JSON) {
		begin_object(l, "sink", name);
		leat_format_put(&l->out,
		                ",\"delivered\":{\"incarnation\":%" PRIu64 ",\"epoch\":%" PRIu64 ",\"digest\":\"%016" PRIx64
		                "\"},\"last_epoch\":%" PRIu64 ",\"outbox\":{\"epochs\":%" PRIu64 ",\"effects\":%" PRIu64 ",\"bytes\":%" PRIu64 "}}",
		                a->delivered.incarnation, a->delivered.epoch, a->delivered.digest, a->head.epoch, a->n_epochs, a->n_effects,
		                a->n_bytes);
	} else {
		leat_format_put(&l->out, "%-23s %9" PRIu64 " %10" PRIu64 " %13" PRIu64 " %10" PRIu64 " %14" PRIu64 "\n", name,
		                a->delivered.epoch, a->head.epoch, a->n_epochs, a->n_effects, a->n_bytes);
	}
	l->n++;
}

static enum leat_status put_sinks(struct list *l, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	begin_section(l, "sinks", "sink                    delivered last epoch outbox epochs    effects          bytes");
	for (uint32_t number = 1; status == LEAT_OK && number <= leat_store_n_sinks(l->store); number++) {
		const char *name = leat_store_sink_name(l->store, number);
		struct leat_store_audit audit;

		status = leat_store_audit(l->store, number, NULL, &audit, err);
		if (status == LEAT_OK)
			put_sink(l, name, &audit);
	}
	end_section(l);
	return status;
}

static enum leat_status put_all(struct list *l, struct leat_error *err)
{
	const struct leat_letter_count letters = leat_store_letters(l->store, NULL);
	enum leat_status status;

	if (l->format == LEAT_FORMAT_JSON) {
		leat_buffer_text(&l->out, "{\"pipeline\":");
		leat_format_json(&l->out, leat_store_pipeline(l->store));
		leat_buffer_text(&l->out, ",\"folder\":");
		leat_format_json(&l->out, leat_store_folder(l->store));
		leat_format_put(&l->out, ",\"epoch\":%" PRIu64 ",\"incarnation\":%" PRIu64, leat_store_epoch(l->store),
		                leat_store_incarnation(l->store));
		leat_format_put(&l->out, ",\"dead_letters\":{\"letters\":%" PRIu64 ",\"bytes\":%" PRIu64 "}", letters.n, letters.bytes);
	} else {
		leat_format_put(&l->out, "pipeline \"%s\" in \"%s\": epoch %" PRIu64 ", incarnation %" PRIu64 ", %" PRIu64 " dead letters\n",
		                leat_store_pipeline(l->store), leat_store_folder(l->store), leat_store_epoch(l->store),
		                leat_store_incarnation(l->store), letters.n);
	}
	begin_section(l, "positions", "source                  partition       position");
	status = leat_store_positions(l->store, put_position, l, err);
	end_section(l);
	if (status == LEAT_OK)
		status = put_tables(l, err);
	if (status == LEAT_OK)
		status = put_sinks(l, err);
	if (l->format == LEAT_FORMAT_JSON)
		leat_buffer_text(&l->out, "}\n");
	return status;
}

static enum leat_exit list(struct leat_state_use *use, const char *path, int format)
{
	struct list l = { .format = format };
	enum leat_exit status = leat_state_read(use, path);
	struct leat_error err;

	if (status != LEAT_EXIT_OK)
		return status;
	if (leat_state_open(use, LEAT_STATE_READ) != LEAT_OK)
		return LEAT_EXIT_FAILED;
	l.store = use->store;
	if (put_all(&l, &err) == LEAT_OK) {
		(void)fwrite(l.out.data, 1, l.out.n, stdout);
	} else {
		leat_verb_complain(use->verb, "%s", err.text);
		status = LEAT_EXIT_FAILED;
	}
	leat_buffer_finish(&l.out);
	return status;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct leat_state_use use = { .verb = verb, .state_dir = "." };
	enum leat_exit status;
	int format = LEAT_FORMAT_TEXT;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		leat_state_option(&use, option);
		if (option == OWN_FORMAT && !leat_argument_format(verb, optarg, &format))
			return LEAT_EXIT_USAGE;
	}
	if (argc - optind != 1)
		return leat_usage_error(verb, "expected one pipeline file or state folder");
	status = list(&use, argv[optind], format);
	leat_state_finish(&use);
	return status;
}

const struct leat_verb leat_verb_state_list = {
	.name = "state list", .summary = "show what the state of a pipeline holds", .help = help, .run = run};
