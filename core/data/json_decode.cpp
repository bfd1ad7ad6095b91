/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fast way from JSON to values. simdjson's first stage checks UTF-8, quotes and control characters over the whole input and
 * lists where its tokens start; this file walks that list, visits everything once, and is strict about the rest of the
 * grammar. What it refuses is read again by json_fault.c, which knows why.
 *
 * simdjson's own second stages are not used: they keep no positions, round large numbers and copy texts.
 *
 * Rules that the walk relies on:
 *  - The last token of an input that starts with { or [ is } or ]: so every number and word inside has a byte behind it
 *    that ends it, and no loop runs off the end.
 *  - A text ends at the last byte before the next token that is not white space, as tokens that follow it at once have
 *    a place of their own in the list.
 */
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/memory.h"
#include "data/json.h"
#include "data/json_fault.h"
#include "data/number.h"

namespace {

const size_t PADDING = 64;
static_assert(PADDING >= simdjson::SIMDJSON_PADDING, "as LEAT_CODEC_PADDING promises");

/* A decoder that has met one huge document does not keep the room for it. */
const size_t KEPT_CAPACITY = 1 << 20;
const size_t LARGEST = 1 << 30;
const size_t SHAPE = 128;

/* A name of the document before, as the n-th name of all: its bytes as far as 16, and the symbol. */
struct shape_name {
	uint64_t head;
	uint64_t tail;
	uint32_t n;
	leat_symbol symbol;
};

template <typename T> struct stack {
	T *item;
	size_t n;
	size_t capacity;

	inline T *push() noexcept
	{
		if (__builtin_expect(n == capacity, 0))
			item = static_cast<T *>(leat_grow(item, n, &capacity, sizeof(T)));
		return &item[n++];
	}
};

inline uint64_t load(const char *s) noexcept
{
	uint64_t word;

	memcpy(&word, s, sizeof word);
	return word;
}

/* Fewer than 8 bytes. Reads 8, which the padding allows. */
inline uint64_t load_some(const char *s, size_t n) noexcept
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return load(s) & ((UINT64_C(1) << (8 * n)) - 1);
#else
	uint64_t word = 0;

	memcpy(&word, s, n);
	return word;
#endif
}

inline bool is_space(char c) noexcept
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

inline bool is_digit(char c) noexcept
{
	return static_cast<unsigned char>(c - '0') < 10;
}

/* What may stand behind a number or a word. */
inline bool is_break(char c) noexcept
{
	return c == ',' || c == '}' || c == ']' || is_space(c);
}

} // namespace

struct leat_json {
	const struct leat_symbols *symbols;
	std::unique_ptr<simdjson::internal::dom_parser_implementation> stage1;
	stack<leat_member> members; /* of the maps that are open */
	stack<leat_value> items;    /* of the lists that are open */
	shape_name shape[SHAPE];
};

namespace {

/* One document on its way. */
struct walk {
	leat_json *json;
	leat_arena *arena;
	const char *bytes;
	size_t n;
	const uint32_t *token; /* the next one */
	const uint32_t *end;
	bool has_escapes;
	size_t n_names;

	bool value(leat_value *out, unsigned depth) noexcept;

private:
	bool text(const char *quote, const char **s, uint32_t *n_bytes) noexcept;
	bool number(const char *s, leat_value *out) noexcept;
	bool sourced(const char *s, size_t n_source, double real, leat_value *out) noexcept;
	leat_symbol symbol(const char *name, size_t name_n) noexcept;
	bool member(const char *quote, leat_member *out, unsigned depth) noexcept;
	bool map(const char *brace, leat_value *out, unsigned depth) noexcept;
	bool list(const char *bracket, leat_value *out, unsigned depth) noexcept;
	const char *next() noexcept;
};

/* Start of the next token; where there is none, the zero byte that no token is. */
inline const char *walk::next() noexcept
{
	return token < end ? bytes + *token++ : "";
}

inline bool walk::text(const char *quote, const char **s, uint32_t *n_bytes) noexcept
{
	const char *close = bytes + (token < end ? *token : n) - 1;
	char *copy;
	size_t at;
	long n_copy;

	while (is_space(*close))
		close--;
	/* Never so by the second rule; but that one is simdjson's to keep, and this costs nothing. */
	if (*close != '"' || close == quote)
		return false;
	*s = quote + 1;
	*n_bytes = static_cast<uint32_t>(close - quote - 1);
	if (!has_escapes || memchr(*s, '\\', *n_bytes) == nullptr)
		return true;
	/* Names are compared by words of 8 bytes: the copy needs some padding as well. */
	copy = static_cast<char *>(leat_arena_allocate(arena, *n_bytes + sizeof(uint64_t)));
	n_copy = leat_json_unescape(copy, *s, *n_bytes, &at);
	if (n_copy < 0)
		return false;
	*s = copy;
	*n_bytes = static_cast<uint32_t>(n_copy);
	return true;
}

bool walk::sourced(const char *s, size_t n_source, double real, leat_value *out) noexcept
{
	leat_number *made = static_cast<leat_number *>(leat_arena_allocate(arena, sizeof *made));

	made->real = real;
	made->source_n = static_cast<uint32_t>(n_source);
	made->source = s;
	out->type = LEAT_REAL;
	out->flags = LEAT_VALUE_SOURCED;
	out->as.number = made;
	return true;
}

/* Exact where both the digits and the power of ten are exact doubles (Clinger's fast path), which prices and measurements are. */
inline double read_real(const char *s, size_t n, uint64_t digits, long n_digits, long exponent) noexcept
{
	static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	                              1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
	double d;

	if (n_digits > 19 || digits > UINT64_C(1) << 53 || exponent < -22 || exponent > 22)
		return leat_number_read_real(s, n);
	d = static_cast<double>(digits);
	d = exponent < 0 ? d / tens[-exponent] : d * tens[exponent];
	return *s == '-' ? -d : d;
}

inline const char *read_digits(const char *s, uint64_t *digits) noexcept
{
	for (; is_digit(*s); s++)
		*digits = *digits * 10 + static_cast<uint64_t>(*s - '0'); /* wraps; whoever uses it looks at the count */
	return s;
}

/* At the e: false when no digits follow. The exponent is as large as matters. */
bool read_exponent(const char **s, long *exponent) noexcept
{
	const char *at = *s + 1;
	bool is_negative = *at == '-';
	long e = 0;

	if (*at == '-' || *at == '+')
		at++;
	if (!is_digit(*at))
		return false;
	for (; is_digit(*at); at++)
		if (e < 100000)
			e = e * 10 + (*at - '0');
	*exponent += is_negative ? -e : e;
	*s = at;
	return true;
}

inline bool walk::number(const char *s, leat_value *out) noexcept
{
	bool is_negative = *s == '-';
	const char *first = s + is_negative, *at;
	uint64_t digits = 0;
	long n_digits, exponent = 0;

	at = read_digits(first, &digits);
	n_digits = at - first;
	if (n_digits == 0 || (*first == '0' && n_digits > 1))
		return false;
	if (is_break(*at)) {
		if (n_digits <= 19 && digits <= static_cast<uint64_t>(INT64_MAX) + is_negative && !(is_negative && digits == 0)) {
			out->type = LEAT_INTEGER;
			out->as.integer = static_cast<int64_t>(is_negative ? 0 - digits : digits);
			return true;
		}
	} else {
		if (*at == '.') {
			const char *point = at++;

			at = read_digits(at, &digits);
			exponent = point + 1 - at;
			n_digits -= exponent;
			if (exponent == 0)
				return false;
		}
		if ((*at == 'e' || *at == 'E') && !read_exponent(&at, &exponent))
			return false;
		if (!is_break(*at))
			return false;
	}
	return sourced(s, static_cast<size_t>(at - s), read_real(s, static_cast<size_t>(at - s), digits, n_digits, exponent), out);
}

/* Streams mostly hold documents of one shape, so the n-th name of a document is mostly the n-th of the one before, or the one
 * after that where a member was left out. */
inline leat_symbol walk::symbol(const char *name, size_t name_n) noexcept
{
	shape_name seen, *expected;
	size_t i;

	if (json->symbols == nullptr)
		return LEAT_NO_SYMBOL;
	if (n_names >= SHAPE || name_n > 16)
		return leat_symbols_find(json->symbols, name, name_n);
	seen.head = name_n < 8 ? load_some(name, name_n) : load(name);
	seen.tail = name_n < 8 ? 0 : load(name + name_n - 8);
	for (i = n_names; i < n_names + 2 && i < SHAPE; i++) {
		expected = &json->shape[i];
		if (expected->head == seen.head && expected->tail == seen.tail && expected->n == name_n) {
			n_names = i + 1;
			return expected->symbol;
		}
	}
	seen.n = static_cast<uint32_t>(name_n);
	seen.symbol = leat_symbols_find(json->symbols, name, name_n);
	json->shape[n_names++] = seen;
	return seen.symbol;
}

inline bool walk::member(const char *quote, leat_member *out, unsigned depth) noexcept
{
	if (*quote != '"' || !text(quote, &out->name, &out->name_n))
		return false;
	out->symbol = symbol(out->name, out->name_n);
	return *next() == ':' && value(&out->value, depth);
}

bool walk::map(const char *brace, leat_value *out, unsigned depth) noexcept
{
	stack<leat_member> *members = &json->members;
	size_t base = members->n, n_members;
	const char *at = next();
	leat_member *copy;
	leat_map *made;

	if (depth > LEAT_JSON_DEPTH)
		return false;
	if (*at != '}')
		for (;; at = next()) {
			leat_member one;

			if (!member(at, &one, depth))
				return false;
			*members->push() = one;
			at = next();
			if (*at == '}')
				break;
			if (*at != ',')
				return false;
		}
	n_members = members->n - base;
	made = static_cast<leat_map *>(leat_arena_allocate(arena, sizeof *made + n_members * sizeof *copy));
	copy = reinterpret_cast<leat_member *>(made + 1);
	if (n_members > 0)
		memcpy(copy, members->item + base, n_members * sizeof *copy);
	members->n = base;
	made->member = copy;
	made->n = static_cast<uint32_t>(n_members);
	made->source = brace;
	made->source_n = static_cast<uint32_t>(at + 1 - brace);
	out->type = LEAT_MAP;
	out->n = made->n;
	out->as.map = made;
	return true;
}

bool walk::list(const char *bracket, leat_value *out, unsigned depth) noexcept
{
	stack<leat_value> *items = &json->items;
	size_t base = items->n, n_items;
	const char *at;
	leat_value *copy;
	leat_list *made;

	if (depth > LEAT_JSON_DEPTH || token == end)
		return false;
	if (bytes[*token] == ']')
		at = next();
	else
		for (;;) {
			leat_value one;

			if (!value(&one, depth))
				return false;
			*items->push() = one;
			at = next();
			if (*at == ']')
				break;
			if (*at != ',')
				return false;
		}
	n_items = items->n - base;
	made = static_cast<leat_list *>(leat_arena_allocate(arena, sizeof *made + n_items * sizeof *copy));
	copy = reinterpret_cast<leat_value *>(made + 1);
	if (n_items > 0)
		memcpy(copy, items->item + base, n_items * sizeof *copy);
	items->n = base;
	made->item = copy;
	made->n = static_cast<uint32_t>(n_items);
	made->source = bracket;
	made->source_n = static_cast<uint32_t>(at + 1 - bracket);
	out->type = LEAT_LIST;
	out->n = made->n;
	out->as.list = made;
	return true;
}

bool walk::value(leat_value *out, unsigned depth) noexcept
{
	const char *at = next();

	*out = leat_null();
	switch (*at) {
	case '"':
		out->type = LEAT_TEXT;
		return text(at, &out->as.text, &out->n);
	case '{':
		return map(at, out, depth + 1);
	case '[':
		return list(at, out, depth + 1);
	case 't':
		*out = leat_bool(true);
		return memcmp(at, "true", 4) == 0 && is_break(at[4]);
	case 'f':
		*out = leat_bool(false);
		return memcmp(at, "false", 5) == 0 && is_break(at[5]);
	case 'n':
		return memcmp(at, "null", 4) == 0 && is_break(at[4]);
	default:
		return number(at, out);
	}
}

bool find_tokens(leat_json *json, const char *bytes, size_t n) noexcept
{
	using namespace simdjson;
	size_t capacity = 4096;

	if (json->stage1 == nullptr || json->stage1->capacity() < n) {
		while (capacity < n)
			capacity *= 2;
		json->stage1.reset();
		if (get_active_implementation()->create_dom_parser_implementation(capacity, LEAT_JSON_DEPTH, json->stage1) != SUCCESS)
			leat_run_out();
	}
	return json->stage1->stage1(reinterpret_cast<const uint8_t *>(bytes), n, stage1_mode::regular) == SUCCESS;
}

bool decode(leat_json *json, leat_arena *arena, const char *bytes, size_t n, leat_value *out) noexcept
{
	walk w{};
	leat_value made;
	char first, last;

	if (!find_tokens(json, bytes, n))
		return false;
	w.json = json;
	w.arena = arena;
	w.token = json->stage1->structural_indexes.get();
	w.end = w.token + json->stage1->n_structural_indexes;
	first = bytes[w.token[0]];
	last = bytes[w.end[-1]];
	if (first == '{' || first == '[') {
		if (last != '}' && last != ']')
			return false;
	} else if (first != '"') {
		/* A lone number or word: what stands behind it is not ours, so it gets a break of its own. */
		char *copy = leat_arena_text(arena, bytes, n + PADDING);

		memset(copy + n, ' ', PADDING);
		bytes = copy;
	}
	w.bytes = bytes;
	w.n = n;
	w.has_escapes = memchr(bytes, '\\', n) != nullptr;
	json->members.n = 0;
	json->items.n = 0;
	if (!w.value(&made, 0) || w.token != w.end)
		return false;
	*out = made;
	return true;
}

} // namespace

extern "C" struct leat_json *leat_json_create(const struct leat_symbols *symbols)
{
	leat_json *json = new (std::nothrow) leat_json();
	size_t i;

	if (json == nullptr)
		leat_run_out();
	json->symbols = symbols;
	for (i = 0; i < SHAPE; i++)
		json->shape[i].n = UINT32_MAX; /* no name is that long */
	return json;
}

extern "C" void leat_json_destroy(struct leat_json *json)
{
	if (json == nullptr)
		return;
	free(json->members.item);
	free(json->items.item);
	delete json;
}

extern "C" enum leat_status leat_json_decode(struct leat_json *json, struct leat_arena *arena, const char *bytes, size_t n,
                                             struct leat_value *out, struct leat_error *err)
{
	size_t skipped = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	bool is_json;

	bytes += skipped;
	n -= skipped;
	if (n > LARGEST)
		return leat_error_set(err, LEAT_REJECT, 0, "%zu bytes are more than the %zu that are read", n, LARGEST);
	is_json = n > 0 && decode(json, arena, bytes, n, out);
	if (n > KEPT_CAPACITY)
		json->stage1.reset();
	if (is_json)
		return LEAT_OK;
	if (leat_json_fault(bytes, n, skipped, err) == LEAT_OK)
		return leat_error_set(err, LEAT_REJECT, 0, "not readable as JSON"); /* the tests hold that this cannot happen */
	return LEAT_REJECT;
}
