// SPDX-License-Identifier: MIT
#include "model/histogram.h"

#define LAST (HISTOGRAM_BUCKETS - 1)

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

uint64_t histogram_bound(uint32_t bucket)
{
	uint32_t power = (bucket - 1) / HISTOGRAM_CUTS, cut = (bucket - 1) % HISTOGRAM_CUTS;

	if (!bucket)
		return 0;
	if (bucket > LAST)
		return UINT64_MAX;
	return (uint64_t)(HISTOGRAM_CUTS + cut)
	       << (power + HISTOGRAM_FIRST_POWER - HISTOGRAM_CUT_BITS);
}

uint64_t histogram_value(uint32_t bucket)
{
	double low = (double)histogram_bound(bucket), high = (double)histogram_bound(bucket + 1);

	if (!bucket)
		return histogram_bound(1) / 2;
	if (bucket >= LAST)
		return histogram_bound(LAST);
	return (uint64_t)(2 * low * high / (low + high) + 0.5);
}

void histogram_record(struct histogram *histogram, uint64_t ns)
{
	histogram->count++;
	histogram->sum_ns += ns;
	if (ns > histogram->max_ns)
		histogram->max_ns = ns;
	histogram->buckets[histogram_bucket(ns)]++;
}

static __u64 add_up(__u64 a, __u64 b)
{
	__u64 sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void histogram_add(struct histogram *to, const struct histogram *from)
{
	to->count = add_up(to->count, from->count);
	to->sum_ns = add_up(to->sum_ns, from->sum_ns);
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->buckets[i] =
			(__u32)smaller((uint64_t)to->buckets[i] + from->buckets[i], UINT32_MAX);
}

void distributions_add(struct distributions *to, const struct distributions *from)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		histogram_add(&to->metric[i], &from->metric[i]);
}

void histogram_since(struct histogram *now, const struct histogram *before)
{
	uint64_t longest = 0, least = 0; /* that the largest value may be */

	now->count -= before->count;
	now->sum_ns -= before->sum_ns;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		now->buckets[i] -= before->buckets[i];
		if (now->buckets[i]) {
			least = histogram_bound(i);
			longest = histogram_bound(i + 1) - 1;
		}
	}
	if (now->max_ns > before->max_ns)
		return;
	if (now->sum_ns >= least) /* it may lag behind the buckets */
		longest = smaller(longest, now->sum_ns);
	now->max_ns = smaller(now->max_ns, longest);
}

void distributions_since(struct distributions *now, const struct distributions *before)
{
	for (int i = 0; i < METRIC_COUNT; i++)
		histogram_since(&now->metric[i], &before->metric[i]);
}

uint64_t histogram_quantile(const struct histogram *histogram, unsigned thousandths)
{
	uint64_t total = 0, below = 0, rank;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		total += histogram->buckets[i];
	rank = (total * thousandths + 999) / 1000; /* below 2^51: 282 buckets of 32 bits */
	if (rank >= total)
		return total ? histogram->max_ns : 0;
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		below += histogram->buckets[i];
		if (below && below >= rank)
			return smaller(histogram_value(i), histogram->max_ns);
	}
	return histogram->max_ns;
}

/* The end of the range that begins there: ranges of `size` buckets meet powers of two. */
static uint32_t range_end(uint32_t first, uint32_t size)
{
	uint32_t end = first + size;

	if (!first || first == LAST) /* these two are no parts of a power */
		return first + 1;
	return end < LAST ? end : LAST;
}

/* Cuts everything into ranges, and keeps those from the first value to the last. Returns how many these
 * are, of which at most `room` were written. */
static size_t cut_ranges(const struct histogram *histogram, uint32_t size,
			 struct histogram_range *out, size_t room)
{
	size_t count = 0, used = 0;

	for (uint32_t first = 0; first < HISTOGRAM_BUCKETS; first = range_end(first, size)) {
		struct histogram_range range = { .first = first, .end = range_end(first, size) };

		for (uint32_t i = range.first; i < range.end; i++)
			range.count += histogram->buckets[i];
		if (!count && !range.count)
			continue;
		if (count < room)
			out[count] = range;
		count++;
		if (range.count)
			used = count;
	}
	return used;
}

size_t histogram_ranges(const struct histogram *histogram, struct histogram_range *out, size_t most)
{
	uint32_t size = 1;

	while (cut_ranges(histogram, size, out, 0) > most && size < HISTOGRAM_BUCKETS)
		size *= 2;
	return cut_ranges(histogram, size, out, most);
}
