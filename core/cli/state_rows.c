/* SPDX-License-Identifier: Apache-2.0 */
/* get, scan and export: one walk over tables, with different wishes. */
#include <inttypes.h>
#include <leat/codec.h>
#include <stdio.h>

#include "cli/state.h"
#include "data/json.h"
#include "state/show.h"

#define LINES_HELP                                                                                                         \
	"    Prints a JSON object in a line for each row: node, table, shard, key, value, and changed, the time of the\n"   \
	"    last change. A row of a fixed table has its declared fields as value. An ordered table has a row for\n"        \
	"    each key, without a value, and one for each item, with order and sequence instead of changed. Timers\n"       \
	"    are in a table \"timers\", with clock, due and tag. The pipeline may be running: all rows are as of one\n"     \
	"    epoch.\n"

static const char get_help[] =
	"NAME\n"
	"    leat state get - print what an operator keeps for a key\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state get FILE NODE KEY [--table TABLE] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	LINES_HELP
	"\n"
	"    KEY is JSON, or a text when it is no JSON: anna, 42, '\"42\"', '[\"anna\", 42]'. All rows of the node are\n"
	"    read to find it.\n"
	"\n"
	"OPTIONS\n"
	"    --table TABLE        Of this table only.\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no row of this key, no such node or table, or no state that can be read\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state get payments.yaml spend anna --state-dir /var/lib/leat\n";

static const char scan_help[] =
	"NAME\n"
	"    leat state scan - print what an operator keeps\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state scan FILE NODE [--table TABLE] [--limit N] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	LINES_HELP
	"\n"
	"OPTIONS\n"
	"    --table TABLE        Of this table only.\n"
	"    --limit N            No more rows than this.\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no such node or table, or no state that can be read\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state scan payments.yaml spend --limit 10\n"
	"    leat state scan payments.yaml spend --table timers | jq .due\n";

static const char export_help[] =
	"NAME\n"
	"    leat state export - print all rows of the state\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state export FILE [NODE] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	LINES_HELP
	"\n"
	"OPTIONS\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no such node, or no state that can be read, or a table that the plugins do not know\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state export payments.yaml >state.jsonl\n";

enum { OWN_TABLE = STATE_OWN, OWN_LIMIT };

static const struct option get_options[] = {
	LEAT_STATE_OPTIONS,
	{"table", required_argument, NULL, OWN_TABLE},
	{NULL, 0, NULL, 0},
};
static const struct option scan_options[] = {
	LEAT_STATE_OPTIONS,
	{"table", required_argument, NULL, OWN_TABLE},
	{"limit", required_argument, NULL, OWN_LIMIT},
	{NULL, 0, NULL, 0},
};
static const struct option export_options[] = {
	LEAT_STATE_OPTIONS,
	{NULL, 0, NULL, 0},
};

#define TIMERS "timers"

struct rows {
	struct leat_state_use use;
	const char *node;  /* NULL: all */
	const char *table; /* NULL: all */
	const struct leat_value *key; /* NULL: all */
	uint32_t limit;
	uint32_t n; /* printed */
	const struct leat_store_table *in_hand;
	const struct leat_table_spec *spec; /* of the table in hand; NULL: timers */
	struct leat_buffer line;
	bool is_damaged;
};

/* ---- a row ----------------------------------------------------------------------------------------------------------- */

static void print_row(struct rows *r, uint32_t shard, const struct leat_shown_row *row)
{
	r->line.n = 0;
	leat_row_print_json(r->in_hand->node, r->in_hand->table[0] == '\0' ? TIMERS : r->in_hand->table, shard, row, &r->line);
	leat_buffer_byte(&r->line, '\n');
	(void)fwrite(r->line.data, 1, r->line.n, stdout);
	r->n++;
}

static bool take_row(void *opaque, uint32_t shard, const struct leat_delta_op *op)
{
	struct rows *r = opaque;
	struct leat_arena *arena = leat_arena_create();
	struct leat_shown_row row;

	r->is_damaged = !leat_row_show(r->spec, op, arena, &row);
	if (!r->is_damaged && (r->key == NULL || leat_value_equals(r->key, &row.key)))
		print_row(r, shard, &row);
	leat_arena_unref(arena);
	return !r->is_damaged && r->n < r->limit;
}

/* ---- a table --------------------------------------------------------------------------------------------------------- */

static const struct leat_table_spec *find_spec(const struct leat_description *d, const struct leat_store_table *t)
{
	const struct leat_node *node = leat_description_find(d, LEAT_ROLE_OPERATOR, t->node);
	const struct leat_table_spec *s = node == NULL ? NULL : node->plugin->op->tables;

	for (; s != NULL && s->name != NULL; s++)
		if (strcmp(s->name, t->table) == 0)
			return s;
	return NULL;
}

static bool note_row(void *opaque, uint32_t shard, const struct leat_delta_op *op)
{
	(void)shard;
	(void)op;
	*(bool *)opaque = true;
	return false;
}

static bool has_rows(const struct rows *r, const struct leat_store_table *t)
{
	struct leat_error err;
	bool has = false;

	return leat_store_scan(r->use.store, t->number, note_row, &has, &err) != LEAT_OK || has;
}

/* Fixed rows are read by the fields that they were written by; others say themselves what they are. */
static bool choose_spec(struct rows *r, const struct leat_store_table *t, struct leat_table_spec *made)
{
	*made = (struct leat_table_spec){ .name = t->table, .kind = (enum leat_table_kind)t->kind };
	r->spec = t->kind == LEAT_STORE_TIMERS ? NULL : made;
	if (t->kind != LEAT_TABLE_FIXED)
		return true;
	r->spec = find_spec(r->use.description, t);
	if (r->spec != NULL && r->spec->version == t->version && leat_store_layout(r->spec) == t->layout)
		return true;
	if (!has_rows(r, t))
		return true;
	if (r->spec == NULL)
		leat_verb_complain(r->use.verb, "the pipeline has no table \"%s\" of operator \"%s\" any more, its rows cannot be told apart", t->table,
		                   t->node);
	else
		leat_verb_complain(r->use.verb,
		                   "table \"%s\" of operator \"%s\" is version %" PRIu32 ", its rows are of version %" PRIu32 " or another layout",
		                   t->table, t->node, r->spec->version, t->version);
	return false;
}

static bool print_table(struct rows *r, const struct leat_store_table *t)
{
	struct leat_table_spec made;
	struct leat_error err;

	if (!choose_spec(r, t, &made))
		return false;
	r->in_hand = t;
	if (leat_store_scan(r->use.store, t->number, take_row, r, &err) != LEAT_OK) {
		leat_verb_complain(r->use.verb, "%s", err.text);
		return false;
	}
	if (r->is_damaged)
		leat_verb_complain(r->use.verb, "a row of table \"%s\" of operator \"%s\" is damaged", t->table[0] == '\0' ? TIMERS : t->table,
		                   t->node);
	return !r->is_damaged;
}

static bool is_wanted(const struct rows *r, const struct leat_store_table *t)
{
	const char *name = t->table[0] == '\0' ? TIMERS : t->table;

	return (r->node == NULL || strcmp(r->node, t->node) == 0) && (r->table == NULL || strcmp(r->table, name) == 0);
}

static enum leat_exit print_tables(struct rows *r)
{
	const struct leat_store_table *t;
	bool is_good = true, is_there = false;

	for (size_t i = 0; (t = leat_store_table(r->use.store, i)) != NULL && r->n < r->limit; i++)
		if (is_wanted(r, t)) {
			is_there = true;
			is_good = print_table(r, t) && is_good;
		}
	if (!is_there && r->table != NULL) {
		leat_verb_complain(r->use.verb, "operator \"%s\" has no table \"%s\"", r->node, r->table);
		return LEAT_EXIT_FAILED;
	}
	if (is_good && r->key != NULL && r->n == 0) {
		leat_verb_complain(r->use.verb, "operator \"%s\" keeps nothing for this key", r->node);
		return LEAT_EXIT_FAILED;
	}
	return is_good ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
}

static enum leat_exit print_file(struct rows *r, const char *file)
{
	enum leat_exit status = leat_state_read_file(&r->use, file);

	if (status != LEAT_EXIT_OK)
		return status;
	if (r->node != NULL && leat_state_node(&r->use, LEAT_ROLE_OPERATOR, r->node) == NULL)
		return LEAT_EXIT_FAILED;
	if (leat_state_open(&r->use, LEAT_STATE_READ) != LEAT_OK)
		return LEAT_EXIT_FAILED;
	return print_tables(r);
}

/* ---- the verbs ------------------------------------------------------------------------------------------------------- */

/* JSON, or else a text. The bytes stay in the arena. */
static struct leat_value read_key(struct leat_arena *arena, const char *text)
{
	struct leat_symbols *symbols = leat_symbols_create();
	struct leat_json *json = leat_json_create(symbols);
	size_t n = strlen(text);
	char *bytes = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING);
	struct leat_value key;
	struct leat_error err;

	memset(bytes + n, 0, LEAT_CODEC_PADDING);
	memcpy(bytes, text, n);
	if (leat_json_decode(json, arena, bytes, n, &key, &err) != LEAT_OK)
		key = leat_borrow(bytes, n);
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
	return key;
}

/* False: *status says why. */
static bool read_options(struct rows *r, int argc, char **argv, const struct option *options, enum leat_exit *status)
{
	const struct leat_verb *verb = r->use.verb;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		*status = option == LEAT_ARGUMENT_HELP ? LEAT_EXIT_OK : LEAT_EXIT_USAGE;
		if (option == LEAT_ARGUMENT_HELP || option == LEAT_ARGUMENT_WRONG)
			return false;
		leat_state_option(&r->use, option);
		if (option == OWN_TABLE)
			r->table = optarg;
		if (option == OWN_LIMIT && !leat_argument_number(verb, "limit", optarg, INT32_MAX, &r->limit))
			return false;
	}
	return true;
}

static enum leat_exit finish(struct rows *r, enum leat_exit status)
{
	leat_state_finish(&r->use);
	leat_buffer_finish(&r->line);
	return status;
}

static struct rows rows_of(const struct leat_verb *verb)
{
	return (struct rows){ .use = { .verb = verb, .state_dir = "." }, .limit = UINT32_MAX };
}

static enum leat_exit get(const struct leat_verb *verb, int argc, char **argv)
{
	struct rows r = rows_of(verb);
	struct leat_arena *arena;
	struct leat_value key;
	enum leat_exit status;

	if (!read_options(&r, argc, argv, get_options, &status))
		return status;
	if (argc - optind != 3)
		return leat_usage_error(verb, "expected a pipeline file, an operator and a key");
	arena = leat_arena_create();
	key = read_key(arena, argv[optind + 2]);
	r.node = argv[optind + 1];
	r.key = &key;
	status = finish(&r, print_file(&r, argv[optind]));
	leat_arena_unref(arena);
	return status;
}

static enum leat_exit scan(const struct leat_verb *verb, int argc, char **argv)
{
	struct rows r = rows_of(verb);
	enum leat_exit status;

	if (!read_options(&r, argc, argv, scan_options, &status))
		return status;
	if (argc - optind != 2)
		return leat_usage_error(verb, "expected a pipeline file and an operator");
	r.node = argv[optind + 1];
	return finish(&r, print_file(&r, argv[optind]));
}

static enum leat_exit export(const struct leat_verb *verb, int argc, char **argv)
{
	struct rows r = rows_of(verb);
	enum leat_exit status;

	if (!read_options(&r, argc, argv, export_options, &status))
		return status;
	if (argc - optind < 1 || argc - optind > 2)
		return leat_usage_error(verb, "expected a pipeline file, and one operator at most");
	r.node = argc - optind == 2 ? argv[optind + 1] : NULL;
	return finish(&r, print_file(&r, argv[optind]));
}

const struct leat_verb leat_verb_state_get = {
	.name = "state get", .summary = "print what an operator keeps for a key", .help = get_help, .run = get};
const struct leat_verb leat_verb_state_scan = {
	.name = "state scan", .summary = "print what an operator keeps", .help = scan_help, .run = scan};
const struct leat_verb leat_verb_state_export = {
	.name = "state export", .summary = "print all rows of the state", .help = export_help, .run = export};
