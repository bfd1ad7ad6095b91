/* SPDX-License-Identifier: Apache-2.0 */
/* `type: schema`: lets through what a JSON Schema allows. What it does not is a dead letter with the place of the violation. */
#include <string.h>

#include "schema/schema.h"
#include "schema/schema_plugin.h"

struct gate {
	const char *path;
	struct leat_schema *schema;
};

static enum leat_status create(void *self_, struct leat_context *ctx, struct leat_error *err)
{
	struct gate *self = self_;
	const char *name = strrchr(self->path, '/');

	(void)ctx;
	if (leat_schema_read(self->path, name == NULL ? self->path : name + 1, &self->schema, err) != LEAT_OK)
		return leat_error_at(err, "schema");
	return LEAT_OK;
}

static enum leat_status process(void *self_, const struct leat_record *record, struct leat_context *ctx, struct leat_error *err)
{
	const struct gate *self = self_;
	enum leat_status status = leat_schema_judge(self->schema, &record->value, err);

	if (status == LEAT_OK)
		leat_emit(ctx, 0, record);
	return status;
}

static void destroy(void *self_)
{
	struct gate *self = self_;

	leat_schema_destroy(self->schema);
}

static const struct leat_option options[] = {
	LEAT_OPTION(TEXT, struct gate, path, "schema", "File with the JSON Schema that events have to meet.",
	            .flags = LEAT_OPTION_REQUIRED | LEAT_OPTION_PATH),
	{ 0 },
};

static const struct leat_operator_ops ops = {
	.size = sizeof ops,
	.instance_size = sizeof(struct gate),
	.options = options,
	.create = create,
	.process = process,
	.keeps_records = true,
	.destroy = destroy,
};

const struct leat_plugin leat_schema_plugin = {
	.magic = LEAT_MAGIC,
	.abi = LEAT_ABI,
	.size = sizeof leat_schema_plugin,
	.layout = LEAT_LAYOUT,
	.name = "schema",
	.version = "1.0",
	.summary = "Lets through what a JSON Schema allows.",
	.licence = "Apache-2.0",
	.op = &ops,
};
