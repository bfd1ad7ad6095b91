/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON under arbitrary bytes. Holds for every input:
 *  - the decoder and the plain reader (json_fault.c) agree on whether it is JSON;
 *  - what is refused has a reason;
 *  - what is accepted is written back as it stands, is equal to its copy, and written anew it reads back as an equal value and is
 *    then written the same again.
 *
 * With -DLEAT_LIBFUZZER it is a target for libFuzzer. Otherwise it is a program that takes the files of a corpus, mutates each a
 * few thousand times from a fixed seed, and so runs in `make check`.
 */
#include <dirent.h>
#include <leat/codec.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "data/json.h"
#include "data/json_fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct leat_symbols *symbols;
static struct leat_json *json;

static struct leat_value read_again(struct leat_arena *arena, const struct leat_buffer *text)
{
	char *input = leat_arena_allocate(arena, text->n + LEAT_CODEC_PADDING);
	struct leat_value value = leat_null();
	struct leat_error err;

	memcpy(input, text->data, text->n);
	memset(input + text->n, '7', LEAT_CODEC_PADDING);
	leat_check(leat_json_decode(json, arena, input, text->n, &value, &err) == LEAT_OK);
	return value;
}

/* Without source texts, so that it has to be written anew; infinite numbers keep theirs, there is no other way to write them. */
static struct leat_value strip(struct leat_arena *arena, const struct leat_value *value)
{
	struct leat_value made = *value;
	uint32_t i;

	if (value->type == LEAT_REAL && value->as.number->real - value->as.number->real == 0) {
		made = leat_real(value->as.number->real);
	} else if (value->type == LEAT_LIST) {
		struct leat_value *item = leat_arena_allocate(arena, value->n * sizeof *item);

		for (i = 0; i < value->n; i++)
			item[i] = strip(arena, &value->as.list->item[i]);
		made = leat_value_list(arena, item, value->n);
	} else if (value->type == LEAT_MAP) {
		struct leat_member *member = leat_arena_allocate(arena, value->n * sizeof *member);

		for (i = 0; i < value->n; i++) {
			member[i] = value->as.map->member[i];
			member[i].value = strip(arena, &member[i].value);
		}
		made = leat_value_map_with(arena, symbols, NULL, member, value->n);
	}
	return made;
}

static void check_accepted(struct leat_arena *arena, const struct leat_value *value)
{
	struct leat_buffer once = {0}, again = {0};
	struct leat_value copy = leat_value_copy(arena, value), anew, bare;

	leat_check(leat_value_equals(value, &copy) && leat_value_hash(value) == leat_value_hash(&copy));
	leat_check(leat_json_encode(value, &once, NULL) == LEAT_OK);
	anew = read_again(arena, &once);
	leat_check(leat_value_equals(value, &anew));

	bare = strip(arena, value);
	once.n = 0;
	leat_check(leat_json_encode(&bare, &once, NULL) == LEAT_OK);
	anew = read_again(arena, &once);
	leat_check(leat_value_equals(value, &anew) && leat_value_hash(value) == leat_value_hash(&anew));
	anew = strip(arena, &anew);
	leat_check(leat_json_encode(&anew, &again, NULL) == LEAT_OK);
	leat_check(once.n == again.n && memcmp(once.data, again.data, once.n) == 0);
	leat_buffer_finish(&once);
	leat_buffer_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	size_t skipped = n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	struct leat_arena *arena = leat_arena_create();
	struct leat_value value = leat_null();
	struct leat_error err = {.text = ""}, other;
	enum leat_status status;
	char *input;

	if (json == NULL) {
		symbols = leat_symbols_create();
		(void)leat_symbols_intern(symbols, "a", 1);
		(void)leat_symbols_intern(symbols, "amount", 6);
		leat_symbols_freeze(symbols);
		json = leat_json_create(symbols);
	}
	/* In the heap, so that a sanitizer sees the end; and what is behind the input changes with it. */
	input = leat_allocate_bytes(n + LEAT_CODEC_PADDING);
	if (n > 0)
		memcpy(input, bytes, n);
	memset(input + n, "9]}\",e.\\"[n % 8], LEAT_CODEC_PADDING);
	status = leat_json_decode(json, arena, input, n, &value, &err);
	leat_check(status == LEAT_OK || status == LEAT_REJECT);
	leat_check(leat_json_fault(input + skipped, n - skipped, skipped, &other) == status);
	if (status == LEAT_OK)
		check_accepted(arena, &value);
	else
		leat_check(err.text[0] != '\0' && strcmp(err.text, other.text) == 0);
	leat_arena_unref(arena);
	free(input);
	return 0;
}

#ifndef LEAT_LIBFUZZER

enum { N_MUTATIONS = 3000, LARGEST = 64 * 1024 };

static uint64_t seed;

static size_t pick(size_t n)
{
	seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return n == 0 ? 0 : (size_t)(seed >> 33) % n;
}

/* One small change: a byte, a cut, a piece twice, or a token that matters put in. */
static void mutate(struct leat_buffer *b)
{
	static const char *const tokens[] = {"\"", "{", "}", "[", "]", ",", ":", "\\", "\\u", "\\ud83d", "\\ude00", "null", "true", "0",
	                                     "-", "1.5", "e9", "E-400", "9223372036854775808", " ", "\n", "\xc3\xa9", "\xff", "\"a\":1"};
	size_t at = pick(b->n + 1), n = pick(8) + 1;
	const char *token = tokens[pick(sizeof tokens / sizeof tokens[0])];

	switch (pick(4)) {
	case 0:
		if (at < b->n)
			b->data[at] = (char)pick(256);
		return;
	case 1:
		n = n > b->n - at ? b->n - at : n;
		memmove(b->data + at, b->data + at + n, b->n - at - n);
		b->n -= n;
		return;
	case 2:
		n = n > b->n - at ? b->n - at : n;
		(void)leat_buffer_reserve(b, n);
		memmove(b->data + at + n, b->data + at, b->n - at);
		b->n += n;
		return;
	default:
		n = strlen(token);
		(void)leat_buffer_reserve(b, n);
		memmove(b->data + at + n, b->data + at, b->n - at);
		memcpy(b->data + at, token, n);
		b->n += n;
	}
}

static void run_file(const char *path)
{
	struct leat_buffer whole = {0}, b = {0};
	FILE *file = fopen(path, "rb");
	int i;

	leat_check(file != NULL);
	whole.n = fread(leat_buffer_reserve(&whole, LARGEST), 1, LARGEST, file);
	(void)fclose(file);
	(void)LLVMFuzzerTestOneInput((const uint8_t *)whole.data, whole.n);
	for (i = 0; i < N_MUTATIONS; i++) {
		size_t n_changes = pick(4) + 1;

		b.n = 0;
		leat_buffer_append(&b, whole.data, whole.n);
		for (; n_changes > 0; n_changes--)
			mutate(&b);
		(void)LLVMFuzzerTestOneInput((const uint8_t *)b.data, b.n);
	}
	leat_buffer_finish(&b);
	leat_buffer_finish(&whole);
}

int main(int argc, char **argv)
{
	const char *source = getenv("LEAT_SOURCE");
	char *folder = leat_format_text("%s/tests/fuzz/corpus/json", source != NULL ? source : ".");
	struct dirent **entry = NULL;
	int i, n, n_files = 0;

	/* The seed is fixed, and so is the order of the files: a failure comes again. */
	seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
	n = scandir(folder, &entry, NULL, alphasort);
	for (i = 0; i < n; i++) {
		if (entry[i]->d_name[0] != '.') {
			char *path = leat_format_text("%s/%s", folder, entry[i]->d_name);

			run_file(path);
			free(path);
			n_files++;
		}
		free(entry[i]);
	}
	free(entry);
	leat_json_destroy(json);
	leat_symbols_destroy(symbols);
	printf("%d files of %s, each as it is and with %d mutations\n", n_files, folder, N_MUTATIONS);
	free(folder);
	return n_files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
