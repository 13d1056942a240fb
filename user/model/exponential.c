// SPDX-License-Identifier: MIT
#include "model/exponential.h"

#include "model/histogram.h"

_Static_assert(EXPONENTIAL_FIRST_POWER >= HISTOGRAM_FIRST_POWER &&
		       (EXPONENTIAL_LAST_POWER - EXPONENTIAL_FIRST_POWER) %
				       EXPONENTIAL_POWER_STEP ==
			       0,
	       "every bound is one of struct histogram");

uint64_t exponential_bound(unsigned bucket)
{
	return 1ull << (EXPONENTIAL_FIRST_POWER + bucket * EXPONENTIAL_POWER_STEP);
}

static unsigned bucket_of(uint64_t ns)
{
	unsigned bucket = 0;

	while (bucket < EXPONENTIAL_BOUNDS && ns >= exponential_bound(bucket))
		bucket++;
	return bucket;
}

void exponential_record(struct exponential *exponential, uint64_t ns)
{
	exponential->counts[bucket_of(ns)]++;
	exponential->sum_ns += ns;
}

void exponential_add(struct exponential *exponential, const struct histogram *histogram)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		if (histogram->buckets[i])
			exponential->counts[bucket_of(histogram_bound(i))] += histogram->buckets[i];
	exponential->sum_ns += histogram->sum_ns;
}

void exponential_merge(struct exponential *to, const struct exponential *from)
{
	for (unsigned i = 0; i <= EXPONENTIAL_BOUNDS; i++)
		to->counts[i] += from->counts[i];
	to->sum_ns += from->sum_ns;
}

void exponential_cumulate(const struct exponential *exponential,
			  uint64_t cumulative[EXPONENTIAL_BOUNDS + 1])
{
	uint64_t below = 0;

	for (unsigned i = 0; i <= EXPONENTIAL_BOUNDS; i++)
		cumulative[i] = below += exponential->counts[i];
}
