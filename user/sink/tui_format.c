// SPDX-License-Identifier: MIT
#include <stdio.h>

#include "model/names.h"
#include "sink/sink.h"
#include "sink/tui_internal.h"

#define MICROSECOND 1000ull
#define SECOND      1000000000ull
#define MINUTE      (60 * SECOND)
#define HOUR        (60 * MINUTE)
#define DAY         (24 * HOUR)

/* Three digits and a unit, of what is 99 999.5 and more. */
static void put_thousands(double number, char out[TUI_NUMBER_BYTES])
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;

	for (number /= 1000; number >= 999.5 && units[unit + 1]; unit++)
		number /= 1000;
	snprintf(out, TUI_NUMBER_BYTES, "%.*f%c",
		 number < 9.995 ? 2 :
		 number < 99.95 ? 1 :
				  0,
		 number, units[unit]);
}

const char *tui_count(uint64_t count, char out[TUI_NUMBER_BYTES])
{
	if (count < 100000)
		return format_count(count, out);
	put_thousands((double)count, out);
	return out;
}

const char *tui_rate(double rate, char out[TUI_NUMBER_BYTES])
{
	if (rate <= 0)
		snprintf(out, TUI_NUMBER_BYTES, "0");
	else if (rate < 99.95)
		snprintf(out, TUI_NUMBER_BYTES, "%.1f", rate);
	else if (rate < 99999.5)
		format_count((uint64_t)(rate + 0.5), out);
	else
		put_thousands(rate, out);
	return out;
}

const char *tui_age(uint64_t ns, bool is_more, char out[TUI_NUMBER_BYTES])
{
	char *text = out;

	if (!ns) {
		snprintf(out, TUI_NUMBER_BYTES, "-");
		return out;
	}
	if (is_more)
		*text++ = '>';
	if (ns < MICROSECOND) /* it was suspended while the survey went on */
		snprintf(out, TUI_NUMBER_BYTES, "<1 us");
	else if (ns < 100 * SECOND)
		format_duration_short(ns, text, TUI_NUMBER_BYTES - 1);
	else if (ns < 100 * MINUTE)
		snprintf(text, TUI_NUMBER_BYTES - 1, "%um%02us", (unsigned)(ns / MINUTE),
			 (unsigned)(ns % MINUTE / SECOND));
	else if (ns < 100 * HOUR)
		snprintf(text, TUI_NUMBER_BYTES - 1, "%uh%02um", (unsigned)(ns / HOUR),
			 (unsigned)(ns % HOUR / MINUTE));
	else
		snprintf(text, TUI_NUMBER_BYTES - 1, "%ud%02uh", (unsigned)(ns / DAY),
			 (unsigned)(ns % DAY / HOUR));
	return out;
}

const char *tui_duration(uint64_t ns, char out[TUI_NUMBER_BYTES])
{
	if (!ns)
		snprintf(out, TUI_NUMBER_BYTES, "-");
	else
		format_duration_short(ns, out, TUI_NUMBER_BYTES);
	return out;
}

const char *tui_kind(uint8_t kind)
{
	static const char *const kinds[KIND_COUNT] = { "-", "gen", "coro", "agen" };

	return kinds[kind < KIND_COUNT ? kind : KIND_NONE];
}
