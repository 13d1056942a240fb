/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model/names.h"
#include "samples.h"

/* Buckets against arithmetic, quantiles against sorted values. */

/* As include/histogram.h describes it, by division. */
static uint32_t bucket_by_division(uint64_t ns)
{
	uint64_t power = 128;
	uint32_t at = 0;

	if (ns < 128)
		return 0;
	if (ns >= 1ull << 42)
		return HISTOGRAM_BUCKETS - 1;
	for (; ns / power >= 2; at++)
		power *= 2;
	return 1 + at * 8 + (uint32_t)((ns - power) / (power / 8));
}

static void expect_bucket(uint64_t ns)
{
	uint32_t bucket = histogram_bucket(ns);

	cr_assert_eq(bucket, bucket_by_division(ns), "%" PRIu64 " in %u", ns, bucket);
	cr_assert_lt(bucket, HISTOGRAM_BUCKETS);
	cr_assert_geq(ns, histogram_bound(bucket));
	cr_assert_lt(ns, histogram_bound(bucket + 1));
}

Test(histogram, has_a_bucket_for_every_duration)
{
	struct samples chance = { .chance = 1 };

	expect_bucket(0);
	for (unsigned power = 0; power < 64; power++)
		for (uint64_t cut = 0; cut < 8; cut++) {
			uint64_t at = (1ull << power) + ((unsigned __int128)cut << power) / 8;

			expect_bucket(at - 1);
			expect_bucket(at);
			expect_bucket(at + 1);
		}
	for (int i = 0; i < 1000000; i++)
		expect_bucket(by_chance(&chance) >> (1 + by_chance(&chance) % 63));
}

Test(histogram, has_bounds_that_meet)
{
	cr_expect_eq(histogram_bound(0), 0);
	cr_expect_eq(histogram_bound(1), 128);
	cr_expect_eq(histogram_bound(HISTOGRAM_BUCKETS - 1), 1ull << 42);
	cr_expect_eq(histogram_bound(HISTOGRAM_BUCKETS), UINT64_MAX);
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		cr_expect_lt(histogram_bound(i), histogram_bound(i + 1));
		cr_expect_eq(histogram_bucket(histogram_bound(i)), i);
		cr_expect_eq(histogram_bucket(histogram_bound(i + 1) - 1), i);
		cr_expect_eq(histogram_bucket(histogram_value(i)), i, "what it stands for");
	}
}

Test(histogram, is_off_by_six_percent_at_most)
{
	struct samples chance = { .chance = 2 };
	double worst = 0;

	for (int i = 0; i < 1000000; i++) {
		uint64_t ns = duration_by_chance(&chance, LOG_UNIFORM);
		double error = fabs((double)histogram_value(histogram_bucket(ns)) / (double)ns - 1);

		worst = error > worst ? error : worst;
	}
	for (uint64_t ns = 1000; ns < 3600000000000; ns += ns / 1000) {
		double error = fabs((double)histogram_value(histogram_bucket(ns)) / (double)ns - 1);

		worst = error > worst ? error : worst;
	}
	cr_expect_leq(worst, 0.06, "%f", worst);
	cr_expect_gt(worst, 0.05, "nothing was tried: %f", worst);
}

Test(histogram, of_nothing_is_empty)
{
	struct histogram empty = {}, other = {}, copy;

	for (unsigned q = 0; q <= 1000; q += 100)
		cr_expect_eq(histogram_quantile(&empty, q), 0);
	histogram_record(&other, 5000);
	copy = other;
	histogram_add(&other, &empty);
	cr_expect_eq(memcmp(&other, &copy, sizeof(copy)), 0, "nothing was added");
	histogram_since(&other, &empty);
	cr_expect_eq(memcmp(&other, &copy, sizeof(copy)), 0, "all is new");
	histogram_since(&other, &copy);
	cr_expect_eq(memcmp(&other, &empty, sizeof(empty)), 0, "nothing is new");
}

static void expect_quantiles(enum shape shape, size_t count, uint64_t seed)
{
	static const unsigned thousandths[] = { 0, 1, 250, 500, 900, 990, 999, 1000 };
	struct histogram histogram = {};
	struct samples samples;
	uint64_t last = 0;

	samples_open(&samples, shape, count, seed);
	samples_record(&samples, &histogram);
	samples_sort(&samples);
	cr_assert_eq(histogram.count, count);
	cr_assert_eq(histogram.sum_ns, samples_sum(&samples));
	cr_assert_eq(histogram.max_ns, samples.ns[count - 1]);
	for (size_t i = 0; i < sizeof(thousandths) / sizeof(thousandths[0]); i++) {
		uint64_t got = histogram_quantile(&histogram, thousandths[i]);
		char what[64];

		snprintf(what, sizeof(what), "%u/1000 of %zu of shape %d", thousandths[i], count,
			 (int)shape);
		expect_near(got, samples_quantile(&samples, thousandths[i]), what);
		cr_expect_leq(got, histogram.max_ns, "%s", what);
		cr_expect_geq(got, last, "%s: goes down", what);
		last = got;
	}
	cr_expect_eq(last, histogram.max_ns, "the largest is exact");
	samples_close(&samples);
}

Test(histogram, has_the_quantiles_of_its_values)
{
	static const size_t counts[] = { 1, 2, 3, 9, 10, 11, 100, 999, 1000, 1001, 20000 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		for (int shape = 0; shape < SHAPES; shape++)
			for (uint64_t seed = 0; seed < 5; seed++)
				expect_quantiles((enum shape)shape, counts[i], seed);
}

/* 1000 values: which of them a quantile is must not depend on how 0.999 is rounded. */
Test(histogram, counts_ranks_exactly)
{
	struct histogram histogram = {};

	for (int i = 0; i < 999; i++)
		histogram_record(&histogram, 1000);
	histogram_record(&histogram, 1000000);
	expect_near(histogram_quantile(&histogram, 999), 1000, "the 999th");
	cr_expect_eq(histogram_quantile(&histogram, 1000), 1000000);
	histogram_record(&histogram, 1000000);
	cr_expect_eq(histogram_quantile(&histogram, 999), 1000000, "the 1000th of 1001");
}

Test(histogram, says_what_it_can_of_the_longest)
{
	struct histogram histogram = {};

	histogram_record(&histogram, 5ull << 42);
	cr_expect_eq(histogram_quantile(&histogram, 500), 5ull << 42, "the only one");
	histogram_record(&histogram, 6ull << 42);
	histogram_record(&histogram, UINT64_MAX >> 2);
	cr_expect_eq(histogram_quantile(&histogram, 500), 1ull << 42, "73 min and more");
	cr_expect_eq(histogram_quantile(&histogram, 999), UINT64_MAX >> 2);
}

Test(histogram, adds_up_as_if_recorded_together)
{
	for (int shape = 0; shape < SHAPES; shape++) {
		struct histogram both = {}, a = {}, b = {}, c = {}, ab, ba, left, right;
		struct samples samples;

		for (int i = 0; i < 3; i++) {
			samples_open(&samples, (enum shape)shape, 500, (uint64_t)i);
			samples_record(&samples, i == 0 ? &a : i == 1 ? &b : &c);
			if (i < 2)
				samples_record(&samples, &both);
			samples_close(&samples);
		}
		ab = a;
		histogram_add(&ab, &b);
		cr_expect_eq(memcmp(&ab, &both, sizeof(ab)), 0);
		ba = b;
		histogram_add(&ba, &a);
		cr_expect_eq(memcmp(&ab, &ba, sizeof(ab)), 0, "the order matters");
		left = ab;
		histogram_add(&left, &c);
		right = b;
		histogram_add(&right, &c);
		histogram_add(&right, &a);
		cr_expect_eq(memcmp(&left, &right, sizeof(left)), 0, "the grouping matters");
	}
}

/* What is recorded between two readings, in both orders of large and small. */
Test(histogram, knows_what_came_since)
{
	for (int shape = 0; shape < SHAPES * 2; shape++)
		for (size_t count = 1; count <= 1000; count *= 10) {
			enum shape first = (enum shape)(shape / 2),
				   then = shape % 2 ? EXPONENTIAL : (enum shape)(shape / 2);
			struct histogram now = {}, before, since, alone = {};
			struct samples samples;

			samples_open(&samples, first, 300, 1);
			samples_record(&samples, &now);
			samples_close(&samples);
			before = now;
			samples_open(&samples, then, count, 2);
			samples_record(&samples, &now);
			samples_record(&samples, &alone);
			since = now;
			histogram_since(&since, &before);
			cr_expect_eq(since.count, alone.count);
			cr_expect_eq(since.sum_ns, alone.sum_ns);
			cr_expect_arr_eq(since.buckets, alone.buckets, sizeof(alone.buckets));
			cr_expect_geq(since.max_ns, alone.max_ns);
			cr_expect_leq(since.max_ns, now.max_ns);
			cr_expect_eq(histogram_bucket(since.max_ns),
				     histogram_bucket(alone.max_ns));
			if (count == 1 || alone.max_ns > before.max_ns)
				cr_expect_eq(since.max_ns, alone.max_ns);
			histogram_add(&since, &before);
			cr_expect_eq(memcmp(&since, &now, sizeof(now)), 0, "and back again");
			samples_close(&samples);
		}
}

Test(histogram, survives_its_limits)
{
	struct histogram a = {}, b = {};

	a.buckets[9] = UINT32_MAX - 1;
	a.count = a.sum_ns = UINT64_MAX - 1;
	b.buckets[9] = 3;
	b.count = b.sum_ns = 3;
	a.max_ns = b.max_ns = 300;
	histogram_add(&a, &b);
	cr_expect_eq(a.buckets[9], UINT32_MAX);
	cr_expect_eq(a.count, UINT64_MAX);
	cr_expect_eq(a.sum_ns, UINT64_MAX);
	/* a bucket of BPF's that wrapped: 5 came since */
	a.buckets[9] = UINT32_MAX - 1;
	histogram_since(&b, &a);
	cr_expect_eq(b.buckets[9], 5);
	for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
		a.buckets[i] = UINT32_MAX;
	a.max_ns = UINT64_MAX;
	for (unsigned q = 0; q < 1000; q++) { /* all alike: the bucket where that share ends */
		uint32_t bucket = q ? (q * HISTOGRAM_BUCKETS + 999) / 1000 - 1 : 0;

		cr_expect_eq(histogram_quantile(&a, q), histogram_value(bucket), "%u", q);
	}
}

/* A reading in the midst of a record: whatever is behind, nothing is absurd. */
Test(histogram, can_be_read_while_it_is_filled)
{
	struct histogram now = {}, before;

	histogram_record(&now, 1000000);
	before = now;
	now.buckets[histogram_bucket(2000)]++; /* neither count nor sum yet */
	cr_expect_leq(histogram_quantile(&now, 999), now.max_ns);
	histogram_since(&now, &before);
	cr_expect_eq(histogram_bucket(now.max_ns), histogram_bucket(2000));
	now = before;
	now.count++;
	now.max_ns = 3000000;
	cr_expect_leq(histogram_quantile(&now, 500), 3000000);
	histogram_since(&now, &before);
	cr_expect_eq(histogram_quantile(&now, 500), 0);
}

Test(histogram, has_five_metrics_for_a_code_object)
{
	static const char *const words[] = { "run", "self", "suspended", "start", "lifetime" };
	struct distributions sum = {}, part = {}, before;

	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		cr_expect_str_eq(name_of_metric(i), words[i]);
		cr_expect_eq(metric_of_name(words[i]), (int)i);
		histogram_record(&part.metric[i], 1000 * (i + 1));
	}
	cr_expect_eq(metric_of_name("runs"), -EINVAL);
	distributions_add(&sum, &part);
	before = sum;
	distributions_add(&sum, &part);
	for (unsigned i = 0; i < METRIC_COUNT; i++)
		cr_expect_eq(sum.metric[i].sum_ns, 2000 * (i + 1));
	distributions_since(&sum, &before);
	cr_expect_eq(memcmp(&sum, &part, sizeof(part)), 0);
}

static size_t sum_ranges(const struct histogram_range *ranges, size_t count, uint64_t *sum)
{
	*sum = 0;
	for (size_t i = 0; i < count; i++) {
		cr_assert_lt(ranges[i].first, ranges[i].end);
		cr_assert_leq(ranges[i].end, HISTOGRAM_BUCKETS);
		if (i)
			cr_assert_eq(ranges[i].first, ranges[i - 1].end, "a gap");
		*sum += ranges[i].count;
	}
	return count;
}

Test(histogram, is_cut_into_few_ranges)
{
	struct histogram_range ranges[12];
	struct histogram histogram = {};
	uint64_t sum;
	size_t count;

	cr_expect_eq(histogram_ranges(&histogram, ranges, 12), 0, "nothing is nothing");
	histogram_record(&histogram, 1100000); /* from 2^20 on: 1048576, parts of 131072 */
	cr_assert_eq(histogram_ranges(&histogram, ranges, 12), 1);
	cr_expect_eq(histogram_bound(ranges[0].first), 1048576);
	cr_expect_eq(histogram_bound(ranges[0].end), 1179648);
	histogram_record(&histogram, 2000000); /* the last part of that power of two */
	count = histogram_ranges(&histogram, ranges, 12);
	cr_assert_eq(sum_ranges(ranges, count, &sum), 8);
	cr_expect(sum == 2 && ranges[0].count == 1 && ranges[7].count == 1 && !ranges[3].count);
	histogram_record(&histogram, 1ull << 30); /* eleven powers of two */
	count = histogram_ranges(&histogram, ranges, 12);
	cr_assert_eq(sum_ranges(ranges, count, &sum), 11);
	cr_expect_eq(sum, 3);
	for (size_t i = 0; i < count; i++)
		cr_expect_eq(histogram_bound(ranges[i].first), 1048576ull << i);
}

Test(histogram, is_cut_into_few_ranges_whatever_it_holds)
{
	for (size_t most = 4; most <= 40; most++) {
		struct samples samples = { .chance = most };
		struct histogram_range ranges[40];
		struct histogram histogram = {};
		size_t count;
		uint64_t sum;

		for (int i = 0; i < 100; i++)
			histogram_record(&histogram, duration_by_chance(&samples, LOG_UNIFORM));
		histogram_record(&histogram, 0);
		histogram_record(&histogram, UINT64_MAX);
		count = histogram_ranges(&histogram, ranges, most);
		cr_assert(count && count <= most, "%zu of %zu", count, most);
		sum_ranges(ranges, count, &sum);
		cr_expect_eq(sum, 102);
		cr_expect_eq(ranges[0].first, 0);
		cr_expect_eq(ranges[count - 1].end, HISTOGRAM_BUCKETS);
	}
}
