// SPDX-License-Identifier: MIT
#include "sink/sink.h"

#include <stdio.h>
#include <string.h>

#include "target/clock.h"

void sink_init(struct sink *sink, const struct sink_ops *ops, struct writer *writer, bool color)
{
	memset(sink, 0, sizeof(*sink));
	sink->ops = ops;
	sink->writer = writer;
	sink->color = color;
	sink->realtime_offset_ns = clock_realtime_offset_ns();
	sink->second = -1;
}

void format_duration(uint64_t ns, char *out, size_t size)
{
	/* what would be rounded up to 1000 is said in the next unit */
	if (ns < 1000)
		snprintf(out, size, "%u ns", (unsigned)ns);
	else if (ns < 999950)
		snprintf(out, size, "%.1f us", (double)ns / 1e3);
	else if (ns < 999995000)
		snprintf(out, size, "%.2f ms", (double)ns / 1e6);
	else
		snprintf(out, size, "%.3f s", (double)ns / 1e9);
}

void format_duration_short(uint64_t ns, char *out, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double number = (double)ns;
	unsigned unit = 0;

	if (ns < 1000) {
		snprintf(out, size, "%u ns", (unsigned)ns);
		return;
	}
	for (; number >= 999.5 && unit < 3; unit++)
		number /= 1000;
	snprintf(out, size, "%.*f %s",
		 number < 9.995 ? 2 :
		 number < 99.95 ? 1 :
				  0,
		 number, units[unit]);
}
