/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hash.h"
#include "base/utf8.h"
#include "unit/unit.h"

/* From the library's own build of XXH3_64bits(). Shards are chosen by these numbers: they must never change. */
START_TEST(the_hash_is_xxh3_and_stays_so)
{
	ck_assert_uint_eq(leat_hash("", 0), UINT64_C(0x2d06800538d394c2));
	ck_assert_uint_eq(leat_hash("leat", 4), UINT64_C(0xed715a3ae124e62d));
	ck_assert_uint_eq(leat_hash("user-000123", 11), UINT64_C(0xf8082a613c1e6ea3));
	ck_assert_uint_eq(leat_hash("a text that is longer than sixteen bytes", 40), UINT64_C(0x3afa73fb15ca2e62));
}
END_TEST

START_TEST(well_formed_text_is_told_from_what_is_not)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool is_valid;
	} cases[] = {
		{"", 0, true},
		{"plain text of many bytes", 24, true},
		{"\0", 1, true},
		{"eight by\xc3\xa9", 10, true},
		{"\xc2\x80", 2, true},
		{"\xdf\xbf", 2, true},
		{"\xe0\xa0\x80", 3, true},
		{"\xed\x9f\xbf", 3, true},
		{"\xee\x80\x80", 3, true},
		{"\xef\xbf\xbf", 3, true},
		{"\xf0\x90\x80\x80", 4, true},
		{"\xf4\x8f\xbf\xbf", 4, true},
		{"\x80", 1, false},
		{"\xc0\x80", 2, false},
		{"\xc1\xbf", 2, false},
		{"\xc3", 1, false},
		{"\xc3(", 2, false},
		{"\xe0\x9f\xbf", 3, false},
		{"\xed\xa0\x80", 3, false},
		{"\xe2\x82", 2, false},
		{"\xe2\x82(", 3, false},
		{"\xf0\x8f\xbf\xbf", 4, false},
		{"\xf4\x90\x80\x80", 4, false},
		{"\xf5\x80\x80\x80", 4, false},
		{"\xf0\x90\x80", 3, false},
		{"eight by\xff", 9, false},
		{"1234567\xff", 8, false},
	};
	size_t i;

	for (i = 0; i < sizeof cases / sizeof cases[0]; i++)
		ck_assert_msg(leat_utf8_is_valid(cases[i].bytes, cases[i].n) == cases[i].is_valid, "case %zu", i);
}
END_TEST

int main(void)
{
	return leat_test_main("hash", (const TTest *[]){the_hash_is_xxh3_and_stays_so, well_formed_text_is_told_from_what_is_not, NULL});
}
