/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_HISTOGRAM_H
#define GENSCOPE_MODEL_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <histogram.h> /* include/histogram.h; in quotes it would be this file */

/*
 * What the histograms of include/histogram.h say. They are the caller's; nothing here fails. One that is
 * read while BPF counts may have its count, sum and maximum a few values apart from its buckets:
 * quantiles go by the buckets.
 */

/* The shortest duration of a bucket. The next bucket's is the first that is too long for it;
 * histogram_bound(HISTOGRAM_BUCKETS) is UINT64_MAX. */
uint64_t histogram_bound(uint32_t bucket);

/* The duration a bucket stands for: the harmonic mean of its bounds. Half its bound for the first, whose
 * mean would be 0; all that is known of those in the last, "73 min and more": 73 min. */
uint64_t histogram_value(uint32_t bucket);

/* Enters a duration, as BPF does. */
void histogram_record(struct histogram *histogram, uint64_t ns);

/* Adds what `from` has. What would overflow stays at its largest number. */
void histogram_add(struct histogram *to, const struct histogram *from);
void distributions_add(struct distributions *to, const struct distributions *from);

/* Leaves in `now` what came since `before`, an earlier reading of the same histogram; buckets may have
 * wrapped once. The maximum is exact where it is the largest so far, or the only value; else the
 * longest duration that fits into the highest bucket that grew, never above the largest so far. */
void histogram_since(struct histogram *now, const struct histogram *before);
void distributions_since(struct distributions *now, const struct distributions *before);

/* The smallest duration that is not exceeded by at least that many thousandths of the values (at least
 * one of them), as its bucket says; the largest value is max_ns itself, and no quantile is above it.
 * 0 of nothing. */
enum { QUANTILE_50 = 500, QUANTILE_90 = 900, QUANTILE_99 = 990, QUANTILE_999 = 999 };
uint64_t histogram_quantile(const struct histogram *histogram, unsigned thousandths);

/* The values of the buckets [first, end), which are from histogram_bound(first) to below histogram_bound(end). */
struct histogram_range {
	uint32_t first, end;
	uint64_t count;
};

/* From the first value to the last without a gap, in at most `most` (4 or more) ranges, as fine as that
 * allows: of the same ratio, but for the outermost buckets. Returns how many; 0 of nothing. */
size_t histogram_ranges(const struct histogram *histogram, struct histogram_range *out,
			size_t most);

#endif
