/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread per pipeline waits for its end and writes to an eventfd, so that the main thread has everything in one poll():
 * an idle process wakes only for its figures.
 */
#include "cli/supervise.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/status.h"
#include "cli/terminal.h"

enum { STATUS_US = 250000 };

struct waiter {
	struct leat_pipeline *pipeline;
	pthread_t thread;
	int ended_fd;
};

struct loop {
	struct leat_fleet *fleet;
	const struct leat_supervision *options;
	int signal_fd, ended_fd;
	size_t n_waiters, n_ended;
	struct waiter *waiter; /* by member */
	unsigned n_signals;
	bool is_draining;
	int64_t started_us, drain_us, figures_us, status_us; /* when the next is due; INT64_MAX: never */
	struct leat_terminal terminal;
	bool has_colours;
	struct leat_meter meter;
	struct leat_totals logged; /* by the last line of figures */
};

static void fill_signals(sigset_t *set)
{
	(void)sigemptyset(set);
	(void)sigaddset(set, SIGTERM);
	(void)sigaddset(set, SIGINT);
	(void)sigaddset(set, SIGHUP);
	(void)sigaddset(set, SIGTSTP);
	(void)sigaddset(set, SIGWINCH);
}

void leat_signals_block(void)
{
	sigset_t set;

	fill_signals(&set);
	leat_check(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* ---- waiting for pipelines --------------------------------------------------------------------------------------- */

static void *wait_for_end(void *opaque)
{
	const struct waiter *w = opaque;
	const uint64_t one = 1;

	while (leat_pipeline_wait(w->pipeline, -1) < LEAT_RUN_DONE)
		;
	leat_check(write(w->ended_fd, &one, sizeof one) == (ssize_t)sizeof one);
	return NULL;
}

static void start_waiters(struct loop *loop)
{
	loop->waiter = leat_allocate_zeroed(loop->fleet->n + 1, sizeof *loop->waiter);
	for (size_t i = 0; i < loop->fleet->n; i++) {
		struct waiter *w = &loop->waiter[loop->n_waiters];

		if (loop->fleet->member[i].pipeline == NULL)
			continue;
		w->pipeline = loop->fleet->member[i].pipeline;
		w->ended_fd = loop->ended_fd;
		leat_check(pthread_create(&w->thread, NULL, wait_for_end, w) == 0);
		loop->n_waiters++;
	}
}

static void take_ended(struct loop *loop)
{
	uint64_t n;

	if (read(loop->ended_fd, &n, sizeof n) == (ssize_t)sizeof n)
		loop->n_ended += n;
}

static void join_waiters(struct loop *loop)
{
	for (size_t i = 0; i < loop->n_waiters; i++)
		(void)pthread_join(loop->waiter[i].thread, NULL);
	free(loop->waiter);
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

static void take_sample(struct loop *loop, const struct leat_snapshot *snapshots)
{
	struct leat_totals totals;

	leat_totals_init(&totals);
	for (size_t i = 0; i < loop->fleet->n; i++)
		leat_totals_add(&totals, &snapshots[i]);
	leat_meter_add(&loop->meter, leat_clock_monotonic_us(), &totals);
}

static void format_figures(struct loop *loop, struct leat_buffer *out, size_t width, bool has_colours)
{
	struct leat_snapshot *snapshots = leat_fleet_look(loop->fleet);
	struct leat_status_view view;
	char name[256];

	take_sample(loop, snapshots);
	leat_status_describe(&view, snapshots, loop->fleet->n, name, sizeof name);
	leat_meter_read(&loop->meter, &view.reading);
	view.elapsed_us = leat_clock_monotonic_us() - loop->started_us;
	leat_status_format(out, &view, width, has_colours);
	leat_fleet_forget(loop->fleet, snapshots);
}

static void draw_status(struct loop *loop)
{
	struct leat_buffer line = {0};

	format_figures(loop, &line, loop->terminal.columns, loop->has_colours);
	leat_terminal_draw(&loop->terminal, line.data, line.n);
	leat_buffer_finish(&line);
}

/* An idle process says nothing. */
static void log_figures(struct loop *loop)
{
	struct leat_buffer line = {0};
	struct leat_reading reading;

	format_figures(loop, &line, SIZE_MAX, false);
	leat_buffer_byte(&line, '\0');
	leat_meter_read(&loop->meter, &reading);
	if (reading.totals.in != loop->logged.in || reading.totals.out != loop->logged.out ||
	    reading.totals.dead_letters != loop->logged.dead_letters) {
		leat_log_line(LEAT_INFO, "%s", line.data);
		(void)sd_notifyf(0, "STATUS=%s", line.data);
	}
	loop->logged = reading.totals;
	leat_buffer_finish(&line);
}

/* ---- signals ----------------------------------------------------------------------------------------------------- */

static void drain(struct loop *loop, const char *why)
{
	leat_log_line(LEAT_INFO, "%s: draining", why);
	(void)sd_notify(0, "STOPPING=1\nSTATUS=draining");
	loop->is_draining = true;
	loop->drain_us = INT64_MAX;
	leat_fleet_drain(loop->fleet);
}

static void suspend(struct loop *loop)
{
	bool has_line = loop->terminal.rows > 0;

	leat_terminal_close(&loop->terminal);
	(void)kill(getpid(), SIGSTOP);
	if (has_line && leat_terminal_open(&loop->terminal, STDERR_FILENO))
		draw_status(loop);
}

_Noreturn static void quit(struct loop *loop)
{
	leat_terminal_close(&loop->terminal);
	leat_log_line(LEAT_WARNING, "second signal: quitting without delivering what is in flight");
	_exit(LEAT_EXIT_FAILED);
}

static void take_signal(struct loop *loop)
{
	struct signalfd_siginfo info;

	if (read(loop->signal_fd, &info, sizeof info) != (ssize_t)sizeof info)
		return;
	if (info.ssi_signo == SIGTSTP)
		suspend(loop);
	else if (info.ssi_signo == SIGWINCH)
		loop->status_us = loop->status_us == INT64_MAX ? INT64_MAX : 0;
	else if (loop->n_signals++ > 0)
		quit(loop);
	else if (loop->is_draining)
		leat_log_line(LEAT_INFO, "draining already; a second signal quits at once");
	else
		drain(loop, info.ssi_signo == SIGINT ? "interrupted" : info.ssi_signo == SIGHUP ? "hung up" : "terminated");
}

/* ---- the loop ---------------------------------------------------------------------------------------------------- */

static bool is_over(const struct loop *loop)
{
	return loop->n_ended == loop->n_waiters && (loop->is_draining || !loop->options->outlives_pipelines);
}

static int wait_ms(const struct loop *loop)
{
	int64_t due = loop->drain_us, now = leat_clock_monotonic_us();

	if (loop->figures_us < due)
		due = loop->figures_us;
	if (loop->status_us < due)
		due = loop->status_us;
	if (due == INT64_MAX)
		return -1;
	return due <= now ? 0 : due - now > 3600000000 ? 3600000 : (int)((due - now + 999) / 1000);
}

static void do_what_is_due(struct loop *loop)
{
	int64_t now = leat_clock_monotonic_us();

	if (now >= loop->drain_us)
		drain(loop, "time is up");
	if (now >= loop->status_us) {
		draw_status(loop);
		loop->status_us = now + STATUS_US;
	}
	if (now >= loop->figures_us) {
		log_figures(loop);
		loop->figures_us = now + loop->options->figures_us;
	}
}

static void run(struct loop *loop)
{
	struct pollfd fds[] = {{.fd = loop->signal_fd, .events = POLLIN}, {.fd = loop->ended_fd, .events = POLLIN}};

	while (!is_over(loop)) {
		int n = poll(fds, 2, wait_ms(loop));

		leat_check(n >= 0 || errno == EINTR);
		if (n > 0 && fds[0].revents != 0)
			take_signal(loop);
		if (n > 0 && fds[1].revents != 0)
			take_ended(loop);
		do_what_is_due(loop);
	}
}

static void open_loop(struct loop *loop)
{
	const struct leat_supervision *options = loop->options;
	sigset_t set;

	fill_signals(&set);
	loop->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	loop->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	leat_check(loop->signal_fd >= 0 && loop->ended_fd >= 0);
	loop->started_us = leat_clock_monotonic_us();
	loop->drain_us = options->for_us > 0 ? loop->started_us + options->for_us : INT64_MAX;
	loop->status_us = loop->figures_us = INT64_MAX;
	if (options->has_status_line && leat_terminal_open(&loop->terminal, STDERR_FILENO)) {
		loop->has_colours = leat_terminal_has_colours(STDERR_FILENO);
		loop->status_us = loop->started_us;
	} else if (options->figures_us > 0) {
		loop->figures_us = loop->started_us + options->figures_us;
	}
	start_waiters(loop);
}

static enum leat_exit close_loop(struct loop *loop)
{
	enum leat_exit status = LEAT_EXIT_OK;

	join_waiters(loop);
	leat_terminal_close(&loop->terminal);
	(void)close(loop->signal_fd);
	(void)close(loop->ended_fd);
	for (size_t i = 0; i < loop->fleet->n; i++) {
		const struct leat_fleet_member *m = &loop->fleet->member[i];

		/* One that could not be read is the caller's to judge. */
		if (m->description != NULL && (m->pipeline == NULL || leat_pipeline_state(m->pipeline) == LEAT_RUN_STOPPED))
			status = LEAT_EXIT_FAILED;
	}
	return status;
}

enum leat_exit leat_supervision_run(const struct leat_supervision *options, struct leat_fleet *fleet)
{
	struct loop *loop = leat_allocate_zeroed(1, sizeof *loop); /* the meter is large */
	struct leat_totals nothing;
	enum leat_exit status;

	loop->fleet = fleet;
	loop->options = options;
	open_loop(loop);
	/* The first line's rates are since now. */
	leat_totals_init(&nothing);
	leat_meter_add(&loop->meter, loop->started_us, &nothing);
	(void)sd_notify(0, "READY=1");
	run(loop);
	status = close_loop(loop);
	free(loop);
	return status;
}
