/* SPDX-License-Identifier: Apache-2.0 */
/* In place of read.cpp and judge.cpp where leat is built --without-schema. */
#include "base/check.h"
#include "schema/schema.h"

enum leat_status leat_schema_read(const char *path, const char *name, struct leat_schema **out, struct leat_error *err)
{
	(void)path;
	(void)out;
	return leat_error_set(err, LEAT_FATAL, 0, "cannot use schema \"%s\": this leat was built without JSON Schema (--without-schema)", name);
}

void leat_schema_destroy(struct leat_schema *schema)
{
	leat_check(schema == NULL);
}

enum leat_status leat_schema_judge(const struct leat_schema *schema, const struct leat_value *value, struct leat_error *err)
{
	(void)schema;
	(void)value;
	return leat_error_set(err, LEAT_FATAL, 0, "there is no schema to judge by");
}
