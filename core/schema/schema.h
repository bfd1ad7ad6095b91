/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LEAT_SCHEMA_SCHEMA_H
#define LEAT_SCHEMA_SCHEMA_H

#include <leat/error.h>
#include <leat/value.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * JSON Schema over values: the subset of draft 2020-12 that docs/json-schema.md names. A schema is immutable once it is read, and
 * any number of threads may judge with it.
 *
 * In a build without it (--without-schema) reading is refused, with that reason.
 */

struct leat_schema;

/* LEAT_FATAL when it cannot be read, is not JSON, or says something that is not supported; the reason says where in the file, as a
 * JSON Pointer. `name` is what messages call the file. */
enum leat_status leat_schema_read(const char *path, const char *name, struct leat_schema **out, struct leat_error *err);
void leat_schema_destroy(struct leat_schema *schema); /* accepts NULL */

/* LEAT_REJECT with the first violation and its place: `schema: /amount must be a number, is "x"`. */
enum leat_status leat_schema_judge(const struct leat_schema *schema, const struct leat_value *value, struct leat_error *err);

#ifdef __cplusplus
}
#endif

#endif
