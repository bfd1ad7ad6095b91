/* SPDX-License-Identifier: Apache-2.0 */
/*
 * msgpack-c writes; reading is our own, as its parser stops at 32 levels (MSGPACK_EMBED_STACK_SIZE) and builds objects that
 * would have to be built again.
 *
 * Reading takes two walks. The first only skips: when it ends with the bytes, every length and count lies within them, and as
 * each item takes a byte there are no more items than bytes. So the second walk, which builds, can trust all of them.
 */
#include "data/pack.h"

#include <leat/codec.h>

#include <math.h>

#include <msgpack.h>

#include "base/check.h"
#include "data/json.h"

enum { EXT_TIME = 1, EXT_NUMBER = 2, EXT_JSON = 3 };

/* ---- pack ----------------------------------------------------------------------------------------------------------- */

struct packing {
	msgpack_packer to;
	bool is_key; /* what is equal becomes the same bytes */
};

static void pack(struct packing *p, const struct leat_value *value, unsigned depth);

static int append(void *out, const char *bytes, size_t n)
{
	leat_buffer_append(out, bytes, n);
	return 0;
}

static void write_bits(char bytes[8], uint64_t bits)
{
	for (size_t i = 0; i < 8; i++)
		bytes[i] = (char)(bits >> (56 - 8 * i));
}

static void pack_time(struct packing *p, int64_t time_us)
{
	char bytes[8];

	write_bits(bytes, (uint64_t)time_us);
	(void)msgpack_pack_ext_with_body(&p->to, bytes, sizeof bytes, EXT_TIME);
}

static void pack_number(struct packing *p, const struct leat_number *number)
{
	char bytes[8];
	uint64_t bits;

	memcpy(&bits, &number->real, sizeof bits);
	write_bits(bytes, bits);
	(void)msgpack_pack_ext(&p->to, sizeof bytes + number->source_n, EXT_NUMBER);
	(void)msgpack_pack_ext_body(&p->to, bytes, sizeof bytes);
	(void)msgpack_pack_ext_body(&p->to, number->source, number->source_n);
}

static void pack_list(struct packing *p, const struct leat_list *list, unsigned depth)
{
	if (list->source != NULL && !p->is_key) {
		(void)msgpack_pack_ext_with_body(&p->to, list->source, list->source_n, EXT_JSON);
		return;
	}
	(void)msgpack_pack_array(&p->to, list->n);
	for (uint32_t i = 0; i < list->n; i++)
		pack(p, &list->item[i], depth + 1);
}

static void pack_member(struct packing *p, const struct leat_member *member, unsigned depth)
{
	(void)msgpack_pack_str_with_body(&p->to, member->name, member->name_n);
	pack(p, &member->value, depth + 1);
}

static void pack_map(struct packing *p, const struct leat_map *map, unsigned depth)
{
	if (map->source != NULL) {
		(void)msgpack_pack_ext_with_body(&p->to, map->source, map->source_n, EXT_JSON);
		return;
	}
	(void)msgpack_pack_map(&p->to, map->n);
	for (uint32_t i = 0; i < map->n; i++)
		pack_member(p, &map->member[i], depth);
}

static void pack_key_map(struct packing *p, const struct leat_map *map, unsigned depth)
{
	struct leat_members sorted;

	leat_members_sort(&sorted, map);
	(void)msgpack_pack_map(&p->to, sorted.n);
	for (size_t i = 0; i < sorted.n; i++)
		pack_member(p, sorted.member[i], depth);
	leat_members_finish(&sorted);
}

static void pack_real(struct packing *p, const struct leat_value *value)
{
	if (value->flags & LEAT_VALUE_SOURCED)
		pack_number(p, value->as.number);
	else
		(void)msgpack_pack_double(&p->to, value->as.real);
}

/* All that are no number are one. */
static void pack_key_real(struct packing *p, const struct leat_value *value)
{
	int64_t integer;
	double real = 0;

	if (leat_as_integer(value, &integer)) {
		(void)msgpack_pack_int64(&p->to, integer);
		return;
	}
	(void)leat_as_real(value, &real);
	(void)msgpack_pack_double(&p->to, isnan(real) ? (double)NAN : real);
}

static void pack(struct packing *p, const struct leat_value *value, unsigned depth)
{
	leat_check(depth <= LEAT_PACK_DEPTH);
	switch ((enum leat_type)value->type) {
	case LEAT_NULL:
		(void)msgpack_pack_nil(&p->to);
		break;
	case LEAT_BOOL:
		(void)(value->as.boolean ? msgpack_pack_true(&p->to) : msgpack_pack_false(&p->to));
		break;
	case LEAT_INTEGER:
		(void)msgpack_pack_int64(&p->to, value->as.integer);
		break;
	case LEAT_REAL:
		(p->is_key ? pack_key_real : pack_real)(p, value);
		break;
	case LEAT_TEXT:
		(void)msgpack_pack_str_with_body(&p->to, value->as.text, value->n);
		break;
	case LEAT_BYTES:
		(void)msgpack_pack_bin_with_body(&p->to, value->as.text, value->n);
		break;
	case LEAT_TIME:
		pack_time(p, value->as.time_us);
		break;
	case LEAT_LIST:
		pack_list(p, value->as.list, depth);
		break;
	case LEAT_MAP:
		(p->is_key ? pack_key_map : pack_map)(p, value->as.map, depth);
		break;
	}
}

static void pack_into(const struct leat_value *value, bool is_key, void *out, msgpack_packer_write write)
{
	struct packing p = { .is_key = is_key };

	msgpack_packer_init(&p.to, out, write);
	pack(&p, value, 0);
}

void leat_pack_value(const struct leat_value *value, struct leat_buffer *out)
{
	pack_into(value, false, out, append);
}

void leat_pack_key(const struct leat_value *key, struct leat_buffer *out)
{
	pack_into(key, true, out, append);
}

struct comparing {
	const char *at;
	size_t left;
	bool is_equal;
};

static int compare(void *to, const char *bytes, size_t n)
{
	struct comparing *with = to;

	with->is_equal = with->is_equal && n <= with->left && memcmp(with->at, bytes, n) == 0;
	if (!with->is_equal)
		return -1;
	with->at += n;
	with->left -= n;
	return 0;
}

bool leat_pack_key_is(const struct leat_value *key, const char *bytes, size_t n)
{
	struct comparing with = { .at = bytes, .left = n, .is_equal = true };

	pack_into(key, true, &with, compare);
	return with.is_equal && with.left == 0;
}

/* ---- the first bytes of an item ------------------------------------------------------------------------------------- */

enum form { DAMAGED, NIL, BOOL, UNSIGNED, SIGNED, REAL, TEXT, BYTES, LIST, MAP, EXT };

struct item {
	enum form form;
	int ext;
	uint64_t n;  /* bytes or items that follow; of a scalar its bits */
	size_t size; /* of what says so */
};

struct shape {
	uint8_t form;
	uint8_t width; /* of the big-endian number behind the first byte, */
	uint8_t n;     /* or the number itself */
};

/* First bytes 0xc0 to 0xdf. 0xc1 is never used, 0xca (float 32) not by us. */
static const struct shape shapes[32] = {
	{ NIL, 0, 0 },      { DAMAGED, 0, 0 },  { BOOL, 0, 0 },     { BOOL, 0, 1 },    { BYTES, 1, 0 },  { BYTES, 2, 0 },
	{ BYTES, 4, 0 },    { EXT, 1, 0 },      { EXT, 2, 0 },      { EXT, 4, 0 },     { DAMAGED, 0, 0 }, { REAL, 8, 0 },
	{ UNSIGNED, 1, 0 }, { UNSIGNED, 2, 0 }, { UNSIGNED, 4, 0 }, { UNSIGNED, 8, 0 }, { SIGNED, 1, 0 }, { SIGNED, 2, 0 },
	{ SIGNED, 4, 0 },   { SIGNED, 8, 0 },   { EXT, 0, 1 },      { EXT, 0, 2 },     { EXT, 0, 4 },    { EXT, 0, 8 },
	{ EXT, 0, 16 },     { TEXT, 1, 0 },     { TEXT, 2, 0 },     { TEXT, 4, 0 },    { LIST, 2, 0 },   { LIST, 4, 0 },
	{ MAP, 2, 0 },      { MAP, 4, 0 },
};

static uint64_t read_number(const unsigned char *s, size_t width)
{
	uint64_t n = 0;

	for (size_t i = 0; i < width; i++)
		n = n << 8 | s[i];
	return n;
}

static uint64_t extend_sign(uint64_t n, size_t width)
{
	uint64_t sign = UINT64_C(1) << (8 * width - 1);

	return (n ^ sign) - sign;
}

static struct shape shape_of(unsigned char first)
{
	if (first < 0x80)
		return (struct shape){ UNSIGNED, 0, first };
	if (first < 0x90)
		return (struct shape){ MAP, 0, first & 0x0f };
	if (first < 0xa0)
		return (struct shape){ LIST, 0, first & 0x0f };
	if (first < 0xc0)
		return (struct shape){ TEXT, 0, first & 0x1f };
	if (first < 0xe0)
		return shapes[first & 0x1f];
	return (struct shape){ SIGNED, 0, first };
}

static struct item item_at(const char *bytes, size_t left)
{
	const unsigned char *s = (const unsigned char *)bytes;
	struct shape shape = left > 0 ? shape_of(s[0]) : shapes[1];
	struct item item = { .form = (enum form)shape.form, .n = shape.n, .size = 1 + (size_t)shape.width + (shape.form == EXT) };

	if (shape.form == DAMAGED || item.size > left)
		return (struct item){ .form = DAMAGED };
	if (shape.width > 0)
		item.n = read_number(s + 1, shape.width);
	if (shape.form == EXT)
		item.ext = s[item.size - 1];
	if (shape.form == SIGNED)
		item.n = extend_sign(item.n, shape.width > 0 ? shape.width : 1);
	return item;
}

/* Bytes of what follows, apart from items. */
static size_t body_size(const struct item *item)
{
	return item->form == TEXT || item->form == BYTES || item->form == EXT ? (size_t)item->n : 0;
}

static size_t items_inside(const struct item *item)
{
	return item->form == LIST ? (size_t)item->n : item->form == MAP ? 2 * (size_t)item->n : 0;
}

size_t leat_packed_size(const char *bytes, size_t n)
{
	size_t at = 0;

	for (size_t items = 1; items > 0; items--) {
		struct item item = item_at(bytes + at, n - at);

		if (item.form == DAMAGED || body_size(&item) > n - at - item.size || items_inside(&item) > n - at - item.size)
			return 0;
		at += item.size + body_size(&item);
		items += items_inside(&item);
	}
	return at;
}

/* ---- unpack --------------------------------------------------------------------------------------------------------- */

struct reader {
	struct leat_arena *arena;
	const struct leat_symbols *symbols;
	struct leat_json *json; /* NULL until a source text comes */
	const char *at;
	const char *end;
};

static bool unpack(struct reader *r, unsigned depth, struct leat_value *out);

static struct item next_item(struct reader *r)
{
	struct item item = item_at(r->at, (size_t)(r->end - r->at));

	r->at += item.size;
	return item;
}

static const char *next_bytes(struct reader *r, const struct item *item)
{
	const char *bytes = r->at;

	r->at += item->n;
	return bytes;
}

static bool unpack_list(struct reader *r, uint32_t n, unsigned depth, struct leat_value *out)
{
	struct leat_value *item = leat_arena_allocate(r->arena, n * sizeof *item);
	struct leat_list *list = leat_arena_allocate(r->arena, sizeof *list);

	for (uint32_t i = 0; i < n; i++)
		if (!unpack(r, depth + 1, &item[i]))
			return false;
	*list = (struct leat_list){ .item = item, .n = n };
	out->type = LEAT_LIST;
	out->n = n;
	out->as.list = list;
	return true;
}

static bool unpack_map(struct reader *r, uint32_t n, unsigned depth, struct leat_value *out)
{
	struct leat_member *member = leat_arena_allocate(r->arena, n * sizeof *member);
	struct leat_map *map = leat_arena_allocate(r->arena, sizeof *map);

	for (uint32_t i = 0; i < n; i++) {
		struct item name = next_item(r);

		if (name.form != TEXT)
			return false;
		member[i] = (struct leat_member){ .name = next_bytes(r, &name), .name_n = (uint32_t)name.n };
		if (r->symbols != NULL)
			member[i].symbol = leat_symbols_find(r->symbols, member[i].name, member[i].name_n);
		if (!unpack(r, depth + 1, &member[i].value))
			return false;
	}
	*map = (struct leat_map){ .member = member, .n = n };
	out->type = LEAT_MAP;
	out->n = n;
	out->as.map = map;
	return true;
}

static double real_of(uint64_t bits)
{
	double d;

	memcpy(&d, &bits, sizeof d);
	return d;
}

static bool unpack_number(struct reader *r, const char *bytes, size_t n, struct leat_value *out)
{
	struct leat_number *number;

	if (n < sizeof number->real)
		return false;
	number = leat_arena_allocate(r->arena, sizeof *number);
	number->real = real_of(read_number((const unsigned char *)bytes, sizeof number->real));
	number->source = bytes + sizeof number->real;
	number->source_n = (uint32_t)(n - sizeof number->real);
	out->type = LEAT_REAL;
	out->flags = LEAT_VALUE_SOURCED;
	out->as.number = number;
	return true;
}

static bool unpack_source(struct reader *r, const char *bytes, size_t n, struct leat_value *out)
{
	struct leat_error err;

	if (r->json == NULL)
		r->json = leat_json_create(r->symbols);
	return leat_json_decode(r->json, r->arena, bytes, n, out, &err) == LEAT_OK && (out->type == LEAT_LIST || out->type == LEAT_MAP);
}

static bool unpack_ext(struct reader *r, const struct item *item, struct leat_value *out)
{
	const char *bytes = next_bytes(r, item);
	size_t n = (size_t)item->n;

	switch (item->ext) {
	case EXT_TIME:
		if (n != sizeof out->as.time_us)
			return false;
		*out = leat_time((int64_t)read_number((const unsigned char *)bytes, n));
		return true;
	case EXT_NUMBER:
		return unpack_number(r, bytes, n, out);
	case EXT_JSON:
		return unpack_source(r, bytes, n, out);
	default:
		return false;
	}
}

static struct leat_value bytes_value(enum leat_type type, const char *bytes, size_t n)
{
	struct leat_value v = leat_borrow(bytes, n);

	v.type = (uint8_t)type;
	return v;
}

static bool unpack(struct reader *r, unsigned depth, struct leat_value *out)
{
	struct item item = next_item(r);

	*out = leat_null();
	switch (item.form) {
	case NIL:
		return true;
	case BOOL:
		*out = leat_bool(item.n != 0);
		return true;
	case UNSIGNED:
	case SIGNED:
		*out = leat_integer((int64_t)item.n);
		return item.form == SIGNED || item.n <= INT64_MAX;
	case REAL:
		*out = leat_real(real_of(item.n));
		return true;
	case TEXT:
	case BYTES:
		*out = bytes_value(item.form == TEXT ? LEAT_TEXT : LEAT_BYTES, next_bytes(r, &item), (size_t)item.n);
		return true;
	case LIST:
		return depth < LEAT_PACK_DEPTH && unpack_list(r, (uint32_t)item.n, depth, out);
	case MAP:
		return depth < LEAT_PACK_DEPTH && unpack_map(r, (uint32_t)item.n, depth, out);
	case EXT:
		return unpack_ext(r, &item, out);
	case DAMAGED:
		break;
	}
	return false;
}

bool leat_unpack_value(struct leat_arena *arena, const struct leat_symbols *symbols, const char *bytes, size_t n,
                       struct leat_value *out)
{
	struct reader r = { .arena = arena, .symbols = symbols };
	struct leat_value made;
	char *copy;
	bool is_good;

	if (n == 0 || leat_packed_size(bytes, n) != n)
		return false;
	copy = leat_arena_allocate(arena, n + LEAT_CODEC_PADDING); /* the padding is for source texts */
	memcpy(copy, bytes, n);
	memset(copy + n, 0, LEAT_CODEC_PADDING);
	r.at = copy;
	r.end = copy + n;
	is_good = unpack(&r, 0, &made);
	leat_json_destroy(r.json);
	if (is_good)
		*out = made;
	return is_good;
}
