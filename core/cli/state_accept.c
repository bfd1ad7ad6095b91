/* SPDX-License-Identifier: Apache-2.0 */
/* accept-sink: E5 is where the host stops, as what is right then is nowhere written down. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/state.h"
#include "run/visit.h"

static const char help[] =
	"NAME\n"
	"    leat state accept-sink - decide about a sink that is not where the state says\n"
	"\n"
	"SYNOPSIS\n"
	"    leat state accept-sink FILE SINK [--as-delivered | --again] [--state-dir FOLDER] [--plugin-path PATH]\n"
	"\n"
	"DESCRIPTION\n"
	"    A sink keeps the number of the last epoch that it has (its fence) beside the events. A pipeline does not\n"
	"    start when its state does not know that epoch: when the state was restored from a backup, or the sink\n"
	"    was, or the fence is gone. Then events are missing or would come twice, and only a person can tell which\n"
	"    is better. Nor does it start when the file now says that the sink is elsewhere (another host, topic,\n"
	"    table or path) and effects wait for it: whether they belong there, only a person can tell. The pipeline\n"
	"    has to be stopped.\n"
	"\n"
	"    Without an option: prints what the state and the sink have and what each option would do, and changes\n"
	"    nothing. (A Kafka sink is asked by fencing the producers of whoever writes to it.)\n"
	"\n"
	"    After either, epochs are numbered on from the larger of both. Neither changes an event that the sink\n"
	"    has, nor where the sources go on: events between a backup and now are read again, and go out again.\n"
	"\n"
	"OPTIONS\n"
	"    --as-delivered       What the sink has is right. What waits for it in the outbox is dropped.\n"
	"    --again              What waits for it in the outbox is delivered, whether or not the sink has it.\n"
	LEAT_STATE_OPTIONS_HELP
	"\n"
	"EXIT STATUS\n"
	"    0   decided, or there is nothing to decide\n"
	"    1   there is something to decide; or there is no such sink, it did not answer, the pipeline runs\n"
	"    2   wrong usage\n"
	"    78  the pipeline file has errors\n"
	"\n"
	"EXAMPLES\n"
	"    leat state accept-sink payments.yaml totals\n"
	"    leat state accept-sink payments.yaml totals --as-delivered\n";

enum { OWN_AS_DELIVERED = STATE_OWN, OWN_AGAIN };

static const struct option options[] = {
	LEAT_STATE_OPTIONS,
	{"as-delivered", no_argument, NULL, OWN_AS_DELIVERED},
	{"again", no_argument, NULL, OWN_AGAIN},
	{NULL, 0, NULL, 0},
};

struct accept {
	struct leat_state_use use;
	const struct leat_node *node;
	struct leat_visit *visit;
	uint32_t number; /* the store's */
	struct leat_fence found;
	struct leat_store_audit audit;
	bool is_as_delivered, is_again;
	char *is, *was; /* what the sink is, and was when its effects came into the outbox; or NULL */
};

/* ---- words ----------------------------------------------------------------------------------------------------------- */

/* With nothing in the outbox it may. */
static bool has_moved(const struct accept *a)
{
	return a->was != NULL && strcmp(a->was, a->is) != 0 && a->audit.n_epochs > 0;
}

static void print_what_is(const struct accept *a)
{
	(void)printf("sink \"%s\" of pipeline \"%s\"\n", a->node->name, a->use.description->name);
	(void)printf("  the state in \"%s\": epoch %" PRIu64 " is delivered, %" PRIu64 " epochs with %" PRIu64 " effects up to %" PRIu64
	             " are in the outbox\n",
	             a->use.folder, a->audit.delivered.epoch, a->audit.n_epochs, a->audit.n_effects, a->audit.head.epoch);
	if (has_moved(a))
		(void)printf("  the outbox is for %s, the sink is %s now\n", a->was, a->is);
	if (a->found.epoch == 0 && a->found.incarnation == 0)
		(void)printf("  the sink: has no fence\n");
	else
		(void)printf("  the sink: epoch %" PRIu64 " of incarnation %" PRIu64 ", digest %016" PRIx64 "\n", a->found.epoch,
		             a->found.incarnation, a->found.digest);
}

static void print_choices(const struct accept *a, bool fits)
{
	(void)printf("  --as-delivered: epoch %" PRIu64 " counts as delivered, and the %" PRIu64 " epochs in the outbox are dropped\n",
	             a->found.epoch, a->audit.n_epochs);
	if (fits)
		(void)printf("  --again: the %" PRIu64 " epochs in the outbox are delivered to what the sink is now\n", a->audit.n_epochs);
	else
		(void)printf("  --again: the sink's fence goes to epoch %" PRIu64 ", and the %" PRIu64 " epochs in the outbox are delivered\n",
		             a->audit.delivered.epoch, a->audit.n_epochs);
}

/* ---- deeds ----------------------------------------------------------------------------------------------------------- */

/* E4: with a number of our own, that is in the store before it is in the sink. */
static enum leat_status own(struct accept *a, uint64_t *incarnation, struct leat_error *err)
{
	uint64_t known = leat_store_incarnation(a->use.store);
	struct leat_fence found;
	enum leat_status status;

	*incarnation = (known > a->found.incarnation ? known : a->found.incarnation) + 1;
	status = leat_store_set_incarnation(a->use.store, *incarnation, err);
	if (status == LEAT_OK)
		status = leat_visit_claim(a->visit, *incarnation, &found, err);
	if (status == LEAT_OK && (found.incarnation >= *incarnation || found.epoch != a->found.epoch || found.digest != a->found.digest))
		return leat_error_set(err, LEAT_FATAL, 0, "its fence has changed meanwhile: somebody else writes to it");
	return status;
}

static enum leat_status decide(struct accept *a, bool fits, struct leat_error *err)
{
	struct leat_fence is = a->found, set = a->audit.delivered;
	uint64_t incarnation;
	enum leat_status status = own(a, &incarnation, err);

	if (status != LEAT_OK)
		return status;
	is.incarnation = set.incarnation = incarnation;
	leat_store_put_sink_what(a->use.store, a->number, a->is);
	if (a->is_as_delivered)
		return leat_store_accept(a->use.store, a->number, &is, err);
	/* The numbers first: a sink that was set back must not see one again that it had. */
	status = leat_store_raise_epoch(a->use.store, is.epoch, err);
	return status == LEAT_OK && !fits ? leat_visit_set(a->visit, &is, &set, err) : status;
}

static enum leat_exit judge(struct accept *a)
{
	struct leat_error err;
	bool fits;

	print_what_is(a);
	fits = leat_state_judge(&a->use, a->node, a->number, &a->audit, &a->found, &err) == LEAT_OK;
	if (fits && !has_moved(a)) {
		(void)printf("  there is nothing to decide, the pipeline can start\n");
		return LEAT_EXIT_OK;
	}
	if (!a->is_as_delivered && !a->is_again) {
		if (!fits)
			(void)printf("  %s\n", err.text);
		print_choices(a, fits);
		return LEAT_EXIT_FAILED;
	}
	if (decide(a, fits, &err) != LEAT_OK) {
		leat_verb_complain(a->use.verb, "sink \"%s\": %s", a->node->name, err.text);
		return LEAT_EXIT_FAILED;
	}
	if (a->is_as_delivered)
		(void)printf("  decided: epoch %" PRIu64 " is delivered; %" PRIu64 " epochs were dropped\n", a->found.epoch, a->audit.n_epochs);
	else if (fits)
		(void)printf("  decided: %" PRIu64 " epochs are to be delivered to what the sink is now\n", a->audit.n_epochs);
	else
		(void)printf("  decided: the sink is at epoch %" PRIu64 " again; %" PRIu64 " epochs are to be delivered\n",
		             a->audit.delivered.epoch, a->audit.n_epochs);
	return LEAT_EXIT_OK;
}

static enum leat_exit look(struct accept *a)
{
	struct leat_error err;
	enum leat_status status;

	a->number = leat_store_use_sink(a->use.store, a->node->name);
	a->is = leat_node_identity(a->node);
	a->was = leat_store_sink_what(a->use.store, a->number);
	status = leat_visit_open(a->use.description, a->node, &a->visit, &err);
	if (status == LEAT_OK)
		status = leat_visit_claim(a->visit, 0, &a->found, &err);
	if (status == LEAT_OK)
		status = leat_store_audit(a->use.store, a->number, &a->found, &a->audit, &err);
	if (status == LEAT_OK)
		return judge(a);
	leat_verb_complain(a->use.verb, "sink \"%s\": %s", a->node->name, err.text);
	return LEAT_EXIT_FAILED;
}

static enum leat_exit accept_sink(struct accept *a, const char *file, const char *sink)
{
	enum leat_exit status = leat_state_read_file(&a->use, file);

	if (status != LEAT_EXIT_OK)
		return status;
	a->node = leat_state_node(&a->use, LEAT_ROLE_SINK, sink);
	if (a->node == NULL)
		return LEAT_EXIT_FAILED;
	if (a->node->guarantee != LEAT_TRANSACTIONAL) {
		leat_verb_complain(a->use.verb, "sink \"%s\" keeps no fence, there is nothing to decide", sink);
		return LEAT_EXIT_FAILED;
	}
	if (leat_state_open(&a->use, LEAT_STATE_OWN) != LEAT_OK)
		return LEAT_EXIT_FAILED;
	status = look(a);
	leat_visit_close(a->visit);
	return status;
}

static enum leat_exit run(const struct leat_verb *verb, int argc, char **argv)
{
	struct accept a = { .use = { .verb = verb, .state_dir = "." } };
	enum leat_exit status;
	int option;

	while ((option = leat_argument_next(verb, argc, argv, "", options)) != LEAT_ARGUMENT_END) {
		if (option == LEAT_ARGUMENT_HELP)
			return LEAT_EXIT_OK;
		if (option == LEAT_ARGUMENT_WRONG)
			return LEAT_EXIT_USAGE;
		leat_state_option(&a.use, option);
		a.is_as_delivered = a.is_as_delivered || option == OWN_AS_DELIVERED;
		a.is_again = a.is_again || option == OWN_AGAIN;
	}
	if (a.is_as_delivered && a.is_again)
		return leat_usage_error(verb, "expected --as-delivered or --again, not both");
	if (argc - optind != 2)
		return leat_usage_error(verb, "expected a pipeline file and a sink");
	status = accept_sink(&a, argv[optind], argv[optind + 1]);
	free(a.was);
	free(a.is);
	leat_state_finish(&a.use);
	return status;
}

const struct leat_verb leat_verb_state_accept_sink = {
	.name = "state accept-sink", .summary = "decide about a sink that is not where the state says", .help = help, .run = run};
