// SPDX-License-Identifier: MIT
#include "model/timeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/table.h"

/* A band is 1 us wide at first, and never wider than 2^46 ns, 19 hours: then new rows are left out. */
#define SHIFT_MIN   10
#define SHIFT_MAX   46
#define INDEX_BITS  40 /* of a band's place in its row: 12 days of the narrowest */
#define BIN_NS_MIN  1024
#define TRACK_OTHER UINT64_MAX /* the key of the track of all threads that have none of their own */

struct timeline {
	struct timeline_limits limits;
	uint64_t origin_ns;
	struct timeline_step *steps;
	size_t step_count, step_room;
	struct table bands; /* of struct timeline_band */
	unsigned shift;     /* a band is 1 << shift wide; 0: there are none */
	struct timeline_mark *marks;
	size_t mark_count, mark_room;
	struct table tracks; /* of struct timeline_track */
	struct timeline_track **by_index;
	size_t track_count, track_room;
	uint64_t merged, longest_merged_ns, left_out;
	uint64_t marks_left_out, longest_mark_left_ns;
	struct timeline_activity activity;
	struct timeline_band *sorted; /* of the last view */
};

/* --- life --- */

int timeline_new(const struct timeline_limits *limits, struct timeline **out)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));

	if (!timeline)
		return -ENOMEM;
	timeline->limits =
		limits ? *limits :
			 (struct timeline_limits){ TIMELINE_STEPS, TIMELINE_BANDS, TIMELINE_MARKS };
	timeline->activity.width_ns = BIN_NS_MIN;
	*out = timeline;
	return 0;
}

void timeline_free(struct timeline *timeline)
{
	if (!timeline)
		return;
	table_clear(&timeline->bands);
	table_clear(&timeline->tracks);
	free(timeline->steps);
	free(timeline->marks);
	free(timeline->by_index);
	free(timeline->sorted);
	free(timeline);
}

void timeline_begin(struct timeline *timeline, uint64_t origin_ns)
{
	timeline->origin_ns = origin_ns;
}

/* Room for one more in an array that doubles. */
static int make_room(void **array, size_t count, size_t *room, size_t size)
{
	size_t more = *room ? 2 * *room : 256;
	void *grown;

	if (count < *room)
		return 0;
	grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*room = more;
	return 0;
}

/* --- tracks --- */

struct timeline_track *timeline_track(struct timeline *timeline, uint32_t pid, uint32_t tid)
{
	uint64_t key = (uint64_t)pid << 32 | tid;
	struct timeline_track *track = table_find(&timeline->tracks, key);

	if (track)
		return track;
	if (timeline->track_count >= UINT16_MAX)
		key = TRACK_OTHER;
	track = table_have(&timeline->tracks, key, sizeof(*track));
	if (!track || (key == TRACK_OTHER && track->index))
		return track;
	if (make_room((void **)&timeline->by_index, timeline->track_count, &timeline->track_room,
		      sizeof(struct timeline_track *)))
		return NULL;
	track->index = (uint16_t)timeline->track_count;
	if (key != TRACK_OTHER) {
		track->pid = pid;
		track->tid = tid;
	}
	timeline->by_index[timeline->track_count++] = track;
	return track;
}

/* --- bands --- */

static uint64_t index_of(const struct timeline *timeline, uint64_t ts_ns)
{
	uint64_t index =
		ts_ns > timeline->origin_ns ? (ts_ns - timeline->origin_ns) >> timeline->shift : 0;

	return index < 1ull << INDEX_BITS ? index : (1ull << INDEX_BITS) - 1;
}

static uint64_t band_key(uint16_t track, uint8_t depth, uint64_t index)
{
	return (uint64_t)track << 48 | (uint64_t)depth << INDEX_BITS | index;
}

/* A function has taken so much more. Majority vote: others take from its lead, who takes the last of it
 * leads. */
static void vote(struct timeline_band *band, uint32_t function, uint64_t lead_ns, uint64_t sure_ns)
{
	if (!band->lead_ns && band->function != function) {
		band->function = function;
		band->sure_ns = 0;
	}
	if (band->function == function) {
		band->lead_ns += lead_ns;
		band->sure_ns += sure_ns;
	} else if (band->lead_ns >= lead_ns) {
		band->lead_ns -= lead_ns;
	} else {
		band->lead_ns = lead_ns - band->lead_ns;
		band->sure_ns = sure_ns;
		band->function = function;
	}
}

/* Bands of twice the width. */
static int widen(struct timeline *timeline)
{
	struct table old = timeline->bands, wide = {};

	timeline->shift++;
	for (size_t i = 0; i < old.room; i++) {
		const struct timeline_band *from = (struct timeline_band *)old.slots[i];
		struct timeline_band *to;
		uint64_t index;

		if (!from)
			continue;
		index = (from->key & ((1ull << INDEX_BITS) - 1)) >> 1;
		to = table_have(&wide, band_key(from->track, from->depth, index), sizeof(*to));
		if (!to) {
			table_clear(&wide);
			return -ENOMEM;
		}
		to->track = from->track;
		to->depth = from->depth;
		to->begin_ns = timeline->origin_ns + (index << timeline->shift);
		to->busy_ns += from->busy_ns;
		to->count += from->count;
		vote(to, from->function, from->lead_ns, from->sure_ns);
	}
	table_clear(&timeline->bands);
	timeline->bands = wide;
	return 0;
}

/* The band of that row at a time; NULL: -ENOMEM in *err, or there is no room for its row. */
static struct timeline_band *band_at(struct timeline *timeline, const struct timeline_step *step,
				     uint64_t ts_ns, int *err)
{
	uint64_t index = index_of(timeline, ts_ns);
	struct timeline_band *band;

	band = table_find(&timeline->bands, band_key(step->track, step->depth, index));
	if (band)
		return band;
	while (timeline->bands.count >= timeline->limits.bands) {
		if (timeline->shift == SHIFT_MAX)
			return NULL;
		*err = widen(timeline);
		if (*err)
			return NULL;
	}
	index = index_of(timeline, ts_ns);
	band = table_have(&timeline->bands, band_key(step->track, step->depth, index),
			  sizeof(*band));
	if (!band) {
		*err = -ENOMEM;
		return NULL;
	}
	band->begin_ns = timeline->origin_ns + (index << timeline->shift);
	band->track = step->track;
	band->depth = step->depth;
	return band;
}

/* It is no longer than a band is wide: it ends in the next one at the latest. */
static int merge(struct timeline *timeline, const struct timeline_step *step)
{
	uint64_t from_ns = step->begin_ns, to_ns;
	int err = 0;

	if (!timeline->shift)
		timeline->shift = SHIFT_MIN;
	while (1ull << timeline->shift < step->end_ns - step->begin_ns &&
	       timeline->shift < SHIFT_MAX && !err)
		err = widen(timeline);
	for (bool first = true; !err && (first || from_ns < step->end_ns); first = false) {
		struct timeline_band *band = band_at(timeline, step, from_ns, &err);

		if (!band) {
			timeline->left_out += first;
			return err;
		}
		timeline->merged += first;
		band->count += first;
		to_ns = band->begin_ns + (1ull << timeline->shift);
		if (to_ns > step->end_ns || to_ns <= from_ns)
			to_ns = step->end_ns;
		band->busy_ns += to_ns - from_ns;
		vote(band, step->function, to_ns - from_ns, to_ns - from_ns);
		from_ns = to_ns;
	}
	return err;
}

/* --- steps and marks --- */

static uint64_t length_of(const struct timeline_step *step)
{
	return step->end_ns - step->begin_ns;
}

static int longer_first(const void *left, const void *right)
{
	const struct timeline_step *a = left, *b = right;

	if (length_of(a) != length_of(b))
		return length_of(a) > length_of(b) ? -1 : 1;
	return (a->begin_ns > b->begin_ns) - (a->begin_ns < b->begin_ns);
}

static int merge_shorter_half(struct timeline *timeline)
{
	size_t keep = timeline->step_count / 2;
	int err = 0;

	qsort(timeline->steps, timeline->step_count, sizeof(*timeline->steps), longer_first);
	timeline->longest_merged_ns = length_of(&timeline->steps[keep]);
	for (size_t i = keep; i < timeline->step_count && !err; i++)
		err = merge(timeline, &timeline->steps[i]);
	timeline->step_count = keep;
	return err;
}

int timeline_step(struct timeline *timeline, const struct timeline_step *step)
{
	struct timeline_track *track = timeline->by_index[step->track];
	struct timeline_step cut = *step;
	int err;

	if (cut.begin_ns < timeline->origin_ns)
		cut.begin_ns = timeline->origin_ns;
	if (cut.end_ns < cut.begin_ns)
		cut.end_ns = cut.begin_ns;
	track->steps += !step->unfinished;
	if (!cut.depth)
		track->busy_ns += length_of(&cut);
	if (cut.depth == TIMELINE_DEPTH_MAX) {
		timeline->left_out++;
		return 0;
	}
	if (timeline->shift && length_of(&cut) <= timeline->longest_merged_ns)
		return merge(timeline, &cut);
	err = make_room((void **)&timeline->steps, timeline->step_count, &timeline->step_room,
			sizeof(*timeline->steps));
	if (err)
		return err;
	timeline->steps[timeline->step_count++] = cut;
	return timeline->step_count > timeline->limits.steps ? merge_shorter_half(timeline) : 0;
}

static int longer_mark_first(const void *left, const void *right)
{
	const struct timeline_mark *a = left, *b = right;

	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return (a->begin_ns > b->begin_ns) - (a->begin_ns < b->begin_ns);
}

int timeline_mark(struct timeline *timeline, const struct timeline_mark *mark)
{
	size_t keep;

	if (timeline->marks_left_out && mark->ns <= timeline->longest_mark_left_ns) {
		timeline->marks_left_out++;
		return 0;
	}
	if (make_room((void **)&timeline->marks, timeline->mark_count, &timeline->mark_room,
		      sizeof(*timeline->marks)))
		return -ENOMEM;
	timeline->marks[timeline->mark_count++] = *mark;
	if (timeline->mark_count <= timeline->limits.marks)
		return 0;
	keep = timeline->mark_count / 2;
	qsort(timeline->marks, timeline->mark_count, sizeof(*timeline->marks), longer_mark_first);
	timeline->longest_mark_left_ns = timeline->marks[keep].ns;
	timeline->marks_left_out += timeline->mark_count - keep;
	timeline->mark_count = keep;
	return 0;
}

void timeline_transition(struct timeline *timeline, uint64_t ts_ns)
{
	struct timeline_activity *activity = &timeline->activity;
	uint64_t since_ns = ts_ns > timeline->origin_ns ? ts_ns - timeline->origin_ns : 0;

	while (since_ns / activity->width_ns >= TIMELINE_BINS) {
		for (size_t i = 0; i < TIMELINE_BINS / 2; i++)
			activity->count[i] = activity->count[2 * i] + activity->count[2 * i + 1];
		memset(activity->count + TIMELINE_BINS / 2, 0, sizeof(activity->count) / 2);
		activity->width_ns *= 2;
	}
	activity->count[since_ns / activity->width_ns]++;
}

/* --- view --- */

static int by_step_place(const void *left, const void *right)
{
	const struct timeline_step *a = left, *b = right;

	if (a->track != b->track)
		return a->track < b->track ? -1 : 1;
	if (a->depth != b->depth)
		return a->depth < b->depth ? -1 : 1;
	if (a->begin_ns != b->begin_ns)
		return a->begin_ns < b->begin_ns ? -1 : 1;
	return (a->end_ns > b->end_ns) - (a->end_ns < b->end_ns);
}

static int by_band_key(const void *left, const void *right)
{
	const struct timeline_band *a = left, *b = right;

	return (a->key > b->key) - (a->key < b->key);
}

static int by_mark_time(const void *left, const void *right)
{
	const struct timeline_mark *a = left, *b = right;

	return (a->begin_ns > b->begin_ns) - (a->begin_ns < b->begin_ns);
}

static int sort_bands(struct timeline *timeline)
{
	size_t count = 0;

	free(timeline->sorted);
	timeline->sorted = calloc(timeline->bands.count + 1, sizeof(*timeline->sorted));
	if (!timeline->sorted)
		return -ENOMEM;
	for (size_t i = 0; i < timeline->bands.room; i++)
		if (timeline->bands.slots[i])
			timeline->sorted[count++] =
				*(struct timeline_band *)timeline->bands.slots[i];
	qsort(timeline->sorted, count, sizeof(*timeline->sorted), by_band_key);
	return 0;
}

int timeline_view(struct timeline *timeline, struct timeline_view *out)
{
	int err = sort_bands(timeline);

	if (err)
		return err;
	if (timeline->step_count)
		qsort(timeline->steps, timeline->step_count, sizeof(*timeline->steps),
		      by_step_place);
	if (timeline->mark_count)
		qsort(timeline->marks, timeline->mark_count, sizeof(*timeline->marks),
		      by_mark_time);
	*out = (struct timeline_view){
		.steps = timeline->steps,
		.bands = timeline->sorted,
		.marks = timeline->marks,
		.tracks = (const struct timeline_track *const *)timeline->by_index,
		.step_count = timeline->step_count,
		.band_count = timeline->bands.count,
		.mark_count = timeline->mark_count,
		.track_count = timeline->track_count,
		.band_ns = timeline->bands.count ? 1ull << timeline->shift : 0,
		.merged = timeline->merged,
		.longest_merged_ns = timeline->longest_merged_ns,
		.left_out = timeline->left_out,
		.marks_left_out = timeline->marks_left_out,
		.activity = &timeline->activity,
	};
	return 0;
}
