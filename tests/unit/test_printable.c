/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>

#include "python/printable.h"

/*
 * What each CPython (3.11.2, 3.12.1, 3.13.18, 3.14.10, 3.15.2) says of all code points at once:
 *
 *   flags = bytes(chr(point).isprintable() for point in range(0x110000))
 *   sum(flags), functools.reduce(lambda h, flag: (h ^ flag) * 0x100000001b3 % 2**64, flags, 0xcbf29ce484222325)
 */
static const struct {
	uint32_t version_hex, count;
	uint64_t hash; /* FNV-1a */
} known[] = {
	{ 0x030b02f0, 144516, 0xbef272e932b35f59 }, { 0x030c01f0, 148998, 0xbb9fce7ea625f389 },
	{ 0x030d12f0, 149625, 0x7295e3ef1627c1c0 }, { 0x030e0af0, 154810, 0x229d768ed25c2559 },
	{ 0x030f02f0, 159613, 0x00d8c3265c7df90a },
};

Test(printable, agrees_with_python_on_every_code_point)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		uint64_t hash = 0xcbf29ce484222325;
		uint32_t count = 0;

		for (uint32_t point = 0; point < 0x110000; point++) {
			bool is = printable_is(known[i].version_hex, point);

			count += is;
			hash = (hash ^ is) * 0x100000001b3;
		}
		cr_expect_eq(count, known[i].count, "%x: %u", known[i].version_hex, count);
		cr_expect_eq(hash, known[i].hash, "%x", known[i].version_hex);
	}
}

Test(printable, accepts_nothing_beyond_unicode)
{
	cr_expect_not(printable_is(0x030e00f0, 0x110000));
	cr_expect_not(printable_is(0x030e00f0, UINT32_MAX));
}

Test(printable, takes_the_last_version_for_later_ones)
{
	for (uint32_t point = 0; point < 0x110000; point++)
		cr_assert_eq(printable_is(0x03100000, point), printable_is(0x030f00f0, point));
}
