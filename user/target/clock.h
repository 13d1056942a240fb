/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TARGET_CLOCK_H
#define GENSCOPE_TARGET_CLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in nanoseconds: the clock of BPF's timestamps. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

/* CLOCK_REALTIME - CLOCK_MONOTONIC, now. */
static inline int64_t clock_realtime_offset_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)((uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec -
			 clock_now_ns());
}

#endif
