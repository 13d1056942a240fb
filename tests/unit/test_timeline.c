/* SPDX-License-Identifier: MIT */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "model/timeline.h"
#include "samples.h"

/*
 * Steps on tracks. What is kept is held against a sorted copy of what came, what is merged against sums: no
 * step and no nanosecond may be lost on the way.
 */

#define ORIGIN 1000000ull

static struct timeline *timeline_open(const struct timeline_limits *limits)
{
	struct timeline *timeline;

	cr_assert_eq(timeline_new(limits, &timeline), 0);
	timeline_begin(timeline, ORIGIN);
	return timeline;
}

static uint16_t track(struct timeline *timeline, uint32_t pid, uint32_t tid)
{
	const struct timeline_track *track = timeline_track(timeline, pid, tid);

	cr_assert(track);
	return track->index;
}

static void view(struct timeline *timeline, struct timeline_view *out)
{
	cr_assert_eq(timeline_view(timeline, out), 0);
}

Test(timeline, keeps_few_steps_as_they_came)
{
	struct timeline *timeline = timeline_open(NULL);
	const struct timeline_step steps[] = {
		{ .begin_ns = ORIGIN + 50, .end_ns = ORIGIN + 60, .track = 1, .depth = 0, .id = 4 },
		{ .begin_ns = ORIGIN + 20, .end_ns = ORIGIN + 30, .track = 0, .depth = 1, .id = 2 },
		{ .begin_ns = ORIGIN + 10, .end_ns = ORIGIN + 40, .track = 0, .depth = 0, .id = 1 },
		{ .begin_ns = ORIGIN + 70, .end_ns = ORIGIN + 80, .track = 0, .depth = 1, .id = 3 },
	};
	static const uint64_t order[] = { 1, 2, 3, 4 };
	struct timeline_view got;

	cr_assert_eq(track(timeline, 7, 7), 0);
	cr_assert_eq(track(timeline, 7, 8), 1);
	cr_assert_eq(track(timeline, 7, 7), 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_eq(timeline_step(timeline, &steps[i]), 0);
	view(timeline, &got);
	cr_assert_eq(got.step_count, 4);
	cr_expect_eq(got.band_count, 0);
	cr_expect_eq(got.band_ns, 0);
	for (size_t i = 0; i < 4; i++)
		cr_expect_eq(got.steps[i].id, order[i]);
	cr_assert_eq(got.track_count, 2);
	cr_expect_eq(got.tracks[0]->steps, 3);
	cr_expect_eq(got.tracks[0]->busy_ns, 30, "only outermost steps");
	cr_expect_eq(got.tracks[1]->busy_ns, 10);
	timeline_free(timeline);
	timeline_free(NULL);
}

static int shorter_first(const void *left, const void *right)
{
	return compare_durations(left, right);
}

/* However many there are, the longest are exact, and bands hold the rest to the nanosecond. */
Test(timeline, keeps_the_longest_and_adds_up_the_rest)
{
	enum { COUNT = 20000, STEPS = 1000, BANDS = 300, TRACKS = 3 };
	const struct timeline_limits limits = { .steps = STEPS, .bands = BANDS, .marks = 10 };
	struct timeline *timeline = timeline_open(&limits);
	struct samples samples;
	uint64_t now = ORIGIN, all_ns = 0, kept_ns = 0, banded_ns = 0, banded = 0;
	struct timeline_view got;

	for (uint32_t i = 0; i < TRACKS; i++)
		track(timeline, 1, i + 1);
	samples_open(&samples, HEAVY_TAIL, COUNT, 42);
	for (size_t i = 0; i < COUNT; i++) {
		struct timeline_step step = { .begin_ns = now,
					      .end_ns = now + samples.ns[i],
					      .track = (uint16_t)(i % TRACKS),
					      .depth = (uint8_t)(i % 2),
					      .function = (uint32_t)(i % 5) };

		now += samples.ns[i] / 2;
		all_ns += samples.ns[i];
		cr_assert_eq(timeline_step(timeline, &step), 0);
	}
	view(timeline, &got);
	cr_assert_leq(got.step_count, STEPS);
	cr_assert_geq(got.step_count, STEPS / 2 - 1);
	cr_assert_leq(got.band_count, BANDS);
	cr_assert_gt(got.band_count, BANDS / 8, "hardly a band: the test shows nothing");
	qsort(samples.ns, COUNT, sizeof(*samples.ns), shorter_first);
	for (size_t i = 0; i < got.step_count; i++) {
		uint64_t length = got.steps[i].end_ns - got.steps[i].begin_ns;

		kept_ns += length;
		cr_expect_geq(length, samples.ns[COUNT - got.step_count], "not of the longest");
	}
	for (size_t i = 0; i < got.band_count; i++) {
		const struct timeline_band *band = &got.bands[i];

		banded_ns += band->busy_ns;
		banded += band->count;
		cr_expect_eq((band->begin_ns - ORIGIN) % got.band_ns, 0);
		cr_expect_leq(band->sure_ns, band->busy_ns);
		if (i)
			cr_expect_gt(band->key, band[-1].key, "sorted, and each place once");
	}
	cr_expect_eq(banded + got.step_count, COUNT);
	cr_expect_eq(got.merged, banded);
	cr_expect_eq(kept_ns + banded_ns, all_ns);
	cr_expect_eq(got.longest_merged_ns, samples.ns[COUNT - got.step_count - 1]);
	cr_expect_leq(got.longest_merged_ns, got.band_ns);
	cr_expect_eq(got.left_out, 0);
	samples_close(&samples);
	timeline_free(timeline);
}

/* Steps that are all alike: half of them stay, none is lost. */
Test(timeline, copes_with_equal_steps)
{
	enum { COUNT = 1000 };
	const struct timeline_limits limits = { .steps = 100, .bands = 50, .marks = 10 };
	struct timeline *timeline = timeline_open(&limits);
	struct timeline_view got;
	uint64_t banded = 0;

	track(timeline, 1, 1);
	for (uint64_t i = 0; i < COUNT; i++) {
		const struct timeline_step step = { .begin_ns = ORIGIN + 100 * i,
						    .end_ns = ORIGIN + 100 * i + 10 };

		cr_assert_eq(timeline_step(timeline, &step), 0);
	}
	view(timeline, &got);
	for (size_t i = 0; i < got.band_count; i++)
		banded += got.bands[i].count;
	cr_expect_eq(banded + got.step_count, COUNT);
	cr_expect_eq(got.tracks[0]->steps, COUNT);
	cr_expect_eq(got.tracks[0]->busy_ns, 10 * COUNT);
	timeline_free(timeline);
}

/* A function with more than half of a band's time is named, whatever the order of its steps. */
Test(timeline, names_what_a_band_mostly_is)
{
	enum { COUNT = 300, MOSTLY = 9 };
	const struct timeline_limits limits = { .steps = 2, .bands = 50, .marks = 10 };
	struct timeline *timeline = timeline_open(&limits);
	struct timeline_view got;

	track(timeline, 1, 1);
	for (uint64_t i = 0; i < COUNT; i++) {
		const struct timeline_step step = { .begin_ns = ORIGIN + i,
						    .end_ns = ORIGIN + i + 1,
						    .function =
							    i % 3 ? MOSTLY : 1000 + (uint32_t)i };

		cr_assert_eq(timeline_step(timeline, &step), 0);
	}
	view(timeline, &got);
	cr_assert_eq(got.band_count, 1);
	cr_expect_eq(got.bands[0].function, MOSTLY);
	cr_expect_gt(got.bands[0].lead_ns, 0);
	cr_expect_leq(got.bands[0].sure_ns, COUNT * 2 / 3);
	timeline_free(timeline);
}

/* More rows than bands: no width helps, so steps are left out, and that is said. */
Test(timeline, says_what_it_leaves_out)
{
	enum { ROWS = 20 };
	const struct timeline_limits limits = { .steps = 1, .bands = 4, .marks = 10 };
	struct timeline *timeline = timeline_open(&limits);
	struct timeline_view got;
	uint64_t banded = 0;

	for (uint32_t i = 0; i < ROWS; i++) {
		const struct timeline_step step = { .begin_ns = ORIGIN,
						    .end_ns = ORIGIN + 10,
						    .track = track(timeline, 1, 1 + i) };

		cr_assert_eq(timeline_step(timeline, &step), 0);
	}
	const struct timeline_step deep = { .begin_ns = ORIGIN,
					    .end_ns = ORIGIN + 99,
					    .depth = TIMELINE_DEPTH_MAX };

	cr_assert_eq(timeline_step(timeline, &deep), 0);
	view(timeline, &got);
	for (size_t i = 0; i < got.band_count; i++)
		banded += got.bands[i].count;
	cr_expect_leq(got.band_count, 4);
	cr_expect_gt(got.left_out, 1);
	cr_expect_eq(banded + got.step_count + got.left_out, ROWS + 1);
	timeline_free(timeline);
}

Test(timeline, cuts_what_began_before)
{
	struct timeline *timeline = timeline_open(NULL);
	const struct timeline_step before = { .begin_ns = ORIGIN - 70, .end_ns = ORIGIN - 20 },
				   across = { .begin_ns = ORIGIN - 70, .end_ns = ORIGIN + 30 };
	struct timeline_view got;

	track(timeline, 1, 1);
	cr_assert_eq(timeline_step(timeline, &before), 0);
	cr_assert_eq(timeline_step(timeline, &across), 0);
	view(timeline, &got);
	cr_assert_eq(got.step_count, 2);
	for (size_t i = 0; i < 2; i++)
		cr_expect_eq(got.steps[i].begin_ns, ORIGIN);
	cr_expect_eq(got.tracks[0]->busy_ns, 30);
	timeline_free(timeline);
}

Test(timeline, keeps_the_longest_marks)
{
	const struct timeline_limits limits = { .steps = 1, .bands = 1, .marks = 20 };
	struct timeline *timeline = timeline_open(&limits);
	struct timeline_view got;

	track(timeline, 1, 1);
	for (uint64_t i = 0; i < 200; i++) {
		const struct timeline_mark mark = { .begin_ns = ORIGIN + i,
						    .ns = i % 2 ? 1 + i : 0 };

		cr_assert_eq(timeline_mark(timeline, &mark), 0);
	}
	view(timeline, &got);
	cr_assert_geq(got.mark_count, 10);
	cr_expect_eq(got.mark_count + got.marks_left_out, 200);
	for (size_t i = 0; i < got.mark_count; i++) {
		cr_expect_gt(got.marks[i].ns, 200 - 2 * got.mark_count);
		if (i)
			cr_expect_gt(got.marks[i].begin_ns, got.marks[i - 1].begin_ns);
	}
	timeline_free(timeline);
}

/* Whatever the length of a run, its bins hold every transition. */
Test(timeline, counts_activity)
{
	struct timeline *timeline = timeline_open(NULL);
	struct timeline_view got;
	uint64_t sum = 0, first_half = 0;

	for (uint64_t i = 0; i < 3000; i++)
		timeline_transition(timeline, ORIGIN + i * i * 1000);
	view(timeline, &got);
	for (size_t i = 0; i < TIMELINE_BINS; i++)
		sum += got.activity->count[i];
	cr_expect_eq(sum, 3000);
	cr_expect_gt(got.activity->width_ns * TIMELINE_BINS, 2999ull * 2999 * 1000);
	cr_expect_leq(got.activity->width_ns * TIMELINE_BINS / 2, 2999ull * 2999 * 1000);
	for (size_t i = 0; i < TIMELINE_BINS / 2; i++)
		first_half += got.activity->count[i];
	/* i * i * 1000 < half of all bins */
	for (uint64_t i = 0, end = got.activity->width_ns * TIMELINE_BINS / 2; i < 3000; i++)
		if (i * i * 1000 < end)
			first_half--;
	cr_expect_eq(first_half, 0);
	timeline_free(timeline);
}
