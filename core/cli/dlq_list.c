/* SPDX-License-Identifier: Apache-2.0 */
/* list and show. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/dlq.h"
#include "data/json.h"
#include "run/wish.h"
#include "service/format.h"

static const char list_help[] =
	"NAME\n"
	"    leat dlq list - list the dead letters of a pipeline\n"
	"\n"
	"SYNOPSIS\n"
	"    leat dlq list FILE|FOLDER [--node NODE] [--limit N] [--json] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Prints a line for each letter, oldest first: its number; when it died; the node that could not take it;\n"
	"    what failed (the message of a source, an event, the effect of a sink, or a timer); which source,\n"
	"    partition and offset that came from; the reason, behind file and line where it is a script's; the\n"
	"    payload. Long reasons and payloads are cut; \"leat dlq show\" has all of a letter. A letter that is\n"
	"    to be replayed or dropped when the pipeline comes to it says so.\n"
	"\n"
	"    FILE is the pipeline's file, FOLDER its state folder or a backup of it. The pipeline may be running.\n"
	"\n"
	"OPTIONS\n"
	"    --node NODE          Of this node only.\n"
	"    --limit N            The newest N only.\n"
	"    --json               A JSON object in a line for each letter, with nothing cut.\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no such node, or no state that can be read\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat dlq list payments.yaml --node score --limit 20\n"
	"    leat dlq list payments.yaml --json | jq -r .reason | sort | uniq -c\n";

static const char show_help[] =
	"NAME\n"
	"    leat dlq show - print all there is to know about a dead letter\n"
	"\n"
	"SYNOPSIS\n"
	"    leat dlq show FILE|FOLDER NUMBER [--json] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Prints where the letter comes from and why it died, with the traceback of a script, and its payload.\n"
	"    Bytes that are no text are printed as in C: \\xff.\n"
	"\n"
	"OPTIONS\n"
	"    --json               As \"leat dlq list --json\" does.\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   printed\n"
	"    1   there is no such letter, or no state that can be read\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat dlq show payments.yaml 17\n";

enum { OWN_NODE = STATE_OWN, OWN_LIMIT, OWN_JSON };

static const struct option list_options[] = {
	LEAT_STATE_OPTIONS,
	{"node", required_argument, NULL, OWN_NODE},
	{"limit", required_argument, NULL, OWN_LIMIT},
	{"json", no_argument, NULL, OWN_JSON},
	{NULL, 0, NULL, 0},
};
static const struct option show_options[] = {
	LEAT_STATE_OPTIONS,
	{"json", no_argument, NULL, OWN_JSON},
	{NULL, 0, NULL, 0},
};

/* Of a line, where no terminal says how wide it is; of a reason, when there is a payload to be shown too. */
enum { PLAIN_WIDTH = 160, REASON_WIDTH = 60, LEAST_PAYLOAD = 16 };

struct list {
	struct leat_state_use use;
	const char *node;
	uint32_t limit;
	bool is_json, is_damaged;
	uint64_t n, n_skipped, skip; /* letters that fit; the oldest of them, for --limit */
	int width, number_width, node_width, origin_width, wish_width;
	struct leat_wish *wish;
	size_t n_wishes;
	struct leat_buffer line, cell;
	void (*put)(struct list *l, const struct leat_letter *letter);
};

/* ---- text ------------------------------------------------------------------------------------------------------------ */

/* What could move a cursor or is no UTF-8 as in C. */
static void put_bytes(struct leat_buffer *out, const char *s, size_t n, bool is_text)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c == '\n')
			leat_buffer_text(out, "\\n");
		else if (c == '\t')
			leat_buffer_text(out, "\\t");
		else if (c < 0x20 || c == 0x7f || (c >= 0x80 && !is_text))
			leat_format_put(out, "\\x%02x", c);
		else
			leat_buffer_byte(out, s[i]);
	}
}

/* JSON, but for a message's bytes and an effect's, which are shown as they are. */
static void put_value(struct leat_buffer *out, const struct leat_letter *letter, const struct leat_value *value)
{
	const bool is_bytes = value->type == LEAT_BYTES || (value->type == LEAT_TEXT && letter->kind != LEAT_LETTER_EVENT);
	struct leat_buffer json = { 0 };
	struct leat_error err;

	if (is_bytes)
		put_bytes(out, value->as.text, value->n, value->type == LEAT_TEXT);
	else if (leat_json_encode(value, &json, &err) == LEAT_OK)
		put_bytes(out, json.data, json.n, true);
	else
		leat_buffer_text(out, err.text);
	leat_buffer_finish(&json);
}

/* Characters, as a terminal counts most of them. */
static int width_of(const char *s, size_t n)
{
	int width = 0;

	for (size_t i = 0; i < n; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

/* No more than that many characters; "..." where something is cut. Returns how many. */
static int put_cut(struct leat_buffer *out, const char *s, size_t n, int width)
{
	int all = width_of(s, n), left = width - 3;
	size_t i = 0;

	if (all <= width) {
		leat_buffer_append(out, s, n);
		return all;
	}
	for (; i < n && (left > 0 || ((unsigned char)s[i] & 0xc0) == 0x80); i++)
		if (((unsigned char)s[i] & 0xc0) != 0x80 && left-- == 0)
			break;
	leat_buffer_append(out, s, i);
	leat_buffer_text(out, "...");
	return width;
}

static void put_time(struct leat_buffer *out, int64_t time_us)
{
	time_t seconds = (time_t)(time_us / 1000000);
	char text[32] = "-";
	struct tm tm;

	if (gmtime_r(&seconds, &tm) != NULL)
		(void)strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	leat_buffer_text(out, text);
}

static int origin_text(const struct leat_letter *letter, char *text, size_t size)
{
	if (letter->source == NULL)
		return snprintf(text, size, "-");
	return snprintf(text, size, "%s[%" PRId32 "]@%" PRId64, letter->source, letter->record.origin.partition, letter->record.origin.offset);
}

static const char *wish_of(const struct list *l, uint64_t number)
{
	for (size_t i = 0; i < l->n_wishes; i++)
		if (leat_wish_has(&l->wish[i], number))
			return l->wish[i].kind == LEAT_WISH_DROP ? "drop" : "replay";
	return "";
}

/* ---- a line ---------------------------------------------------------------------------------------------------------- */

static void measure(struct list *l, const struct leat_letter *letter)
{
	char text[256];
	int number = snprintf(text, sizeof text, "%" PRIu64, letter->number), node = (int)strlen(letter->node);
	int origin = origin_text(letter, text, sizeof text), wish = (int)strlen(wish_of(l, letter->number));

	l->number_width = number > l->number_width ? number : l->number_width;
	l->node_width = node > l->node_width ? node : l->node_width;
	l->origin_width = origin > l->origin_width ? origin : l->origin_width;
	l->wish_width = wish > l->wish_width ? wish : l->wish_width;
}

static void put_heading(struct list *l)
{
	leat_format_put(&l->line, "%*s  %-19s  %-*s  %-7s  %-*s  ", l->number_width, "#", "time (UTC)", l->node_width, "node", "failed",
	                l->origin_width, "origin");
	if (l->wish_width > 0)
		leat_format_put(&l->line, "%-*s  ", l->wish_width, "wish");
	leat_buffer_text(&l->line, "reason; payload\n");
}

static void put_reason(struct list *l, const struct leat_letter *letter)
{
	const int has = width_of(l->line.data, l->line.n), room = l->width - has;
	int reason = letter->kind == LEAT_LETTER_TIMER || room < REASON_WIDTH + LEAST_PAYLOAD ? room : REASON_WIDTH;

	l->cell.n = 0;
	if (letter->where[0] != '\0') {
		put_bytes(&l->cell, letter->where, strlen(letter->where), true);
		leat_buffer_text(&l->cell, ": ");
	}
	put_bytes(&l->cell, letter->reason, strlen(letter->reason), true);
	reason = put_cut(&l->line, l->cell.data, l->cell.n, reason);
	if (letter->kind == LEAT_LETTER_TIMER || room - reason - 2 < LEAST_PAYLOAD)
		return;
	l->cell.n = 0;
	put_value(&l->cell, letter, &letter->record.value);
	leat_buffer_text(&l->line, "; ");
	(void)put_cut(&l->line, l->cell.data, l->cell.n, room - reason - 2);
}

static void put_line(struct list *l, const struct leat_letter *letter)
{
	char origin[256];

	(void)origin_text(letter, origin, sizeof origin);
	leat_format_put(&l->line, "%*" PRIu64 "  ", l->number_width, letter->number);
	put_time(&l->line, letter->time_us);
	leat_format_put(&l->line, "  %-*s  %-7s  %-*s  ", l->node_width, letter->node, leat_letter_kind_name(letter->kind), l->origin_width,
	                origin);
	if (l->wish_width > 0)
		leat_format_put(&l->line, "%-*s  ", l->wish_width, wish_of(l, letter->number));
	put_reason(l, letter);
	leat_buffer_byte(&l->line, '\n');
}

static void put_json(struct list *l, const struct leat_letter *letter)
{
	leat_letter_print_json(letter, &l->line);
	leat_buffer_byte(&l->line, '\n');
}

/* ---- a whole letter -------------------------------------------------------------------------------------------------- */

/* Further lines of a text stand under its first one. */
static void put_lines(struct leat_buffer *out, const char *name, const char *text)
{
	if (text[0] == '\0')
		return;
	leat_format_put(out, "  %-9s", name);
	for (; *text != '\0'; text++) {
		if (*text == '\n' && text[1] != '\0')
			leat_buffer_text(out, "\n           ");
		else if (*text == '\t')
			leat_buffer_text(out, "  ");
		else if (*text != '\n')
			put_bytes(out, text, 1, true);
	}
	leat_buffer_byte(out, '\n');
}

static void put_headers(struct leat_buffer *out, const struct leat_headers *headers)
{
	for (size_t i = 0; headers != NULL && i < headers->n; i++) {
		leat_format_put(out, "  %-9s", i == 0 ? "headers" : "");
		put_bytes(out, headers->item[i].name, strlen(headers->item[i].name), true);
		leat_buffer_text(out, " = ");
		put_bytes(out, headers->item[i].bytes, headers->item[i].n, false);
		leat_buffer_byte(out, '\n');
	}
}

static void put_letter(struct list *l, const struct leat_letter *letter)
{
	static const char *const what[] = { "a message that cannot be decoded", "an event", "an effect", "a timer, or the end" };
	const char *wish = wish_of(l, letter->number);
	struct leat_buffer *out = &l->line;

	leat_format_put(out, "dead letter %" PRIu64 " of \"%s\"\n", letter->number, letter->node);
	leat_buffer_text(out, "  died     ");
	put_time(out, letter->time_us);
	leat_format_put(out, " UTC, epoch %" PRIu64 "\n", letter->epoch);
	put_lines(out, "failed", what[letter->kind]);
	if (letter->source != NULL)
		leat_format_put(out, "  origin   source \"%s\", partition %" PRId32 ", offset %" PRId64 "\n", letter->source,
		                letter->record.origin.partition, letter->record.origin.offset);
	put_lines(out, "where", letter->where);
	put_lines(out, "reason", letter->reason);
	put_lines(out, "detail", letter->detail);
	if (wish[0] != '\0')
		leat_format_put(out, "  wish     %s, when the pipeline comes to it\n", wish);
	if (letter->record.key.type != LEAT_NULL) {
		leat_buffer_text(out, "  key      ");
		put_value(out, letter, &letter->record.key);
		leat_buffer_byte(out, '\n');
	}
	put_headers(out, letter->record.headers);
	if (letter->kind == LEAT_LETTER_TIMER)
		return;
	leat_buffer_text(out, "  payload  ");
	put_value(out, letter, &letter->record.value);
	leat_buffer_byte(out, '\n');
}

/* ---- all of them ----------------------------------------------------------------------------------------------------- */

static bool take(void *opaque, const struct leat_letter_row *row)
{
	struct list *l = opaque;
	struct leat_arena *arena;
	struct leat_letter letter;

	if (l->node != NULL && (strlen(l->node) != row->node_n || memcmp(l->node, row->node, row->node_n) != 0))
		return true;
	if (l->n++ < l->skip)
		return true;
	arena = leat_arena_create();
	l->is_damaged = !leat_letter_unpack(arena, NULL, row, &letter);
	if (!l->is_damaged)
		l->put(l, &letter);
	leat_arena_unref(arena);
	if (l->is_damaged)
		leat_verb_complain(l->use.verb, "dead letter %" PRIu64 " is damaged", row->number);
	(void)fwrite(l->line.data, 1, l->line.n, stdout);
	l->line.n = 0;
	return !l->is_damaged;
}

static bool pass_all(struct list *l, void (*put)(struct list *l, const struct leat_letter *letter))
{
	struct leat_error err;

	l->n = 0;
	l->put = put;
	if (leat_store_scan_letters(l->use.store, 0, take, l, &err) == LEAT_OK)
		return !l->is_damaged;
	leat_verb_complain(l->use.verb, "%s", err.text);
	return false;
}

static void put_sum(const struct list *l)
{
	struct leat_letter_count count = leat_store_letters(l->use.store, l->node);

	(void)printf("%" PRIu64 " dead letter%s%s%s%s, %" PRIu64 " bytes", count.n, count.n == 1 ? "" : "s", l->node == NULL ? "" : " of \"",
	             l->node == NULL ? "" : l->node, l->node == NULL ? "" : "\"", count.bytes);
	if (l->skip > 0)
		(void)printf("; these are the newest %" PRIu64, count.n - l->skip);
	(void)printf("\n");
}

static enum leat_exit list_all(struct list *l)
{
	uint64_t n = leat_store_letters(l->use.store, l->node).n;
	struct winsize size;

	l->skip = n > l->limit ? n - l->limit : 0;
	if (l->is_json)
		return pass_all(l, put_json) ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
	l->width = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : PLAIN_WIDTH;
	l->number_width = l->node_width = (int)strlen("node");
	l->origin_width = (int)strlen("origin");
	if (!pass_all(l, measure))
		return LEAT_EXIT_FAILED;
	if (l->n > l->skip) {
		put_heading(l);
		(void)fwrite(l->line.data, 1, l->line.n, stdout);
		l->line.n = 0;
	}
	if (!pass_all(l, put_line))
		return LEAT_EXIT_FAILED;
	put_sum(l);
	return LEAT_EXIT_OK;
}

struct one {
	struct list *list;
	uint64_t number;
	bool is_found;
};

static bool take_one(void *opaque, const struct leat_letter_row *row)
{
	struct one *one = opaque;

	one->is_found = row->number == one->number;
	if (one->is_found)
		(void)take(one->list, row);
	return false;
}

static enum leat_exit show_one(struct list *l, uint64_t number)
{
	struct one one = { .list = l, .number = number };
	struct leat_error err;

	l->put = l->is_json ? put_json : put_letter;
	if (leat_store_scan_letters(l->use.store, number, take_one, &one, &err) != LEAT_OK)
		leat_verb_complain(l->use.verb, "%s", err.text);
	else if (!one.is_found)
		leat_verb_complain(l->use.verb, "there is no dead letter %" PRIu64 "; it may have been replayed or dropped", number);
	else if (!l->is_damaged)
		return LEAT_EXIT_OK;
	return LEAT_EXIT_FAILED;
}

/* ---- the verbs ------------------------------------------------------------------------------------------------------- */

/* False: *status says why. */
static bool read_options(struct list *l, int argc, char **argv, const struct option *options, enum leat_exit *status)
{
	int option;

	while ((option = leat_argument_next(l->use.verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		*status = option == LEAT_ARGUMENT_HELP ? LEAT_EXIT_OK : LEAT_EXIT_USAGE;
		if (option == LEAT_ARGUMENT_HELP || option == LEAT_ARGUMENT_WRONG)
			return false;
		leat_state_option(&l->use, option);
		if (option == OWN_NODE)
			l->node = optarg;
		if (option == OWN_LIMIT && !leat_argument_number(l->use.verb, "limit", optarg, INT32_MAX, &l->limit))
			return false;
		l->is_json = l->is_json || option == OWN_JSON;
	}
	return true;
}

static enum leat_exit finish(struct list *l, enum leat_exit status)
{
	for (size_t i = 0; i < l->n_wishes; i++)
		leat_wish_finish(&l->wish[i]);
	free(l->wish);
	leat_buffer_finish(&l->line);
	leat_buffer_finish(&l->cell);
	leat_state_finish(&l->use);
	return status;
}

static enum leat_exit open_list(struct list *l, const char *path)
{
	enum leat_exit status = leat_dlq_open(&l->use, path, true);

	if (status == LEAT_EXIT_OK && !leat_dlq_knows(&l->use, l->node))
		status = LEAT_EXIT_FAILED;
	if (status == LEAT_EXIT_OK)
		l->wish = leat_wish_list(l->use.folder, &l->n_wishes);
	return status;
}

static enum leat_exit list(const struct leat_verb *verb, int argc, char **argv)
{
	struct list l = { .use = { .verb = verb, .state_dir = "." }, .limit = UINT32_MAX };
	enum leat_exit status;

	if (!read_options(&l, argc, argv, list_options, &status))
		return status;
	if (argc - optind != 1)
		return leat_usage_error(verb, "expected one pipeline file or state folder");
	status = open_list(&l, argv[optind]);
	return finish(&l, status == LEAT_EXIT_OK ? list_all(&l) : status);
}

static enum leat_exit show(const struct leat_verb *verb, int argc, char **argv)
{
	struct list l = { .use = { .verb = verb, .state_dir = "." } };
	uint64_t number, until;
	enum leat_exit status;

	if (!read_options(&l, argc, argv, show_options, &status))
		return status;
	if (argc - optind != 2)
		return leat_usage_error(verb, "expected a pipeline file or state folder, and the number of a dead letter");
	if (!leat_dlq_range(argv[optind + 1], &number, &until) || number != until)
		return leat_usage_error(verb, "expected the number of a dead letter, not \"%s\"", argv[optind + 1]);
	status = open_list(&l, argv[optind]);
	return finish(&l, status == LEAT_EXIT_OK ? show_one(&l, number) : status);
}

const struct leat_verb leat_verb_dlq_list = {
	.name = "dlq list", .summary = "list the dead letters of a pipeline", .help = list_help, .run = list};
const struct leat_verb leat_verb_dlq_show = {
	.name = "dlq show", .summary = "print all there is to know about a dead letter", .help = show_help, .run = show};
