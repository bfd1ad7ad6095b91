/* SPDX-License-Identifier: Apache-2.0 */
/* replay and drop: which letters is decided here, by number; whoever owns the state does it (run/wish.h). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/dlq.h"
#include "run/wish.h"

#define WHICH_HELP                                                                                                         \
	"    NUMBER is that of \"leat dlq list\", or a range such as 17-230, of which those are taken that are there.\n"      \
	"    Letters that are made later are none of these, even of the same node.\n"

#define OPTIONS_HELP                                                                                                       \
	"OPTIONS\n"                                                                                                         \
	"    --node NODE          All letters of this node.\n"                                                             \
	"    --all                All letters.\n"                                                                          \
	LEAT_STATE_OPTIONS_HELP

static const char replay_help[] =
	"NAME\n"
	"    leat dlq replay - have dead letters processed again\n"
	"\n"
	"SYNOPSIS\n"
	"    leat dlq replay FILE NUMBER... [--state-dir FOLDER] [--plugin-path PATH]\n"
	"    leat dlq replay FILE --node NODE|--all [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Each letter enters the node that refused it: a message its source's decoder, an event that operator or\n"
	"    sink, an effect that sink. It leaves the queue in the epoch that has what becomes of it, so whatever is\n"
	"    killed, it is either in the queue or was replayed. What is refused again is a new letter, with a new\n"
	"    number and the same origin. Events that came after it have been processed already: a rule that goes by\n"
	"    their order sees it late. Letters of timers have no event, and cannot be replayed.\n"
	"\n"
	"    A pipeline that runs is told, and waited for up to ten seconds. One that is stopped does it when it\n"
	"    is started, even if its sources have ended. So mend the rule, and start it.\n"
	"\n"
	WHICH_HELP
	"\n"
	OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   replayed, or the pipeline has been told, or there is nothing to replay\n"
	"    1   there is no such letter or node, or it cannot be replayed; then nothing is\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat dlq replay payments.yaml 17 20-25\n"
	"    leat dlq replay payments.yaml --node score --state-dir /var/lib/leat\n";

static const char drop_help[] =
	"NAME\n"
	"    leat dlq drop - remove dead letters\n"
	"\n"
	"SYNOPSIS\n"
	"    leat dlq drop FILE NUMBER... [--state-dir FOLDER] [--plugin-path PATH]\n"
	"    leat dlq drop FILE --node NODE|--all [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    The letters are gone for good. A pipeline that runs is told, and waited for up to ten seconds.\n"
	"\n"
	WHICH_HELP
	"\n"
	OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   dropped, or the pipeline has been told, or there is nothing to drop\n"
	"    1   there is no such letter or node; then nothing is dropped\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat dlq drop payments.yaml 17\n"
	"    leat dlq list payments.yaml --json >letters.jsonl && leat dlq drop payments.yaml --all\n";

enum { OWN_NODE = STATE_OWN, OWN_ALL };

static const struct option options[] = {
	LEAT_STATE_OPTIONS,
	{"node", required_argument, NULL, OWN_NODE},
	{"all", no_argument, NULL, OWN_ALL},
	{NULL, 0, NULL, 0},
};

enum { PATIENCE_US = 10000000, LOOK_NS = 50000000, DROP_AT_ONCE = 1024 };

struct change {
	struct leat_state_use use;
	const char *node;
	bool is_all;
	uint64_t until; /* of the range in hand */
	uint64_t n, n_in_range, n_timers, n_gone;
	uint64_t last; /* letter that there was */
	struct leat_wish wish;
};

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* ---- which ----------------------------------------------------------------------------------------------------------- */

static bool has_node(const struct leat_description *d, const struct leat_letter_row *row)
{
	for (size_t i = 0; i < d->n_nodes; i++)
		if (strlen(d->node[i].name) == row->node_n && memcmp(d->node[i].name, row->node, row->node_n) == 0)
			return true;
	return false;
}

/* A letter that is in the way of a replay is left out where letters were not named one by one. */
static bool can_replay(struct change *c, const struct leat_letter_row *row)
{
	struct leat_arena *arena = leat_arena_create();
	struct leat_letter letter;
	bool is_good = leat_letter_unpack(arena, NULL, row, &letter), is_timer = is_good && letter.kind == LEAT_LETTER_TIMER;
	bool is_there = has_node(c->use.description, row);

	leat_arena_unref(arena);
	c->n_timers += is_timer;
	c->n_gone += !is_timer && !is_there;
	return !is_timer && is_there;
}

static bool take(void *opaque, const struct leat_letter_row *row)
{
	struct change *c = opaque;

	if (row->number > c->until)
		return false;
	if (c->node != NULL && (strlen(c->node) != row->node_n || memcmp(c->node, row->node, row->node_n) != 0))
		return true;
	c->n_in_range++;
	if (c->wish.kind == LEAT_WISH_REPLAY && !can_replay(c, row))
		return true;
	c->n++;
	leat_wish_add(&c->wish, row->number);
	return true;
}

static bool take_range(struct change *c, uint64_t from, uint64_t until)
{
	struct leat_error err;

	c->until = until;
	c->n_in_range = 0;
	if (leat_store_scan_letters(c->use.store, from, take, c, &err) == LEAT_OK)
		return true;
	leat_verb_complain(c->use.verb, "%s", err.text);
	return false;
}

static bool take_numbers(struct change *c, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		uint64_t from, until;

		(void)leat_dlq_range(argv[i], &from, &until);
		if (!take_range(c, from, until))
			return false;
		if (c->n_in_range == 0 && from == until) {
			leat_verb_complain(c->use.verb, "there is no dead letter %" PRIu64 "; it may have been replayed or dropped", from);
			return false;
		}
		if (c->n_in_range == 0) {
			leat_verb_complain(c->use.verb, "there is no dead letter in %s", argv[i]);
			return false;
		}
	}
	if (c->n_timers > 0 || c->n_gone > 0)
		leat_verb_complain(c->use.verb, "%" PRIu64 " of these cannot be replayed: %s", c->n_timers + c->n_gone,
		                   c->n_timers > 0 ? "a timer has no event" : "the pipeline has no such node any more");
	return c->n_timers == 0 && c->n_gone == 0;
}

static bool choose(struct change *c, int argc, char **argv)
{
	if (!leat_dlq_knows(&c->use, c->node))
		return false;
	c->last = leat_store_last_letter(c->use.store);
	if (argc > 0)
		return take_numbers(c, argc, argv);
	if (!take_range(c, 0, UINT64_MAX))
		return false;
	if (c->n_timers > 0)
		(void)printf("%" PRIu64 " letter%s of timers stay: there is no event to be replayed\n", c->n_timers, plural(c->n_timers));
	if (c->n_gone > 0)
		(void)printf("%" PRIu64 " letter%s of nodes that the pipeline has no more stay\n", c->n_gone, plural(c->n_gone));
	return true;
}

/* ---- doing ----------------------------------------------------------------------------------------------------------- */

static enum leat_exit failed(const struct change *c, const struct leat_error *err)
{
	leat_verb_complain(c->use.verb, "%s", err->text);
	return LEAT_EXIT_FAILED;
}

static enum leat_status commit(struct leat_store *store, struct leat_error *err)
{
	return leat_store_has_changes(store) ? leat_store_commit(store, leat_store_epoch(store), err) : LEAT_OK;
}

static enum leat_status drop_range(struct change *c, const struct leat_wish_range *range, uint64_t *n, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (uint64_t number = range->from; number <= range->until && status != LEAT_FATAL; number++) {
		status = leat_store_erase_letter(c->use.store, number, err);
		if (status == LEAT_OK && ++*n % DROP_AT_ONCE == 0)
			status = commit(c->use.store, err);
	}
	return status == LEAT_FATAL ? status : LEAT_OK;
}

/* Nobody owns the state: it is ours for the moment. */
static enum leat_exit drop_here(struct change *c)
{
	enum leat_status status = LEAT_OK;
	struct leat_error err;
	uint64_t n = 0;

	if (leat_state_open(&c->use, LEAT_STATE_OWN) != LEAT_OK)
		return LEAT_EXIT_FAILED;
	for (size_t i = 0; i < c->wish.n && status == LEAT_OK; i++)
		status = drop_range(c, &c->wish.range[i], &n, &err);
	if (status == LEAT_OK)
		status = commit(c->use.store, &err);
	if (status != LEAT_OK)
		return failed(c, &err);
	(void)printf("%" PRIu64 " dead letter%s dropped\n", n, n == 1 ? " was" : "s were");
	return LEAT_EXIT_OK;
}

static bool is_gone(const char *path)
{
	int64_t until_us = leat_clock_monotonic_us() + PATIENCE_US;

	while (access(path, F_OK) == 0 && leat_clock_monotonic_us() < until_us)
		(void)nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	return access(path, F_OK) != 0 && errno == ENOENT;
}

/* Which of them were refused again nobody can tell; that there are new ones is worth a look. */
static void tell_new(struct change *c)
{
	uint64_t last;

	if (c->wish.kind == LEAT_WISH_DROP || leat_state_open(&c->use, LEAT_STATE_READ) != LEAT_OK)
		return;
	last = leat_store_last_letter(c->use.store);
	if (last > c->last)
		(void)printf("%" PRIu64 " dead letter%s new since, from number %" PRIu64 " on\n", last - c->last, last - c->last == 1 ? " is" : "s are",
		             c->last + 1);
}

static enum leat_exit tell(struct change *c, bool is_running)
{
	const char *done = c->wish.kind == LEAT_WISH_DROP ? "dropped" : "replayed";
	struct leat_error err;

	if (leat_wish_write(&c->wish, c->use.folder, &err) != LEAT_OK)
		return failed(c, &err);
	if (!is_running) {
		(void)printf("%" PRIu64 " dead letter%s %s when pipeline \"%s\" is started\n", c->n, c->n == 1 ? " is" : "s are", done,
		             c->use.description->name);
	} else if (is_gone(c->wish.path)) {
		(void)printf("%" PRIu64 " dead letter%s %s\n", c->n, c->n == 1 ? " was" : "s were", done);
		tell_new(c);
	} else {
		(void)printf("%" PRIu64 " dead letter%s to be %s: pipeline \"%s\" has been told, and is not done with it yet\n", c->n,
		             c->n == 1 ? " is" : "s are", done, c->use.description->name);
	}
	return LEAT_EXIT_OK;
}

static void close_store(struct change *c)
{
	leat_store_close(c->use.store);
	c->use.store = NULL;
}

static enum leat_exit change(struct change *c, const char *file, int argc, char **argv)
{
	enum leat_exit exit_status = leat_dlq_open(&c->use, file, false);
	enum leat_status status;

	if (exit_status != LEAT_EXIT_OK)
		return exit_status;
	if (!choose(c, argc, argv))
		return LEAT_EXIT_FAILED;
	if (c->n == 0) {
		(void)printf("there is nothing to %s\n", c->wish.kind == LEAT_WISH_DROP ? "drop" : "replay");
		return LEAT_EXIT_OK;
	}
	close_store(c);
	status = leat_state_open(&c->use, LEAT_STATE_STILL);
	close_store(c);
	if (status == LEAT_FATAL)
		return LEAT_EXIT_FAILED;
	if (status == LEAT_OK && c->wish.kind == LEAT_WISH_DROP)
		return drop_here(c);
	return tell(c, status == LEAT_RETRY);
}

/* ---- the verbs ------------------------------------------------------------------------------------------------------- */

/* False: *status says why. */
static bool read_options(struct change *c, int argc, char **argv, enum leat_exit *status)
{
	int option;

	while ((option = leat_argument_next(c->use.verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		*status = option == LEAT_ARGUMENT_HELP ? LEAT_EXIT_OK : LEAT_EXIT_USAGE;
		if (option == LEAT_ARGUMENT_HELP || option == LEAT_ARGUMENT_WRONG)
			return false;
		leat_state_option(&c->use, option);
		if (option == OWN_NODE)
			c->node = optarg;
		c->is_all = c->is_all || option == OWN_ALL;
	}
	return true;
}

static enum leat_exit check_usage(const struct change *c, int argc, char **argv)
{
	uint64_t from, until, before = 0;

	if (argc < 1)
		return leat_usage_error(c->use.verb, "expected a pipeline file, and dead letters");
	if ((argc > 1) + (c->node != NULL) + c->is_all != 1)
		return leat_usage_error(c->use.verb, "expected one of: numbers of dead letters, --node, --all");
	for (int i = 1; i < argc; i++) {
		if (!leat_dlq_range(argv[i], &from, &until))
			return leat_usage_error(c->use.verb, "expected the number of a dead letter or a range, not \"%s\"", argv[i]);
		if (from <= before)
			return leat_usage_error(c->use.verb, "expected numbers in their order, and each once: \"%s\" comes too late", argv[i]);
		before = until;
	}
	return LEAT_EXIT_OK;
}

static enum leat_exit run(const struct leat_verb *verb, enum leat_wish_kind kind, int argc, char **argv)
{
	struct change c = { .use = { .verb = verb, .state_dir = "." }, .wish.kind = kind };
	enum leat_exit status;

	if (!read_options(&c, argc, argv, &status))
		return status;
	status = check_usage(&c, argc - optind, argv + optind);
	if (status == LEAT_EXIT_OK)
		status = change(&c, argv[optind], argc - optind - 1, argv + optind + 1);
	leat_wish_finish(&c.wish);
	leat_state_finish(&c.use);
	return status;
}

static enum leat_exit replay(const struct leat_verb *verb, int argc, char **argv)
{
	return run(verb, LEAT_WISH_REPLAY, argc, argv);
}

static enum leat_exit drop(const struct leat_verb *verb, int argc, char **argv)
{
	return run(verb, LEAT_WISH_DROP, argc, argv);
}

const struct leat_verb leat_verb_dlq_replay = {
	.name = "dlq replay", .summary = "have dead letters processed again", .help = replay_help, .run = replay};
const struct leat_verb leat_verb_dlq_drop = {.name = "dlq drop", .summary = "remove dead letters", .help = drop_help, .run = drop};
