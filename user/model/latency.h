/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_MODEL_LATENCY_H
#define GENSCOPE_MODEL_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "model/histogram.h"

/*
 * Distributions summed up by function, file or task. Functions are told apart by qualname, file, first
 * line and kind, not by address: several processes, and code objects that are made anew, go into one row.
 * Memory grows with the number of rows.
 */

enum latency_by { LATENCY_BY_FUNCTION, LATENCY_BY_FILE, LATENCY_BY_TASK };

/* What distributions are of. In a row: what all that is in it has in common as far as it matters:
 * functions have no task, files only a file, tasks only a task; of those the kind is KIND_NONE when they
 * are of several. */
struct latency_code {
	const char *qualname, *file; /* NULL only in rows */
	const char *task;            /* NULL: in none */
	uint32_t first_line;
	uint8_t kind;
};

struct latency_row {
	struct latency_code code; /* its text is owned by the table */
	struct distributions distributions;
	uint64_t order; /* of latency_sort(): larger first, 0 where the metric has no values */
};

struct latency;
int latency_new(struct latency **out, enum latency_by by); /* -ENOMEM */
void latency_free(struct latency *latency);                /* NULL is fine */

/* Copies what it needs. Distributions without any value make no row. -ENOMEM: nothing was added. */
int latency_add(struct latency *latency, const struct latency_code *code,
		const struct distributions *distributions);

/* By one metric, largest first, equal ones by name; LATENCY_SORT_NAME from A to Z. Rows without values
 * of the metric are always last. */
enum latency_sort {
	LATENCY_SORT_COUNT,
	LATENCY_SORT_TOTAL,
	LATENCY_SORT_SHARE, /* of wall time: the same order as by total */
	LATENCY_SORT_P50,
	LATENCY_SORT_P90,
	LATENCY_SORT_P99,
	LATENCY_SORT_P999,
	LATENCY_SORT_MAX,
	LATENCY_SORT_NAME,
};

struct latency_order {
	enum metric metric;
	enum latency_sort sort;
	size_t limit; /* of rows; 0: none */
};

struct latency_rows {
	enum latency_by by;
	struct latency_order order;
	const struct latency_row *const *at;
	size_t count;
	/* what the limit left out, without rows that have no values of the metric */
	size_t rest;
	uint64_t rest_count, rest_ns; /* the sums of their counts and totals */
};

/* Valid until the next latency_add(), latency_sort() or latency_free(). */
void latency_sort(struct latency *latency, const struct latency_order *order,
		  struct latency_rows *out);

/* Words of options: "function", "p99". -EINVAL if it is none. */
int latency_by_of_name(const char *name);
int latency_sort_of_name(const char *name);
const char *name_of_latency_by(enum latency_by by);

#endif
