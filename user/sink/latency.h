/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_LATENCY_H
#define GENSCOPE_SINK_LATENCY_H

#include <stdbool.h>
#include <stdint.h>

#include "model/latency.h"
#include "sink/ps.h"

/*
 * The views of `latency`. Each writes the rows of one latency_sort(); of the ps_view it takes the writer
 * and the style.
 */

struct latency_page {
	uint64_t duration_ns; /* wall time behind the numbers, for shares; 0: unknown */
	bool bars;            /* text: the histogram of every row, not only of one that is alone */
	bool buckets;         /* JSON: with what the histograms are made of */
};

/* A table of the metric that the rows are sorted by, a histogram below it. Nothing where nothing was
 * measured. */
void latency_text(const struct ps_view *view, const struct latency_page *page,
		  const struct latency_rows *rows);

/* A line a row, with all metrics. */
void latency_json(const struct ps_view *view, const struct latency_page *page,
		  const struct latency_rows *rows);

#endif
