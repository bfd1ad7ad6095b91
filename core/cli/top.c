/* SPDX-License-Identifier: Apache-2.0 */
#include <leat/codec.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "cli/arguments.h"
#include "cli/fetch.h"
#include "cli/terminal.h"
#include "cli/top_view.h"
#include "data/json.h"
#include "service/format.h"

static const char help[] =
	"NAME\n"
	"    leat top - watch running pipelines\n"
	"\n"
	"SYNOPSIS\n"
	"    leat top [--url http://ADDRESS:PORT] [--interval DURATION] [--once]\n"
	"\n"
	"DESCRIPTION\n"
	"    Shows the pipelines of a running leatd, or of a \"leat run --http\", again and again: for each node what\n"
	"    goes in and out, how busy it is, what it has in its state and its queue, how far it is behind. Ends\n"
	"    with q. Where standard output is no terminal it prints one screen, with the rates of one interval.\n"
	"\n"
	"        IN/s, OUT/s  records a second\n"
	"        BUSY         of one processor\n"
	"        LAG          records of a source that are not read yet\n"
	"        BEHIND       how far event time is behind the clock\n"
	"        QUEUE        of what may wait for a sink\n"
	"        ENTRIES      of its tables, in memory, and their bytes as STATE\n"
	"        DEAD         dead letters since it was started\n"
	"\n"
	"    p50 and p99 are from arrival in leat until an event is durable in a sink, over the last interval.\n"
	"    The line below has where that time went in the mean, and before it, as source, what it took from the\n"
	"    event's own time until it was read. docs/operating.md says what each word is.\n"
	"\n"
	"OPTIONS\n"
	"    --url URL            Where it listens. Default: http://127.0.0.1:9464\n"
	"    --interval DURATION  How long between two looks, 100ms to 1h. Default: 1s\n"
	"    --once               Print one screen and end.\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   good\n"
	"    1   nobody answers there\n"
	"    2   wrong usage\n"
	"\n"
	"EXAMPLES\n"
	"    leat top\n"
	"    leat top --once --interval 10s >now.txt\n";

enum { OWN_URL = 256, OWN_INTERVAL, OWN_ONCE };

enum { MS = 1000, SHORTEST_US = 100000, ROWS = 10000, COLUMNS = 160 };

static const int64_t longest_us = INT64_C(3600000000);

static const struct option options[] = {
	LEAT_OPTION_HELP,
	{"url", required_argument, NULL, OWN_URL},
	{"interval", required_argument, NULL, OWN_INTERVAL},
	{"once", no_argument, NULL, OWN_ONCE},
	{NULL, 0, NULL, 0},
};

struct top {
	const struct leat_verb *verb;
	char page[512]; /* its URL */
	int64_t interval_us;
	struct leat_symbols *symbols;
	struct leat_json *json;
	struct leat_buffer body;
	struct leat_arena *arena[2]; /* of the looks */
	struct leat_top_look look[2];
	unsigned newest;
};

/* ---- looks ----------------------------------------------------------------------------------------------------------- */

static void open_top(struct top *top)
{
	top->symbols = leat_symbols_create();
	leat_symbols_freeze(top->symbols);
	top->json = leat_json_create(top->symbols);
}

static void close_top(struct top *top)
{
	leat_arena_unref(top->arena[0]);
	leat_arena_unref(top->arena[1]);
	leat_json_destroy(top->json);
	leat_symbols_destroy(top->symbols);
	leat_buffer_finish(&top->body);
}

/* In place of the older look. */
static enum leat_status look(struct top *top, struct leat_error *err)
{
	unsigned i = 1 - top->newest;
	enum leat_status status = leat_fetch(top->page, &top->body, err);
	struct leat_error why;
	char *bytes;

	if (status != LEAT_OK)
		return status;
	leat_arena_unref(top->arena[i]);
	top->arena[i] = leat_arena_create();
	bytes = leat_arena_allocate(top->arena[i], top->body.n + LEAT_CODEC_PADDING);
	memset(bytes + top->body.n, 0, LEAT_CODEC_PADDING);
	if (top->body.n > 0)
		memcpy(bytes, top->body.data, top->body.n);
	if (leat_json_decode(top->json, top->arena[i], bytes, top->body.n, &top->look[i].page, &why) != LEAT_OK)
		return leat_error_set(err, LEAT_FATAL, 0, "cannot read %s: %s", top->page, why.text);
	top->look[i].at_us = leat_clock_monotonic_us();
	if (top->arena[top->newest] == NULL)
		top->look[top->newest] = (struct leat_top_look){ .page = leat_null(), .at_us = top->look[i].at_us };
	top->newest = i;
	return LEAT_OK;
}

static void render(const struct top *top, struct leat_buffer *out, size_t rows, size_t columns, bool has_colours)
{
	leat_top_render(out, &top->look[1 - top->newest], &top->look[top->newest], rows, columns, has_colours);
}

/* ---- one screen ------------------------------------------------------------------------------------------------------ */

static enum leat_exit print_once(struct top *top)
{
	struct leat_buffer out = { 0 };
	struct leat_error err;

	for (int i = 0; i < 2; i++) {
		if (i > 0)
			(void)poll(NULL, 0, (int)(top->interval_us / MS));
		if (look(top, &err) != LEAT_OK) {
			leat_verb_complain(top->verb, "%s", err.text);
			return LEAT_EXIT_FAILED;
		}
	}
	render(top, &out, ROWS, COLUMNS, leat_terminal_has_colours(STDOUT_FILENO));
	leat_buffer_byte(&out, '\n');
	(void)fwrite(out.data, 1, out.n, stdout);
	leat_buffer_finish(&out);
	return LEAT_EXIT_OK;
}

/* ---- again and again ------------------------------------------------------------------------------------------------- */

static void send(const struct leat_buffer *out)
{
	size_t done = 0;

	while (done < out->n) {
		ssize_t n = write(STDOUT_FILENO, out->data + done, out->n - done);

		if (n <= 0)
			return; /* a terminal that is gone: the signal comes */
		done += (size_t)n;
	}
}

/* The whole screen in one write, over what was there, so that nothing flickers. */
static void draw(const struct top *top, const struct leat_error *err)
{
	struct leat_buffer out = { 0 }, screen = { 0 };
	struct winsize size;
	size_t rows;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = 24, .ws_col = 80 };
	rows = size.ws_row > 1 ? size.ws_row - 1u : 1;
	leat_buffer_text(&out, "\033[H");
	render(top, &screen, rows, size.ws_col, leat_terminal_has_colours(STDOUT_FILENO));
	for (size_t i = 0; i < screen.n; i++) {
		if (screen.data[i] == '\n')
			leat_buffer_text(&out, "\033[K");
		leat_buffer_byte(&out, screen.data[i]);
	}
	leat_format_put(&out, "\033[K\033[J\033[%u;1H", (unsigned)size.ws_row);
	leat_format_put(&out, "%.*s", (int)size.ws_col, err != NULL ? err->text : "q: end");
	send(&out);
	leat_buffer_finish(&screen);
	leat_buffer_finish(&out);
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	(void)sigaddset(&set, SIGWINCH);
	leat_check(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Until the next look is due. False: somebody wants it to end. */
static bool wait_for_next(struct top *top, int signals, int64_t due_us)
{
	struct pollfd fd[] = { { .fd = signals, .events = POLLIN }, { .fd = STDIN_FILENO, .events = POLLIN } };
	struct signalfd_siginfo info;
	int64_t left_us;
	char key;

	while ((left_us = due_us - leat_clock_monotonic_us()) > 0) {
		if (poll(fd, 2, (int)(left_us / MS) + 1) <= 0)
			continue;
		if (fd[0].revents != 0 && read(signals, &info, sizeof info) == (ssize_t)sizeof info) {
			if (info.ssi_signo != SIGWINCH)
				return false;
			draw(top, NULL);
		}
		if (fd[1].revents != 0 && (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q'))
			return false;
	}
	return true;
}

/* On the terminal's other screen, so that what was on it comes back. */
static enum leat_exit watch(struct top *top)
{
	struct leat_buffer enter = { 0 }, leave = { 0 };
	struct termios before, raw;
	int signals = open_signals();
	bool goes_on = true, has_termios = tcgetattr(STDIN_FILENO, &before) == 0;
	struct leat_error err;

	if (look(top, &err) != LEAT_OK) {
		leat_verb_complain(top->verb, "%s", err.text);
		(void)close(signals);
		return LEAT_EXIT_FAILED;
	}
	if (has_termios) {
		raw = before;
		raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	leat_buffer_text(&enter, "\033[?1049h\033[?25l\033[2J");
	send(&enter);
	draw(top, NULL);
	while (goes_on) {
		int64_t due_us = leat_clock_monotonic_us() + top->interval_us;

		goes_on = wait_for_next(top, signals, due_us);
		/* It may be started again: what was there last stays on the screen, with the reason. */
		if (goes_on)
			draw(top, look(top, &err) == LEAT_OK ? NULL : &err);
	}
	leat_buffer_text(&leave, "\033[?25h\033[?1049l");
	send(&leave);
	if (has_termios)
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &before);
	(void)close(signals);
	leat_buffer_finish(&enter);
	leat_buffer_finish(&leave);
	return LEAT_EXIT_OK;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct top top = { .verb = verb, .interval_us = 1000000 };
	const char *url = "http://127.0.0.1:9464";
	bool is_once = !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);
	enum leat_exit status;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		if (option == OWN_URL)
			url = optarg;
		if (option == OWN_ONCE)
			is_once = true;
		if (option == OWN_INTERVAL && !leat_argument_duration(verb, "interval", optarg, &top.interval_us))
			return LEAT_EXIT_USAGE;
	}
	if (argc != optind)
		return leat_usage_error(verb, "expected no operand, there is \"%s\"", argv[optind]);
	if (top.interval_us < SHORTEST_US || top.interval_us > longest_us)
		return leat_usage_error(verb, "--interval must be from 100ms to 1h");
	if (strlen(url) > sizeof top.page - sizeof "/api/v1/pipelines")
		return leat_usage_error(verb, "--url is longer than %zu bytes", sizeof top.page - sizeof "/api/v1/pipelines");
	(void)snprintf(top.page, sizeof top.page, "%s/api/v1/pipelines", url);
	open_top(&top);
	status = is_once ? print_once(&top) : watch(&top);
	close_top(&top);
	return status;
}

const struct leat_verb leat_verb_top = {.name = "top", .summary = "watch running pipelines", .help = help, .run = run};
