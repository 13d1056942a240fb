/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_PROMETHEUS_H
#define GENSCOPE_SINK_PROMETHEUS_H

#include <stdbool.h>
#include <stdint.h>

#include "model/exporter.h"
#include "python/buffer.h"
#include "sink/exposition.h"
#include "sink/sink.h"

/*
 * The page that `export` serves: the metrics of contract.md.
 */

/* What is told of the exporter itself, beside the series. */
struct prometheus_self {
	struct loss lost;
	uint64_t anomalies, hits, strangers;
	double probe_seconds; /* that hits have cost the targets, by the measured price of one */
	double duty_ratio;    /* of the targets' time, with probes on */
	uint64_t state_map_entries;
	uint64_t overflow; /* functions that are in "other" */
	const struct prometheus_status {
		const char *status; /* "traced", "paused", "unsupported" … */
		uint64_t targets;
	} * statuses;
	size_t status_count;
	bool up;
	bool estimated; /* probes have been off at times, to keep the budget */
	const char *version, *revision;
	uint64_t now_ns;            /* CLOCK_MONOTONIC */
	uint64_t start_ns;          /* of the exporter; CLOCK_MONOTONIC */
	int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	bool probes;                /* false: --no-probes: only what memory tells is published */
};

/* Appends the page to `out`. -ENOMEM. */
int prometheus_page(enum exposition_format format, const struct prometheus_self *self,
		    const struct exporter_page *series, struct buffer *out);

#endif
