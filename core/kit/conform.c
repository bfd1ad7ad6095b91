/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE 1 /* memmem(), mallinfo2() */
#include "kit/conform.h"

#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"
#include "kit/plain.h"
#include "kit/starve.h"

enum { FEW = 8, RANDOM_SPLITS = 24, CRASHES = 32, PERMUTATIONS = 16, WARM = 10, ROUNDS = 20, STARVED = 64, PATIENCE_S = 120 };

/* What is known while one property is tried. */
struct attempt {
	const struct leat_trial *trial;
	struct leat_outcome reference;
	struct leat_dice dice;
	enum leat_verdict_kind kind;
	struct leat_buffer text; /* how it was tried; of a failure, what differed */
};

static void skip(struct attempt *a, const char *why)
{
	a->kind = LEAT_SKIPPED;
	leat_buffer_text(&a->text, why);
}

/* Plays it that way. False: it came to something else, and is told with `how`, what was done to it. */
static bool holds(struct attempt *a, const struct leat_way *way, enum leat_outcome_order order, const char *how)
{
	struct leat_outcome got;
	char *difference;

	leat_play(a->trial, way, &got);
	difference = leat_outcome_compare(&a->reference, &got, order);
	leat_outcome_finish(&got);
	if (difference != NULL) {
		a->kind = LEAT_FAILED;
		leat_plain_put(&a->text, "%s: %s", how, difference);
	}
	free(difference);
	return a->kind != LEAT_FAILED;
}

/* Where batches end. */
static char *describe_split(const unsigned char *mark, size_t n)
{
	struct leat_buffer text = { .n = 0 };
	const char *separator = " ";

	if (memchr(mark, 0, n) == NULL)
		return leat_format_text("batches of one event each");
	leat_buffer_text(&text, "batches that end behind steps");
	for (size_t i = 0; i < n; i++) {
		if (!mark[i])
			continue;
		leat_plain_put(&text, "%s%zu", separator, i + 1);
		separator = ", ";
	}
	leat_buffer_byte(&text, '\0');
	return text.data;
}

/* ---- the properties ------------------------------------------------------------------------------------------------- */

static void try_runs(struct attempt *a)
{
	leat_play(a->trial, &(struct leat_way){ .n_shards = 1 }, &a->reference);
	if (a->reference.status == LEAT_OK && (a->reference.n > a->reference.n_rejected || a->reference.state[0] != '\0'))
		return;
	a->kind = LEAT_FAILED;
	if (a->reference.status != LEAT_OK)
		leat_buffer_text(&a->text, a->reference.err.text);
	else if (a->reference.n_rejected > 0)
		leat_plain_put(&a->text, "every event is rejected, such as: %s", a->reference.row[0].text);
	else
		leat_buffer_text(&a->text, "no row comes out, and no state is kept");
	leat_buffer_text(&a->text, "; give it events that do something, with \"events\" or --sample");
}

static void try_twice(struct attempt *a)
{
	(void)(holds(a, &(struct leat_way){ .n_shards = 1 }, LEAT_ORDER_ALL, "the same input once more") &&
	       holds(a, &(struct leat_way){ .n_shards = 1 }, LEAT_ORDER_ALL, "the same input a third time"));
}

static bool holds_split(struct attempt *a, const unsigned char *is_cut)
{
	char *how = describe_split(is_cut, a->trial->script.n);
	bool is_good = holds(a, &(struct leat_way){ .is_cut = is_cut }, LEAT_ORDER_ALL, how);

	free(how);
	return is_good;
}

static void try_split(struct attempt *a)
{
	size_t n = a->trial->script.n, few = n < FEW ? n : FEW;
	unsigned char *is_cut = leat_allocate_zeroed(n + 1, 1);

	for (size_t bits = 0; bits < (size_t)1 << (few - 1) && a->kind == LEAT_PASSED; bits++) {
		for (size_t i = 0; i < few; i++)
			is_cut[i] = bits >> i & 1;
		(void)holds_split(a, is_cut);
	}
	for (size_t run = 0; run < RANDOM_SPLITS && a->kind == LEAT_PASSED; run++) {
		for (size_t i = 0; i < n; i++)
			is_cut[i] = run == 0 || leat_dice_once_in(&a->dice, 1 + run % 6);
		(void)holds_split(a, is_cut);
	}
	free(is_cut);
}

static void try_undone(struct attempt *a)
{
	(void)holds(a, &(struct leat_way){ .is_twice = true }, LEAT_ORDER_ALL, "each event tried, taken back, and processed again");
}

/* What was rejected leaves no trace: the others come to the same without it. */
static void try_rejected(struct attempt *a)
{
	const struct leat_way way = { .is_left_out = a->reference.is_rejected };

	if (a->reference.n_rejected == 0)
		skip(a, "no event is rejected");
	else
		(void)holds(a, &way, LEAT_ORDER_ALIVE, "without the events that are rejected");
}

static void try_restored(struct attempt *a)
{
	size_t n = a->trial->script.n;
	unsigned char *is_restart = leat_allocate_zeroed(n + 1, 1);

	for (size_t i = 0; i < n && a->kind == LEAT_PASSED; i++) {
		char how[64];

		(void)snprintf(how, sizeof how, "restored behind step %zu", i + 1);
		is_restart[i] = 1;
		(void)holds(a, &(struct leat_way){ .is_restart = is_restart }, LEAT_ORDER_ALL, how);
		is_restart[i] = 0;
	}
	memset(is_restart, 1, n);
	if (a->kind == LEAT_PASSED)
		(void)holds(a, &(struct leat_way){ .is_restart = is_restart }, LEAT_ORDER_ALL, "restored behind every step");
	free(is_restart);
}

static void try_replayed(struct attempt *a)
{
	size_t n = a->trial->script.n;

	for (size_t run = 0; run < CRASHES && a->kind == LEAT_PASSED; run++) {
		struct leat_way way = { .has_crash = true, .crash_from = leat_dice_below(&a->dice, n) };
		char how[96];

		way.crash_until = way.crash_from + leat_dice_below(&a->dice, n - way.crash_from);
		(void)snprintf(how, sizeof how, "crashed behind step %zu, and back at the checkpoint behind step %zu", way.crash_until + 1,
		               way.crash_from + 1);
		(void)holds(a, &way, LEAT_ORDER_ALL, how);
	}
}

/* Memory for nothing: every entry leaves as soon as it may. */
static void try_fetched(struct attempt *a)
{
	size_t n = a->trial->script.n;
	unsigned char *is_restart = leat_allocate_zeroed(n + 1, 1);
	struct leat_memory memory = { .limit = 1 };

	if (a->trial->node->plugin->op->tables == NULL)
		skip(a, "it has no state");
	for (size_t every = 1; every < 6 && a->kind == LEAT_PASSED; every++) {
		for (size_t i = 0; i < n; i++)
			is_restart[i] = i % every == 0;
		(void)holds(a, &(struct leat_way){ .is_restart = is_restart, .memory = &memory }, LEAT_ORDER_ALL,
		            "state that is fetched when it is asked for");
	}
	free(is_restart);
}

/* Events of different keys that are next to each other change places, many times. */
static void permute(struct attempt *a, char *const *key, size_t *order)
{
	size_t n = a->trial->script.n;

	for (size_t i = 0; i < n; i++)
		order[i] = i;
	for (size_t swap = 0; n > 1 && swap < 8 * n; swap++) {
		size_t i = leat_dice_below(&a->dice, n - 1), left = order[i];

		if (key[left] == NULL || key[order[i + 1]] == NULL || strcmp(key[left], key[order[i + 1]]) == 0)
			continue;
		order[i] = order[i + 1];
		order[i + 1] = left;
	}
}

static void try_shards(struct attempt *a)
{
	size_t n = a->trial->script.n;
	size_t *order = leat_allocate_zeroed(n + 1, sizeof *order);
	char **key = leat_play_keys(a->trial);

	if (a->trial->node->n_keys == 0)
		skip(a, "it is not keyed");
	for (uint32_t run = 0; run < PERMUTATIONS && a->kind == LEAT_PASSED; run++) {
		struct leat_way way = { .order = order, .n_shards = 1 + run % 5 };
		char how[96];

		permute(a, key, order);
		(void)snprintf(how, sizeof how, "events of different keys in another order, in %u shards", way.n_shards);
		(void)holds(a, &way, LEAT_ORDER_BY_KEY, how);
	}
	for (size_t i = 0; i < n; i++)
		free(key[i]);
	free(key);
	free(order);
}

/* ---- memory --------------------------------------------------------------------------------------------------------- */

static void play_for_nothing(const struct attempt *a)
{
	struct leat_outcome outcome;

	leat_play(a->trial, &(struct leat_way){ .n_shards = 1 }, &outcome);
	leat_outcome_finish(&outcome);
}

#if defined(__SANITIZE_ADDRESS__)
int __lsan_do_recoverable_leak_check(void);
#endif

static void try_leaks(struct attempt *a)
{
#if defined(__SANITIZE_ADDRESS__)
	play_for_nothing(a);
	if (__lsan_do_recoverable_leak_check() != 0) {
		a->kind = LEAT_FAILED;
		leat_buffer_text(&a->text, "the leak sanitizer has found leaks, see above");
	}
#elif defined(__GLIBC__)
	size_t last = 0, least = SIZE_MAX;

	/* What is lost is lost each time; what malloc keeps for later grows only now and then, once it is warm. */
	for (size_t i = 0; i < WARM + ROUNDS && least > 0; i++) {
		size_t now;

		play_for_nothing(a);
		now = mallinfo2().uordblks;
		if (i >= WARM)
			least = now <= last ? 0 : now - last < least ? now - last : least;
		last = now;
	}
	if (least > 0) {
		a->kind = LEAT_FAILED;
		leat_plain_put(&a->text, "at least %zu more bytes are in use each time that it was made, run and destroyed", least);
	}
#else
	skip(a, "needs a build with sanitizers here");
#endif
}

/* Reads until nobody has the other end any more. */
static void read_all(int from, struct leat_buffer *text)
{
	ssize_t n;

	while ((n = read(from, leat_buffer_reserve(text, 4096), 4096)) > 0)
		text->n += (size_t)n;
}

/* Runs it in a process whose n-th allocation fails; returns how that ended, with what it wrote. -1: could not start one. */
static int starve(struct attempt *a, size_t nth, struct leat_buffer *wrote)
{
	int ends[2], status = -1;
	pid_t child;

	if (pipe(ends) != 0)
		return -1;
	child = fork();
	if (child == 0) {
		(void)dup2(ends[1], STDERR_FILENO);
		leat_starve_fail(nth);
		play_for_nothing(a);
		_exit(0);
	}
	(void)close(ends[1]);
	read_all(ends[0], wrote);
	(void)close(ends[0]);
	if (child > 0)
		(void)waitpid(child, &status, 0);
	return status;
}

/* It may go on, or end the process as the host does, with its message (leat/buffer.h): an abort() that is silent or says something
 * else is an assertion, or a heap in pieces. */
static void judge_starved(struct attempt *a, int status, const struct leat_buffer *wrote, size_t nth, size_t n)
{
	static const char message[] = "leat: out of memory\n";
	bool is_said = wrote->n > 0 && memmem(wrote->data, wrote->n, message, sizeof message - 1) != NULL;

	if ((WIFEXITED(status) && WEXITSTATUS(status) == 0) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && is_said))
		return;
	a->kind = LEAT_FAILED;
	if (status == -1)
		leat_buffer_text(&a->text, "could not start a process");
	else if (!WIFSIGNALED(status))
		leat_plain_put(&a->text, "it ended the process with status %d when its allocation number %zu of %zu failed", WEXITSTATUS(status), nth, n);
	else if (WTERMSIG(status) == SIGABRT)
		leat_plain_put(&a->text, "it aborted without saying \"leat: out of memory\" when its allocation number %zu of %zu failed", nth, n);
	else
		leat_plain_put(&a->text, "it crashed when its allocation number %zu of %zu failed: signal %d, %s", nth, n, WTERMSIG(status),
		               strsignal(WTERMSIG(status)));
}

static void try_starved(struct attempt *a)
{
	size_t n;

	if (!leat_starve_begin(a->trial->node->plugin)) {
		skip(a, "it allocates nothing by itself, or is built into the host");
		return;
	}
	play_for_nothing(a);
	n = leat_starve_count();
	if (n == 0)
		skip(a, "it allocates nothing by itself here");
	for (size_t i = 1; i <= n && i <= STARVED && a->kind == LEAT_PASSED; i++) {
		struct leat_buffer wrote = { .n = 0 };
		int status = starve(a, i, &wrote);

		judge_starved(a, status, &wrote, i, n);
		leat_buffer_finish(&wrote);
	}
}

/* ---- all of them ---------------------------------------------------------------------------------------------------- */

const struct leat_property leat_properties[] = {
	{ "runs", "the events do something, and nothing fails" },
	{ "twice", "the same input gives the same rows and state again" },
	{ "split", "it does not matter where batches end" },
	{ "undone", "an event that is taken back leaves no trace" },
	{ "rejected", "an event that it rejects leaves no trace" },
	{ "restored", "it goes on from a checkpoint as if nothing had been" },
	{ "replayed", "after a crash it does the same again" },
	{ "fetched", "state may be in the store instead of in memory" },
	{ "shards", "keys have nothing to do with each other" },
	{ "starved", "it survives that its own allocations fail" },
	{ "leaks", "it gives back what it takes" },
	{ NULL, NULL },
};

static void (*const attempts[])(struct attempt *) = {
	try_runs, try_twice, try_split, try_undone, try_rejected, try_restored, try_replayed, try_fetched, try_shards, try_starved, try_leaks,
};

/* In a process of its own; says what it came to through the pipe. */
static _Noreturn void attempt(struct attempt *a, size_t property, int to)
{
	char kind;

	(void)alarm(PATIENCE_S);
	a->dice.state ^= property * UINT64_C(0x9e3779b97f4a7c15);
	attempts[property](a);
	kind = (char)a->kind;
	if (write(to, &kind, 1) != 1 || (a->text.n > 0 && write(to, a->text.data, a->text.n) < 0))
		_exit(2);
	(void)fflush(NULL);
	_exit(0);
}

/* Reads what it said, if it came to that. */
static enum leat_verdict_kind hear(int from, pid_t child, struct leat_buffer *text)
{
	enum leat_verdict_kind kind = LEAT_FAILED;
	bool has_kind = false;
	int status;

	read_all(from, text);
	if (text->n > 0) {
		has_kind = true;
		kind = (enum leat_verdict_kind)text->data[0];
		memmove(text->data, text->data + 1, --text->n);
	}
	(void)waitpid(child, &status, 0);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		leat_plain_put(text, "the plugin did not come back within %d s", PATIENCE_S);
	else if (WIFSIGNALED(status))
		leat_plain_put(text, "the plugin crashed: signal %d, %s", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!has_kind)
		leat_plain_put(text, "the plugin ended the process with status %d", WEXITSTATUS(status));
	return has_kind && !WIFSIGNALED(status) ? kind : LEAT_FAILED;
}

static enum leat_verdict_kind try_property(struct attempt *a, size_t property, struct leat_buffer *text)
{
	enum leat_verdict_kind kind;
	int ends[2];
	pid_t child;

	(void)fflush(NULL);
	if (pipe(ends) != 0)
		return LEAT_FAILED;
	child = fork();
	if (child == 0) {
		(void)close(ends[0]);
		attempt(a, property, ends[1]);
	}
	(void)close(ends[1]);
	if (child < 0)
		leat_buffer_text(text, "could not start a process");
	kind = child < 0 ? LEAT_FAILED : hear(ends[0], child, text);
	(void)close(ends[0]);
	return kind;
}

static void print_verdict(FILE *out, const struct leat_property *property, enum leat_verdict_kind kind, const struct leat_buffer *text)
{
	static const char *const words[] = { "passed ", "FAILED ", "skipped" };

	(void)fprintf(out, "  %s %-9s %s", words[kind], property->name, property->prose);
	if (text->n > 0)
		(void)fprintf(out, "%s%.*s", kind == LEAT_FAILED ? "\n    " : ": ", (int)text->n, text->data);
	(void)fputc('\n', out);
}

static enum leat_verdict_kind judge(struct attempt *a, size_t i, const struct leat_conform_options *options, FILE *out,
                                    struct leat_conform_result *result)
{
	const struct leat_setting *except = leat_setting_get(options->except, leat_properties[i].name);
	struct leat_buffer text = { .n = 0 };
	enum leat_verdict_kind kind = LEAT_SKIPPED;

	if (except == NULL)
		kind = try_property(a, i, &text);
	else if (except->text != NULL)
		leat_buffer_text(&text, except->text);
	print_verdict(out, &leat_properties[i], kind, &text);
	result->n_passed += kind == LEAT_PASSED;
	result->n_failed += kind == LEAT_FAILED;
	result->n_skipped += kind == LEAT_SKIPPED;
	leat_buffer_finish(&text);
	return kind;
}

void leat_conform(const struct leat_trial *trial, const struct leat_conform_options *options, FILE *out, struct leat_conform_result *result)
{
	struct attempt a = { .trial = trial, .dice = { trial->seed } };

	leat_log_set_level(LEAT_ERROR); /* dead letters by the thousand */
	if (judge(&a, 0, options, out, result) == LEAT_PASSED) {
		leat_play(trial, &(struct leat_way){ .n_shards = 1 }, &a.reference);
		for (size_t i = 1; leat_properties[i].name != NULL; i++)
			if (options->only == NULL || strcmp(options->only, leat_properties[i].name) == 0)
				(void)judge(&a, i, options, out, result);
	}
	leat_log_set_level(LEAT_INFO);
	leat_outcome_finish(&a.reference);
	leat_buffer_finish(&a.text);
}
