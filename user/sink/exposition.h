/* SPDX-License-Identifier: MIT */
#ifndef GENSCOPE_SINK_EXPOSITION_H
#define GENSCOPE_SINK_EXPOSITION_H

#include <stddef.h>
#include <stdint.h>

#include "python/buffer.h"

/*
 * A page of metrics, in Prometheus' text format 0.0.4 or in OpenMetrics 1.0.0:
 *
 *     exposition_begin(), then for each family exposition_family() and all of its samples, then
 *     exposition_end().
 *
 * What OpenMetrics has more (units, `_created`, exemplars, `# EOF`) is left out of the text format by
 * itself. Names are given once and without suffixes: the family of `genscope_transitions_total` is
 * "genscope_transitions"; one with a unit ends in it. Neither names nor label names are escaped: they
 * are the program's own. Values of labels are anybody's: they are escaped, and what is not UTF-8
 * becomes U+FFFD.
 *
 * The caller sees to it that no family comes twice, and no set of labels twice in a family.
 */
enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };
enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM };

struct exposition_family {
	const char *name;
	enum exposition_type type;
	const char *unit; /* "seconds", or NULL */
	const char *help;
};

struct exposition_label {
	const char *name, *value;
};

/* Labels of a sample or an exemplar. */
struct exposition_labels {
	const struct exposition_label *at;
	size_t count;
};

/* One case behind a count. Left out if its labels have more than the 128 characters that OpenMetrics
 * allows. */
struct exposition_exemplar {
	struct exposition_labels labels;
	uint64_t value_ns;
	uint64_t time_ns; /* since 1970; 0 if unknown */
};

/* The buckets of a histogram in seconds, given in nanoseconds. */
struct exposition_histogram {
	size_t bounds;              /* without the infinite one */
	const uint64_t *bounds_ns;  /* ascending */
	const uint64_t *cumulative; /* bounds + 1 numbers; the last is the count of all */
	uint64_t sum_ns;
	const struct exposition_exemplar *const
		*exemplars; /* bounds + 1, NULL where none; or NULL */
};

struct exposition {
	struct buffer *out;
	enum exposition_format format;
	const struct exposition_family *family;
};

/* The Content-Type of a page. */
const char *exposition_content_type(enum exposition_format format);

/* Appends to `out`, which the caller owns. */
void exposition_begin(struct exposition *exposition, enum exposition_format format,
		      struct buffer *out);
void exposition_family(struct exposition *exposition, const struct exposition_family *family);

/* `value` is in nanoseconds in a family of seconds, and written as seconds. `created_ns` is the time since
 * 1970 at which the counter was zero; 0 if unknown. `exemplar` may be NULL. */
void exposition_counter(struct exposition *exposition, const struct exposition_labels *labels,
			uint64_t value, uint64_t created_ns,
			const struct exposition_exemplar *exemplar);
void exposition_gauge(struct exposition *exposition, const struct exposition_labels *labels,
		      double value);
void exposition_histogram(struct exposition *exposition, const struct exposition_labels *labels,
			  const struct exposition_histogram *histogram, uint64_t created_ns);

/* 0, or -ENOMEM if the buffer did not hold it all. */
int exposition_end(struct exposition *exposition);

/* Nanoseconds as seconds in a decimal that loses nothing and is as short as it can be: "0.004096", "12".
 * At most EXPOSITION_SECONDS_BYTES bytes with the NUL. */
#define EXPOSITION_SECONDS_BYTES 24
void exposition_seconds(uint64_t ns, char text[EXPOSITION_SECONDS_BYTES]);

#endif
