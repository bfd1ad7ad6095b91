/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends events to ports of their own, by conditions. Ports are named in the pipeline file, so they are known after create() only.
 * As in filter, unknown (null) is not true.
 */
#include <stdlib.h>

#include <leat/plugin.h>

enum { FIRST, ALL };
enum { MAX_PORTS = 64 };

static const char *const matches[] = { "first", "all", NULL };

struct route {
	struct leat_expressions ports;
	int match;

	const char **names; /* ports.n of them, "other", NULL */
};

static bool is_name(const char *text)
{
	if (text[0] == '\0' || (text[0] >= '0' && text[0] <= '9'))
		return false;
	return text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static enum leat_status check_name(const char *name, struct leat_error *err)
{
	if (!is_name(name))
		leat_error_set(err, LEAT_FATAL, 0, "\"%s\" cannot be a port, its name must be of a-z, 0-9 and _ and begin with no digit", name);
	else if (strcmp(name, "other") == 0)
		leat_error_set(err, LEAT_FATAL, 0, "port \"other\" cannot have a condition, it has the events that meet none");
	else if (strcmp(name, "dead") == 0)
		leat_error_set(err, LEAT_FATAL, 0, "port \"dead\" cannot have a condition, it is the host's");
	else
		return LEAT_OK;
	return leat_error_at(err, "ports");
}

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct route *self = self_;

	(void)ctx;
	if (self->ports.n == 0 || self->ports.n > MAX_PORTS) {
		leat_error_set(err, LEAT_FATAL, 0, "route has %zu ports, expected 1 to %d", self->ports.n, (int)MAX_PORTS);
		return leat_error_at(err, "ports");
	}
	self->names = calloc(self->ports.n + 2, sizeof *self->names);
	if (self->names == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "could not get memory for %zu ports", self->ports.n);
	for (size_t i = 0; i < self->ports.n; i++) {
		enum leat_status status = check_name(self->ports.item[i].text, err);

		if (status != LEAT_OK)
			return status;
		self->names[i] = self->ports.item[i].text;
	}
	self->names[self->ports.n] = "other";
	return LEAT_OK;
}

static const char *const *list_ports(const void *self_)
{
	const struct route *self = self_;

	return self->names;
}

static void destroy(void *self_)
{
	struct route *self = self_;

	free(self->names);
}

/* Names the port in front of the reason. */
static enum leat_status refuse(const struct route *self, size_t port, enum leat_status status, struct leat_error *err)
{
	char reason[LEAT_ERROR_TEXT - 64];

	if (err == NULL)
		return status;
	(void)snprintf(reason, sizeof reason, "%.*s", (int)sizeof reason - 1, err->text);
	return leat_error_set(err, status, err->code, "cannot judge \"%.40s\": %s", self->names[port], reason);
}

static enum leat_status judge(const struct route *self, size_t port, const struct leat_record *record, bool *is_true,
                              struct leat_context *ctx, struct leat_error *err)
{
	struct leat_value verdict;
	enum leat_status status = leat_evaluate(ctx, self->ports.item[port].value, record, &verdict, err);

	if (status == LEAT_OK && verdict.type != LEAT_BOOL && verdict.type != LEAT_NULL)
		status = leat_error_set(err, LEAT_REJECT, 0, "the condition gives neither true nor false nor null");
	if (status != LEAT_OK)
		return refuse(self, port, status, err);
	*is_true = verdict.type == LEAT_BOOL && verdict.as.boolean;
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct route *self = self_;
	bool is_sent = false;

	for (size_t i = 0; i < self->ports.n && !(is_sent && self->match == FIRST); i++) {
		bool is_true = false;
		enum leat_status status = judge(self, i, record, &is_true, ctx, err);

		if (status != LEAT_OK)
			return status;
		if (is_true)
			leat_emit(ctx, (uint32_t)i, record);
		is_sent |= is_true;
	}
	if (!is_sent)
		leat_emit(ctx, (uint32_t)self->ports.n, record);
	return LEAT_OK;
}

static const struct leat_option options[] = {
	LEAT_OPTION(EXPRESSIONS, struct route, ports, "ports", "Conditions by the port that gets the events that meet it, in this order.",
	            .flags = LEAT_OPTION_REQUIRED),
	LEAT_OPTION(CHOICE, struct route, match, "match", "Whether an event goes to the first port whose condition it meets or to all of them.",
	            .preset = "first", .choices = matches),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct route),
	.options = options,
	.create = create,
	.list_ports = list_ports,
	.process = process,
	.keeps_records = true,
	.destroy = destroy,
};

LEAT_PLUGIN(.name = "route", .version = "1.0", .summary = "Sends events to ports of their own, by conditions.", .licence = "Apache-2.0",
            .op = &ops);
