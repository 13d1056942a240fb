/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_TESTS_SAMPLES_H
#define GENSCOPE_TESTS_SAMPLES_H

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "model/histogram.h"

/*
 * Durations by chance, and what is true of them by sorting and adding up: what histograms are held
 * against.
 */

struct samples {
	uint64_t *ns;
	size_t count;
	uint64_t chance; /* state of the generator */
};

static inline uint64_t by_chance(struct samples *samples)
{
	uint64_t x = (samples->chance += 0x9e3779b97f4a7c15); /* splitmix64 */

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/* In (0, 1]. */
static inline double fraction(struct samples *samples)
{
	return (double)((by_chance(samples) >> 11) + 1) / 0x1p53;
}

enum shape { UNIFORM, EXPONENTIAL, LOG_UNIFORM, HEAVY_TAIL, TWO_HUMPS, CONSTANT, SHAPES };

static inline uint64_t duration_by_chance(struct samples *samples, enum shape shape)
{
	double u = fraction(samples);

	switch (shape) {
	case UNIFORM:
		return (uint64_t)(1e3 + u * 1e6);
	case EXPONENTIAL:
		return (uint64_t)(-log(u) * 5e5);
	case LOG_UNIFORM: /* from 1 us to 1 h */
		return (uint64_t)(1e3 * pow(3.6e9, u));
	case HEAVY_TAIL:
		return (uint64_t)(1e4 / pow(u, 1.2));
	case TWO_HUMPS:
		return by_chance(samples) % 10 ? (uint64_t)(2e3 + u * 1e3) :
						 (uint64_t)(5e7 + u * 1e6);
	default:
		return 123456;
	}
}

static inline void samples_open(struct samples *samples, enum shape shape, size_t count,
				uint64_t seed)
{
	*samples = (struct samples){ .count = count, .chance = seed };
	samples->ns = calloc(count + 1, sizeof(*samples->ns));
	for (size_t i = 0; i < count; i++)
		samples->ns[i] = duration_by_chance(samples, shape);
}

static inline void samples_close(struct samples *samples)
{
	free(samples->ns);
}

static inline void samples_record(const struct samples *samples, struct histogram *histogram)
{
	for (size_t i = 0; i < samples->count; i++)
		histogram_record(histogram, samples->ns[i]);
}

static inline int compare_durations(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static inline void samples_sort(struct samples *samples)
{
	qsort(samples->ns, samples->count, sizeof(*samples->ns), compare_durations);
}

static inline uint64_t samples_sum(const struct samples *samples)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < samples->count; i++)
		sum += samples->ns[i];
	return sum;
}

/* Of sorted ones: by the definition, from the smallest up. */
static inline uint64_t samples_quantile(const struct samples *samples, unsigned thousandths)
{
	size_t i = 0;

	while ((i + 1) * 1000 < samples->count * thousandths)
		i++;
	return samples->ns[i];
}

/* Within what a bucket may be off: 1/17, or 64 ns below the shortest power. */
static inline void expect_near(uint64_t got, uint64_t exact, const char *what)
{
	uint64_t error = got > exact ? got - exact : exact - got;

	cr_expect_leq(error, exact < 128 ? 64 : exact / 17 + 1, "%s: %" PRIu64 ", not %" PRIu64,
		      what, got, exact);
}

#endif
