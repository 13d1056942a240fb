/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include <uchar.h>

#include "python/text.h"

/* What UTF-8 is, iconv and the compiler's literals say. */

#define ELLIPSIS    "\u2026"
#define REPLACEMENT "\ufffd"

/* The text of `points` code points of that width, of which `bytes` bytes were copied. */
static char *convert(const void *from, uint32_t points, uint8_t width, uint16_t bytes)
{
	struct text text = { .length = points, .bytes = bytes, .width = width };
	uint8_t *copy = malloc(bytes + 1) + 1; /* ends where its block ends */
	char *utf8;

	memcpy(copy, from, bytes);
	utf8 = text_to_utf8(&text, copy, bytes);
	free(copy - 1);
	cr_assert_not_null(utf8);
	return utf8;
}

static void expect(const void *from, uint32_t points, uint8_t width, uint16_t bytes,
		   const char *expected)
{
	char *utf8 = convert(from, points, width, bytes);

	cr_assert_str_eq(utf8, expected);
	free(utf8);
}

Test(text, knows_every_width)
{
	expect("spam", 4, 1, 4, "spam");
	expect("caf\xe9 \xff\x80", 7, 1, 7, "caf\u00e9 \u00ff\xc2\x80");
	expect(u"na\u00efve \u4e2d\uffff", 8, 2, 16, "na\u00efve \u4e2d\uffff");
	expect(U"a\u00e9\u4e2d\U0001f600\U0010ffff", 5, 4, 20, "a\u00e9\u4e2d\U0001f600\U0010ffff");
	expect("", 0, 1, 0, "");
	expect("", 0, 2, 0, "");
	expect("", 0, 4, 0, "");
}

static void check_against_iconv(const char *charset, uint32_t first, uint32_t end, uint8_t width)
{
	iconv_t converter = iconv_open("UTF-8", charset);

	cr_assert(converter != (iconv_t)-1);
	for (uint32_t point = first; point < end; point++) {
		char expected[8] = "", *out = expected;
		char *in = (char *)&point; /* little endian: its first bytes */
		size_t in_left = width, out_left = sizeof(expected) - 1;

		if (point >= 0xd800 && point < 0xe000)
			continue;
		cr_assert_eq(iconv(converter, &in, &in_left, &out, &out_left), 0);
		expect(&point, 1, width, width, expected);
	}
	iconv_close(converter);
}

Test(text, says_what_iconv_says_of_every_code_point, .timeout = 60)
{
	check_against_iconv("ISO-8859-1", 1, 0x100, 1);
	check_against_iconv("UTF-16LE", 1, 0x10000, 2);
	check_against_iconv("UTF-32LE", 1, 0x110000, 4);
}

Test(text, replaces_what_is_no_character)
{
	static const char16_t pair[] = { 'a', 0xd83d, 0xde00, 'b' };
	static const char16_t edges[] = { 0xd7ff, 0xd800, 0xdbff, 0xdc00, 0xdfff, 0xe000 };
	static const char32_t wide[] = { 0xd800, 0xdfff, 0x110000, 0x80000000, 0xffffffff, 'x' };

	/* CPython keeps no surrogate pairs: each half is a lone one. */
	expect(pair, 4, 2, sizeof(pair), "a" REPLACEMENT REPLACEMENT "b");
	expect(edges, 6, 2, sizeof(edges),
	       "\ud7ff" REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT "\ue000");
	expect(wide, 6, 4, sizeof(wide),
	       REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT REPLACEMENT "x");
}

Test(text, shows_where_it_was_cut)
{
	expect("spam", 5, 1, 4, "spam" ELLIPSIS);
	expect("", 5, 1, 0, ELLIPSIS);
	expect(u"\u4e2d\u6587", 3, 2, 4, "\u4e2d\u6587" ELLIPSIS);
	expect(u"\u4e2d\u6587", 2, 2, 3, "\u4e2d" ELLIPSIS); /* half of it is none of it */
	expect(U"\U0001f600\U0001f601", 2, 4, 7, "\U0001f600" ELLIPSIS);
	expect("spam", UINT32_MAX, 1, 4, "spam" ELLIPSIS);
}

Test(text, says_so_where_it_was_unreadable)
{
	static const uint8_t widths[] = { 0, 3, 5, 8, 255 };

	for (size_t i = 0; i < sizeof(widths); i++)
		expect("spam", 4, widths[i], 4, "?");
}

Test(text, stays_within_the_room)
{
	struct text text = { .length = 9, .bytes = UINT16_MAX, .width = 2 };
	uint8_t *room = malloc(5);
	char *utf8;

	memcpy(room, "a\0b\0c", 5);
	utf8 = text_to_utf8(&text, room, 5);
	cr_assert_str_eq(utf8, "ab" ELLIPSIS);
	free(utf8);
	utf8 = text_to_utf8(&text, room + 5, 0);
	cr_assert_str_eq(utf8, ELLIPSIS);
	free(utf8);
	free(room);
}

Test(text, survives_any_bytes)
{
	unsigned int seed = 20261122;
	uint8_t bytes[256];

	for (int round = 0; round < 20000; round++) {
		uint16_t size = rand_r(&seed) % sizeof(bytes);

		for (uint16_t i = 0; i < size; i++)
			bytes[i] = rand_r(&seed);
		free(convert(bytes, rand_r(&seed) % 300, rand_r(&seed) % 6, size));
	}
}

/* --- the other way --- */

static void check_round_trip(const char *utf8, uint8_t width, uint32_t points)
{
	uint8_t *bytes = malloc(points * width + 1) + 1; /* ends where its block ends */
	struct text text;
	char *back;

	text_of_utf8(utf8, &text, bytes, points * width);
	cr_assert_eq(text.width, width, "%s: width %u", utf8, text.width);
	cr_assert_eq(text.length, points, "%s: %u points", utf8, text.length);
	cr_assert_eq(text.bytes, points * width);
	cr_assert_eq(text.ascii, width == 1 && strlen(utf8) == points);
	back = text_to_utf8(&text, bytes, points * width);
	cr_assert_str_eq(back, utf8);
	free(back);
	free(bytes - 1);
}

Test(text_of_utf8, comes_back)
{
	check_round_trip("", 1, 0);
	check_round_trip("spam", 1, 4);
	check_round_trip("caf\u00e9 \u00ff", 1, 6);
	check_round_trip("\u0100", 2, 1);
	check_round_trip("na\u00efve \u4e2d\uffff", 2, 8);
	check_round_trip("a\u00e9\u4e2d\U0001f600\U0010ffff", 4, 5);
	check_round_trip("x\U00010000", 4, 2);
}

/* The lowest and the highest of each length in UTF-8, in each width that holds them. */
Test(text_of_utf8, knows_every_code_point)
{
	for (uint32_t point = 1; point < 0x110000; point++) {
		uint8_t bytes[4] = {};
		uint32_t found = 0;
		struct text text;
		char *utf8;

		if (point >= 0xd800 && point < 0xe000)
			continue;
		text = (struct text){ .length = 1, .bytes = 4, .width = 4 };
		utf8 = text_to_utf8(&text, (const uint8_t *)&point, 4);
		text_of_utf8(utf8, &text, bytes, sizeof(bytes));
		memcpy(&found, bytes, text.bytes);
		if (found != point || text.length != 1 ||
		    text.width != (point > 0xffff ? 4 :
				   point > 0xff   ? 2 :
						    1))
			cr_assert_fail("U+%04X comes back as U+%04X", point, found);
		free(utf8);
	}
}

static void check_cut(const char *utf8, size_t room, const char *expected)
{
	uint8_t *bytes = malloc(room + 1) + 1;
	struct text text;
	char *back;

	text_of_utf8(utf8, &text, bytes, room);
	cr_assert_leq(text.bytes, room);
	back = text_to_utf8(&text, bytes, room);
	cr_assert_str_eq(back, expected);
	free(back);
	free(bytes - 1);
}

Test(text_of_utf8, is_cut_where_the_room_ends)
{
	check_cut("spam", 4, "spam");
	check_cut("spams", 4, "spam" ELLIPSIS);
	check_cut("\u4e2da\u4e2d", 4, "\u4e2da" ELLIPSIS);
	check_cut("\u4e2da\u4e2d", 5, "\u4e2da" ELLIPSIS);
	check_cut("ab\U0001f600", 8, "ab" ELLIPSIS);
	check_cut("ab\U0001f600", 12, "ab\U0001f600");
	check_cut("a", 0, ELLIPSIS);
	check_cut("", 0, "");
}

static void check_malformed(const char *bytes, const char *expected)
{
	char *copy = strdup(bytes); /* a look behind its end is seen */

	check_cut(copy, 64, expected);
	free(copy);
}

#define R REPLACEMENT

Test(text_of_utf8, replaces_what_is_malformed)
{
	check_malformed("a\x80z", "a" R "z");
	check_malformed("a\xc3", "a" R);
	check_malformed("a\xe4\xb8", "a" R);
	check_malformed("a\xe4z", "a" R "z");
	check_malformed("a\xf0\x9f\x98", "a" R);
	check_malformed("\xf0\x9fz", R "z");
	check_malformed("a\xf4\x90\x80\x80z", "a" R "z"); /* above U+10FFFF */
	check_malformed("a\xed\xa0\x80z", "a" R "z");     /* a surrogate */
	check_malformed("a\xc0\xafz", "a" R "z");         /* too long for what it says */
	check_malformed("a\xc0\x80z", "a" R "z");
	check_malformed("a\xe0\x80\xafz", "a" R "z");
	check_malformed("a\xf8\x88\x80\x80\x80z", "a" R R "z"); /* no such first byte */
	check_malformed("a\xffz", "a" R "z");
}
