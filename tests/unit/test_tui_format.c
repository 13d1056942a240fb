/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <string.h>

#include "sink/tui_internal.h"

/* Numbers in few columns. */

#define EXPECT(call, expected)                                                                     \
	do {                                                                                       \
		char out[TUI_NUMBER_BYTES];                                                        \
		cr_expect_str_eq(call, expected, "%s: '%s'", #call, out);                          \
		cr_expect_leq(strlen(out), 8, "%s", #call);                                        \
	} while (0)

Test(tui_format, counts)
{
	EXPECT(tui_count(0, out), "0");
	EXPECT(tui_count(999, out), "999");
	EXPECT(tui_count(12345, out), "12 345");
	EXPECT(tui_count(99999, out), "99 999");
	EXPECT(tui_count(100000, out), "100k");
	EXPECT(tui_count(999499, out), "999k");
	EXPECT(tui_count(999500, out), "1.00M");
	EXPECT(tui_count(12345678, out), "12.3M");
	EXPECT(tui_count(UINT64_MAX, out), "18.4E");
}

Test(tui_format, rates)
{
	EXPECT(tui_rate(0, out), "0");
	EXPECT(tui_rate(0.04, out), "0.0");
	EXPECT(tui_rate(12.34, out), "12.3");
	EXPECT(tui_rate(99.96, out), "100");
	EXPECT(tui_rate(4567.4, out), "4 567");
	EXPECT(tui_rate(99999.6, out), "100k");
}

#define S 1000000000ull

Test(tui_format, ages)
{
	EXPECT(tui_age(0, false, out), "-");
	EXPECT(tui_age(1, false, out), "<1 us");
	EXPECT(tui_age(999, true, out), "<1 us");
	EXPECT(tui_age(1000, true, out), ">1.00 us");
	EXPECT(tui_age(12300000, false, out), "12.3 ms");
	EXPECT(tui_age(45 * S, true, out), ">45.0 s");
	EXPECT(tui_age(99 * S, false, out), "99.0 s");
	EXPECT(tui_age(100 * S, false, out), "1m40s");
	EXPECT(tui_age(59 * 60 * S + 3 * S, true, out), ">59m03s");
	EXPECT(tui_age(99 * 60 * S + 59 * S, false, out), "99m59s");
	EXPECT(tui_age(100 * 60 * S, false, out), "1h40m");
	EXPECT(tui_age(100 * 3600 * S, false, out), "4d04h");
	EXPECT(tui_duration(0, out), "-");
	EXPECT(tui_duration(1500, out), "1.50 us");
}
