/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/validate.h"

#include <string.h>

#include "plugin/options.h"

enum { TABLE_BYTES = 64 * 1024 };

/* [a-z][a-z0-9_]* */
static bool is_name(const char *s)
{
	if (s == NULL || *s < 'a' || *s > 'z')
		return false;
	return s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static enum leat_status check_layout(const struct leat_layout *theirs, struct leat_error *err)
{
	const struct leat_layout ours = LEAT_LAYOUT;
	const struct {
		const char *name;
		size_t theirs, ours;
	} sizes[] = {
		{ "leat_api", theirs->api, ours.api },
		{ "leat_value", theirs->value, ours.value },
		{ "leat_record", theirs->record, ours.record },
		{ "leat_option", theirs->option, ours.option },
		{ "leat_table_spec", theirs->table_spec, ours.table_spec },
		{ "leat_error", theirs->error, ours.error },
	};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		if (sizes[i].theirs != sizes[i].ours)
			return leat_error_set(err, LEAT_FATAL, 0, "its struct %s has %zu bytes, this host's has %zu", sizes[i].name,
			                      sizes[i].theirs, sizes[i].ours);
	return LEAT_OK;
}

static enum leat_status check_interface(const struct leat_plugin *plugin, struct leat_error *err)
{
	if (plugin->magic != LEAT_MAGIC)
		return leat_error_set(err, LEAT_FATAL, 0, "its leat_plugin begins with 0x%08x, not with 0x%08x", plugin->magic, LEAT_MAGIC);
	if (plugin->abi != LEAT_ABI)
		return leat_error_set(err, LEAT_FATAL, 0, "its interface is version %u, this host speaks %u", plugin->abi, LEAT_ABI);
	if (plugin->size != sizeof *plugin)
		return leat_error_set(err, LEAT_FATAL, 0, "its struct leat_plugin has %zu bytes, this host's has %zu", plugin->size,
		                      sizeof *plugin);
	return check_layout(&plugin->layout, err);
}

static enum leat_status check_names(const struct leat_plugin *plugin, struct leat_error *err)
{
	if (plugin->name == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "it has no name");
	if (!is_name(plugin->name))
		return leat_error_set(err, LEAT_FATAL, 0, "its name \"%s\" is not of the form [a-z][a-z0-9_]*", plugin->name);
	if (plugin->version == NULL || plugin->version[0] == '\0')
		return leat_error_set(err, LEAT_FATAL, 0, "it has no version");
	if (plugin->summary == NULL || plugin->summary[0] == '\0')
		return leat_error_set(err, LEAT_FATAL, 0, "it has no summary");
	if (plugin->source == NULL && plugin->op == NULL && plugin->sink == NULL && plugin->codec == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "it is neither source, operator, sink nor codec");
	return LEAT_OK;
}

/* ---- what every role has ------------------------------------------------------------------------------------------ */

struct callback {
	const char *name; /* NULL ends the list */
	bool is_there;
};

static enum leat_status check_role(const char *role, size_t theirs, size_t ours, struct leat_error *err)
{
	if (theirs != ours)
		return leat_error_set(err, LEAT_FATAL, 0, "its %s's struct has %zu bytes, this host's has %zu", role, theirs, ours);
	return LEAT_OK;
}

static enum leat_status check_callbacks(const char *role, const struct callback *callback, struct leat_error *err)
{
	for (; callback->name != NULL; callback++)
		if (!callback->is_there)
			return leat_error_set(err, LEAT_FATAL, 0, "its %s has no %s()", role, callback->name);
	return LEAT_OK;
}

static enum leat_status check_options(const char *role, const struct leat_option *options, size_t instance_size,
                                      struct leat_error *err)
{
	struct leat_error fault;

	if (leat_options_fault(options, instance_size, &fault))
		return leat_error_set(err, LEAT_FATAL, 0, "its %s's %s", role, fault.text);
	return LEAT_OK;
}

/* ---- tables and ports --------------------------------------------------------------------------------------------- */

static size_t size_of_field(enum leat_field_type type)
{
	switch (type) {
	case LEAT_FIELD_INT64:
		return sizeof(int64_t);
	case LEAT_FIELD_DOUBLE:
		return sizeof(double);
	case LEAT_FIELD_BOOL:
		return sizeof(bool);
	case LEAT_FIELD_INT32:
		return sizeof(int32_t);
	case LEAT_FIELD_BYTES:
		break;
	}
	return 0; /* any */
}

static enum leat_status check_field(const struct leat_table_spec *table, const struct leat_field *f, struct leat_error *err)
{
	size_t size = f->type >= LEAT_FIELD_INT64 && f->type <= LEAT_FIELD_BYTES ? size_of_field(f->type) : f->size + 1;

	if (size != 0 && f->size != size)
		return leat_error_set(err, LEAT_FATAL, 0, "field \"%s\" of its table \"%s\" is not of its type: %zu bytes", f->name,
		                      table->name, f->size);
	if (f->size == 0 || f->size > table->size || f->offset > table->size - f->size)
		return leat_error_set(err, LEAT_FATAL, 0, "field \"%s\" of its table \"%s\" ends outside the struct of %zu bytes", f->name,
		                      table->name, table->size);
	for (const struct leat_field *before = table->fields; before < f; before++)
		if (strcmp(before->name, f->name) == 0)
			return leat_error_set(err, LEAT_FATAL, 0, "field \"%s\" of its table \"%s\" is there twice", f->name, table->name);
	return LEAT_OK;
}

static enum leat_status check_fixed(const struct leat_table_spec *table, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	if (table->size == 0 || table->size > TABLE_BYTES)
		return leat_error_set(err, LEAT_FATAL, 0, "the struct of its table \"%s\" has %zu bytes, expected 1 to %d", table->name,
		                      table->size, TABLE_BYTES);
	if (table->fields == NULL || table->fields[0].name == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" has no fields", table->name);
	for (const struct leat_field *f = table->fields; status == LEAT_OK && f->name != NULL; f++)
		status = check_field(table, f, err);
	return status;
}

static enum leat_status check_older(const struct leat_table_spec *table, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	if (table->migrate == NULL && table->older == NULL)
		return LEAT_OK;
	if (table->kind != LEAT_TABLE_FIXED)
		return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" has migrate(), which only fixed tables have", table->name);
	if (table->migrate == NULL || table->older == NULL || table->older[0].name == NULL)
		return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" has to have both migrate() and older versions", table->name);
	for (const struct leat_table_spec *older = table->older; status == LEAT_OK && older->name != NULL; older++) {
		if (older->version == 0 || older->version >= table->version)
			return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" has an older version %u, expected 1 to %u", table->name,
			                      older->version, table->version - 1);
		status = check_fixed(older, err);
	}
	return status;
}

static enum leat_status check_tables(const struct leat_table_spec *tables, struct leat_error *err)
{
	enum leat_status status = LEAT_OK;

	for (const struct leat_table_spec *t = tables; status == LEAT_OK && t != NULL && t->name != NULL; t++) {
		if (!is_name(t->name))
			return leat_error_set(err, LEAT_FATAL, 0, "the name of its table \"%s\" is not of the form [a-z][a-z0-9_]*", t->name);
		for (const struct leat_table_spec *before = tables; before < t; before++)
			if (strcmp(before->name, t->name) == 0)
				return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" is there twice", t->name);
		if (t->version == 0)
			return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" has version 0, expected 1 or more", t->name);
		if (t->kind != LEAT_TABLE_FIXED && t->kind != LEAT_TABLE_VALUE && t->kind != LEAT_TABLE_ORDERED)
			return leat_error_set(err, LEAT_FATAL, 0, "its table \"%s\" is of kind %d, which this host does not know", t->name,
			                      (int)t->kind);
		if (t->kind == LEAT_TABLE_FIXED)
			status = check_fixed(t, err);
		if (status == LEAT_OK)
			status = check_older(t, err);
	}
	return status;
}

static enum leat_status check_ports(const char *const *ports, struct leat_error *err)
{
	for (size_t i = 0; ports != NULL && ports[i] != NULL; i++) {
		if (!is_name(ports[i]))
			return leat_error_set(err, LEAT_FATAL, 0, "the name of its port \"%s\" is not of the form [a-z][a-z0-9_]*", ports[i]);
		if (strcmp(ports[i], "dead") == 0)
			return leat_error_set(err, LEAT_FATAL, 0, "it has a port \"dead\", which is the host's");
		for (size_t k = 0; k < i; k++)
			if (strcmp(ports[k], ports[i]) == 0)
				return leat_error_set(err, LEAT_FATAL, 0, "its port \"%s\" is there twice", ports[i]);
	}
	return LEAT_OK;
}

static enum leat_status check_inputs(const char *const *inputs, struct leat_error *err)
{
	size_t i;

	for (i = 0; inputs != NULL && inputs[i] != NULL; i++) {
		if (i == LEAT_INPUTS)
			return leat_error_set(err, LEAT_FATAL, 0, "it has more than %d named inputs", (int)LEAT_INPUTS);
		if (!is_name(inputs[i]))
			return leat_error_set(err, LEAT_FATAL, 0, "the name of its input \"%s\" is not of the form [a-z][a-z0-9_]*", inputs[i]);
		for (size_t k = 0; k < i; k++)
			if (strcmp(inputs[k], inputs[i]) == 0)
				return leat_error_set(err, LEAT_FATAL, 0, "its input \"%s\" is there twice", inputs[i]);
	}
	if (inputs != NULL && i == 0)
		return leat_error_set(err, LEAT_FATAL, 0, "its table of inputs is empty; leave it out");
	return LEAT_OK;
}

/* ---- the roles ---------------------------------------------------------------------------------------------------- */

static enum leat_status check_source(const struct leat_source_ops *ops, struct leat_error *err)
{
	enum leat_status status = check_role("source", ops->size, sizeof *ops, err);

	if (status != LEAT_OK)
		return status;
	status = check_callbacks("source",
	                         (const struct callback[]){ { "partitions", ops->partitions != NULL },
	                                                    { "open", ops->open != NULL },
	                                                    { "poll", ops->poll != NULL },
	                                                    { "close", ops->close != NULL },
	                                                    { NULL, false } },
	                         err);
	return status != LEAT_OK ? status : check_options("source", ops->options, ops->instance_size, err);
}

static enum leat_status check_operator(const struct leat_operator_ops *ops, struct leat_error *err)
{
	enum leat_status status = check_role("operator", ops->size, sizeof *ops, err);

	if (status != LEAT_OK)
		return status;
	status = check_callbacks("operator", (const struct callback[]){ { "process", ops->process != NULL }, { NULL, false } }, err);
	if (status == LEAT_OK)
		status = check_options("operator", ops->options, ops->instance_size, err);
	if (status == LEAT_OK)
		status = check_tables(ops->tables, err);
	if (status == LEAT_OK)
		status = check_inputs(ops->inputs, err);
	return status != LEAT_OK ? status : check_ports(ops->ports, err);
}

static enum leat_status check_sink(const struct leat_sink_ops *ops, struct leat_error *err)
{
	enum leat_status status = check_role("sink", ops->size, sizeof *ops, err);

	if (status != LEAT_OK)
		return status;
	status = check_callbacks("sink",
	                         (const struct callback[]){ { "encode", ops->encode != NULL },
	                                                    { "claim", ops->claim != NULL },
	                                                    { "deliver", ops->deliver != NULL },
	                                                    { NULL, false } },
	                         err);
	return status != LEAT_OK ? status : check_options("sink", ops->options, ops->instance_size, err);
}

static enum leat_status check_codec(const struct leat_codec_ops *ops, struct leat_error *err)
{
	enum leat_status status = check_role("codec", ops->size, sizeof *ops, err);

	if (status != LEAT_OK)
		return status;
	status = check_callbacks(
		"codec",
		(const struct callback[]){ { "decode", ops->decode != NULL }, { "encode", ops->encode != NULL }, { NULL, false } }, err);
	return status != LEAT_OK ? status : check_options("codec", ops->options, ops->instance_size, err);
}

enum leat_status leat_plugin_validate(const struct leat_plugin *plugin, struct leat_error *err)
{
	enum leat_status status = check_interface(plugin, err);

	if (status == LEAT_OK)
		status = check_names(plugin, err);
	if (status == LEAT_OK && plugin->source != NULL)
		status = check_source(plugin->source, err);
	if (status == LEAT_OK && plugin->op != NULL)
		status = check_operator(plugin->op, err);
	if (status == LEAT_OK && plugin->sink != NULL)
		status = check_sink(plugin->sink, err);
	if (status == LEAT_OK && plugin->codec != NULL)
		status = check_codec(plugin->codec, err);
	return status;
}
