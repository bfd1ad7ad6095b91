/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identifiers: what may be one is narrower than what SQL allows, so that quoting could be left out without harm. It is
 * done all the same.
 */
#include <ctype.h>

#include "postgres.h"

bool postgres_is_identifier(const char *text)
{
	size_t i;

	if (text[0] == '\0' || isdigit((unsigned char)text[0]) || text[0] == '$')
		return false;
	for (i = 0; text[i] != '\0'; i++)
		if (i >= 63 || !(isalnum((unsigned char)text[i]) || text[i] == '_' || text[i] == '$') ||
		    (unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

enum leat_status postgres_parse_name(const char *text, const char *schema, struct postgres_name *out, struct leat_error *err)
{
	const char *dot = strchr(text, '.');
	struct postgres_name name;
	size_t n = dot != NULL ? (size_t)(dot - text) : 0;

	if (n >= sizeof name.schema)
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "cannot use \"%s\" as the name of a table: its schema is longer than 63 bytes", text);
	(void)snprintf(name.schema, sizeof name.schema, "%.*s", dot != NULL ? (int)n : 63, dot != NULL ? text : schema);
	(void)snprintf(name.name, sizeof name.name, "%s", dot != NULL ? dot + 1 : text);
	if (!postgres_is_identifier(name.schema) || !postgres_is_identifier(dot != NULL ? dot + 1 : text))
		return leat_error_set(err, LEAT_FATAL, 0,
		                      "cannot use \"%s\" as the name of a table: it has to be `name` or `schema.name`, of letters, digits and _",
		                      text);
	*out = name;
	return LEAT_OK;
}

void postgres_quote(const struct postgres *pg, struct leat_buffer *out, const char *name)
{
	char *quoted = PQescapeIdentifier(pg->conn, name, strlen(name));

	/* Not text in the connection's encoding: "" is refused by every server. */
	leat_buffer_text(out, quoted != NULL ? quoted : "\"\"");
	PQfreemem(quoted);
}

void postgres_quote_name(const struct postgres *pg, struct leat_buffer *out, const struct postgres_name *name)
{
	postgres_quote(pg, out, name->schema);
	leat_buffer_byte(out, '.');
	postgres_quote(pg, out, name->name);
}
