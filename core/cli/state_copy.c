/* SPDX-License-Identifier: Apache-2.0 */
/* backup and restore: the same copy, to and fro. */
#include <inttypes.h>
#include <stdio.h>

#include "base/memory.h"
#include "cli/state.h"

static const char backup_help[] =
	"NAME\n"
	"    leat state backup - copy the state of a pipeline\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state backup FILE|FOLDER BACKUP [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    Copies the state of the pipeline into the new folder BACKUP, as of one epoch. FILE is the pipeline's\n"
	"    file, FOLDER its state folder. The pipeline may be running, and is not held up. All rows are read and\n"
	"    written, so what is damaged is found here and not when it is needed.\n"
	"\n"
	"    While it is written BACKUP is called BACKUP.part; one that was left over by a crash can be removed.\n"
	"\n"
	"    A backup is older than what the sinks have. A pipeline that is started on one is stopped until\n"
	"    leat state accept-sink was told what to do about that.\n"
	"\n"
	"OPTIONS\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   copied\n"
	"    1   there is no state, it cannot be read, or the copy cannot be written\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state backup payments.yaml /backup/payments-monday --state-dir /var/lib/leat\n";

static const char restore_help[] =
	"NAME\n"
	"    leat state restore - put a copy of a pipeline's state back\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state restore BACKUP FOLDER\n"
	"\n"
	"DESCRIPTION\n"
	"    Copies BACKUP, which leat state backup has made, into the new state folder FOLDER: for pipeline payments\n"
	"    <state-dir>/payments.state. Nothing is overwritten: move away what is there.\n"
	"\n"
	"    The pipeline's sinks are where they were, most likely ahead. leat state accept-sink tells for each of\n"
	"    them, and lets you decide.\n"
	"\n"
	"OPTIONS\n"
	"    -h, --help           Print this.\n"
	"\n"
	"EXIT STATUS\n"
	"    0   copied\n"
	"    1   there is no backup, it cannot be read, or the copy cannot be written\n"
	"    2   wrong usage\n"
	"\n"
	"EXAMPLES\n"
	"    leat state restore /backup/payments-monday /var/lib/leat/payments.state\n";

static const struct option backup_options[] = {
	LEAT_STATE_OPTIONS,
	{NULL, 0, NULL, 0},
};
static const struct option restore_options[] = {
	LEAT_OPTION_HELP,
	{NULL, 0, NULL, 0},
};

static enum leat_exit copy(struct leat_state_use *use, const char *to)
{
	struct leat_error err;

	if (leat_state_open(use, LEAT_STATE_READ) != LEAT_OK)
		return LEAT_EXIT_FAILED;
	if (leat_store_copy(use->store, to, &err) != LEAT_OK) {
		leat_verb_complain(use->verb, "%s", err.text);
		return LEAT_EXIT_FAILED;
	}
	(void)printf("pipeline \"%s\", epoch %" PRIu64 ": copied to \"%s\"\n", leat_store_pipeline(use->store), leat_store_epoch(use->store),
	             to);
	return LEAT_EXIT_OK;
}

/* False: *status says why. */
static bool read_options(struct leat_state_use *use, int argc, char **argv, const struct option *options, enum leat_exit *status)
{
	int option;

	while ((option = leat_argument_next(use->verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		*status = option == LEAT_ARGUMENT_HELP ? LEAT_EXIT_OK : LEAT_EXIT_USAGE;
		if (option == LEAT_ARGUMENT_HELP || option == LEAT_ARGUMENT_WRONG)
			return false;
		leat_state_option(use, option);
	}
	return true;
}

static enum leat_exit backup(const struct leat_verb *verb, int argc, char **argv)
{
	struct leat_state_use use = { .verb = verb, .state_dir = "." };
	enum leat_exit status;

	if (!read_options(&use, argc, argv, backup_options, &status))
		return status;
	if (argc - optind != 2)
		return leat_usage_error(verb, "expected a pipeline file or state folder, and a folder to be made");
	status = leat_state_read(&use, argv[optind]);
	if (status == LEAT_EXIT_OK)
		status = copy(&use, argv[optind + 1]);
	leat_state_finish(&use);
	return status;
}

static enum leat_exit restore(const struct leat_verb *verb, int argc, char **argv)
{
	struct leat_state_use use = { .verb = verb };
	enum leat_exit status;

	if (!read_options(&use, argc, argv, restore_options, &status))
		return status;
	if (argc - optind != 2)
		return leat_usage_error(verb, "expected a backup, and a folder to be made");
	use.folder = leat_copy_text(argv[optind]);
	status = copy(&use, argv[optind + 1]);
	leat_state_finish(&use);
	return status;
}

const struct leat_verb leat_verb_state_backup = {
	.name = "state backup", .summary = "copy the state of a pipeline", .help = backup_help, .run = backup};
const struct leat_verb leat_verb_state_restore = {
	.name = "state restore", .summary = "put a copy back", .help = restore_help, .run = restore};
