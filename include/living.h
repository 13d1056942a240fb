/* SPDX-License-Identifier: MIT */
/*
 * A survey: the state map looked through once, by a BPF program that the user side runs. Objects are counted
 * by function and state, and some are told one by one (RECORD_LIVING).
 */
#ifndef GENSCOPE_LIVING_H
#define GENSCOPE_LIVING_H

#include "histogram.h"
#include "records.h"

enum survey_flag {
	SURVEY_COUNT = 1,   /* fill in the counts of functions */
	SURVEY_RUNNING = 2, /* tell of every object whose frame runs now */
	/* tell of those suspended since before `parked_ns`, once a suspension, each with what it awaits (told as
	 * SURVEY_AWAITED right after it); what another object awaits, or awaited when it was told, is not told for itself */
	SURVEY_PARKED = 4,
	SURVEY_CODE = 8,     /* tell of those of one function, closed ones left out */
	SURVEY_AWAITED = 16, /* of a record: why it is told. Asks for nothing */
};

struct survey {
	__u64 now_ns;    /* CLOCK_MONOTONIC */
	__u64 begin_ns;  /* what was not seen to change has not changed since then */
	__u64 parked_ns; /* a time, as now_ns */
	__u32 flags;     /* enum survey_flag, or-ed */
	__u32 code;      /* of SURVEY_CODE: id */
	__u32 limit;     /* of objects that are told; those that run are told all the same */
	__u32 number;    /* 1, 2, 3 …: no other survey of the run has it */
	/* answers */
	__u32 told;    /* what is awaited left out */
	__u32 records; /* sent, of all */
	__u64 left;    /* that would have been told, but for the limit or a full ring */
	__u64 objects;
};
_Static_assert(sizeof(struct survey) == 64, "survey is shared with BPF");

#define SURVEYED_MAX 65536 /* functions that are counted; the rest share the first */

/* Objects of one function now. */
struct survey_counts {
	__u32 objects[STATE_COUNT]; /* by enum object_state, as inspect would say */
	__u32 number;               /* of the survey: older ones say nothing */
	__u64 suspended_ns;         /* since when the oldest suspended one has been; 0: none is */
};
_Static_assert(sizeof(struct survey_counts) == 32, "survey_counts is shared with BPF");

#endif
