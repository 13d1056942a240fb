/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_TOP_H
#define GENSCOPE_MODEL_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <living.h> /* include/living.h; in quotes it would be this folder's */
#include "model/histogram.h"

/*
 * Functions as they are now: the rows of `top`. Code objects go into one row when their qualname, file, first
 * line and kind agree: several processes, and code that is made anew. Memory grows with the number of rows
 * and of code ids.
 *
 * A reading goes: top_begin(), of each code id top_count() and top_transitions(), and top_run() where the
 * latter says that something happened; then top_end(). Rows stay where they are until top_free().
 */

struct top_code {
	const char *qualname, *file;
	uint32_t first_line;
	uint8_t kind; /* enum object_kind; KIND_NONE: several, or not known */
};

struct top_row {
	struct top_code code; /* its text is owned by the table */
	uint32_t number;      /* of the row, from 0; never another one's */
	uint64_t objects[STATE_COUNT];
	uint64_t live;               /* those that are not closed */
	uint64_t oldest_ns;          /* how long the oldest suspended one has been; 0: none is */
	bool oldest_is_more;         /* at least that long: nothing older is known */
	uint64_t transitions;        /* since the run began */
	double rate;                 /* transitions a second since the reading before */
	struct histogram run;        /* steps since the run began */
	struct histogram run_now;    /* and since the reading before */
	uint64_t p99_ns, p99_now_ns; /* of them; 0: of nothing */
	const uint32_t *ids;         /* of its code objects; owned by the table */
	size_t id_count;
};

struct top;
int top_new(struct top **out);  /* -ENOMEM */
void top_free(struct top *top); /* NULL is fine */

/* A code object is known now; its text is copied. An id is entered once. -ENOMEM. */
int top_add_code(struct top *top, uint32_t id, const struct top_code *code);

struct top_moment {
	uint64_t now_ns;   /* of the survey, CLOCK_MONOTONIC */
	uint64_t begin_ns; /* of what is suspended since then, or earlier, nothing older is known */
	uint64_t
		watched_ns; /* time since the reading before in which probes were on; 0: no rates */
};

void top_begin(struct top *top, const struct top_moment *moment);
/* Ids that nobody has entered are passed over. */
void top_count(struct top *top, uint32_t id, const struct survey_counts *counts);
/* `transitions` and `run` are sums since the run began. True: they have grown since the reading before. */
bool top_transitions(struct top *top, uint32_t id, uint64_t transitions);
int top_run(struct top *top, uint32_t id, const struct histogram *run); /* -ENOMEM */
void top_end(struct top *top);

/* How many objects that are not closed an id had at the last reading. */
uint64_t top_live(const struct top *top, uint32_t id);

const struct top_row *top_row(const struct top *top, uint32_t number); /* NULL: there is none */

/* Largest first, but names from A to Z; equal ones by name. */
enum top_sort {
	TOP_SORT_LIVE,
	TOP_SORT_CREATED,
	TOP_SORT_RUNNING,
	TOP_SORT_SUSPENDED,
	TOP_SORT_CLOSED,
	TOP_SORT_RATE, /* transitions */
	TOP_SORT_P99,
	TOP_SORT_OLDEST,
	TOP_SORT_NAME,
	TOP_SORT_COUNT,
};

struct top_order {
	enum top_sort by;
	bool reverse;
	bool totals;        /* rate and p99 mean: since the run began */
	const char *filter; /* part of qualname or file, in any case; NULL or "": all */
};

struct top_totals {
	uint64_t objects[STATE_COUNT];
	uint64_t live, transitions;
	double rate;
};

struct top_rows {
	const struct top_row *const *at;
	size_t count;
	size_t all;               /* without the filter */
	struct top_totals totals; /* of all */
};

/* Rows of functions of which nothing has been seen yet are left out. Valid until the next top_add_code(),
 * top_sort() or top_free(). */
void top_sort(struct top *top, const struct top_order *order, struct top_rows *out);

/* A word of --sort: "live", "p99". -EINVAL if it is none. */
int top_sort_of_name(const char *name);
const char *name_of_top_sort(enum top_sort sort);

#endif
