/* SPDX-License-Identifier: MIT */
/*
 * Distributions of durations: filled by BPF, one for each function and metric, read by the user side.
 *
 * Buckets are log-linear: each power of two from 128 ns to 73 min is cut into eight of equal width, so
 * a value is off by at most 1/17, 5.9 %, from what its bucket stands for (the harmonic mean of its
 * bounds). What is shorter falls into the first bucket, what is longer into the last.
 */
#ifndef GENSCOPE_HISTOGRAM_H
#define GENSCOPE_HISTOGRAM_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define HISTOGRAM_FIRST_POWER 7  /* 2^7 ns: shorter than any step that takes a trap */
#define HISTOGRAM_LAST_POWER  42 /* 2^42 ns = 73 min */
#define HISTOGRAM_CUT_BITS    3
#define HISTOGRAM_CUTS        (1 << HISTOGRAM_CUT_BITS)
#define HISTOGRAM_BUCKETS     ((HISTOGRAM_LAST_POWER - HISTOGRAM_FIRST_POWER) * HISTOGRAM_CUTS + 2)

struct histogram {
	__u64 count;
	__u64 sum_ns;
	__u64 max_ns;
	__u32 buckets[HISTOGRAM_BUCKETS];
};
_Static_assert(sizeof(struct histogram) == 24 + 4 * 282, "histogram is shared with BPF");

enum metric {
	METRIC_RUN = 0,       /* RUNNING until it leaves it: what it awaits runs inside */
	METRIC_SELF = 1,      /* of that, without the objects that ran inside */
	METRIC_SUSPENDED = 2, /* SUSPENDED until resumed or closed */
	METRIC_START = 3,     /* birth until the first step */
	METRIC_LIFETIME = 4,  /* birth until CLOSED */
	METRIC_COUNT = 5,
};

/* Of one code object. */
struct distributions {
	struct histogram metric[METRIC_COUNT];
	/* and counts, of what passed the filters too */
	__u64 to[5];         /* transitions, by the enum object_state they led to; [0]: freed */
	__u64 outermost;     /* those to RUNNING that WATCH_OUTERMOST sees, too */
	__u64 never_awaited; /* coroutines that ended without having begun, not by close() */
	__u64 slow;          /* outermost steps of settings.slow_ns and more */
	/* the last of these: id of the object, how long, and when it ended (CLOCK_MONOTONIC) */
	__u64 slow_id;
	__u64 slow_run_ns;
	__u64 slow_at_ns;
};

/* Code objects with distributions of their own: those with ids below this. All others share the first. A
 * session that runs for long (distributions_live) keeps those of so many code objects alive instead. */
#define DISTRIBUTIONS_MAX      4096
#define DISTRIBUTIONS_LIVE_MAX 32768 /* of 6 KB each, as they come */
/* Of counts that say whether one has changed, by the lower bits of the id. */
#define TRANSITION_SLOTS       65536

/* The bucket of a duration, 0 to HISTOGRAM_BUCKETS - 1. */
static __always_inline __u32 histogram_bucket(__u64 ns)
{
	__u64 rest = ns >> HISTOGRAM_FIRST_POWER;
	__u32 power = 0;

	if (!rest)
		return 0;
	if (ns >> HISTOGRAM_LAST_POWER)
		return HISTOGRAM_BUCKETS - 1;
	/* the highest bit, by halves: rest is below 2^35 */
	if (rest >> 32)
		power += 32, rest >>= 32;
	if (rest >> 16)
		power += 16, rest >>= 16;
	if (rest >> 8)
		power += 8, rest >>= 8;
	if (rest >> 4)
		power += 4, rest >>= 4;
	if (rest >> 2)
		power += 2, rest >>= 2;
	power += (__u32)(rest >> 1);
	return 1 + power * HISTOGRAM_CUTS +
	       (__u32)(ns >> (power + HISTOGRAM_FIRST_POWER - HISTOGRAM_CUT_BITS) &
		       (HISTOGRAM_CUTS - 1));
}

#endif
