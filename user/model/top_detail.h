/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TOP_DETAIL_H
#define GENSCOPE_MODEL_TOP_DETAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/histogram.h"
#include "model/snapshot.h"
#include "records.h"

/*
 * One function from near: where its objects stand, and which of them have been suspended the longest. Filled
 * from the objects that a survey tells.
 */

#define TOP_OLDEST 10  /* are looked at one by one */
#define TOP_PLACES 64  /* lines that are told apart */
#define TOP_SOURCE 160 /* bytes of a line's text: a line of a screen */

/* Suspended objects that stand on one line. */
struct top_place {
	uint32_t line; /* 0: not known */
	uint64_t count;
	char source[TOP_SOURCE]; /* the line's text; "": it cannot be read */
};

struct top_object {
	uint64_t id, gen;
	uint64_t since_ns; /* in its state; CLOCK_MONOTONIC */
	bool is_more;      /* since then at least */
	uint32_t pid, line;
	const struct snapshot_object
		*seen; /* read from memory; NULL: it was not, or has gone. Borrowed */
};

struct top_detail {
	struct top_place places[TOP_PLACES]; /* most first, once ended */
	size_t place_count;
	uint64_t elsewhere; /* suspended on lines that found no place */
	struct top_object oldest[TOP_OLDEST];
	size_t oldest_count;
	uint64_t told, untold;      /* objects that a limit left out */
	struct distributions times; /* since the run began */
	size_t last_place;          /* of the object before: most stand together */
};

void top_detail_begin(struct top_detail *detail);
/* `begin_ns` as of struct top_moment. */
void top_detail_add(struct top_detail *detail, const struct living_record *object, uint32_t line,
		    uint64_t begin_ns);
void top_detail_end(struct top_detail *detail);

#endif
