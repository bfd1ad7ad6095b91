/* SPDX-License-Identifier: Apache-2.0 */
#include "data/template.h"

#include "data/json.h"
#include "data/number.h"
#include "data/path_scan.h"

enum piece_kind { PIECE_TEXT, PIECE_FIELD, PIECE_KEY, PIECE_TIME, PIECE_OFFSET, PIECE_PARTITION };

struct piece {
	enum piece_kind kind;
	const char *text; /* PIECE_TEXT */
	size_t n;
	const struct leat_path *path; /* PIECE_FIELD */
	bool is_fixed;                /* PIECE_FIELD: numbers are written with `decimals` */
	unsigned decimals;
};

struct leat_template {
	size_t n;
	const struct piece *piece;
};

static const struct {
	const char *name;
	enum piece_kind kind;
} of_record[] = {
	{"@key", PIECE_KEY}, {"@time", PIECE_TIME}, {"@offset", PIECE_OFFSET}, {"@partition", PIECE_PARTITION},
};

static enum leat_status fault(struct leat_error *err, const char *text, const char *at, const char *what)
{
	return leat_error_set(err, LEAT_FATAL, 0, "template \"%s\": %s at column %zu", text, what, (size_t)(at - text) + 1);
}

/* The text up to the next brace that is not doubled; a doubled one ends the piece after its first half. */
static const char *scan_text(const char *at, struct piece *piece)
{
	size_t n = strcspn(at, "{}");

	*piece = (struct piece){.kind = PIECE_TEXT, .text = at, .n = n};
	at += n;
	if (*at != '\0' && at[1] == *at) {
		piece->n++;
		at += 2;
	}
	return at;
}

/* The brace that closes the field, which may hold quoted names with braces in them. */
static const char *find_close(const char *at)
{
	bool is_quoted = false;

	for (; *at != '\0' && (is_quoted || *at != '}'); at++) {
		if (is_quoted && *at == '\\' && at[1] != '\0')
			at++;
		else if (*at == '"')
			is_quoted = !is_quoted;
	}
	return *at == '}' ? at : NULL;
}

/* Takes a `:.2` off the end of a field; returns where the path ends. Anything else is left for the path to complain about. */
static const char *scan_decimals(const char *at, const char *close, struct piece *piece)
{
	if (close - at < 4 || close[-3] != ':' || close[-2] != '.' || close[-1] < '0' || close[-1] > '0' + LEAT_NUMBER_DECIMALS)
		return close;
	piece->is_fixed = true;
	piece->decimals = (unsigned)(close[-1] - '0');
	return close - 3;
}

/* `at` is behind the opening brace. */
static enum leat_status compile_field(struct leat_arena *arena, struct leat_symbols *symbols, const char *text, const char *at,
                                      const char *close, struct piece *piece, struct leat_error *err)
{
	size_t i, n = (size_t)(close - at);

	*piece = (struct piece){.kind = PIECE_FIELD};
	if (n == 0)
		return fault(err, text, at, "a field is missing between the braces");
	if (*at != '@') {
		close = scan_decimals(at, close, piece);
		return leat_path_scan(arena, symbols, text, at, close, &piece->path, err);
	}
	for (i = 0; i < sizeof of_record / sizeof of_record[0]; i++)
		if (strlen(of_record[i].name) == n && memcmp(of_record[i].name, at, n) == 0) {
			piece->kind = of_record[i].kind;
			return LEAT_OK;
		}
	return fault(err, text, at, "not one of @key, @time, @offset, @partition");
}

enum leat_status leat_template_compile(struct leat_arena *arena, struct leat_symbols *symbols, const char *text,
                                       const struct leat_template **out, struct leat_error *err)
{
	/* Every piece takes a byte at least. */
	struct piece *piece = leat_arena_allocate(arena, (strlen(text) + 1) * sizeof *piece);
	struct leat_template *made;
	const char *at = text;
	size_t n = 0;

	text = at = leat_path_copy_text(arena, text, text + strlen(text));
	while (*at != '\0') {
		const char *close;
		enum leat_status status;

		if ((*at != '{' && *at != '}') || at[1] == *at) {
			at = scan_text(at, &piece[n++]);
			continue;
		}
		if (*at == '}')
			return fault(err, text, at, "'}' without '{' (a brace itself is written \"}}\")");
		close = find_close(at + 1);
		if (close == NULL)
			return fault(err, text, at, "'{' without '}' (a brace itself is written \"{{\")");
		status = compile_field(arena, symbols, text, at + 1, close, &piece[n++], err);
		if (status != LEAT_OK)
			return status;
		at = close + 1;
	}
	made = leat_arena_allocate(arena, sizeof *made);
	*made = (struct leat_template){.n = n, .piece = piece};
	*out = made;
	return LEAT_OK;
}

/* What JSON writes as a text goes in without the quotes: no escapes are in times and base64. */
static enum leat_status render_value(const struct leat_value *value, struct leat_buffer *out, struct leat_error *err)
{
	size_t before = out->n;
	enum leat_status status;

	if (value->type == LEAT_TEXT) {
		leat_buffer_append(out, value->as.text, value->n);
		return LEAT_OK;
	}
	status = leat_json_encode(value, out, err);
	if (status != LEAT_OK || (value->type != LEAT_TIME && value->type != LEAT_BYTES))
		return status;
	out->n -= 2;
	memmove(out->data + before, out->data + before + 1, out->n - before);
	return LEAT_OK;
}

static enum leat_status render_fixed(const struct piece *piece, const struct leat_value *value, struct leat_buffer *out,
                                     struct leat_error *err)
{
	double d;
	size_t n = 0;

	if (leat_as_real(value, &d))
		n = leat_number_write_fixed(leat_buffer_reserve(out, LEAT_NUMBER_TEXT), d, piece->decimals);
	out->n += n;
	return n > 0 ? LEAT_OK : render_value(value, out, err);
}

static enum leat_status render_piece(const struct piece *piece, const struct leat_record *record, struct leat_buffer *out,
                                     struct leat_error *err)
{
	const struct leat_value *value;
	struct leat_value made;

	switch (piece->kind) {
	case PIECE_TEXT:
		leat_buffer_append(out, piece->text, piece->n);
		return LEAT_OK;
	case PIECE_FIELD:
		value = leat_path_get(piece->path, &record->value);
		if (value == NULL || value->type == LEAT_NULL)
			return leat_error_set(err, LEAT_REJECT, 0, "field \"%s\" is %s", piece->path->text, value == NULL ? "missing" : "null");
		return piece->is_fixed ? render_fixed(piece, value, out, err) : render_value(value, out, err);
	case PIECE_KEY:
		if (record->key.type == LEAT_NULL)
			return leat_error_set(err, LEAT_REJECT, 0, "the record has no key");
		return render_value(&record->key, out, err);
	case PIECE_TIME:
		if (record->time_us == LEAT_NO_TIME)
			return leat_error_set(err, LEAT_REJECT, 0, "the record has no event time");
		made = leat_time(record->time_us);
		return render_value(&made, out, err);
	case PIECE_OFFSET:
	case PIECE_PARTITION:
		break;
	}
	out->n += leat_number_write_integer(leat_buffer_reserve(out, LEAT_NUMBER_TEXT),
	                                    piece->kind == PIECE_OFFSET ? record->origin.offset : record->origin.partition);
	return LEAT_OK;
}

enum leat_status leat_template_render(const struct leat_template *t, const struct leat_record *record, struct leat_buffer *out,
                                      struct leat_error *err)
{
	size_t before = out->n;
	size_t i;

	for (i = 0; i < t->n; i++) {
		enum leat_status status = render_piece(&t->piece[i], record, out, err);

		if (status != LEAT_OK) {
			out->n = before;
			return status;
		}
	}
	return LEAT_OK;
}
