/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TIMELINE_H
#define GENSCOPE_MODEL_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Steps on the tracks of threads, in bounded memory whatever the length of a run. All are kept while they are
 * few. Then the longest are, exactly as they came, and the others are added up in bands: pieces of a row
 * (a track and a depth on it), all of one width, which doubles whenever there are too many of them.
 * Functions and chains are the caller's numbers. Times are absolute; nothing may begin before the origin
 * (what does is cut there).
 */

struct timeline_limits {
	size_t steps; /* kept, at most; when it is exceeded, the longer half stays */
	size_t bands;
	size_t marks; /* as steps; those without a length go first */
};

/* What a page can hold and a browser draw: some 30 bytes each. */
#define TIMELINE_STEPS 131072
#define TIMELINE_BANDS 65536
#define TIMELINE_MARKS 8192

#define TIMELINE_DEPTH_MAX 255 /* what is nested deeper is counted as left out */

struct timeline_step {
	uint64_t begin_ns, end_ns, self_ns;
	uint64_t id; /* of the object */
	uint32_t function, chain;
	uint32_t line; /* where it ended; 0: unknown */
	uint16_t track;
	uint8_t depth;
	uint8_t via;     /* enum via that ended it */
	bool unfinished; /* it goes on elsewhere, or its end was not told: no step is counted */
};

struct timeline_band {
	uint64_t key;      /* the place: of the timeline only */
	uint64_t begin_ns; /* its length is timeline_band_ns() */
	uint64_t busy_ns;  /* of its steps, within it */
	uint64_t count;    /* of steps that began in it */
	/* The one that took more than half of busy_ns, where there is one: a vote that goes on while steps
	 * come, `lead_ns` ahead of all others together. It is known to have taken `sure_ns`. */
	uint32_t function;
	uint64_t lead_ns, sure_ns;
	uint16_t track;
	uint8_t depth;
};

struct timeline_track {
	uint64_t key; /* pid and tid */
	uint32_t pid, tid;
	uint16_t index;   /* in the order they came */
	uint64_t steps;   /* that ended on it, kept or not */
	uint64_t busy_ns; /* of the outermost ones */
};

struct timeline_mark {
	uint64_t begin_ns, ns; /* ns 0: it has no length, or it is not known */
	int64_t value;
	uint32_t name; /* the caller's number */
	uint16_t track;
	uint8_t type; /* the caller's */
};

/* Transitions in equal pieces of time. */
#define TIMELINE_BINS 512
struct timeline_activity {
	uint64_t width_ns;
	uint64_t count[TIMELINE_BINS]; /* from the origin on */
};

struct timeline;

/* `limits` NULL: the constants above. -ENOMEM. */
int timeline_new(const struct timeline_limits *limits, struct timeline **out);
void timeline_free(struct timeline *timeline); /* NULL is fine */

/* Before anything else: where time begins. */
void timeline_begin(struct timeline *timeline, uint64_t origin_ns);

/* The track of a thread; one for all beyond UINT16_MAX. NULL: no memory. Valid until freed. */
struct timeline_track *timeline_track(struct timeline *timeline, uint32_t pid, uint32_t tid);

/* A step that is over; in any order. -ENOMEM. */
int timeline_step(struct timeline *timeline, const struct timeline_step *step);
int timeline_mark(struct timeline *timeline, const struct timeline_mark *mark);
void timeline_transition(struct timeline *timeline, uint64_t ts_ns);

/* What there is, for reading. Steps and bands by track, depth and time, marks by time, tracks as they came;
 * valid until the next change. -ENOMEM. */
struct timeline_view {
	const struct timeline_step *steps;
	const struct timeline_band *bands;
	const struct timeline_mark *marks;
	const struct timeline_track *const *tracks;
	size_t step_count, band_count, mark_count, track_count;
	uint64_t band_ns;           /* 0: there are none */
	uint64_t merged;            /* steps that are in bands only */
	uint64_t longest_merged_ns; /* none of those was longer */
	uint64_t left_out; /* steps that are in neither: too deep, or of too many threads */
	uint64_t marks_left_out;
	const struct timeline_activity *activity;
};
int timeline_view(struct timeline *timeline, struct timeline_view *out);

#endif
