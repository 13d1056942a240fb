/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_EXPONENTIAL_H
#define GENSCOPE_MODEL_EXPONENTIAL_H

#include <stdint.h>

#include "histogram.h"

/*
 * Durations in the few buckets that a metric keeps for years: powers of four from 2^12 ns (4 us) to
 * 2^42 ns (73 min). Chosen once: a dashboard compares a bucket of today with the same one of last year.
 * Each bound is one of struct histogram, so what BPF counted goes into these buckets without a guess.
 *
 * A bucket counts what is shorter than its bound. Prometheus says "or equal": a duration of exactly 2^n
 * ns is one bucket late.
 */
#define EXPONENTIAL_FIRST_POWER 12
#define EXPONENTIAL_LAST_POWER  HISTOGRAM_LAST_POWER
#define EXPONENTIAL_POWER_STEP  2
#define EXPONENTIAL_BOUNDS                                                                         \
	((EXPONENTIAL_LAST_POWER - EXPONENTIAL_FIRST_POWER) / EXPONENTIAL_POWER_STEP + 1)
_Static_assert(EXPONENTIAL_BOUNDS == 16, "a series for each bucket, function, kind and metric");

/* Zeroed at the start. Numbers of 64 bits: they are summed up for as long as the exporter lives. */
struct exponential {
	uint64_t counts[EXPONENTIAL_BOUNDS +
			1]; /* of each bucket alone; the last is beyond all bounds */
	uint64_t sum_ns;
};

/* The bound of a bucket, 0 to EXPONENTIAL_BOUNDS - 1, in nanoseconds. */
uint64_t exponential_bound(unsigned bucket);

/* Enters one duration. */
void exponential_record(struct exponential *exponential, uint64_t ns);

/* Adds what a histogram holds. Its `count` is not looked at: BPF may have added to it since. */
void exponential_add(struct exponential *exponential, const struct histogram *histogram);

/* Adds what another one holds, as for function="other". */
void exponential_merge(struct exponential *to, const struct exponential *from);

/* The counts as Prometheus wants them: each with those below. The last is the number of all. */
void exponential_cumulate(const struct exponential *exponential,
			  uint64_t cumulative[EXPONENTIAL_BOUNDS + 1]);

#endif
