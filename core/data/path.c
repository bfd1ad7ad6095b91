/* SPDX-License-Identifier: Apache-2.0 */
#include "data/path.h"

#include "data/path_scan.h"

enum { LONGEST_PATH = 32 };

static enum leat_status fault(struct leat_error *err, const char *text, const char *at, const char *what)
{
	return leat_error_set(err, LEAT_FATAL, 0, "field \"%s\": %s at column %zu", text, what, (size_t)(at - text) + 1);
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_name(char c)
{
	return is_name_start(c) || (c >= '0' && c <= '9') || c == '-' || c == '$';
}

/* A plain name: letters, digits, _, - and $, and whatever is not ASCII; not beginning with a digit, - or $. */
static const char *scan_plain(const char *s, const char *end, struct leat_path_name *name)
{
	const char *at = s;

	if (at == end || !is_name_start(*at))
		return NULL;
	while (at < end && is_name(*at))
		at++;
	name->bytes = s;
	name->n = (size_t)(at - s);
	return at;
}

/* A quoted name, `at` behind the quote: any bytes; \" and \\ are a quote and a backslash. */
static const char *scan_quoted(const char *s, const char *end, char *room, struct leat_path_name *name)
{
	size_t n = 0;

	for (; s < end && *s != '"'; s++) {
		if (*s == '\\' && s + 1 < end && (s[1] == '"' || s[1] == '\\'))
			s++;
		room[n++] = *s;
	}
	name->bytes = room;
	name->n = n;
	return s < end ? s + 1 : NULL;
}

enum leat_status leat_path_scan(struct leat_arena *arena, struct leat_symbols *symbols, const char *text, const char *from,
                                const char *end, const struct leat_path **out, struct leat_error *err)
{
	leat_symbol symbol[LONGEST_PATH], *copy;
	struct leat_path *path;
	uint32_t n = 0;
	const char *at = from;

	for (;;) {
		struct leat_path_name name;
		const char *start = at;

		if (n == LONGEST_PATH)
			return fault(err, text, at, "more than 32 names");
		if (at < end && *at == '"')
			at = scan_quoted(at + 1, end, leat_arena_allocate(arena, (size_t)(end - at)), &name);
		else
			at = scan_plain(at, end, &name);
		if (at == NULL)
			return fault(err, text, start, start < end && *start == '"' ? "a quote that is not closed" : "a name is missing");
		symbol[n++] = leat_symbols_intern(symbols, name.bytes, name.n);
		if (at == end)
			break;
		if (*at != '.')
			return fault(err, text, at, "something that is neither a name nor a dot (odd names go in quotes)");
		at++;
	}
	copy = leat_arena_allocate(arena, n * sizeof *copy);
	memcpy(copy, symbol, n * sizeof *copy);
	path = leat_arena_allocate(arena, sizeof *path);
	path->text = leat_path_copy_text(arena, from, end);
	path->n = n;
	path->symbol = copy;
	*out = path;
	return LEAT_OK;
}

const char *leat_path_copy_text(struct leat_arena *arena, const char *from, const char *end)
{
	size_t n = (size_t)(end - from);
	char *copy = leat_arena_allocate(arena, n + 1);

	memcpy(copy, from, n);
	copy[n] = '\0';
	return copy;
}

enum leat_status leat_path_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                   const struct leat_path **out, struct leat_error *err)
{
	return leat_path_scan(arena, symbols, text, text, text + strlen(text), out, err);
}
