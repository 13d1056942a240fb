/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_SINK_H
#define GENSCOPE_SINK_SINK_H

#include <stdbool.h>
#include <stdint.h>

#include "model/stream.h"
#include "sink/writer.h"

/*
 * Where events go. A sink formats; the writer under it knows the file.
 */

struct loss {
	uint64_t ring, map_full, fault;
};

struct locals_counts {
	bool asked; /* for locals at all */
	uint64_t captured, truncated, lost, sampled_out;
};

struct summary {
	uint64_t hits, events, filtered, causes, redundant, strangers;
	struct loss lost;
	uint64_t anomalies, stepped_hits, objects, duration_ns;
	uint64_t seeded;        /* objects older than the run, entered from memory */
	uint64_t reconciled;    /* objects whose state was compared with memory at the end */
	uint64_t disagreements; /* and was another one, or unknown */
	uint64_t bad;           /* records the reader could not make sense of */
	double duty_ratio;      /* of the time that all probes were on; 1: always */
	double outermost_ratio; /* of the time that those of outermost steps alone were */
	const char *coverage;   /* "full" or what is missing */
	bool closes;            /* hits = the sum of the rest */
	struct locals_counts locals;
};

struct sink {
	const struct sink_ops *ops;
	struct writer *writer;      /* borrowed */
	int64_t realtime_offset_ns; /* CLOCK_REALTIME - CLOCK_MONOTONIC */
	bool color;
	/* the second last formatted: times of day are costly */
	int64_t second;
	char second_text[32];
};

struct sink_ops {
	void (*begin)(struct sink *sink);
	void (*event)(struct sink *sink, const struct event *event);
	void (*lost)(struct sink *sink, uint64_t ts_ns, const struct loss *since);
	/* Probes went off to keep --max-overhead, or came on again: all of them, or those of outermost steps alone. `took_ns`:
	 * so long before, their exchange began. May be NULL. */
	void (*duty)(struct sink *sink, uint64_t ts_ns, uint64_t took_ns, bool on, bool outermost);
	void (*end)(struct sink *sink, const struct summary *summary);
};

extern const struct sink_ops sink_text, sink_json;

void sink_init(struct sink *sink, const struct sink_ops *ops, struct writer *writer, bool color);

/* A duration for people: "1.234 ms". `size` >= 16. */
void format_duration(uint64_t ns, char *out, size_t size);

/* For tables: three digits, "1.23 ms", below 1000 s. `size` >= 16. */
void format_duration_short(uint64_t ns, char *out, size_t size);

/* Appends text as the inside of a JSON string (UTF-8 in; control characters and quotes escaped,
 * malformed bytes replaced). Returns the end; at most 6 * size bytes are written. */
char *json_escape(char *out, const char *text, size_t size);

#endif
